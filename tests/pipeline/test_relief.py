# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Markings in relief: what lies deeper or higher, and normals as geometry of that height would have them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.common.regions import REGIONS, Palette
from backend.pipeline.atlas import Atlas
from backend.pipeline.paint import paint
from backend.pipeline.relief import FLAT, ReliefConfig, heights, normal_map
from backend.render.box_charts import box_charts
from backend.render.template import Markings, Template, TemplateConfig, make_template

SIZE = 120
SHEET = 60
U0, V0, U1, V1 = box_charts((1.0, 1.0, 1.0)).boxes["top"]
"""Of the chart of the box's top; v runs down."""
rng = np.random.default_rng


@pytest.fixture(scope="module")
def box() -> Template:
    """A cube with sharp edges whose sheet is its atlas."""
    template = make_template(TemplateConfig(4, 4, 4, roundness=1000))
    return replace(template, markings=Markings(template.uv, SHEET, SHEET))


def decoded(normals: np.ndarray) -> np.ndarray:
    return normals.astype(float) / 127.5 - 1


def waves(seed: int) -> np.ndarray:
    """(SIZE, SIZE) smooth heights of both signs."""
    rows, columns = np.indices((SIZE, SIZE)) / SIZE
    made = np.zeros((SIZE, SIZE))
    for across, down, phase in rng(seed).uniform(5, 40, (4, 3)):
        made += 0.012 * np.sin(across * columns + down * rows + phase)
    return made.astype(np.float32)


def by_geometry(vertices: np.ndarray, atlas: Atlas, height: np.ndarray, row: int, column: int) -> np.ndarray:
    """The normal at a texel on a plane, from the places in space of its neighbours once they are lifted."""
    triangle = atlas.triangle_of_texel[row, column]
    corners, uv = vertices[atlas.triangles[triangle]].astype(float), atlas.triangle_uv[triangle].astype(float)
    plane = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    plane /= np.linalg.norm(plane)

    def place(r: float, c: float) -> np.ndarray:
        weights = np.linalg.solve(np.vstack([uv.T, np.ones(3)]), [(c + 0.5) / SIZE, 1 - (r + 0.5) / SIZE, 1])
        return weights @ corners

    def lifted(r: int, c: int) -> np.ndarray:
        return place(r, c) + plane * height[r, c]

    along = lifted(row, column + 1) - lifted(row, column - 1)
    up = lifted(row - 1, column) - lifted(row + 1, column)
    normal = np.cross(along, up)
    normal *= np.sign(normal @ plane) / np.linalg.norm(normal)
    # The frame: along u, square to it in the plane on the side of v, and out of the plane.
    tangent = place(row, column + 1) - place(row, column)
    tangent /= np.linalg.norm(tangent)
    other = np.cross(plane, tangent)
    other *= np.sign(other @ (place(row - 1, column) - place(row, column)))
    return np.array([normal @ tangent, normal @ other, normal @ plane])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("turned", [False, True])
def test_normals_are_those_of_the_lifted_surface(box: Template, seed: int, turned: bool) -> None:
    """On a sheared and stretched box, with charts as they are and with charts turned over and lying on their side."""
    template = box
    if turned:
        uv = np.stack([1 - box.uv[..., 1], 1 - box.uv[..., 0]], axis=2)
        uv[..., 0] = 1 - uv[..., 0]
        template = replace(box, uv=uv.astype(np.float32))
    stretch = np.array([[1.3, 0.2, 0.0], [0.4, 0.7, 0.0], [0.0, 0.0, 1.0]])
    vertices = (box.vertices @ stretch).astype(np.float32)
    atlas = Atlas.of(template, SIZE)
    height = waves(seed)
    found = decoded(normal_map(template, vertices, atlas, height))
    z = box.vertices[box.triangles][..., 2]
    top = np.append((np.ptp(z, axis=1) < 1e-3) & (z.mean(axis=1) > 0), False)[atlas.triangle_of_texel]
    inner = top.copy()
    for step in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        inner &= np.roll(top, step, axis=(0, 1))
    places = np.argwhere(inner)
    assert len(places) > 300
    tilted = 0
    for row, column in places[rng(seed).choice(len(places), 150, replace=False)]:
        expected = by_geometry(vertices, atlas, height, row, column)
        if np.hypot(*expected[:2]) / expected[2] > ReliefConfig().steepest:
            continue
        np.testing.assert_allclose(found[row, column], expected, atol=0.012)
        tilted += np.hypot(*expected[:2]) > 0.05
    assert tilted > 50


def test_a_level_step_between_charts_is_no_slope_and_the_plane_is_flat(box: Template) -> None:
    atlas = Atlas.of(box, SIZE)
    bounds = np.append(np.unique(box.chart_bounds, axis=0, return_inverse=True)[1].reshape(-1), 0)
    height = (0.01 * bounds[atlas.triangle_of_texel]).astype(np.float32)
    assert len(np.unique(height)) >= 6
    assert (normal_map(box, box.vertices, atlas, height) == FLAT).all()


def test_no_slope_is_steeper_than_the_config_allows(box: Template) -> None:
    atlas = Atlas.of(box, SIZE)
    found = decoded(normal_map(box, box.vertices, atlas, 100 * waves(0)))
    slope = np.hypot(found[..., 0], found[..., 1]) / found[..., 2]
    assert slope.max() == pytest.approx(ReliefConfig().steepest, rel=0.03)


def test_grooves_glass_plate_and_spokes_lie_where_they_should() -> None:
    """Heights at single texels, each wholly of one region, well away from or right on an outline."""
    config = ReliefConfig()
    far, on = 0.03, 0.0
    markings = ("door", "spoke_gap")
    cases = {
        "plain paint": ("paint", far, far, 0.0),
        "a door's gap": ("paint", on, far, -config.depth),
        "the same gap under glass": ("glass", on, far, dict(config.levels)["glass"]),
        "glass": ("glass", far, far, dict(config.levels)["glass"]),
        "plate": ("plate", far, far, dict(config.levels)["plate"]),
        "grille": ("dark", far, far, dict(config.levels)["dark"]),
        "spoke": ("rim", far, far, 0.0),
        "between spokes": ("rim", far, -far, config.spoke_gap),
        "between spokes, but a tyre": ("rubber", far, -far, 0.0),
    }
    shares = torch.zeros(len(REGIONS), len(cases))
    for place, (region, *_) in enumerate(cases.values()):
        shares[REGIONS.index(region), place] = 1
    distances = torch.tensor([[door for _, door, _, _ in cases.values()], [gap for _, _, gap, _ in cases.values()]])
    found = heights(shares, distances, markings, torch.full((len(cases),), 1e-4))
    for name, value, (_, _, _, expected) in zip(cases, found.tolist(), cases.values(), strict=True):
        assert value == pytest.approx(expected, abs=2e-5), name
    assert dict(config.levels)["glass"] < 0 < dict(config.levels)["plate"]


@pytest.mark.parametrize("texel", [0.0005, 0.002, 0.01])
def test_a_groove_narrower_than_a_texel_is_as_much_shallower(texel: float) -> None:
    """What it takes away, width times depth, is the same at any size of the texture."""
    config = ReliefConfig()
    across = torch.arange(-400, 400) * texel / 40
    shares = torch.zeros(len(REGIONS), len(across))
    shares[0] = 1
    found = heights(shares, across[None], ("door",), torch.full((len(across),), texel))
    assert float(-found.sum()) * texel / 40 == pytest.approx(2 * config.half_width * config.depth, rel=0.05)


def mirrored_door() -> np.ndarray:
    """(1, S, S) signed distance to two lines, on the top in lengths of the object."""
    u = (np.arange(SHEET) + 0.5) / SHEET
    return np.tile((0.1 - np.abs(u - 0.5)) / (U1 - U0), (1, SHEET, 1)).astype(np.float32)


def test_painted_maps_have_normals_beside_lines_alone_and_mirrored_on_the_other_side(box: Template) -> None:
    size, scale = 300, 0.1  # so small that a groove is as wide as a texel
    maps = paint(box, box.vertices * scale, ("door",), mirrored_door() * scale, Palette(), size)
    assert maps.normal.shape == (size, size, 3) and maps.normal.dtype == np.uint8 and maps.normal.flags.c_contiguous
    rows, columns = slice(int(V0 * size) + 3, int(V1 * size) - 3), slice(int(U0 * size) + 3, int(U1 * size) - 3)
    u = (np.arange(size) + 0.5) / size
    away = np.abs(np.abs(u - 0.5) - 0.1) * size > 4
    assert (maps.normal[:, away][rows] == FLAT).all()
    left, right = decoded(maps.normal[rows, columns]), decoded(maps.normal[:, ::-1][rows, columns])
    assert (np.abs(left[..., 0]) > 0.05).any()
    np.testing.assert_allclose(left[..., 0], -right[..., 0], atol=0.02)
    np.testing.assert_allclose(left[..., 1:], right[..., 1:], atol=0.02)
    assert np.abs(np.linalg.norm(left, axis=2) - 1).max() < 0.02
    # The groove goes down towards its middle: its left bank faces right.
    door = np.argmin(np.abs(u - 0.4))
    banks = decoded(maps.normal[(rows.start + rows.stop) // 2, door - 3 : door + 4])[:, 0]
    assert banks[:3].max() > 0.05 and banks[4:].min() < -0.05


def test_lacquer_is_on_paint_alone(box: Template) -> None:
    names = ("two_tone", "glass")
    u = (np.arange(SHEET) + 0.5) / SHEET
    bands = [np.tile((np.abs(u - middle) - 0.1) / (U1 - U0), (SHEET, 1)) for middle in (0.3, 0.7)]
    maps = paint(box, box.vertices, names, np.stack(bands).astype(np.float32), Palette(), 200)
    for region, expected in (("paint", 255), ("two_tone", 255), ("glass", 0)):
        mine = maps.regions == REGIONS.index(region)
        sure = (maps.coat == expected) & mine
        assert mine.sum() > 500 and sure.sum() > 0.8 * mine.sum(), region
