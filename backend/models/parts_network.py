# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that reads crops of photographs of objects with parts.

A U-Net. Its dense maps say of every pixel which point of the object it shows (a canonical coordinate) and which region;
its head says the azimuth as a distribution over bins, so that front and rear can both be likely, and elevation,
distance, roll and the code of the shape beside it.

Letters: N batch, S side of the crop, h = S / 2 side of the maps, B bins, K numbers of a code, R regions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..common.regions import REGIONS
from .network_files import build, config_of
from .segmenter import ResidualBlock, convolution
from .storage import Precision, read_tensors, save_network

POSE = ("elevation", "distance", "roll")
"""Numbers of the camera beside the azimuth: radians, the logarithm of lengths of the object, radians."""
_POSE_SCALE = (0.2, 0.4, 0.06)
_POSE_MEAN = (0.14, math.log(2.6), 0.0)
"""Usual values of each, which a fresh network says."""
_MIN_SPREAD = 0.003
"""Spread in lengths of the object below which no pixel is believed to be sure."""


@dataclass(frozen=True)
class PartsNetworkConfig:
    """Size of the network."""

    image_size: int = 192
    """Side of the crops in pixels, a multiple of 32."""
    channels: tuple[int, ...] = (32, 64, 112, 160, 224)
    """Number of channels at a half, a quarter, … of the crop's side."""
    blocks: tuple[int, ...] = (1, 2, 3, 4, 3)
    """Number of residual blocks on each of these levels on the way down; there is one on each on the way up."""
    hidden: int = 384
    """Width of the head's hidden layer."""
    azimuth_bins: int = 36
    """Number of bins of the azimuth, all round."""
    code_size: int = 96
    """Number of numbers of a code of the bundle's shape space."""


@dataclass
class PartsPrediction:
    """What the network says of crops."""

    azimuth_logits: Tensor
    """Logits (N, B) of the bins, whose centres are :func:`bin_centres`."""
    azimuth_offsets: Tensor
    """Radians (N, B) from each bin's centre to the azimuth, should it be in that bin; at most 1.5 times half a bin."""
    pose: Tensor
    """Numbers (N, 3) as in ``POSE``."""
    code: Tensor
    """Codes (N, K) of the shape space."""
    coordinates: Tensor
    """Canonical coordinates (N, 3, h, h), each that of the upper left of the crop's four pixels at its place."""
    spread: Tensor
    """Errors (N, h, h) that the coordinates are expected to have, in lengths of the object."""
    region_logits: Tensor
    """Logits (N, R, h, h) of the regions."""
    mask_logits: Tensor
    """Logits (N, h, h), positive where the object is, also where the given mask errs."""

    def azimuths(self, count: int = 1, behind: float = 0.0) -> tuple[Tensor, Tensor]:
        """Returns the ``count`` likeliest azimuths (N, count) in radians and their probabilities.

        They are of bins whose centres are at least 45° apart. Each has the probability of its bin and of the bins on
        both sides. ``behind`` is added to the logits of directions from behind, where these are likelier in use than
        they were in training.
        """
        centres = bin_centres(self.azimuth_logits.shape[1]).to(self.azimuth_logits)
        probability = (self.azimuth_logits + behind * (centres.abs() > math.pi / 2)).softmax(dim=1)
        near = probability + probability.roll(1, 1) + probability.roll(-1, 1)
        # Beside a sharp peak three bins hold the same probability: the one at the peak knows its offset best.
        left, found = near + 0.01 * probability, []
        for _ in range(count):
            best = left.argmax(dim=1, keepdim=True)
            found.append((self._azimuth_in(best)[:, 0], near.gather(1, best)[:, 0]))
            apart = torch.remainder(centres - centres[best] + math.pi, 2 * math.pi) - math.pi
            left = left.masked_fill(apart.abs() < math.pi / 4, -1)
        return torch.stack([a for a, _ in found], dim=1), torch.stack([p for _, p in found], dim=1)

    def part(self, chosen: Tensor) -> PartsPrediction:
        """Returns what is said of the crops of an index (n,)."""
        return PartsPrediction(**{f.name: getattr(self, f.name)[chosen] for f in fields(PartsPrediction)})

    def mirrored(self) -> PartsPrediction:
        """Returns the same of the mirror images of the crops, shifted to the right by a pixel."""
        sides = self.coordinates.new_tensor([-1, 1, 1])[:, None, None]
        return PartsPrediction(
            azimuth_logits=self.azimuth_logits.flip(1),
            azimuth_offsets=-self.azimuth_offsets.flip(1),
            pose=self.pose * self.pose.new_tensor([1, 1, -1]),
            code=self.code,
            coordinates=sides * _mirrored(self.coordinates),
            spread=_mirrored(self.spread),
            region_logits=_mirrored(self.region_logits),
            mask_logits=_mirrored(self.mask_logits),
        )

    def _azimuth_in(self, best: Tensor) -> Tensor:
        centres = bin_centres(self.azimuth_logits.shape[1]).to(self.azimuth_logits)
        azimuth = centres[best] + self.azimuth_offsets.gather(1, best)
        return torch.remainder(azimuth + math.pi, 2 * math.pi) - math.pi


def bin_centres(bins: int) -> Tensor:
    """Returns the azimuths (B,) of the bins' centres in radians, from -pi on."""
    return (torch.arange(bins) + 0.5) * (2 * math.pi / bins) - math.pi


def averaged(first: PartsPrediction, of_mirrored: PartsPrediction) -> PartsPrediction:
    """Returns the mean of what is said of crops and of their mirror images, in terms of the crops."""
    second = of_mirrored.mirrored()
    chances = [reading.azimuth_logits.softmax(dim=1) for reading in (first, second)]
    logits = (0.5 * (chances[0] + chances[1])).clamp(min=1e-12).log()
    share = chances[0] / (chances[0] + chances[1]).clamp(min=1e-12)
    offsets = share * first.azimuth_offsets + (1 - share) * second.azimuth_offsets
    both = replace(first, azimuth_logits=logits, azimuth_offsets=offsets)
    likeliest = both.azimuths()[0]
    apart = torch.cat([reading.azimuths()[0] - likeliest for reading in (first, second)], dim=1)
    agree = torch.remainder(apart + math.pi, 2 * math.pi).sub(math.pi).abs() < math.pi / 4
    counted = torch.where(agree.any(dim=1, keepdim=True), agree, torch.ones_like(agree)).to(logits.dtype)
    weight = counted[:, 0] / counted.sum(dim=1)

    def mean(name: str) -> Tensor:
        one, other = getattr(first, name), getattr(second, name)
        own = weight.view(-1, *[1] * (one.dim() - 1))
        return own * one + (1 - own) * other

    names = ("pose", "code", "coordinates", "spread", "region_logits", "mask_logits")
    return replace(both, **{name: mean(name) for name in names})


def _mirrored(maps: Tensor) -> Tensor:
    """Maps (..., h) of crops that are mirrored and then shifted by a pixel, half a cell."""
    return maps.flip(-1).roll(1, -1)


class PartsNetwork(nn.Module):
    """Crops (N, 4, S, S) to :class:`PartsPrediction`; sRGB in [0, 1] multiplied by the mask, and the mask."""

    def __init__(self, config: PartsNetworkConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.stem = convolution(4, channels[0], kernel=5, stride=2)
        self.down = nn.ModuleList(
            [nn.Identity()] + [convolution(a, b, stride=2) for a, b in zip(channels[:-1], channels[1:], strict=True)]
        )
        self.encoder = nn.ModuleList(
            nn.Sequential(*[ResidualBlock(width) for _ in range(count)])
            for width, count in zip(channels, config.blocks, strict=True)
        )
        deepest = channels[-1]
        self.head = nn.Sequential(nn.Linear(2 * deepest, config.hidden), nn.ReLU(), nn.Dropout(0.1))
        self.azimuth = nn.Linear(config.hidden, 2 * config.azimuth_bins)
        self.pose = nn.Linear(config.hidden, len(POSE))
        self.code = nn.Linear(config.hidden, config.code_size)
        self.context = nn.Linear(config.hidden, deepest)
        self.reduce = nn.ModuleList(
            convolution(b, a, kernel=1) for a, b in zip(channels[:-1], channels[1:], strict=True)
        )
        self.decoder = nn.ModuleList(ResidualBlock(width) for width in channels[:-1])
        self.maps = nn.Conv2d(channels[0], 5 + len(REGIONS), 3, padding=1)
        self.register_buffer("pose_mean", torch.tensor(_POSE_MEAN), persistent=False)
        self.register_buffer("pose_scale", torch.tensor(_POSE_SCALE), persistent=False)

    def features(self, crops: Tensor) -> tuple[list[Tensor], Tensor]:
        """Returns what the way down finds on every level, and the head's hidden layer (N, hidden)."""
        hidden = self.stem(torch.cat([crops[:, :3] * 4 - 2 * crops[:, 3:], crops[:, 3:] * 2 - 1], dim=1))
        levels = []
        for down, encoder in zip(self.down, self.encoder, strict=True):
            hidden = encoder(down(hidden))
            levels.append(hidden)
        seen = torch.cat([hidden.mean(dim=(2, 3)), hidden.amax(dim=(2, 3))], dim=1)
        return levels, self.head(seen)

    def forward(self, crops: Tensor) -> PartsPrediction:
        return self.predict(*self.features(crops))

    def read(self, crops: Tensor) -> PartsPrediction:
        """Returns the mean of what the network says of crops and of their mirror images.

        Where it sees the two from quite different sides, maps, pose and code are those of the reading whose side is the
        likelier one by both.
        """
        # Shifted by a pixel, so that maps, which tell of every other pixel, tell of the same ones.
        both = self(torch.cat([crops, crops.flip(3).roll(1, 3)]))
        return averaged(*(both.part(chosen) for chosen in torch.arange(2 * len(crops)).view(2, -1)))

    def predict(self, levels: list[Tensor], head: Tensor) -> PartsPrediction:
        """Returns what follows from :meth:`features`."""
        # What the whole picture shows, the direction of view above all, bears on every place of it.
        hidden = levels[-1] + self.context(head)[..., None, None]
        for skip, reduce, decoder in reversed(list(zip(levels[:-1], self.reduce, self.decoder, strict=True))):
            larger = F.interpolate(reduce(hidden), size=skip.shape[-2:], mode="bilinear", align_corners=False)
            hidden = decoder(larger + skip)
        maps = self.maps(hidden).float()
        azimuth = self.azimuth(head).float()
        bins = self.config.azimuth_bins
        return PartsPrediction(
            azimuth_logits=azimuth[:, :bins],
            azimuth_offsets=(math.pi / bins) * 1.5 * azimuth[:, bins:].tanh(),
            pose=self.pose_mean + self.pose_scale * self.pose(head).float(),
            code=self.code(head).float(),
            coordinates=0.3 * maps[:, :3],
            spread=_MIN_SPREAD + F.softplus(maps[:, 3] - 3),
            region_logits=maps[:, 5:],
            mask_logits=maps[:, 4],
        )


def save_parts_network(path: Path, network: PartsNetwork, precision: Precision = "half") -> None:
    """Writes the weights, with the config in the metadata."""
    save_network(path, network, network.config, precision=precision)


def load_parts_network(path: Path, device: torch.device | str = "cpu") -> PartsNetwork:
    """Returns the network of a file, ready to use.

    Raises ValueError with one sentence if the file is missing, damaged or of another version.
    """
    tensors, metadata = read_tensors(path)
    config = config_of(path, metadata, PartsNetworkConfig)
    return build(path, tensors, lambda: PartsNetwork(config), device)
