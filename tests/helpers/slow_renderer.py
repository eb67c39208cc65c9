# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rasterisers as loops over pixels and faces, and how to compare pictures with theirs.

One pixel and one face at a time, in plain arithmetic that autograd follows: slow, and short enough to be checked by
reading. It shares no code with ``backend.render``, only its conventions: x right, y down, pixel centres at
half-integers, depth positive before the camera, front faces with a negative signed area.

Letters: N batch, V vertices, F faces, H, W picture, D attributes. A number is a float (where something is decided)
or a tensor without dimensions (where it is differentiated); a point is x, y and maybe depth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

Number = Any
Point = Sequence[Number]
Corners = Sequence[Point]
Pixel = tuple[int, int, int]
"""Picture, row and column."""

NEAR = 1e-4
MINIMAL_AREA = 1e-9
PUSH_BACK = 0.5
"""Paper B: at its outer end a margin's depth has grown by half."""
SAME_DEPTH = 3e-8
"""Relative difference below which two depths are equal, as float32 has it; of equal ones the last face wins."""


class Layer(NamedTuple):
    """What every pixel sees of the faces: the fields of ``Fragments``."""

    face_index: Tensor
    barycentric: Tensor
    depth: Tensor


class Layers(NamedTuple):
    """The fields of ``BoundaryLayers``."""

    crisp: Layer
    margin: Layer
    opacity: Tensor


# ---- Geometry of one triangle ----


def doubled_area(a: Point, b: Point, c: Point) -> Number:
    """Signed; 0 if the points lie on a line."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def is_finite(corners: Corners) -> bool:
    return all(math.isfinite(number) for corner in corners for number in corner)


def is_drawn(corners: Corners, cull_back_faces: bool) -> bool:
    if not is_finite(corners) or min(corner[2] for corner in corners) <= NEAR:
        return False
    area = doubled_area(*corners)
    return area < -MINIMAL_AREA if cull_back_faces else abs(area) > MINIMAL_AREA


def flat_weights(corners: Corners, p: Point) -> list[Number]:
    """Barycentric weights in the picture."""
    a, b, c = corners
    area = doubled_area(a, b, c)
    return [doubled_area(b, c, p) / area, doubled_area(c, a, p) / area, doubled_area(a, b, p) / area]


def weights_and_depth(corners: Corners, flat: Sequence[Number], perspective: bool) -> tuple[list[Number], Number]:
    """In perspective 1 / depth is linear in the picture, and attributes are linear in space."""
    if not perspective:
        return list(flat), sum(w * corner[2] for w, corner in zip(flat, corners, strict=True))
    shares = [w / corner[2] for w, corner in zip(flat, corners, strict=True)]
    depth = 1 / sum(shares)
    return [share * depth for share in shares], depth


def foot(a: Point, b: Point, p: Point) -> tuple[Number, Number, Number]:
    """The closest point of a segment: where it lies between a (0) and b (1), and x and y from it to p."""
    along_x, along_y = b[0] - a[0], b[1] - a[1]
    length = along_x * along_x + along_y * along_y
    fraction = 0.0 * length if length == 0 else ((p[0] - a[0]) * along_x + (p[1] - a[1]) * along_y) / length
    if fraction < 0:
        fraction = 0.0
    if fraction > 1:
        fraction = 1.0
    return fraction, p[0] - a[0] - fraction * along_x, p[1] - a[1] - fraction * along_y


def closest_edge(corners: Corners, p: Point) -> tuple[int, float]:
    """The edge of a triangle's outline that comes closest, from corner i to the next, and its squared distance."""
    squares = []
    for i in range(3):
        _, away_x, away_y = foot(corners[i], corners[(i + 1) % 3], p)
        squares.append(away_x * away_x + away_y * away_y)
    return squares.index(min(squares)), min(squares)


# ---- The pictures ----


def rasterize(
    screen: Tensor, faces: Tensor, height: int, width: int, perspective: bool = True, cull_back_faces: bool = True
) -> Layer:
    """The nearest face that holds the pixel's centre."""

    def nearest(plain: list[Corners], p: Point, pixel: Pixel) -> int:
        best, best_depth = -1, math.inf
        for face, corners in enumerate(plain):
            if not is_drawn(corners, cull_back_faces) or min(flat_weights(corners, p)) < 0:
                continue
            depth = weights_and_depth(corners, flat_weights(corners, p), perspective)[1]
            if depth <= best_depth * (1 + SAME_DEPTH):
                best, best_depth = face, depth
        return best

    def seen(corners: Corners, p: Point) -> list[Number]:
        weights, depth = weights_and_depth(corners, flat_weights(corners, p), perspective)
        return [*weights, depth]

    picture = _Picture(screen, faces, height, width)
    return picture.layer(picture.choose(nearest), seen)


def boundary(
    screen: Tensor, faces: Tensor, height: int, width: int, margin: float, perspective: bool = True,
    cull_back_faces: bool = True,
) -> Layers:  # fmt: skip
    """Paper B: the crisp layer, and the nearest of the faces less than ``margin`` away, if nearer than the crisp."""
    crisp = rasterize(screen, faces, height, width, perspective, cull_back_faces)
    crisp_depth = torch.where(crisp.face_index < 0, math.inf, crisp.depth).detach()

    def beside(corners: Corners, p: Point) -> list[Number]:
        """Weights, depth and distance at the closest point of the outline."""
        start = closest_edge([[_float(n) for n in corner] for corner in corners], p)[0]
        end = (start + 1) % 3
        fraction, away_x, away_y = foot(corners[start], corners[end], p)
        flat: list[Number] = [0.0, 0.0, 0.0]
        flat[start], flat[end] = 1 - fraction, fraction
        weights, depth = weights_and_depth(corners, flat, perspective)
        return [*weights, depth, (away_x * away_x + away_y * away_y) ** 0.5]

    def nearest(plain: list[Corners], p: Point, pixel: Pixel) -> int:
        best, best_depth = -1, math.inf
        for face, corners in enumerate(plain):
            if not is_drawn(corners, cull_back_faces) or min(flat_weights(corners, p)) >= 0:
                continue
            depth, distance = beside(corners, p)[3:]
            if distance >= margin:
                continue
            depth = depth * (1 + PUSH_BACK * distance / margin)
            if depth < crisp_depth[pixel] and depth <= best_depth * (1 + SAME_DEPTH):
                best, best_depth = face, depth
        return best

    def seen(corners: Corners, p: Point) -> list[Number]:
        *rest, distance = beside(corners, p)
        return [*rest, 1 - distance / margin]

    picture = _Picture(screen, faces, height, width)
    index = picture.choose(nearest)
    values = picture.values(index, seen, 5)
    return Layers(crisp, Layer(index, values[..., :3], values[..., 3]), values[..., 4])


def soft_mask(
    screen: Tensor, faces: Tensor, face_index: Tensor, sigma_inverse: float, box_length: float,
    maximal_faces: int | None = None,
) -> Tensor:  # fmt: skip
    """DIB-R: 1 where a face is seen; elsewhere how likely it is that any face near the pixel covers it.

    Distances in halves of the longer side of the picture.
    """
    _, height, width = face_index.shape
    unit = 0.5 * max(height, width)
    picture = _Picture(screen / screen.new_tensor([unit, unit, 1]), faces, height, width)
    masks = []
    for n, y, x in picture.pixels():
        if face_index[n, y, x] >= 0:
            masks.append(screen.new_ones(()))
            continue
        p = ((x + 0.5) / unit, (y + 0.5) / unit)
        counted = [
            picture.corners(n, face)
            for face, corners in enumerate(picture.plain(n))
            if is_finite(corners) and min(c[2] for c in corners) > NEAR and in_box(corners, p, box_length)
        ]
        masks.append(_union([influence(c, p, sigma_inverse) for c in counted[:maximal_faces]], screen))
    return torch.stack(masks).view(face_index.shape) if masks else screen.new_zeros(face_index.shape)


def in_box(corners: Corners, p: Point, length: float) -> bool:
    """Whether a face's bounding box, ``length`` larger on every side, holds the point."""
    return all(
        min(c[axis] for c in corners) - length <= p[axis] <= max(c[axis] for c in corners) + length for axis in (0, 1)
    )


def influence(corners: Corners, p: Point, sigma_inverse: float) -> Tensor:
    """exp(-sigma_inverse d^2), d being the distance to the outline."""
    start = closest_edge([[_float(n) for n in corner] for corner in corners], p)[0]
    _, away_x, away_y = foot(corners[start], corners[(start + 1) % 3], p)
    return torch.exp(-sigma_inverse * (away_x * away_x + away_y * away_y))


def _union(influences: list[Tensor], like: Tensor) -> Tensor:
    transparency = like.new_ones(())
    for each in influences:
        transparency = transparency * (1 - each)
    return 1 - transparency


def interpolate(layer: Layer, face_attributes: Tensor) -> Tensor:
    """(N, H, W, D) of attributes (F, 3, D) or (N, F, 3, D)."""
    rows = []
    for n, y, x in np.ndindex(*layer.face_index.shape):
        face = int(layer.face_index[n, y, x])
        attributes = face_attributes if face_attributes.dim() == 3 else face_attributes[n]
        weights = layer.barycentric[n, y, x]
        rows.append(
            sum((weights[k] * attributes[face, k] for k in range(3)), start=weights.new_zeros(()))
            if face >= 0
            else weights.new_zeros(face_attributes.shape[-1])
        )
    return torch.stack(rows).view(*layer.face_index.shape, -1)


def composite(layers: Layers, crisp_colour: Tensor, margin_colour: Tensor, background: Tensor) -> Tensor:
    """(N, H, W, D): the margin's colours over the crisp layer's over the background (D,)."""
    rows = []
    for n, y, x in np.ndindex(*layers.opacity.shape):
        colour = crisp_colour[n, y, x] if layers.crisp.face_index[n, y, x] >= 0 else background
        if layers.margin.face_index[n, y, x] >= 0:
            opacity = layers.opacity[n, y, x]
            colour = opacity * margin_colour[n, y, x] + (1 - opacity) * colour
        rows.append(colour)
    return torch.stack(rows).view(*layers.opacity.shape, -1)


class Kaolin(NamedTuple):
    features: Tensor
    mask: Tensor
    face_index: Tensor


def dibr(
    height: int, width: int, z: Tensor, image: Tensor, features: Tensor, normals_z: Tensor, sigma_inverse: float,
    box_length: float, maximal_faces: int,
) -> Kaolin:  # fmt: skip
    """Kaolin's conventions, in its own coordinates: y up, [-1, 1] across the picture, larger z is nearer."""
    numbers = range(z.shape[1])
    # Once as floats, to decide with, and once as tensors.
    plain, plain_z = image.tolist(), z.tolist()
    corners = [[[corner.unbind() for corner in face.unbind()] for face in each.unbind()] for each in image.unbind()]
    finite = [[is_finite([*plain[n][f], plain_z[n][f]]) for f in numbers] for n in range(z.shape[0])]
    indices, rows, masks = [], [], []
    for n, row, column in np.ndindex(z.shape[0], height, width):
        p = ((2 * column + 1 - width) / width, (height - 2 * row - 1) / height)
        best, best_z = -1, -math.inf
        for f in numbers:
            if not finite[n][f] or doubled_area(*plain[n][f]) == 0 or normals_z[n, f] < 0:
                continue
            flat = flat_weights(plain[n][f], p)
            here = sum(w * each for w, each in zip(flat, plain_z[n][f], strict=True))
            if min(flat) >= 0 and here > best_z:
                best, best_z = f, here
        indices.append(best)
        if best >= 0:
            flat = flat_weights(corners[n][best], p)
            rows.append(sum((flat[k] * features[n, best, k] for k in range(3)), start=z.new_zeros(())))
            masks.append(z.new_ones(()))
            continue
        rows.append(features.new_zeros(features.shape[-1]))
        counted = [corners[n][f] for f in numbers if finite[n][f] and in_box(plain[n][f], p, box_length)]
        masks.append(_union([influence(c, p, sigma_inverse) for c in counted[:maximal_faces]], z))
    shape = (z.shape[0], height, width)
    return Kaolin(torch.stack(rows).view(*shape, -1), torch.stack(masks).view(shape), torch.tensor(indices).view(shape))


def _float(number: Number) -> float:
    return number.item() if isinstance(number, Tensor) else number


class _Picture:
    """Loops over pixels; what is decided there works on floats, what is differentiated on tensors."""

    def __init__(self, screen: Tensor, faces: Tensor, height: int, width: int) -> None:
        self.screen, self.faces = screen, faces.tolist()
        self.shape = (screen.shape[0], height, width)
        values = screen.tolist()
        self._plain: list[list[Corners]] = [[[vertices[i] for i in face] for face in self.faces] for vertices in values]
        self._vertices = [[vertex.unbind() for vertex in vertices.unbind()] for vertices in screen.unbind()]

    def pixels(self) -> np.ndindex:
        return np.ndindex(*self.shape)

    def plain(self, n: int) -> list[Corners]:
        return self._plain[n]

    def corners(self, n: int, face: int) -> Corners:
        return [self._vertices[n][i] for i in self.faces[face]]

    def choose(self, chooser: Callable[[list[Corners], Point, Pixel], int]) -> Tensor:
        """(N, H, W) the face that ``chooser`` takes for each pixel."""
        index = torch.empty(self.shape, dtype=torch.int64)
        for n, y, x in self.pixels():
            index[n, y, x] = chooser(self.plain(n), (x + 0.5, y + 0.5), (n, y, x))
        return index

    def values(self, index: Tensor, seen: Callable[[Corners, Point], list[Number]], count: int) -> Tensor:
        """(N, H, W, count) what ``seen`` says of the chosen faces, 0 where there is none."""
        flat = []
        for n, y, x in self.pixels():
            face = int(index[n, y, x])
            numbers = seen(self.corners(n, face), (x + 0.5, y + 0.5)) if face >= 0 else [0.0] * count
            flat += [torch.as_tensor(number, dtype=self.screen.dtype) for number in numbers]
        return torch.stack(flat).view(*self.shape, count) if flat else self.screen.new_zeros(*self.shape, count)

    def layer(self, index: Tensor, seen: Callable[[Corners, Point], list[Number]]) -> Layer:
        values = self.values(index, seen, 4)
        return Layer(index, values[..., :3], values[..., 3])


# ---- Comparing ----


def gradient(values: Sequence[Tensor], inputs: Sequence[Tensor], seed: int = 0) -> list[Tensor]:
    """Of a sum of all values, weighted at random, with respect to the inputs; 0 for those that do not matter."""
    generator = torch.Generator().manual_seed(seed)
    total = sum((value * torch.randn(value.shape, generator=generator, dtype=value.dtype)).sum() for value in values)
    if not inputs or not isinstance(total, Tensor) or not total.requires_grad:
        return [torch.zeros_like(each) for each in inputs]
    gradients = torch.autograd.grad(total, inputs, allow_unused=True, retain_graph=True)
    return [torch.zeros_like(i) if g is None else g for i, g in zip(inputs, gradients, strict=True)]


def assert_close(fast: Tensor, slow: Tensor, tolerance: float = 1e-8) -> None:
    """Up to the rounding that thin triangles magnify: the tolerance is relative to the largest value."""
    assert fast.shape == slow.shape
    scale = max(1.0, slow.abs().max().item()) if slow.numel() else 1.0
    np.testing.assert_allclose(fast.detach().numpy(), slow.detach().numpy(), rtol=0, atol=tolerance * scale)


def assert_same_picture(
    fast: Sequence[Tensor], slow: Sequence[Tensor], inputs: Sequence[Tensor], tolerance: float = 1e-8
) -> None:
    """Values, and the gradient of a random sum of them."""
    for one, other in zip(fast, slow, strict=True):
        assert_close(one, other, tolerance)
    for one, other in zip(gradient(fast, inputs), gradient(slow, inputs), strict=True):
        assert torch.isfinite(one).all()
        assert_close(one, other, tolerance)
