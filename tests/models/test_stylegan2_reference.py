# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2's networks against NVIDIA's numbers."""

from __future__ import annotations

import pytest
import torch

from backend.models.stylegan2 import Generator
from backend.models.stylegan2_discriminator import Discriminator
from backend.weights.importers.stylegan2_names import discriminator_from_ada, generator_from_ada
from tests.helpers.stylegan2_reference import Reference, load_reference, needs_reference, relative_error


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference()


@pytest.fixture(scope="module")
def reference_generator(reference: Reference) -> Generator:
    config, state = generator_from_ada(reference.generator)
    generator = Generator(config)
    generator.load_state_dict(state)
    return generator.requires_grad_(False)


@needs_reference
def test_sizes_follow_from_the_shapes_of_nvidias_tensors(reference: Reference) -> None:
    generator, _ = generator_from_ada(reference.generator)
    assert (generator.resolution, generator.z_dim, generator.w_dim, generator.mapping_layers) == (32, 16, 24, 3)
    assert generator.channel_table == (32, 32, 16, 8)
    discriminator, _ = discriminator_from_ada(reference.discriminator)
    assert (discriminator.resolution, discriminator.channel_table) == (32, (32, 32, 16, 8))
    assert discriminator.minibatch_channels == 1


@needs_reference
@pytest.mark.parametrize(
    ("name", "truncation", "cutoff"), [("ws", 1.0, None), ("ws_psi0.7", 0.7, None), ("ws_psi0.5_cutoff4", 0.5, 4)]
)
def test_codes_are_nvidias(
    reference: Reference, reference_generator: Generator, name: str, truncation: float, cutoff: int | None
) -> None:
    codes = reference_generator.map(reference.z, truncation, cutoff)
    assert relative_error(codes, reference.outputs[name]) < 3e-6


@needs_reference
@pytest.mark.parametrize("noise", ["const", "none"])
def test_images_are_nvidias(reference: Reference, reference_generator: Generator, noise: str) -> None:
    images = reference_generator.synthesize(reference_generator.styles(reference.outputs["ws"]), noise)  # type: ignore[arg-type]
    assert relative_error(images, reference.outputs[f"img_noise_{noise}"]) < 1e-5


@needs_reference
def test_a_mixed_image_is_nvidias_whether_codes_or_styles_are_mixed(
    reference: Reference, reference_generator: Generator
) -> None:
    g, expected = reference_generator, reference.outputs["img_mix_first4_from0_rest_from1"]
    first, second = reference.outputs["ws"][:1], reference.outputs["ws"][1:2]
    assert relative_error(g.synthesize(g.styles(g.mix(first, second, 4))), expected) < 1e-5
    assert relative_error(g.synthesize(g.mix(g.styles(first), g.styles(second), 4)), expected) < 1e-5


@needs_reference
def test_logits_are_nvidias(reference: Reference) -> None:
    config, state = discriminator_from_ada(reference.discriminator, minibatch_group=2)
    discriminator = Discriminator(config)
    discriminator.load_state_dict(state)
    logits = discriminator(reference.outputs["img_noise_const"])
    assert relative_error(logits, reference.outputs["D_logits"][:, 0]) < 1e-5


@needs_reference
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("synthesis.b16.conv0.affine.bias"), "incomplete"),
        (lambda state: state.pop("synthesis.b4.conv1.affine.weight"), "it has no"),
        (lambda state: state.pop("synthesis.b8.conv1.weight"), "has layers at"),
        (lambda state: state.update({"mapping.embed.weight": torch.zeros(24, 3)}), "not supported"),
        (lambda state: state.update({"synthesis.b8.skip.weight": torch.zeros(32, 32, 1, 1)}), "not supported"),
        (lambda state: state.update({"synthesis.b8.resample_filter": torch.full((4, 4), 1 / 16)}), "filter"),
    ],
)
def test_networks_of_another_kind_are_refused(reference: Reference, change, message: str) -> None:
    state = dict(reference.generator)
    change(state)
    with pytest.raises(ValueError, match=message):
        generator_from_ada(state)
