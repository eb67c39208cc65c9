# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a generator in training is judged by: statistics against the real images, and a grid of fixed codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..data.images import ImageSet
from ..evaluation.features import encoder_features, features_of, judged
from ..evaluation.grids import BATCH, Gallery, cropped, draw
from ..models.stylegan2 import Generator


@dataclass(frozen=True)
class JudgeConfig:
    """How many pictures are compared, and how many are shown."""

    samples: int = 1000
    """Number of generated pictures, and of real ones drawn from the data; 0: no statistics."""
    grid: int = 10
    """Number of rows, and of columns, of the grid of samples."""


class GeneratorJudge:
    """Compares always the same real images with pictures of always the same codes."""

    def __init__(self, config: JudgeConfig, images: ImageSet, device: torch.device, seed: int) -> None:
        self.config, self.images, self.device, self.seed = config, images, device, seed
        self.content = images.config.content()
        self.real: Tensor | None = None

    def figures(self, generator: Generator) -> dict[str, float]:
        """Returns statistics on our own encoder's features, named after it; published ones are not comparable."""
        with torch.no_grad():
            codes = draw(generator, self.config.samples, self.seed).split(BATCH) if self.config.samples else ()
            return self.compared(generator(z, noise="const") for z in codes)

    def compared(self, made: Iterable[Tensor]) -> dict[str, float]:
        """The same for pictures made otherwise: batches (n, 3, R, R) in [-1, 1], ``samples`` pictures in all."""
        if self.config.samples == 0:
            return {}
        network = encoder_features(self.device)
        if self.real is None:
            count = min(self.config.samples, len(self.images))
            starts = range(0, count, BATCH)
            # The data's order of another seed than the training's, so that the first images are not favoured.
            batches = (self.images.batch(s, min(BATCH, count - s), self.seed + 1, mirror=False) for s in starts)
            self.real = features_of(network, (cropped(batch, self.content) for batch in batches))
        features = features_of(network, (cropped(batch, self.content) for batch in made))
        return judged(network, self.real, features, self.seed)

    def grid(self, generator: Generator) -> np.ndarray:
        """Returns a picture (H, W, 3) uint8 of samples side by side."""
        return Gallery(generator, self.content).sample_grid(self.config.grid, self.config.grid, self.seed)
