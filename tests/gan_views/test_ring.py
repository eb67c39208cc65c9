# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Azimuths guessed from outlines and brightness: right up to what no picture says, silent where nothing is known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.errors import BundleError
from backend.gan_views import reader_choice, ring
from backend.gan_views.readings import OutlineReader, Readings
from backend.models.segmenter import Segmenter, SegmenterConfig, save_segmenter
from tests.helpers.views_samples import blank

SIDE = 48


def turning(azimuth: float) -> tuple[np.ndarray, np.ndarray]:
    """Something that turns: seen from its sides long and thicker at its tail; from its ends light below or above."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5
    sine, cosine = math.sin(azimuth), math.cos(azimuth)
    half = 12 + 6 * abs(sine)
    inside = (np.abs(columns) <= half) & (np.abs(rows) <= 10 + 5 * sine * columns / half)
    mask = inside.astype(np.uint8) * 255
    glow = 120 + 70 * cosine * np.sign(rows)
    return (glow * inside)[..., None].repeat(3, axis=2).astype(np.uint8), mask


def errors(guessed: np.ndarray, true: np.ndarray) -> float:
    """The median error in degrees, after front and back, and both ways around, have been tried."""
    tried = (guessed, -guessed, math.pi - guessed, math.pi + guessed)
    return min(float(np.median(np.degrees(np.abs((one - true + math.pi) % (2 * math.pi) - math.pi)))) for one in tried)


@pytest.fixture(scope="module")
def turned() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    azimuths = np.linspace(-math.pi, math.pi, 96, endpoint=False) + 0.01
    pictures, masks = zip(*[turning(azimuth) for azimuth in azimuths], strict=True)
    return np.stack(pictures), np.stack(masks), azimuths


def test_a_thing_with_two_halves_is_put_on_a_ring(turned) -> None:
    pictures, masks, azimuths = turned
    crops = ring.described(pictures, masks)
    guessed, confidence = ring.fit_ring(crops).places(crops)
    assert errors(guessed, azimuths) < 40 < 60 < errors(np.random.default_rng(0).permutation(guessed), azimuths)
    assert np.median(confidence) > 0.8


def test_a_mirrored_picture_is_seen_from_the_other_side(turned) -> None:
    pictures, masks, _ = turned
    fitted = ring.fit_ring(ring.described(pictures, masks))
    one, _ = fitted.places(ring.described(pictures, masks))
    other, _ = fitted.places(ring.described(pictures[:, :, ::-1].copy(), masks[:, :, ::-1].copy()))
    assert np.allclose(np.cos(one + other), 1, atol=1e-3)


def test_a_brighter_picture_is_guessed_alike(turned) -> None:
    pictures, masks, _ = turned
    fitted = ring.fit_ring(ring.described(pictures, masks))
    dim = (pictures * 0.6).astype(np.uint8)
    turn = fitted.places(ring.described(dim, masks))[0] - fitted.places(ring.described(pictures, masks))[0]
    assert np.degrees(np.abs((turn + math.pi) % (2 * math.pi) - math.pi)).max() < 10


def test_a_reader_guesses_nothing_where_nothing_is_found(turned) -> None:
    pictures, masks, _ = turned

    def reader(some: np.ndarray) -> Readings:
        known = replace(blank(len(some)), masks=masks[: len(some)])
        return replace(known, area=np.where(np.arange(len(some)) == 0, 0.0, 0.3))

    made = ring.fitted_reader(reader, pictures, 0.1)
    readings = made(pictures)
    assert readings.confidence[0] == 0 and (readings.confidence[1:] > 0).all() and np.ptp(readings.azimuth) > 3
    with pytest.raises(ValueError, match="found in 4 pictures only, and 24 are needed"):
        ring.fitted_reader(reader, pictures[:5], 0.1)


def test_a_segmenter_alone_reads_masks_and_colours_and_no_pose(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Segmenter(SegmenterConfig(resolution=32, channels=(4, 4, 4, 4), blocks=(1, 1, 1, 1))).eval()
    torch.nn.init.constant_(network.head.bias, 5.0)
    save_segmenter(tmp_path / "segmenter.safetensors", network)
    for named in (tmp_path, tmp_path / "segmenter.safetensors"):
        reader = reader_choice.reader_of("none", str(named), torch.device("cpu"), 2, 1)
        assert isinstance(reader, OutlineReader)
        readings = reader(np.full((3, 24, 32, 3), 100, np.uint8))
        assert (readings.area > 0.9).all() and not readings.confidence.any() and not readings.azimuth.any()
        assert np.allclose(readings.colour, 100 / 255, atol=0.01)


def test_a_reader_without_a_bundle_needs_a_segmenter(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="name its file, or a run's folder"):
        reader_choice.reader_of("none", "", torch.device("cpu"), 2, 1)
    with pytest.raises(BundleError, match="holds no segmenter that can be used"):
        reader_choice.reader_of("none", str(tmp_path), torch.device("cpu"), 2, 1)
