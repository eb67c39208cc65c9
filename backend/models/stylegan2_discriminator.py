# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2's residual discriminator with minibatch standard deviation.

Letters: N batch, C channels, H, W picture, R resolution, G samples of a group.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .network_files import build, config_of
from .storage import read_tensors, save_network
from .stylegan2_layers import (
    EPSILON,
    EqualisedConv,
    EqualisedLinear,
    check_pyramid,
    default_channels,
    precision_at,
)


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Sizes of the discriminator. Raises ValueError if they do not go together."""

    resolution: int = 64
    """Side of the image in pixels; a power of two."""
    channel_base: int = 8192
    """Channels times pixels of side."""
    channel_max: int = 256
    channels: tuple[int, ...] = ()
    """Channels at 4, 8, ... pixels, where base and maximum do not say it."""
    image_channels: int = 3
    minibatch_group: int = 4
    """Samples whose standard deviation is taken; the next smaller number that divides the batch where this does not."""
    minibatch_channels: int = 1
    """Maps of standard deviation; 0 for none. Divides the channels at 4 pixels."""
    conv_clamp: float | None = None
    """Bound on the size of activations, wanted where some layers are in half precision; 256 in StyleGAN2-ADA."""
    half_from_resolution: int | None = None
    """Layers from this resolution on run in half precision, where the device computes in it."""
    half_type: str = "bfloat16"
    """Which half precision: bfloat16 or float16."""

    def __post_init__(self) -> None:
        if min(self.image_channels, self.minibatch_group) < 1 or self.minibatch_channels < 0:
            raise ValueError("A discriminator's sizes are positive numbers.")
        check_pyramid(self.resolution, self.channel_table, self.half_type)
        if self.minibatch_channels and self.channel_table[0] % self.minibatch_channels:
            raise ValueError(f"{self.channel_table[0]} channels have no {self.minibatch_channels} equal parts.")

    @property
    def channel_table(self) -> tuple[int, ...]:
        """Channels at 4, 8, ..., ``resolution`` pixels."""
        return self.channels or default_channels(self.resolution, self.channel_base, self.channel_max)


def minibatch_deviation(x: Tensor, group: int, maps: int) -> Tensor:
    """x (N, C, H, W) to (N, ``maps``, H, W), constant over H and W.

    Sample i belongs to group i mod (N / G). Of each group the standard deviation over its samples is taken for each
    number, then averaged over the picture and over one of ``maps`` equal parts of the channels.
    """
    N, C, H, W = x.shape
    G = next(size for size in range(min(group, N), 0, -1) if N % size == 0)
    y = x.reshape(G, N // G, maps, C // maps, H, W)
    variance = (y - y.mean(dim=0)).square().mean(dim=0)
    deviation = (variance + EPSILON).sqrt().mean(dim=(2, 3, 4))
    return deviation.repeat(G, 1)[:, :, None, None].expand(N, maps, H, W)


class DiscriminatorBlock(nn.Module):
    """Two 3x3 convolutions beside a 1x1 shortcut; halves the picture."""

    def __init__(self, inputs: int, outputs: int, clamp: float | None) -> None:
        super().__init__()
        # The sum of two branches has twice the variance of one.
        gain = math.sqrt(0.5)
        self.conv0 = EqualisedConv(inputs, inputs, 3, clamp=clamp)
        self.conv1 = EqualisedConv(inputs, outputs, 3, down=True, gain=gain, clamp=clamp)
        self.skip = EqualisedConv(inputs, outputs, 1, down=True, gain=gain, activate=False, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, I, H, W) to (N, O, H / 2, W / 2)."""
        return self.skip(x) + self.conv1(self.conv0(x))


class Discriminator(nn.Module):
    """Images (N, 3, R, R), about in [-1, 1], to logits (N,): positive for real."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        table = config.channel_table
        self.from_image = EqualisedConv(config.image_channels, table[-1], 1, clamp=config.conv_clamp)
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(inputs, outputs, config.conv_clamp)
            for inputs, outputs in zip(table[:0:-1], table[-2::-1], strict=True)
        )
        self.conv = EqualisedConv(table[0] + config.minibatch_channels, table[0], 3, clamp=config.conv_clamp)
        self.linear = EqualisedLinear(table[0] * 16, table[0], activate=True)
        self.output = EqualisedLinear(table[0], 1)

    def forward(self, images: Tensor) -> Tensor:
        config = self.config
        resolution = config.resolution
        weight = self.output.weight
        precision = precision_at(resolution, config.half_from_resolution, config.half_type, weight)
        x = self.from_image(images.to(precision, memory_format=torch.channels_last))
        for block in self.blocks:
            x = block(x.to(precision_at(resolution, config.half_from_resolution, config.half_type, weight)))
            resolution //= 2
        x = x.to(weight.dtype)
        if config.minibatch_channels:
            deviation = minibatch_deviation(x, config.minibatch_group, config.minibatch_channels)
            x = torch.cat([x, deviation], dim=1)
        return self.output(self.linear(self.conv(x).flatten(1)))[:, 0]


def save_discriminator(path: Path, discriminator: Discriminator, *, half: bool = False) -> None:
    """Writes the weights, in half precision on demand, with the config in the metadata."""
    save_network(path, discriminator, discriminator.config, precision="half" if half else "float32")


def load_discriminator(path: Path, device: torch.device | str = "cpu") -> Discriminator:
    """The discriminator of a file. Raises ValueError with one sentence if the file is missing or damaged."""
    tensors, metadata = read_tensors(path)
    config = config_of(path, metadata, DiscriminatorConfig)
    return build(path, tensors, lambda: Discriminator(config), device)
