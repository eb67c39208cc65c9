# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Palette and light of photographs that were drawn with known paints, in light of known brightness."""

from __future__ import annotations

import numpy as np
import pytest

from backend.common.harmonics import spherical_harmonics
from backend.common.regions import REGIONS, Finish, Palette
from backend.pipeline.parts_colour import (
    Candidates,
    ColourConfig,
    decoded,
    encoded,
    greys,
    light_by_references,
    likely_colour,
    street_paints,
    together,
)
from backend.pipeline.parts_look import LookConfig, mirrored_gain, palette_and_light
from tests.helpers.lit_ball import LIGHT, SIDE, Drawn, grey

CONFIG = ColourConfig()


@pytest.mark.parametrize("brightness", [0.25, 0.6, 1.1])
@pytest.mark.parametrize("paint", [(0.78, 0.78, 0.78), (0.3, 0.02, 0.02), (0.01, 0.03, 0.12), (0.012, 0.012, 0.012)])
def test_a_paint_is_found_in_whatever_light_it_was_photographed(
    paint: tuple[float, float, float], brightness: float
) -> None:
    palette, light = Drawn(paint, brightness).look()
    np.testing.assert_allclose(palette.paint.colour, encoded(np.array(paint)), atol=0.13)
    assert light[0].mean() * 0.282095 == pytest.approx(brightness, rel=0.45)


def test_what_is_mirrored_in_a_black_paint_does_not_make_it_grey() -> None:
    """Half of the paint mirrors a bright sky: it looks ten times as bright as black does."""
    colours, normals, shares = Drawn(grey(0.008), 0.6, 0.04).arrays()
    colours[:, : SIDE // 2] = np.where(
        shares[REGIONS.index("paint")][:, : SIDE // 2, None] > 0, 0.55, colours[:, : SIDE // 2]
    )
    palette, _ = palette_and_light(colours, normals, shares)
    assert max(palette.paint.colour) < 0.25


def test_tyres_and_panes_tell_a_white_paint_in_little_light_from_a_grey_one_in_much() -> None:
    """Both paints look the same; all else is four times as bright beside the grey one."""
    white, grey_one = Drawn(grey(0.8), 0.3), Drawn(grey(0.2), 1.2)
    seen = [one.arrays()[0][SIDE // 3, SIDE // 2].mean() for one in (white, grey_one)]
    assert abs(seen[0] - seen[1]) < 0.06
    found = [np.mean(one.look()[0].paint.colour) for one in (white, grey_one)]
    np.testing.assert_allclose(found, encoded(np.array([0.8, 0.2])), atol=0.1)


def test_the_hue_of_a_paint_that_no_street_has_is_the_photographs_own() -> None:
    pink = np.array([0.75, 0.12, 0.4])
    palette, _ = Drawn((0.75, 0.12, 0.4), 0.5).look()
    found = decoded(np.array(palette.paint.colour))
    np.testing.assert_allclose(found / found.sum(), pink / pink.sum(), atol=0.06)


def test_a_veil_of_reflections_does_not_wash_the_paint_out() -> None:
    """Half of the red paint mirrors a white sky: its colour is that of the other half."""
    normals = np.zeros((40, 40, 3), np.float32)
    normals[..., 2] = 1
    linear = np.tile(np.array([0.45, 0.02, 0.03]), (40, 40, 1))
    linear[:20] += 0.35
    shares = np.zeros((len(REGIONS), 40, 40), np.float32)
    shares[REGIONS.index("paint")] = 1
    palette, _ = palette_and_light(encoded(linear).astype(np.float32), normals, shares)
    found = decoded(np.array(palette.paint.colour))
    assert found[1:].max() / found[0] < 0.15


def test_the_light_varies_over_the_paint_as_the_true_one_does_and_makes_the_palette_as_bright_as_the_photograph() -> (
    None
):
    drawn = Drawn((0.3, 0.03, 0.03), 0.8, 0.0)
    colours, normals, shares = drawn.arrays()
    palette, light = drawn.look()
    paint = shares[REGIONS.index("paint")] > 0
    received = spherical_harmonics(normals[paint].astype(np.float64)) @ light[:, 0]
    true = spherical_harmonics(normals[paint].astype(np.float64)) @ LIGHT
    assert np.corrcoef(received, true)[0, 1] > 0.97
    shown = decoded(colours[paint])[:, 0].mean()
    assert (received * decoded(np.array(palette.paint.colour))[0]).mean() == pytest.approx(shown, rel=0.3)


def test_gaps_between_spokes_do_not_darken_a_rim_and_dark_rims_stay_dark() -> None:
    colours, normals, shares = Drawn(grey(0.3), 0.6).arrays()
    rim = np.zeros((SIDE, SIDE), bool)
    rim[20:28, 20:40] = True
    for value, expected in ((0.38, 0.67), (0.02, 0.17)):
        shown, owner = colours.copy(), shares.copy()
        owner[:, rim], owner[REGIONS.index("rim"), rim] = 0, 1
        shown[rim] = encoded(np.array(value * 0.6 * 0.64 + 0.01))
        shown[20:28, 20:40:3] = 0.05
        palette, _ = palette_and_light(shown, normals, owner)
        assert np.mean(palette.rim.colour) == pytest.approx(expected, abs=0.12)
        assert (palette.rim.roughness, palette.rim.metallic) == (Palette().rim.roughness, Palette().rim.metallic)


def test_a_yellow_plate_is_yellow_and_a_white_one_white_also_in_the_shade() -> None:
    for colour in ((0.72, 0.56, 0.06), (0.8, 0.8, 0.78)):
        drawn = Drawn(grey(0.3), 0.6)
        drawn.strips["plate"] = tuple(0.7 * value for value in colour)  # type: ignore[assignment]  # three of three
        np.testing.assert_allclose(drawn.look()[0].plate.colour, encoded(np.array(colour)), atol=0.06)


def test_a_second_paint_is_read_where_there_is_one_and_else_is_the_first() -> None:
    drawn = Drawn((0.35, 0.03, 0.03), 0.6)
    palette, _ = drawn.look()
    assert palette.two_tone == palette.paint
    drawn.strips["two_tone"] = (0.37, 0.07, 0.07)
    np.testing.assert_allclose(drawn.look()[0].two_tone.colour, palette.paint.colour, atol=0.1)
    drawn.strips["two_tone"] = grey(0.07)
    assert max(drawn.look()[0].two_tone.colour) < 0.3


def test_what_is_hardly_seen_keeps_its_ordinary_look() -> None:
    normals = np.zeros((32, 32, 3), np.float32)
    normals[..., 1] = -1
    shares = np.zeros((len(REGIONS), 32, 32), np.float32)
    shares[REGIONS.index("plate"), 4, :5] = 1
    shares[REGIONS.index("paint"), 6, :20] = 1
    palette, light = palette_and_light(np.full((32, 32, 3), 0.2, np.float32), normals, shares)
    assert palette == Palette()
    assert light[1:].max() == 0 and light[0].min() > 0


def test_each_reference_makes_the_light_surer_and_without_any_it_is_the_usual_one() -> None:
    assert light_by_references({}, CONFIG) == pytest.approx(CONFIG.exposure)
    seen = {name: np.full(30, np.exp(one.brightness)) for name, one in CONFIG.references.items()}
    deviations = [light_by_references(dict(list(seen.items())[:count]), CONFIG)[1] for count in range(4)]
    assert deviations == sorted(deviations, reverse=True)
    dim = light_by_references(seen, CONFIG)[0]
    bright = light_by_references({name: 4 * values for name, values in seen.items()}, CONFIG)[0]
    assert 0.6 * np.log(4) < bright - dim < np.log(4)


def test_of_two_candidates_the_likelier_one_wins_where_both_would_need_the_same_trust() -> None:
    two = together(
        (0.9, Candidates(np.array([[0.1] * 3]), np.ones(1))), (0.1, Candidates(np.array([[0.4] * 3]), np.ones(1)))
    )
    between = np.full(3, np.sqrt(0.1 * 0.4))
    found = likely_colour(between, (0.0, 0.5), two, 0.0, CONFIG)
    assert abs(found[0] - 0.1) < abs(found[0] - 0.4)
    assert likely_colour(np.full(3, 0.4), (0.0, 0.05), two, 0.0, CONFIG)[0] == pytest.approx(0.4, rel=0.02)
    assert likely_colour(np.full(3, 0.7), (0.0, 0.3), greys((1.0, (0.5, 0.6))), 0.0, CONFIG)[0] < decoded(np.array(0.6))


def test_paints_of_the_street_are_mostly_white_grey_and_black() -> None:
    paints = street_paints()
    purity = 1 - paints.colours.min(axis=1) / paints.colours.max(axis=1).clip(1e-6)
    assert 0.45 < paints.weights[purity < 0.4].sum() < 0.85
    assert paints.weights.sum() == pytest.approx(1)


def test_a_second_colour_is_believed_where_shape_and_network_agree_on_it() -> None:
    """What the shape alone has there, half of the shares, may as well be the shade of a sill."""
    size = 24
    colours = np.full((size, size, 3), (0.85, 0.6, 0.1), np.float32)
    colours[:, size // 2 :] = 0.06
    normals = np.zeros((size, size, 3), np.float32)
    normals[..., 2] = 1
    seconds = []
    for share in (0.5, 0.95):
        shares = np.zeros((len(REGIONS), size, size), np.float32)
        shares[REGIONS.index("paint"), :, : size // 2] = 1
        shares[REGIONS.index("two_tone"), :, size // 2 :] = share
        palette, _ = palette_and_light(colours, normals, shares)
        seconds.append(np.abs(np.subtract(palette.two_tone.colour, palette.paint.colour)).max())
    assert seconds[0] == 0 and seconds[1] > 0.3


def test_a_scene_is_made_brighter_by_what_its_paint_mirrors_and_never_darker() -> None:
    size = 16
    normals = np.zeros((size, size, 3), np.float32)
    normals[..., 2] = 1
    shares = np.zeros((len(REGIONS), size, size), np.float32)
    shares[REGIONS.index("paint")] = 1
    palette = Palette(paint=Finish((0.5, 0.5, 0.5), 0.3))
    light = np.zeros((9, 3), np.float32)
    light[0] = 1 / 0.282095  # paint under it looks as bright as it is
    for linear, expected in ((1.3, 1.3), (1.0, 1.0), (0.6, 1.0), (4.0, LookConfig().most_mirrored)):
        shown = np.full((size, size, 3), encoded((linear * decoded(np.array([0.5] * 3))).clip(0, 1)), np.float32)
        assert mirrored_gain(shown, normals, shares, palette, light) == pytest.approx(expected, rel=0.02)
