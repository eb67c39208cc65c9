# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Features on which generated pictures are compared with real ones, and the names of the figures they lead to.

Published FID, KID, precision and recall are defined on the features of one Inception network. Whoever has its weights
gets them from :func:`~.inception.inception_features`. Everybody else gets the same statistics on the features of our
own network: they tell better from worse among our own trainings and say nothing beside published figures, hence names
of their own.

Letters: N batch, H, W picture, D features, C channels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..common.bundle_files import BUNDLED, SEGMENTER
from ..models.segmenter import Segmenter, load_segmenter
from .distributions import Distances, compare


class FigureNames(NamedTuple):
    """What the statistics are called on one network's features."""

    frechet: str
    kernel: str
    precision: str
    recall: str

    def figures(self, distances: Distances) -> dict[str, float]:
        """The statistics by these names."""
        values = distances.frechet, distances.kernel, distances.precision, distances.recall
        return dict(zip(self, values, strict=True))


ENCODER_FIGURES = FigureNames("encoder_frechet", "encoder_kernel", "encoder_precision", "encoder_recall")
INCEPTION_FIGURES = FigureNames("fid", "kid", "precision", "recall")
LEVEL_DEVIATIONS = (0.26, 0.26, 0.46, 2.5)
"""Root of the total variance of each level's features over rendered pictures of cars."""
SQUARE = 107
"""Squared length of the features that these deviations lead to, over the same pictures. They are scaled to a mean
square of 1 a number, where the kernel distance's kernel is curved as it is meant to be."""


class FeatureNetwork(Protocol):
    """Pictures to feature vectors."""

    name: str
    """Says what the features are, for reports."""
    figure_names: FigureNames

    def __call__(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1], on any device, to (N, D)."""


class EncoderFeatures:
    """The encoder of the segmenter that comes with the extension, which sees whole pictures with what is behind.

    The first three levels give the mean of every channel, which tells textures, sharpness and noise; the deepest gives
    it for each quarter of the picture, which tells parts in the wrong place. The levels have equal weight. Our other
    encoder, the inverse-graphics network's, was measured too: it hardly sees blur, warps and noise, for it was trained
    to look past them. Colour alone weighs little here.
    """

    figure_names = ENCODER_FIGURES

    def __init__(self, segmenter: Segmenter, name: str) -> None:
        if len(segmenter.encoder) != len(LEVEL_DEVIATIONS):
            raise ValueError(f"Features are defined for a segmenter of {len(LEVEL_DEVIATIONS)} levels.")
        self.segmenter = segmenter.eval().requires_grad_(False)
        self.name = name

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1], squeezed into a square, to (N, 808) with the segmenter that ships."""
        levels = self.levels(images)
        pooled = [level.mean(dim=(2, 3)) for level in levels[:-1]]
        pooled.append(F.adaptive_avg_pool2d(levels[-1], 2).flatten(1))
        balanced = [block / deviation for block, deviation in zip(pooled, LEVEL_DEVIATIONS, strict=True)]
        length = sum(block.shape[1] for block in balanced)
        return torch.cat(balanced, dim=1) * (length / SQUARE) ** 0.5

    def levels(self, images: Tensor) -> list[Tensor]:
        """The activations (n, C, h, w) of the encoder's levels, from the finest to the deepest."""
        weights = next(self.segmenter.parameters())
        side = self.segmenter.config.resolution
        images = images.float().clamp(-1, 1)
        if images.device.type == "mps":
            images = images.cpu()  # smooths nothing when it makes pictures smaller
        small = F.interpolate(images, (side, side), mode="bilinear", align_corners=False, antialias=True).to(weights)
        hidden = self.segmenter.stem((small * 0.5 + 0.5) * 4 - 2)
        levels = []
        for down, encoder in zip(self.segmenter.down, self.segmenter.encoder, strict=True):
            hidden = encoder(down(hidden))
            levels.append(hidden)
        return levels


def encoder_features(device: torch.device | str = "cpu") -> EncoderFeatures:
    """Our own features. Always those of the bundle that comes with the extension, so that figures stay comparable.

    Raises ValueError where its file is missing or damaged.
    """
    path = BUNDLED / "car" / SEGMENTER
    segmenter = load_segmenter(path, device)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return EncoderFeatures(segmenter, f"segmenter's encoder of the bundle 'car' (weights {digest})")


def features_of(network: FeatureNetwork, batches: Iterable[Tensor]) -> Tensor:
    """Features (N, D) of all batches of images (n, 3, H, W) in [-1, 1], on the CPU."""
    return torch.cat([network(images).float().cpu() for images in batches])


def judged(network: FeatureNetwork, real: Tensor, generated: Tensor, seed: int = 0) -> dict[str, float]:
    """All statistics of the network's features (N, D) and (M, D), under the names that they go by on this network."""
    return network.figure_names.figures(compare(real, generated, seed))
