# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The searches of :mod:`.pairs` and :mod:`.soft_mask` as Triton kernels, for CUDA tensors in float32.

The plain functions make lists whose lengths depend on the scene, so on a GPU they wait for the device again and
again. Here one program takes one triangle (every BANDS-th strip of its rows) and walks along its pixels; nothing is
counted, nothing is listed, and the host never waits. Each function has a plain twin of the same meaning, and repeats
its arithmetic operation by operation, one rounding for one rounding, so that both find the same triangles, those that
share an edge or lie at the same depth included. The twin is what the kernels are checked against.

The kernels also run in Triton's interpreter on CPU tensors (TRITON_INTERPRET=1).

Letters: N batch, V vertices, F faces, M = N * F triangles of all pictures, H, W picture, P = N * H * W pixels.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# The module, not its names: it imports this one. So does soft_mask, which imports names of pairs; see further down.
from . import pairs
from .triangles import EdgeFunctions, Triangles, can_be_drawn, counts_beside, edge_functions, outlines, screen_triangles
from .triton_programs import (
    AVAILABLE,
    log_transparency_kernel,
    nearest_margins_kernel,
    nearest_triangles_kernel,
    soft_corners_kernel,
)

if TYPE_CHECKING:
    from .pairs import Raster
    from .soft_mask import SoftMaskConfig

SWITCH = "UNRENDER_TRITON"
"""Environment variable: 0 keeps to the plain functions."""
_ROWS = 8
_COLUMNS = 16
"""Pixels that a program looks at together."""
_BANDS = 4
"""Programs that share a triangle: one takes rows 0 to 7, 32 to 39 and so on, the next 8 to 15, 40 to 47 and so on."""
# Fused products and sums round once; fused at will, they would not round as the twin does.
_LAUNCH = {"ROWS": _ROWS, "COLUMNS": _COLUMNS, "BANDS": _BANDS, "num_warps": 1, "enable_fp_fusion": False}

_logger = logging.getLogger(__name__)
_trusted: dict[torch.device, bool] = {}


def use_kernels(tensor: Tensor) -> bool:
    """Whether the kernels take a scene on this tensor's device and of its type, rather than the plain functions.

    True for float32 on CUDA where Triton is installed, ``UNRENDER_TRITON`` is not 0, and the kernels have found on
    this device what the plain functions find. That is checked at the first call, which takes some seconds; where they
    have not, a warning is logged once and the answer stays False.
    """
    if not AVAILABLE or not tensor.is_cuda or tensor.dtype != torch.float32 or os.environ.get(SWITCH) == "0":
        return False
    device = tensor.device
    if device not in _trusted:
        # The check calls the plain functions, which ask here, and shall get them.
        _trusted[device] = False
        _trusted[device] = _agrees(device)
    return _trusted[device]


def nearest_triangles(
    triangles: Triangles, functions: EdgeFunctions, order: Tensor, drawn: Tensor, raster: Raster
) -> Tensor:
    """Twin of :func:`pairs.nearest_triangles`: (P,) int64."""
    best = torch.zeros(raster.pixels, dtype=torch.int64, device=drawn.device)
    number = drawn.numel()
    table = torch.cat([*functions[:4], order / functions.area])
    _launch(
        nearest_triangles_kernel, number, raster,
        best, table, triangles.x.contiguous(), triangles.y.contiguous(), _bytes(drawn), number,
        SLACK=pairs._SLACK, TRIANGLE_BITS=pairs._TRIANGLE_BITS,
    )  # fmt: skip
    return _winners(best)


def nearest_margins(
    triangles: Triangles, functions: EdgeFunctions, drawn: Tensor, raster: Raster, margin: float, crisp_depth: Tensor,
    perspective: bool,
) -> Tensor:  # fmt: skip
    """Twin of :func:`pairs.nearest_margins`: (P,) int64."""
    best = torch.zeros(raster.pixels, dtype=torch.int64, device=drawn.device)
    number = drawn.numel()
    table = torch.cat([*functions[:4], margin * torch.hypot(functions.a, functions.b)])
    _launch(
        nearest_margins_kernel, number, raster,
        best, table, triangles.x.contiguous(), triangles.y.contiguous(), triangles.depth.contiguous(),
        outlines(triangles), _bytes(drawn), crisp_depth.contiguous(), number, float(margin),
        PERSPECTIVE=perspective, PUSH_BACK=pairs.PUSH_BACK, SLACK=pairs._SLACK, TRIANGLE_BITS=pairs._TRIANGLE_BITS,
    )  # fmt: skip
    return _winners(best)


def soft_mask_of(
    screen: Tensor,
    faces: Tensor,
    uncovered: Tensor,
    config: SoftMaskConfig,
    unit: tuple[float, float],
    near: float,
) -> Tensor:
    """Twin of :func:`soft_mask.soft_mask_of`: (N, H, W), differentiable once in ``screen``.

    The influences on a pixel are added in any order, so the last bit may change from one run to the next.
    Raises ValueError for ``maximal_faces``: which faces come first is not known here.
    """
    if config.maximal_faces is not None:
        raise ValueError("The kernel lets all faces count; maximal_faces needs the plain function.")
    mask: Tensor = _SoftMask.apply(screen, faces, uncovered, config, unit, near)  # type: ignore[no-untyped-call]
    return mask


class _SoftMask(torch.autograd.Function):
    """As :class:`soft_mask._SoftMask`; nothing that was found is kept, the way back finds it again."""

    @staticmethod
    def forward(
        ctx: Any, screen: Tensor, faces: Tensor, uncovered: Tensor, config: SoftMaskConfig, unit: tuple[float, float],
        near: float,
    ) -> Tensor:  # fmt: skip
        log_transparency = screen.new_zeros(uncovered.numel())
        triangles = screen_triangles(screen, faces)
        number, scene = _soft_scene(triangles, uncovered, config, unit, near)
        raster = pairs.Raster(*uncovered.shape)
        _launch(log_transparency_kernel, number, raster, log_transparency, *scene)
        ctx.save_for_backward(screen, faces, uncovered, log_transparency)
        ctx.arguments = config, unit, near
        return torch.where(uncovered, -torch.expm1(log_transparency).view(uncovered.shape), 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None, None]:
        screen, faces, uncovered, log_transparency = ctx.saved_tensors
        config, unit, near = ctx.arguments
        triangles = screen_triangles(screen, faces)
        number, scene = _soft_scene(triangles, uncovered, config, unit, near)
        of_log = gradient.reshape(-1) * log_transparency.exp()
        of_corners = screen.new_zeros(_BANDS, 2, 3, number)
        raster = pairs.Raster(*uncovered.shape)
        _launch(soft_corners_kernel, number, raster, of_corners, of_log, *scene)
        of_screen = screen.new_zeros(3, screen.shape[0] * screen.shape[1])
        of_screen[:2].index_add_(1, triangles.vertex.reshape(-1), of_corners.sum(dim=0).view(2, -1))
        return of_screen.view(3, *screen.shape[:2]).permute(1, 2, 0), None, None, None, None, None


def _soft_scene(
    triangles: Triangles, uncovered: Tensor, config: SoftMaskConfig, unit: tuple[float, float], near: float
) -> tuple[int, tuple[Tensor | float, ...]]:
    """The number of triangles, and what both kernels of the soft mask take."""
    from .soft_mask import _OPAQUE

    counted = counts_beside(triangles, near, front_faces_only=config.front_faces_only)
    number = counted.numel()
    return number, (
        triangles.x.contiguous(), triangles.y.contiguous(), outlines(triangles, unit), _bytes(counted),
        _bytes(uncovered), number, float(unit[0]), float(unit[1]), float(config.sigma_inverse),
        float(config.box_length), _OPAQUE,
    )  # fmt: skip


def _winners(best: Tensor) -> Tensor:
    """The triangle in the lower bits, where anything was written at all."""
    return torch.where(best > 0, best & ((1 << pairs._TRIANGLE_BITS) - 1), -1)


def _bytes(flags: Tensor) -> Tensor:
    return flags.contiguous().view(torch.uint8)


def _launch(kernel: Any, number: int, raster: Raster, *arguments: Tensor | float, **constants: float) -> None:
    """Runs a kernel for ``number`` triangles, as many in each picture."""
    if number == 0 or raster.pixels == 0:
        return
    # Triton launches on the current device, whatever the tensors'.
    with torch.cuda.device_of(arguments[0]):
        kernel[(number, _BANDS)](
            *arguments, number // raster.batch, raster.height, raster.width, **constants, **_LAUNCH
        )  # fmt: skip


def _agrees(device: torch.device) -> bool:
    """Whether kernels and plain functions find the same in a small scene; a warning says that they do not."""
    try:
        with torch.inference_mode(False), torch.enable_grad():
            differing = _differences(device)
    except Exception:
        # Whatever a compiler, a driver or a version of Triton may raise: the plain functions remain.
        _logger.warning(
            "The renderer's Triton kernels cannot run on %s; plain torch takes over.", device, exc_info=True
        )
        return False
    if differing:
        _logger.warning(
            "The renderer's Triton kernels disagree with plain torch on %s (%s); plain torch takes over.",
            device, ", ".join(differing),
        )  # fmt: skip
    return not differing


def _differences(device: torch.device) -> list[str]:
    """Names of what kernels and plain functions find differently, beyond rounding; two pictures of 4 triangles."""
    from . import soft_mask

    raster = pairs.Raster(2, 24, 40)
    random = torch.Generator().manual_seed(0)
    places = torch.rand(8, 1, 3, generator=random) * torch.tensor([40.0, 24.0, 1.0]) + torch.tensor([0.0, 0.0, 1.0])
    corners = places + torch.randn(8, 3, 3, generator=random) * torch.tensor([6.0, 6.0, 0.05])
    screen = corners.view(2, 12, 3).to(device)
    faces = torch.arange(12, device=device).view(4, 3)
    triangles = screen_triangles(screen, faces)
    functions, drawn = edge_functions(triangles), can_be_drawn(triangles, cull_back_faces=False)
    scene = triangles, functions, pairs.nearness(triangles, True), drawn, raster
    found = pairs.nearest_triangles(*scene)
    before = torch.where(found < 0, torch.inf, 1.5)
    beside = triangles, functions, drawn, raster, 2.0, before, True
    uncovered = (found < 0).view(*raster)
    config = soft_mask.SoftMaskConfig(sigma_inverse=100.0, box_length=0.2)
    soft = [
        _mask_and_gradient(function, screen, faces, uncovered, config, (20.0, 20.0), 1e-4)
        for function in (soft_mask_of, soft_mask.soft_mask_of)
    ]
    shares = {
        "nearest triangles": (nearest_triangles(*scene) != found).float().mean() / 0.01,
        "nearest margins": (nearest_margins(*beside) != pairs.nearest_margins(*beside)).float().mean() / 0.01,
        "soft mask": (soft[0][0] - soft[1][0]).abs().amax() / 1e-4,
        "soft mask's gradient": (soft[0][1] - soft[1][1]).abs().amax() / (1e-3 * soft[1][1].abs().amax()),
    }
    # Written so that what is not a number differs.
    return [name for name, share in shares.items() if not float(share) < 1]


def _mask_and_gradient(function: Callable[..., Tensor], screen: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:
    screen = screen.clone().requires_grad_()
    mask = function(screen, *arguments)
    (gradient,) = torch.autograd.grad(mask.square().sum(), screen)
    return mask.detach(), gradient
