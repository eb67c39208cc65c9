# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adaptive discriminator augmentation: each transformation by what it must do to a known image."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.training.adaptive_augment import AdaptiveAugmentation, AugmentationConfig, _warped

NOTHING = AugmentationConfig(
    mirror=False, quarter_turns=False, integer_shift=0, scale_spread=0, rotation=0, shift_spread=0,
    brightness_spread=0, contrast_spread=0, hue=0, luma_flip=False, saturation_spread=0,
)  # fmt: skip


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth_images(count: int = 64, side: int = 16) -> torch.Tensor:
    rough = torch.rand(count, 3, 4, 4, generator=seeded(1)) * 2 - 1
    return torch.nn.functional.interpolate(rough, size=(side, side), mode="bicubic")


def test_nothing_happens_at_probability_zero() -> None:
    images = smooth_images(4)
    assert AdaptiveAugmentation(AugmentationConfig())(images, seeded()) is images


def test_without_transformations_images_stay_nearly_as_they_are() -> None:
    """Sampling at twice the resolution and averaging blurs by an eighth of the neighbours."""
    images = smooth_images(4)
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1), mode="replicate")
    kernel = torch.tensor([0.125, 0.75, 0.125])
    expected = torch.nn.functional.conv2d(padded, (kernel[:, None] * kernel).expand(3, 1, 3, 3), groups=3)
    assert torch.allclose(AdaptiveAugmentation(NOTHING, 1.0)(images, seeded()), expected, atol=1e-5)


def test_mirroring_and_quarter_turns_come_in_equal_shares() -> None:
    images = smooth_images(400)
    neutral = AdaptiveAugmentation(NOTHING, 1.0)(images, seeded())
    turned = AdaptiveAugmentation(replace(NOTHING, mirror=True, quarter_turns=True), 1.0)(images, seeded())
    shares = {}
    for mirror in (False, True):
        for turns in range(4):
            candidate = torch.rot90(neutral, turns, (2, 3))
            candidate = candidate.flip(3) if mirror else candidate
            equal = (turned - candidate).abs().amax(dim=(1, 2, 3)) < 1e-4
            shares[mirror, turns] = equal.float().mean().item()
    assert sum(shares.values()) == pytest.approx(1.0)
    assert all(0.06 < share < 0.2 for share in shares.values())


def test_whole_pixels_are_shifted_without_blurring_further() -> None:
    images = smooth_images(50, side=32)
    neutral = AdaptiveAugmentation(NOTHING, 1.0)(images, seeded())
    shifted = AdaptiveAugmentation(replace(NOTHING, integer_shift=0.125), 1.0)(images, seeded())
    for one, other in zip(neutral, shifted, strict=True):
        inner = other[:, 6:-6, 6:-6]
        windows = [
            one[:, 6 + dy : 26 + dy, 6 + dx : 26 + dx] for dy in range(-5, 6) for dx in range(-5, 6)
        ]  # fmt: skip
        assert min((inner - window).abs().max().item() for window in windows) < 1e-4


def test_the_inverse_geometry_takes_places_back() -> None:
    """A bright dot at a known place, turned by 30 degrees and moved, is found where the forward motion puts it."""
    image = torch.zeros(1, 1, 65, 65)
    image[0, 0, 32 - 12, 32 + 5] = 1.0
    angle, shift = math.radians(30), np.array([7.0, -4.0])
    forward = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    inverse = np.eye(3)
    inverse[:2, :2] = forward.T
    inverse[:2, 2] = -forward.T @ shift
    warped = _warped(image, torch.as_tensor(inverse, dtype=torch.float32)[None])[0, 0].numpy()
    y, x = np.mgrid[:65, :65]
    centre = np.array([(warped * x).sum(), (warped * y).sum()]) / warped.sum() - 32
    np.testing.assert_allclose(centre, forward @ [5.0, -12.0] + shift, atol=0.1)


def test_hue_turns_keep_grey_and_brightness() -> None:
    images = smooth_images(8)
    turned = AdaptiveAugmentation(replace(NOTHING, hue=1.0), 1.0)(images, seeded())
    neutral = AdaptiveAugmentation(NOTHING, 1.0)(images, seeded())
    assert torch.allclose(turned.mean(dim=1), neutral.mean(dim=1), atol=1e-5)
    assert torch.allclose(turned.norm(dim=1), neutral.norm(dim=1), atol=1e-5)
    assert (turned - neutral).abs().amax(dim=(1, 2, 3)).median() > 0.1


def test_saturation_scales_what_is_not_grey_and_brightness_shifts_all() -> None:
    images = smooth_images(8)
    neutral = AdaptiveAugmentation(NOTHING, 1.0)(images, seeded())
    saturated = AdaptiveAugmentation(replace(NOTHING, saturation_spread=1.0), 1.0)(images, seeded())
    ratio = (saturated - saturated.mean(1, keepdim=True)) / (neutral - neutral.mean(1, keepdim=True))
    assert torch.allclose(saturated.mean(dim=1), neutral.mean(dim=1), atol=1e-5)
    assert (ratio.flatten(1).median(dim=1)[0].log2().abs() > 0.05).any()
    brighter = AdaptiveAugmentation(replace(NOTHING, brightness_spread=0.2), 1.0)(images, seeded())
    difference = (brighter - neutral).flatten(1)
    assert difference.std(dim=1).max() < 1e-5 and difference.mean(dim=1).std() > 0.05


def test_the_luma_flip_mirrors_brightness_alone() -> None:
    images = smooth_images(200)
    neutral = AdaptiveAugmentation(NOTHING, 1.0)(images, seeded())
    flipped = AdaptiveAugmentation(replace(NOTHING, luma_flip=True), 1.0)(images, seeded())
    grey, new_grey = neutral.mean(dim=1), flipped.mean(dim=1)
    kept = (grey - new_grey).abs().amax(dim=(1, 2)) < 1e-4
    mirrored = (grey + new_grey).abs().amax(dim=(1, 2)) < 1e-4
    assert (kept ^ mirrored).all() and 0.35 < mirrored.float().mean() < 0.65
    assert torch.allclose(flipped - flipped.mean(1, keepdim=True), neutral - neutral.mean(1, keepdim=True), atol=1e-5)


def test_a_probability_of_a_tenth_touches_a_tenth_of_the_images() -> None:
    images = smooth_images(1000, side=8)
    neutral = AdaptiveAugmentation(NOTHING, 1.0)(images, seeded())
    touched = AdaptiveAugmentation(replace(NOTHING, hue=1.0), 0.1)(images, seeded())
    share = ((touched - neutral).abs().amax(dim=(1, 2, 3)) > 1e-4).float().mean().item()
    assert 0.06 < share < 0.14


def test_probability_rises_when_the_discriminator_is_too_sure_and_falls_otherwise() -> None:
    config = AugmentationConfig(images_to_full=1000, update_every=2)
    augmentation = AdaptiveAugmentation(config)
    for _ in range(4):
        augmentation.observe(torch.tensor(1.0), 50)
    assert augmentation.probability == pytest.approx(0.2)
    for _ in range(2):
        augmentation.observe(torch.tensor(0.0), 50)
    assert augmentation.probability == pytest.approx(0.1)
    for _ in range(100):
        augmentation.observe(torch.tensor(1.0), 50)
    assert augmentation.probability == config.maximum


def test_a_restored_state_goes_on_as_if_nothing_had_happened() -> None:
    config = AugmentationConfig(images_to_full=1000, update_every=3)
    one = AdaptiveAugmentation(config)
    for _ in range(4):
        one.observe(torch.tensor(1.0), 10)
    other = AdaptiveAugmentation(config)
    other.restore(one.state())
    for augmentation in (one, other):
        for _ in range(5):
            augmentation.observe(torch.tensor(-1.0), 10)
    assert one.probability == other.probability and torch.equal(one.state(), other.state())
    images = smooth_images(4)
    assert torch.equal(one(images, seeded(3)), other(images, seeded(3)))


def test_images_have_a_first_and_a_second_derivative() -> None:
    augmentation = AdaptiveAugmentation(AugmentationConfig(), 0.9)
    images = smooth_images(2, side=6).double().requires_grad_()

    def transformed(x: torch.Tensor) -> torch.Tensor:
        return augmentation(x, seeded(5)) ** 2

    assert torch.autograd.gradcheck(transformed, (images,))
    assert torch.autograd.gradgradcheck(transformed, (images,))
