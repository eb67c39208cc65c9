# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DIB-R's soft silhouette (Chen et al., NeurIPS 2019): pixels beside the object feel the faces near them.

A pixel that sees a face has 1. Any other has 1 - prod_j (1 - exp(-sigma_inverse d_j^2)) over the faces j whose
enlarged bounding box holds it, d_j being the distance to the face's outline. Front and back faces count. This is the
plain function; :mod:`.searches` chooses between it and the kernels.

Letters: N batch, V vertices, F faces, M = N * F, H, W picture, P pixels or pairs of a triangle and a pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .pairs import MAXIMAL_PAIRS, MAXIMAL_SPANS, pieces, pixel_range, repeat_ranges
from .triangles import NEAR, OPAQUE, Raster, Triangles, closest_on_outline, counts_beside, outlines, screen_triangles


@dataclass(frozen=True)
class SoftMaskConfig:
    """The silhouette's softness; distances in halves of the longer picture side, as in Kaolin on square pictures."""

    sigma_inverse: float = 7000.0
    """Kaolin's ``sigmainv``: larger is sharper. Kaolin advises 3.3e3 to 3.3e4."""
    box_length: float = 0.03
    """Kaolin's ``boxlen``: how far a bounding box is enlarged. Influence at its end: exp(-sigma_inverse length^2)."""
    maximal_faces: int | None = None
    """Kaolin's ``knum``: only so many faces count for a pixel, those of the lowest index; None for all."""
    front_faces_only: bool = False
    """Whether faces turned away from the camera are left out. A closed surface keeps its silhouette, whose edges belong
    to front faces too; the mask is a little fainter beside it, and half of the work is saved."""


def soft_mask_of(
    screen: Tensor,
    faces: Tensor,
    uncovered: Tensor,
    config: SoftMaskConfig,
    unit: tuple[float, float],
    near: float = NEAR,
) -> Tensor:
    """The soft mask (N, H, W) in [0, 1] of meshes on the screen (N, V, 3), faces (F, 3).

    uncovered: (N, H, W) bool, pixels that see no face; unit: pixels of one unit of distance in x and in y; near: faces
    with a corner nearer than this do not count. Differentiable once in ``screen``.
    """
    if faces.shape[0] == 0 or uncovered.numel() == 0:
        return (~uncovered).to(screen.dtype) + screen[:0].sum()
    mask: Tensor = _SoftMask.apply(screen, faces, uncovered, config, unit, near)  # type: ignore[no-untyped-call]
    return mask


class _Influence(NamedTuple):
    """How much a triangle weighs at a pixel, and the point of its outline that does it."""

    pixel: Tensor
    start: Tensor
    end: Tensor
    """(P,) int64: flat indices of the pixel and of the vertices at the ends of the closest edge."""
    fraction: Tensor
    away_x: Tensor
    away_y: Tensor
    """(P,) from the closest point to the pixel, in units."""
    strength: Tensor
    """(P,) exp(-sigma_inverse d^2)."""


class _SoftMask(torch.autograd.Function):
    """dmask/dd_j^2 = -sigma_inverse A_j (1 - mask) / (1 - A_j), and the closest point slides along its edge for free:
    at the minimum of the distance its own movement changes nothing.

    What was found is kept for the way back if it fits one piece, else found again: memory stays bounded.
    """

    @staticmethod
    def forward(
        ctx: Any, screen: Tensor, faces: Tensor, uncovered: Tensor, config: SoftMaskConfig, unit: tuple[float, float],
        near: float,
    ) -> Tensor:  # fmt: skip
        ctx.arguments = config, unit, near
        log_transparency = screen.new_zeros(uncovered.numel())
        kept: tuple[Tensor, ...] = ()
        number = 0
        for influence in _influences(screen, faces, uncovered, *ctx.arguments):
            log_transparency.index_add_(0, influence.pixel, torch.log1p(-influence.strength))
            number += 1
            kept = tuple(influence) if number == 1 else ()
        ctx.save_for_backward(screen, faces, uncovered, log_transparency, *kept)
        mask = torch.where(uncovered.reshape(-1), -torch.expm1(log_transparency), 1)
        return mask.view(uncovered.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None, None]:
        screen, faces, uncovered, log_transparency, *kept = ctx.saved_tensors
        config, unit, _ = ctx.arguments
        influences = [_Influence(*kept)] if kept else _influences(screen, faces, uncovered, *ctx.arguments)
        of_log = gradient.reshape(-1) * log_transparency.exp()
        of_screen = screen.new_zeros(3, screen.shape[0] * screen.shape[1])
        for influence in influences:
            strength = influence.strength
            of_square = -config.sigma_inverse * strength / (1 - strength) * of_log.index_select(0, influence.pixel)
            for row, away, length in ((0, influence.away_x, unit[0]), (1, influence.away_y, unit[1])):
                of_point = -2 / length * of_square * away
                of_screen[row].index_add_(0, influence.start, of_point * (1 - influence.fraction))
                of_screen[row].index_add_(0, influence.end, of_point * influence.fraction)
        return of_screen.view(3, *screen.shape[:2]).permute(1, 2, 0), None, None, None, None, None


def _influences(
    screen: Tensor, faces: Tensor, uncovered: Tensor, config: SoftMaskConfig, unit: tuple[float, float], near: float
) -> Iterator[_Influence]:
    triangles = screen_triangles(screen, faces)
    counted = counts_beside(triangles, near, front_faces_only=config.front_faces_only)
    margin = (config.box_length * unit[0], config.box_length * unit[1])
    edges = outlines(triangles, unit)
    number = triangles.x.shape[1]
    starts, ends = triangles.vertex.reshape(-1), triangles.vertex.roll(-1, 0).reshape(-1)
    pairs = _pairs_beside(triangles, counted, uncovered, margin)
    for triangle, pixel, x, y in _first(pairs, uncovered.numel(), config.maximal_faces):
        closest = closest_on_outline(edges, triangle, x / unit[0], y / unit[1])
        strength = closest.squared_distance.mul_(-config.sigma_inverse).exp_().clamp_(max=OPAQUE)
        edge = closest.start * number + triangle
        ends_of = starts.index_select(0, edge), ends.index_select(0, edge)
        yield _Influence(pixel, *ends_of, closest.fraction, closest.away_x, closest.away_y, strength)


class _Pairs(NamedTuple):
    """Triangles and uncovered pixels near them, in the order of the triangles; (P,) each."""

    triangle: Tensor
    pixel: Tensor
    x: Tensor
    y: Tensor
    """The pixel's centre, in pixels."""


def _pairs_beside(
    triangles: Triangles, counted: Tensor, uncovered: Tensor, margin: tuple[float, float]
) -> Iterator[_Pairs]:
    """Pieces of the list of pairs where the enlarged box of a counted triangle (M,) holds an uncovered pixel.

    The uncovered pixels of a row follow one another in the list of all uncovered pixels, so that a span of them is a
    range of that list, and covered pixels are never touched.
    """
    raster = Raster(*uncovered.shape)
    dtype = triangles.x.dtype
    first_row, last_row = pixel_range(triangles.y, margin[1], raster.height)
    first_column, last_column = pixel_range(triangles.x, margin[0], raster.width)
    picture = torch.div(
        torch.arange(len(first_row), device=uncovered.device), len(first_row) // raster.batch, rounding_mode="floor"
    )
    holds_any = _count_in_boxes(uncovered, picture, first_row, last_row, first_column, last_column) > 0
    selected = (counted & holds_any).nonzero()[:, 0]
    listed = uncovered.reshape(-1).nonzero()[:, 0]
    before = F.pad(uncovered.reshape(-1).cumsum(0), (1, 0))

    first, rows = first_row[selected], (last_row - first_row + 1)[selected]
    for piece in pieces(rows, MAXIMAL_SPANS):
        index, within = repeat_ranges(rows[piece])
        triangle = selected[piece].index_select(0, index)
        row = first[piece].index_select(0, index) + within
        row_start = (picture.index_select(0, triangle) * raster.height + row) * raster.width
        y = row.to(dtype) + 0.5
        low = before.index_select(0, row_start + first_column.index_select(0, triangle))
        count = before.index_select(0, row_start + last_column.index_select(0, triangle) + 1) - low
        for part in pieces(count, MAXIMAL_PAIRS):
            span, offset = repeat_ranges(count[part])
            pixel = listed.index_select(0, offset.add_(low[part].index_select(0, span)))
            x = (pixel - row_start[part].index_select(0, span)).to(dtype) + 0.5
            yield _Pairs(triangle[part].index_select(0, span), pixel, x, y[part].index_select(0, span))


def _count_in_boxes(
    uncovered: Tensor, picture: Tensor, first_row: Tensor, last_row: Tensor, first_column: Tensor, last_column: Tensor
) -> Tensor:
    """(M,) number of uncovered pixels in each box, by a summed-area table: most boxes hold none."""
    table = F.pad(uncovered.cumsum(1, dtype=torch.int32).cumsum(2, dtype=torch.int32), (1, 0, 1, 0))
    below, right = last_row + 1, last_column + 1
    # An empty box may have its end before its start by more than one.
    below, right = below.maximum(first_row), right.maximum(first_column)
    return (
        table[picture, below, right]
        - table[picture, first_row, right]
        - table[picture, below, first_column]
        + table[picture, first_row, first_column]
    )


def _first(pairs: Iterator[_Pairs], pixels: int, maximum: int | None) -> Iterator[_Pairs]:
    """Keeps the first ``maximum`` pairs of every pixel."""
    if maximum is None:
        yield from pairs
        return
    seen: Tensor | None = None
    for piece in pairs:
        by_pixel, order = torch.sort(piece.pixel, stable=True)
        count = torch.bincount(piece.pixel, minlength=pixels)
        before = torch.zeros_like(count) if seen is None else seen
        rank = torch.arange(len(order), device=order.device) - (count.cumsum(0) - count - before)[by_pixel]
        seen = before + count
        kept = order[rank < maximum].sort()[0]
        yield _Pairs(*(row[kept] for row in piece))
