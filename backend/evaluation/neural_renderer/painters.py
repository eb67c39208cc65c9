# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a picture of the camera, shape, texture and background of four: StyleGAN-R, or plain style mixing.

Letters: N pictures, P known pictures, L codes of an image, D length of a code, R picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from ...data.described_pictures import DescribedPictures
from ...models.stylegan2 import Generator
from ...weights.neural_renderer import NeuralRenderer

HANDLES = ("camera", "shape", "texture", "background")
BATCH = 24


class Painter(Protocol):
    """Mixes what is known of numbered things."""

    count: int
    """How many things there are."""

    def __call__(self, numbers: Sequence[Tensor]) -> Tensor:
        """Pictures (N, 3, R, R) in [0, 1] with the camera, shape, texture and background of four numbers (N,) each."""


class MappedPainter:
    """StyleGAN-R, before or after its fine-tuning, asked for what is known of pictures."""

    def __init__(self, renderer: NeuralRenderer, known: DescribedPictures) -> None:
        self.renderer, self.known, self.count = renderer, known, len(known)

    @torch.no_grad()
    def __call__(self, numbers: Sequence[Tensor]) -> Tensor:
        camera, shape, texture, background = numbers
        made = [
            self.renderer(
                self.known.cameras[some[0]],
                self.known.shape_code[some[1]],
                self.known.texture[some[2]].float() / 255,
                self.known.background[some[3]].float() / 255,
            )
            for some in zip(*(n.split(BATCH) for n in (camera, shape, texture, background)), strict=True)
        ]
        return torch.cat(made).clamp(0, 1)


class LayerPainter:
    """The generator as it was: each handle is a run of consecutive w codes of random samples."""

    def __init__(self, generator: Generator, codes: Tensor, borders: tuple[int, int, int]) -> None:
        """``codes`` (P, L, D); shape, texture and background begin at the three ``borders``."""
        self.generator, self.codes, self.count = generator, codes, len(codes)
        self.borders = borders

    @torch.no_grad()
    def __call__(self, numbers: Sequence[Tensor]) -> Tensor:
        edges = (0, *self.borders, self.codes.shape[1])
        mixed = torch.cat(
            [self.codes[n, start:end] for n, start, end in zip(numbers, edges, edges[1:], strict=False)], dim=1
        )
        made = [self.generator.synthesize(self.generator.styles(some)) for some in mixed.split(BATCH)]
        return (torch.cat(made) * 0.5 + 0.5).clamp(0, 1)


def drawn_codes(generator: Generator, count: int, truncation: float, seed: int) -> Tensor:
    """w+ (count, L, D) of random samples."""
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(count, generator.config.z_dim, generator=random)
    with torch.no_grad():
        return generator.map(z.to(generator.const.device), truncation).clone()
