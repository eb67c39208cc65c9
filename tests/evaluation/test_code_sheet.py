# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sheets of codes: a row a code, a picture a side, in the palettes' colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backend.common.regions import Finish, Palette
from backend.evaluation.code_sheet import code_sheet
from tests.helpers.box_space import OPEN, WIDTH, box_space, box_template

SIZE = 32
SIDES = ((-40.0, 14.0), (0.0, 5.0), (90.0, 5.0))
GROUND = round(0.86 * 255)
RED, BLUE = (replace(Palette(), paint=Finish(colour, 0.4)) for colour in ((0.8, 0.1, 0.1), (0.1, 0.1, 0.8)))
TEMPLATE = box_template()


def drawn(codes: np.ndarray, palettes: list[Palette] | None, glass: float = 1.0) -> np.ndarray:
    """(N, sides, S, S, 3) int."""
    sheet = code_sheet(codes, box_space(TEMPLATE, glass=glass), TEMPLATE, palettes, SIZE, SIDES)
    assert sheet.dtype == np.uint8 and sheet.shape == (len(codes) * SIZE, len(SIDES) * SIZE, 3)
    return sheet.reshape(len(codes), SIZE, len(SIDES), SIZE, 3).swapaxes(1, 2).astype(int)


def on_object(pictures: np.ndarray) -> np.ndarray:
    return (pictures != GROUND).any(axis=-1)


def linear(value: np.ndarray | float) -> np.ndarray:
    """Of sRGB from 0 to 255, above its straight beginning."""
    return ((np.asarray(value) / 255 + 0.055) / 1.055) ** 2.4


def test_every_row_has_its_palettes_colour_and_lies_before_the_same_ground() -> None:
    pictures = drawn(np.zeros((2, 3), np.float32), [RED, BLUE])
    covered = on_object(pictures)
    assert (covered[0] == covered[1]).all() and not covered[:, :, [0, -1]].any() and not covered[..., [0, -1]].any()
    assert (covered.mean(axis=(2, 3)) > 0.05).all()
    for row, (bright, dark) in enumerate(((0, 2), (2, 0))):
        middle = pictures[row][:, SIZE // 2, SIZE // 2]
        # Light is white: in linear colours their ratio is the palette's.
        ratio = linear(middle[:, bright]) / linear(middle[:, dark])
        np.testing.assert_allclose(ratio, linear(0.8 * 255) / linear(0.1 * 255), rtol=0.1)
        np.testing.assert_array_equal(middle[:, 1], middle[:, dark])


def test_markings_show_in_their_regions_colour() -> None:
    glass = replace(RED, glass=Finish((0.1, 0.8, 0.1), 0.1))
    for distance, channel in ((1.0, 0), (-1.0, 1)):
        pictures = drawn(np.zeros((1, 3), np.float32), [glass], distance)
        assert (pictures[0, :, SIZE // 2, SIZE // 2].argmax(axis=1) == channel).all()


def test_every_row_is_its_own_codes_shape() -> None:
    codes = np.zeros((3, 3), np.float32)
    codes[1, WIDTH], codes[2, 2] = 2.0, OPEN
    covered = on_object(drawn(codes, [RED] * 3))
    plain, wide, folded = covered.sum(axis=(2, 3))
    assert wide[1] > 1.25 * plain[1] and wide[2] == pytest.approx(plain[2], rel=0.1)
    assert folded[2] < 0.9 * plain[2]
    # From its left the front looks to the left: what is folded is the rear, on the right.
    columns = (covered[0, 2] & ~covered[2, 2]).any(axis=0).nonzero()[0]
    assert columns.min() > SIZE // 2 - 3


def test_rows_without_palettes_get_some_that_stay_the_same() -> None:
    codes = np.zeros((3, 3), np.float32)
    one = drawn(codes, None)
    np.testing.assert_array_equal(one, drawn(codes, None))
    assert any((one[0] != other).any() for other in one[1:])


def test_a_palette_for_every_code_is_needed() -> None:
    with pytest.raises(ValueError):
        drawn(np.zeros((2, 3), np.float32), [RED])
