# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several photographs of one object: one code for all of them, directions chosen together, one painted object."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from backend.common.records import Progress, Reconstruction, ReconstructRequest
from backend.common.regions import REGIONS, Finish, Palette
from backend.errors import BundleError, PhotoError
from backend.models.parts_network import PartsPrediction
from backend.models.shape_decoder import SpaceDecoder
from backend.pipeline.paint import Maps
from backend.pipeline.parts_camera import StartsConfig
from backend.pipeline.parts_look import LookConfig
from backend.pipeline.parts_paint import exposure, palette_of_all
from backend.pipeline.parts_photo import Seen
from backend.pipeline.parts_refine import PartsRefineConfig, PartsRefiner
from backend.pipeline.parts_texture import Layer, PartsTextureConfig, laid_over
from backend.pipeline.parts_together import PartsTogetherConfig, agree, choices_of, common_code
from backend.pipeline.reconstruct import reconstruct
from backend.training.parts.examples import Examples
from backend.weights.bundle import BUNDLED, LoadedBundle, load_bundle
from backend.weights.confidence import Evidence
from backend.weights.parts import PartsModel, load_parts
from tests.helpers.parts_readings import drawn_from, told

QUICK = PartsRefineConfig(starts=StartsConfig(behind=0.0), coarse=(48, 900.0), fine=(64, 4000.0))


@pytest.fixture(scope="module")
def model() -> PartsModel:
    return load_parts(BUNDLED / "car")


@pytest.fixture(scope="module")
def bundle() -> LoadedBundle:
    return load_bundle("car")


def seen_alone(model: PartsModel, truth: Examples, reading: PartsPrediction, steps: int) -> Seen:
    """What is known of one photograph after it was refined alone."""
    mask = truth.mask[0, 0]
    refiner = PartsRefiner(mask, reading, SpaceDecoder(model.space), model.template, QUICK)
    refiner.run(steps)
    rgba = torch.cat([truth.rgb[0] * truth.mask[0], truth.mask[0]])
    return Seen(rgba, reading, refiner, refiner.hypotheses(), Evidence(0, 0, 0, 0, 0, 0), None, False)


def degrees_off(azimuth: float, truth: Examples) -> float:
    return abs(math.degrees(math.remainder(azimuth - float(truth.azimuth), 2 * math.pi)))


def test_a_code_for_all_photographs_is_nearer_to_the_truth_than_that_of_each(model: PartsModel) -> None:
    """Each reading is wrong about the code in its own way."""
    truths = drawn_from(model, [35, 100, -150])
    generator = torch.Generator().manual_seed(2)
    readings = [
        told(truth, 4, 0.0, truth.code + 0.6 * torch.randn(truth.code.shape, generator=generator)) for truth in truths
    ]
    seen = [seen_alone(model, truth, reading, 16) for truth, reading in zip(truths, readings, strict=True)]
    agreed = agree(seen, QUICK, 16)
    true = model.space.vertices(truths[0].code[0].numpy())

    def error(code: np.ndarray) -> float:
        return float(np.linalg.norm(model.space.vertices(code) - true, axis=1).mean())

    together = {tuple(one.code) for one in agreed.hypotheses}
    assert len(together) == 1, "one code for all"
    alone = [error(one.hypotheses[0].code) for one in seen]
    assert error(agreed.hypotheses[0].code) < 0.8 * min(alone)
    mean = agree(seen, QUICK, 0)
    for start, end in zip(mean.hypotheses, agreed.hypotheses, strict=True):
        assert end.loss < start.loss - 0.005, "every photograph has its say in what is refined"
    for truth, best in zip(truths, agreed.hypotheses, strict=True):
        assert degrees_off(best.camera.azimuth, truth) < 4 and best.iou > 0.9


def unsure(reading: PartsPrediction) -> PartsPrediction:
    """A reading whose maps say nothing of where the object's ends are."""
    return replace(
        reading,
        spread=torch.full_like(reading.spread, 1e4),
        coordinates=torch.zeros_like(reading.coordinates),
        region_logits=torch.zeros_like(reading.region_logits),
    )


def test_a_wrong_direction_is_outvoted_by_the_shape_that_another_photograph_shows(model: PartsModel) -> None:
    first, second = drawn_from(model, [40, 110])
    sure = told(first, 2, 0.0, first.code)
    misled = told(second, 2, 0.6, 0 * second.code)
    seen = [seen_alone(model, first, sure, 12), seen_alone(model, second, unsure(misled), 12)]
    assert degrees_off(seen[1].hypotheses[0].camera.azimuth, second) > 150, "alone it is taken for the other end"
    agreed = agree(seen, QUICK, 12)
    assert all(
        degrees_off(one.camera.azimuth, t) < 20 for one, t in zip(agreed.hypotheses, (first, second), strict=True)
    )
    assert 0 < agreed.margin < 1
    again = agree(seen[::-1], QUICK, 12)
    assert degrees_off(again.hypotheses[0].camera.azimuth, second) < 20, "whichever comes first"


def test_the_likeliest_choices_are_tried_first_and_no_more_than_so_many(model: PartsModel) -> None:
    truths = drawn_from(model, [40, 80])
    seen = [seen_alone(model, truth, told(truth, 2, 0.4, truth.code), 0) for truth in truths]
    every = choices_of(seen, PartsTogetherConfig())
    assert len(every) == 4 and [one.place for one in every[0]] == [one.hypotheses[0].place for one in seen]
    sums = [sum(one.loss for one in choice) for choice in every]
    assert sums == sorted(sums)
    assert choices_of(seen, PartsTogetherConfig(tried=3)) == every[:3]
    many = choices_of(seen * 20, PartsTogetherConfig())
    assert len(many) == 8 and len(many[0]) == 40 and many[0] == every[0] * 20, "of a trillion"


def test_a_code_counts_more_whose_photograph_it_fits_better(model: PartsModel) -> None:
    (truth,) = drawn_from(model, [40])
    (one, *_) = seen_alone(model, truth, told(truth, 2, 0.0, truth.code), 0).hypotheses
    config = PartsTogetherConfig(unlike=0.1)
    good, bad = replace(one, code=np.zeros(2), loss=0.2), replace(one, code=np.ones(2), loss=0.3)
    np.testing.assert_allclose(common_code([good, bad], config), 1 / (1 + math.e), rtol=1e-5)
    np.testing.assert_allclose(common_code([good, replace(bad, loss=0.2)], config), 0.5)


def counted(**pixels: int) -> np.ndarray:
    return np.array([pixels.get(name, 0) for name in REGIONS])


def test_a_regions_colour_comes_from_the_photograph_that_shows_most_of_it_and_paint_from_all() -> None:
    red, blue = Finish((0.6, 0.1, 0.1), 0.3), Finish((0.1, 0.1, 0.6), 0.3)
    first, second = Palette(paint=red, two_tone=red, rim=red), Palette(paint=blue, two_tone=blue, rim=blue)
    found = palette_of_all([first, second], [counted(paint=100, rim=50), counted(paint=300, rim=20)], LookConfig())
    assert found.rim == red
    np.testing.assert_allclose(found.paint.colour, (0.35, 0.1, 0.35))
    assert found.two_tone.colour == found.paint.colour, "no second paint is seen: it is the first"
    hidden = palette_of_all([first, second], [counted(paint=100, two_tone=90), counted(paint=2)], LookConfig())
    assert hidden.paint == red and hidden.two_tone == red, "who does not show it has no say"


def test_of_one_photograph_the_palette_stays_as_it_is() -> None:
    own = Palette(paint=Finish((0.61, 0.12, 0.13), 0.3), two_tone=Finish((0.2, 0.3, 0.4), 0.3))
    for counts in (counted(paint=100, two_tone=90), counted(paint=1, two_tone=1)):
        assert palette_of_all([own], [counts], LookConfig()) == own


def test_a_photograph_in_twice_the_light_is_divided_by_twice_as_much() -> None:
    common = Palette(paint=Finish((0.5, 0.5, 0.5), 0.3))
    brighter = Palette(paint=Finish((0.6858, 0.6858, 0.6858), 0.3))  # twice as much linear light
    assert exposure(common, common) == 1
    assert exposure(brighter, common) == pytest.approx(2, abs=0.01)
    assert exposure(common, brighter) == pytest.approx(0.5, abs=0.01)
    assert exposure(Palette(), brighter) == 1, "no paint is seen"


# ---- Each photograph where it sees best ----


def layer_of(colour: tuple[float, float, float], facing: np.ndarray, direct: float, mirrored: float) -> Layer:
    """What one photograph says of a texture of 1 x 64 texels."""
    ones = np.ones_like(facing)
    albedo = np.broadcast_to(np.array(colour, np.float32), (*facing.shape, 3))
    return Layer(
        albedo, direct * ones, mirrored * ones, facing, np.zeros((*facing.shape, 4), np.uint8), albedo[..., :2] * 0
    )


def maps_of(grey: int) -> Maps:
    plain = np.full((1, 64, 3), grey, np.uint8)
    return Maps(plain, plain[..., :2], plain[..., 0], plain[..., 0], plain, plain)


def test_the_photograph_that_looks_most_directly_has_its_say_and_no_seam_shows() -> None:
    along = np.linspace(0.1, 0.9, 64, dtype=np.float32)[None]
    red, blue = layer_of((0.8, 0, 0), 1 - along, 1, 0), layer_of((0, 0, 0.8), along, 1, 0)
    made = laid_over(maps_of(128), [red, blue], PartsTextureConfig())[0].astype(int)
    assert made[0].tolist() == [204, 0, 0] and made[-1].tolist() == [0, 0, 204]
    np.testing.assert_allclose(made[31:33].mean(axis=0), [102, 0, 102], atol=2)
    assert np.abs(np.diff(made, axis=0)).max() < 16, "a seam"


def test_what_no_photograph_shows_stays_painted_and_mirror_images_give_way() -> None:
    """The left half of one layer counts on the other side; a layer that sees that side itself comes first."""
    left = np.where(np.arange(64) < 32, 0.9, 0.0).astype(np.float32)[None]
    mirrored = replace(layer_of((0.8, 0, 0), left, 0, 0), mirrored=left)
    (painted,) = laid_over(maps_of(128), [layer_of((0.8, 0, 0), left, 0, 0)] * 2, PartsTextureConfig())
    assert (painted == 128).all()
    (made,) = laid_over(maps_of(128), [mirrored, layer_of((0, 0, 0.8), left, 0, 0)], PartsTextureConfig())
    assert (made[:32] == 128).all() and (made[32:, 0] > 180).all()
    direct = replace(layer_of((0, 0, 0.8), left[:, ::-1], 0, 0), direct=left[:, ::-1])
    (made,) = laid_over(maps_of(128), [mirrored, direct], PartsTextureConfig())
    assert (made[32:, 2] > 180).all() and (made[32:, 0] < 25).all()


# ---- From files to an object ----


@pytest.fixture(scope="module")
def files(model: PartsModel, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """One drawn car from the front left and from the rear right, cut out, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("together")
    for name, truth in zip(("front", "rear"), drawn_from(model, [35, -140], size=160), strict=True):
        rgba = torch.cat([truth.rgb[0], truth.mask[0]]).permute(1, 2, 0).clamp(0, 1).numpy()
        Image.fromarray((rgba * 255).round().astype(np.uint8)).save(folder / f"{name}.png")
    (folder / "broken.png").write_bytes(b"nothing")
    return [str(folder / f"{name}.png") for name in ("front", "rear", "broken")]


def request_of(*paths: str, **more: object) -> ReconstructRequest:
    first, *others = paths
    return ReconstructRequest(first, further_paths=others, refine_steps=6, texture_size=128, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def of_two(files: list[str], bundle: LoadedBundle) -> Reconstruction:
    return reconstruct(request_of(*files[:2]), bundle)


def test_two_photographs_make_one_object_with_a_camera_each(of_two: Reconstruction, files: list[str]) -> None:
    assert of_two.parts is not None and of_two.name == "front" and of_two.photo_path == files[0]
    (rear,) = of_two.further
    assert (rear.name, rear.path, rear.image_width, rear.image_height) == ("rear", files[1], 160, 160)
    assert rear.mask.shape == (160, 160) and rear.silhouette_iou > 0.8 and of_two.silhouette_iou > 0.8
    apart = math.degrees(abs(math.remainder(rear.camera.azimuth - of_two.camera.azimuth, 2 * math.pi)))
    assert apart == pytest.approx(175, abs=15)
    assert of_two.provenance["further_sha256"] and of_two.mask_source == "alpha"
    assert {"load", "network", "refine", "together", "bake", "total"} <= set(of_two.timings)
    assert of_two.confidence is None and of_two.alternatives == []


def test_the_same_photographs_make_the_same_object(
    of_two: Reconstruction, files: list[str], bundle: LoadedBundle
) -> None:
    told: list[Progress] = []
    again = reconstruct(request_of(*files[:2]), bundle, told.append)
    np.testing.assert_array_equal(again.texture, of_two.texture)
    np.testing.assert_array_equal(again.vertices, of_two.vertices)
    assert again.further[0].camera == of_two.further[0].camera
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions) and fractions[-1] == 1


def test_the_second_photograph_has_its_say_on_what_the_first_does_not_show(
    of_two: Reconstruction, files: list[str], bundle: LoadedBundle
) -> None:
    alone = reconstruct(request_of(files[0]), bundle)
    assert alone.further == [] and alone.photo_path == files[0]
    assert (alone.texture != of_two.texture).any() and (alone.shape_code != of_two.shape_code).any()


def test_a_photograph_that_cannot_be_used_is_left_out_by_name(files: list[str], bundle: LoadedBundle) -> None:
    front, rear, broken = files
    made = reconstruct(request_of(front, broken, rear), bundle)
    assert [one.name for one in made.further] == ["rear"]
    (sentence,) = [sentence for sentence in made.warnings if "broken.png" in sentence]
    assert sentence.startswith("Made without broken.png: ")
    only = reconstruct(request_of(broken, front), bundle)
    assert only.photo_path == front and only.name == "front" and only.further == []
    assert any("broken.png" in sentence for sentence in only.warnings)
    assert "further_sha256" not in only.provenance
    with pytest.raises(PhotoError, match=r"None of the 2 photographs can be used; of the first: broken\.png is not"):
        reconstruct(request_of(broken, broken), bundle)


def test_too_many_photographs_are_refused_before_any_is_read(files: list[str], bundle: LoadedBundle) -> None:
    with pytest.raises(PhotoError, match="25 photographs of one object are more than 24: choose the best"):
        reconstruct(request_of(*files[:1] * 25), bundle)


def test_objects_without_parts_are_made_of_one_photograph_alone(files: list[str], bundle: LoadedBundle) -> None:
    with pytest.raises(BundleError, match="the weights 'car' know of none: make an object of each photograph"):
        reconstruct(request_of(*files[:2]), replace(bundle, parts=None))
    with pytest.raises(BundleError, match="one surface was asked for"):
        reconstruct(request_of(*files[:2], with_parts=False), bundle)
