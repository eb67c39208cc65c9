# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights that a StyleGAN2 training starts from: a run or a generator, of the same resolution or of half of it.

From half the resolution every layer that is there gives its weights. The new block begins so that at first nothing is
changed by it: the generator's picture is the smaller one's, upsampled, and the discriminator says of a picture what the
smaller one says of the same picture at half its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from ..errors import BundleError
from ..models.stylegan2 import Generator
from ..models.stylegan2_discriminator import Discriminator, DiscriminatorBlock
from ..models.stylegan2_layers import SLOPE, EqualisedConv
from ..weights.run_folder import CHECKPOINT, checkpoint_networks, load_generator_or_run
from .gan_losses import path_lengths

State = dict[str, Tensor]


def give_weights(start: str, generators: Sequence[Generator], discriminator: Discriminator) -> bool:
    """Gives a generator, its average and a discriminator the weights of a run, or of a generator alone.

    ``generators`` are the one that learns and its average. ``start`` is a run's folder, or a generator: a bundle by
    name or folder, or a file. Returns whether the start has a discriminator; without one the discriminator keeps its
    own weights. Raises ValueError with one sentence where there is nothing to start from, or nothing that fits.
    """
    given = _networks(start)
    for name, network in zip(("generator", "average"), generators, strict=True):
        _give_generator(network, given[name], start)
    if "discriminator" not in given:
        return False
    _give_discriminator(discriminator, given["discriminator"], start)
    return True


def mean_path_length(generator: Generator, count: int, seed: int, device: torch.device) -> Tensor:
    """Mean over ``count`` pictures, the same for the same seed; no random numbers are drawn but its own."""
    random = torch.Generator().manual_seed(seed)
    codes = generator.map(torch.randn(count, generator.config.z_dim, generator=random).to(device))
    images = generator.synthesize(generator.styles(codes), "const")
    noise = torch.randn(images.shape, generator=random).to(device)
    return path_lengths(images, codes, noise).mean().detach()


def _networks(start: str) -> dict[str, State]:
    """The states of generator, average and, from a run, the discriminator."""
    if not (Path(start) / CHECKPOINT).is_file():
        try:
            state = load_generator_or_run(start).generator.state_dict()
        except BundleError as error:
            raise ValueError(f"The start {start} is no run with a checkpoint and no generator: {error}") from error
        return {"generator": state, "average": state}
    held = checkpoint_networks(Path(start))
    networks = {name: held.get(name, {}) for name in ("generator", "discriminator", "average")}
    if not all(networks.values()):
        raise ValueError(f"The start {start} is the run of another task: it holds no generator and discriminator.")
    return networks


def _give_generator(generator: Generator, given: State, start: str) -> None:
    if not _is_half(2 << _count_blocks(given), generator.config.resolution, start):
        _give(generator, given, (), start)
        return
    _give(generator, given, (f"blocks.{len(generator.blocks) - 1}.",), start)
    to_image = generator.synthesis_blocks()[-1].to_image
    nn.init.zeros_(to_image.weight)
    nn.init.zeros_(to_image.bias)


def _give_discriminator(discriminator: Discriminator, given: State, start: str) -> None:
    if not _is_half(4 << _count_blocks(given), discriminator.config.resolution, start):
        _give(discriminator, given, (), start)
        return
    deeper: State = {}
    for name, value in given.items():
        group, _, rest = name.partition(".")
        if group == "blocks":
            number, _, rest = rest.partition(".")
            name = f"blocks.{int(number) + 1}.{rest}"
        if group != "from_image":
            deeper[name] = value
    _give(discriminator, deeper, ("from_image.", "blocks.0."), start)
    _see_half(discriminator, given["from_image.weight"], given["from_image.bias"], start)


def _count_blocks(given: State) -> int:
    return len({name.split(".")[1] for name in given if name.startswith("blocks.")})


def _is_half(resolution: int, wanted: int, start: str) -> bool:
    """Whether a start is of half the resolution; raises ValueError where it is neither that nor the same."""
    if resolution not in (wanted, wanted // 2):
        raise ValueError(
            f"The start {start} is of {resolution} px, but {wanted} px are started from {wanted // 2} or {wanted} px."
        )
    return resolution != wanted


def _give(network: nn.Module, given: State, fresh: tuple[str, ...], start: str) -> None:
    """Loads what is given; layers whose names begin as one of ``fresh`` keep their own."""
    own = network.state_dict()
    wanted = {name: value for name, value in own.items() if not (fresh and name.startswith(fresh))}
    differ = [f"only one of the two has {name}" for name in sorted(wanted.keys() ^ given.keys())] + [
        f"{name} is {_size(given[name])} there and {_size(wanted[name])} here"
        for name in wanted
        if name in given and given[name].shape != wanted[name].shape
    ]
    if differ:
        raise ValueError(f"The start {start} is of another configuration: {differ[0]}.")
    network.load_state_dict({**own, **given})


def _size(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "one number"


@torch.no_grad()
def _see_half(discriminator: Discriminator, weight: Tensor, bias: Tensor, start: str) -> None:
    """Lets the new first layers pass on the picture at half its size, seen as the smaller ``from_image`` saw it.

    Two channels carry a colour through a leaky ReLU, one its negative: lrelu(x) - lrelu(-x) = (1 + slope) x. The other
    channels are fresh, and count for nothing until the second convolution learns to use them.
    """
    first, block = discriminator.from_image, cast(DiscriminatorBlock, discriminator.blocks[0])
    colours = discriminator.config.image_channels
    width = first.weight.shape[0]
    if width < 2 * colours:
        raise ValueError(f"A discriminator started from {start} has {2 * colours} or more channels first, not {width}.")
    signed = torch.cat([torch.eye(colours), -torch.eye(colours)]).to(first.weight)
    gathered = signed.T / (1 + SLOPE)  # from what the channels hold back to colours
    _set_rows(first, signed[:, :, None, None])
    _set_rows(block.conv0, _centred(signed @ gathered, width))
    old = EqualisedConv(colours, len(weight), 1)
    seen = weight.to(first.weight)[:, :, 0, 0] * (old.scale * old.gain)
    _set_rows(block.conv1, _centred(seen @ gathered, width))
    assert block.conv1.bias is not None
    block.conv1.bias.copy_(bias * (old.gain / block.conv1.gain))
    nn.init.zeros_(block.skip.weight)


def _centred(matrix: Tensor, inputs: int) -> Tensor:
    """(O, I) to a kernel (O, ``inputs``, 3, 3) that takes the middle of the first I channels."""
    kernel = matrix.new_zeros(len(matrix), inputs, 3, 3)
    kernel[:, : matrix.shape[1], 1, 1] = matrix
    return kernel


def _set_rows(layer: EqualisedConv, weights: Tensor) -> None:
    """Makes the first channels of a layer compute with these weights, and no bias."""
    layer.weight[: len(weights)] = weights / (layer.scale * layer.gain)
    if layer.bias is not None:
        layer.bias[: len(weights)] = 0
