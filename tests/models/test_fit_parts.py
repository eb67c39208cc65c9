# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shape space laid over the outlines of its own shapes: what was drawn is found again, within bounds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.common.records import Camera
from backend.models import fit_parts as module
from backend.models.fit_parts import FitConfig, FittedParts, fit_objects, fit_parts
from backend.render.camera import Cameras, project
from backend.render.rasterize import rasterize
from tests.helpers.box_space import HEIGHT, OPEN, TOP, WIDTH, box_space, box_template

SIZE = 96
QUICK = FitConfig(stages=((32, 25, 800.0), (48, 30, 4000.0)), likelihood_weight=1e-3)
"""Three elevations, and the top open or closed, and if the mask is tilted all of that again."""
ONCE = replace(QUICK, stages=((32, 25, 800.0), (48, 20, 4000.0)), elevations_deg=(11.0,), with_open_top=False)
TEMPLATE = box_template()
SPACE = box_space(TEMPLATE)


def camera_at(azimuth: float, elevation: float, distance: float = 2.4, roll: float = 0.0) -> Camera:
    """Angles in degrees; the object fills most of the picture, and is not in its middle."""
    view = 2 * math.atan(0.575 / distance)
    return Camera(*np.radians([azimuth, elevation]).tolist(), distance, math.radians(roll), view, 0.02, -0.03)


def silhouette(code: list[float], camera: Camera) -> np.ndarray:
    """(S, S) of a shape; what part of a pixel is covered comes from 16 samples."""
    vertices = torch.as_tensor(SPACE.vertices(np.array(code)))[None]
    screen = project(Cameras.batch([camera]), vertices, 4 * SIZE, 4 * SIZE)
    faces = torch.as_tensor(TEMPLATE.triangles, dtype=torch.int64)
    covered = (rasterize(screen, faces, 4 * SIZE, 4 * SIZE).face_index >= 0).float()
    assert 0.1 < covered.mean() < 0.5 and not covered[0, 0].any() and not covered[0, :, 0].any()
    return torch.nn.functional.avg_pool2d(covered, 4)[0].numpy()


def fitted(
    code: list[float], cameras: list[Camera], off: list[float], config: FitConfig = QUICK,
    known: list[Camera] | None = None,
) -> FittedParts:  # fmt: skip
    """A fit to the silhouettes of a code; ``off``: degrees by which each azimuth is known wrongly."""
    masks = np.stack([silhouette(code, camera) for camera in cameras])
    azimuths = [camera.azimuth + math.radians(by) for camera, by in zip(cameras, off, strict=True)]
    return fit_parts(masks, azimuths, SPACE, TEMPLATE, config, known)


def degrees(camera: Camera) -> tuple[float, float, float]:
    return math.degrees(camera.azimuth), math.degrees(camera.elevation), math.degrees(camera.roll)


@pytest.fixture(scope="module")
def one_view() -> FittedParts:
    """Of a wide and low box, seen from its left front; the azimuth is known 6 degrees wrongly."""
    return fitted([0.8, -0.6, 0.0], [camera_at(40, 12)], [6])


def test_a_shape_and_its_camera_are_found_in_one_outline(one_view: FittedParts) -> None:
    azimuth, elevation, roll = degrees(one_view.cameras[0])
    assert one_view.code.shape == (3,) and one_view.code.dtype == np.float32
    assert one_view.code[WIDTH] == pytest.approx(0.8, abs=0.3)
    assert one_view.code[HEIGHT] == pytest.approx(-0.6, abs=0.2)
    assert azimuth == pytest.approx(40, abs=3) and elevation == pytest.approx(12, abs=2)
    assert roll == pytest.approx(0, abs=1.5)
    assert one_view.iou[0] > 0.92 and one_view.loss < 0.06


def test_the_camera_shows_the_shape_where_the_mask_is(one_view: FittedParts) -> None:
    mask = silhouette([0.8, -0.6, 0.0], camera_at(40, 12)) > 0.5
    again = silhouette(one_view.code.tolist(), one_view.cameras[0]) > 0.5
    assert (mask & again).sum() / (mask | again).sum() > 0.91


def test_a_folded_top_is_recognised(one_view: FittedParts) -> None:
    folded = fitted([0.3, 0.5, OPEN], [camera_at(120, 20, 2.7)], [4])
    assert folded.code[TOP] == pytest.approx(OPEN) and one_view.code[TOP] == 0
    assert folded.code[HEIGHT] == pytest.approx(0.5, abs=0.3)
    assert degrees(folded.cameras[0])[0] == pytest.approx(120, abs=3)
    assert degrees(folded.cameras[0])[1] == pytest.approx(20, abs=2)
    never = fitted([0.3, 0.5, OPEN], [camera_at(120, 20, 2.7)], [4], ONCE)
    assert never.code[TOP] == 0 and never.iou[0] < folded.iou[0] - 0.02


def test_what_an_open_top_costs_decides_where_both_explain_the_outline() -> None:
    """From the front nothing of the fold is seen."""
    front = [camera_at(0, 0)]
    for share, top in ((0.01, 0.0), (0.99, OPEN)):
        config = replace(QUICK, open_top=share, stages=((32, 12, 800.0),))
        assert fitted([0, 0, 0], front, [0], config).code[TOP] == pytest.approx(top)


def test_several_views_share_one_code_and_have_each_its_camera() -> None:
    cameras = [camera_at(40, 12), camera_at(-60, 6, 2.2), camera_at(150, 20, 2.6)]
    found = fitted([-0.7, 0.9, OPEN], cameras, [6, 4, -5], replace(ONCE, with_open_top=True))
    assert found.code.shape == (3,) and len(found.cameras) == len(found.iou) == 3
    np.testing.assert_allclose(found.code, [-0.7, 0.9, OPEN], atol=0.3)
    for camera, wanted in zip(found.cameras, cameras, strict=True):
        azimuth, elevation, roll = degrees(camera)
        assert azimuth == pytest.approx(math.degrees(wanted.azimuth), abs=2.5)
        assert elevation == pytest.approx(math.degrees(wanted.elevation), abs=3.5)
        assert roll == pytest.approx(0, abs=2.5)
    assert min(found.iou) > 0.92


def test_views_that_disagree_meet_between() -> None:
    """A wide box and a narrow one, from the front: each alone is what it is, and both together are neither."""
    cameras = [camera_at(10, 12), camera_at(-15, 12)]
    masks = np.stack([silhouette([width, 0, 0], camera) for width, camera in zip((1.0, -1.0), cameras, strict=True)])
    azimuths = [camera.azimuth for camera in cameras]
    wide, narrow, both = (
        fit_parts(masks[views], azimuths[views], SPACE, TEMPLATE, ONCE, cameras[views]).code[WIDTH]
        for views in (slice(0, 1), slice(1, 2), slice(0, 2))
    )
    assert wide > 0.6 and narrow < -0.6 and abs(both) < 0.4


def test_cameras_that_are_known_stay() -> None:
    """But for the place and size of the object in the picture, which the crop decides."""
    cameras = [camera_at(40, 12), camera_at(-60, 6, 2.2)]
    moved = [replace(camera, field_of_view=0.7, shift_x=0.2, shift_y=0.1) for camera in cameras]
    found = fitted([-0.7, 0.9, 0.0], cameras, [90, 90], ONCE, moved)
    for camera, wanted in zip(found.cameras, cameras, strict=True):
        own, truth = ([c.azimuth, c.elevation, c.distance, c.roll] for c in (camera, wanted))
        np.testing.assert_allclose(own, truth, atol=1e-6)
        assert camera.field_of_view == pytest.approx(wanted.field_of_view, rel=0.05)
        assert (camera.shift_x, camera.shift_y) == pytest.approx((wanted.shift_x, wanted.shift_y), abs=0.01)
    np.testing.assert_allclose(found.code, [-0.7, 0.9, 0.0], atol=0.3)


@pytest.mark.parametrize("known", [False, True])
def test_a_mask_of_nothing_is_refused_in_one_sentence(known: bool) -> None:
    masks = np.stack([silhouette([0, 0, 0], camera_at(40, 12)), np.zeros((SIZE, SIZE), np.float32)])
    cameras = [camera_at(40, 12)] * 2 if known else None
    with pytest.raises(ValueError, match=r"^A mask that selects nothing cannot be fitted\.$"):
        fit_parts(masks, [0.7, 0.7], SPACE, TEMPLATE, QUICK, cameras)


@pytest.mark.parametrize("tilt", [-50, -25, 25, 50])
def test_the_tilt_of_a_mask_is_counted_counter_clockwise(tilt: float) -> None:
    y, x = np.mgrid[:60, :60] - 29.5
    angle = math.radians(tilt)
    along, across = x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
    bar = torch.tensor((np.abs(along) < 25) & (np.abs(across) < 8)).float()
    assert math.degrees(module._tilt(bar)) == pytest.approx(tilt, abs=1)
    assert math.degrees(module._tilt(bar.flip(1))) == pytest.approx(-tilt, abs=1)
    square = torch.tensor((np.abs(along) < 20) & (np.abs(across) < 18)).float()
    assert module._tilt(square) == 0


@pytest.mark.parametrize("roll", [-25, 25])
def test_a_tilted_mask_starts_tilted(roll: float) -> None:
    """A camera turned counter-clockwise sees the object turned clockwise."""
    found = fitted([0.3, 0.2, 0.0], [camera_at(70, 8, roll=roll)], [0], ONCE)
    _, elevation, tilt = degrees(found.cameras[0])
    assert tilt == pytest.approx(roll, abs=3) and elevation == pytest.approx(8, abs=4) and found.iou[0] > 0.9


def test_without_such_a_start_a_tilted_camera_is_not_found() -> None:
    upright = fitted([0.3, 0.2, 0.0], [camera_at(70, 8, roll=25)], [0], replace(ONCE, tilted_deg=89))
    assert abs(degrees(upright.cameras[0])[2]) < 10 and upright.iou[0] < 0.87


def test_a_camera_under_the_ground_is_not_believed() -> None:
    """The mask was seen from below; all starts, also those from below, end near the ground, unless it may be so."""
    mask = silhouette([0.3, 0.2, 0.0], camera_at(40, -12))[None]
    lowest = {}
    for limit in (-1.0, -90.0):
        config = replace(ONCE, elevations_deg=(-10.0, 3.0), elevation_deg=(8.0, 30.0), lowest_elevation_deg=limit)
        search = module._Search(mask[None], [[math.radians(40)]], SPACE, TEMPLATE, config, None)
        for size, steps, sharpness in config.stages:
            for _ in range(steps):
                search.step(size, sharpness)
        lowest[limit] = math.degrees(search._pose()[1].min().item())
    assert lowest[-1.0] > -7 and lowest[-90.0] < -10


def test_at_the_start_the_mean_shape_fills_the_box_of_every_mask() -> None:
    """Nearly: each side of the screen's box is that of the mask's, but for another shape and perspective."""
    cameras = [
        replace(camera_at(azimuth, 10, 3.0), field_of_view=0.5, shift_x=x, shift_y=y)
        for azimuth, x, y in ((90, 0.1, 0.1), (-80, -0.05, -0.2))
    ]
    masks = np.stack([silhouette([0, 0, 0], camera) for camera in cameras])
    search = module._Search(masks[None], [[camera.azimuth for camera in cameras]], SPACE, TEMPLATE, QUICK, None)
    screen = search._screen(SIZE).detach().view(6, 2, -1, 3)[..., :2]
    low, high = screen.amin(dim=2), screen.amax(dim=2)
    for view, mask in enumerate(masks):
        rows, columns = (mask > 0.5).any(axis=1).nonzero()[0], (mask > 0.5).any(axis=0).nonzero()[0]
        middle = torch.tensor([columns[0] + columns[-1] + 1, rows[0] + rows[-1] + 1]) / 2
        assert ((low + high)[:, view] / 2 - middle).abs().max() < 4
        widths = (high - low)[:3, view, 0] / (columns[-1] + 1 - columns[0])  # of those that are closed
        assert (widths - 1).abs().max() < 0.15


def test_numbers_beyond_the_components_stay_zero() -> None:
    config = replace(QUICK, components=1, stages=((32, 12, 800.0),))
    found = fitted([0.8, 0.9, OPEN], [camera_at(40, 12)], [0], config)
    assert found.code[WIDTH] != 0 and found.code[HEIGHT] == 0


def test_a_fit_says_how_far_it_is() -> None:
    calls: list[tuple[int, int]] = []
    config = replace(QUICK, stages=((16, 2, 400.0), (24, 3, 800.0)))
    mask = silhouette([0, 0, 0], camera_at(40, 12))[None]
    fit_parts(mask, [0.7], SPACE, TEMPLATE, config, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(k, 5) for k in range(1, 6)]


def test_a_likelier_code_is_preferred_the_more_its_likelihood_weighs() -> None:
    size = {}
    for weight in (0.0, 1e-1):
        found = fitted([1.5, 1.0, 0.0], [camera_at(30, 10)], [0], replace(ONCE, likelihood_weight=weight))
        size[weight] = float(np.linalg.norm(found.code[:2]))
    assert size[1e-1] < 0.5 * size[0.0]


def test_the_space_of_these_tests_is_what_it_says() -> None:
    np.testing.assert_allclose(SPACE.vertices(np.zeros(3)), TEMPLATE.vertices, atol=1e-6)
    sides = np.ptp(SPACE.vertices(np.array([1, -1, 0.0])), axis=0) / np.ptp(TEMPLATE.vertices, axis=0)
    np.testing.assert_allclose(sides, [1.2, 1, 0.75], atol=1e-5)


def test_many_objects_at_once_are_fitted_as_each_is_alone() -> None:
    cameras = [camera_at(60, 8), camera_at(-110, 12)]
    masks = np.stack(
        [silhouette(code, camera) for code, camera in zip(([0.5, 0.2, 0], [-0.4, 0, 0.3]), cameras, strict=True)]
    )
    azimuths = [camera.azimuth for camera in cameras]
    config = replace(ONCE, with_open_top=True, elevations_deg=(3.0, 11.0))
    together = fit_objects(masks, azimuths, SPACE, TEMPLATE, config)
    for mask, azimuth, found in zip(masks, azimuths, together, strict=True):
        alone = fit_parts(mask[None], [azimuth], SPACE, TEMPLATE, config)
        np.testing.assert_allclose(found.code, alone.code, atol=0.05)
        assert found.iou[0] == pytest.approx(alone.iou[0], abs=0.01)
        assert degrees(found.cameras[0]) == pytest.approx(degrees(alone.cameras[0]), abs=0.5)
