# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PyTorch3D 0.7.9 computes, in plain torch: every pixel against every face, gradients by autograd.

PyTorch3D's NDC: +X to the left, +Y up, +Z into the picture, the shorter side of the picture spans [-1, 1], pixel
centres at half-integers. Of all faces that a pixel has, the K nearest are kept, from front to back.

Letters: N pictures, M faces of all pictures, H, W picture, P = H * W pixels, K faces of a pixel.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

EPSILON = 1e-8
"""Added to areas; what is smaller counts as nothing."""


class Meshes:
    """As much of ``pytorch3d.structures.Meshes`` as rasterising needs: lists of tensors, and their packed form."""

    def __init__(self, verts: list[Tensor], faces: list[Tensor]) -> None:
        if not (isinstance(verts, list) and isinstance(faces, list) and len(verts) == len(faces)):
            raise ValueError("The twin knows lists of vertices and faces only.")
        self._verts, self._faces = verts, faces

    def isempty(self) -> bool:
        return not any(len(v) and len(f) for v, f in zip(self._verts, self._faces, strict=True))

    def verts_packed(self) -> Tensor:
        return torch.cat(self._verts)

    def faces_packed(self) -> Tensor:
        starts = torch.tensor([0, *(len(v) for v in self._verts)]).cumsum(0).tolist()
        return torch.cat([f.long() + start for f, start in zip(self._faces, starts[:-1], strict=True)])

    def num_faces_per_mesh(self) -> Tensor:
        # PyTorch3D forgets the number of pictures where all of them are empty.
        return torch.tensor([] if self.isempty() else [len(f) for f in self._faces], dtype=torch.int64)

    def mesh_to_faces_packed_first_idx(self) -> Tensor:
        number = self.num_faces_per_mesh()
        return number.cumsum(0) - number


def rasterize_meshes(
    meshes: Meshes,
    image_size: int | tuple[int, int] = 256,
    blur_radius: float = 0.0,
    faces_per_pixel: int = 8,
    bin_size: int | None = None,
    max_faces_per_bin: int | None = None,
    perspective_correct: bool = False,
    clip_barycentric_coords: bool = False,
    cull_backfaces: bool = False,
    z_clip_value: float | None = None,
    cull_to_frustum: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """pix_to_face (N, H, W, K), zbuf (N, H, W, K), bary_coords (N, H, W, K, 3), dists (N, H, W, K); -1 for no face."""
    if z_clip_value is not None or cull_to_frustum:
        raise NotImplementedError("The twin does not clip.")
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    if height <= 0 or width <= 0:
        raise ValueError("A picture has pixels.")
    corners = meshes.verts_packed()[meshes.faces_packed()]
    if corners.dtype != torch.float32:
        raise RuntimeError("PyTorch3D computes in float32.")
    how = _How(blur_radius, perspective_correct, clip_barycentric_coords, cull_backfaces)
    pixels = pixel_centres(height, width)
    pictures = [
        _picture(corners[first : first + number], pixels, faces_per_pixel, how, first)
        for first, number in zip(
            meshes.mesh_to_faces_packed_first_idx().tolist(), meshes.num_faces_per_mesh().tolist(), strict=True
        )
    ]
    if not pictures:
        empty = corners.new_zeros(0, height, width, faces_per_pixel)
        return empty.long(), empty, empty[..., None].expand(-1, -1, -1, -1, 3), empty
    columns = (torch.stack(values) for values in zip(*pictures, strict=True))
    index, depth, weights, squared = (c.unflatten(1, (height, width)) for c in columns)
    return index, depth, weights, squared


def pixel_centres(height: int, width: int) -> Tensor:
    """(P, 2) X and Y from the upper left pixel on, row by row."""
    half = 0.5 * min(height, width)
    x = (0.5 * width - torch.arange(width, dtype=torch.float64) - 0.5) / half
    y = (0.5 * height - torch.arange(height, dtype=torch.float64) - 0.5) / half
    return torch.stack([x.repeat(height), y.repeat_interleave(width)], dim=1).float()


class _How(NamedTuple):
    blur_radius: float
    perspective: bool
    clip: bool
    cull: bool


class _Seen(NamedTuple):
    """Of faces at pixels."""

    depth: Tensor
    weights: Tensor
    squared: Tensor
    """Signed."""


def _picture(
    corners: Tensor, pixels: Tensor, faces_per_pixel: int, how: _How, first: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows of the P pixels: index, depth, weights and signed squared distance of K faces (-1 for none)."""
    with torch.no_grad():
        depth, chosen = _nearest(corners, pixels, how)
        chosen = torch.nn.functional.pad(chosen, (0, faces_per_pixel))[:, :faces_per_pixel]
        depth = torch.nn.functional.pad(depth, (0, faces_per_pixel), value=torch.inf)[:, :faces_per_pixel]
        found = depth < torch.inf
    pixel, slot = found.nonzero().unbind(1)
    seen = _at(corners[chosen[pixel, slot]], pixels[pixel], how)
    missing = corners.new_full((len(pixels), faces_per_pixel), -1.0)
    index = torch.where(found, chosen + first, -1)
    place = (pixel, slot)
    weights = missing[..., None].repeat(1, 1, 3).index_put(place, seen.weights)
    return index, missing.index_put(place, seen.depth), weights, missing.index_put(place, seen.squared)


def _nearest(corners: Tensor, pixels: Tensor, how: _How) -> tuple[Tensor, Tensor]:
    """(P, M) depths and faces from front to back; of equal depths the first face first; infinite without a face."""
    if not len(corners):
        return pixels.new_zeros(len(pixels), 0), pixels.new_zeros(len(pixels), 0, dtype=torch.int64)
    depths = []
    for some in pixels.split(512):
        seen = _at(corners[None], some[:, None], how)
        inside = seen.squared < 0
        reach = how.blur_radius**0.5
        low, high = corners[..., :2].amin(dim=1) - reach, corners[..., :2].amax(dim=1) + reach
        in_box = ((some[:, None] >= low) & (some[:, None] <= high)).all(dim=-1)
        area = doubled_area(corners[..., 0, :2], corners[..., 1, :2], corners[..., 2, :2])
        drawn = (area.abs() > EPSILON) & ~(how.cull & (area < 0))
        has = drawn & in_box & (seen.depth >= 0) & (inside | (seen.squared.abs() < how.blur_radius))
        depths.append(torch.where(has, seen.depth, torch.inf))
    return torch.cat(depths).sort(dim=1, stable=True)


def _at(corners: Tensor, p: Tensor, how: _How) -> _Seen:
    """Faces (..., 3, 3) at points (..., 2)."""
    a, b, c = corners[..., :2].unbind(-2)
    area = doubled_area(a, b, c) + EPSILON
    flat = torch.stack([doubled_area(b, c, p), doubled_area(c, a, p), doubled_area(a, b, p)], dim=-1) / area[..., None]
    z = corners[..., 2]
    weights = flat
    if how.perspective:
        over = flat * torch.stack([z[..., 1] * z[..., 2], z[..., 0] * z[..., 2], z[..., 0] * z[..., 1]], dim=-1)
        weights = over / over.sum(dim=-1, keepdim=True).clamp(min=EPSILON)
    inside = (weights > 0).all(dim=-1)
    if how.clip:
        positive = weights.clamp(min=0)
        weights = positive / positive.sum(dim=-1, keepdim=True).clamp(min=1e-5)
    distances = torch.stack([_to_segment(p, a, b), _to_segment(p, a, c), _to_segment(p, b, c)])
    squared = distances.gather(0, distances.argmin(dim=0, keepdim=True))[0]
    return _Seen((weights * z).sum(dim=-1), weights, torch.where(inside, -squared, squared))


def doubled_area(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Of points (..., 2); positive for the faces that PyTorch3D does not take for back faces."""
    return (c[..., 0] - a[..., 0]) * (b[..., 1] - a[..., 1]) - (c[..., 1] - a[..., 1]) * (b[..., 0] - a[..., 0])


def _to_segment(p: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Squared distances of points to segments, (..., 2)."""
    along = end - start
    length = (along * along).sum(dim=-1)
    short = length <= EPSILON
    fraction = (along * (p - start)).sum(dim=-1) / torch.where(short, 1, length)
    away = p - start - fraction.clamp(0, 1)[..., None] * along
    away = torch.where(short[..., None], p - end, away)
    return (away * away).sum(dim=-1)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """``import pytorch3d`` finds the twin."""
    package, renderer, structures = (ModuleType(f"pytorch3d{name}") for name in ("", ".renderer", ".structures"))
    renderer.rasterize_meshes = rasterize_meshes  # type: ignore[attr-defined]
    structures.Meshes = Meshes  # type: ignore[attr-defined]
    for module in (package, renderer, structures):
        monkeypatch.setitem(sys.modules, module.__name__, module)
