# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2's layers against slow loops."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from backend.models.stylegan2_layers import EqualisedLinear, ModulatedConv, Resampler, ToImage
from tests.helpers.stylegan2_samples import FILTER, correlated


def with_zeros_inserted(picture: Tensor) -> Tensor:
    """(H, W) to (2H, 2W): each pixel at the top left of a 2x2 block of zeros."""
    result = torch.zeros(2 * picture.shape[0], 2 * picture.shape[1], dtype=picture.dtype)
    result[::2, ::2] = picture
    return result


@pytest.mark.parametrize("shape", [(4, 4), (3, 5)])
def test_upsampling_is_inserting_zeros_and_filtering(shape: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    got = Resampler().double().upsample(x)
    for sample in range(2):
        for channel in range(3):
            padded = F.pad(with_zeros_inserted(x[sample, channel]), (2, 1, 2, 1))
            torch.testing.assert_close(got[sample, channel], correlated(padded, FILTER * 4))


def test_downsampling_is_filtering_and_taking_every_other_pixel() -> None:
    x = torch.randn(1, 2, 6, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    got = Resampler().double().downsample(x)
    for channel in range(2):
        expected = correlated(F.pad(x[0, channel], (1, 1, 1, 1)), FILTER)[::2, ::2]
        torch.testing.assert_close(got[0, channel], expected)


def test_a_constant_keeps_its_value_through_up_and_downsampling_away_from_the_rim() -> None:
    ones = torch.ones(1, 1, 8, 8)
    torch.testing.assert_close(Resampler().upsample(ones)[:, :, 1:-1, 1:-1], torch.ones(1, 1, 14, 14))
    torch.testing.assert_close(Resampler().downsample(ones)[:, :, 1:-1, 1:-1], torch.ones(1, 1, 2, 2))


def slow_modulated(layer: ModulatedConv, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
    """Sample by sample with weights that are scaled and demodulated in loops, and with zeros inserted."""
    results = []
    for n in range(len(x)):
        weight = layer.weight * style[n][None, :, None, None]
        weight = torch.stack([w / math.sqrt(float(w.square().sum()) + 1e-8) for w in weight])
        channels = []
        for o in range(len(weight)):
            total = torch.zeros((), dtype=x.dtype)
            for i in range(x.shape[1]):
                if layer.resampler is None:
                    total = total + correlated(F.pad(x[n, i], (1, 1, 1, 1)), weight[o, i])
                else:
                    # A convolution in the strict sense, with the kernel turned round, then the filter.
                    spread = correlated(F.pad(with_zeros_inserted(x[n, i]), (3, 2, 3, 2)), weight[o, i].flip(0, 1))
                    total = total + correlated(spread, FILTER * 4)
            if noise is not None:
                total = total + noise[min(n, len(noise) - 1), 0] * layer.noise_strength
            total = F.leaky_relu(total + layer.bias[o], 0.2) * math.sqrt(2)
            channels.append(total if layer.clamp is None else total.clamp(-layer.clamp, layer.clamp))
        results.append(torch.stack(channels))
    return torch.stack(results)


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("clamp", [None, 0.7])
def test_a_modulated_convolution_is_a_convolution_with_weights_of_its_own_for_each_sample(
    up: bool, noisy: bool, clamp: float | None
) -> None:
    torch.manual_seed(0)
    layer = ModulatedConv(3, 2, 5, 8 if up else 4, up=up, clamp=clamp).double().requires_grad_(False)
    layer.bias.normal_()
    layer.noise_strength.fill_(0.4)
    x, style = torch.randn(3, 3, 4, 4, dtype=torch.float64), torch.randn(3, 3, dtype=torch.float64)
    side = 8 if up else 4
    noise = torch.randn(3, 1, side, side, dtype=torch.float64) if noisy else None
    torch.testing.assert_close(layer(x, style, noise), slow_modulated(layer, x, style, noise))


def test_an_image_layer_scales_but_does_not_demodulate() -> None:
    torch.manual_seed(0)
    layer = ToImage(4, 3, 5).double().requires_grad_(False)
    layer.bias.normal_()
    x, style = torch.randn(2, 4, 3, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    expected = torch.zeros(2, 3, 3, 3, dtype=torch.float64)
    for n in range(2):
        for o in range(3):
            for i in range(4):
                expected[n, o] += x[n, i] * style[n, i] * layer.weight[o, i, 0, 0] / math.sqrt(4)
            expected[n, o] += layer.bias[o]
    torch.testing.assert_close(layer(x, style), expected)


@pytest.mark.parametrize("activate", [False, True])
@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_an_equalised_layer_starts_with_unit_variance_whatever_its_learning_rate(activate: bool, rate: float) -> None:
    torch.manual_seed(0)
    layer = EqualisedLinear(200, 300, activate=activate, rate=rate).requires_grad_(False)
    second_moment = layer(torch.randn(400, 200)).square().mean()
    # A leaky ReLU leaves (1 + 0.2²) / 2 of the second moment, the gain doubles it.
    assert second_moment == pytest.approx(1.04 if activate else 1.0, rel=0.03)
    assert layer.weight.std() == pytest.approx(1 / rate, rel=0.02)


def test_a_small_learning_rate_slows_a_layer_by_its_multiplier() -> None:
    """One step on the stored weights moves the used ones by the multiplier's factor, for weight and bias alike."""
    torch.manual_seed(0)
    moved = {}
    for rate in (1.0, 0.01):
        layer = EqualisedLinear(8, 4, rate=rate, bias_start=0.7)
        torch.testing.assert_close(layer(torch.zeros(1, 8)), torch.full((1, 4), 0.7))
        before = layer(torch.eye(8)).detach()
        with torch.no_grad():
            layer.weight.add_(1)
            layer.bias.add_(1)
        moved[rate] = layer(torch.eye(8)).detach() - before
    torch.testing.assert_close(moved[0.01], moved[1.0] * 0.01, rtol=1e-3, atol=1e-5)
