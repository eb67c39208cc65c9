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

from backend.common.records import QUALITIES, Camera, Reconstruction, ReconstructRequest
from backend.errors import PhotoError
from backend.models.parts_network import PartsPrediction
from backend.models.shape_decoder import SpaceDecoder
from backend.pipeline.course import FACING
from backend.pipeline.parts_camera import StartsConfig, camera_of_maps, starts_of
from backend.pipeline.parts_offsets import OffsetsConfig
from backend.pipeline.parts_photo import PartsPhotoConfig, evidence_of, is_doubtful, texture_size
from backend.pipeline.parts_refine import REFINEMENTS, Hypothesis, PartsRefineConfig, PartsRefiner
from backend.pipeline.pinhole_cameras import PinholeConfig
from backend.pipeline.reconstruct import ReconstructConfig, reconstruct
from backend.training.parts.examples import Examples
from backend.weights.bundle import BUNDLED, LoadedBundle, load_bundle
from backend.weights.confidence import NO_RIVAL, Confidence, Evidence
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
    prediction = told(drawn, off_deg=3, flipped=0.003, code=drawn.code)
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


# ---- Qualities, what is known before, and how sure the result is ----


def refined(model: PartsModel, drawn: Examples, prediction: PartsPrediction, steps: int, **given) -> PartsRefiner:
    config = given.pop("config", PartsRefineConfig())
    refiner = PartsRefiner(drawn.mask[0, 0], prediction, SpaceDecoder(model.space), model.template, config, **given)
    refiner.run(steps)
    return refiner


def test_a_lens_that_is_known_holds_the_distance(model: PartsModel, drawn: Examples) -> None:
    """The network's own distance is a half too large."""
    reading = told(drawn, off_deg=4, flipped=0.0, code=0.8 * drawn.code)
    reading = replace(reading, pose=drawn.pose + torch.tensor([0.0, 0.4, 0.0]))
    exact = camera_of_maps(told(drawn, 0, 0, drawn.code), drawn.mask[0, 0], config=EXACT)
    assert exact is not None
    focal = 0.5 / math.tan(0.5 * exact.camera.field_of_view)
    truth = math.exp(float(drawn.pose[0, 1]))
    distances = [
        refined(model, drawn, reading, 10, focal=lens).hypotheses()[0].camera.distance for lens in (None, focal)
    ]
    without, with_it = (abs(math.log(distance / truth)) for distance in distances)
    assert with_it < 0.16 and with_it < 0.5 * without


SURE = Evidence(0.95, 0.2, 0.05, 0.8, 0.95, 0.93)
EXACT = StartsConfig(pinhole=PinholeConfig(noise=1e-4, independent=400))
"""Coordinates that are known to be exact say the camera alone."""


def test_steps_end_early_where_nothing_gets_better(model: PartsModel, drawn: Examples) -> None:
    reading = told(drawn, off_deg=0, flipped=0.0, code=drawn.code)
    done = {}
    for least in (0.0, 10.0):
        config = PartsRefineConfig(patience=2, least_gain=least, coarse=(32, 400.0), fine=(32, 1500.0))
        said: list[tuple[int, int]] = []
        refiner = PartsRefiner(drawn.mask[0, 0], reading, SpaceDecoder(model.space), model.template, config)
        refiner.run(12, lambda step, total, said=said: said.append((step, total)))
        done[least] = said
    assert len(done[10.0]) < len(done[0.0]) and done[10.0][-1] == (12, 12)
    assert [step for step, _ in done[10.0]] == sorted(step for step, _ in done[10.0])


def test_a_code_longer_than_any_objects_costs(model: PartsModel, drawn: Examples) -> None:
    refiner = refined(model, drawn, told(drawn, 0, 0.0, drawn.code), 0)
    lengths = np.linalg.norm(model.space.examples.astype(np.float64), axis=1)
    costs = []
    for length in (0.9, 1.1, 1.6, 2.2):
        code = drawn.code / drawn.code.norm() * length * np.percentile(lengths, 99)
        refiner.code, refiner.given_code = code, code
        costs.append(float(refiner._prior().detach()[0]) - 0.2 * 6e-4 * float(code.square().sum()))
    rises = np.array(costs[1:]) - costs[0]
    np.testing.assert_allclose(rises, PartsRefineConfig().strangeness * np.array([0.1, 0.6, 1.2]) ** 2, atol=1e-4)


def test_a_draft_is_what_the_network_said_in_the_masks_frame(model: PartsModel, drawn: Examples) -> None:
    config = REFINEMENTS["draft"]
    found = refined(model, drawn, told(drawn, 3, 0.0, drawn.code), -1, config=config).hypotheses()
    np.testing.assert_allclose(found[0].code, drawn.code[0].numpy(), atol=1e-6)
    assert found[0].iou > 0.9 and degrees_off(found[0], drawn) == pytest.approx(3, abs=0.1)
    assert found[0].agreement > 0.8
    assert list(REFINEMENTS) == list(QUALITIES)


def test_evidence_speaks_for_a_reading_that_is_right(model: PartsModel, drawn: Examples) -> None:
    reading = told(drawn, off_deg=3, flipped=0.4, code=drawn.code)
    found = camera_of_maps(reading, drawn.mask[0, 0])
    hypotheses = refined(model, drawn, reading, 4, starts=starts_of(reading, found)).hypotheses()
    if degrees_off(hypotheses[0], drawn) > 90:
        hypotheses = hypotheses[::-1]
    right = evidence_of(reading, drawn.mask[0, 0], found, hypotheses)
    wrong = evidence_of(reading, drawn.mask[0, 0], found, hypotheses[::-1])
    assert right.margin == pytest.approx(min(-wrong.margin, NO_RIVAL)) and right.margin > 0
    assert right.disagreement < 0.1 and wrong.disagreement > 2.5
    assert right.region_agreement > wrong.region_agreement and right.mask_agreement > 0.95
    alone = evidence_of(reading, drawn.mask[0, 0], None, hypotheses[:1])
    assert alone.margin == NO_RIVAL and alone.disagreement == math.pi


def test_a_known_direction_is_believed(bundle: LoadedBundle, root: Path) -> None:
    """Even where it is the opposite of what the network sees."""
    photo = str(root / "examples" / "car.jpg")
    known = reconstruct(ReconstructRequest(photo, refine_steps=2, texture_size=128, azimuth=-0.75), bundle)
    assert abs(known.camera.azimuth + 0.75) < 0.3
    assert known.confidence == 1 and known.alternatives == []
    assert FACING not in known.warnings


def test_the_cards_number_for_directions_from_behind_is_added_to_what_the_network_says(
    bundle: LoadedBundle, root: Path
) -> None:
    request = ReconstructRequest(str(root / "examples" / "car.jpg"), refine_steps=0, texture_size=128)
    assert bundle.parts is not None
    for number in (-60.0, 60.0):
        found = reconstruct(request, replace(bundle, parts=replace(bundle.parts, behind=number)))
        assert (abs(math.remainder(found.camera.azimuth, 2 * math.pi)) > math.pi / 2) == (number > 0)


def test_an_unknown_quality_is_refused_in_one_sentence(bundle: LoadedBundle, root: Path) -> None:
    with pytest.raises(PhotoError, match="no quality 'best'; choose one of draft, standard, fine"):
        reconstruct(ReconstructRequest(str(root / "examples" / "car.jpg"), quality="best"), bundle)


def doubting(bundle: LoadedBundle, bias: float) -> LoadedBundle:
    """The same bundle with a confidence that is the same whatever the evidence, and always asks at under a half."""
    ones, zeros = (1.0,) * 6, (0.0,) * 6
    assert bundle.parts is not None
    confidence = Confidence(zeros, ones, zeros, bias, 0.5)
    return replace(bundle, parts=replace(bundle.parts, confidence=confidence))


def test_a_doubt_is_told_and_the_other_direction_is_shown(bundle: LoadedBundle, root: Path) -> None:
    request = ReconstructRequest(str(root / "examples" / "car.jpg"), refine_steps=2, texture_size=128)
    starts = StartsConfig(least_probability=0.0)
    quick = PartsRefineConfig(starts=starts, coarse=(32, 400.0), fine=(48, 3000.0))
    config = ReconstructConfig(parts=PartsPhotoConfig(refinements={"standard": quick}))
    unsure = reconstruct(request, doubting(bundle, -1), config=config)
    assert unsure.confidence == pytest.approx(1 / (1 + math.e), abs=1e-6) and FACING in unsure.warnings
    (other,) = unsure.alternatives
    assert other.picture.shape == (160, 160, 4) and other.picture.dtype == np.uint8
    assert 0.1 < (other.picture[..., 3] > 127).mean() < 0.8
    assert abs(math.remainder(other.azimuth - unsure.camera.azimuth, 2 * math.pi)) > math.pi / 4
    assert other.probability == pytest.approx(1 - unsure.confidence, abs=1e-6)
    assert list(unsure.evidence) == list(SURE.as_dict())
    sure = reconstruct(request, doubting(bundle, 4), config=config)
    assert sure.alternatives == [] and FACING not in sure.warnings
    draft = reconstruct(replace(request, refine_steps=0), doubting(bundle, -1), config=config)
    assert draft.confidence is None


def test_the_finest_quality_ends_with_free_offsets(bundle: LoadedBundle, root: Path) -> None:
    assert bundle.parts is not None
    quick = PartsRefineConfig(coarse=(32, 400.0), fine=(48, 3000.0), offsets=OffsetsConfig(steps=6, size=96))
    config = ReconstructConfig(parts=PartsPhotoConfig(refinements={"fine": quick}))
    request = ReconstructRequest(str(root / "examples" / "car.jpg"), quality="fine", refine_steps=4, texture_size=128)
    made = reconstruct(request, bundle, config=config)
    assert 0 < np.linalg.norm(made.offsets, axis=1).max() <= 0.0121
    decoded = bundle.parts.model.space.vertices(made.shape_code)
    np.testing.assert_allclose(made.vertices, decoded + made.offsets, atol=1e-6)
    none = reconstruct(replace(request, refine_steps=0), bundle, config=config)
    assert not none.offsets.any()


def test_a_textures_side_follows_the_photo_up_to_what_the_quality_is_worth() -> None:
    limits = [
        texture_size(ReconstructRequest("photo.jpg", quality=quality), PartsPhotoConfig())[1] for quality in QUALITIES
    ]
    assert limits == sorted(limits) and limits[0] < limits[1] < limits[2] == 2048
    asked = ReconstructRequest("photo.jpg", quality="draft", texture_size=4096)
    assert texture_size(asked, PartsPhotoConfig())[0] == 4096
