# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A generator whose views are known: it draws a box from the azimuth and elevation that its first codes say.

Code 0 holds the azimuth, code 1 the elevation, code 2 the box's height, codes 3 and 4 its colour; code 5 holds nothing.
So the first two codes are the view. What was drawn is also written into the first row of the picture, where
:func:`oracle` reads it.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from backend.gan_views.objects import ObservedGenerator
from backend.gan_views.readings import Readings
from backend.models.stylegan2 import Generator
from backend.render.camera import Cameras
from backend.render.picture import HARD, render
from backend.render.shading import VertexColours
from backend.render.template import TemplateConfig, make_template

VIEW_CODES = 2
CODES = 6
SIZE = 32
TEMPLATE = make_template(TemplateConfig(cells_x=2, cells_y=4, cells_z=2, proportions=(0.45, 1.0, 0.4), roundness=20))
BACKGROUND = -1.0


def azimuth_of(code: Tensor) -> Tensor:
    """Radians in (-pi, pi] of codes (N, 3)."""
    return torch.atan2(code[:, 0], code[:, 1])


def elevation_of(code: Tensor) -> Tensor:
    """Radians from 0 to 30 degrees."""
    return math.radians(15) * (1 + torch.tanh(code[:, 0]))


def height_of(code: Tensor) -> Tensor:
    """Of the box over its usual height."""
    return 1 + 0.4 * torch.tanh(code[:, 0])


def colour_of(first: Tensor, second: Tensor) -> Tensor:
    """(N, 3) in [0.2, 1]."""
    return 0.6 + 0.4 * torch.tanh(torch.stack([first[:, 0], first[:, 1], second[:, 0]], dim=1))


class BoxGenerator:
    """As much of a StyleGAN2 generator as views need."""

    codes = CODES
    config = SimpleNamespace(z_dim=3, w_dim=3, resolution=SIZE)
    mapping = SimpleNamespace(average=torch.zeros(3))
    weight = torch.zeros(2)

    def map(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        return (z * truncation)[:, None].expand(-1, CODES, -1)

    def state_dict(self) -> dict[str, Tensor]:
        return {"weight": self.weight}

    def styles(self, w_plus: Tensor) -> list[Tensor]:
        assert w_plus.shape[1:] == (CODES, 3)
        return [w_plus]

    def synthesize(self, styles: list[Tensor]) -> Tensor:
        codes = styles[0].unbind(dim=1)
        azimuth, elevation, height = azimuth_of(codes[0]), elevation_of(codes[1]), height_of(codes[2])
        size = torch.ones(len(height), 1, 3)
        size[:, 0, 2] = height
        vertices = torch.as_tensor(TEMPLATE.vertices) * size
        colours = colour_of(codes[3], codes[4])[:, None].expand(-1, len(TEMPLATE.vertices), -1)
        fixed = torch.ones(len(azimuth))
        cameras = Cameras(azimuth, elevation, 3 * fixed, 0 * fixed, 0.42 * fixed, 0 * fixed, 0 * fixed)
        triangles = torch.as_tensor(TEMPLATE.triangles).long()
        drawn = render(vertices, triangles, VertexColours(triangles, colours), None, cameras, SIZE, SIZE, HARD)
        images = 2 * drawn.over(torch.zeros(1)) - 1
        # Written beside the object: azimuth, elevation, height.
        images[:, :, 0, 0] = (azimuth / math.pi)[:, None]
        images[:, :, 0, 1] = (elevation / math.radians(30) * 2 - 1)[:, None]
        images[:, :, 0, 2] = ((height - 1) / 0.4)[:, None]
        return images


def oracle(pictures: np.ndarray) -> Readings:
    """The truth about a :class:`BoxGenerator`'s pictures, to the precision of a byte."""
    written = pictures[:, 0, :3, 0].astype(np.float64) / 127.5 - 1
    body = pictures.copy()
    body[:, 0] = 0
    inside = body.max(axis=3) > 0
    area = inside.mean(axis=(1, 2))
    colour = body.sum(axis=(1, 2)) / np.maximum(inside.sum(axis=(1, 2)), 1)[:, None] / 255
    return Readings(
        masks=inside.astype(np.uint8) * 255,
        area=area,
        second=np.zeros(len(pictures)),
        azimuth=written[:, 0] * math.pi,
        confidence=np.ones(len(pictures)),
        elevation=np.radians(30) * (written[:, 1] + 1) / 2,
        shape=written[:, 2:3],
        colour=colour,
    )


def observed(reader=oracle, batch: int = 16) -> ObservedGenerator:
    """The box generator with what reads its pictures."""
    generator: Generator = BoxGenerator()  # type: ignore[assignment]
    return ObservedGenerator(generator, (0, 0, SIZE, SIZE), reader, "cpu", batch)


def code_at(azimuth_deg: float) -> Tensor:
    """A code 0 (3,) of an azimuth."""
    angle = math.radians(azimuth_deg)
    return torch.tensor([math.sin(angle), math.cos(angle), 0.0])


def blank(count: int) -> Readings:
    """Readings (N) of sound pictures that are all alike."""
    zeros = np.zeros(count)
    return Readings(
        masks=np.full((count, 4, 4), 255, np.uint8),
        area=zeros + 0.4,
        second=zeros.copy(),
        azimuth=zeros.copy(),
        confidence=zeros + 1,
        elevation=zeros.copy(),
        shape=np.zeros((count, 2)),
        colour=np.full((count, 3), 0.5),
    )
