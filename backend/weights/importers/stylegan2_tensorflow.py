# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2 networks under the names and in the layout of NVIDIA's TensorFlow code, brought to ours.

There kernels are (height, width, in, out) and matrices (in, out), where ours have the outputs first. The bias of a
style is counted from 1. The kernel of an up-convolution lies as in a correlation of the enlarged picture, where our
transposed convolution wants it turned by 180 degrees. What does not show in the variables is in the static arguments,
which also say whether the network is of a kind that is supported: skip generator, residual discriminator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ...models.stylegan2 import Generator, GeneratorConfig
from ...models.stylegan2_discriminator import Discriminator, DiscriminatorConfig
from .stylegan2_names import check_fit, level_index, pyramid, required

Convert = Callable[[Tensor], Tensor]

WHOLE_BATCH = 1 << 16
"""Size of a group for the minibatch standard deviation that no batch exceeds."""

_GENERATOR_KIND = {
    "architecture": "skip",
    "nonlinearity": "lrelu",
    "mapping_nonlinearity": "lrelu",
    "normalize_latents": True,
    "resample_kernel": [1, 3, 3, 1],
}
_DISCRIMINATOR_KIND = {"architecture": "resnet", "nonlinearity": "lrelu", "resample_kernel": [1, 3, 3, 1]}
"""Static arguments that change what a network computes, with the one value that is supported, which is the default."""

_GENERATOR_LAYERS = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "to_image"}
_DISCRIMINATOR_LAYERS = {"Conv0": "conv0", "Conv1_down": "conv1", "Skip": "skip"}
_DISCRIMINATOR_END = {"4x4/Conv": "conv", "4x4/Dense0": "linear", "Output": "output"}


def generator_from_tensorflow(
    variables: Mapping[str, Tensor], static: Mapping[str, Any]
) -> tuple[GeneratorConfig, dict[str, Tensor]]:
    """Config and state of our generator from the variables (``synthesis/8x8/Conv0_up/weight``, ...).

    Raises ValueError where the network is of another kind: conditional, without skips, or with another filter.
    """
    _check_kind(static, _GENERATOR_KIND)
    channels = {_level(name): value.shape[-1] for name, value in variables.items() if name.endswith("/Conv1/weight")}
    first = required(variables, "synthesis/4x4/Conv/weight", 4)
    table = pyramid({4: first.shape[3], **channels}, "a StyleGAN2 generator")
    config = GeneratorConfig(
        resolution=4 << (len(table) - 1),
        z_dim=required(variables, "mapping/Dense0/weight", 2).shape[0],
        w_dim=required(variables, "synthesis/4x4/Conv/mod_weight", 2).shape[0],
        mapping_layers=len([name for name in variables if re.fullmatch(r"mapping/Dense\d+/weight", name)]),
        mapping_rate=_number(static, "mapping_lrmul", 0.01),
        channels=table,
        image_channels=required(variables, "synthesis/4x4/ToRGB/weight", 4).shape[3],
        conv_clamp=_clamp(static),
    )
    # A counter of progressive growing, which stays at 0 in these networks.
    state = _converted({name: value for name, value in variables.items() if name != "lod"}, _generator_tensor)
    check_fit(state, lambda: Generator(config))
    return config, state


def discriminator_from_tensorflow(
    variables: Mapping[str, Tensor], static: Mapping[str, Any]
) -> tuple[DiscriminatorConfig, dict[str, Tensor]]:
    """Config and state of our discriminator from the variables (``8x8/Conv0/weight``, ...).

    Raises ValueError where the network is of another kind: conditional, not residual, or with another filter.
    """
    _check_kind(static, _DISCRIMINATOR_KIND)
    end = required(variables, "4x4/Conv/weight", 4)
    channels = {_level(name): value.shape[-1] for name, value in variables.items() if name.endswith("/Conv0/weight")}
    table = pyramid({4: end.shape[3], **channels}, "a StyleGAN2 discriminator")
    resolution = 4 << (len(table) - 1)
    group = static.get("mbstd_group_size", 4)
    config = DiscriminatorConfig(
        resolution=resolution,
        channels=table,
        image_channels=required(variables, f"{resolution}x{resolution}/FromRGB/weight", 4).shape[2],
        minibatch_group=WHOLE_BATCH if group is None else max(1, int(_number(static, "mbstd_group_size", 4))),
        minibatch_channels=end.shape[2] - end.shape[3],
        conv_clamp=_clamp(static),
    )
    state = _converted(variables, lambda name: _discriminator_tensor(name, resolution))
    check_fit(state, lambda: Discriminator(config))
    return config, state


def _generator_tensor(name: str) -> tuple[str, Convert] | None:
    """Our name of a generator's variable and how to bring its value to ours; None if we have none."""
    if name == "dlatent_avg":
        return "mapping.average", _as_it_is
    if name == "synthesis/4x4/Const/const":
        return "const", _first
    if found := re.fullmatch(r"mapping/Dense(\d+)/(weight|bias)", name):
        return f"mapping.layers.{found[1]}.{found[2]}", _TENSORS[found[2]][1]
    if found := re.fullmatch(r"synthesis/noise(\d+)", name):
        # One for each 3x3 convolution: one at 4 pixels, two at each further resolution.
        level, second = divmod(int(found[1]) + 1, 2)
        return f"blocks.{level}.conv{0 if level and not second else 1}.noise", lambda value: value[0, 0]
    if found := re.fullmatch(r"synthesis/(\d+)x\1/(Conv|Conv0_up|Conv1|ToRGB)/([a-z_]+)", name):
        layer, tensor = found[2], found[3]
        if tensor not in _TENSORS or (layer == "Conv") != (found[1] == "4") and layer != "ToRGB":
            return None
        ours, convert = _TENSORS[tensor]
        block = f"blocks.{level_index(found[1])}.{_GENERATOR_LAYERS[layer]}.{ours}"
        return block, _turned if (layer, tensor) == ("Conv0_up", "weight") else convert
    return None


def _discriminator_tensor(name: str, resolution: int) -> tuple[str, Convert] | None:
    """As :func:`_generator_tensor`; our blocks count from the largest resolution down."""
    layer, _, tensor = name.rpartition("/")
    if tensor not in ("weight", "bias"):
        return None
    convert = _TENSORS[tensor][1]
    if layer in _DISCRIMINATOR_END:
        return f"{_DISCRIMINATOR_END[layer]}.{tensor}", convert
    if layer == f"{resolution}x{resolution}/FromRGB":
        return f"from_image.{tensor}", convert
    if found := re.fullmatch(r"(\d+)x\1/(Conv0|Conv1_down|Skip)", layer):
        block = level_index(str(resolution)) - level_index(found[1])
        return f"blocks.{block}.{_DISCRIMINATOR_LAYERS[found[2]]}.{tensor}", convert
    return None


def _converted(
    variables: Mapping[str, Tensor], rename: Callable[[str], tuple[str, Convert] | None]
) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for name, value in variables.items():
        found = rename(name)
        if found is None:
            raise ValueError(f"This StyleGAN2 network is of a kind that is not supported: it has the variable {name}.")
        ours, convert = found
        if ours in state:
            raise ValueError(f"This StyleGAN2 network has the variable {name} twice.")
        try:
            state[ours] = convert(value).contiguous()
        except (IndexError, RuntimeError) as error:
            raise ValueError(f"The variable {name} of this StyleGAN2 network is of another shape.") from error
    return state


def _as_it_is(value: Tensor) -> Tensor:
    return value


def _first(value: Tensor) -> Tensor:
    """Of a batch of one."""
    return value[0] if len(value) == 1 else value


def _outputs_first(value: Tensor) -> Tensor:
    """(in, out) to (out, in), (height, width, in, out) to (out, in, height, width)."""
    return value.permute(3, 2, 0, 1) if value.dim() == 4 else value.permute(1, 0)


def _turned(value: Tensor) -> Tensor:
    return _outputs_first(value).flip(2, 3)


_TENSORS: dict[str, tuple[str, Convert]] = {
    "weight": ("weight", _outputs_first),
    "bias": ("bias", _as_it_is),
    "noise_strength": ("noise_strength", lambda value: value.reshape(())),
    "mod_weight": ("affine.weight", _outputs_first),
    "mod_bias": ("affine.bias", lambda value: value + 1),
}


def _check_kind(static: Mapping[str, Any], supported: Mapping[str, Any]) -> None:
    for name, only in supported.items():
        value = static.get(name, only)
        if (list(value) if isinstance(value, tuple) else value) != only:
            raise ValueError(f"This StyleGAN2 network is of a kind that is not supported: its {name} is {value}.")


def _number(static: Mapping[str, Any], name: str, default: float) -> float:
    value = static.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"This StyleGAN2 network is of a kind that is not supported: its {name} is {value}.")
    return float(value)


def _clamp(static: Mapping[str, Any]) -> float | None:
    return None if static.get("conv_clamp") is None else _number(static, "conv_clamp", 0.0)


def _level(name: str) -> int:
    """The resolution that a name speaks of, 0 if none."""
    found = re.search(r"\b(\d{1,9})x\1/", name)
    return int(found[1]) if found else 0
