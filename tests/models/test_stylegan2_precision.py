# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2's layers in half precision."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from backend.models.stylegan2 import GeneratorConfig
from backend.models.stylegan2_discriminator import Discriminator, DiscriminatorConfig
from backend.models.stylegan2_layers import ModulatedConv, _Spread
from tests.helpers.stylegan2_reference import relative_error
from tests.helpers.stylegan2_samples import tiny_codes, tiny_generator


@pytest.mark.parametrize(
    "arithmetic, half_type, is_half", [(False, "bfloat16", False), (True, "float16", False), (True, "bfloat16", True)]
)
def test_half_precision_is_used_on_a_cpu_that_has_arithmetic_for_it(
    monkeypatch: pytest.MonkeyPatch, arithmetic: bool, half_type: str, is_half: bool
) -> None:
    monkeypatch.setattr("backend.models.stylegan2_layers.computes_in_bfloat16", lambda device: arithmetic)
    config = GeneratorConfig(16, 6, 5, 2, channels=(6, 5, 4), half_from_resolution=8, half_type=half_type)
    generator, plain = tiny_generator(config), tiny_generator()
    styles = plain.styles(tiny_codes(plain))
    assert torch.equal(generator.synthesize(styles), plain.synthesize(styles)) is not is_half


@pytest.mark.parametrize("stride, padding", [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)])
def test_spreading_in_bfloat16_is_torchs_transposed_convolution(stride: int, padding: int) -> None:
    torch.manual_seed(0)
    x, kernels = torch.randn(2, 5, 9, 7).bfloat16(), torch.randn(5, 1, 4, 4).bfloat16()
    exact = F.conv_transpose2d(x.float(), kernels.float(), stride=stride, padding=padding, groups=5)
    rough = _Spread.apply(x, kernels, stride, padding)
    assert rough.dtype == torch.bfloat16 and rough.shape == exact.shape
    assert relative_error(rough.float(), exact) < 0.01


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_comes_close_and_does_not_overflow(up: bool, half: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = ModulatedConv(64, 16, 5, 16 if up else 8, up=up).requires_grad_(False)
    x, style = torch.randn(2, 64, 8, 8), torch.randn(2, 64) * 1e5
    exact, rough = layer(x, style, None), layer(x.to(half), style, None)
    assert rough.dtype == half
    assert relative_error(rough.float(), exact) < (0.03 if half == torch.bfloat16 else 0.004)


def test_networks_with_layers_in_half_precision_give_nearly_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    generator, discriminator = tiny_generator(), Discriminator(DiscriminatorConfig(16, channels=(6, 5, 4)))
    styles = [style.detach() for style in generator.styles(tiny_codes(generator))]
    images = generator.synthesize(styles)
    logits = discriminator(images)

    def from_8_pixels(resolution: int, *_: object) -> torch.dtype:
        return torch.bfloat16 if resolution >= 8 else torch.float32

    monkeypatch.setattr("backend.models.stylegan2.precision_at", from_8_pixels)
    monkeypatch.setattr("backend.models.stylegan2_discriminator.precision_at", from_8_pixels)
    rough = generator.synthesize(styles)
    assert rough.dtype == torch.float32 and not torch.equal(rough, images)
    assert relative_error(rough, images) < 0.05
    rough_logits = discriminator(images)
    assert rough_logits.dtype == torch.float32 and not torch.equal(rough_logits, logits)
    torch.testing.assert_close(rough_logits, logits, rtol=0.1, atol=0.1)
    discriminator(rough).sum().backward()
    for network in (generator, discriminator):
        parameters = {
            name: p for name, p in network.named_parameters() if "mapping" not in name and "affine" not in name
        }
        assert all(p.grad is not None and p.grad.isfinite().all() for p in parameters.values())
