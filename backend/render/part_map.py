# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Part maps: what each pixel of a picture shows of an object with markings, as soft probabilities.

A marking is a signed distance on the template's sheet. A pixel samples the distances where its face lies on the
sheet; a sigmoid about as wide as the pixel makes shares of them, and markings cover one another in their order.

Letters: N batch, F triangles, M markings, R regions, H, W picture, S x T the sheet, P covered pixels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..common.regions import REGIONS, layer_indices
from .camera import Cameras, focal_length_in_pixels
from .fragments import Fragments, interpolate


def part_map(
    fragments: Fragments, sheet_uv: Tensor, distances: Tensor, markings: tuple[str, ...], cameras: Cameras,
    softness: float = 1.0,
) -> Tensor:  # fmt: skip
    """Soft probabilities (N, R, H, W) of the regions at every pixel, 0 where there is no object.

    sheet_uv: (F, 3, 2) of :attr:`Template.triangle_markings_uv`; distances: (N, M, S, T), or (1, M, S, T) for all.
    softness: pixels over which regions mix. Differentiable once in the distances and in where the faces lie.
    """
    batch, height, width = fragments.face_index.shape
    layers = layer_indices(markings)
    if not layers:
        covered = (fragments.face_index >= 0).to(distances.dtype)[:, None]
        return torch.cat([covered, covered.new_zeros(batch, len(REGIONS) - 1, height, width)], dim=1)
    used = sorted({marking for marking, _ in layers})
    pixel = _looked_at(fragments.face_index)
    seen = Fragments(*(row.flatten(0, 2).index_select(0, pixel)[None, None] for row in fragments))
    u, v = interpolate(seen, sheet_uv).view(-1, 2).unbind(1)
    picture = torch.div(pixel, height * width, rounding_mode="floor")
    size = seen.depth.detach().view(-1) / focal_length_in_pixels(cameras, height)[picture]
    places = _places(u, v, picture, distances.shape)
    order = [(used.index(marking), region) for marking, region in reversed(layers)]
    table = distances[:, used].permute(1, 0, 2, 3).reshape(len(used), -1)
    within = picture * (len(REGIONS) - 1) * height * width + pixel
    steepness = -4 / (softness * size).clamp(min=1e-5)
    shown = (seen.face_index.view(-1) >= 0).to(size.dtype)
    shape = _Shape(batch, height, width, distances.shape[3])
    result: Tensor = _PartMap.apply(
        table, places.across, places.down, places.first, steepness, shown, within, order, shape
    )  # type: ignore[no-untyped-call]  # noqa: E501
    return result


def region_shares(distances: Tensor, markings: tuple[str, ...], softness: Tensor | float) -> Tensor:
    """Shares (R, ...) of the regions, which add up to 1, from signed distances (M, ...).

    softness: the width over which one region turns into another, in lengths of the object; (...) or a number.
    """
    # A sigmoid rises from 0.12 to 0.88 over four of its units.
    inside = torch.sigmoid(distances * (-4 / softness)).unbind(0)
    remaining = torch.ones_like(distances[0])
    shares = [torch.zeros_like(remaining) for _ in REGIONS]
    for marking, region in reversed(layer_indices(markings)):
        covered = remaining * inside[marking]
        remaining = remaining - covered
        shares[region] = shares[region] + covered
    shares[0] = shares[0] + remaining
    return torch.stack(shares)


class _Shape(NamedTuple):
    batch: int
    height: int
    width: int
    columns: int
    """Width of the sheet in samples."""


class _Places(NamedTuple):
    """Where pixels lie between the samples of the sheets; (P,) each."""

    first: Tensor
    """int64 sample up and left of the place, among the N * S * T."""
    across: Tensor
    down: Tensor
    """0 to 1 from that sample to the next."""


def _looked_at(face_index: Tensor) -> Tensor:
    """Flat indices of covered pixels, which saves most of the work; of all where counting makes a GPU wait."""
    flat = face_index.reshape(-1)
    if flat.device.type == "cpu":
        return (flat >= 0).nonzero()[:, 0]
    return torch.arange(len(flat), device=flat.device)


def _places(u: Tensor, v: Tensor, picture: Tensor, shape: torch.Size) -> _Places:
    count, _, rows, columns = shape
    x = (u * columns - 0.5).clamp(0, columns - 1)
    y = ((1 - v) * rows - 0.5).clamp(0, rows - 1)
    left, top = x.detach().floor().clamp(max=columns - 2), y.detach().floor().clamp(max=rows - 2)
    first = (top * columns + left).to(torch.int64)
    return _Places(first + picture * (rows * columns) if count > 1 else first, x - left, y - top)


class _PartMap(torch.autograd.Function):
    """Bilinear samples of the table (M, N * S * T), their sigmoids laid over one another, written to (N, R, H, W).

    Written out because autograd keeps and passes over every intermediate array of every layer, which takes three times
    as long. With a_l the sigmoid of layer l, counted from the top, and r_l what the layers above it leave, a region
    gets r_l a_l and r_(l+1) = r_l (1 - a_l). If g_l is the gradient of the layer's region and h_l that of r_l, then
    h_l = a_l g_l + (1 - a_l) h_(l+1), and the gradient of a_l is r_l (g_l - h_(l+1)).
    """

    @staticmethod
    def forward(
        ctx: Any, table: Tensor, across: Tensor, down: Tensor, first: Tensor, steepness: Tensor, shown: Tensor,
        within: Tensor, order: list[tuple[int, int]], shape: _Shape,
    ) -> Tensor:  # fmt: skip
        size = shape.height * shape.width
        columns = shape.columns
        corners = [table.index_select(1, first + step) for step in (0, 1, columns, columns + 1)]
        upper = torch.lerp(corners[0], corners[1], across)
        lower = torch.lerp(corners[2], corners[3], across)
        inside = torch.lerp(upper, lower, down).mul_(steepness).sigmoid_()
        result = table.new_zeros(shape.batch * len(REGIONS) * size)
        left = shown.expand(len(within)).clone()
        kept = []
        for marking, region in order:
            kept.append(left.clone())
            covered = left * inside[marking]
            left -= covered
            result.index_add_(0, within + region * size, covered)
        result.index_add_(0, within, left)
        ctx.save_for_backward(inside, torch.stack(kept), across, down, first, steepness, within, *corners)
        ctx.order, ctx.shape, ctx.table_size = order, shape, table.shape
        return result.view(shape.batch, len(REGIONS), shape.height, shape.width)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inside, kept, across, down, first, steepness, within, *corners = ctx.saved_tensors
        size, columns = ctx.shape.height * ctx.shape.width, ctx.shape.columns
        flat = gradient.reshape(-1)
        of_left = flat.index_select(0, within)
        of_inside = torch.zeros_like(inside)
        for layer in range(len(ctx.order) - 1, -1, -1):
            marking, region = ctx.order[layer]
            difference = flat.index_select(0, within + region * size).sub_(of_left)
            of_inside[marking].addcmul_(kept[layer], difference)
            of_left.addcmul_(inside[marking], difference)
        of_distance = of_inside.mul_(inside).mul_(1 - inside).mul_(steepness)
        of_table = None
        if ctx.needs_input_grad[0]:
            of_table = gradient.new_zeros(ctx.table_size)
            low = of_distance * down
            high = of_distance - low
            for rows, step in ((high, 0), (low, columns)):
                right = rows * across
                of_table.index_add_(1, first + step, rows - right).index_add_(1, first + step + 1, right)
        of_across = of_down = None
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            along_upper, along_lower = corners[1] - corners[0], corners[3] - corners[2]
            of_across = (torch.lerp(along_upper, along_lower, down) * of_distance).sum(dim=0)
            upper = torch.lerp(corners[0], corners[1], across)
            of_down = (torch.lerp(corners[2], corners[3], across).sub_(upper) * of_distance).sum(dim=0)
        return of_table, of_across, of_down, None, None, None, None, None, None
