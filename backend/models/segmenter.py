# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that finds the object in a photo: a small U-Net that sees a square picture of low resolution.

It tells roughly where the object is; the exact outline is found afterwards at the photo's own resolution. Hence the
network is deep where the picture is small, for context, and thin where it is large.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .network_files import build, config_of
from .storage import read_tensors, save_network


@dataclass(frozen=True)
class SegmenterConfig:
    """Size of the network."""

    resolution: int = 128
    """Side of the pictures it is trained on; others work as long as they are multiples of 16."""
    channels: tuple[int, ...] = (16, 32, 64, 128)
    """At a half, a quarter, an eighth and a sixteenth of the resolution."""
    blocks: tuple[int, ...] = (1, 1, 2, 3)
    """Residual blocks on each of these levels."""


class Segmenter(nn.Module):
    """Pictures (N, 3, H, W), sRGB in [0, 1], to logits (N, H, W): positive on the object."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.stem = convolution(3, channels[0], kernel=5, stride=2)
        self.down = nn.ModuleList(
            [nn.Identity()] + [convolution(a, b, stride=2) for a, b in zip(channels[:-1], channels[1:], strict=True)]
        )
        self.encoder = nn.ModuleList(
            nn.Sequential(*[ResidualBlock(width) for _ in range(count)])
            for width, count in zip(channels, config.blocks, strict=True)
        )
        self.context = nn.Linear(channels[-1], channels[-1])
        self.reduce = nn.ModuleList(
            convolution(b, a, kernel=1) for a, b in zip(channels[:-1], channels[1:], strict=True)
        )
        self.decoder = nn.ModuleList(ResidualBlock(width) for width in channels[:-1])
        self.head = nn.Conv2d(channels[0], 1, 3, padding=1)

    def forward(self, pictures: Tensor) -> Tensor:
        size = pictures.shape[-2:]
        hidden = self.stem(pictures * 4 - 2)
        skips = []
        for down, encoder in zip(self.down, self.encoder, strict=True):
            hidden = encoder(down(hidden))
            skips.append(hidden)
        # What the whole picture shows bears on every place of it.
        hidden = hidden + self.context(hidden.mean(dim=(2, 3)))[..., None, None]
        for skip, reduce, decoder in reversed(list(zip(skips[:-1], self.reduce, self.decoder, strict=True))):
            larger = F.interpolate(reduce(hidden), size=skip.shape[-2:], mode="bilinear", align_corners=False)
            hidden = decoder(larger + skip)
        logits = F.interpolate(self.head(hidden), size=size, mode="bilinear", align_corners=False)
        return logits[:, 0]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; keeps the shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)  # starts as the identity

    def forward(self, hidden: Tensor) -> Tensor:
        return F.relu(hidden + self.norm(self.second(self.first(hidden))))


def convolution(inside: int, outside: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Returns a convolution with batch norm and ReLU that keeps the size, but for its stride."""
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


def save_segmenter(path: Path, model: Segmenter) -> None:
    """Writes the weights in half precision, with the config in the metadata."""
    save_network(path, model, model.config, precision="half")


def load_segmenter(path: Path, device: torch.device | str = "cpu") -> Segmenter:
    """The network of a file, ready to use. Raises ValueError with one sentence if the file is missing or damaged."""
    tensors, metadata = read_tensors(path)
    config = config_of(path, metadata, SegmenterConfig)
    return build(path, tensors, lambda: Segmenter(config), device)
