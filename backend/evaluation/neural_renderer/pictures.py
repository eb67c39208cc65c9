# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paper A's pictures of StyleGAN-R: both renderers, strips of the camera, grids of swaps (figures 8 to 10).

Letters: N pictures, R picture.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...data.described_pictures import DescribedPictures
from ...models.framing import framed
from ...models.picture_reader import PictureReader
from ...render.camera import Cameras
from ...render.picture import HARD, render
from ...render.shading import Texture
from ...render.template import Template
from ...weights.neural_renderer import NeuralRenderer

STEPS = 6
ENLARGED = 2
"""Times that a small generator's pictures are enlarged."""


class Figures:
    """The pictures, of things of which camera, shape, texture and background are known."""

    def __init__(
        self, renderer: NeuralRenderer, reader: PictureReader, template: Template, known: DescribedPictures
    ) -> None:
        self.renderer, self.reader, self.template, self.known = renderer, reader, template, known

    def dual(self, numbers: Tensor, turns: int = STEPS) -> np.ndarray:
        """Each of the numbered things (N,) from all around: the picture it is known by, StyleGAN-R, the rasteriser."""
        rows = []
        for number in numbers.split(1):
            each = number.expand(turns)
            azimuth = self.known.cameras.azimuth[number] + torch.arange(turns) * (2 * math.pi / turns)
            cameras = self._framed(replace(self.known.cameras[each], azimuth=azimuth), each)
            known = self.known.pictures[number].float() / 255
            rows.append(torch.cat([known, self.paint(cameras, each, each, each)]))
            drawn = self._drawn(cameras, each)
            rows.append(torch.cat([torch.ones_like(known), drawn]))
        return sheet(torch.stack(rows))

    def strips(self, number: Tensor) -> np.ndarray:
        """One thing under six azimuths, six elevations and six zooms, a row each."""
        each = number.expand(STEPS)
        start = self.known.cameras[each]
        steps = torch.linspace(0, 1, STEPS)
        lowest, highest = self.known.cameras.elevation.quantile(torch.tensor([0.05, 0.95]))
        around = replace(start, azimuth=start.azimuth + steps * (2 * math.pi * (1 - 1 / STEPS)))
        above = replace(start, elevation=lowest + (highest - lowest) * steps)
        rows = [
            self.paint(self._framed(around, each), each, each, each),
            self.paint(self._framed(above, each), each, each, each),
            self.paint(self._framed(start, each, 0.5 + 0.45 * steps), each, each, each),
        ]
        return sheet(torch.stack(rows))

    def swaps(self, numbers: Tensor) -> np.ndarray:
        """The numbered things (N,); then, for shape, texture and background, a grid of each thing with each's."""
        count = len(numbers)
        known = self.known.pictures[numbers].float() / 255
        blocks = [known]
        for changed in range(3):
            for other in numbers.split(1):
                chosen = [other.expand(count) if place == changed else numbers for place in range(3)]
                blocks.append(self.paint(self.known.cameras[numbers], *chosen))
        return sheet(torch.stack(blocks))

    @torch.no_grad()
    def paint(self, cameras: Cameras, shape: Tensor, texture: Tensor, background: Tensor) -> Tensor:
        """StyleGAN-R's pictures (N, 3, R, R)."""
        return self.renderer(
            cameras,
            self.known.shape_code[shape],
            self.known.texture[texture].float() / 255,
            self.known.background[background].float() / 255,
        ).clamp(0, 1)

    @torch.no_grad()
    def _drawn(self, cameras: Cameras, numbers: Tensor) -> Tensor:
        vertices = self.reader.network.shape_decoder(self.known.shape_code[numbers])
        triangles = torch.as_tensor(self.template.triangles, dtype=torch.int64)
        material = Texture(torch.as_tensor(self.template.triangle_uv), self.known.texture[numbers].float() / 255)
        side = self.renderer.resolution
        picture = render(vertices, triangles, material, None, cameras, 2 * side, 2 * side, HARD)
        return F.avg_pool2d(picture.over(torch.ones(1)), 2)

    @torch.no_grad()
    def _framed(self, cameras: Cameras, numbers: Tensor, share: Tensor | float = 0.9) -> Cameras:
        return framed(cameras, self.reader.network.shape_decoder(self.known.shape_code[numbers]), share)


def sheet(cells: Tensor, enlarged: int = ENLARGED) -> np.ndarray:
    """(H, W, 3) uint8 of cells (rows, columns, 3, R, R) in [0, 1]."""
    rows, columns, channels, side, _ = cells.shape
    larger = F.interpolate(cells.flatten(0, 1).cpu(), scale_factor=enlarged, mode="bicubic").clamp(0, 1)
    side *= enlarged
    whole = larger.view(rows, columns, channels, side, side).permute(0, 3, 1, 4, 2)
    return (whole.reshape(rows * side, columns * side, channels).numpy() * 255).round().astype(np.uint8)
