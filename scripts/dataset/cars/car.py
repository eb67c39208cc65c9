# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole car as arrays: parts joined, moved to the canonical frame, ready for Blender and for the mesh file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..shapes import FAR, MARKINGS, PLASTIC, RIM, TYRE, Part
from . import details
from .body import BodyCurves, cabin, lower_body
from .face import sample_face
from .fittings import fittings
from .interior import interior
from .markings import mark_cabin, mark_lower
from .parameters import CarParameters

_TURNED = (RIM, TYRE, PLASTIC)  # wheels, flat as they are, are turned where they are made


@dataclass
class ObjectMesh:
    """One object in the canonical frame (front to -Y, left side on +X, box centre at 0, longest side 1).

    vertices (V, 3); faces (F, 4), triangles end in -1; slots and smooth (F,); markings (V, len(MARKINGS)) in metres.
    """

    vertices: np.ndarray
    faces: np.ndarray
    slots: np.ndarray
    smooth: np.ndarray
    markings: np.ndarray

    def triangles(self) -> np.ndarray:
        """Return the faces as triangles (T, 3) int32."""
        quads = self.faces[self.faces[:, 3] >= 0]
        alone = self.faces[self.faces[:, 3] < 0][:, :3]
        return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]], alone]).astype(np.int32)


def build_car(p: CarParameters, rng: np.random.Generator) -> ObjectMesh:
    """Build the car that `p` describes; `rng` chooses what the proportions leave open (lamp shapes, rims)."""
    return join(car_parts(p, rng))


def car_parts(p: CarParameters, rng: np.random.Generator) -> list[Part]:
    """Build the parts of the car that `p` describes, in metres, nose at y = 0, on the ground."""
    curves = BodyCurves(p)
    lower, top = lower_body(curves), cabin(curves)
    face = sample_face(p, rng)
    mark_lower(curves, lower, face, rng)
    mark_cabin(curves, top, face, rng)
    parts = [lower, top, *details.wheels(curves, rng), *details.mirrors(curves), *details.handles(curves, rng)]
    parts += details.exhausts(curves, rng) + details.wing(curves, rng)
    parts += interior(curves, rng)
    parts += details.roof_rails(curves, rng) + details.cockpit(curves)
    fitted = fittings(curves, lower, face, rng)
    return [part if part.slot in _TURNED else part.facing() for part in parts] + fitted


def join(parts: list[Part]) -> ObjectMesh:
    """Join parts into one mesh and move it to the canonical frame."""
    starts = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
    vertices = np.concatenate([part.vertices for part in parts])
    moved = [np.where(part.faces >= 0, part.faces + start, -1) for part, start in zip(parts, starts, strict=True)]
    faces = np.concatenate(moved)
    slots = np.concatenate([np.full(len(part.faces), part.slot) for part in parts])
    smooth = np.concatenate([np.full(len(part.faces), part.smooth) for part in parts])
    columns = [[part.markings.get(name, np.full(len(part.vertices), FAR)) for name in MARKINGS] for part in parts]
    markings = np.concatenate([np.stack(column, axis=1) for column in columns])
    # An open car keeps the vertices of its roof, which has no faces.
    scale, offset = canonical_transform(vertices[np.unique(faces[faces >= 0])])
    vertices = ((vertices - offset) * scale).astype(np.float32)
    return ObjectMesh(vertices, faces, slots, smooth, markings.astype(np.float32))


def canonical(vertices: np.ndarray) -> np.ndarray:
    """Return vertices (V, 3) moved and scaled so that the bounding box is centred and its longest side is 1."""
    scale, offset = canonical_transform(vertices)
    return ((vertices - offset) * scale).astype(np.float32)


def canonical_transform(vertices: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the scale and the offset (3,) that bring vertices (V, 3) to the canonical frame: (v - offset) * scale."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    return float(1 / (high - low).max()), (low + high) / 2
