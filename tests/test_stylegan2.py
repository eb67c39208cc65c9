# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2's networks, against NVIDIA's numbers, slow loops and finite differences."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from backend.models.stylegan2 import Generator, GeneratorConfig, load_generator, save_generator
from backend.models.stylegan2_discriminator import (
    Discriminator,
    DiscriminatorBlock,
    DiscriminatorConfig,
    load_discriminator,
    minibatch_deviation,
    save_discriminator,
)
from backend.models.stylegan2_layers import EqualisedConv, EqualisedLinear, ModulatedConv, Resampler, ToImage
from backend.weights.stylegan2_names import discriminator_from_ada, generator_from_ada
from tests.stylegan2_reference import Reference, load_reference, needs_reference, relative_error

TINY = GeneratorConfig(resolution=16, z_dim=6, w_dim=5, mapping_layers=2, channels=(6, 5, 4))
FILTER = torch.outer(torch.tensor([1.0, 3.0, 3.0, 1.0]), torch.tensor([1.0, 3.0, 3.0, 1.0])).double() / 64


def tiny_generator(config: GeneratorConfig = TINY, seed: int = 0) -> Generator:
    """A generator whose every parameter has a part in the image (noise and biases start at 0)."""
    torch.manual_seed(seed)
    generator = Generator(config)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith(("bias", "noise_strength")):
                parameter.add_(torch.randn_like(parameter) * 0.3)
        generator.mapping.average.normal_()
    return generator


def tiny_codes(generator: Generator, samples: int = 3) -> Tensor:
    """(N, L, D), with different codes for the layers."""
    seeded = torch.Generator().manual_seed(1)
    shape = samples, generator.codes, generator.config.w_dim
    return torch.randn(shape, generator=seeded, dtype=generator.const.dtype)


# NVIDIA's numbers.


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


# Layers, against slow loops.


def correlated(picture: Tensor, kernel: Tensor) -> Tensor:
    """(H, W) with a kernel, "valid" places only, one by one."""
    height, width = picture.shape[0] - kernel.shape[0] + 1, picture.shape[1] - kernel.shape[1] + 1
    result = torch.zeros(height, width, dtype=picture.dtype)
    for row in range(height):
        for column in range(width):
            window = picture[row : row + kernel.shape[0], column : column + kernel.shape[1]]
            result[row, column] = (window * kernel).sum()
    return result


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


# The generator.


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


def test_half_precision_is_off_on_a_cpu() -> None:
    generator = tiny_generator(GeneratorConfig(16, 6, 5, 2, channels=(6, 5, 4), half_from_resolution=8))
    plain = tiny_generator()
    styles = plain.styles(tiny_codes(plain))
    assert torch.equal(generator.synthesize(styles), plain.synthesize(styles))


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


# The discriminator.


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


# Gradients, and gradients of gradients.


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


# Files.


def test_a_generator_comes_back_from_its_file(tmp_path: Path) -> None:
    generator = tiny_generator()
    styles = generator.styles(tiny_codes(generator))
    save_generator(tmp_path / "generator.safetensors", generator)
    again = load_generator(tmp_path / "generator.safetensors")
    assert again.config == TINY
    assert torch.equal(again.synthesize(styles), generator.synthesize(styles))
    assert torch.equal(again.mapping.average, generator.mapping.average)
    save_generator(tmp_path / "half.safetensors", generator, half=True)
    rough = load_generator(tmp_path / "half.safetensors").synthesize(styles)
    assert relative_error(rough, generator.synthesize(styles)) < 0.01


def test_a_discriminator_comes_back_from_its_file(tmp_path: Path) -> None:
    discriminator = Discriminator(DiscriminatorConfig(16, channels=(6, 5, 4)))
    save_discriminator(tmp_path / "discriminator.safetensors", discriminator)
    again = load_discriminator(tmp_path / "discriminator.safetensors")
    pictures = torch.randn(4, 3, 16, 16)
    assert again.config == discriminator.config
    assert torch.equal(again(pictures), discriminator(pictures))


@pytest.mark.parametrize("load", [load_generator, load_discriminator])
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, load) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        load(tmp_path / "nothing.safetensors")
    other = tmp_path / "other.safetensors"
    if load is load_generator:
        save_discriminator(other, Discriminator(DiscriminatorConfig(4, channels=(4,))))
    else:
        save_generator(other, tiny_generator())
    with pytest.raises(ValueError, match="other.safetensors"):
        load(other)
