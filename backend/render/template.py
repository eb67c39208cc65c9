# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh that every object of a category is a deformation of.

A template may have parts (closed components, some of which turn about axles) and markings (what is drawn on it, as
signed distances on a sheet of its own); ``scripts/build_template.py`` makes such a one. Where nothing is known of a
category its template is a box.

A box whose six sides are regular grids, rounded: closed, of genus 0, quads alone, left-right symmetric in its
vertices, faces and UVs. The texture is an atlas of the six sides laid out so that mirroring the object mirrors the
atlas (u becomes 1 - u): a network need only predict its left half.

NumPy alone. Letters: V vertices, F quads, A axles, M markings, S x T the sheet of markings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..common import array_files
from ..common.files import replacing
from .box_charts import CAR_PROPORTIONS, box_charts


@dataclass(frozen=True)
class TemplateConfig:
    """How many cells the box has along each axis, and its proportions: unless told otherwise, a cube."""

    cells_x: int = 20
    """Number across; even, so that a row of vertices lies on the plane of symmetry."""
    cells_y: int = 19
    """Number along."""
    cells_z: int = 19
    """Number upwards."""
    proportions: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Sides of the box."""
    roundness: float = 5.0
    """Exponent of the superellipsoid: 2 is an ellipsoid, large is a box."""


_LARGEST_SHEET = 8192
"""Samples of a side of the sheet of markings."""
CAR_BOX = TemplateConfig(cells_x=14, cells_y=36, cells_z=12, proportions=CAR_PROPORTIONS)
"""What cars start from."""


@dataclass(frozen=True)
class Parts:
    """The closed components of a template, and which of them turn."""

    names: tuple[str, ...]
    of_quad: np.ndarray
    """(F,) int32: the index in ``names``. No two parts share a vertex."""
    turning: tuple[str, ...] = ()
    """Names of the parts that turn about an axle parallel to the X axis through the middle of their vertices."""

    def vertices_of(self, name: str, quads: np.ndarray) -> np.ndarray:
        """Sorted indices of the vertices of a part of the template with ``quads`` (F, 4)."""
        return np.unique(quads[self.of_quad == self.names.index(name)])

    def axles(self, vertices: np.ndarray, quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the axles of a shape (V, 3) are: points (A, 3) and unit directions (A, 3), to the object's left."""
        places = [vertices[self.vertices_of(name, quads)] for name in self.turning]
        points = np.array([(place.min(axis=0) + place.max(axis=0)) / 2 for place in places]).reshape(-1, 3)
        return points.astype(np.float32), np.tile(np.array([1, 0, 0], np.float32), (len(points), 1))


@dataclass(frozen=True)
class Markings:
    """Where the template shows the sheet on which its markings are signed distances."""

    uv: np.ndarray
    """(F, 4, 2) float32 place of every corner on the sheet, origin bottom left, as of a texture."""
    height: int
    width: int
    """Size of the sheet in samples."""


@dataclass(frozen=True)
class Template:
    """Connectivity, UVs and mean shape shared by all objects of a category."""

    vertices: np.ndarray
    """(V, 3) float32, the mean shape in the canonical frame."""
    quads: np.ndarray
    """(F, 4) int32 corners, counter-clockwise from outside."""
    uv: np.ndarray
    """(F, 4, 2) float32, one per corner, origin bottom left."""
    mirror: np.ndarray
    """(V,) int32: the vertex that is the left-right mirror image of each."""
    parts: Parts | None = None
    markings: Markings | None = None

    @cached_property
    def triangles(self) -> np.ndarray:
        """(2F, 3) int32; triangle 2i and 2i + 1 make quad i."""
        q = self.quads
        return np.stack([q[:, [0, 1, 2]], q[:, [0, 2, 3]]], axis=1).reshape(-1, 3)

    @cached_property
    def triangle_uv(self) -> np.ndarray:
        """(2F, 3, 2) float32."""
        return _of_triangles(self.uv)

    @cached_property
    def triangle_markings_uv(self) -> np.ndarray:
        """(2F, 3, 2) float32 place of each triangle's corners on the sheet. Raises ValueError without markings."""
        if self.markings is None:
            raise ValueError("This template has no markings.")
        return _of_triangles(self.markings.uv)

    @cached_property
    def chart_bounds(self) -> np.ndarray:
        """(2F, 4) float32 u0, v0, u1, v1 of the chart of each triangle: of all that hangs together in the atlas."""
        corners = np.round(self.uv, 6)
        _, point = np.unique(corners.reshape(-1, 2), axis=0, return_inverse=True)
        point = point.reshape(corners.shape[:2])
        label = np.arange(point.max() + 1)
        while True:
            lowest = label[point].min(axis=1)
            before = label.copy()
            np.minimum.at(label, point, lowest[:, None])
            if (label == before).all():
                break
        bounds = np.zeros((len(self.uv), 4), dtype=np.float32)
        of_quad = label[point[:, 0]]
        for chart in np.unique(of_quad):
            mine = of_quad == chart
            bounds[mine] = [*self.uv[mine].min(axis=(0, 1)), *self.uv[mine].max(axis=(0, 1))]
        return bounds.repeat(2, axis=0)

    @cached_property
    def edges(self) -> np.ndarray:
        """(E, 2) int32 edges of the quads, each once, smaller index first."""
        q = self.quads
        pairs = np.sort(np.concatenate([q[:, [i, (i + 1) % 4]] for i in range(4)]), axis=1)
        return np.unique(pairs, axis=0)

    def with_vertices(self, vertices: np.ndarray) -> Template:
        return replace(self, vertices=vertices.astype(np.float32))

    def save(self, path: Path) -> None:
        """Writes an .npz without pickled objects, in place of what was there. Raises OSError."""
        arrays = dict(vertices=self.vertices, faces=self.quads, uv=self.uv, mirror=self.mirror)
        if self.parts is not None:
            arrays |= dict(part_names=np.array(self.parts.names), part_of_face=self.parts.of_quad)
            arrays |= dict(turning=np.array(self.parts.turning, dtype=str))
        if self.markings is not None:
            arrays |= dict(markings_uv=self.markings.uv, sheet=np.array([self.markings.height, self.markings.width]))
        with replacing(path) as partial, open(partial, "wb") as file:
            np.savez_compressed(file, **arrays)

    @staticmethod
    def load(path: Path) -> Template:
        """Reads a file of :meth:`save`. Raises ValueError with one sentence where it is none, OSError as it comes."""
        data = array_files.read(path, ("vertices", "faces", "uv", "mirror"))
        try:
            parts = markings = None
            if "part_names" in data:
                names, turning = (tuple(str(name) for name in data[key].ravel()) for key in ("part_names", "turning"))
                parts = Parts(names, data["part_of_face"], turning)
            if "markings_uv" in data:
                markings = Markings(data["markings_uv"], *(int(side) for side in data["sheet"]))
            template = Template(data["vertices"], data["faces"], data["uv"], data["mirror"], parts, markings)
            template._check()
            return template
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"{path} is no template: {error}; copy or make it again.") from error

    def _check(self) -> None:
        """Raises ValueError where the arrays do not fit each other."""
        count, quads = len(self.vertices), len(self.quads)
        if not count or not quads:
            raise ValueError("it is empty")
        array_files.check(self.vertices, "vertices", (count, 3))
        array_files.check(self.quads, "faces", (quads, 4), below=count)
        array_files.check(self.uv, "uv", (quads, 4, 2))
        array_files.check(self.mirror, "mirror", (count,), below=count)
        if self.parts is not None:
            array_files.check(self.parts.of_quad, "part_of_face", (quads,), below=len(self.parts.names))
            if not set(self.parts.turning) <= {self.parts.names[index] for index in np.unique(self.parts.of_quad)}:
                raise ValueError("parts turn that it does not have")
        if self.markings is not None:
            array_files.check(self.markings.uv, "markings_uv", (quads, 4, 2))
            if not (0 < self.markings.height <= _LARGEST_SHEET and 0 < self.markings.width <= _LARGEST_SHEET):
                raise ValueError(f"its sheet has {self.markings.height} x {self.markings.width} samples")


def _of_triangles(corners: np.ndarray) -> np.ndarray:
    """(2F, 3, 2) from the corners (F, 4, 2) of quads."""
    return np.stack([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]], axis=1).reshape(-1, 3, 2)


def make_template(config: TemplateConfig = TemplateConfig()) -> Template:
    """The rounded box of ``config``. Raises ValueError for an odd number of cells across."""
    if config.cells_x % 2:
        raise ValueError(f"cells_x must be even for a symmetric template, not {config.cells_x}")
    cells = np.array([config.cells_x, config.cells_y, config.cells_z])
    index: dict[tuple[int, int, int], int] = {}
    lattice: list[tuple[int, int, int]] = []
    quads: list[list[int]] = []
    uv: list[np.ndarray] = []

    charts = box_charts(config.proportions)
    for side, corners, on_side in _sides(cells):
        quad = []
        for corner in corners:
            if corner not in index:
                index[corner] = len(lattice)
                lattice.append(corner)
            quad.append(index[corner])
        quads.append(quad)
        uv.append(charts.place(side, on_side))

    mirror = np.array([index[(int(cells[0]) - i, j, k)] for i, j, k in lattice], dtype=np.int32)
    vertices = _rounded(np.array(lattice) / cells * 2 - 1, config)
    return Template(vertices, np.array(quads, dtype=np.int32), np.stack(uv).astype(np.float32), mirror)


def _sides(cells: np.ndarray):
    """Yields (side, four lattice corners counter-clockwise from outside, where on the side they are (4, 2) in 0..1)."""
    nx, ny, nz = (int(c) for c in cells)
    square = [(0, 0), (1, 0), (1, 1), (0, 1)]

    for i in range(nx):
        for j in range(ny):
            up = [(i + a, j + b) for a, b in square]
            yield "top", [(p, q, nz) for p, q in up], np.array(up) / [nx, ny]
            yield "bottom", [(p, q, 0) for p, q in up[::-1]], np.array(up[::-1]) / [nx, ny]
    for i in range(nx):
        for k in range(nz):
            up = [(i + a, k + b) for a, b in square]
            yield "front", [(p, 0, r) for p, r in up], np.array(up) / [nx, nz]
            yield "back", [(p, ny, r) for p, r in up[::-1]], np.array(up[::-1]) / [nx, nz]
    for j in range(ny):
        for k in range(nz):
            up = [(j + a, k + b) for a, b in square]
            yield "left", [(nx, q, r) for q, r in up], np.array(up) / [ny, nz]
            yield "right", [(0, q, r) for q, r in up[::-1]], np.array(up[::-1]) / [ny, nz]


def _rounded(points: np.ndarray, config: TemplateConfig) -> np.ndarray:
    """Points of the cube's surface [-1, 1]^3 on a superellipsoid of the config's proportions; longest side 1."""
    norm = (np.abs(points) ** config.roundness).sum(axis=1, keepdims=True) ** (1 / config.roundness)
    rounded = points / norm * np.array(config.proportions) / 2
    return (rounded / np.ptp(rounded, axis=0).max()).astype(np.float32)
