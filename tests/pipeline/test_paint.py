# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps made of markings and palettes: exact colours beside crisp edges, thin gaps, and what stands at single texels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.common.region_map import Recolouring
from backend.common.regions import REGIONS, Finish, Palette
from backend.pipeline.atlas import Atlas
from backend.pipeline.paint import Maps, paint, region_of_quads, without_flat_lines
from backend.render.box_charts import box_charts
from backend.render.template import Markings, Template, TemplateConfig, make_template

SHEET = 40
U0, V0, U1, V1 = box_charts((1.0, 1.0, 1.0)).boxes["top"]
"""Of the chart of the box's top; v runs down."""
MIDDLE = 0.42 * U0 + 0.58 * U1
GLASS = Finish((0.2, 0.8, 0.6), 0.2, 0.6)
PAINT = Finish((0.8, 0.2, 0.4), 0.6, 0.0)
PALETTE = replace(Palette(), paint=PAINT, glass=GLASS, head_lamp=Finish((0.2, 0.2, 0.9), 0.3, 0.9))
rng = np.random.default_rng


@pytest.fixture(scope="module")
def box() -> Template:
    """A cube with sharp edges whose sheet is its atlas."""
    template = make_template(TemplateConfig(4, 4, 4, roundness=1000))
    return replace(template, markings=Markings(template.uv, SHEET, SHEET))


def across(slope: float = 1.0, middle: float = MIDDLE) -> np.ndarray:
    """(S, S) signed distance to the line u = middle: negative to its left, in lengths of the object on the top."""
    u = (np.arange(SHEET) + 0.5) / SHEET
    return np.tile(slope * (u - middle) / (U1 - U0), (SHEET, 1)).astype(np.float32)


def everywhere(distance: float) -> np.ndarray:
    return np.full((SHEET, SHEET), distance, np.float32)


def painted(template: Template, size: int, **markings: np.ndarray) -> Maps:
    return paint(template, template.vertices, tuple(markings), np.stack(list(markings.values())), PALETTE, size)


def on_top(size: int) -> tuple[slice, slice]:
    """Rows and columns of the texels well inside the top's chart."""
    return slice(int(V0 * size) + 3, int(V1 * size) - 3), slice(int(U0 * size) + 3, int(U1 * size) - 3)


def whole(maps: Maps) -> np.ndarray:
    """(Q, Q, 5) colours, roughness and metallic, 0 to 1."""
    return np.concatenate([maps.base_colour, maps.surface], axis=2) / 255.0


def numbers(finish: Finish) -> np.ndarray:
    return np.array([*finish.colour, finish.roughness, finish.metallic])


# ---- Regions ----


@pytest.mark.parametrize("size", [96, 300])
def test_an_edge_lies_where_its_marking_says_and_is_a_texel_wide(box: Template, size: int) -> None:
    maps = painted(box, size, glass=across())
    rows, columns = on_top(size)
    values = whole(maps)[rows, columns]
    u = (np.arange(size)[columns] + 0.5) / size
    texels = (u - MIDDLE) * size
    # All rows are alike but for the texels' own sizes, which are those of squares of the same area.
    texel = 1 / (size * np.sqrt((U1 - U0) * (V1 - V0)))
    glass = 1 / (1 + np.exp(4 * (u - MIDDLE) / (U1 - U0) / texel))
    expected = glass[:, None] * numbers(GLASS) + (1 - glass[:, None]) * numbers(PAINT)
    np.testing.assert_allclose(values, np.broadcast_to(expected, values.shape), atol=1.5 / 255)
    # Exact beyond a texel or two on either side.
    for finish, side in ((GLASS, texels < -2), (PAINT, texels > 2)):
        assert side.sum() > 5
        assert (np.round(values[:, side] * 255) == np.round(np.float32(numbers(finish)) * 255)).all()
    share = (values[..., 1] - PAINT.colour[1]) / (GLASS.colour[1] - PAINT.colour[1])
    mixed = (share > 0.1) & (share < 0.9)
    assert (mixed.sum(axis=1) <= 2).all()
    # Where the share is a half: as many texels of glass as lie to the left of the line.
    np.testing.assert_allclose(share.sum(axis=1), MIDDLE * size - columns.start, atol=0.1)


def test_the_map_of_regions_says_what_most_of_a_texel_is(box: Template) -> None:
    size = 120
    maps = painted(box, size, rim=everywhere(0.5), glass=across(), trim=everywhere(-0.5))
    rows, columns = on_top(size)
    u = (np.arange(size)[columns] + 0.5) / size
    expected = np.where(u < MIDDLE, REGIONS.index("glass"), REGIONS.index("trim"))
    assert maps.regions.dtype == np.uint8
    np.testing.assert_array_equal(
        maps.regions[rows, columns], np.broadcast_to(expected, (rows.stop - rows.start, len(u)))
    )
    flat = np.round(np.float32(numbers(PALETTE.trim)) * 255)
    for texel in np.argwhere(maps.regions == REGIONS.index("trim"))[::50]:
        near = whole(maps)[tuple(texel)] * 255
        assert np.abs(near - flat).max() <= 0.51 * np.abs(numbers(GLASS) * 255 - flat).max()


def test_the_region_map_makes_the_maps_of_another_palette(box: Template) -> None:
    """At borders and in gaps too, as if the box was painted anew."""
    distances = np.stack([across(), across(middle=MIDDLE + 0.03), across(middle=MIDDLE + 0.02)])
    names = ("glass", "trim", "door")
    wanted = replace(PALETTE, paint=Finish((0.1, 0.2, 0.7), 0.6), glass=Finish((0.5, 0.3, 0.1), 0.2))
    maps, again = (paint(box, box.vertices, names, distances, one, 200) for one in (PALETTE, wanted))
    before, after = (one.array()[:, :3] for one in (PALETTE, wanted))
    made = Recolouring(maps.base_colour, maps.region_map, before).colours(after)[..., :3] * 255
    off = np.abs(made - again.base_colour).max(axis=2)
    assert np.abs(maps.base_colour.astype(float) - again.base_colour).max() > 90
    assert off.max() <= 6 and (off > 1).mean() < 0.02


def test_every_region_has_its_own_row_of_the_palette(box: Template) -> None:
    """One marking after another covers all."""
    made = Palette.of_array(rng(0).random((len(REGIONS), 5)))
    for marking, region in (("rubber", "rubber"), ("grille", "dark"), ("arch", "underside"), ("tail", "tail_lamp")):
        maps = paint(box, box.vertices, ("door_", marking), np.stack([everywhere(-1), everywhere(-1)]), made, 32)
        expected = np.round(made.array()[REGIONS.index(region)] * 255)
        assert (np.round(whole(maps) * 255) == expected).all() and (maps.regions == REGIONS.index(region)).all()


def test_there_is_no_gap_between_the_charts(box: Template) -> None:
    maps = painted(box, 150, glass=across())
    atlas = Atlas.of(box, 150)
    outside = atlas.triangle_of_texel < 0
    assert outside.any()
    colours = {tuple(colour) for colour in maps.base_colour[~outside].tolist()}
    assert {tuple(colour) for colour in maps.base_colour[outside].tolist()} <= colours


def test_a_larger_object_has_larger_texels_and_hence_softer_edges(box: Template) -> None:
    distances = across()[None]
    near, far = (paint(box, box.vertices * s, ("glass",), distances, PALETTE, 200) for s in (1, 4))
    rows, columns = on_top(200)
    mixed = [
        ((maps.base_colour[rows, columns, 1] > 60) & (maps.base_colour[rows, columns, 1] < 170)).sum()
        for maps in (near, far)
    ]
    assert mixed[1] == pytest.approx(4 * mixed[0], rel=0.35)


@pytest.mark.parametrize("band", [1, 97, 4000])
def test_maps_are_the_same_however_many_texels_are_painted_at_once(
    box: Template, band: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    markings = {name: across(middle=MIDDLE + shift) for name, shift in (("glass", 0), ("head", 0.05), ("door", -0.1))}
    expected = painted(box, 48, **markings)
    monkeypatch.setattr("backend.pipeline.paint._BAND", band)
    found = painted(box, 48, **markings)
    for one, other in zip(vars(expected).values(), vars(found).values(), strict=True):
        np.testing.assert_array_equal(one, other)
        assert other.flags.c_contiguous and len(np.unique(other)) > 1


def test_a_template_without_markings_is_refused(box: Template) -> None:
    plain = replace(box, markings=None)
    with pytest.raises(ValueError, match="no markings"):
        paint(plain, plain.vertices, ("glass",), across()[None], PALETTE, 32)
    with pytest.raises(ValueError, match="no markings"):
        region_of_quads(plain, ("glass",), across()[None])


# ---- Details ----


@pytest.mark.parametrize("name", ["door", "lid", "seam"])
@pytest.mark.parametrize("size, scale", [(100, 1.0), (400, 1.0), (400, 0.04)])
def test_gaps_are_thin_and_as_dark_together_at_any_size(box: Template, name: str, size: int, scale: float) -> None:
    """Where a texel is wider than a gap it is darkened by the gap's part. ``scale``: of an object so small that a gap
    is many texels wide."""
    maps = paint(box, box.vertices * scale, (name,), across(scale)[None], PALETTE, size)
    rows, columns = on_top(size)
    row = whole(maps)[(rows.start + rows.stop) // 2, columns]
    texel = scale / (size * (U1 - U0))
    darkness = 1 - row[:, :3] / PAINT.colour
    away = ((np.arange(size)[columns] + 0.5) / size - MIDDLE) * size * texel
    # 5 mm of a car 4.5 m long on either side, which leave three tenths of the colour.
    assert darkness[:, 0].sum() * texel == pytest.approx(2 * 0.0011 * 0.7, rel=0.15)
    assert darkness.max() == pytest.approx(0.7 * min(1, 0.0011 / texel), abs=0.02)
    assert (darkness[np.abs(away) > 0.0011 + 2 * texel] < 0.01).all()
    assert (darkness[np.abs(away) < 0.0011 - texel] > 0.65).all() and ((0.0011 > 3 * texel) == (scale < 1))
    assert (np.abs(row[:, 3:] - numbers(PAINT)[3:]) < 1 / 255).all()


def test_gaps_are_between_panels_alone_and_only_the_nearest_counts(box: Template) -> None:
    size = 400
    plain = painted(box, size, glass=across(middle=MIDDLE - 0.1))
    for others in ({"door": across()}, {"door": across(), "seam": across(), "lid": everywhere(0.3)}):
        lined = painted(box, size, glass=across(middle=MIDDLE - 0.1), **others)
        alone = painted(box, size, glass=across(middle=MIDDLE - 0.1), seam=across())
        np.testing.assert_array_equal(lined.base_colour, alone.base_colour)
        changed = (lined.base_colour != plain.base_colour).any(axis=2)
        assert changed.any() and (plain.regions[changed] == REGIONS.index("paint")).all()
    under_glass = painted(box, size, glass=everywhere(-1), door=across())
    assert (under_glass.base_colour == np.round(np.float32(GLASS.colour) * 255)).all()


def test_bulbs_shine_in_lamps_and_spokes_have_gaps_in_rims_alone(box: Template) -> None:
    size = 120
    rows, columns = on_top(size)
    u = (np.arange(size)[columns] + 0.5) / size
    left, right = (u - MIDDLE) * size < -3, (u - MIDDLE) * size > 3
    for detail, lamp, region in (("bulb", "head", "head_lamp"), ("spoke_gap", "rim", "rim")):
        own = numbers(getattr(PALETTE, region))
        both = whole(painted(box, size, **{lamp: everywhere(-1), detail: across()}))[rows, columns]
        np.testing.assert_allclose(both[:, right], np.broadcast_to(own, both[:, right].shape), atol=1 / 255)
        inside = both[:, left].reshape(-1, 5)
        assert np.ptp(inside, axis=0).max() < 1e-6 and np.abs(inside[0] - own).max() > 0.2
        assert (inside[0, 0] > own[0]) == (detail == "bulb")
        elsewhere = painted(box, size, glass=everywhere(-1), **{detail: everywhere(-1)})
        assert (elsewhere.base_colour == np.round(np.float32(GLASS.colour) * 255)).all()


# ---- Faces ----


@pytest.mark.parametrize("cell, part, glass", [(1, 0.3, 1), (1, 0.7, 2), (2, 0.3, 2), (3, 0.9, 4)])
def test_faces_belong_to_the_region_that_most_of_them_shows(box: Template, cell: int, part: float, glass: int) -> None:
    """Four columns of quads on the top, cut by a line within one of them."""
    cut = U0 + (cell + part) / 4 * (U1 - U0)
    found = region_of_quads(box, ("trim", "glass"), np.stack([everywhere(1), across(middle=cut)]))
    assert found.dtype == np.int32 and found.shape == (len(box.quads),)
    top = (np.ptp(box.vertices[box.quads, 2], axis=1) < 1e-3) & (box.vertices[box.quads, 2].mean(axis=1) > 0)
    column = np.round((box.vertices[box.quads, 0].mean(axis=1) + 0.5) * 4 - 0.5)
    assert top.sum() == 16
    expected = np.where(column < glass, REGIONS.index("glass"), REGIONS.index("paint"))
    np.testing.assert_array_equal(found[top], expected[top])


@pytest.mark.parametrize("turned", [False, True])
def test_the_region_of_a_face_is_counted_all_over_it(box: Template, turned: bool) -> None:
    """Two thirds of every quad lie on either side of an hourglass, upright or lying."""
    corners = np.array([[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]], np.float32)
    template = replace(box, markings=Markings(np.tile(corners, (len(box.quads), 1, 1)), SHEET, SHEET))
    x, y = np.meshgrid(*[np.abs((np.arange(SHEET) + 0.5) / SHEET - 0.5)] * 2)
    beside = (y - 1.5 * x if not turned else x - 1.5 * y).astype(np.float32)
    assert (region_of_quads(template, ("glass",), beside[None]) == REGIONS.index("glass")).all()
    assert (region_of_quads(template, ("glass",), -beside[None]) == REGIONS.index("paint")).all()


def test_of_several_markings_the_one_above_gives_a_face_its_region(box: Template) -> None:
    names = ("glass", "rim", "dark")
    found = region_of_quads(box, names, np.stack([everywhere(-1), everywhere(-0.01), everywhere(-3)]))
    assert (found == REGIONS.index("rim")).all()
    found = region_of_quads(box, names, np.stack([everywhere(-1), everywhere(0.01), everywhere(-3)]))
    assert (found == REGIONS.index("glass")).all()


# ---- Palettes ----


def test_palettes_come_back_from_their_arrays() -> None:
    values = rng(1).random((len(REGIONS), 5)).astype(np.float32)
    palette = Palette.of_array(values)
    np.testing.assert_array_equal(palette.array(), values)
    assert Palette.of_array(palette.array()) == palette
    row = REGIONS.index("tail_lamp")
    assert palette.tail_lamp == Finish(tuple(values[row, :3].tolist()), float(values[row, 3]), float(values[row, 4]))
    plain = Palette().array()
    assert plain.shape == (len(REGIONS), 5) and plain.dtype == np.float32
    np.testing.assert_allclose(plain[REGIONS.index("chrome")], numbers(Palette().chrome), rtol=1e-6)


@pytest.mark.parametrize("shape", [(13, 4), (12, 5), (13,), (65,), (1, 13, 5), (0, 5)])
def test_palettes_of_another_shape_are_refused_in_one_sentence(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^A palette has 13 rows of 5 numbers, not the shape .*\.$"):
        Palette.of_array(np.zeros(shape))


# ---- Texels ----


def barycentric(corners: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Weights of a triangle's corners (3, 2) at a place, within or beyond it."""
    return np.linalg.solve(np.concatenate([corners.T, np.ones((1, 3))]), [*place, 1])


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.sampled_from([16, 33, 64]))
def test_values_at_corners_are_interpolated_by_the_texels_place_in_its_triangle(seed: int, size: int) -> None:
    template = make_template(TemplateConfig(4, 3, 2))
    atlas = Atlas.of(template, size)
    inside = np.flatnonzero(atlas.triangle_of_texel.reshape(-1) >= 0)
    flat = rng(seed).choice(inside, 60)
    values = rng(seed).normal(size=(len(template.triangles), 3, 4))
    found = atlas.interpolate_corners(values, flat)
    for texel, value in zip(flat, found, strict=True):
        row, column = divmod(int(texel), size)
        place = np.array([(column + 0.5) / size, 1 - (row + 0.5) / size])
        triangle = atlas.triangle_of_texel[row, column]
        weights = barycentric(template.triangle_uv[triangle].astype(np.float64), place)
        np.testing.assert_allclose(value, weights @ values[triangle], atol=2e-3)
        corners = template.triangle_uv[triangle] * size
        # The triangle holds the texel, but for the half texel that it may begin beyond it.
        assert (corners.min(axis=0) - 1.1 <= place * size).all() and (place * size <= corners.max(axis=0) + 1.1).all()


def test_values_at_vertices_are_values_at_corners_that_agree() -> None:
    template = make_template(TemplateConfig(4, 3, 2))
    atlas = Atlas.of(template, 40)
    flat = np.flatnonzero(atlas.triangle_of_texel.reshape(-1) >= 0)
    values = rng(0).normal(size=(len(template.vertices), 2))
    expected = atlas.interpolate_corners(values[template.triangles], flat)
    np.testing.assert_array_equal(atlas.interpolate(values, flat), expected)
    own = atlas.interpolate_corners(template.triangle_uv, flat)
    rows, columns = np.divmod(flat, 40)
    np.testing.assert_allclose(own, np.stack([(columns + 0.5) / 40, 1 - (rows + 0.5) / 40], axis=1), atol=1e-5)
    assert torch.as_tensor(own).dtype == torch.float32


def test_a_distance_that_is_flat_makes_no_gap_and_one_that_passes_zero_does() -> None:
    across = np.linspace(-0.1, 0.1, 40, dtype=np.float32)[None].repeat(30, axis=0)
    flat = np.full((30, 40), 0.0005, np.float32)
    flat[:, 30:] = np.linspace(0.005, 0.05, 10)
    found = without_flat_lines(np.stack([across, flat, flat]), ("door", "lid", "glass"))
    np.testing.assert_array_equal(found[0], across)
    assert np.abs(found[1][:, :25]).min() > 0.005, "no place of the flat one is near a line"
    np.testing.assert_array_equal(found[2], flat)
