# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Confidence: a regression that finds known weights, says probabilities that hold, and stands on a card."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from backend.weights.confidence import NO_RIVAL, Confidence, Evidence, best_threshold, fit_confidence, ranking

SURE = Evidence(0.95, 0.2, 0.05, 0.8, 0.95, 0.93)
TRUE = Confidence((1, 0.1, 0.5, 0.7, 0.9, 0.9), (1, 0.1, 0.5, 0.1, 0.1, 0.1), (1, 0.8, -0.6, 0.5, 0, 0), 1.2, 0.5)


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Evidence, and whether each was right with the probability that a known regression says."""
    random = np.random.default_rng(seed)
    numbers = random.normal(TRUE.mean, TRUE.scale, (count, 6))
    return numbers, random.random(count) < TRUE.of_numbers(numbers)


def test_numbers_are_weighed_in_the_order_of_their_names() -> None:
    numbers = SURE.numbers()
    assert numbers[0] == pytest.approx(math.log(0.95 / 0.05)) and numbers[2] == 0.05
    assert list(SURE.as_dict()) == [
        "probability", "margin", "disagreement", "region_agreement", "mask_agreement", "silhouette_iou"
    ]  # fmt: skip
    assert np.isfinite(replace(SURE, probability=1.0).numbers()).all()
    assert replace(SURE, margin=7.0).numbers()[1] == NO_RIVAL


def test_known_weights_are_found_again() -> None:
    found = fit_confidence(*drawn(20000), penalty=0.1)
    np.testing.assert_allclose(found.weights, TRUE.weights, atol=0.08)
    assert found.bias == pytest.approx(TRUE.bias, abs=0.08)


def test_probabilities_hold_on_others_than_it_was_made_of() -> None:
    found = fit_confidence(*drawn(600))
    numbers, right = drawn(20000, seed=1)
    chance = found.of_numbers(numbers)
    for low, high in ((0.3, 0.5), (0.5, 0.7), (0.7, 0.9)):
        some = (chance > low) & (chance < high)
        assert right[some].mean() == pytest.approx(chance[some].mean(), abs=0.06)
    assert ranking(chance, right) == pytest.approx(ranking(TRUE.of_numbers(numbers), right), abs=0.02)


def test_better_evidence_gives_more_confidence() -> None:
    found = fit_confidence(*drawn(2000))
    assert (
        found.of(SURE)
        > found.of(replace(SURE, disagreement=3.0))
        > found.of(replace(SURE, disagreement=3.0, probability=0.3, margin=0.0))
    )


def test_separable_evidence_gives_finite_weights() -> None:
    numbers = np.tile(np.linspace(-1, 1, 12)[:, None], (1, 6))
    found = fit_confidence(numbers, numbers[:, 0] > 0.8)
    assert np.isfinite(found.weights).all() and found.of_numbers(numbers)[-1] > found.of_numbers(numbers)[0]


@pytest.mark.parametrize("right", [[True] * 8, [False] * 8])
def test_without_both_kinds_nothing_can_be_learned(right: list[bool]) -> None:
    with pytest.raises(ValueError, match="give more"):
        fit_confidence(np.zeros((8, 6)), np.array(right))


def test_the_threshold_parts_wrong_from_right() -> None:
    chance = np.array([0.1, 0.2, 0.6, 0.5, 0.55, 0.8, 0.9])
    right = np.array([False, False, False, True, True, True, True])
    assert 0.2 < best_threshold(chance, right) < 0.5
    assert ranking(chance, right) == pytest.approx(10 / 12)
    assert ranking(np.array([0.5, 0.5]), np.array([True, False])) == 0.5


def test_a_card_holds_it() -> None:
    found = fit_confidence(*drawn(500))
    read = Confidence.of_card(json.loads(json.dumps(found.to_card())))
    assert read.of(SURE) == pytest.approx(found.of(SURE), abs=1e-3)
    assert read.threshold == pytest.approx(found.threshold, abs=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"evidence": ["luck"]},
        {"weights": [1.0]},
        {"bias": math.nan},
        {"scale": [0.0] * 6},
        {"mean": "none"},
        {"bias": None},
    ],
)
def test_a_card_that_does_not_fit_is_refused_in_one_sentence(change: dict) -> None:
    with pytest.raises(ValueError, match="^the card's confidence cannot be understood"):
        Confidence.of_card(TRUE.to_card() | change)
    with pytest.raises(ValueError, match="^the card's confidence cannot be understood"):
        Confidence.of_card("yes")
