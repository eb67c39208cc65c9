# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2's generator: from z to w, w+, styles and images."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from backend.models.stylegan2 import Generator, GeneratorConfig
from tests.helpers.stylegan2_samples import tiny_codes, tiny_generator


@pytest.mark.parametrize("resolution", [4, 8, 32, 128])
def test_every_power_of_two_works_and_counts_its_codes(resolution: int) -> None:
    config = GeneratorConfig(
        resolution, z_dim=8, w_dim=8, mapping_layers=1, channel_base=256, channel_max=12, image_channels=4
    )
    generator = Generator(config).requires_grad_(False)
    levels = int(math.log2(resolution))
    codes = generator.map(torch.randn(2, 8))
    assert codes.shape == (2, 2 * levels - 2, 8)
    styles = generator.styles(codes)
    assert len(styles) == 3 * (levels - 1) - 1
    assert generator.synthesize(styles).shape == (2, 4, resolution, resolution)
    assert config.channel_table == tuple(min(256 // 2**level, 12) for level in range(2, levels + 1))
    assert generator(torch.randn(2, 8)).shape == (2, 4, resolution, resolution)


@pytest.mark.parametrize(
    "wrong", [{"resolution": 48}, {"resolution": 2}, {"channels": (8, 8)}, {"half_type": "int8"}, {"z_dim": 0}]
)
def test_sizes_that_do_not_go_together_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError):
        GeneratorConfig(**wrong)


def test_the_layers_are_those_of_nvidias_512_pixel_network() -> None:
    """15 convolutions and 8 image layers; an image shares the code of the next resolution's first convolution."""
    layers = Generator(GeneratorConfig(512, 512, 512, channel_base=32768, channel_max=512)).describe_layers()
    assert [layer.name for layer in layers[:6]] == [
        *("b4.conv1", "b4.to_image", "b8.conv0", "b8.conv1", "b8.to_image", "b16.conv0"),
    ]
    assert [layer.w_index for layer in layers[:6]] == [0, 1, 1, 2, 3, 3]
    assert layers[-1].name == "b512.to_image" and layers[-1].w_index == 15
    # The 16 affine maps that paper A counts: all convolutions, and the last image.
    main = [layer for layer in layers if layer.kind == "conv" or layer.resolution == 512]
    assert [layer.w_index for layer in main] == list(range(16))
    assert sum(layer.channels for layer in main) == 6016
    assert sum(layer.channels for layer in main if layer.w_index < 4) == 2048
    assert {layer.resolution for layer in main if layer.w_index < 4} == {4, 8, 16}


def test_the_flat_style_vector_comes_apart_where_the_description_says() -> None:
    generator = tiny_generator()
    styles = generator.styles(tiny_codes(generator))
    vector = generator.flatten(styles)
    for layer, style in zip(generator.describe_layers(), styles, strict=True):
        torch.testing.assert_close(vector[:, layer.start : layer.start + layer.channels], style)
    for style, again in zip(styles, generator.unflatten(vector), strict=True):
        assert torch.equal(style, again)


def test_a_style_is_the_affine_map_of_the_code_that_drives_the_layer() -> None:
    generator = tiny_generator()
    codes = tiny_codes(generator)
    before = generator.styles(codes)
    for index in range(generator.codes):
        changed = codes.clone()
        changed[:, index] += 1
        after = generator.styles(changed)
        for layer, old, new in zip(generator.describe_layers(), before, after, strict=True):
            assert torch.equal(old, new) == (layer.w_index != index)


def test_w_and_w_plus_of_equal_codes_give_one_image() -> None:
    generator = tiny_generator()
    w = tiny_codes(generator)[:, 0]
    assert torch.equal(generator.spread(w), w[:, None].repeat(1, generator.codes, 1))
    from_w = generator.synthesize(generator.styles(w))
    assert torch.equal(from_w, generator.synthesize(generator.styles(generator.spread(w))))
    with pytest.raises(ValueError, match="Codes are"):
        generator.styles(torch.zeros(3, generator.codes + 1, generator.config.w_dim))


def test_the_size_of_z_does_not_matter() -> None:
    generator = tiny_generator()
    z = torch.randn(4, 6)
    torch.testing.assert_close(generator.map(z), generator.map(z * 7), rtol=1e-4, atol=1e-5)


def test_truncation_moves_codes_towards_the_average_up_to_the_cutoff() -> None:
    generator = tiny_generator()
    z, average = torch.randn(4, 6), generator.mapping.average
    w = generator.map(z)
    torch.testing.assert_close(generator.map(z, 0.0), average.expand_as(w))
    torch.testing.assert_close(generator.map(z, 0.6), average + 0.6 * (w - average))
    cut = generator.map(z, 0.6, cutoff=2)
    torch.testing.assert_close(cut[:, :2], average + 0.6 * (w[:, :2] - average))
    assert torch.equal(cut[:, 2:], w[:, 2:])


def test_the_average_follows_the_codes() -> None:
    mapping = tiny_generator().mapping
    start, target = mapping.average.clone(), torch.randn(8, 5)
    mapping.track(target)
    torch.testing.assert_close(mapping.average, 0.995 * start + 0.005 * target.mean(0))
    for _ in range(3000):
        mapping.track(target)
    torch.testing.assert_close(mapping.average, target.mean(0), rtol=1e-4, atol=1e-4)


def test_mixing_takes_the_first_layers_from_one_sample_and_the_rest_from_the_other() -> None:
    generator = tiny_generator()
    codes = tiny_codes(generator, 2)
    a, b = codes[:1], codes[1:]
    mixed = generator.mix(a, b, 2)
    assert torch.equal(mixed[:, :2], a[:, :2]) and torch.equal(mixed[:, 2:], b[:, 2:])
    assert torch.equal(generator.mix(a, b, 0), b) and torch.equal(generator.mix(a, b, generator.codes), a)
    assert torch.equal(generator.mix(a[:, 0], b[:, 0], 2)[:, 1], a[:, 0])
    from_codes = generator.synthesize(generator.styles(mixed))
    from_styles = generator.synthesize(generator.mix(generator.styles(a), generator.styles(b), 2))
    torch.testing.assert_close(from_codes, from_styles)


def test_overriding_the_style_of_one_layer_changes_what_comes_after_it_and_nothing_before() -> None:
    generator = tiny_generator().requires_grad_(False)
    styles = generator.styles(tiny_codes(generator))
    outputs: dict[str, Tensor] = {}
    for block in generator.synthesis_blocks():
        for name, layer in block.modulated_layers():
            name = f"b{block.resolution}.{name}"
            layer.register_forward_hook(lambda _m, _i, output, name=name: outputs.update({name: output}))
    generator.synthesize(styles)
    before = dict(outputs)
    names = [layer.name for layer in generator.describe_layers()]
    for index, changed in enumerate(names):
        new = styles[index] + 1
        generator.synthesize(generator.override(styles, {changed: new}))
        # An image layer feeds the sum of images only, a convolution all that follows.
        affected = {changed} if changed.endswith("to_image") else set(names[index:])
        assert {name for name in names if not torch.equal(outputs[name], before[name])} == affected


def test_an_override_may_be_one_style_for_all_samples_and_must_name_a_layer() -> None:
    generator = tiny_generator()
    codes = tiny_codes(generator)
    style = torch.full((4,), 0.5)
    styles = generator.styles(codes, {"b16.conv1": style})
    assert torch.equal(styles[6], style.expand(3, 4))
    with pytest.raises(ValueError, match="no modulated layer b16.conv2"):
        generator.styles(codes, {"b16.conv2": style})


def test_constant_noise_repeats_random_noise_follows_its_seed_and_none_leaves_it_out() -> None:
    generator = tiny_generator().requires_grad_(False)
    styles = generator.styles(tiny_codes(generator, 1).repeat(2, 1, 1))

    def random(seed: int) -> Tensor:
        return generator.synthesize(styles, "random", torch.Generator().manual_seed(seed))

    const = generator.synthesize(styles, "const")
    assert torch.equal(const, generator.synthesize(styles, "const"))
    torch.testing.assert_close(const[0], const[1])
    assert torch.equal(random(1), random(1)) and not torch.equal(random(1), random(2))
    assert not torch.allclose(random(1)[0], random(1)[1], atol=0.01)  # every sample has noise of its own
    none = generator.synthesize(styles, "none")
    assert not torch.allclose(none, const, atol=0.01)
    for name, parameter in generator.named_parameters():
        if name.endswith("noise_strength"):
            parameter.zero_()
    for noise in ("const", "random"):
        assert torch.equal(generator.synthesize(styles, noise), none)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="noise is one of"):
        generator.synthesize(styles, "loud")  # type: ignore[arg-type]


def test_an_image_is_the_sum_of_what_each_resolution_adds() -> None:
    generator = tiny_generator().requires_grad_(False)
    added: list[Tensor] = []
    for block in generator.synthesis_blocks():
        block.to_image.register_forward_hook(lambda _m, _i, output: added.append(output))
    image = generator.synthesize(generator.styles(tiny_codes(generator)))
    expected = torch.zeros_like(image)
    for part in added:
        while part.shape[-1] < 16:
            part = generator.resampler.upsample(part)
        expected += part
    assert len(added) == 3
    torch.testing.assert_close(image, expected)
