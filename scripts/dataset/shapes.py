# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small tools of the car builder: parts, swept grids, smooth curves and signed distances (negative inside)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

FAR = 1.0  # a distance (metres) that means "nowhere near this marking"
# Each marking is a signed distance kept at the vertices; the material cuts at zero, so outlines stay crisp on any grid.
MARKINGS = (
    "glass",
    "trim",
    "dark",
    "head",
    "bulb",
    "tail",
    "plate",
    "two_tone",
    "arch",
    "door",
    "lid",
    "chrome",
    "grille",
    "seam",
    "amber",
)
# Material slots of the joined mesh.
BODY, TYRE, RIM, METAL, PLASTIC, INTERIOR = range(6)


@dataclass
class Part:
    """Vertices (V, 3) in metres, quads or triangles padded with -1 (F, 4), a slot, markings name -> (V,)."""

    vertices: np.ndarray
    faces: np.ndarray
    slot: int
    markings: dict[str, np.ndarray] = field(default_factory=dict)
    smooth: bool = True
    name: str = ""  # "body", "cabin", "tyre", "rim", "mirror": what the template is made from; "" for the rest
    closed: np.ndarray | None = None  # of the body: its vertices were bed or cockpit covered

    def moved(self, offset: tuple[float, float, float]) -> Part:
        """Return a copy moved by `offset`."""
        return Part(self.vertices + np.asarray(offset), self.faces, self.slot, self.markings, self.smooth, self.name)

    def mirrored(self) -> Part:
        """Return the copy on the other side of the car, its faces still turned outwards."""
        across = self.vertices * np.array([-1.0, 1.0, 1.0])
        return Part(across, flipped(self.faces), self.slot, self.markings, self.smooth, self.name)

    def facing(self, direction: np.ndarray | None = None) -> Part:
        """Return the part with its faces turned outwards, or towards `direction` (3,) where that is given."""
        corners = self.vertices[self.faces[:, :3]]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        outwards = corners.mean(axis=1) - self.vertices.mean(axis=0) if direction is None else direction
        if (normals * outwards).sum() >= 0:
            return self
        return replace(self, faces=flipped(self.faces))


def flipped(faces: np.ndarray) -> np.ndarray:
    """Return faces (F, 4) turned over."""
    result = faces[:, ::-1].copy()
    triangles = faces[:, 3] < 0
    result[triangles] = faces[triangles][:, [2, 1, 0, 3]]
    return result


def grid_faces(rows: int, columns: int, closed: bool) -> np.ndarray:
    """Return the quads (F, 4) of a grid of vertices in row-major order; `closed` joins the last column to the first."""
    count = columns if closed else columns - 1
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(count), indexing="ij")
    after = (column + 1) % columns
    corners = (row * columns + column, row * columns + after, (row + 1) * columns + after, (row + 1) * columns + column)
    return np.stack(corners, axis=-1).reshape(-1, 4)


def smooth_curve(positions: list[float], values: list[float], sigma: float, at: np.ndarray) -> np.ndarray:
    """Return the polyline through the points, rounded by a Gaussian of `sigma`, at the positions `at`."""
    low, high = min(positions[0], at.min()) - 4 * sigma, max(positions[-1], at.max()) + 4 * sigma
    dense = np.linspace(low, high, 600)
    line = np.interp(dense, positions, values)
    step = dense[1] - dense[0]
    reach = max(1, int(3 * sigma / step))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / sigma) ** 2)
    padded = np.pad(line, reach, mode="edge")
    return np.interp(at, dense, np.convolve(padded, kernel / kernel.sum(), mode="valid"))


def superellipse_quarter(power: float, width: float, height: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return unit (across, up) of a quarter from (1, 0) to (0, 1), evenly spaced when drawn at width by height."""
    angle = np.linspace(0, np.pi / 2, 800)
    across, up = np.cos(angle) ** (2 / power), np.sin(angle) ** (2 / power)
    across[-1], up[0] = 0.0, 0.0
    steps = np.hypot(np.diff(across) * width, np.diff(up) * height)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    even = np.linspace(0, length[-1], count)
    return np.interp(even, length, across), np.interp(even, length, up)


def end_rounding(distance: np.ndarray, reach: float, power: float) -> np.ndarray:
    """Return 0 at an end of the body rising to 1 at `reach` from it, along a superellipse."""
    outside = np.clip(1 - distance / reach, 0, 1)
    return np.maximum(1 - outside**power, 0) ** (1 / power)


def rectangle(u: np.ndarray, v: np.ndarray, half_u: float, half_v: float, corner: float = 0.02) -> np.ndarray:
    """Return the signed distance to a rectangle with rounded corners, centred at the origin."""
    du, dv = np.abs(u) - half_u + corner, np.abs(v) - half_v + corner
    return np.hypot(np.maximum(du, 0), np.maximum(dv, 0)) + np.minimum(np.maximum(du, dv), 0) - corner


def ellipse(u: np.ndarray, v: np.ndarray, half_u: float, half_v: float, power: float = 2.0) -> np.ndarray:
    """Return about the signed distance to a superellipse, exact in sign."""
    radius = (np.abs(u / half_u) ** power + np.abs(v / half_v) ** power) ** (1 / power)
    return (radius - 1) * min(half_u, half_v)


def ellipsoid(points: np.ndarray, centre: np.ndarray, axes: np.ndarray, sizes: tuple, power: float = 2.0) -> np.ndarray:
    """Return about the signed distance of points (V, 3) to a superellipsoid with orthonormal `axes` (3, 3) as rows."""
    local = (points - centre) @ axes.T / np.asarray(sizes)
    return ((np.abs(local) ** power).sum(axis=1) ** (1 / power) - 1) * min(sizes)


def box(size: tuple[float, float, float], slot: int) -> Part:
    """Return a box centred at the origin with flat faces."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
    faces = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    return Part(signs * np.asarray(size) / 2, np.array(faces), slot, smooth=False)


def blob(size: tuple[float, float, float], slot: int, power: float = 2.6, rings: int = 9, segments: int = 14) -> Part:
    """Return a superellipsoid (a mirror, a seat) centred at the origin, of full `size`."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, rings)
    longitude = np.linspace(0, 2 * np.pi, segments, endpoint=False)

    def bend(value: np.ndarray) -> np.ndarray:
        return np.sign(value) * np.abs(value) ** (2 / power)

    ring = bend(np.cos(latitude))[:, None]
    x, y = ring * bend(np.cos(longitude)), ring * bend(np.sin(longitude))
    z = np.repeat(bend(np.sin(latitude))[:, None], segments, axis=1)
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3) * np.asarray(size) / 2
    return Part(vertices, grid_faces(rings, segments, closed=True), slot)


def lathe(profile: np.ndarray, segments: int, slot: int) -> Part:
    """Return the surface of revolution about the X axis of `profile` (P, 2): (x, radius), outward side to +X."""
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    x = np.repeat(profile[:, :1], segments, axis=1)
    vertices = np.stack([x, profile[:, 1:] * np.cos(angle), profile[:, 1:] * np.sin(angle)], axis=-1).reshape(-1, 3)
    return Part(vertices, grid_faces(len(profile), segments, closed=True), slot)
