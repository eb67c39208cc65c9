# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of NVIDIA's TensorFlow code and of the PyTorch port compute here what they compute there.

What they compute there is said by slow twins, which share nothing with the product; the TensorFlow twin is itself
held against NVIDIA's numbers.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from backend.models.stylegan2 import Generator
from backend.models.stylegan2_discriminator import Discriminator
from backend.weights.importers.stylegan2_port import (
    MEAN_SAMPLES,
    discriminator_from_port,
    estimate_average,
    generator_from_port,
)
from backend.weights.importers.stylegan2_tensorflow import discriminator_from_tensorflow, generator_from_tensorflow
from tests.helpers import stylegan2_port_twin as port
from tests.helpers import stylegan2_tensorflow_twin as tensorflow
from tests.helpers.stylegan2_reference import load_reference, needs_reference, relative_error

STATIC = {"resolution": 16, "num_channels": 3, "label_size": 0, "fmap_base": 64, "fmap_max": 6}


def tensors(variables: tensorflow.Variables) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.array(value)) for name, value in variables.items()}


def normal(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def generator_of(converted) -> Generator:
    """In float64, so that what differs is not rounding."""
    config, state = converted
    generator = Generator(config)
    generator.load_state_dict(state)
    return generator.double().eval().requires_grad_(False)


def discriminator_of(converted) -> Discriminator:
    config, state = converted
    discriminator = Discriminator(config)
    discriminator.load_state_dict(state)
    return discriminator.double().eval().requires_grad_(False)


@pytest.mark.parametrize("psi", [1.0, 0.6])
def test_tensorflow_generators_make_the_same_images(psi: float) -> None:
    variables, z = tensorflow.random_generator(), normal(3, 5)
    generator = generator_of(generator_from_tensorflow(tensors(variables), STATIC))
    expected = torch.from_numpy(tensorflow.images(variables, z.numpy(), psi))
    assert expected.shape == (3, 3, 16, 16)
    assert relative_error(generator(z, psi, noise="const"), expected) < 1e-6


def test_the_learning_rate_of_a_tensorflow_mapping_is_the_files() -> None:
    variables, z = tensorflow.random_generator(rate=0.1), normal(2, 5)
    generator = generator_of(generator_from_tensorflow(tensors(variables), {**STATIC, "mapping_lrmul": 0.1}))
    expected = torch.from_numpy(tensorflow.images(variables, z.numpy(), rate=0.1))
    assert relative_error(generator(z, noise="const"), expected) < 1e-6


@pytest.mark.parametrize(("group", "features"), [(4, 1), (2, 1), (4, 2), (8, 3), (4, 0)])
def test_tensorflow_discriminators_give_the_same_logits(group: int, features: int) -> None:
    variables, pictures = tensorflow.random_discriminator(features=features), normal(8, 3, 16, 16)
    static = {**STATIC, "mbstd_group_size": group, "mbstd_num_features": features}
    discriminator = discriminator_of(discriminator_from_tensorflow(tensors(variables), static))
    expected = torch.from_numpy(tensorflow.logits(variables, pictures.numpy(), group, features))
    assert relative_error(discriminator(pictures), expected) < 1e-6


@pytest.mark.parametrize("psi", [1.0, 0.6])
def test_the_ports_generators_make_the_same_images(psi: float) -> None:
    state, average, z = port.random_generator(), normal(7, seed=8).float(), normal(3, 7)
    generator = generator_of(generator_from_port(state, average))
    expected = port.images(state, z, average, psi)
    assert expected.shape == (3, 3, 16, 16)
    assert relative_error(generator(z, psi, noise="const"), expected) < 1e-6


@pytest.mark.parametrize("samples", [8, 3])
def test_the_ports_discriminators_give_the_same_logits(samples: int) -> None:
    state, pictures = port.random_discriminator(), normal(samples, 3, 16, 16)
    discriminator = discriminator_of(discriminator_from_port(state))
    assert relative_error(discriminator(pictures), port.logits(state, pictures)) < 1e-6


def test_a_mean_that_the_port_did_not_keep_is_estimated() -> None:
    state = port.random_generator()
    config, converted = generator_from_port(state)
    assert not converted["mapping.average"].any()
    generator = generator_of((config, converted)).float()
    estimate_average(generator)
    expected = port.codes(state, normal(50_000, 7))
    error = (generator.mapping.average - expected.mean(dim=0)).abs() / expected.std(dim=0)
    assert float(error.max()) < 5 / math.sqrt(MEAN_SAMPLES)


def test_noise_that_the_port_did_not_keep_is_drawn_the_same_way_each_time() -> None:
    states = [generator_from_port(port.random_generator(noises=False))[1] for _ in range(2)]
    for name in ("blocks.0.conv1.noise", "blocks.2.conv0.noise"):
        assert torch.equal(states[0][name], states[1][name])
        assert 0.5 < float(states[0][name].std()) < 1.5
    assert not torch.equal(states[0]["blocks.2.conv0.noise"], states[0]["blocks.2.conv1.noise"])


# The TensorFlow twin, against NVIDIA's numbers


def to_tensorflow(name: str, value: Tensor, resolution: int) -> dict[str, np.ndarray]:
    """A tensor of StyleGAN2-ADA (PyTorch) as the variable that its TensorFlow twin has for it."""
    array = value.numpy().astype(np.float64)
    part, *path = name.split(".")
    if part == "mapping":
        return {"dlatent_avg": array} if path == ["w_avg"] else {f"mapping/Dense{path[0][2:]}/{path[1]}": array.T}
    size = (path[0] if part == "synthesis" else part)[1:]
    path = path[1:] if part == "synthesis" else path
    if path == ["const"]:
        return {"synthesis/4x4/Const/const": array[None]}
    layer, tensor = path[0], ".".join(path[1:])
    if part != "synthesis":
        if size == "4":
            names = {"conv": "4x4/Conv", "fc": "4x4/Dense0", "out": "Output"}
            scope = names[layer]
        else:
            names = {"fromrgb": "FromRGB", "conv0": "Conv0", "conv1": "Conv1_down", "skip": "Skip"}
            scope = f"{size}x{size}/{names[layer]}"
        return {f"{scope}/{tensor}": np.transpose(array, (2, 3, 1, 0)) if array.ndim == 4 else array.T}
    names = {"conv0": "Conv0_up", "conv1": "Conv" if size == "4" else "Conv1", "torgb": "ToRGB"}
    scope = f"synthesis/{size}x{size}/{names[layer]}"
    if tensor == "noise_const":
        number = 2 * int(math.log2(int(size))) - (4 if layer == "conv1" else 5)
        return {f"synthesis/noise{number}": array[None, None]}
    if tensor == "weight":
        kernel = np.transpose(array, (2, 3, 1, 0))
        return {f"{scope}/weight": kernel[::-1, ::-1] if layer == "conv0" else kernel}
    if tensor.startswith("affine."):
        return {f"{scope}/mod_{tensor[7:]}": array - 1 if tensor == "affine.bias" else array.T}
    return {f"{scope}/{tensor}": array}


def all_to_tensorflow(state: dict[str, Tensor]) -> tensorflow.Variables:
    variables: tensorflow.Variables = {}
    for name, value in state.items():
        if not name.endswith("resample_filter"):
            variables |= to_tensorflow(name, value, 32)
    return variables


@needs_reference
def test_the_tensorflow_twin_computes_nvidias_numbers() -> None:
    reference = load_reference()
    got = tensorflow.images(all_to_tensorflow(reference.generator), reference.z.double().numpy())
    assert relative_error(torch.from_numpy(got), reference.outputs["img_noise_const"].double()) < 1e-5
    pictures = reference.outputs["img_noise_const"].double().numpy()
    got = tensorflow.logits(all_to_tensorflow(reference.discriminator), pictures, group=2)
    assert relative_error(torch.from_numpy(got), reference.outputs["D_logits"][:, 0].double()) < 1e-5


@needs_reference
def test_nvidias_numbers_come_out_of_the_tensorflow_form() -> None:
    reference = load_reference()
    generator = generator_of(generator_from_tensorflow(tensors(all_to_tensorflow(reference.generator)), {}))
    images = generator(reference.z.double(), noise="const")
    assert relative_error(images, reference.outputs["img_noise_const"].double()) < 1e-5
    static = {"mbstd_group_size": 2}
    variables = tensors(all_to_tensorflow(reference.discriminator))
    discriminator = discriminator_of(discriminator_from_tensorflow(variables, static))
    logits = discriminator(reference.outputs["img_noise_const"].double())
    assert relative_error(logits, reference.outputs["D_logits"][:, 0].double()) < 1e-5


# What is refused


def without(variables, name: str):
    return {key: value for key, value in variables.items() if key != name}


@pytest.mark.parametrize(
    ("change", "static", "message"),
    [
        (lambda v: without(v, "synthesis/8x8/Conv0_up/mod_bias"), {}, "incomplete.*blocks.1.conv0.affine.bias"),
        (lambda v: without(v, "synthesis/4x4/ToRGB/weight"), {}, "it has no synthesis/4x4/ToRGB/weight"),
        (lambda v: without(v, "synthesis/8x8/Conv1/weight"), {}, "has layers at"),
        (lambda v: without(v, "dlatent_avg"), {}, "incomplete.*mapping.average"),
        (lambda v: {**v, "synthesis/8x8/Skip/weight": torch.zeros(1, 1, 6, 5)}, {}, "has the variable.*Skip"),
        (lambda v: {**v, "synthesis/ToRGB_lod0/weight": torch.zeros(1)}, {}, "has the variable synthesis/ToRGB_lod0"),
        (lambda v: {**v, "synthesis/noise1": torch.zeros(1, 1, 4, 4)}, {}, "of another shape.*blocks.1.conv0.noise"),
        (lambda v: {**v, "synthesis/noise2": torch.zeros(())}, {}, "synthesis/noise2.* of another shape"),
        (lambda v: {**v, "synthesis/4x4/Const/const": torch.zeros(2, 6, 4, 4)}, {}, "of another shape: const"),
        (lambda v: {**v, "mapping/Dense1/weight": torch.zeros(7, 9)}, {}, "of another shape: mapping.layers.1"),
        (lambda v: v, {"architecture": "resnet"}, "architecture is resnet"),
        (lambda v: v, {"resample_kernel": [1, 2, 1]}, "resample_kernel is"),
        (lambda v: v, {"resample_kernel": None}, "resample_kernel is None"),
        (lambda v: v, {"nonlinearity": "relu"}, "nonlinearity is relu"),
        (lambda v: v, {"normalize_latents": False}, "normalize_latents is False"),
        (lambda v: v, {"mapping_lrmul": "fast"}, "mapping_lrmul is fast"),
    ],
)
def test_tensorflow_generators_of_another_kind_are_refused(change, static, message: str) -> None:
    variables = change(tensors(tensorflow.random_generator()))
    with pytest.raises(ValueError, match=message):
        generator_from_tensorflow(variables, static)


def test_the_usual_settings_are_accepted_however_they_are_written() -> None:
    variables = tensors(tensorflow.random_generator())
    static = {"architecture": "skip", "resample_kernel": (1, 3, 3, 1), "conv_clamp": 256, "mapping_lrmul": 0.01}
    config, _ = generator_from_tensorflow(variables, static)
    assert config.conv_clamp == 256 and config.channel_table == (6, 5, 4)
    assert (config.z_dim, config.w_dim, config.mapping_layers, config.resolution) == (5, 7, 3, 16)


@pytest.mark.parametrize(
    ("change", "static", "message"),
    [
        (lambda v: without(v, "16x16/Skip/weight"), {}, "incomplete.*blocks.0.skip.weight"),
        (lambda v: {**v, "8x8/FromRGB/weight": torch.zeros(1, 1, 3, 5)}, {}, "has the variable 8x8/FromRGB"),
        (lambda v: {**v, "4x4/Dense0/weight": torch.zeros(96, 9)}, {}, "of another shape: linear.weight"),
        (lambda v: v, {"architecture": "orig"}, "architecture is orig"),
    ],
)
def test_tensorflow_discriminators_of_another_kind_are_refused(change, static, message: str) -> None:
    variables = change(tensors(tensorflow.random_discriminator()))
    with pytest.raises(ValueError, match=message):
        discriminator_from_tensorflow(variables, static)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: without(s, "convs.0.activate.bias"), "incomplete.*blocks.1.conv0.bias"),
        (lambda s: without(s, "convs.1.conv.weight"), "has layers at"),
        (lambda s: without(s, "style.1.weight"), "it has no style.1.weight"),
        (lambda s: without(s, "noises.noise_3"), "incomplete.*blocks.2.conv0.noise"),
        (lambda s: {**s, "convs.0.conv.blur.kernel": port.KERNEL}, "filter convs.0.conv.blur.kernel"),
        (lambda s: {**s, "convs.0.bias": torch.zeros(5)}, "has the tensor convs.0.bias"),
        (lambda s: {**s, "conv1.conv.weight": torch.zeros(6, 6, 3, 3)}, "another kind of conv1.conv.weight"),
        (lambda s: {**s, "convs.1.noise.weight": torch.zeros(5)}, "of another shape: blocks.1.conv1.noise_strength"),
    ],
)
def test_generators_of_another_port_are_refused(change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generator_from_port(change(port.random_generator()), torch.zeros(7))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: without(s, "convs.2.skip.1.weight"), "incomplete.*blocks.1.skip.weight"),
        (lambda s: without(s, "convs.1.conv1.0.weight"), "it has no convs.1.conv1.0.weight"),
        (lambda s: {**s, "convs.1.conv2.0.kernel": port.KERNEL * 4}, "filter convs.1.conv2.0.kernel"),
    ],
)
def test_discriminators_of_another_port_are_refused(change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        discriminator_from_port(change(port.random_discriminator()))
