# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gradients of StyleGAN2's networks, and gradients of those, against finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from backend.models.stylegan2 import Generator, GeneratorConfig
from backend.models.stylegan2_discriminator import Discriminator, DiscriminatorConfig
from tests.helpers.stylegan2_samples import tiny_codes, tiny_generator


@pytest.mark.parametrize("clamp", [None, 1.0])
def test_gradients_of_the_generator_and_their_gradients_are_right(clamp: float | None) -> None:
    """With respect to codes and to parameters: what path-length regularisation needs."""
    config = GeneratorConfig(8, z_dim=3, w_dim=3, mapping_layers=1, channels=(2, 2), image_channels=1, conv_clamp=clamp)
    generator = tiny_generator(config).double()
    parameters = {name: value.detach().requires_grad_() for name, value in generator.named_parameters()}
    codes = tiny_codes(generator, 2).requires_grad_()

    def images(codes: Tensor, *values: Tensor) -> Tensor:
        state = dict(zip(names, values, strict=True))
        return torch.func.functional_call(Synthesis(generator), {f"generator.{k}": v for k, v in state.items()}, codes)

    names = [name for name in parameters if not name.startswith("mapping")]
    assert torch.autograd.gradcheck(images, (codes, *(parameters[name] for name in names)), fast_mode=True)
    assert torch.autograd.gradgradcheck(images, (codes, *(parameters[name] for name in names)), fast_mode=True)


class Synthesis(torch.nn.Module):
    """A generator from its codes on."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, codes: Tensor) -> Tensor:
        return self.generator.synthesize(self.generator.styles(codes))


def test_gradients_of_the_mapping_and_their_gradients_are_right() -> None:
    mapping = tiny_generator().mapping.double()
    z = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(mapping, (z,)) and torch.autograd.gradgradcheck(mapping, (z,))


def test_gradients_of_the_discriminator_and_their_gradients_are_right() -> None:
    """With respect to pictures and to parameters: what R1 needs."""
    torch.manual_seed(0)
    discriminator = Discriminator(DiscriminatorConfig(8, channels=(2, 2), image_channels=1, minibatch_group=2)).double()
    parameters = {name: value.detach().requires_grad_() for name, value in discriminator.named_parameters()}
    pictures = torch.randn(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)

    def logits(pictures: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(discriminator, dict(zip(parameters, values, strict=True)), pictures)

    assert torch.autograd.gradcheck(logits, (pictures, *parameters.values()), fast_mode=True)
    assert torch.autograd.gradgradcheck(logits, (pictures, *parameters.values()), fast_mode=True)


def test_every_parameter_gets_a_gradient_from_the_image_from_r1_and_from_path_length() -> None:
    generator = tiny_generator()
    discriminator = Discriminator(DiscriminatorConfig(16, channels=(6, 5, 4)))
    codes = generator.map(torch.randn(4, 6))
    images = generator.synthesize(generator.styles(codes), "random")
    (slope,) = torch.autograd.grad((images * torch.randn_like(images)).sum(), codes, create_graph=True)
    (slope.square().sum(2).mean(1).sqrt().mean() + images.square().mean()).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in generator.parameters())
    pictures = images.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(pictures).sum(), pictures, create_graph=True)
    slope.square().sum().backward()
    # The network is linear in pieces, so its slope sees no bias (but through the minibatch deviation).
    weights = [p for name, p in discriminator.named_parameters() if name.endswith("weight")]
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in weights)
