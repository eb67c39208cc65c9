# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2 networks under the names that the common PyTorch port gives their tensors, brought to ours.

The layout is ours but for dimensions of size 1: kernels of modulated convolutions are (1, O, I, K, K), biases of the
images (1, O, 1, 1), strengths of noise (1,). The port keeps its filters as buffers, with the gain of upsampling in
them. Its older files hold no pictures of noise, and only converted ones the mean of w; both can be made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ...models.stylegan2 import Generator, GeneratorConfig
from ...models.stylegan2_discriminator import Discriminator, DiscriminatorConfig
from .stylegan2_names import check_filter, check_fit, pyramid, required

MEAN_SAMPLES = 10_000
"""Codes whose mean stands for the running average of w where a file has none."""

_MODULATED = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
    "bias": "bias",
}
_DISCRIMINATOR_LAYERS = {"conv1.0.weight": "conv0.weight", "conv1.1.bias": "conv0.bias", "skip.1.weight": "skip.weight"}
_DISCRIMINATOR_LAYERS |= {"conv2.1.weight": "conv1.weight", "conv2.2.bias": "conv1.bias"}
_DISCRIMINATOR_ENDS = {
    "convs.0.0.weight": "from_image.weight",
    "convs.0.1.bias": "from_image.bias",
    "final_conv.0.weight": "conv.weight",
    "final_conv.1.bias": "conv.bias",
    "final_linear.0.weight": "linear.weight",
    "final_linear.0.bias": "linear.bias",
    "final_linear.1.weight": "output.weight",
    "final_linear.1.bias": "output.bias",
}


def generator_from_port(
    state: Mapping[str, Tensor], average: Tensor | None = None, *, mapping_rate: float = 0.01
) -> tuple[GeneratorConfig, dict[str, Tensor]]:
    """Config and state of our generator from the port's (``convs.0.conv.weight``, ...) and the mean of w.

    Without ``average`` the mean of w stays 0, see :func:`estimate_average`. Raises ValueError where the network is of
    another kind.
    """
    # At 4 pixels there is one convolution, at each further resolution two; the second says how many channels there are.
    channels = {4: required(state, "conv1.conv.weight", 5).shape[1]}
    for name, value in state.items():
        if (found := re.fullmatch(r"convs\.(\d{1,4})\.conv\.weight", name)) and int(found[1]) % 2:
            channels[8 << (int(found[1]) // 2)] = value.shape[1]
    table = pyramid(channels, "a StyleGAN2 generator")
    first = required(state, "style.1.weight", 2)
    config = GeneratorConfig(
        resolution=4 << (len(table) - 1),
        z_dim=first.shape[1],
        w_dim=required(state, "conv1.conv.modulation.weight", 2).shape[1],
        mapping_layers=len([name for name in state if re.fullmatch(r"style\.\d+\.weight", name)]),
        mapping_rate=mapping_rate,
        channels=table,
        image_channels=required(state, "to_rgb1.conv.weight", 5).shape[1],
    )
    converted = _converted(state, _generator_name, filter_gain=4.0)
    converted["mapping.average"] = torch.zeros(config.w_dim) if average is None else average.reshape(-1).contiguous()
    if not any(name.startswith("noises.") for name in state):
        converted |= _drawn_noise(len(table))
    check_fit(converted, lambda: Generator(config))
    return config, converted


def discriminator_from_port(
    state: Mapping[str, Tensor], *, minibatch_group: int = 4
) -> tuple[DiscriminatorConfig, dict[str, Tensor]]:
    """Config and state of our discriminator from the port's (``convs.1.conv1.0.weight``, ...).

    Raises ValueError where the network is of another kind.
    """
    end = required(state, "final_conv.0.weight", 4)
    found = [re.fullmatch(r"convs\.(\d{1,4})\.conv1\.0\.weight", name) for name in state]
    blocks = max((int(match[1]) for match in found if match), default=0)
    widths = [required(state, f"convs.{block}.conv1.0.weight", 4).shape[1] for block in range(1, blocks + 1)]
    table = pyramid({4 << level: width for level, width in enumerate([len(end), *widths[::-1]])}, "a discriminator")
    config = DiscriminatorConfig(
        resolution=4 << (len(table) - 1),
        channels=table,
        image_channels=required(state, "convs.0.0.weight", 4).shape[1],
        minibatch_group=minibatch_group,
        minibatch_channels=end.shape[1] - end.shape[0],
    )
    converted = _converted(state, _discriminator_name, filter_gain=1.0)
    check_fit(converted, lambda: Discriminator(config))
    return config, converted


@torch.no_grad()
def estimate_average(generator: Generator) -> None:
    """Sets the average of w to the mean over :data:`MEAN_SAMPLES` codes, the same ones each time."""
    random = torch.Generator().manual_seed(0)
    z = torch.randn(MEAN_SAMPLES, generator.config.z_dim, generator=random)
    parts = [generator.mapping(part).sum(dim=0) for part in z.split(1000)]
    generator.mapping.average.copy_(torch.stack(parts).sum(dim=0) / MEAN_SAMPLES)


def _drawn_noise(levels: int) -> dict[str, Tensor]:
    """Pictures of noise, the same ones each time, under our names."""
    random = torch.Generator().manual_seed(0)
    names = ["blocks.0.conv1", *(f"blocks.{level}.conv{number}" for level in range(1, levels) for number in (0, 1))]
    return {f"{name}.noise": torch.randn(*[4 << int(name.split(".")[1])] * 2, generator=random) for name in names}


def _generator_name(name: str) -> str | None:
    """Our name of a generator's tensor, None if we have none."""
    if name == "input.input":
        return "const"
    if found := re.fullmatch(r"style\.(\d{1,4})\.(weight|bias)", name):
        # The port's first layer is the normalisation of z.
        return f"mapping.layers.{int(found[1]) - 1}.{found[2]}"
    if found := re.fullmatch(r"noises\.noise_(\d{1,4})", name):
        return f"{_convolution(int(found[1]))}.noise"
    if found := re.fullmatch(r"(conv1|convs\.(\d{1,4}))\.(.+)", name):
        layer = _convolution(0 if found[2] is None else int(found[2]) + 1)
        return f"{layer}.{_MODULATED[found[3]]}" if found[3] in _MODULATED and found[3] != "bias" else None
    if found := re.fullmatch(r"(to_rgb1|to_rgbs\.(\d{1,4}))\.(.+)", name):
        level = 0 if found[2] is None else int(found[2]) + 1
        return f"blocks.{level}.to_image.{_MODULATED[found[3]]}" if found[3] in _MODULATED else None
    return None


def _convolution(index: int) -> str:
    """Our name of a 3x3 convolution by its place in the order in which they run."""
    return "blocks.0.conv1" if index == 0 else f"blocks.{(index + 1) // 2}.conv{(index + 1) % 2}"


def _discriminator_name(name: str) -> str | None:
    """Our name of a discriminator's tensor, None if we have none."""
    if found := re.fullmatch(r"convs\.([1-9]\d{0,3})\.(.+)", name):
        layer = _DISCRIMINATOR_LAYERS.get(found[2])
        return None if layer is None else f"blocks.{int(found[1]) - 1}.{layer}"
    return _DISCRIMINATOR_ENDS.get(name)


def _converted(
    state: Mapping[str, Tensor], rename: Callable[[str], str | None], filter_gain: float
) -> dict[str, Tensor]:
    converted: dict[str, Tensor] = {}
    for name, value in state.items():
        if name.endswith(".kernel"):
            check_filter(name, value, filter_gain)
            continue
        ours = rename(name)
        if ours is None or ours in converted:
            raise ValueError(f"This StyleGAN2 network is of a kind that is not supported: it has the tensor {name}.")
        converted[ours] = _without_ones(ours, value).contiguous()
    return converted


def _without_ones(name: str, value: Tensor) -> Tensor:
    """The tensor without the port's dimensions of size 1, where it has them."""
    kind = name.rpartition(".")[2]
    if kind == "noise_strength" and value.numel() == 1:
        return value.reshape(())
    if kind == "noise" and value.shape[:2] == (1, 1):
        return value[0, 0]
    if kind == "bias" and value.dim() == 4:
        return value.flatten()
    if (kind == "const" or value.dim() == 5) and value.dim() > 3 and len(value) == 1:
        return value[0]
    return value
