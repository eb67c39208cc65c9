# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The template with parts beside the rounded box: drawing both, forwards and backwards, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from backend.common.bundle_files import BUNDLED, TEMPLATE
from backend.evaluation.code_sheet import camera_at
from backend.models.shape_decoder import SpaceDecoder
from backend.render.camera import Cameras, project
from backend.render.part_map import part_map
from backend.render.picture import render
from backend.render.rasterize import rasterize
from backend.render.searches import soft_mask
from backend.render.shading import Texture
from backend.render.soft_mask import SoftMaskConfig
from backend.render.template import Template
from backend.weights.parts import load_parts

SIZE, BATCH = 128, 8


def measure(repeat: int) -> dict[str, float]:
    """CPU milliseconds of one thread for a batch of 8 pictures of 128 x 128, the least of ``repeat`` runs taken in turn
    (other processes on the machine count for little that way)."""
    folder = BUNDLED / "car"
    box, model = Template.load(folder / TEMPLATE), load_parts(folder)
    cameras = Cameras.batch([camera_at(azimuth, 12, 3.0) for azimuth in np.linspace(0, 315, BATCH)])
    generator = torch.Generator().manual_seed(0)
    of_mask = torch.rand(BATCH, SIZE, SIZE, generator=generator)
    of_parts = torch.rand(BATCH, 13, SIZE, SIZE, generator=generator)
    of_colour = torch.rand(BATCH, 3, SIZE, SIZE, generator=generator)
    box_shape = torch.as_tensor(box.vertices).expand(BATCH, -1, -1)
    box_triangles = torch.as_tensor(box.triangles, dtype=torch.int64)
    with torch.no_grad():
        shape, distances = SpaceDecoder(model.space)(torch.zeros(BATCH, model.space.size))
    triangles = torch.as_tensor(model.template.triangles, dtype=torch.int64)
    sheet_uv = torch.as_tensor(model.template.triangle_markings_uv)
    light = torch.zeros(BATCH, 9, 3)
    light[:, 0] = 1 / 0.282095

    def draw_box() -> None:
        vertices = box_shape.clone().requires_grad_()
        screen = project(cameras, vertices, SIZE, SIZE)
        soft_mask(screen, box_triangles, rasterize(screen, box_triangles, SIZE, SIZE)).backward(of_mask)

    def draw_textured_box() -> None:
        vertices = box_shape.clone().requires_grad_()
        image = torch.full((BATCH, 3, SIZE, SIZE), 0.5, requires_grad=True)
        texture = Texture(torch.as_tensor(box.triangle_uv), image)
        picture = render(vertices, box_triangles, texture, light, cameras, SIZE, SIZE)
        torch.autograd.backward([picture.mask, picture.rgb], [of_mask, of_colour])

    def draw_parts() -> None:
        vertices, sheet = shape.clone().requires_grad_(), distances.clone().requires_grad_()
        screen = project(cameras, vertices, SIZE, SIZE)
        fragments = rasterize(screen, triangles, SIZE, SIZE)
        mask = soft_mask(screen, triangles, fragments, SoftMaskConfig(front_faces_only=True))
        shown = part_map(fragments, sheet_uv, sheet, model.space.markings, cameras)
        grads: list[Tensor] = [of_mask, of_parts]
        torch.autograd.backward([mask, shown], grads)

    kinds: dict[str, Callable[[], None]] = {
        "rounded box, soft mask [ms]": draw_box,
        "rounded box, soft mask and lit texture [ms]": draw_textured_box,
        "car with parts, soft mask and part map [ms]": draw_parts,
    }
    return _least_milliseconds(kinds, repeat)


def _least_milliseconds(kinds: dict[str, Callable[[], None]], repeat: int) -> dict[str, float]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    least = dict.fromkeys(kinds, float("inf"))
    try:
        for turn in range(repeat + 1):
            for name, draw in kinds.items():
                start = time.process_time()
                draw()
                if turn:  # the first one warms up
                    least[name] = min(least[name], 1000 * (time.process_time() - start))
    finally:
        torch.set_num_threads(threads)
    return least
