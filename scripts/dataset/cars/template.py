# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The car template's layout: which vertices of the generator's grids it keeps, and how they hang together.

Every sampled car has the same grids, so that the template's correspondence between cars comes for free: vertex k of
the template is the same point of the same grid on all of them. Only the left half (+X) is laid out; the right half is
its mirror image. All faces are quads; where a grid closes in a point, quads of a fan share it.

Letters: L vertices of the left half, F faces of the left half, M markings, S x T the sheet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from backend.common.shape_space import Fold, Sink

from ..shapes import FAR, MARKINGS, Part
from .body import CABIN_STATIONS, LOWER_STATIONS
from .car import canonical_transform
from .details import WHEEL_SEGMENTS

# Rows and columns of the grids that the template keeps. Body: the ends are poles; close together around the arches.
# Cabin: its first and last sections, which have no height, lie inside the body and are left out.
BODY_ROWS = (
    5,
    8,
    10,
    12,
    14,
    16,
    18,
    21,
    24,
    25,
    28,
    30,
    32,
    34,
    36,
    39,
    40,
    41,
    42,
    44,
    48,
    52,
    56,
    60,
    61,
    62,
    63,
    64,
    67,
    69,
    71,
    73,
    75,
    78,
    79,
    82,
    85,
    87,
    89,
    91,
    93,
    95,
    98,
)
BODY_COLUMNS = (0, 5, 9, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 32, 35, 38, 43, 48)
CABIN_ROWS = (1, 3, 6, 9, 12, 15, 17, 19, 20, 21, 23, 26, 30, 34, 38, 42, 44, 46, 47, 48, 50, 53, 57, 61, 65, 69)
CABIN_COLUMNS = (0, 1, 3, 5, 7, 9, 11, 12, 13, 14, 15, 16, 17, 18, 20, 22, 24, 26, 29)
RIM_ROWS = (8, 6, 3, 1)  # from the hub outwards
RIM_RADII = (0.14, 0.38, 0.80, 0.95)  # theirs, in radii of the rim
TYRE_ROWS = (1, 2, 3, 4, 6, 8)  # from the rim's edge over the tread, which lies between 4 and 6, to the inner side
MIRROR_ROWS = (2, 4, 6)
BODY_HALF, CABIN_HALF = 49, 30  # columns of the dense grids from one centre line (or foot) to the other
WHEEL_COLUMNS = WHEEL_SEGMENTS // 2
WHEEL_ROWS = 2 + len(RIM_ROWS) + len(TYRE_ROWS)
SHEET_WIDTH = BODY_HALF
CABIN_START = LOWER_STATIONS
WHEEL_START = CABIN_START + CABIN_STATIONS
MIRROR_START = WHEEL_START + WHEEL_ROWS
SHEET_HEIGHT = MIRROR_START + 2
SHEET_MARKINGS = (*MARKINGS, "opening", "rubber", "rim", "spoke_gap")
"""Markings on the sheet: the generator's markings, and those of the wheels, which are the same on all cars."""
LEFT_PARTS = ("body", "cabin", "wheel_front_left", "wheel_rear_left", "mirror_left")
RIGHT_PARTS = ("body", "cabin", "wheel_front_right", "wheel_rear_right", "mirror_right")


@dataclass
class HalfLayout:
    """Faces of the left half and where their corners lie in the grids."""

    count: int = 0
    """Number L of vertices."""
    centre: list[int] = field(default_factory=list)
    """Indices of the vertices on the plane of symmetry."""
    faces: list[tuple[int, int, int, int]] = field(default_factory=list)
    part: list[int] = field(default_factory=list)
    """Index (F,) of each face's part in LEFT_PARTS."""
    corner_grid: list[list[tuple[float, float]]] = field(default_factory=list)
    """Row and column (F, 4) of each corner in its part's dense grid (the wheels' and mirrors': in the template's)."""

    def add(self, number: int) -> np.ndarray:
        """Return indices of `number` new vertices."""
        self.count += number
        return np.arange(self.count - number, self.count)

    def face(self, part: int, corners: list[tuple[int, float, float]]) -> None:
        """Add a quad of (vertex, row, column)."""
        self.faces.append(tuple(int(corner[0]) for corner in corners))  # type: ignore[arg-type]
        self.part.append(part)
        self.corner_grid.append([corner[1:] for corner in corners])

    def grid(self, part: int, index: np.ndarray, rows: list, columns: list, closed: bool = False) -> None:
        """Add the quads of vertices `index` (R, C) at the given rows and columns; `closed` joins last to first."""
        height, width = index.shape
        for i in range(height - 1):
            for j in range(width if closed else width - 1):
                k = (j + 1) % width
                self.face(
                    part,
                    [
                        (index[a, b], rows[a], columns[c])
                        for a, b, c in ((i, j, j), (i + 1, j, j), (i + 1, k, j + 1), (i, k, j + 1))
                    ],
                )

    def fan(
        self, part: int, pole: int, pole_row: float, ring: np.ndarray, row: float, columns: list, *, at_start: bool
    ) -> None:
        """Close a grid's first (or last) row `ring` (C,) with quads that share `pole`."""
        for j in range(0, len(ring) - 1, 2):
            corners = [(pole, pole_row, columns[j + 1]), *((ring[j + k], row, columns[j + k]) for k in range(3))]
            self.face(part, corners if at_start else [corners[0], *corners[:0:-1]])


def half_layout() -> HalfLayout:
    """Return the left half's connectivity; its vertices are in the order of :func:`half_vertices`."""
    layout = HalfLayout()
    _body(layout)
    _cabin(layout)
    for part in (2, 3):
        _wheel(layout, part)
    _mirror(layout)
    return layout


def _body(layout: HalfLayout) -> None:
    index = layout.add(len(BODY_ROWS) * len(BODY_COLUMNS)).reshape(len(BODY_ROWS), -1)
    nose, tail = layout.add(2)
    layout.centre += [*index[:, 0], *index[:, -1], nose, tail]
    layout.grid(0, index, list(BODY_ROWS), list(BODY_COLUMNS))
    layout.fan(0, nose, 0, index[0], BODY_ROWS[0], list(BODY_COLUMNS), at_start=True)
    layout.fan(0, tail, LOWER_STATIONS - 1, index[-1], BODY_ROWS[-1], list(BODY_COLUMNS), at_start=False)


def _cabin(layout: HalfLayout) -> None:
    index = layout.add(len(CABIN_ROWS) * len(CABIN_COLUMNS)).reshape(len(CABIN_ROWS), -1)
    below = layout.add(len(CABIN_ROWS))
    layout.centre += [*index[:, -1], *below]
    rows, columns = list(CABIN_ROWS), list(CABIN_COLUMNS)
    layout.grid(1, index, rows, columns)
    # The floor, which nobody sees, lies outside the dense grid: from the foot of the side to the centre line, and the
    # two ends.
    layout.grid(1, np.stack([below, index[:, 0]], axis=1), rows, [-1, 0])
    layout.fan(1, below[0], -1, index[0], rows[0], columns, at_start=True)
    layout.fan(1, below[-1], CABIN_STATIONS, index[-1], rows[-1], columns, at_start=False)


def _wheel(layout: HalfLayout, part: int) -> None:
    rings = WHEEL_ROWS - 2
    index = layout.add(rings * WHEEL_COLUMNS).reshape(rings, WHEEL_COLUMNS)
    outside, inside = layout.add(2)
    rows, columns = list(range(1, rings + 1)), list(range(WHEEL_COLUMNS + 1))
    layout.grid(part, index, rows, columns, closed=True)
    around = np.append(np.arange(WHEEL_COLUMNS), 0)
    layout.fan(part, outside, 0, index[0][around], 1, columns, at_start=True)
    layout.fan(part, inside, WHEEL_ROWS - 1, index[-1][around], rings, columns, at_start=False)


def _mirror(layout: HalfLayout) -> None:
    segments = 14
    index = layout.add(len(MIRROR_ROWS) * segments).reshape(-1, segments)
    low, high = layout.add(2)
    columns = list(range(segments + 1))
    layout.grid(4, index[::-1], [8 - row for row in MIRROR_ROWS[::-1]], columns, closed=True)
    around = np.append(np.arange(segments), 0)
    layout.fan(4, high, 0, index[-1][around], 8 - MIRROR_ROWS[-1], columns, at_start=True)
    layout.fan(4, low, 8, index[0][around], 8 - MIRROR_ROWS[0], columns, at_start=False)


def opening_sink() -> Sink:
    """Return which vertices of the body sink where the sheet shows a bed or a cockpit."""
    index = np.arange(len(BODY_ROWS) * len(BODY_COLUMNS)).reshape(len(BODY_ROWS), -1)
    rows, columns = np.meshgrid(BODY_ROWS, BODY_COLUMNS, indexing="ij")
    # The bonnet has no opening; below the widest line there is none either.
    mine = (columns > 20) & (rows > 40)
    places = np.stack([rows[mine], columns[mine]], axis=1)
    return Sink(SHEET_MARKINGS.index("opening"), index[mine].astype(np.int32), places.astype(np.int32), 9.0, 0.046)


@dataclass(frozen=True)
class MeasuredCar:
    """One sampled car, as the template sees it."""

    vertices: np.ndarray
    """Positions (L, 3) in the canonical frame."""
    distances: np.ndarray
    """Signed distances (M, S, T) in lengths of the car."""
    length: float
    """Longest side in metres."""
    open_top: bool
    """Whether the roof is folded away; `vertices` have it all the same."""
    rendered: np.ndarray
    """Positions (L, 3): `vertices` with bed or cockpit sunk, as the generator renders them."""


def measure(parts: list[Part]) -> MeasuredCar:
    """Return the template's vertices and markings on a car of :func:`dataset.car.car_parts`."""
    # Open cars drop faces, not vertices; the box of the whole is that of what has faces.
    corners = [part.vertices[np.unique(part.faces[part.faces >= 0])] for part in parts]
    scale, offset = canonical_transform(np.concatenate(corners))
    vertices, rendered = ((half_vertices(parts, covered) - offset) * scale for covered in (True, False))
    cabin = _named(parts, "cabin")[0]
    open_top = len(cabin.faces) < 0.8 * (CABIN_STATIONS - 1) * (2 * CABIN_HALF - 2)
    distances = sheet(parts, scale).astype(np.float32)
    return MeasuredCar(vertices.astype(np.float32), distances, 1 / scale, open_top, rendered.astype(np.float32))


def roof_fold() -> Fold:
    """Return how an open car's roof sinks into the body: all of the cabin behind the top of the windscreen."""
    body = len(BODY_ROWS) * len(BODY_COLUMNS) + 2
    index = body + np.arange(len(CABIN_ROWS) * len(CABIN_COLUMNS)).reshape(len(CABIN_ROWS), -1)
    below = index.max() + 1 + np.arange(len(CABIN_ROWS))
    index = np.concatenate([index, below[:, None]], axis=1)
    weight = np.clip((np.array(CABIN_ROWS) - 21.0) / 3.0, 0, 1)[:, None].repeat(index.shape[1], axis=1)
    onto, mine = np.broadcast_to(index[:, :1], index.shape), weight > 0
    # Each sinks below where the foot of its section is now; the sheet stays a little vaulted, and the floor below it.
    drop = np.append(0.075 - 0.02 * np.linspace(0, 1, len(CABIN_COLUMNS)), 0.115)
    drop = np.broadcast_to(drop, index.shape)
    return Fold(
        index[mine].astype(np.int32),
        onto[mine].astype(np.int32),
        weight[mine].astype(np.float32),
        drop[mine].astype(np.float32),
    )


def half_vertices(parts: list[Part], covered: bool) -> np.ndarray:
    """Return the left half's vertices (L, 3) in metres, in the generator's own frame; `covered` closes openings."""
    whole = _named(parts, "body")[0]
    body = whole.closed if covered and whole.closed is not None else whole.vertices
    body = body.reshape(LOWER_STATIONS, -1, 3)[:, :BODY_HALF]
    cabin = _named(parts, "cabin")[0].vertices.reshape(CABIN_STATIONS, -1, 3)[:, :CABIN_HALF]
    body_kept = body[np.ix_(BODY_ROWS, BODY_COLUMNS)]
    cabin_kept = cabin[np.ix_(CABIN_ROWS, CABIN_COLUMNS)]
    # The foot, which lies inside the body, goes deeper than its section: the side keeps some height everywhere.
    cabin_kept[:, 0, 2] -= 0.04
    below = cabin_kept[:, 0] * [0, 1, 1] - [0, 0, 0.18]
    pieces = [body_kept.reshape(-1, 3), body[[0, -1], 0] * [0, 1, 1], cabin_kept.reshape(-1, 3), below]
    tyres, rims = _named(parts, "tyre"), _named(parts, "rim")
    # Left and right follow one another, axle by axle.
    for left in (0, len(tyres) - 2):
        pieces.append(_wheel_vertices(tyres[left].vertices, rims[left].vertices))
    pieces.append(_mirror_vertices(_named(parts, "mirror")[0].vertices))
    return np.concatenate(pieces)


def _named(parts: list[Part], name: str) -> list[Part]:
    found = [part for part in parts if part.name == name]
    if not found:
        raise ValueError(f"The car has no part '{name}'.")
    return found


def _wheel_vertices(tyre: np.ndarray, rim: np.ndarray) -> np.ndarray:
    tyre = tyre.reshape(-1, WHEEL_SEGMENTS, 3)[list(TYRE_ROWS), ::2]
    rim = rim.reshape(-1, 3 * WHEEL_SEGMENTS // 2, 3)
    outside = rim[-1].mean(axis=0)
    inside = tyre[-1].mean(axis=0)
    rings = np.concatenate([rim[list(RIM_ROWS), ::3], tyre])
    return np.concatenate([rings.reshape(-1, 3), [outside, inside]])


def _mirror_vertices(blob: np.ndarray) -> np.ndarray:
    grid = blob.reshape(9, 14, 3)
    return np.concatenate([grid[list(MIRROR_ROWS)].reshape(-1, 3), [grid[0, 0], grid[-1, 0]]])


def sheet(parts: list[Part], scale: float) -> np.ndarray:
    """Return the signed distances (M, S, T) of all markings in lengths of the car; `scale` is lengths a metre."""
    result = np.full((len(SHEET_MARKINGS), SHEET_HEIGHT, SHEET_WIDTH), FAR)
    body, cabin = _named(parts, "body")[0], _named(parts, "cabin")[0]
    for row, name in zip(result, (*MARKINGS, "opening"), strict=False):
        source = "closed_arch" if name == "arch" and "closed_arch" in body.markings else name
        if source in body.markings:
            row[:LOWER_STATIONS] = body.markings[source].reshape(LOWER_STATIONS, -1)[:, :BODY_HALF]
        if name in cabin.markings:
            dense = cabin.markings[name].reshape(CABIN_STATIONS, -1)[:, :CABIN_HALF]
            row[CABIN_START:WHEEL_START, :CABIN_HALF] = dense
    _mark_wheels(result)
    return result * scale


def _mark_wheels(result: np.ndarray) -> None:
    """Mark tyre, rim and the gaps between five spokes, in metres of a wheel of 0.3 m."""
    rim_rings = len(RIM_ROWS) + 1
    block = result[:, WHEEL_START:MIRROR_START]
    rim, rubber, gap = (block[SHEET_MARKINGS.index(name)] for name in ("rim", "rubber", "spoke_gap"))
    from_edge = np.where(np.arange(WHEEL_ROWS) < rim_rings, -0.02, 0.02)
    rim[:], rubber[:] = from_edge[:, None], -from_edge[:, None]
    radius = np.array([0.0, *RIM_RADII])[:, None] * 0.22
    angle = np.linspace(0, np.pi, SHEET_WIDTH)[None]
    sector = 2 * np.pi / 5
    from_spoke = np.abs(np.mod(angle + sector / 2, sector) - sector / 2) * radius
    gap[:rim_rings] = np.maximum.reduce(
        [
            0.022 - from_spoke,
            np.broadcast_to(0.06 - radius, from_spoke.shape),
            np.broadcast_to(radius - 0.195, from_spoke.shape),
        ]
    )


def sheet_place(part: int, row: float, column: float) -> tuple[float, float]:
    """Return the row and column on the sheet of a place in a part's grid."""
    if part == 0:
        return row, column
    if part == 1:
        return CABIN_START + min(max(row, 0), CABIN_STATIONS - 1), max(column, 0)
    if part in (2, 3):
        turn = column / (WHEEL_COLUMNS / 2)  # 0 to 2; the second half turn is the first one's mirror image
        return WHEEL_START + row, min(turn, 2 - turn) * (SHEET_WIDTH - 1)
    return MIRROR_START + 0.5, 0.5
