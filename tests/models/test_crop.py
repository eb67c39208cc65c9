# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Crops: a point of the world is seen at the same place of the photo, whichever of the two cameras looks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backend.common.records import Camera
from backend.data import rendered_views as views
from backend.models.crop import Crop, camera_of_photo, crop_around, extract
from backend.models.inverse_graphics import CROP_MARGIN
from backend.render.camera import Cameras

cameras = st.builds(
    Camera,
    azimuth=st.floats(-math.pi, math.pi),
    elevation=st.floats(-0.3, 1.2),
    distance=st.floats(1.5, 8),
    roll=st.floats(-0.4, 0.4),
    field_of_view=st.floats(0.2, 1.4),
    shift_x=st.floats(-0.4, 0.4),
    shift_y=st.floats(-0.4, 0.4),
)
crops = st.builds(Crop, st.floats(-50, 900), st.floats(-50, 900), st.floats(20, 1500))
sizes = st.tuples(st.integers(30, 1200), st.integers(30, 1200))
points = st.tuples(*[st.floats(-0.5, 0.5)] * 3)


def pixel(camera: Camera, point: tuple[float, float, float], width: int, height: int) -> np.ndarray:
    """Where a point is seen, by the conventions' words: look-at vectors and cross products, no rotation formula."""
    sin_a, cos_a = math.sin(camera.azimuth), math.cos(camera.azimuth)
    sin_e, cos_e = math.sin(camera.elevation), math.cos(camera.elevation)
    eye = camera.distance * np.array([sin_a * cos_e, -cos_a * cos_e, sin_e])
    forward = -eye / np.linalg.norm(eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    right, up = (
        math.cos(camera.roll) * right + math.sin(camera.roll) * up,
        math.cos(camera.roll) * up - math.sin(camera.roll) * right,
    )
    ray = np.asarray(point) - eye
    across, upward = ray @ right / (ray @ forward), ray @ up / (ray @ forward)
    half_height = math.tan(camera.field_of_view / 2)
    x = width / 2 + camera.shift_x * max(width, height) + across / half_height * height / 2
    y = height / 2 - camera.shift_y * max(width, height) - upward / half_height * height / 2
    return np.array([x, y])


@given(cameras, crops, sizes, points)
def test_both_cameras_see_a_point_at_the_same_place(
    camera: Camera, crop: Crop, size: tuple[int, int], point: tuple[float, float, float]
) -> None:
    width, height = size
    resolution = 128
    in_crop = pixel(camera, point, resolution, resolution)
    in_photo = pixel(camera_of_photo(camera, crop, width, height), point, width, height)
    corner = np.array([crop.center_x, crop.center_y]) - crop.side / 2
    assert np.allclose(corner + in_crop * crop.side / resolution, in_photo, atol=1e-5 * (1 + np.abs(in_photo).max()))


def test_crop_around_the_box() -> None:
    mask = np.zeros((100, 200), dtype=np.uint8)
    mask[40:60, 20:120] = 255
    assert crop_around(mask) == Crop(70, 50, CROP_MARGIN * 100)


@pytest.mark.parametrize("shape", [(10, 10), (30, 20), (20, 30)])
@pytest.mark.parametrize("value", [0, 127])
def test_a_mask_that_selects_nothing_gives_the_whole_picture_in_training_as_in_use(
    shape: tuple[int, int], value: int
) -> None:
    mask = np.full(shape, value, np.uint8)
    assert crop_around(mask) == Crop(shape[1] / 2, shape[0] / 2, max(shape))
    assert views.crops_around(mask[None]).tolist() == [list(crop_around(mask))]


def test_training_crops_the_same_way() -> None:
    """The network must meet in use what it met in training."""
    random = np.random.default_rng(3)
    mask = np.zeros((64, 64), dtype=np.uint8)
    mask[20:41, 7:50] = 255
    crop = crop_around(mask)
    assert views.crops_around(mask[None])[0].tolist() == pytest.approx(crop)
    rgba = np.dstack([random.integers(0, 255, (64, 64, 3), dtype=np.uint8), mask])
    trained = views.cut(torch.from_numpy(rgba)[None], torch.tensor([crop]), 64)
    used = extract(rgba[..., :3], mask, crop, 64)
    assert np.abs(trained[0].permute(1, 2, 0).numpy() - used).max() < 0.02
    camera = Camera(0.5, 0.2, 3.0, 0.1, 0.7, 0.05, -0.02)
    batch = Cameras.batch([camera])
    found = camera_of_photo(views.cameras_of_crops(batch, torch.tensor([crop]), 64).unbatch()[0], crop, 64, 64)
    assert vars(found) == pytest.approx(vars(camera), abs=1e-5)


def test_extract_takes_the_right_part_in_the_right_scale() -> None:
    """A ramp in x and one in y: every pixel of the crop tells where in the photo it was taken."""
    width, height, size = 300, 200, 64
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    rgb = np.dstack([x / width * 255, y / height * 255, np.full_like(x, 255)]).astype(np.uint8)
    mask = np.full((height, width), 255, dtype=np.uint8)
    crop = Crop(center_x=260, center_y=100, side=160)
    out = extract(rgb, mask, crop, size)
    assert out.shape == (size, size, 4) and out.dtype == np.float32
    centres = crop.center_x - crop.side / 2 + (np.arange(size) + 0.5) * crop.side / size
    inside = centres < width - 2
    assert np.abs(out[10, inside, 0] - centres[inside] / width).max() < 0.01
    assert (out[:, centres > width + 2] == 0).all()  # beyond the photo there is nothing
    rows = crop.center_y - crop.side / 2 + (np.arange(size) + 0.5) * crop.side / size
    assert np.abs(out[:, 5, 1] - rows / height).max() < 0.01


def test_extract_multiplies_by_the_mask_and_averages() -> None:
    rgb = np.full((512, 512, 3), 200, dtype=np.uint8)
    mask = np.zeros((512, 512), dtype=np.uint8)
    mask[:, ::2] = 255  # finer than the crop can show
    out = extract(rgb, mask, Crop(256, 256, 512), 64)
    assert np.abs(out[..., 3] - 0.5).max() < 0.01
    assert np.abs(out[..., 0] - 0.5 * 200 / 255).max() < 0.01
