# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of what a direction of the shape does: the object at either end of its slider.

Drawn from the mesh, without the worker, as seen from the front left. Where a direction moves the surface outwards it is
orange, where inwards blue: many directions have no name, and at this size differ by little else.

Letters: V vertices, Q faces of four corners, S the picture's side.
"""

from __future__ import annotations

import functools
import math
import time
import zlib
from collections.abc import Callable

import bpy
import numpy as np

from . import parts, proportions, session, shape_codes, surface, thumbnails

SIDE = 64
"""Pixels of a side of a picture: what a wide sidebar shows."""
END = 3.0
"""Value at which the sliders end: standard deviations of a surface, the data's end of an object with parts."""
PAUSE = 0.05
"""Seconds between two pictures: a dozen at once would hold Blender up."""
_FINER = 2
"""Pixels are drawn so many times finer each way, then averaged."""
_MARGIN = 0.12
"""Part of the picture's side that stays free around the object as it was found."""
_AZIMUTH, _ELEVATION = math.radians(40.0), math.radians(18.0)
"""Where the object is seen from; azimuth 0 is its front, 90 degrees its left side."""
_LIGHT = (0.25, -0.55, 0.8)
_COLOURS = (0.62, 0.62, 0.62), (0.95, 0.5, 0.12), (0.2, 0.5, 0.95)
"""Grey, where something moves out, and where it moves in."""

_next = 0.0
"""When the next picture may be drawn."""


def icons_of(owner: bpy.types.Object, index: int) -> tuple[int, int]:
    """Returns the numbers of the icons of both ends of a surface's shape slider; 0: no picture, or none yet.

    Pictures are of the object as it was found with this slider alone moved.
    """
    shapes = surface.shapes_of(owner, index)
    if shapes is None:
        return 0, 0
    found, direction = shapes
    name = f"shape direction/{zlib.crc32(found.tobytes())}/{zlib.crc32(direction.tobytes())}"
    return _icons(name, lambda end: picture(found, end * direction, quads_of(owner.data)))


def icons_of_further(owner: bpy.types.Object, index: int) -> tuple[int, int]:
    """As :func:`icons_of`, of a further direction of an object with parts. Raises ValueError without its weights."""
    space, code = proportions.space_of(owner), np.array(owner[shape_codes.SHAPE_CODE], np.float64)

    def draw(end: float) -> np.ndarray | None:
        quads = _quads_of_parts(owner)
        if quads is None:
            return None
        sliders = np.zeros(index + 1)
        sliders[index] = end
        moved = code + shape_codes.moved_by(space, code, sliders)
        found = space.vertices(code.astype(np.float32))
        return picture(found, space.vertices(moved.astype(np.float32)) - found, quads)

    return _icons(f"further direction/{owner.unrender.bundle}/{zlib.crc32(code.tobytes())}/{index}", draw)


def _icons(name: str, draw: Callable[[float], np.ndarray | None]) -> tuple[int, int]:
    lower, upper = (
        thumbnails.icon_of_picture(f"{name}/{end}", functools.partial(_in_turn, draw, end)) for end in (-END, END)
    )
    return lower, upper


def _in_turn(draw: Callable[[float], np.ndarray | None], end: float) -> np.ndarray | None:
    """Draws a picture; None if another was drawn just now: then the panel is drawn again, which asks for it again."""
    global _next
    if time.monotonic() < _next and not bpy.app.background:
        if not bpy.app.timers.is_registered(session.redraw):
            bpy.app.timers.register(session.redraw, first_interval=PAUSE)
        return None
    drawn = draw(end)
    _next = time.monotonic() + PAUSE
    return drawn


def _quads_of_parts(owner: bpy.types.Object) -> np.ndarray | None:
    """The faces (Q, 4) of an object and its wheels in the numbers of all vertices; None where a mesh was cut up."""
    quads = []
    for one in (owner, *parts.turning(owner)):
        indices = one.data.attributes.get(parts.INDEX_ATTRIBUTE)
        if indices is None:
            return None
        numbers = np.empty(len(one.data.vertices), np.int32)
        indices.data.foreach_get("value", numbers)
        quads.append(numbers[quads_of(one.data)])
    return np.concatenate(quads)


def quads_of(mesh: bpy.types.ID) -> np.ndarray:
    """Returns the faces of a mesh as (Q, 4) numbers of vertices; of a triangle the last is there twice."""
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    starts, totals = np.empty((2, len(mesh.polygons)), np.int32)
    mesh.polygons.foreach_get("loop_start", starts)
    mesh.polygons.foreach_get("loop_total", totals)
    return corners[starts[:, None] + np.minimum(np.arange(4), totals[:, None] - 1)]


def picture(found: np.ndarray, move: np.ndarray, quads: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Draws vertices (V, 3) moved by (V, 3), of faces (Q, 4): (S, S, 4) uint8, row 0 at the top.

    The frame is that of the vertices as they were found, so that pictures of several moves can be compared. All stand
    on the ground, wherever the move takes them.
    """
    move = move.astype(np.float64) - [0, 0, (found + move)[:, 2].min() - found[:, 2].min()]
    fine = side * _FINER
    flat = found @ _axes().T
    low, high = flat[:, :2].min(axis=0), flat[:, :2].max(axis=0)
    scale = fine * (1 - 2 * _MARGIN) / max(float((high - low).max()), 1e-9)
    seen = ((found + move) @ _axes().T - [*(low + high) / 2, 0]) * scale
    seen[:, :2] += fine / 2
    colours, normals = _colours(found, move, quads)
    shade = 0.45 + 0.55 * np.clip(normals @ (np.array(_LIGHT) / np.linalg.norm(_LIGHT)), 0, 1)
    drawn = np.zeros((fine, fine, 4), np.float32)
    rows, columns, faces = _points(seen, quads, fine)
    drawn[rows, columns, :3] = (colours * shade[:, None])[faces]
    drawn[rows, columns, 3] = 1.0
    small = drawn.reshape(side, _FINER, side, _FINER, 4).mean(axis=(1, 3))
    # What lies outside of the outline has no say in the colours at it.
    small[..., :3] /= np.maximum(small[..., 3:], 1e-6)
    return (small.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def _axes() -> np.ndarray:
    """The picture's right, its up, and the way towards us, as rows (3, 3)."""
    towards = [
        np.sin(_AZIMUTH) * np.cos(_ELEVATION), -np.cos(_AZIMUTH) * np.cos(_ELEVATION), np.sin(_ELEVATION)
    ]  # fmt: skip
    right = np.array([np.cos(_AZIMUTH), np.sin(_AZIMUTH), 0])
    return np.stack([right, np.cross(towards, right), towards])


def _colours(found: np.ndarray, move: np.ndarray, quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The colours (Q, 3) of faces by how far they move outwards, and the normals (Q, 3) of where they are then."""
    outwards = _normals(found, quads)
    # An object that moves as a whole looks the same.
    along = ((move - move.mean(axis=0))[quads].mean(axis=1) * outwards).sum(axis=1)
    part = (along / max(float(np.abs(along).max()), 1e-12))[:, None]
    grey, out, inside = np.array(_COLOURS, np.float32)
    colours = grey + np.where(part > 0, part * (out - grey), -part * (inside - grey))
    return colours, _normals(found + move, quads)


def _normals(places: np.ndarray, quads: np.ndarray) -> np.ndarray:
    corners = places[quads]
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    result: np.ndarray = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return result


def _points(seen: np.ndarray, quads: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and faces of points that cover all faces, the farthest first: the nearest are drawn last."""
    corners = seen[quads]
    edges = np.linalg.norm((corners - np.roll(corners, 1, axis=1))[..., :2], axis=2).max(axis=1)
    # Large faces take more points than small ones, in powers of two so that many are done at once.
    powers = np.ceil(np.log2(np.clip(1.5 * edges, 2, 2 * side))).astype(int)
    points, faces = [], []
    for power in np.unique(powers):
        chosen = np.flatnonzero(powers == power)
        points.append(_spread(corners[chosen], 2 ** int(power)))
        faces.append(np.tile(chosen, 4 ** int(power)))
    places, face = np.concatenate(points), np.concatenate(faces)
    columns, rows = places[:, 0].astype(int), side - 1 - places[:, 1].astype(int)
    inside = np.flatnonzero((columns >= 0) & (columns < side) & (rows >= 0) & (rows < side))
    order = inside[np.argsort(places[inside, 2], kind="stable")]
    return rows[order], columns[order], face[order]


def _spread(corners: np.ndarray, count: int) -> np.ndarray:
    """Points all over faces with corners (Q, 4, 3), ``count`` each way: (count² Q, 3), of all faces in turn."""
    steps = (np.arange(count) + 0.5) / count
    x, y = (axis.reshape(-1, 1, 1) for axis in np.meshgrid(steps, steps))
    near = (1 - x) * corners[:, 0] + x * corners[:, 1]
    far = (1 - x) * corners[:, 3] + x * corners[:, 2]
    result: np.ndarray = ((1 - y) * near + y * far).reshape(-1, 3)
    return result
