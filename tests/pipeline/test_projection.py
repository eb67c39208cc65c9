# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projection: pictures that a generator made itself are found again, and what is masked counts nowhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.common.records import Progress
from backend.errors import Cancelled, PhotoError
from backend.models.perceptual import EdgePyramid
from backend.pipeline.projection.comparison import Comparison, ComparisonConfig, frame
from backend.pipeline.projection.file import ProjectionError, load_projection, save_projection
from backend.pipeline.projection.latents import CodeSpace, Synthesis
from backend.pipeline.projection.projection import Projection, ProjectionConfig, project
from tests.helpers.projection_samples import CONTENT, Loaded, codes, loaded_generator, picture

QUICK = ProjectionConfig(steps=80, samples=500, candidates=48)
SHORT = ProjectionConfig(steps=6, samples=50, candidates=20)


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return loaded_generator()


def off(a: np.ndarray, b: np.ndarray) -> float:
    """Root of the mean squared difference."""
    return float(np.sqrt(np.mean((a - b) ** 2)))


def noisy_photo(height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3))


# A known truth.


def test_a_picture_of_the_generators_own_is_found_again_in_w(loaded: Loaded) -> None:
    random = codes(loaded, 500)
    truth, mean = random[7:8], random.mean(dim=0, keepdim=True)
    target = picture(loaded, truth)
    found = project(target, loaded, replace(QUICK, space="w", noise_maps=False))
    np.testing.assert_allclose(found.target, target, atol=1e-6)
    assert off(found.image, target) < 0.01 * off(picture(loaded, mean), target)
    assert off(found.codes[0], truth[0].numpy()) < 0.03 * off(mean.numpy(), truth.numpy())
    assert found.codes.shape == (8, 24) and (found.codes == found.codes[0]).all()
    assert found.distance < 0.02 < 0.5 < found.start_distance
    assert found.losses.shape == (80,) and found.losses[-1] < 0.1 * found.losses[0]
    np.testing.assert_allclose(found.image, picture(loaded, torch.as_tensor(found.codes)[None]), atol=1e-5)


def test_w_plus_comes_nearer_than_w_to_a_picture_whose_layers_have_two_codes(loaded: Loaded) -> None:
    random = codes(loaded, 10)
    target = picture(loaded, loaded.generator.mix(random[7:8], random[9:10], 4))
    errors = {
        space: off(project(target, loaded, replace(QUICK, space=space, noise_maps=False)).image, target)  # type: ignore[arg-type]
        for space in ("w", "w+")
    }
    assert errors["w+"] < 0.6 * errors["w"]


def test_maps_of_noise_carry_detail_and_stay_white(loaded: Loaded) -> None:
    from tests.pipeline.test_latents import slow_autocorrelation

    photo = noisy_photo(24, 32)
    without = project(photo, loaded, replace(QUICK, noise_maps=False))
    within = project(photo, loaded, QUICK)
    free = project(photo, loaded, replace(QUICK, noise_weight=0.0))
    assert off(free.image, photo) < off(within.image, photo) < off(without.image, photo)

    def carried(found: Projection) -> float:
        return sum(slow_autocorrelation(noise) for noise in found.noise.values())

    assert carried(within) < 0.001 < 0.1 < carried(free)
    for noise in within.noise.values():
        assert abs(noise.mean()) < 1e-5 and noise.std() == pytest.approx(1, abs=1e-4)
    own = Synthesis(loaded.generator).noise()
    assert all(np.array_equal(without.noise[name], own[name]) for name in own)
    with_its_noise = Synthesis(loaded.generator)(
        torch.as_tensor(within.codes)[None], {name: torch.as_tensor(noise) for name, noise in within.noise.items()}
    )
    np.testing.assert_allclose(
        within.image, (with_its_noise[0, :, 4:28] * 0.5 + 0.5).clamp(0, 1).permute(1, 2, 0), atol=1e-5
    )


def test_held_layers_stay_near_one_another_and_near_the_mean(loaded: Loaded) -> None:
    photo = noisy_photo()
    free, together, at_mean = (
        project(
            photo, loaded, replace(QUICK, steps=40, learning_rate=0.2, mean_weight=mean, layers_weight=layers)
        ).codes
        for mean, layers in ((0.0, 0.0), (0.0, 10.0), (10.0, 0.0))
    )
    mean = codes(loaded, 500).mean(dim=0).numpy()
    assert together.std(axis=0).mean() < 0.1 * free.std(axis=0).mean()
    assert off(at_mean, mean) < 0.25 * off(free, mean)


def test_the_search_starts_where_its_features_say(loaded: Loaded) -> None:
    """The candidates' pictures are told apart by a feature of which only one candidate has the right value."""
    space = CodeSpace.of(loaded.generator, SHORT.samples, torch.Generator().manual_seed(3))
    target = picture(loaded, space.samples[11:12])
    found = project(target, loaded, replace(SHORT, space="w", learning_rate=1e-9), seed=3)
    np.testing.assert_allclose(found.codes[0], space.samples[11], atol=1e-4)
    mean_colour = torch.nn.AdaptiveAvgPool2d(1)

    class ByColour(torch.nn.Module):
        def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
            return [mean_colour(pictures)]

    by_colour = project(target.mean(axis=(0, 1)) + np.zeros_like(target), loaded,
                        replace(SHORT, learning_rate=1e-9, search=ComparisonConfig(pixel_weight=0.0)),
                        seed=3, search_features=ByColour())  # fmt: skip
    np.testing.assert_allclose(by_colour.codes[0], space.samples[11], atol=1e-4)


def test_the_best_of_several_starts_goes_on(loaded: Loaded) -> None:
    """With a search that is wrong on purpose, the start at the mean wins where the target is the mean's picture."""
    space = CodeSpace.of(loaded.generator, SHORT.samples, torch.Generator().manual_seed(0))
    target = picture(loaded, space.mean[None])
    still = replace(SHORT, space="w", learning_rate=1e-9)
    alone = project(target, loaded, still)
    several = project(target, loaded, still, starts=3)
    assert off(alone.codes[0], space.mean.numpy()) > 0.1
    np.testing.assert_allclose(several.codes[0], space.mean, atol=1e-4)
    assert several.losses.shape == (SHORT.steps,)


def test_noise_on_the_codes_shakes_the_first_losses_and_has_died_away_at_the_end(loaded: Loaded) -> None:
    still = replace(SHORT, steps=16, space="w", learning_rate=1e-9, noise_maps=False)
    calm, shaken = (project(noisy_photo(), loaded, replace(still, code_noise=noise)).losses for noise in (0.0, 2.0))
    np.testing.assert_allclose(calm, calm[0], rtol=1e-5)
    apart = np.abs(shaken - calm)
    assert apart[0] > 0.01 and (apart[:6] > 1e-4).all()
    np.testing.assert_allclose(shaken[12:], calm[12:], rtol=1e-5)


# Masks.


def test_what_a_mask_hides_changes_nothing(loaded: Loaded) -> None:
    mask = np.zeros((50, 60))
    mask[10:40, 15:45] = 1
    mask[30:35, 20:30] = 0.4
    photo, other = noisy_photo(50, 60), noisy_photo(50, 60, seed=1)
    other[mask > 0] = photo[mask > 0]
    one, two = (project(p, loaded, SHORT, mask=mask) for p in (photo, other))
    assert np.array_equal(one.codes, two.codes) and np.array_equal(one.target, two.target)
    assert not np.array_equal(one.codes, project(other, loaded, SHORT).codes)


def test_no_gradient_reaches_pixels_outside_the_mask() -> None:
    mask = np.zeros((24, 32), np.float32)
    mask[6:18, 8:20] = 1
    comparison = Comparison(
        frame(noisy_photo(24, 32), mask, 24, 32), EdgePyramid(), ComparisonConfig(pixel_size=16), torch.device("cpu")
    )
    pictures = torch.rand(2, 3, 24, 32, requires_grad=True)
    comparison(pictures).sum().backward()
    assert pictures.grad is not None
    assert (pictures.grad[:, :, mask == 0] == 0).all() and (pictures.grad[:, :, mask == 1] != 0).float().mean() > 0.9


def test_the_pixel_distance_is_a_mean_over_the_mask_alone() -> None:
    mask = np.zeros((8, 8), np.float32)
    mask[:, :2] = 1
    comparison = Comparison(
        frame(np.full((8, 8, 3), 0.2), mask, 8, 8), EdgePyramid(1), ComparisonConfig(), torch.device("cpu")
    )
    pictures = torch.full((1, 3, 8, 8), 0.9)
    pictures[:, :, :, :2] = 0.5
    assert float(comparison.pixels(pictures)) == pytest.approx(0.3)


def test_two_random_pictures_are_about_one_apart_whatever_the_features() -> None:
    for features in (EdgePyramid(), torch.nn.Sequential(torch.nn.Identity())):

        class Scaled(torch.nn.Module):
            def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
                made = features(pictures)  # noqa: B023
                return [1000 * layer for layer in (made if isinstance(made, list) else [made])]

        comparison = Comparison(
            frame(noisy_photo(24, 32), None, 24, 32), Scaled(), ComparisonConfig(), torch.device("cpu")
        )
        pictures = torch.rand(20, 3, 24, 32, generator=torch.Generator().manual_seed(0))
        comparison.scale_by(pictures)
        assert comparison.perceptual(pictures).mean() == pytest.approx(1, abs=0.05)


# The frame.


@pytest.mark.parametrize("size", [(60, 60), (30, 90), (90, 31), (24, 32), (10, 10)])
def test_a_photo_is_framed_as_training_images_are(size: tuple[int, int]) -> None:
    import io

    from PIL import Image

    from backend.data.images import ImageSetConfig, fitted

    # Away from black and white, where one of the two would be cut between the passes of the filter.
    photo = (noisy_photo(*size) * 80 + 90).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    config = ImageSetConfig(32, 4 / 3)
    assert config.content() == CONTENT
    framed = frame(photo / 255, None, 24, 32)
    assert np.abs(framed.rgb * 255 - fitted(file.getvalue(), config)[4:28]).max() < 1.3  # it rounds twice
    left, top, width, height = framed.box
    assert width / height == pytest.approx(4 / 3) and max(width / size[1], height / size[0]) == 1
    assert (left + width / 2, top + height / 2) == (size[1] / 2, size[0] / 2)


def test_photos_and_masks_that_cannot_be_used_are_refused_in_one_sentence(loaded: Loaded) -> None:
    photo, mask = noisy_photo(40, 120), np.zeros((40, 120))
    mask[:, :20] = 1  # beside the middle, which is all that the generator shows
    with pytest.raises(PhotoError, match="selects nothing"):
        project(photo, loaded, SHORT, mask=mask)
    with pytest.raises(ValueError, match="The mask is"):
        project(photo, loaded, SHORT, mask=mask[:, :50])
    with pytest.raises(ValueError, match="A photo is"):
        project(photo[..., 0], loaded, SHORT)
    with pytest.raises(ValueError, match="not finite"):
        project(np.where(photo > 0.99, np.nan, photo), loaded, SHORT)
    with pytest.raises(ValueError, match="at least one start"):
        project(photo, loaded, SHORT, starts=0)


# The course.


def test_a_seed_gives_one_result_and_leaves_generator_and_random_state_as_they_were(loaded: Loaded) -> None:
    loaded.generator.const.requires_grad_(True)
    before = {name: value.clone() for name, value in loaded.generator.state_dict().items()}
    state = torch.get_rng_state()
    first, again, other = (project(noisy_photo(), loaded, SHORT, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(first.codes, again.codes) and np.array_equal(first.losses, again.losses)
    assert all(np.array_equal(first.noise[name], again.noise[name]) for name in first.noise)
    assert not np.array_equal(first.codes, other.codes)
    assert all(torch.equal(value, before[name]) for name, value in loaded.generator.state_dict().items())
    assert loaded.generator.const.requires_grad and loaded.generator.const.grad is None
    loaded.generator.const.requires_grad_(False)


def test_progress_rises_to_one_with_previews_and_cancelling_takes_effect_at_the_next_step(loaded: Loaded) -> None:
    heard: list[Progress] = []
    project(noisy_photo(), loaded, SHORT, report=heard.append)
    fractions = [progress.fraction for progress in heard]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert sum(progress.stage == "Projecting" for progress in heard) == SHORT.steps
    previews = [progress.preview for progress in heard if progress.preview is not None]
    assert previews and previews[0].shape == (24, 32, 3) and previews[0].dtype == np.uint8
    for stop in range(len(heard)):
        said: list[Progress] = []
        with pytest.raises(Cancelled):
            project(
                noisy_photo(), loaded, SHORT, report=said.append, cancelled=lambda said=said, n=stop: len(said) >= n
            )
        assert len(said) == stop


@given(
    up=st.floats(0, 0.5), down=st.floats(0, 0.5), until=st.floats(0, 1), t=st.floats(0, 1), more=st.floats(0, 1)
)  # fmt: skip
@settings(deadline=None, max_examples=200)
def test_the_schedule_is_bounded_rises_stays_and_falls_and_noise_only_falls(
    up: float, down: float, until: float, t: float, more: float
) -> None:
    config = ProjectionConfig(ramp_up=up, ramp_down=down, code_noise_until=until)
    early, late = sorted((t, more))
    first, then = config.learning_rate_at(early), config.learning_rate_at(late)
    assert 0 <= first <= config.learning_rate and 0 <= then <= config.learning_rate
    if late <= up:
        assert first <= then
    elif early >= 1 - down:
        assert first >= then
    elif up <= early and late < 1 - down:  # strictly: 1 - 1e-300 is 1, and 1 is where the fall has ended
        assert first == pytest.approx(config.learning_rate) == then
    assert config.code_noise >= config.code_noise_at(early) >= config.code_noise_at(late) >= 0
    assert config.code_noise_at(late) == 0 or late < until


def test_the_schedule_is_that_of_stylegan2() -> None:
    config = ProjectionConfig(learning_rate=0.1, code_noise=1.0)
    values = [config.learning_rate_at(t) for t in (0.0, 0.025, 0.05, 0.75, 0.875, 1.0)]
    np.testing.assert_allclose(values, [0, 0.05, 0.1, 0.1, 0.05, 0], atol=1e-12)
    noise = [config.code_noise_at(t) for t in (0.0, 0.375, 0.75, 0.9)]
    np.testing.assert_allclose(noise, [1, 0.25, 0, 0], atol=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [{"space": "z"}, {"steps": 0}, {"candidates": 1}, {"ramp_up": 0.9}, {"shared_share": 1.5}, {"learning_rate": 0}],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError):
        ProjectionConfig(**wrong)


# Files.


def test_a_projection_comes_back_from_its_file(tmp_path: Path, loaded: Loaded) -> None:
    found = project(noisy_photo(), loaded, SHORT)
    save_projection(tmp_path / "a.safetensors", found, {"photo": "a.jpg"})
    again, about = load_projection(tmp_path / "a.safetensors")
    assert about == {"photo": "a.jpg"}
    for name, value in vars(found).items():
        if name == "noise":
            assert value.keys() == again.noise.keys()
            assert all(np.array_equal(value[layer], again.noise[layer]) for layer in value)
        else:
            assert np.array_equal(value, getattr(again, name)), name


def test_a_file_that_is_no_projection_is_refused_in_one_sentence(tmp_path: Path) -> None:
    from backend.models.stylegan2 import save_generator

    save_generator(tmp_path / "generator.safetensors", loaded_generator().generator)
    (tmp_path / "text.safetensors").write_text("not this")
    for name in ("generator", "text", "nothing"):
        with pytest.raises(ProjectionError, match="is no projection"):
            load_projection(tmp_path / f"{name}.safetensors")
