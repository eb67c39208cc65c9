# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2 networks under the names that NVIDIA's StyleGAN2-ADA gives their tensors, brought to ours.

The tensors themselves mean the same in both, so only names change. The sizes follow from the shapes; what does not
show in them (the mapping's learning rate, the clamp, the group of the minibatch standard deviation) is an argument,
with NVIDIA's usual value as default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ...models.stylegan2 import Generator, GeneratorConfig
from ...models.stylegan2_discriminator import Discriminator, DiscriminatorConfig

MAX_RESOLUTION = 4096
"""Pixels; the largest networks in use have a fourth of it."""

_FILTER = "resample_filter"
_GENERATOR_LAYERS = {"conv0": "conv0", "conv1": "conv1", "torgb": "to_image"}
_GENERATOR_TENSORS = {
    "weight": "weight",
    "bias": "bias",
    "noise_const": "noise",
    "noise_strength": "noise_strength",
    "affine.weight": "affine.weight",
    "affine.bias": "affine.bias",
}
_DISCRIMINATOR_END = {"conv": "conv", "fc": "linear", "out": "output"}


def generator_from_ada(
    state: Mapping[str, Tensor],
    *,
    mapping_rate: float = 0.01,
    conv_clamp: float | None = None,
) -> tuple[GeneratorConfig, dict[str, Tensor]]:
    """Config and state of our generator from those of StyleGAN2-ADA (``synthesis.b8.conv0.weight``, ...).

    Raises ValueError where the network is of another kind: conditional, without skips, or with another filter.
    """
    channels = {_level(name): len(value) for name, value in state.items() if name.endswith("conv1.weight")}
    table = pyramid(channels, "a StyleGAN2-ADA generator")
    layers = len([name for name in state if re.fullmatch(r"mapping\.fc\d+\.weight", name)])
    first, image = required(state, "mapping.fc0.weight", 2), required(state, "synthesis.b4.torgb.weight", 4)
    config = GeneratorConfig(
        resolution=4 << (len(table) - 1),
        z_dim=first.shape[1],
        w_dim=required(state, "synthesis.b4.conv1.affine.weight", 2).shape[1],
        mapping_layers=layers,
        mapping_rate=mapping_rate,
        channels=table,
        image_channels=len(image),
        conv_clamp=conv_clamp,
    )
    return config, _renamed(state, _generator_name, lambda: Generator(config))


def discriminator_from_ada(
    state: Mapping[str, Tensor],
    *,
    minibatch_group: int = 4,
    conv_clamp: float | None = None,
) -> tuple[DiscriminatorConfig, dict[str, Tensor]]:
    """Config and state of our discriminator from those of StyleGAN2-ADA (``b8.conv0.weight``, ...).

    Raises ValueError where the network is of another kind: conditional, not residual, or with another filter.
    """
    end = required(state, "b4.conv.weight", 4)
    channels = {_level(name): value.shape[1] for name, value in state.items() if name.endswith("conv0.weight")}
    table = pyramid({4: len(end), **channels}, "a StyleGAN2-ADA discriminator")
    resolution = 4 << (len(table) - 1)
    config = DiscriminatorConfig(
        resolution=resolution,
        channels=table,
        image_channels=required(state, f"b{resolution}.fromrgb.weight", 4).shape[1],
        minibatch_group=minibatch_group,
        minibatch_channels=end.shape[1] - len(end),
        conv_clamp=conv_clamp,
    )
    return config, _renamed(state, _discriminator_name(resolution), lambda: Discriminator(config))


def _level(name: str) -> int:
    """The resolution that a name speaks of, 0 if none."""
    found = re.search(r"\bb(\d+)\.", name)
    return int(found.group(1)) if found else 0


def pyramid(channels: Mapping[int, int], kind: str) -> tuple[int, ...]:
    """Channels at 4, 8, ... pixels. Raises ValueError where a level is missing, or one is too large to be meant."""
    levels = sorted(channels)
    if levels and levels[-1] > MAX_RESOLUTION:
        raise ValueError(f"This is not {kind}: it has layers at {levels[-1]} pixels, more than {MAX_RESOLUTION}.")
    if not levels or levels != [4 << i for i in range(len(levels))]:
        raise ValueError(f"This is not {kind}: it has layers at {levels or 'no'} pixels.")
    return tuple(channels[level] for level in levels)


def required(state: Mapping[str, Tensor], name: str, dimensions: int) -> Tensor:
    """A tensor that a network has to have. Raises ValueError where it is missing or has other dimensions."""
    if name not in state:
        raise ValueError(f"This is not a StyleGAN2 network of the supported kind: it has no {name}.")
    if state[name].dim() != dimensions:
        raise ValueError(f"This StyleGAN2 network has another kind of {name}.")
    return state[name]


def _generator_name(name: str) -> str | None:
    """Our name of a generator's tensor, None if we have none."""
    if name == "mapping.w_avg":
        return "mapping.average"
    if name == "synthesis.b4.const":
        return "const"
    if found := re.fullmatch(r"mapping\.fc(\d+)\.(weight|bias)", name):
        return f"mapping.layers.{found.group(1)}.{found.group(2)}"
    if found := re.fullmatch(r"synthesis\.b(\d+)\.(conv0|conv1|torgb)\.([a-z_.]+)", name):
        resolution, layer, tensor = found.groups()
        if tensor in _GENERATOR_TENSORS:
            return f"blocks.{level_index(resolution)}.{_GENERATOR_LAYERS[layer]}.{_GENERATOR_TENSORS[tensor]}"
    return None


def _discriminator_name(resolution: int) -> Callable[[str], str | None]:
    """Our names of the tensors of a discriminator, whose blocks count from the largest resolution down."""

    def rename(name: str) -> str | None:
        if found := re.fullmatch(r"b4\.(conv|fc|out)\.(weight|bias)", name):
            return f"{_DISCRIMINATOR_END[found.group(1)]}.{found.group(2)}"
        if found := re.fullmatch(rf"b{resolution}\.fromrgb\.(weight|bias)", name):
            return f"from_image.{found.group(1)}"
        if found := re.fullmatch(r"b(\d+)\.(conv0|conv1|skip)\.(weight|bias)", name):
            return (
                f"blocks.{level_index(str(resolution)) - level_index(found.group(1))}.{found.group(2)}.{found.group(3)}"
            )
        return None

    return rename


def level_index(resolution: str) -> int:
    """0 for 4 pixels, 1 for 8, ..."""
    return int(resolution).bit_length() - 3


def _renamed(
    state: Mapping[str, Tensor], rename: Callable[[str], str | None], build: Callable[[], nn.Module]
) -> dict[str, Tensor]:
    """The state under our names. Raises ValueError unless it fits the network exactly."""
    renamed: dict[str, Tensor] = {}
    for name, value in state.items():
        if name.rpartition(".")[2] == _FILTER:
            check_filter(name, value)
            continue
        ours = rename(name)
        if ours is None:
            raise ValueError(f"This StyleGAN2 network is of a kind that is not supported: it has the tensor {name}.")
        renamed[ours] = value.detach().clone()
    check_fit(renamed, build)
    return renamed


def check_fit(state: Mapping[str, Tensor], build: Callable[[], nn.Module]) -> None:
    """Raises ValueError unless a state under our names has exactly the shapes of the network that ``build`` makes."""
    # Without memory of its own: small tensors of a damaged file may add up to sizes that ask for any amount of it.
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in build().state_dict().items()}
    wrong = sorted(name for name in {**shapes, **state} if shapes.get(name) != getattr(state.get(name), "shape", None))
    if wrong:
        raise ValueError(f"This StyleGAN2 network is incomplete or of another shape: {', '.join(wrong[:4])}.")


def check_filter(name: str, value: Tensor, gain: float = 1.0) -> None:
    """Raises ValueError unless a stored filter is the separable [1, 3, 3, 1] with this sum."""
    line = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=value.dtype) / 8
    if value.shape != (4, 4) or not torch.allclose(value.cpu(), gain * torch.outer(line, line), atol=1e-6):
        raise ValueError(f"The filter {name} is not [1, 3, 3, 1], the only one that is supported.")
