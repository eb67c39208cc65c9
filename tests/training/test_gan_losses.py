# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2's losses against closed forms and slow loops."""

from __future__ import annotations

import math

import pytest
import torch

from backend.training.gan_losses import PathLengthMean, discriminator_loss, generator_loss, path_lengths, r1_penalty


def test_adversarial_losses_are_the_logarithms_of_the_discriminators_odds() -> None:
    real, fake = torch.tensor([0.3, -2.0]), torch.tensor([1.5, -0.2])

    def probability(logit: float) -> float:
        return 1 / (1 + math.exp(-logit))

    expected = -sum(math.log(probability(x)) for x in real.tolist()) / 2
    expected -= sum(math.log(1 - probability(x)) for x in fake.tolist()) / 2
    assert float(discriminator_loss(real, fake)) == pytest.approx(expected, rel=1e-6)
    expected = -sum(math.log(probability(x)) for x in fake.tolist()) / 2
    assert float(generator_loss(fake)) == pytest.approx(expected, rel=1e-6)


def test_r1_of_a_quadratic_discriminator_is_known() -> None:
    images = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    strength = torch.tensor(0.7, requires_grad=True)
    penalty = r1_penalty(strength * images.square().sum(dim=(1, 2, 3)), images)
    norms = (2 * 0.7 * images.detach()).square().sum(dim=(1, 2, 3))
    assert penalty.item() == pytest.approx(float(norms.mean()), rel=1e-5)
    (gradient,) = torch.autograd.grad(penalty, strength)
    assert float(gradient) == pytest.approx(float(2 * norms.mean() / 0.7), rel=1e-5)


def test_path_lengths_equal_the_product_with_an_explicit_jacobian() -> None:
    random = torch.Generator().manual_seed(1)
    codes = torch.randn(2, 3, 5, generator=random).double().requires_grad_()
    mixing = torch.randn(15, 3 * 4 * 6, generator=random).double()
    noise = torch.randn(2, 3, 4, 6, generator=random).double()

    def image_of(code: torch.Tensor) -> torch.Tensor:
        return torch.tanh(code.flatten() @ mixing).view(3, 4, 6)

    lengths = path_lengths(torch.stack([image_of(code) for code in codes]), codes, noise)
    for sample in range(2):
        jacobian = torch.autograd.functional.jacobian(image_of, codes[sample].detach())
        direction = torch.einsum("chw,chwld->ld", noise[sample] / math.sqrt(24), jacobian)
        expected = math.sqrt(sum(float(row.square().sum()) for row in direction) / 3)
        assert float(lengths[sample]) == pytest.approx(expected, rel=1e-9)


def test_the_mean_of_path_lengths_moves_before_it_is_compared_with() -> None:
    mean = PathLengthMean(decay=0.5)
    lengths = torch.tensor([1.0, 3.0])
    assert float(mean.penalty(lengths, lengths.mean())) == pytest.approx((0.0 + 4.0) / 2)  # the mean is 1 now
    assert float(mean.penalty(lengths, lengths.mean())) == pytest.approx((0.25 + 2.25) / 2)  # and now 1.5
