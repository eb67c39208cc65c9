# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which triangles meet which pixels: lists of pairs, and the nearest triangle of every pixel.

A triangle is cut into the rows of pixels it crosses, each row gives the span of pixels between its edges, and every
pixel of every span becomes a pair. So the work grows with the triangles and the pixels they cover, whatever their
boxes. The lists are made in pieces of bounded length, which bounds the memory. On a GPU :mod:`.searches` may choose
:mod:`.triton_kernels` instead.

Nothing here is differentiated: gradients begin where the nearest triangle is known.

Letters: N batch, M triangles of all pictures, S spans, P pairs, H, W picture. A pixel is (picture * H + y) * W + x.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from .triangles import (
    PUSH_BACK,
    SLACK,
    TRIANGLE_BITS,
    EdgeFunctions,
    Raster,
    Triangles,
    closest_on_outline,
    outlines,
)

MAXIMAL_SPANS = 1 << 18
"""Rows of triangles in one piece of work."""
MAXIMAL_PAIRS = 1 << 18
"""Pairs in one piece of work, about 100 bytes each."""


def nearness(triangles: Triangles, perspective: bool) -> Tensor:
    """(3, M) linear on the screen, larger for what is nearer.

    1/depth is linear on the screen for planar faces in perspective. Without perspective depth itself is taken to be.
    """
    return 1 / triangles.depth if perspective else -triangles.depth


def nearest_triangles(
    triangles: Triangles, functions: EdgeFunctions, order: Tensor, drawn: Tensor, raster: Raster
) -> Tensor:
    """(N * H * W,) int64: the nearest drawn triangle that holds the pixel's centre, -1 where there is none.

    order: (3, M) of :func:`nearness`; drawn: (M,). Of triangles at the very same depth (in float32) the last one
    wins, on every device.
    """
    best = torch.zeros(raster.pixels, dtype=torch.int64, device=drawn.device)
    corner_share = order / functions.area
    boxes = _boxes(triangles, drawn, raster, 0.0)
    for piece in pieces(boxes.rows, MAXIMAL_SPANS):
        rows = _rows(functions, _Boxes(*(values[piece] for values in boxes)), raster)
        first, last = _inside(rows, raster)
        share = corner_share.index_select(1, rows.triangle)
        slope = (rows.slope * share).sum(dim=0)
        start = (_edges_at(rows, first) * share).sum(dim=0)
        pixel, count = rows.row_start + first, (last - first + 1).clamp(min=0)
        for part in pieces(count, MAXIMAL_PAIRS):
            index, within = repeat_ranges(count[part])
            # index_select is several times faster than the same said with brackets.
            starts, slopes = (values[part].index_select(0, index) for values in (start, slope))
            value = torch.addcmul(starts, slopes, within.to(slope.dtype))
            pixels, owners = (values[part].index_select(0, index) for values in (pixel, rows.triangle))
            _keep_nearest(best, pixels + within, owners, value)
    return _winners(best)


def nearest_margins(
    triangles: Triangles, functions: EdgeFunctions, drawn: Tensor, raster: Raster, margin: float, crisp_depth: Tensor,
    perspective: bool,
) -> Tensor:  # fmt: skip
    """(N * H * W,) int64: the nearest drawn triangle whose outline passes within ``margin`` pixels of the centre,
    outside, before the crisp layer; -1 where there is none.

    crisp_depth: (N * H * W,) of the crisp layer, infinite where there is none. The depth of the outline's closest
    point counts, pushed back by up to half with its distance (paper B's renderer), so that a triangle's own
    neighbour on a smooth surface hides its margin.
    """
    best = torch.zeros(raster.pixels, dtype=torch.int64, device=drawn.device)
    edges = outlines(triangles)
    boxes = _boxes(triangles, drawn, raster, margin)
    for piece in pieces(boxes.rows, MAXIMAL_SPANS):
        rows = _rows(functions, _Boxes(*(values[piece] for values in boxes)), raster)
        for first, count in _beside(rows, raster, margin):
            for part in pieces(count, MAXIMAL_PAIRS):
                index, within = repeat_ranges(count[part])
                column = first[part].index_select(0, index) + within
                triangle = rows.triangle[part].index_select(0, index)
                pixel = rows.row_start[part].index_select(0, index) + column
                x, y = column.to(rows.y.dtype) + 0.5, rows.y[part].index_select(0, index)
                distance, depth = _margin_depth(edges, triangles.depth, triangle, x, y, margin, perspective)
                seen = (distance < margin) & (depth < crisp_depth[pixel])
                _keep_nearest(best, pixel, triangle, torch.where(seen, -depth, -torch.inf))
    return _winners(best)


def _margin_depth(
    edges: Tensor, corner_depth: Tensor, triangle: Tensor, x: Tensor, y: Tensor, margin: float, perspective: bool
) -> tuple[Tensor, Tensor]:
    """(P,) distance in pixels of points to the outlines of triangles, and the closest point's depth, pushed back."""
    closest = closest_on_outline(edges, triangle, x, y)
    start = closest.start[None]
    depth = corner_depth.index_select(1, triangle)
    at_start, at_end = depth.gather(0, start)[0], depth.gather(0, (start + 1) % 3)[0]
    if perspective:
        depth = 1 / torch.lerp(1 / at_start, 1 / at_end, closest.fraction)
    else:
        depth = torch.lerp(at_start, at_end, closest.fraction)
    distance = closest.squared_distance.sqrt()
    return distance, depth * (1 + PUSH_BACK * distance / margin)


def _keep_nearest(best: Tensor, pixel: Tensor, triangle: Tensor, value: Tensor) -> None:
    """One scatter decides: the rank of the value stands above the triangle, and both are compared as one number."""
    best.scatter_reduce_(0, pixel, _rank(value).bitwise_left_shift_(TRIANGLE_BITS).bitwise_or_(triangle), "amax")


def _rank(value: Tensor) -> Tensor:
    """0 to 2^32 - 1, in the order of the values in float32; -inf has the lowest rank of all numbers."""
    bits = value.float().view(torch.int32)
    # The bits of positive floats order like the floats; those of negative ones the other way round.
    return torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long().add_(1 << 31)


def _winners(best: Tensor) -> Tensor:
    """The triangle in the lower bits, unless nothing or -inf stands above it."""
    lowest = int(_rank(torch.tensor([-torch.inf]))) << TRIANGLE_BITS
    lower = (1 << TRIANGLE_BITS) - 1
    return torch.where(best > lowest | lower, best & lower, -1)


class _Boxes(NamedTuple):
    """Triangles that touch the picture; (K,) each."""

    triangle: Tensor
    first_row: Tensor
    rows: Tensor
    left: Tensor
    right: Tensor


def _boxes(triangles: Triangles, drawn: Tensor, raster: Raster, margin: float) -> _Boxes:
    left, right = triangles.x.amin(dim=0) - margin, triangles.x.amax(dim=0) + margin
    first, last = pixel_range(triangles.y, margin, raster.height)
    touching = drawn & (last >= first) & (right >= 0.5) & (left <= raster.width - 0.5)
    triangle = touching.nonzero()[:, 0]
    return _Boxes(triangle, *(values.index_select(0, triangle) for values in (first, last - first + 1, left, right)))


def pixel_range(coordinate: Tensor, margin: float, size: int) -> tuple[Tensor, Tensor]:
    """First and last pixel whose centre lies within ``margin`` of what the corners (3, M) span, cut to 0..size-1."""
    low = torch.nan_to_num(coordinate.amin(dim=0) - margin)
    high = torch.nan_to_num(coordinate.amax(dim=0) + margin)
    return (low - 0.5).ceil().clamp(0, size).long(), (high - 0.5).floor().clamp(-1, size - 1).long()


class _Rows(NamedTuple):
    """Rows of pixels that triangles cross, S in the last dimension."""

    triangle: Tensor
    row_start: Tensor
    """The pixel in column 0."""
    y: Tensor
    left: Tensor
    right: Tensor
    """The triangle's box."""
    slope: Tensor
    anchor: Tensor
    base: Tensor
    """(3, S): along the row the edge functions are slope (x - anchor) + base."""
    slope_across: Tensor
    """(3, S): their slope from row to row."""


def _rows(functions: EdgeFunctions, boxes: _Boxes, raster: Raster) -> _Rows:
    index, within = repeat_ranges(boxes.rows)
    triangle, row = boxes.triangle.index_select(0, index), boxes.first_row.index_select(0, index) + within
    slope, across, anchor, anchor_y = (values.index_select(1, triangle) for values in functions[:4])
    y = row.to(across.dtype) + 0.5
    picture = torch.div(triangle, len(functions.area) // raster.batch, rounding_mode="floor")
    row_start = (picture * raster.height + row) * raster.width
    base = across * (y - anchor_y)
    ends = boxes.left.index_select(0, index), boxes.right.index_select(0, index)
    return _Rows(triangle, row_start, y, *ends, slope, anchor, base, across)


def _columns(rows: _Rows, raster: Raster, margin: float) -> tuple[Tensor, Tensor]:
    """First and last column (S,) at most ``margin`` pixels outside of every edge; one more at most at each end."""
    reach = rows.base if margin == 0 else rows.base + margin * torch.hypot(rows.slope, rows.slope_across)
    crossing = rows.anchor - reach / rows.slope
    # An edge that runs along the row bounds nothing here: it has bounded the rows.
    left = torch.where(rows.slope > 0, crossing, -torch.inf).amax(dim=0).maximum(rows.left)
    right = torch.where(rows.slope < 0, crossing, torch.inf).amin(dim=0).minimum(rows.right)
    first = (left - 0.5 - SLACK).ceil().clamp_(0, raster.width).long()
    last = (right - 0.5 + SLACK).floor().clamp_(-1, raster.width - 1).long()
    return first, last


def _inside(rows: _Rows, raster: Raster) -> tuple[Tensor, Tensor]:
    """First and last column (S,) whose pixel centre is inside, exactly; last < first where there is none.

    Edge functions are monotone along a row, in floating point too: if both ends are inside, so is all between.
    """
    first, last = _columns(rows, raster, 0.0)
    first = first + (_edges_at(rows, first).amin(dim=0) < 0).long()
    last = last - (_edges_at(rows, last).amin(dim=0) < 0).long()
    # What is still outside at an end was no span but the tip of a triangle between two centres.
    empty = (_edges_at(rows, first).amin(dim=0) < 0) | (_edges_at(rows, last).amin(dim=0) < 0)
    return first, torch.where(empty, first - 1, last)


def _edges_at(rows: _Rows, column: Tensor) -> Tensor:
    """(3, S) edge functions at the centre of one pixel a row."""
    return rows.slope * (column.to(rows.y.dtype) + 0.5 - rows.anchor) + rows.base


def _beside(rows: _Rows, raster: Raster, margin: float) -> Iterator[tuple[Tensor, Tensor]]:
    """First column and count (S,) of the spans to the left and to the right of the triangle, within the margin."""
    outer_first, outer_last = _columns(rows, raster, margin)
    first, last = _inside(rows, raster)
    none = last < first
    yield outer_first, (torch.where(none, outer_last + 1, first) - outer_first).clamp(min=0)
    yield last + 1, torch.where(none, 0, outer_last - last).clamp(min=0)


def repeat_ranges(count: Tensor) -> tuple[Tensor, Tensor]:
    """For counts (K,): each index as often as its count says, and 0, 1, 2, … within each; int64, (sum,) both."""
    end = count.cumsum(0)
    total = int(end[-1]) if len(count) else 0
    index = torch.repeat_interleave(torch.arange(len(count), device=count.device), count, output_size=total)
    return index, torch.arange(total, device=count.device) - (end - count).index_select(0, index)


def pieces(count: Tensor, limit: int) -> list[slice]:
    """Cuts a list into slices whose counts sum to about ``limit`` at most."""
    if not len(count):
        return []
    end = count.cumsum(0)
    total = int(end[-1])
    if total <= limit:
        return [slice(0, len(count))]
    marks = torch.arange(limit, total, limit, device=count.device)
    cuts = [0, *torch.unique(torch.searchsorted(end, marks)).tolist(), len(count)]
    return [slice(a, b) for a, b in zip(cuts, cuts[1:], strict=False) if b > a]
