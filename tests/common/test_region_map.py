# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A texture in other colours: exact where it is plain, mixed at borders, and what is nobody's stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.common.region_map import Recolouring, covered, packed, recoloured, regions_of, with_shares

FOUND = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.12], [0.6, 0.62, 0.65]])
WANTED = np.array([[0.1, 0.3, 0.7], [0.1, 0.1, 0.12], [0.9, 0.7, 0.2]])
PLAIN = np.array([[0, 255, 0], [16 + 2, 255, 0], [32, 255, 0]], np.uint8)
channels = st.integers(0, 255)


def bytes_of(colours: np.ndarray) -> np.ndarray:
    return np.round(np.asarray(colours) * 255).astype(np.uint8)


def decoded(colours: np.ndarray) -> np.ndarray:
    """Light, 0 to 1, of sRGB, 0 to 1."""
    return np.where(colours > 0.04045, ((colours + 0.055) / 1.055) ** 2.4, colours / 12.92)


def recolour(base: np.ndarray, region_map: np.ndarray, wanted: np.ndarray = WANTED) -> np.ndarray:
    """The texture (..., 3) in another palette than FOUND."""
    made = Recolouring(base, region_map, FOUND).colours(wanted)
    assert (made[..., 3] == 1).all()
    return made[..., :3]


@given(values=st.lists(channels, min_size=3, max_size=3), found=channels, wanted=channels)
def test_a_colour_goes_to_the_wanted_one_and_brighter_stays_brighter(
    values: list[int], found: int, wanted: int
) -> None:
    ordered = np.sort(np.array([*values, found], np.float32))
    made = recoloured(ordered, np.full(4, found, np.float32), np.full(4, wanted, np.float32))
    assert made[ordered == found] == pytest.approx(wanted)
    assert (np.diff(made) >= -1e-3).all() and made.min() >= -1e-3 and made.max() <= 255.001


def test_shade_on_one_colour_is_the_same_shade_on_another() -> None:
    """Of all channels alike, though those near black are stored otherwise; else shade on orange is green on blue."""
    orange, blue = np.array([0.93, 0.37, 0.007]), np.array([0.01, 0.09, 0.3])
    for light in (0.35, 0.6, 0.85):
        before, shaded, after, expected = (encoded(one) for one in (orange, light * orange, blue, light * blue))
        made = recoloured(np.round(shaded), np.round(before), after)
        np.testing.assert_allclose(made, expected, atol=9)  # blue is one of few whole numbers in orange


def encoded(linear: np.ndarray) -> np.ndarray:
    """sRGB, 0 to 255, of light, 0 to 1."""
    return 255 * np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)


def test_plain_texels_get_the_wanted_colours_exactly_and_others_stay() -> None:
    made = recolour(bytes_of(FOUND), PLAIN)
    np.testing.assert_array_equal(bytes_of(made), bytes_of(WANTED))


def test_with_the_found_palette_every_texel_is_what_it_was() -> None:
    rng = np.random.default_rng(1)
    base = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    share = rng.integers(0, 256, (40, 40), dtype=np.uint8)
    region_map = np.stack([rng.integers(0, 3, (40, 40)) * 16 + 1, share, (255 - share) // 2], axis=2).astype(np.uint8)
    np.testing.assert_array_equal(bytes_of(recolour(base, region_map, FOUND)), base)


def test_one_palette_after_another_leaves_nothing_of_the_one_before() -> None:
    rng = np.random.default_rng(2)
    base = rng.integers(0, 256, (30, 30, 3), dtype=np.uint8)
    share = rng.integers(0, 256, (30, 30), dtype=np.uint8)
    region_map = np.stack([rng.integers(0, 3, (30, 30)) * 17, share, 255 - share], axis=2).astype(np.uint8)
    many = Recolouring(base, region_map, FOUND)
    for wanted in (WANTED, FOUND[::-1], WANTED[::-1], FOUND):
        np.testing.assert_array_equal(many.colours(wanted)[..., :3], recolour(base, region_map, wanted))
    np.testing.assert_array_equal(bytes_of(many.colours(FOUND)[..., :3]), base)


def test_what_covers_a_texel_has_its_colour_and_the_rest_stays_below() -> None:
    border = packed(np.array([[0.6], [0.4]]), np.array([[0], [1]]))
    for share, region, expected in ((1.0, 2, WANTED[2]), (0.25, 2, 0.25 * WANTED[2] + 0.75 * WANTED[0])):
        region_map = covered(border[None], np.full((1, 1), share), np.full((1, 1), region))[0]
        base = bytes_of([share * FOUND[2] + (1 - share) * FOUND[0]])
        np.testing.assert_allclose(recolour(base, region_map)[0], expected, atol=0.015)
    nobody = covered(border[None], np.full((1, 1), 0.5), np.full((1, 1), -1))
    np.testing.assert_array_equal(nobody, with_shares(border[None], np.full((1, 1), 0.5)))


def test_a_map_knows_whose_texels_it_has() -> None:
    border = np.array([[16 * 5 + 1, 120, 135]], np.uint8)
    assert regions_of(PLAIN[None]) == [0, 1, 2] and regions_of(np.concatenate([PLAIN[2:], border])[None]) == [2]
    assert regions_of(with_shares(PLAIN[None], np.zeros((1, 3)))) == []


def test_a_border_is_the_mixture_of_the_new_colours() -> None:
    share = np.linspace(0, 1, 11)
    shares = np.stack([np.maximum(share, 1 - share), np.minimum(share, 1 - share)])
    regions = np.where(share >= 0.5, [[0], [2]], [[2], [0]])
    base = bytes_of(share[:, None] * FOUND[0] + (1 - share[:, None]) * FOUND[2])
    made = recolour(base, packed(shares, regions))
    expected = share[:, None] * WANTED[0] + (1 - share[:, None]) * WANTED[2]
    np.testing.assert_allclose(made, expected, atol=2.5 / 255)


def test_a_gap_stays_darker_and_a_bulb_brighter_than_the_colour_around_it() -> None:
    dim = encoded(0.2 * decoded(FOUND[0])) / 255
    gap, plain, bulb = recolour(bytes_of([dim, FOUND[0], 0.5 + 0.5 * FOUND[0]]), np.tile(PLAIN[0], (3, 1)))
    np.testing.assert_allclose(255 * gap, encoded(0.2 * decoded(plain)), atol=6)
    np.testing.assert_allclose(bulb, 0.5 + 0.5 * plain, atol=0.01)


def test_steps_of_a_dark_colour_do_not_tear_apart_on_a_bright_one() -> None:
    black, white = np.full(3, 8.0), np.full(3, 210.0)
    gap, noise, plain = recoloured(np.array([2.0, 7.0, 8.0]), black, white)
    assert plain == 210 and plain - noise <= 10 and gap < 0.8 * plain


def test_what_is_nobodys_keeps_its_colour() -> None:
    sticker = np.array([[20, 40, 220]], np.uint8)
    for followed, kept in ((0.0, 1.0), (0.5, 0.5)):
        region_map = with_shares(PLAIN[None, :1], np.full((1, 1), followed))
        made = recolour(sticker, region_map[0])
        all_of_it = recolour(sticker, PLAIN[:1])
        np.testing.assert_allclose(made, kept * sticker / 255 + (1 - kept) * all_of_it, atol=0.01)
