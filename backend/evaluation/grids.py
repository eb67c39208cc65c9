# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that show what a generator has learnt: samples, truncation, style mixing, interpolation.

All are (H, W, 3) uint8, cut to the content, on a light ground with a gap between the cells. The learned noise is used,
never a fresh one, and codes are drawn on the CPU: the same generator and seed give the same picture on every machine,
to rounding.

Letters: N samples, L, D as in :mod:`..models.stylegan2`; h, w one cell; P steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..common.content import Content
from ..models.stylegan2 import Generator

GROUND = 255
GAP = 2
"""Pixels between cells."""
BATCH = 16


def draw(generator: Generator, samples: int, seed: int) -> Tensor:
    """z (N, Z) on the generator's device. The first codes of a seed do not depend on how many are drawn."""
    random = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(generator.config.z_dim, generator=random) for _ in range(samples)]
    return torch.stack(drawn).to(generator.const)


def to_bytes(images: Tensor, content: Content | None = None) -> np.ndarray:
    """Images (N, 3, R, R) in [-1, 1] to (N, h, w, 3) uint8, cut to the content."""
    scaled = ((cropped(images, content).float() + 1) * 127.5).round().clamp(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def cropped(images: Tensor, content: Content | None) -> Tensor:
    """Images (N, C, R, R) without the bars; all of it where no content is given."""
    if content is None:
        return images
    top, left, height, width = content
    return images[:, :, top : top + height, left : left + width]


def tiled(cells: np.ndarray, columns: int, gap: int = GAP) -> np.ndarray:
    """Cells (N, h, w, 3), row by row, to one picture with gaps between them; cells that lack are ground."""
    count, height, width = cells.shape[:3]
    rows = -(-count // columns)
    shape = rows * (height + gap) - gap, columns * (width + gap) - gap, 3
    picture = np.full(shape, GROUND, dtype=np.uint8)
    for number, cell in enumerate(cells):
        top, left = number // columns * (height + gap), number % columns * (width + gap)
        picture[top : top + height, left : left + width] = cell
    return picture


@dataclass(frozen=True)
class Gallery:
    """A generator's pictures, in grids whose codes a seed draws."""

    generator: Generator
    content: Content | None = None
    """What of the square is shown; None: all of it."""
    truncation: float = 1.0
    """How far samples are from the mean of all: 0 is the mean, 1 leaves them as they were drawn."""
    batch: int = BATCH
    """Number of pictures that are made at a time; it changes nothing but rounding."""

    @torch.no_grad()
    def pictures(self, w: Tensor) -> np.ndarray:
        """w (N, D) or w+ (N, L, D) to (N, h, w, 3) uint8."""
        made = [self.generator.synthesize(self.generator.styles(some)) for some in w.split(self.batch)]
        return np.concatenate([to_bytes(images, self.content) for images in made])

    @torch.no_grad()
    def samples(self, count: int, seed: int) -> Tensor:
        """w (N, D) of so many samples."""
        return self.generator.map(draw(self.generator, count, seed), self.truncation)

    def sample_grid(self, rows: int, columns: int, seed: int) -> np.ndarray:
        """``rows`` by ``columns`` samples."""
        return tiled(self.pictures(self.samples(rows * columns, seed)), columns)

    @torch.no_grad()
    def truncation_grid(self, samples: int, truncations: Sequence[float], seed: int) -> np.ndarray:
        """A sample a row, one of ``truncations`` a column."""
        w = self.generator.mapping(draw(self.generator, samples, seed))
        columns = torch.stack([self.generator.truncate(w, truncation) for truncation in truncations], dim=1)
        return tiled(self.pictures(columns.flatten(0, 1)), len(truncations))

    @torch.no_grad()
    def mixing_grid(self, rows: int, columns: int, seed: int, layers: int) -> np.ndarray:
        """The first ``layers`` codes from the row's source, shown at its left, the others from the column's, shown on
        top.

        The picture has one row and one column more than sources; its corner is empty.
        """
        w = self.samples(rows + columns, seed)
        first = w[:rows].repeat_interleave(columns, dim=0)
        second = w[rows:].repeat(rows, 1, 1)
        sources = self.pictures(w)
        mixed = self.pictures(self.generator.mix(first, second, layers))
        mixed = mixed.reshape(rows, columns, *mixed.shape[1:])
        corner = np.full_like(sources[:1], GROUND)
        lines = [np.concatenate([corner, sources[rows:]])]
        lines += [np.concatenate([source[None], line]) for source, line in zip(sources[:rows], mixed, strict=True)]
        return tiled(np.concatenate(lines), columns + 1)

    @torch.no_grad()
    def interpolation_codes(self, samples: int, steps: int, seed: int) -> Tensor:
        """w+ (N * P, L, D): from each sample straight to the next, and from the last back to the first.

        Step i * P is sample i itself; repeated, the sequence has no jump.
        """
        w = self.samples(samples, seed)
        weights = torch.linspace(0, 1, steps + 1)[:-1].to(w)[None, :, None, None]
        return torch.lerp(w[:, None], w.roll(-1, dims=0)[:, None], weights).flatten(0, 1)

    def interpolation_strip(self, samples: int, steps: int, seed: int) -> np.ndarray:
        """A row for every sample: from it, in ``steps`` pictures, towards the sample that the next row begins with."""
        return tiled(self.pictures(self.interpolation_codes(samples, steps, seed)), steps)

    def interpolation_frames(self, samples: int, steps: int, seed: int) -> Iterator[np.ndarray]:
        """The pictures of the strip one after the other, (h, w, 3) uint8: a film without end or jump."""
        for some in self.interpolation_codes(samples, steps, seed).split(self.batch):
            yield from self.pictures(some)
