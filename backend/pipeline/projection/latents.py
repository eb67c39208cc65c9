# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a projection moves: codes, in units of how far codes spread, and maps of noise.

Letters: N starts, M samples, L w codes of an image, D length of a w code, R side of a map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...models.stylegan2 import Generator
from ...models.stylegan2_layers import ModulatedConv

_NARROWEST = 0.05
"""Least standard deviation of a direction, over the mean one: no direction is closed altogether."""
_SAMPLES_AT_ONCE = 1000
_COARSEST = 8
"""Maps of noise are halved as long as they stay at least this large."""


@dataclass
class CodeSpace:
    """Where the codes w of a generator lie: about their mean, in their principal directions.

    Coordinates c of a code are its deviations in standard deviations: those of random codes have variance 1.
    """

    mean: Tensor
    """(D,)."""
    axes: Tensor
    """(D, D): one direction a row, as long as the standard deviation along it."""
    samples: Tensor
    """(M, D): the random codes that it was measured on."""

    @staticmethod
    @torch.no_grad()
    def of(
        generator: Generator,
        samples: int,
        random: torch.Generator,
        chunk_done: Callable[[int, int], None] = lambda done, total: None,
    ) -> CodeSpace:
        """Measures a generator; ``chunk_done`` hears now and then how many of how many samples are drawn."""
        device, chunks = generator.const.device, []
        for first in range(0, samples, _SAMPLES_AT_ONCE):
            z = torch.randn(min(_SAMPLES_AT_ONCE, samples - first), generator.config.z_dim, generator=random)
            chunks.append(generator.mapping(z.to(device)))
            chunk_done(first + len(z), samples)
        w = torch.cat(chunks)
        exact = w.double().cpu()
        covariance = torch.cov(exact.T, correction=0).reshape(exact.shape[1], exact.shape[1])
        variances, directions = torch.linalg.eigh(covariance)
        narrowest = _NARROWEST * float(variances.clamp(min=0).mean().sqrt())
        lengths = variances.clamp(min=0).sqrt().clamp(min=max(narrowest, 1e-6))
        axes = directions.T * lengths[:, None]
        return CodeSpace(exact.mean(dim=0).to(w), axes.to(w), w)

    def codes(self, coordinates: Tensor) -> Tensor:
        """Coordinates (..., D) to codes (..., D)."""
        return self.mean + coordinates @ self.axes

    def coordinates(self, codes: Tensor) -> Tensor:
        """Inverse of :meth:`codes`."""
        return (codes - self.mean) @ (self.axes / self.axes.square().sum(dim=1, keepdim=True)).T


class Synthesis:
    """A generator from its codes on, with maps of noise that have names."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    def noise(self) -> dict[str, Tensor]:
        """Copies of the generator's own maps (R, R), by the names of their layers, in the order of the layers."""
        return {
            f"b{block.resolution}.{name}": layer.noise.clone()
            for block in self.generator.synthesis_blocks()
            for name, layer in block.modulated_layers()
            if isinstance(layer, ModulatedConv)
        }

    def __call__(self, codes: Tensor, noise: Mapping[str, Tensor] | None = None) -> Tensor:
        """Codes (N, D) or (N, L, D) to images (N, 3, R, R), with the generator's own maps or such as :meth:`noise`."""
        styles = self.generator.styles(codes)
        if noise is None:
            return self.generator.synthesize(styles, "const")
        return self.generator.synthesize(styles, [map[None, None] for map in noise.values()])


def autocorrelation(noise: Tensor) -> Tensor:
    """How much of a picture a map (R, R) of noise carries: about 0 for white noise, 2 and more for a smooth map.

    At every scale, the squared mean of the products of neighbours, to the right and below, around the rims. A scale is
    half the one before, in averages of 2x2 pixels times 2, which leaves the variance of white noise as it is.
    """
    level, total = noise[None, None], noise.new_zeros(())
    while True:
        for dim in (2, 3):
            total = total + (level * level.roll(1, dims=dim)).mean().square()
        if level.shape[-1] < 2 * _COARSEST:
            return total
        level = 2 * F.avg_pool2d(level, 2)


@torch.no_grad()
def renormalise(noise: Tensor) -> None:
    """Gives a map mean 0 and variance 1, in place."""
    noise -= noise.mean()
    noise *= noise.square().mean().clamp(min=1e-12).rsqrt()
