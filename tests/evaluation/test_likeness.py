# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How like two pictures are: inside a mask alone, and by the place of light and dark rather than by brightness."""

from __future__ import annotations

import numpy as np
import pytest

from backend.evaluation.likeness import psnr, structural_distance

SIZE = 24


def pictures() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two pictures (S, S, 3) that have something in common, and a mask (S, S) with a hole."""
    rng = np.random.default_rng(4)
    one = rng.uniform(0, 1, (SIZE, SIZE, 3))
    other = np.clip(0.6 * one + 0.4 * rng.uniform(0, 1, (SIZE, SIZE, 3)), 0, 1)
    mask = np.zeros((SIZE, SIZE), bool)
    mask[3:20, 4:22] = True
    mask[9:12, 9:12] = False
    return one, other, mask


def test_psnr_is_that_of_the_mask_alone() -> None:
    one, other, mask = np.zeros((4, 4, 3)), np.full((4, 4, 3), 0.1), np.zeros((4, 4), bool)
    other[0] = 1
    mask[1:] = True
    assert psnr(one, other, mask) == pytest.approx(20)
    assert psnr(one, one, mask) == psnr(one, other, mask & False) == 100


def by_loops(one: np.ndarray, other: np.ndarray, mask: np.ndarray) -> float:
    """The same pixel by pixel, window by window."""
    window = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    grey = [picture @ np.array([0.2126, 0.7152, 0.0722]) for picture in (one, other)]
    values = []
    for row, column in np.argwhere(mask):
        weights, xs, ys = [], [], []
        for down in range(-5, 6):
            for right in range(-5, 6):
                r, c = row + down, column + right
                if 0 <= r < SIZE and 0 <= c < SIZE and mask[r, c]:
                    weights.append(window[down + 5] * window[right + 5])
                    xs.append(grey[0][r, c])
                    ys.append(grey[1][r, c])
        x, y = np.average(xs, weights=weights), np.average(ys, weights=weights)
        xx, yy, xy = (
            np.average(np.multiply(a, b), weights=weights) - m
            for a, b, m in ((xs, xs, x * x), (ys, ys, y * y), (xs, ys, x * y))
        )
        values.append((2 * x * y + 1e-4) / (x * x + y * y + 1e-4) * (2 * xy + 9e-4) / (xx + yy + 9e-4))
    return float((1 - np.mean(values)) / 2)


def test_the_structural_distance_is_that_of_a_loop_over_windows() -> None:
    one, other, mask = pictures()
    assert structural_distance(one, other, mask) == pytest.approx(by_loops(one, other, mask), abs=1e-6)


def test_what_lies_around_the_object_does_not_matter() -> None:
    one, other, mask = pictures()
    changed = np.where(mask[..., None], other, 1 - other)
    assert structural_distance(one, changed, mask) == pytest.approx(structural_distance(one, other, mask), abs=1e-9)
    assert structural_distance(one, one, mask) == pytest.approx(0, abs=1e-9)
    assert structural_distance(one, other, mask & False) == 0


def test_a_little_less_light_matters_less_than_light_in_another_place() -> None:
    one, _, mask = pictures()
    darker, moved = 0.85 * one, np.roll(one, 2, axis=1)
    assert psnr(darker, one, mask) < 30
    assert structural_distance(darker, one, mask) < 0.03 < 0.3 < structural_distance(moved, one, mask)
