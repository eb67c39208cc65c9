# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Circular statistics against slow ones, masks by hand, and the networks against pictures whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backend.gan_views.readings import (
    NetworkReader,
    Readings,
    _moved,
    _squared,
    angle_between,
    circular_mean,
    largest_part,
    vote,
)
from backend.models.crop import crop_around
from backend.models.inverse_graphics import field_of_view_of
from backend.render.camera import Cameras
from backend.render.light import uniform_light
from backend.render.picture import RenderConfig, render
from backend.render.shading import Texture
from backend.weights.bundle import LoadedBundle, load_bundle

angles = st.floats(-20, 20, allow_nan=False)


@given(angles, angles)
def test_the_angle_between_is_that_of_the_vectors(a: float, b: float) -> None:
    cosine = math.cos(a) * math.cos(b) + math.sin(a) * math.sin(b)
    found = float(angle_between(a, b))
    assert 0 <= found <= math.pi + 1e-9
    assert math.isclose(math.cos(found), cosine, abs_tol=1e-9)
    assert float(angle_between(b, a)) == pytest.approx(found, abs=1e-9)


@given(st.lists(st.tuples(angles, st.floats(0.01, 1)), min_size=1, max_size=8))
def test_the_circular_mean_is_the_sum_of_vectors(votes: list[tuple[float, float]]) -> None:
    x = sum(w * math.cos(a) for a, w in votes)
    y = sum(w * math.sin(a) for a, w in votes)
    mean, length = circular_mean(np.array([a for a, _ in votes]), np.array([w for _, w in votes]))
    assert length == pytest.approx(math.hypot(x, y), abs=1e-9)
    assume(length > 1e-3)
    assert math.cos(mean) == pytest.approx(x / length, abs=1e-6)
    assert math.sin(mean) == pytest.approx(y / length, abs=1e-6)


@settings(max_examples=60)
@given(st.floats(0, 2 * math.pi), st.lists(st.floats(-0.3, 0.3), min_size=3, max_size=7), st.integers(0, 3))
def test_a_majority_wins_whatever_the_azimuth_and_the_order(true: float, off: list[float], wrong: int) -> None:
    """Votes around the truth, fewer for its back: the guess is among the former, not between the two."""
    wrong = min(wrong, len(off) - 1)
    azimuths = np.array([true + o for o in off] + [true + math.pi] * wrong)
    result = vote(azimuths, np.ones(len(azimuths)))
    assume(len(off) >= wrong + 2 or np.ptp(off) < 0.1)
    assert angle_between(result.azimuth, true) <= 0.3 + 1e-6
    assert 0 <= result.azimuth < 2 * math.pi
    assert result.opposite == pytest.approx(wrong / len(azimuths))
    turned = vote((azimuths + 1.0)[::-1], np.ones(len(azimuths)))
    assert turned.agreement == pytest.approx(result.agreement)


def test_contents_that_agree_have_the_agreement_one_and_ignorant_ones_lower_it() -> None:
    assert vote(np.full(4, 2.0), np.ones(4)).agreement == pytest.approx(1)
    assert vote(np.full(4, 2.0), np.array([1, 1, 0, 0])).agreement == pytest.approx(0.5)
    assert vote(np.array([0.5, 0.5 + math.pi]), np.ones(2)).agreement == pytest.approx(0)
    assert vote(np.zeros(3), np.zeros(3)).agreement == 0


def test_the_silhouettes_twin_is_told_from_the_opposite_side() -> None:
    # 20 degrees; the twin of its silhouette stands at 160, its back at 200.
    azimuths = np.radians([20, 20, 20, 160, 200])
    result = vote(azimuths, np.ones(5))
    assert math.degrees(result.azimuth) == pytest.approx(20)
    assert result.opposite == pytest.approx(0.4)  # both lie within 45 degrees of 200
    assert result.mirrored == pytest.approx(0.4)
    side = vote(np.radians([90, 90, 270]), np.ones(3))
    assert (side.mirrored, side.opposite) == (0, pytest.approx(1 / 3))


def test_the_largest_thing_is_the_mask_without_holes() -> None:
    probability = np.zeros((40, 40), np.float32)
    probability[5:25, 5:25] = 0.9
    probability[12:16, 12:16] = 0.1  # a window
    probability[30:38, 30:35] = 0.8
    mask, second = largest_part(probability)
    expected = np.zeros((40, 40), bool)
    expected[5:25, 5:25] = True
    assert np.array_equal(mask > 127, expected)
    assert second == pytest.approx(40 / (400 - 16))


def test_nothing_found_is_an_empty_mask() -> None:
    mask, second = largest_part(np.full((8, 8), 0.4, np.float32))
    assert not mask.any() and second == 0


@pytest.fixture(scope="module")
def car() -> LoadedBundle:
    torch.set_num_threads(1)
    return load_bundle("car")


@pytest.fixture(scope="module")
def shown(car: LoadedBundle) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures (N, 64, 64, 3) of the bundle's mean car all around, their masks, and their azimuths in radians."""
    azimuth = torch.arange(12) * (math.pi / 6) + 0.1
    ones = torch.ones(12)
    fov = field_of_view_of(torch.tensor(0.85), torch.tensor(3.0))
    cameras = Cameras(azimuth, 0.2 * ones, 3 * ones, 0 * ones, fov * ones, 0 * ones, 0 * ones)
    network, template = car.inverse_graphics, car.template
    with torch.no_grad():
        vertices = network.shape_decoder(torch.zeros(12, network.config.shape_code))
        red = torch.zeros(12, network.config.texture_code)
        red[:, :3] = torch.tensor([1.0, -2.0, -2.0])
        texture = Texture(torch.as_tensor(template.triangle_uv), network.texture_decoder(red))
        triangles = torch.as_tensor(template.triangles).long()
        light = uniform_light(12)
        light[:, 2] = 0.8  # from above
        config = RenderConfig(soft=None, supersampling=2)
        drawn = render(vertices, triangles, texture, light, cameras, 64, 64, config)
    pictures = drawn.over(torch.full((1, 3, 1, 1), 0.75)).permute(0, 2, 3, 1)
    return (pictures.clamp(0, 1) * 255).byte().numpy(), drawn.coverage.numpy() > 0.5, azimuth.numpy()


def read(car: LoadedBundle, pictures: np.ndarray, batch: int = 16) -> Readings:
    return NetworkReader(car.inverse_graphics, car.segmenter, "cpu", batch)(pictures)


def test_the_networks_read_a_car_whose_truth_is_known(car: LoadedBundle, shown) -> None:
    pictures, masks, azimuth = shown
    readings = read(car, pictures)
    found = readings.masks > 127
    iou = (found & masks).sum(axis=(1, 2)) / (found | masks).sum(axis=(1, 2))
    assert iou.min() > 0.8
    assert readings.area == pytest.approx(masks.mean(axis=(1, 2)), rel=0.15)
    # Without lamps painted on, its front and back are alike: there, and there alone, the network may be wrong.
    sure, end = readings.confidence > 0.9, np.abs(np.cos(azimuth)) > 0.85
    off = np.degrees(angle_between(readings.azimuth, azimuth))
    assert sure.sum() >= 9 and off[sure & ~end].max() < 8
    assert (off[sure] > 90).sum() <= 1
    assert np.degrees(angle_between(2 * readings.azimuth, 2 * azimuth)).max() / 2 < 8
    assert np.degrees(np.abs(readings.elevation - 0.2)).mean() < 6
    assert (readings.colour[:, 0] > readings.colour[:, 1] + 0.1).all()
    # One car all around: its readings of shape lie nearer together than the lengths of cars do.
    assert np.linalg.norm(readings.shape - readings.shape.mean(axis=0), axis=1).max() < 0.02


def test_readings_do_not_depend_on_the_batch_or_on_bars_beside(car: LoadedBundle, shown) -> None:
    pictures, _, _ = shown
    together, one_by_one = read(car, pictures[:3]), read(car, pictures[:3], batch=1)
    assert angle_between(together.azimuth, one_by_one.azimuth).max() < 1e-3
    cut = pictures[:3, 10:54]  # 44 x 64, as a wide generator's content
    wide = read(car, cut)
    assert wide.masks.shape == (3, 44, 64)
    assert np.degrees(angle_between(wide.azimuth, together.azimuth)).max() < 15


@pytest.mark.parametrize(("height", "width"), [(20, 32), (33, 20), (8, 8)])
def test_the_crop_of_a_wide_picture_is_that_of_its_square(height: int, width: int) -> None:
    rgba = np.zeros((height, width, 4), np.uint8)
    rgba[3:7, 2:8] = 255
    top, left = max(0, width - height) // 2, max(0, height - width) // 2
    side = max(height, width)
    square = np.zeros((side, side, 4), np.uint8)
    square[top : top + height, left : left + width] = rgba
    assert np.array_equal(_squared(torch.from_numpy(rgba)[None])[0].numpy(), square)
    crops = torch.tensor([crop_around(rgba[..., 3])])
    assert _moved(crops, height, width)[0].tolist() == list(crop_around(square[..., 3]))


def test_a_picture_of_nothing_has_no_object_and_no_confidence(car: LoadedBundle) -> None:
    readings = read(car, np.full((1, 64, 64, 3), 190, np.uint8))
    assert not readings.found[0] and readings.area[0] == 0 and readings.confidence[0] == 0
