# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The box that training starts from, a cube or a car's, and how its sides lie in the atlas."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.pipeline.atlas import Atlas
from backend.render.template import CAR_BOX, Template, TemplateConfig, make_template
from backend.training.inverse_graphics import free_cameras as multi_view
from backend.training.inverse_graphics import known_cameras as inverse_graphics
from backend.training.inverse_graphics.start_box import CUBE, SMALL_CAR_BOX, SMALL_CUBE, category_of, start_box
from backend.weights.bundle import bundle_folders

OTHERS = [(0.45, 1.0, 0.4), (0.4, 0.4, 1.0), (1.0, 1.0, 0.3), (1.0, 0.4, 0.4), (0.5, 0.5, 0.9), (0.02, 1.0, 0.02)]
BOXES = [TemplateConfig(), CAR_BOX] + [TemplateConfig(8, 9, 7, proportions) for proportions in OTHERS]


def names(box: TemplateConfig) -> str:
    return "x".join(str(side) for side in box.proportions)


def sides_of(box: TemplateConfig) -> np.ndarray:
    """(F,) the side of each quad: 0 to 5 for -X, +X, -Y, +Y, -Z, +Z."""
    cubic = make_template(replace(box, proportions=(1.0, 1.0, 1.0), roundness=50.0))
    corners = cubic.vertices[cubic.quads]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    axis = np.abs(normals).argmax(axis=1)
    return 2 * axis + (np.take_along_axis(normals, axis[:, None], axis=1)[:, 0] > 0)


def edges_of(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0]


def area(corners: np.ndarray) -> np.ndarray:
    """(F,) signed areas of parallelograms in the atlas."""
    (ux, uy), (wx, wy) = (edge.T for edge in edges_of(corners))
    return ux * wy - uy * wx


@pytest.mark.parametrize("box", BOXES, ids=names)
def test_charts_keep_apart_mirror_alike_and_show_nothing_mirrored(box: TemplateConfig) -> None:
    template = make_template(box)
    assert template.uv.min() > 0 and template.uv.max() < 1
    assert (area(template.uv) > 0).all()
    charts = np.unique(template.chart_bounds, axis=0)
    assert 6 <= len(charts) <= 8
    for number, (u0, v0, u1, v1) in enumerate(charts):
        for a0, b0, a1, b1 in charts[number + 1 :]:
            assert u1 < a0 or a1 < u0 or v1 < b0 or b1 < v0
    corners = {
        (frozenset(face), vertex): uv
        for face, row in zip(template.quads.tolist(), template.uv, strict=True)
        for vertex, uv in zip(face, row, strict=True)
    }
    for (face, vertex), uv in corners.items():
        other = corners[frozenset(int(template.mirror[v]) for v in face), int(template.mirror[vertex])]
        np.testing.assert_allclose(other, [1 - uv[0], uv[1]], atol=1e-6)


@pytest.mark.parametrize("box", [BOXES[0], *BOXES[2:-1]], ids=names)
def test_all_sides_but_the_underside_have_about_as_many_texels_a_unit_of_area(box: TemplateConfig) -> None:
    template, sides = make_template(box), sides_of(box)
    x, y, z = box.proportions
    surface = np.array([y * z, y * z, x * z, x * z, x * y, x * y])
    density = np.array([area(template.uv[sides == side]).sum() for side in range(6)]) / surface
    seen = density[[0, 1, 2, 3, 5]]
    assert seen.max() < 1.35 * seen.min() and density[4] < 0.6 * seen.min()
    # And in both directions: a cube's sides are stretched by less than two.
    extent = [np.ptp(template.uv[sides == side].reshape(-1, 2), axis=0) for side in (0, 2)]
    if box == TemplateConfig():
        assert all(max(u / v, v / u) < 2 for u, v in extent)


def test_the_default_is_a_cube_of_about_as_many_vertices_as_the_cars() -> None:
    cube, car = make_template(), make_template(CAR_BOX)
    np.testing.assert_allclose(np.ptp(cube.vertices, axis=0), 1, atol=1e-6)
    assert np.ptp(car.vertices, axis=0)[0] == pytest.approx(0.42, abs=0.01)
    assert abs(len(cube.vertices) / len(car.vertices) - 1) < 0.05
    assert abs(len(make_template(SMALL_CUBE).vertices) / len(make_template(SMALL_CAR_BOX).vertices) - 1) < 0.05
    assert (Atlas.of(cube, 256).triangle_of_texel >= 0).mean() > 0.8


@pytest.mark.parametrize("name", ["car", "car-gan"])
def test_uvs_of_cars_have_not_moved(name: str) -> None:
    shipped, made = Template.load(bundle_folders()[name] / "template.npz"), make_template(CAR_BOX)
    for field in ("uv", "quads", "mirror"):
        np.testing.assert_array_equal(getattr(shipped, field), getattr(made, field))


def write_card(folder: Path, text: str) -> Path:
    (folder / "dataset.json").write_text(text)
    return folder


def test_cars_start_from_a_cars_box_and_all_else_from_a_cube(tmp_path: Path) -> None:
    assert category_of(tmp_path) == "" and start_box(CUBE, "", tmp_path) == CUBE
    write_card(tmp_path, json.dumps({"category": "car"}))
    assert start_box(CUBE, "", tmp_path) == CAR_BOX and start_box(SMALL_CUBE, "", tmp_path) == SMALL_CAR_BOX
    assert start_box(CUBE, "chair", tmp_path) == CUBE
    own = replace(CUBE, cells_y=30)
    assert start_box(own, "", tmp_path) == own, "what was set is not replaced"
    write_card(tmp_path, json.dumps({"category": "chair"}))
    assert start_box(CUBE, "", tmp_path) == CUBE and start_box(CUBE, "Car", tmp_path) == CAR_BOX
    for text in ("[]", "{", '{"category": 3}'):
        assert category_of(write_card(tmp_path, text)) == ""


@pytest.mark.parametrize("presets", [inverse_graphics.PRESETS, multi_view.PRESETS])
def test_every_preset_has_a_box_for_cars(presets, tmp_path: Path) -> None:
    write_card(tmp_path, json.dumps({"category": "car"}))
    for preset in presets.values():
        assert start_box(preset.template, preset.category, tmp_path).proportions == CAR_BOX.proportions
