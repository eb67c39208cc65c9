# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The searches of :mod:`.pairs` and :mod:`.soft_mask` as Triton kernels, for CUDA tensors in float32.

The plain functions make lists whose lengths depend on the scene, so on a GPU they wait for the device again and
again. Here one program takes one triangle (every BANDS-th strip of its rows) and walks along its pixels; nothing is
counted, nothing is listed, and the host never waits. Each function has a plain twin of the same meaning, and repeats
its arithmetic operation by operation, one rounding for one rounding, so that both find the same triangles, those that
share an edge or lie at the same depth included. The twin is what :mod:`.searches` checks the kernels against.

The kernels also run in Triton's interpreter on CPU tensors (TRITON_INTERPRET=1).

Letters: N batch, V vertices, F faces, M = N * F triangles of all pictures, H, W picture, P = N * H * W pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .triangles import (
    OPAQUE,
    PUSH_BACK,
    SLACK,
    TRIANGLE_BITS,
    EdgeFunctions,
    Raster,
    Triangles,
    counts_beside,
    outlines,
    screen_triangles,
)
from .triton_programs import (
    log_transparency_kernel,
    nearest_margins_kernel,
    nearest_triangles_kernel,
    soft_corners_kernel,
)

if TYPE_CHECKING:
    from .soft_mask import SoftMaskConfig

_ROWS = 8
_COLUMNS = 16
"""Pixels that a program looks at together."""
_BANDS = 4
"""Programs that share a triangle: one takes rows 0 to 7, 32 to 39 and so on, the next 8 to 15, 40 to 47 and so on."""
# Fused products and sums round once; fused at will, they would not round as the twin does.
_LAUNCH = {"ROWS": _ROWS, "COLUMNS": _COLUMNS, "BANDS": _BANDS, "num_warps": 1, "enable_fp_fusion": False}


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
        SLACK=SLACK, TRIANGLE_BITS=TRIANGLE_BITS,
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
        PERSPECTIVE=perspective, PUSH_BACK=PUSH_BACK, SLACK=SLACK, TRIANGLE_BITS=TRIANGLE_BITS,
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
        raster = Raster(*uncovered.shape)
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
        raster = Raster(*uncovered.shape)
        _launch(soft_corners_kernel, number, raster, of_corners, of_log, *scene)
        of_screen = screen.new_zeros(3, screen.shape[0] * screen.shape[1])
        of_screen[:2].index_add_(1, triangles.vertex.reshape(-1), of_corners.sum(dim=0).view(2, -1))
        return of_screen.view(3, *screen.shape[:2]).permute(1, 2, 0), None, None, None, None, None


def _soft_scene(
    triangles: Triangles, uncovered: Tensor, config: SoftMaskConfig, unit: tuple[float, float], near: float
) -> tuple[int, tuple[Tensor | float, ...]]:
    """The number of triangles, and what both kernels of the soft mask take."""
    counted = counts_beside(triangles, near, front_faces_only=config.front_faces_only)
    number = counted.numel()
    return number, (
        triangles.x.contiguous(), triangles.y.contiguous(), outlines(triangles, unit), _bytes(counted),
        _bytes(uncovered), number, float(unit[0]), float(unit[1]), float(config.sigma_inverse),
        float(config.box_length), OPAQUE,
    )  # fmt: skip


def _winners(best: Tensor) -> Tensor:
    """The triangle in the lower bits, where anything was written at all."""
    return torch.where(best > 0, best & ((1 << TRIANGLE_BITS) - 1), -1)


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
