# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of objects with parts: the right outline, the right paint, light from above."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.common.records import Camera
from backend.common.regions import Finish, Palette
from backend.models.parts_network import PartsNetwork, PartsNetworkConfig
from backend.models.shape_decoder import SpaceDecoder
from backend.pipeline.parts_view import picture_of
from backend.render.camera import Cameras, project
from backend.render.rasterize import rasterize
from backend.weights.bundle import BUNDLED
from backend.weights.parts import PartsReader, load_parts

SIDE = Camera(math.pi / 2, 0.15, 2.5, 0.0, 2 * math.atan(0.5 / 2.1))
PAINT = (0.7, 0.15, 0.1)


@pytest.fixture(scope="module")
def reader() -> PartsReader:
    model = load_parts(BUNDLED / "car")
    small = PartsNetworkConfig(image_size=32, channels=(4, 4), blocks=(1, 1), hidden=4)
    return PartsReader(model, PartsNetwork(small), SpaceDecoder(model.space))


def test_a_car_is_seen_in_its_outline_and_paint(reader: PartsReader) -> None:
    space, template = reader.model.space, reader.model.template
    code = np.zeros(space.size, np.float32)
    palette = replace(Palette(), paint=Finish(PAINT, 0.3), two_tone=Finish(PAINT, 0.3))
    picture = picture_of(code, SIDE, palette, reader, 80)
    assert picture.shape == (80, 80, 4) and picture.dtype == np.uint8
    screen = project(Cameras.batch([SIDE]), torch.as_tensor(space.vertices(code))[None], 80, 80)
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64)
    covered = rasterize(screen, triangles, 80, 80).face_index[0].numpy() >= 0
    assert ((picture[..., 3] > 127) == covered).mean() > 0.99
    edge = (picture[..., 3] > 0) & (picture[..., 3] < 255)
    assert edge.any() and not picture[0, 0].any()
    red, green, blue = picture[covered][:, :3].astype(float).T
    painted = (red > 1.8 * green) & (red > 1.8 * blue)
    assert 0.25 < painted.mean() < 0.9


def test_what_faces_up_is_brighter_than_what_faces_down(reader: PartsReader) -> None:
    white = Palette.of_array(np.tile([0.6, 0.6, 0.6, 0.5, 0.0], (len(Palette().array()), 1)))
    code = np.zeros(reader.model.space.size, np.float32)
    above, below = (picture_of(code, replace(SIDE, elevation=angle), white, reader, 48) for angle in (1.3, -1.3))
    means = [picture[picture[..., 3] == 255][:, 1].mean() for picture in (above, below)]
    assert means[0] > means[1] + 20
