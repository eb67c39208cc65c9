# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The viewpoint prior: uniform in its ranges, framed as it says, its background moving with the camera."""

from __future__ import annotations

import math

import pytest
import torch

from backend.render.camera import project
from backend.render.viewpoints import NUMBERS, ViewpointPrior, Viewpoints, seen_background


def drawn(prior: ViewpointPrior, count: int = 2000) -> Viewpoints:
    return prior.viewpoints(prior.draw(count, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("azimuth", [45.0, 90.0, 120.0, 180.0])
def test_angles_are_uniform_in_their_ranges(azimuth: float) -> None:
    cameras = drawn(ViewpointPrior(azimuth, (-10.0, 30.0), 5.0)).cameras
    for values, low, high in (
        (cameras.azimuth, -azimuth, azimuth), (cameras.elevation, -10.0, 30.0), (cameras.roll, -5.0, 5.0)
    ):  # fmt: skip
        shares = torch.histc((values.rad2deg() - low) / (high - low), 4, 0, 1) / len(values)
        assert torch.allclose(shares, torch.full((4,), 0.25), atol=0.03)
    angles = torch.stack([cameras.azimuth, cameras.elevation, cameras.roll])
    assert (torch.corrcoef(angles) - torch.eye(3)).abs().max() < 0.06


def test_views_near_the_front_can_be_left_out() -> None:
    prior = ViewpointPrior(azimuth_deg=50.0, azimuth_least_deg=20.0)
    azimuth = drawn(prior).cameras.azimuth.rad2deg()
    shares = torch.histc(azimuth, 10, -50, 50) / len(azimuth)
    expected = torch.tensor([1, 1, 1, 0, 0, 0, 0, 1, 1, 1]) / 6
    assert torch.allclose(shares, expected, atol=0.03)
    windows = prior.at([-50.0, -20.0, 0.0, 20.0, 35.0, 50.0]).window[:, 0] - 0.25
    assert windows.tolist() == pytest.approx([0.0, 0.25, 0.25, 0.25, 0.375, 0.5]), "as far as the camera has come"
    with pytest.raises(ValueError, match="least azimuth"):
        ViewpointPrior(azimuth_deg=10.0, azimuth_least_deg=20.0)


def test_the_frame_fills_the_picture_and_zoom_enlarges_what_is_in_it() -> None:
    prior = ViewpointPrior(frame=1.4, zoom=1.5)
    cameras = prior.viewpoints(torch.full((1, NUMBERS), 0.5)).cameras
    cameras.elevation = torch.zeros(1)
    top = torch.tensor([[0.0, 0.0, 0.7]])
    assert project(cameras, top, 64, 64)[0, 0, 1] == pytest.approx(0, abs=1e-4)
    numbers = torch.full((2, NUMBERS), 0.5)
    numbers[:, 3] = torch.tensor([0.0, 1.0])
    zoomed = prior.viewpoints(numbers).cameras
    zoomed.elevation = torch.zeros(2)
    heights = 32 - project(zoomed, torch.tensor([[0.0, 0.0, 0.35]]), 64, 64)[:, 0, 1]
    assert heights.tolist() == pytest.approx([16 / 1.5, 16 * 1.5], rel=1e-4)


@pytest.mark.parametrize("degrees", [5.0, 10.0])
def test_the_camera_is_nearly_orthographic(degrees: float) -> None:
    prior = ViewpointPrior(field_of_view_deg=degrees, frame=1.3)
    cameras = prior.at([0.0], 0.0).cameras
    near, far = torch.tensor([[0.3, -0.5, 0.0], [0.3, 0.5, 0.0]])
    x = project(cameras, torch.stack([near, far]), 64, 64)[0, :, 0] - 32
    # An orthographic camera would show both alike; this one differs by the object's length over its distance.
    assert float(x[0] / x[1]) == pytest.approx(1 + 1 / prior.distance, rel=0.01)
    assert float(x[0] / x[1]) < 1.15
    assert prior.distance == pytest.approx(0.65 / math.tan(math.radians(degrees / 2)))


def test_the_background_moves_with_the_camera_and_at_random_as_far_as_is_said() -> None:
    still = drawn(ViewpointPrior(travel=0.0, jitter=0.6))
    bound = drawn(ViewpointPrior(travel=0.6, jitter=0.0))
    both = drawn(ViewpointPrior(travel=0.4, jitter=0.6))
    for viewpoints, expected in ((still, 0.0), (bound, 1.0), (both, 0.4 / math.hypot(0.4, 0.6))):
        pair = torch.stack([viewpoints.cameras.azimuth, viewpoints.window[:, 0]])
        assert float(torch.corrcoef(pair)[0, 1]) == pytest.approx(expected, abs=0.05)
        assert 0 <= viewpoints.window.min() and viewpoints.window.max() <= 1
    for viewpoints in (still, bound):
        assert float(viewpoints.window.min()) == pytest.approx(0.2, abs=0.01)
        assert float(viewpoints.window.max()) == pytest.approx(0.8, abs=0.01)


def test_named_views_lie_where_drawn_ones_of_the_same_angles_do_in_the_middle() -> None:
    prior = ViewpointPrior(90.0, (-10.0, 20.0))
    numbers = torch.full((3, NUMBERS), 0.5)
    numbers[:, 0] = torch.tensor([0.0, 0.5, 1.0])
    named, from_numbers = prior.at([-90.0, 0.0, 90.0]), prior.viewpoints(numbers)
    assert torch.allclose(named.cameras.azimuth, from_numbers.cameras.azimuth)
    assert torch.allclose(named.cameras.elevation, from_numbers.cameras.elevation)
    assert torch.allclose(named.window, from_numbers.window)


def test_a_window_shows_its_part_of_the_background() -> None:
    columns = torch.arange(64.0).expand(64, 64)
    background = torch.stack([columns, columns.flip(1).T])[None]  # column from the left, row from the bottom
    windows = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.5, 0.25]])
    seen = seen_background(background.expand(3, -1, -1, -1), windows, 2.0, 32, 32)
    for picture, (x, y) in zip(seen, windows.tolist(), strict=True):
        assert torch.allclose(picture[0, 5], torch.arange(32.0) + 32 * x, atol=1e-3)
        assert torch.allclose(picture[1, :, 5], torch.arange(32.0).flip(0) + 32 * y, atol=1e-3)


@pytest.mark.parametrize(
    "wrong", [{"azimuth_deg": 200.0}, {"elevation_deg": (20.0, -5.0)}, {"field_of_view_deg": 0.0}, {"zoom": 0.5},
              {"travel": 0.8, "jitter": 0.3}, {"frame": 0.0}],
)  # fmt: skip
def test_impossible_priors_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError):
        ViewpointPrior(**wrong)
