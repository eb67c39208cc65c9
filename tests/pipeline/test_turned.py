# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos that show their object upside down or on its side are told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from backend.common.records import ReconstructRequest
from backend.models.parts_network import PartsPrediction
from backend.pipeline.reconstruct import reconstruct
from backend.pipeline.turned import ON_ITS_SIDE, UPSIDE_DOWN, TurnedConfig, clearness, turned_warnings
from backend.weights.bundle import load_bundle

SIDE = 8


def reading(crops: torch.Tensor, spreads: list[float]) -> PartsPrediction:
    """What a network says of crops (N, 4, S, S) where it expects such errors of its coordinates."""
    count, size = len(crops), SIDE // 2
    spread = torch.tensor(spreads)[:, None, None].expand(count, size, size)
    nothing, maps = torch.zeros(count, 3), torch.zeros(count, 3, size, size)
    return PartsPrediction(nothing, nothing, nothing, nothing, maps, spread, maps, torch.ones(count, size, size))


@pytest.mark.parametrize(
    ("own", "others", "told"),
    [
        (0.20, [0.2, 0.02, 0.1], [UPSIDE_DOWN]),
        (0.20, [0.02, 0.04, 0.1], [ON_ITS_SIDE]),
        (0.20, [0.2, 0.1, 0.02], [ON_ITS_SIDE]),
        (0.02, [0.2, 0.1, 0.1], []),
        (0.03, [0.2, 0.02, 0.1], []),
    ],
)
def test_the_turn_that_is_read_far_more_clearly_is_the_upright_one(
    own: float, others: list[float], told: list[str]
) -> None:
    crop = torch.ones(4, SIDE, SIDE)
    found = turned_warnings(crop, reading(crop[None], [own]), lambda turns: reading(turns, others))
    assert found == told


def test_a_photo_that_is_read_clearly_is_not_read_again() -> None:
    def never(turns: torch.Tensor) -> PartsPrediction:
        raise AssertionError

    crop = torch.ones(4, SIDE, SIDE)
    clear = reading(crop[None], [1e-4])
    assert clearness(clear, crop[None, 3])[0] > TurnedConfig().clear
    assert turned_warnings(crop, clear, never) == []


def test_the_network_is_asked_for_the_photo_in_its_three_other_turns() -> None:
    crop = torch.zeros(4, SIDE, SIDE)
    crop[3] = 1
    crop[0, 0, 0] = 1  # the upper left
    asked: list[torch.Tensor] = []

    def read(turns: torch.Tensor) -> PartsPrediction:
        asked.append(turns)
        return reading(turns, [1.0] * 3)

    turned_warnings(crop, reading(crop[None], [1.0]), read)
    corners = [tuple(int(place) for place in turn[0].nonzero()[0]) for turn in asked[0]]
    assert corners == [(SIDE - 1, 0), (SIDE - 1, SIDE - 1), (0, SIDE - 1)]


def test_a_car_that_stands_on_its_roof_is_told_and_one_on_its_wheels_is_not(root: Path, tmp_path: Path) -> None:
    bundle, told = load_bundle("car"), {}
    with Image.open(root / "examples" / "car.jpg") as photo:
        for degrees in (0, 90, 180):
            path = tmp_path / f"{degrees}.png"
            photo.rotate(degrees, expand=True).save(path)
            made = reconstruct(ReconstructRequest(str(path), quality="draft", texture_size=64), bundle)
            told[degrees] = [sentence for sentence in made.warnings if sentence in (UPSIDE_DOWN, ON_ITS_SIDE)]
    assert told == {0: [], 90: [ON_ITS_SIDE], 180: [UPSIDE_DOWN]}
