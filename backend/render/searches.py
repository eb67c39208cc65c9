# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The renderer's searches: by the Triton kernels where they can be trusted, else by their plain twins.

Letters: N batch, V vertices, F faces, M = N * F triangles of all pictures, H, W picture, P = N * H * W pixels.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from . import pairs, triton_kernels
from . import soft_mask as plain_soft_mask
from .fragments import Fragments
from .soft_mask import SoftMaskConfig
from .triangles import NEAR, EdgeFunctions, Raster, Triangles, can_be_drawn, edge_functions, screen_triangles
from .triton_programs import AVAILABLE

SWITCH = "UNRENDER_TRITON"
"""Environment variable: 0 keeps to the plain functions."""

STANDARD = SoftMaskConfig()

_logger = logging.getLogger(__name__)
_trusted: dict[torch.device, bool] = {}


def nearest_triangles(
    triangles: Triangles, functions: EdgeFunctions, order: Tensor, drawn: Tensor, raster: Raster
) -> Tensor:
    """The nearest drawn triangle of every pixel (P,), as :func:`pairs.nearest_triangles` has it."""
    module = triton_kernels if use_kernels(order) else pairs
    return module.nearest_triangles(triangles, functions, order, drawn, raster)


def nearest_margins(
    triangles: Triangles, functions: EdgeFunctions, drawn: Tensor, raster: Raster, margin: float, crisp_depth: Tensor,
    perspective: bool,
) -> Tensor:  # fmt: skip
    """The nearest margin that holds every pixel (P,), as :func:`pairs.nearest_margins` has it."""
    module = triton_kernels if use_kernels(triangles.x) else pairs
    return module.nearest_margins(triangles, functions, drawn, raster, margin, crisp_depth, perspective)


def soft_mask(screen: Tensor, faces: Tensor, fragments: Fragments, config: SoftMaskConfig = STANDARD) -> Tensor:
    """The soft mask (N, H, W) in [0, 1] of meshes on the screen (N, V, 3), faces (F, 3).

    fragments: of :func:`rasterize` for the same scene. Differentiable once in ``screen``; the gradient moves the
    edges nearest to each pixel, and pixels that see a face have none.
    """
    _, height, width = fragments.face_index.shape
    unit = 0.5 * max(height, width)
    return soft_mask_of(screen, faces, fragments.face_index < 0, config, (unit, unit))


def soft_mask_of(
    screen: Tensor,
    faces: Tensor,
    uncovered: Tensor,
    config: SoftMaskConfig,
    unit: tuple[float, float],
    near: float = NEAR,
) -> Tensor:
    """The same where only the uncovered pixels are known, as :func:`.soft_mask.soft_mask_of` has it."""
    empty = faces.shape[0] == 0 or uncovered.numel() == 0
    by_kernels = not empty and config.maximal_faces is None and use_kernels(screen)
    module = triton_kernels if by_kernels else plain_soft_mask
    return module.soft_mask_of(screen, faces, uncovered, config, unit, near)


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
        _trusted[device] = _agrees(device)
    return _trusted[device]


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
    raster = Raster(2, 24, 40)
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
    margins = pairs.nearest_margins(*beside)
    uncovered = (found < 0).view(*raster)
    config = SoftMaskConfig(sigma_inverse=100.0, box_length=0.2)
    soft = [
        _mask_and_gradient(function, screen, faces, uncovered, config, (20.0, 20.0), 1e-4)
        for function in (triton_kernels.soft_mask_of, plain_soft_mask.soft_mask_of)
    ]
    shares = {
        "nearest triangles": (triton_kernels.nearest_triangles(*scene) != found).float().mean() / 0.01,
        "nearest margins": (triton_kernels.nearest_margins(*beside) != margins).float().mean() / 0.01,
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
