# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where hypotheses begin: the head's directions, the coordinates' camera, a known direction, a known lens."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.common.pinhole import project
from backend.common.records import Camera
from backend.models.crop import Crop
from backend.models.parts_network import PartsPrediction
from backend.pipeline.azimuths import angle_between
from backend.pipeline.parts_camera import (
    StartsConfig,
    camera_of_maps,
    disagreement,
    focal_in_crop,
    probability_of,
    starts_of,
)
from backend.pipeline.photo import Photo
from backend.pipeline.pinhole_cameras import FoundCamera
from backend.training.parts.examples import Examples
from backend.weights.bundle import BUNDLED
from backend.weights.parts import PartsModel, load_parts
from tests.helpers.parts_readings import drawn_car, told


@pytest.fixture(scope="module")
def model() -> PartsModel:
    return load_parts(BUNDLED / "car")


@pytest.fixture(scope="module")
def drawn(model: PartsModel) -> Examples:
    return drawn_car(model)


def spoiled(prediction: PartsPrediction, noise: float, wrong: float) -> PartsPrediction:
    """Coordinates with noise, and some that are those of other pixels."""
    generator = torch.Generator().manual_seed(1)
    exact = prediction.coordinates
    other = exact.flatten(2)[..., torch.randperm(exact[0, 0].numel(), generator=generator)].view_as(exact)
    mistaken = torch.rand(exact[:, :1].shape, generator=generator) < wrong
    noisy = exact + noise * torch.randn(exact.shape, generator=generator)
    return replace(prediction, coordinates=torch.where(mistaken, other, noisy))


def off(found: Camera, truth: Examples) -> float:
    return math.degrees(angle_between(found.azimuth, float(truth.azimuth)))


@pytest.mark.parametrize("noise, wrong, most", [(0, 0, 1.0), (0.01, 0.15, 1.5), (0.015, 0.25, 2.5)])
def test_the_camera_of_a_drawn_car_follows_from_its_coordinates(
    drawn: Examples, noise: float, wrong: float, most: float
) -> None:
    reading = spoiled(told(drawn, off_deg=20, flipped=0.4, code=drawn.code), noise, wrong)
    found = camera_of_maps(reading, drawn.mask[0, 0])
    assert found is not None and off(found.camera, drawn) < most
    elevation, log_distance, roll = drawn.pose[0].tolist()
    assert found.camera.elevation == pytest.approx(elevation, abs=0.04)
    assert found.camera.roll == pytest.approx(roll, abs=0.02)
    assert math.log(found.camera.distance) == pytest.approx(log_distance, abs=0.25)
    assert found.agreeing == pytest.approx(1 - wrong, abs=0.2)


def test_points_are_seen_where_the_pixels_are_that_show_them(drawn: Examples) -> None:
    """To less than a pixel: maps tell of the upper left of each two by two pixels."""
    found = camera_of_maps(told(drawn, 0, 0, drawn.code), drawn.mask[0, 0])
    assert found is not None
    size = drawn.mask.shape[-1]
    rows, columns = (drawn.known[0, 0] > 0).nonzero(as_tuple=True)
    points = drawn.coordinates[0, :, rows, columns].T.double().numpy()
    apart = project(found.camera, points, size, size) - np.stack([columns + 0.5, rows + 0.5], axis=1)
    assert np.abs(np.median(apart, axis=0)).max() < 0.25


def test_without_an_object_there_is_no_camera(drawn: Examples) -> None:
    reading = told(drawn, 0, 0, drawn.code)
    assert camera_of_maps(reading, torch.zeros(128, 128)) is None
    assert camera_of_maps(replace(reading, mask_logits=-reading.mask_logits), drawn.mask[0, 0]) is None


def seen_from(azimuth: float, agreeing: float = 0.9) -> FoundCamera:
    return FoundCamera(Camera(azimuth, 0.2, 1.9, 0.04, 0.5), agreeing)


def test_a_direction_near_the_coordinates_camera_starts_there(drawn: Examples) -> None:
    reading = told(drawn, off_deg=12, flipped=0.3, code=drawn.code)
    truth = float(drawn.azimuth)
    plain = starts_of(reading, None)
    starts = starts_of(reading, seen_from(truth))
    assert len(starts.azimuths) == len(plain.azimuths) == 2
    near = int(np.argmin([angle_between(float(one), truth) for one in starts.azimuths]))
    assert float(starts.azimuths[near]) == pytest.approx(truth, abs=1e-5)
    assert starts.poses[near].tolist() == pytest.approx([0.2, math.log(1.9), 0.04])
    torch.testing.assert_close(starts.poses[1 - near], reading.pose[0])
    torch.testing.assert_close(starts.azimuths[1 - near], plain.azimuths[1 - near])
    torch.testing.assert_close(starts.probabilities, plain.probabilities)


def test_a_camera_far_from_all_directions_is_tried_where_it_may_be_right(drawn: Examples) -> None:
    aside = float(drawn.azimuth) + math.radians(90)
    reading = told(drawn, off_deg=0, flipped=0.0, code=drawn.code)
    even = replace(reading, azimuth_logits=reading.azimuth_logits * 0.1)
    config = StartsConfig(hypotheses=1, behind=0.0)
    chance = probability_of(even, aside, config)
    assert 0.03 < chance < 0.4
    starts = starts_of(even, seen_from(aside), config=config)
    assert len(starts.azimuths) == 2 and angle_between(float(starts.azimuths[1]), aside) < 1e-5
    assert float(starts.probabilities[1]) == pytest.approx(chance)
    for camera, prediction in ((seen_from(aside, 0.3), even), (seen_from(aside), reading)):
        assert len(starts_of(prediction, camera, config=config).azimuths) == 1


def test_a_known_direction_is_the_only_one(drawn: Examples) -> None:
    reading = told(drawn, off_deg=0, flipped=0.5, code=drawn.code)
    known = float(drawn.azimuth) + math.pi
    starts = starts_of(reading, seen_from(float(drawn.azimuth)), known)
    assert starts.azimuths.tolist() == pytest.approx([known]) and starts.probabilities.tolist() == [1]
    torch.testing.assert_close(starts.poses, reading.pose)
    beside = starts_of(reading, seen_from(known + 0.1), known)
    assert beside.azimuths.tolist() == pytest.approx([known]) and float(beside.poses[0, 0]) == pytest.approx(0.2)


def test_disagreement_is_an_angle() -> None:
    assert disagreement(seen_from(3.0), seen_from(-3.0).camera) == pytest.approx(2 * math.pi - 6)
    assert disagreement(None, seen_from(0).camera) == math.pi


def test_the_files_lens_as_the_crop_has_it() -> None:
    rgb = np.zeros((600, 900, 3), np.uint8)
    photo = Photo(rgb, None, "photo", field_of_view=2 * math.atan(0.5))  # a focal length of 600 pixels
    assert focal_in_crop(photo, Crop(450, 300, 300)) == pytest.approx(2)
    assert focal_in_crop(photo, Crop(0, 300, 300)) == pytest.approx(math.hypot(600, 450) / 300)
    assert focal_in_crop(replace(photo, field_of_view=None), Crop(450, 300, 300)) is None
