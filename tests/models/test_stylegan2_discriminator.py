# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2's discriminator against slow loops."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from backend.models.stylegan2_discriminator import (
    Discriminator,
    DiscriminatorBlock,
    DiscriminatorConfig,
    minibatch_deviation,
)
from backend.models.stylegan2_layers import EqualisedConv
from tests.helpers.stylegan2_samples import FILTER, correlated


@pytest.mark.parametrize(("samples", "group", "used"), [(8, 4, 4), (6, 4, 3), (3, 8, 3), (1, 4, 1), (7, 4, 1)])
@pytest.mark.parametrize("maps", [1, 2])
def test_minibatch_deviation_is_the_mean_deviation_within_a_group(
    samples: int, group: int, used: int, maps: int
) -> None:
    x = torch.randn(samples, 4, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    got = minibatch_deviation(x, group, maps)
    assert got.shape == (samples, maps, 3, 3)
    groups = samples // used
    for n in range(samples):
        members = [i for i in range(samples) if i % groups == n % groups]
        assert len(members) == used
        for part in range(maps):
            deviations = []
            for c in range(part * 4 // maps, (part + 1) * 4 // maps):
                for row in range(3):
                    for column in range(3):
                        values = [float(x[i, c, row, column]) for i in members]
                        mean = sum(values) / used
                        deviations.append(math.sqrt(sum((v - mean) ** 2 for v in values) / used + 1e-8))
            expected = sum(deviations) / len(deviations)
            torch.testing.assert_close(got[n, part], torch.full((3, 3), expected, dtype=torch.float64))


@pytest.mark.parametrize("size", [1, 3])
def test_a_halving_convolution_filters_first_and_takes_every_other_place(size: int) -> None:
    torch.manual_seed(0)
    layer = EqualisedConv(2, 3, size, down=True, gain=0.7, clamp=1.5).double().requires_grad_(False)
    assert layer.bias is not None
    layer.bias.normal_()
    x = torch.randn(1, 2, 8, 8, dtype=torch.float64)
    expected = torch.zeros(3, 4, 4, dtype=torch.float64)
    for o in range(3):
        total = torch.zeros((), dtype=torch.float64)
        for i in range(2):
            blurred = correlated(F.pad(x[0, i], (size // 2 + 1,) * 4), FILTER)
            total = total + correlated(blurred, layer.weight[o, i])[::2, ::2] / math.sqrt(2 * size * size)
        expected[o] = F.leaky_relu(total + layer.bias[o], 0.2) * math.sqrt(2) * 0.7
    torch.testing.assert_close(layer(x)[0], expected.clamp(-1.5 * 0.7, 1.5 * 0.7))


def test_the_two_branches_of_a_block_are_added_at_half_the_variance_each() -> None:
    torch.manual_seed(0)
    block = DiscriminatorBlock(2, 3, None)
    branch, shortcut = EqualisedConv(2, 3, 3, down=True), EqualisedConv(2, 3, 1, down=True, activate=False, bias=False)
    branch.load_state_dict(block.conv1.state_dict())
    shortcut.load_state_dict(block.skip.state_dict())
    x = torch.randn(1, 2, 8, 8)
    torch.testing.assert_close(block(x), (shortcut(x) + branch(block.conv0(x))) / math.sqrt(2))


@pytest.mark.parametrize("resolution", [4, 8, 64])
def test_a_discriminator_of_any_power_of_two_gives_a_logit_a_picture(resolution: int) -> None:
    config = DiscriminatorConfig(resolution, channel_base=256, channel_max=12, image_channels=4)
    assert Discriminator(config)(torch.randn(5, 4, resolution, resolution)).shape == (5,)


def test_without_minibatch_deviation_a_logit_depends_on_its_own_picture_alone() -> None:
    torch.manual_seed(0)
    pictures = torch.randn(4, 3, 8, 8)
    for maps in (0, 1):
        discriminator = Discriminator(DiscriminatorConfig(8, channels=(6, 4), minibatch_channels=maps))
        alone, together = discriminator(pictures[:1]), discriminator(pictures)[:1]
        assert torch.allclose(alone, together, atol=1e-5) == (maps == 0)
