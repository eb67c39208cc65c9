# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of base colours by region and side, against a car whose texture is known."""

from __future__ import annotations

import numpy as np
import pytest

from backend.common.records import Camera
from backend.evaluation.base_colour import base_colour_errors
from tests.helpers import toy


def test_the_right_colours_have_no_error_and_wrong_ones_theirs() -> None:
    made = toy.parts_reconstruction()
    true = {name: made.parts.palette[place, :3].tolist() for place, name in enumerate(made.parts.regions)}
    errors = base_colour_errors(made, true)
    assert {"paint_seen", "paint_unseen", "rim_seen"} <= set(errors)
    assert max(errors.values()) < 0.003, "8 bits a channel"
    shifted = {name: [value + 0.1 for value in colour] for name, colour in true.items()}
    assert list(base_colour_errors(made, shifted).values()) == pytest.approx([0.1] * len(errors), abs=0.003)


def test_seen_and_unseen_sides_are_told_apart() -> None:
    """Seen from the left, everything that faces right of the object's middle plane is unseen."""
    made = toy.parts_reconstruction(camera=Camera(azimuth=np.pi / 2, elevation=0.0, distance=30.0))
    paint = made.parts.regions.index("paint")
    corners = made.vertices[made.quads]
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    to_the_right = (made.parts.region_of_quad == paint) & (normals[:, 0] < 0)
    made.uv = made.uv.copy()
    made.uv[to_the_right] = made.uv[made.parts.region_of_quad != paint][0]
    errors = base_colour_errors(made, {"paint": made.parts.palette[paint, :3].tolist()})
    assert errors["paint_seen"] < 0.003 < errors["paint_unseen"]
    assert errors["paint_seen"] < errors["paint_all"] < errors["paint_unseen"], "the mean by area"


def test_an_object_of_one_surface_has_no_regions_to_judge() -> None:
    assert base_colour_errors(toy.reconstruction(), {"paint": [0.5, 0.5, 0.5]}) == {}
