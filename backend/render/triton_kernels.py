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

# Modules, not names: they import this one.
from . import pairs
from . import soft_mask as plain_soft_mask
from .triangles import EdgeFunctions, Triangles, can_be_drawn, edge_functions, is_finite, outlines, screen_triangles

try:
    import triton
    import triton.language as tl
except ImportError:
    triton = None

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
    if triton is None or not tensor.is_cuda or tensor.dtype != torch.float32 or os.environ.get(SWITCH) == "0":
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
        _nearest_triangles_kernel, number, raster,
        best, table, triangles.x.contiguous(), triangles.y.contiguous(), _bytes(drawn), number,
        SLACK=pairs._SLACK, TRIANGLE_BITS=pairs._TRIANGLE_BITS,
    )  # fmt: skip
    return pairs._winners(best)


def nearest_margins(
    triangles: Triangles, functions: EdgeFunctions, drawn: Tensor, raster: Raster, margin: float, crisp_depth: Tensor,
    perspective: bool,
) -> Tensor:  # fmt: skip
    """Twin of :func:`pairs.nearest_margins`: (P,) int64."""
    best = torch.zeros(raster.pixels, dtype=torch.int64, device=drawn.device)
    number = drawn.numel()
    table = torch.cat([*functions[:4], margin * torch.hypot(functions.a, functions.b)])
    _launch(
        _nearest_margins_kernel, number, raster,
        best, table, triangles.x.contiguous(), triangles.y.contiguous(), triangles.depth.contiguous(),
        outlines(triangles), _bytes(drawn), crisp_depth.contiguous(), number, float(margin),
        PERSPECTIVE=perspective, PUSH_BACK=pairs.PUSH_BACK, SLACK=pairs._SLACK, TRIANGLE_BITS=pairs._TRIANGLE_BITS,
    )  # fmt: skip
    return pairs._winners(best)


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
        _launch(_log_transparency_kernel, number, raster, log_transparency, *scene, OPAQUE=plain_soft_mask._OPAQUE)
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
        _launch(_soft_corners_kernel, number, raster, of_corners, of_log, *scene, OPAQUE=plain_soft_mask._OPAQUE)
        of_screen = screen.new_zeros(3, screen.shape[0] * screen.shape[1])
        of_screen[:2].index_add_(1, triangles.vertex.reshape(-1), of_corners.sum(dim=0).view(2, -1))
        return of_screen.view(3, *screen.shape[:2]).permute(1, 2, 0), None, None, None, None, None


def _soft_scene(
    triangles: Triangles, uncovered: Tensor, config: SoftMaskConfig, unit: tuple[float, float], near: float
) -> tuple[int, tuple[Tensor | float, ...]]:
    """The number of triangles, and what both kernels of the soft mask take."""
    counted = is_finite(triangles) & (triangles.depth > near).all(dim=0)
    number = counted.numel()
    return number, (
        triangles.x.contiguous(), triangles.y.contiguous(), outlines(triangles, unit), _bytes(counted),
        _bytes(uncovered), number, float(unit[0]), float(unit[1]), float(config.sigma_inverse),
        float(config.box_length),
    )  # fmt: skip


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
        _logger.warning("The renderer's Triton kernels cannot run on %s; plain torch takes over.", device, exc_info=True)
        return False
    if differing:
        _logger.warning(
            "The renderer's Triton kernels disagree with plain torch on %s (%s); plain torch takes over.",
            device, ", ".join(differing),
        )  # fmt: skip
    return not differing


def _differences(device: torch.device) -> list[str]:
    """Names of what kernels and plain functions find differently, beyond rounding; two pictures of 16 triangles."""
    raster = pairs.Raster(2, 24, 40)
    random = torch.Generator().manual_seed(0)
    places = torch.rand(32, 1, 3, generator=random) * torch.tensor([40.0, 24.0, 1.0]) + torch.tensor([0.0, 0.0, 1.0])
    corners = places + torch.randn(32, 3, 3, generator=random) * torch.tensor([6.0, 6.0, 0.05])
    screen = corners.view(2, 48, 3).to(device)
    faces = torch.arange(48, device=device).view(16, 3)
    triangles = screen_triangles(screen, faces)
    functions, drawn = edge_functions(triangles), can_be_drawn(triangles, cull_back_faces=False)
    scene = triangles, functions, pairs.nearness(triangles, drawn, True), drawn, raster
    found = pairs.nearest_triangles(*scene)
    before = torch.where(found < 0, torch.inf, 1.5)
    beside = triangles, functions, drawn, raster, 2.0, before, True
    uncovered = (found < 0).view(*raster)
    config = plain_soft_mask.SoftMaskConfig(sigma_inverse=100.0, box_length=0.2)
    soft = [
        _mask_and_gradient(function, screen, faces, uncovered, config, (20.0, 20.0), 1e-4)
        for function in (soft_mask_of, plain_soft_mask.soft_mask_of)
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


# Without Triton the kernels stay functions that nobody calls.
_jit: Callable[[Any], Any] = (lambda function: function) if triton is None else triton.jit


@_jit
def _nearest_triangles_kernel(
    best, table, x, y, drawn, number, faces, height, width,
    SLACK: tl.constexpr, TRIANGLE_BITS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, BANDS: tl.constexpr,
):  # fmt: skip
    """best (P,): nearness in the upper bits, triangle in the lower ones; table (15, M): a, b, anchors, shares."""
    triangle = tl.program_id(0).to(tl.int64)
    left, right = _extent(x, number, triangle, 0.0)
    if (tl.load(drawn + triangle) != 0) & (right >= 0.5) & (left <= width - 0.5):
        top, bottom = _extent(y, number, triangle, 0.0)
        first_row, last_row = _pixels(top, bottom, height)
        share_0, share_1, share_2 = _three(table, 12, number, triangle)
        slope_0, slope_1, slope_2 = _three(table, 0, number, triangle)
        slope = slope_0 * share_0 + slope_1 * share_1 + slope_2 * share_2
        for strip in range(first_row + tl.program_id(1) * ROWS, last_row + 1, BANDS * ROWS):
            row = strip + tl.arange(0, ROWS)
            first, last = _inside(table, number, triangle, row, left, right, width, SLACK)
            last = tl.where(row <= last_row, last, first - 1)
            edge_0, edge_1, edge_2 = _edges_at(table, number, triangle, row, first)
            start = edge_0 * share_0 + edge_1 * share_1 + edge_2 * share_2
            row_start = ((triangle // faces) * height + row) * width
            begin, end = _union(first, last, width)
            for column in range(begin, end, COLUMNS):
                pixel = column + tl.arange(0, COLUMNS)[None, :]
                within = (pixel - first[:, None]).to(tl.float32)
                value = tl.fma(slope + 0 * within, within, start[:, None] + 0 * within)
                seen = (pixel >= first[:, None]) & (pixel <= last[:, None])
                tl.atomic_max(best + row_start[:, None] + pixel, _ranked(value, triangle, TRIANGLE_BITS), mask=seen)


@_jit
def _nearest_margins_kernel(
    best, table, x, y, depth, outline, drawn, crisp_depth, number, margin, faces, height, width,
    PERSPECTIVE: tl.constexpr, PUSH_BACK: tl.constexpr, SLACK: tl.constexpr, TRIANGLE_BITS: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, BANDS: tl.constexpr,
):  # fmt: skip
    """best as above; table (15, M): a, b, anchors, margin * length of the gradient; outline (6, 3, M)."""
    triangle = tl.program_id(0).to(tl.int64)
    left, right = _extent(x, number, triangle, margin)
    if (tl.load(drawn + triangle) != 0) & (right >= 0.5) & (left <= width - 0.5):
        top, bottom = _extent(y, number, triangle, margin)
        first_row, last_row = _pixels(top, bottom, height)
        depth_0, depth_1, depth_2 = _three(depth, 0, number, triangle)
        for strip in range(first_row + tl.program_id(1) * ROWS, last_row + 1, BANDS * ROWS):
            row = strip + tl.arange(0, ROWS)
            outer_first, outer_last = _columns(table, number, triangle, row, left, right, width, SLACK, True)
            first, last = _inside(table, number, triangle, row, left, right, width, SLACK)
            outer_last = tl.where(row <= last_row, outer_last, -1)
            # A row without an inside is the left span as a whole.
            none = last < first
            first, last = tl.where(none, outer_last + 1, first), tl.where(none, outer_last, last)
            row_start = ((triangle // faces) * height + row) * width
            for side in tl.static_range(2):
                if side == 0:
                    span_first, span_last = outer_first, tl.minimum(first - 1, outer_last)
                else:
                    span_first, span_last = last + 1, outer_last
                begin, end = _union(span_first, span_last, width)
                for column in range(begin, end, COLUMNS):
                    pixel = column + tl.arange(0, COLUMNS)[None, :]
                    beside = (pixel >= span_first[:, None]) & (pixel <= span_last[:, None])
                    centre_x, centre_y = _centres(row, pixel)
                    squared, start, fraction, _, _ = _closest(outline, number, triangle, centre_x, centre_y)
                    distance = tl.sqrt_rn(squared)
                    at_start = tl.where(start == 0, depth_0, tl.where(start == 1, depth_1, depth_2))
                    at_end = tl.where(start == 0, depth_1, tl.where(start == 1, depth_2, depth_0))
                    if PERSPECTIVE:
                        at_start, at_end = tl.div_rn(1.0, at_start), tl.div_rn(1.0, at_end)
                    behind = _lerp(at_start, at_end, fraction)
                    if PERSPECTIVE:
                        behind = tl.div_rn(1.0, behind)
                    behind = behind * (1 + tl.div_rn(PUSH_BACK * distance, margin))
                    place = row_start[:, None] + pixel
                    crisp = tl.load(crisp_depth + place, mask=beside, other=0.0)
                    seen = beside & (distance < margin) & (behind < crisp)
                    ranked = _ranked(tl.div_rn(1.0, behind), triangle, TRIANGLE_BITS)
                    tl.atomic_max(best + place, ranked, mask=seen)


@_jit
def _log_transparency_kernel(
    log_transparency, x, y, outline, counted, uncovered, number, unit_x, unit_y, sigma_inverse, box_length, faces,
    height, width,
    OPAQUE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, BANDS: tl.constexpr,
):  # fmt: skip
    """log_transparency (P,): the sum of log(1 - influence) over the triangles near each uncovered pixel."""
    triangle = tl.program_id(0).to(tl.int64)
    if tl.load(counted + triangle) != 0:
        left, right = _extent(x, number, triangle, box_length * unit_x)
        top, bottom = _extent(y, number, triangle, box_length * unit_y)
        first_column, last_column = _pixels(left, right, width)
        first_row, last_row = _pixels(top, bottom, height)
        for strip in range(first_row + tl.program_id(1) * ROWS, last_row + 1, BANDS * ROWS):
            row = strip + tl.arange(0, ROWS)
            row_start = ((triangle // faces) * height + row) * width
            for column in range(first_column, last_column + 1, COLUMNS):
                pixel = column + tl.arange(0, COLUMNS)[None, :]
                place = row_start[:, None] + pixel
                boxed = (row[:, None] <= last_row) & (pixel <= last_column)
                felt = tl.load(uncovered + place, mask=boxed, other=0) != 0
                if _any(felt):
                    centre_x, centre_y = _centres(row, pixel)
                    squared, _, _, _, _ = _closest(
                        outline, number, triangle, tl.div_rn(centre_x, unit_x),
                        tl.div_rn(centre_y, unit_y),
                    )  # fmt: skip
                    strength = tl.minimum(tl.exp(-sigma_inverse * squared), OPAQUE)
                    tl.atomic_add(log_transparency + place, _log1p(-strength), mask=felt)


@_jit
def _soft_corners_kernel(
    of_corners, of_log, x, y, outline, counted, uncovered, number, unit_x, unit_y, sigma_inverse, box_length, faces,
    height, width,
    OPAQUE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, BANDS: tl.constexpr,
):  # fmt: skip
    """of_corners (BANDS, 2, 3, M): the gradient of the corners' x and y; of_log (P,): that of log_transparency."""
    triangle = tl.program_id(0).to(tl.int64)
    if tl.load(counted + triangle) != 0:
        left, right = _extent(x, number, triangle, box_length * unit_x)
        top, bottom = _extent(y, number, triangle, box_length * unit_y)
        first_column, last_column = _pixels(left, right, width)
        first_row, last_row = _pixels(top, bottom, height)
        x_0 = tl.zeros((ROWS, COLUMNS), tl.float32)
        y_0, x_1, y_1, x_2, y_2 = x_0, x_0, x_0, x_0, x_0
        for strip in range(first_row + tl.program_id(1) * ROWS, last_row + 1, BANDS * ROWS):
            row = strip + tl.arange(0, ROWS)
            row_start = ((triangle // faces) * height + row) * width
            for column in range(first_column, last_column + 1, COLUMNS):
                pixel = column + tl.arange(0, COLUMNS)[None, :]
                place = row_start[:, None] + pixel
                boxed = (row[:, None] <= last_row) & (pixel <= last_column)
                felt = tl.load(uncovered + place, mask=boxed, other=0) != 0
                if _any(felt):
                    centre_x, centre_y = _centres(row, pixel)
                    squared, start, fraction, away_x, away_y = _closest(
                        outline, number, triangle, tl.div_rn(centre_x, unit_x),
                        tl.div_rn(centre_y, unit_y),
                    )  # fmt: skip
                    strength = tl.minimum(tl.exp(-sigma_inverse * squared), OPAQUE)
                    of_square = -sigma_inverse * strength / (1 - strength)
                    of_square = tl.where(felt, of_square * tl.load(of_log + place, mask=felt, other=0.0), 0.0)
                    of_x, of_y = -2 / unit_x * of_square * away_x, -2 / unit_y * of_square * away_y
                    weight = _corner_weight(start, fraction, 0)
                    x_0, y_0 = x_0 + weight * of_x, y_0 + weight * of_y
                    weight = _corner_weight(start, fraction, 1)
                    x_1, y_1 = x_1 + weight * of_x, y_1 + weight * of_y
                    weight = _corner_weight(start, fraction, 2)
                    x_2, y_2 = x_2 + weight * of_x, y_2 + weight * of_y
        of_corners += tl.program_id(1) * (6 * number) + triangle
        tl.store(of_corners, tl.sum(tl.sum(x_0, axis=1), axis=0))
        tl.store(of_corners + number, tl.sum(tl.sum(x_1, axis=1), axis=0))
        tl.store(of_corners + 2 * number, tl.sum(tl.sum(x_2, axis=1), axis=0))
        tl.store(of_corners + 3 * number, tl.sum(tl.sum(y_0, axis=1), axis=0))
        tl.store(of_corners + 4 * number, tl.sum(tl.sum(y_1, axis=1), axis=0))
        tl.store(of_corners + 5 * number, tl.sum(tl.sum(y_2, axis=1), axis=0))


@_jit
def _three(table, row, number, triangle):
    """Rows ``row`` to ``row + 2`` of a table whose columns are triangles."""
    at = table + row * number + triangle
    return tl.load(at), tl.load(at + number), tl.load(at + 2 * number)


@_jit
def _extent(coordinate, number, triangle, margin):
    """What the corners span, and the margin on both sides."""
    first, second, third = _three(coordinate, 0, number, triangle)
    return (
        tl.minimum(tl.minimum(first, second), third) - margin,
        tl.maximum(tl.maximum(first, second), third) + margin,
    )


@_jit
def _pixels(low, high, size):
    """Twin of :func:`pairs.pixel_range`."""
    first = tl.minimum(tl.maximum(tl.ceil(low - 0.5), 0.0), size * 1.0)
    last = tl.minimum(tl.maximum(tl.floor(high - 0.5), -1.0), size - 1.0)
    return first.to(tl.int32), last.to(tl.int32)


@_jit
def _union(first, last, width):
    """Begin and end of the columns that the spans of any row hold."""
    filled = first <= last
    return tl.min(tl.where(filled, first, width), axis=0), tl.max(tl.where(filled, last, -1), axis=0) + 1


@_jit
def _columns(table, number, triangle, row, left, right, width, SLACK: tl.constexpr, MARGIN: tl.constexpr):
    """Twin of :func:`pairs._columns`; with MARGIN the table's last three rows are how far it reaches."""
    y = row.to(tl.float32) + 0.5
    left, right = left + 0 * y, right + 0 * y
    for edge in tl.static_range(3):
        at = table + edge * number + triangle
        slope, anchor = tl.load(at), tl.load(at + 6 * number)
        reach = tl.load(at + 3 * number) * (y - tl.load(at + 9 * number))
        if MARGIN:
            reach += tl.load(at + 12 * number)
        crossing = anchor - tl.div_rn(reach, tl.where(slope == 0, 1.0, slope))
        left = tl.where(slope > 0, tl.maximum(left, crossing), left)
        right = tl.where(slope < 0, tl.minimum(right, crossing), right)
    first = tl.minimum(tl.maximum(tl.ceil(left - 0.5 - SLACK), 0.0), width * 1.0)
    last = tl.minimum(tl.maximum(tl.floor(right - 0.5 + SLACK), -1.0), width - 1.0)
    return first.to(tl.int32), last.to(tl.int32)


@_jit
def _inside(table, number, triangle, row, left, right, width, SLACK: tl.constexpr):
    """Twin of :func:`pairs._inside`."""
    first, last = _columns(table, number, triangle, row, left, right, width, SLACK, False)
    first += (_lowest(table, number, triangle, row, first) < 0).to(tl.int32)
    last -= (_lowest(table, number, triangle, row, last) < 0).to(tl.int32)
    outside = (_lowest(table, number, triangle, row, first) < 0) | (_lowest(table, number, triangle, row, last) < 0)
    return first, tl.where(outside, first - 1, last)


@_jit
def _edges_at(table, number, triangle, row, column):
    """Twin of :func:`pairs._edges_at`."""
    slope_0, slope_1, slope_2 = _three(table, 0, number, triangle)
    across_0, across_1, across_2 = _three(table, 3, number, triangle)
    x_0, x_1, x_2 = _three(table, 6, number, triangle)
    y_0, y_1, y_2 = _three(table, 9, number, triangle)
    x, y = column.to(tl.float32) + 0.5, row.to(tl.float32) + 0.5
    return (
        slope_0 * (x - x_0) + across_0 * (y - y_0),
        slope_1 * (x - x_1) + across_1 * (y - y_1),
        slope_2 * (x - x_2) + across_2 * (y - y_2),
    )


@_jit
def _lowest(table, number, triangle, row, column):
    first, second, third = _edges_at(table, number, triangle, row, column)
    return tl.minimum(tl.minimum(first, second), third)


@_jit
def _ranked(value, triangle, TRIANGLE_BITS: tl.constexpr):
    """Twin of what :func:`pairs._keep_nearest` compares."""
    bits = tl.maximum(value, 0.0).to(tl.int32, bitcast=True).to(tl.int64)
    return (bits << TRIANGLE_BITS) | triangle


@_jit
def _centres(row, column):
    """x and y of pixel centres, (ROWS, COLUMNS) both."""
    x, y = column.to(tl.float32) + 0.5, row.to(tl.float32)[:, None] + 0.5
    return x + 0 * y, y + 0 * x


@_jit
def _to_edge(outline, edge, number, triangle, x, y):
    """Squared distance to one edge of an outline, the closest point's fraction, and the way from it to the pixel."""
    at = outline + edge * number + triangle
    along_x, along_y = tl.load(at + 6 * number) + 0 * x, tl.load(at + 9 * number) + 0 * x
    over_x, over_y = tl.load(at + 12 * number) + 0 * x, tl.load(at + 15 * number) + 0 * x
    away_x, away_y = x - tl.load(at), y - tl.load(at + 3 * number)
    fraction = tl.minimum(tl.maximum(tl.fma(over_y, away_y, over_x * away_x), 0.0), 1.0)
    away_x, away_y = tl.fma(-fraction, along_x, away_x), tl.fma(-fraction, along_y, away_y)
    return tl.fma(away_y, away_y, away_x * away_x), fraction, away_x, away_y


@_jit
def _closest(outline, number, triangle, x, y):
    """Twin of :func:`triangles.closest_on_outline`: squared distance, starting corner, fraction, way to the pixel."""
    squared, fraction, away_x, away_y = _to_edge(outline, 0, number, triangle, x, y)
    start = tl.zeros_like(squared).to(tl.int32)
    for edge in tl.static_range(1, 3):
        squared_here, fraction_here, away_x_here, away_y_here = _to_edge(outline, edge, number, triangle, x, y)
        nearer = squared_here < squared
        start = tl.where(nearer, edge, start)
        fraction = tl.where(nearer, fraction_here, fraction)
        away_x, away_y = tl.where(nearer, away_x_here, away_x), tl.where(nearer, away_y_here, away_y)
        squared = tl.where(nearer, squared_here, squared)
    return squared, start, fraction, away_x, away_y


@_jit
def _lerp(start, end, weight):
    """torch.lerp, which starts from the nearer end."""
    return tl.where(weight < 0.5, tl.fma(weight, end - start, start), tl.fma(weight - 1, end - start, end))


@_jit
def _corner_weight(start, fraction, corner: tl.constexpr):
    """The share of a corner in the closest point."""
    at_end = tl.where(start == (corner + 2) % 3, fraction, 0.0)
    return tl.where(start == corner, 1 - fraction, at_end)


@_jit
def _any(flags):
    return tl.max(tl.max(flags.to(tl.int32), axis=1), axis=0) != 0


@_jit
def _log1p(value):
    """log(1 + value), to full precision for small values: what rounding took from 1 + value is put back as a factor."""
    total = 1 + value
    change = total - 1
    exact = change == 0
    return tl.where(exact, value, tl.log(total) * (value / tl.where(exact, 1.0, change)))
