# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A photograph becomes an object with parts: cameras, codes, colours and light against known ones."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.common.records import Camera, Reconstruction, ReconstructRequest
from backend.common.regions import REGIONS, Finish, Palette
from backend.models.shape_decoder import SpaceDecoder
from backend.pipeline.parts_camera import StartsConfig
from backend.pipeline.parts_look import palette_and_light
from backend.pipeline.parts_photo import PartsPhotoConfig, is_doubtful
from backend.pipeline.parts_refine import Hypothesis, PartsRefineConfig, PartsRefiner
from backend.pipeline.reconstruct import reconstruct
from backend.render.light import spherical_harmonics, srgb_decode, srgb_encode
from backend.training.parts.examples import Examples
from backend.weights.bundle import BUNDLED, LoadedBundle, load_bundle
from backend.weights.parts import PartsModel, load_parts
from tests.helpers.parts_readings import drawn_car, told


@pytest.fixture(scope="module")
def model() -> PartsModel:
    return load_parts(BUNDLED / "car")


@pytest.fixture(scope="module")
def bundle() -> LoadedBundle:
    return load_bundle("car")


@pytest.fixture(scope="module")
def drawn(model: PartsModel) -> Examples:
    """One drawn car, seen from the front left."""
    return drawn_car(model)


def degrees_off(found: Hypothesis, truth: Examples) -> float:
    apart = math.remainder(found.camera.azimuth - float(truth.azimuth), 2 * math.pi)
    return abs(math.degrees(apart))


def test_a_camera_and_a_code_that_are_off_are_moved_to_the_truth(model: PartsModel, drawn: Examples) -> None:
    decoder = SpaceDecoder(model.space)
    prediction = told(drawn, off_deg=14, flipped=0.0, code=0.5 * drawn.code)
    refiner = PartsRefiner(drawn.mask[0, 0], prediction, decoder, model.template)
    before = refiner.hypotheses()[0]
    refiner.run(40)
    after = refiner.hypotheses()[0]
    assert degrees_off(before, drawn) == pytest.approx(14, abs=0.1)
    assert degrees_off(after, drawn) < 4
    assert after.iou > max(0.91, before.iou) and after.loss < before.loss
    true, start, end = (model.space.vertices(code) for code in (drawn.code[0].numpy(), before.code, after.code))
    assert np.abs(end - true).mean() < np.abs(start - true).mean()


def test_maps_overrule_a_head_that_takes_the_rear_for_the_front(model: PartsModel, drawn: Examples) -> None:
    prediction = told(drawn, off_deg=3, flipped=0.6, code=0.9 * drawn.code)
    even = PartsRefineConfig(starts=StartsConfig(behind=0.0))
    refiner = PartsRefiner(drawn.mask[0, 0], prediction, SpaceDecoder(model.space), model.template, even)
    refiner.run(16)
    best, other = refiner.hypotheses()
    assert degrees_off(best, drawn) < 20 and degrees_off(other, drawn) > 150
    assert best.probability < other.probability


def test_an_unlikely_direction_is_not_tried(model: PartsModel, drawn: Examples) -> None:
    prediction = told(drawn, off_deg=3, flipped=0.01, code=drawn.code)
    refiner = PartsRefiner(drawn.mask[0, 0], prediction, SpaceDecoder(model.space), model.template)
    assert len(refiner.hypotheses()) == 1
    both = PartsRefineConfig(starts=StartsConfig(least_probability=0.001))
    refiner = PartsRefiner(drawn.mask[0, 0], prediction, SpaceDecoder(model.space), model.template, both)
    assert len(refiner.hypotheses()) == 2


def test_directions_from_behind_are_taken_for_likelier_than_the_head_says(model: PartsModel, drawn: Examples) -> None:
    from_behind = bool(drawn.azimuth.abs() > math.pi / 2)
    prediction = told(drawn, off_deg=3, flipped=0.4, code=drawn.code)
    shares = {}
    for behind in (0.0, 1.5):
        config = PartsRefineConfig(starts=StartsConfig(behind=behind))
        refiner = PartsRefiner(drawn.mask[0, 0], prediction, SpaceDecoder(model.space), model.template, config)
        rear = refiner.azimuths.abs() > math.pi / 2
        shares[behind] = float(refiner.probabilities[rear].sum())
    assert shares[0.0] == pytest.approx(0.6 if from_behind else 0.4, abs=0.02)
    odds = [share / (1 - share) for share in shares.values()]
    assert odds[1] / odds[0] == pytest.approx(math.exp(1.5), rel=0.05)


def test_two_directions_that_nearly_tie_are_a_doubt() -> None:
    camera = seen_from(0.2)
    sure = [Hypothesis(camera, np.zeros(1), 0.9, 0.1, 0.9, 0.7)]
    config = PartsPhotoConfig()
    assert not is_doubtful(sure, config)
    far = seen_from(0.2 + math.pi)
    assert is_doubtful([*sure, Hypothesis(far, np.zeros(1), 0.1, 0.11, 0.9, 0.7)], config)
    assert is_doubtful([*sure, Hypothesis(far, np.zeros(1), 0.4, 0.3, 0.9, 0.7)], config)
    assert not is_doubtful([*sure, Hypothesis(far, np.zeros(1), 0.1, 0.3, 0.9, 0.7)], config)
    assert not is_doubtful([*sure, Hypothesis(seen_from(0.4), np.zeros(1), 0.4, 0.11, 0.9, 0.7)], config)


def seen_from(azimuth: float) -> Camera:
    return Camera(azimuth, 0.1, 2.5, 0.0, 0.4)


def test_paint_and_light_of_a_lit_ball_are_found() -> None:
    """A ball whose upper part is glass, lit from the upper right by a light that is known."""
    axis = np.linspace(-1.1, 1.1, 64)
    x, up = np.meshgrid(axis, -axis)
    inside = x**2 + up**2 < 1
    normals = np.stack([x, -np.sqrt(np.clip(1 - x**2 - up**2, 0, 1)), up], axis=-1) * inside[..., None]
    light = np.array([1 / 0.282095, -0.1, 0.5, 0.35, 0, 0, 0, 0, 0])
    received = spherical_harmonics(torch.as_tensor(normals)).numpy() @ light
    paint = np.array([0.55, 0.15, 0.12])
    linear = srgb_decode(torch.as_tensor(paint)).numpy() * received[..., None]
    shares = np.zeros((len(REGIONS), 64, 64), np.float32)
    glass = inside & (up > 0.6)
    shares[REGIONS.index("glass")][glass] = 1
    shares[REGIONS.index("paint")][inside & ~glass] = 1
    colours = srgb_encode(torch.as_tensor(np.where(glass[..., None], 0.01, linear))).numpy()
    palette, found = palette_and_light(colours.astype(np.float32), normals.astype(np.float32), shares)
    np.testing.assert_allclose(palette.paint.colour, paint, atol=0.04)
    seen = inside & ~glass
    explained = spherical_harmonics(torch.as_tensor(normals[seen])).numpy() @ found[:, 0]
    assert np.corrcoef(explained, received[seen])[0, 1] > 0.97
    assert explained.mean() == pytest.approx(1, abs=0.1)
    assert palette.glass == Palette().glass and palette.two_tone.colour == palette.paint.colour


def test_a_region_takes_its_colour_only_where_enough_of_it_is_seen() -> None:
    normals = np.zeros((32, 32, 3), np.float32)
    normals[..., 1] = -1
    shares = np.zeros((len(REGIONS), 32, 32), np.float32)
    shares[REGIONS.index("rim"), :2] = 1
    shares[REGIONS.index("plate"), 4, :5] = 1
    colours = np.full((32, 32, 3), 0.2, np.float32)
    palette, light = palette_and_light(colours, normals, shares)
    np.testing.assert_allclose(palette.rim.colour, 0.2, atol=0.02)
    assert palette.plate == Palette().plate and palette.paint == Palette().paint
    assert light[1:].max() == 0
    assert isinstance(palette.rim, Finish) and palette.rim.metallic == Palette().rim.metallic


@pytest.fixture(scope="module")
def with_parts(bundle: LoadedBundle, root: Path) -> Reconstruction:
    request = ReconstructRequest(str(root / "examples" / "car.jpg"), refine_steps=12, texture_size=256)
    return reconstruct(request, bundle)


def test_a_photograph_gives_a_car_with_wheels_that_covers_its_outline(with_parts: Reconstruction) -> None:
    assert with_parts.parts is not None and "wheel_front_left" in with_parts.parts.names
    assert with_parts.texture.shape == (256, 256, 3) and with_parts.parts.surface.shape == (256, 256, 2)
    assert with_parts.silhouette_iou > 0.85
    assert 2.5 < with_parts.real_size < 13
    assert {"load", "cut_out", "network", "refine", "bake", "total"} <= set(with_parts.timings)
    assert with_parts.shape_code.shape == (96,) and not with_parts.offsets.any()


def test_one_surface_is_made_where_it_is_asked_for(bundle: LoadedBundle, root: Path) -> None:
    request = ReconstructRequest(str(root / "examples" / "car.jpg"), refine_steps=0, texture_size=256, with_parts=False)
    made = reconstruct(request, bundle)
    assert made.parts is None and len(made.vertices) == len(bundle.template.vertices)
    assert reconstruct(replace(request, with_parts=True), replace(bundle, parts=None)).parts is None
