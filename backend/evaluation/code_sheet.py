# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of decoded shapes with their markings in a palette's colours: to look at, from any side.

Letters: N batch, R regions, H, W picture.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ..common.records import Camera
from ..common.regions import Palette, random_palette
from ..common.shape_space import ShapeSpace
from ..models.shape_decoder import SpaceDecoder
from ..render.camera import Cameras, project
from ..render.light import lit
from ..render.part_map import part_map
from ..render.rasterize import rasterize
from ..render.shading import normals_at
from ..render.template import Template

SIDES = ((-40.0, 14.0), (-90.0, 6.0), (140.0, 14.0), (25.0, 35.0))
"""Azimuth and elevation in degrees of the four sides that sheets show."""
_BACKGROUND = 0.86


def camera_at(azimuth_deg: float, elevation_deg: float, distance: float = 3.2, field_of_view: float = 0.36) -> Camera:
    """A camera that holds a whole object in its picture."""
    return Camera(math.radians(azimuth_deg), math.radians(elevation_deg), distance, 0.0, field_of_view)


@torch.no_grad()
def pictures(
    vertices: Tensor, distances: Tensor, template: Template, markings: tuple[str, ...], palettes: Tensor,
    cameras: Cameras, size: int, samples: int = 2,
) -> np.ndarray:  # fmt: skip
    """Pictures (N, size, size, 3) uint8 of vertices (N, V, 3), distances (N, M, S, T) and palettes (N, R, 5)."""
    fine = size * samples
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64)
    fragments = rasterize(project(cameras, vertices, fine, fine), triangles, fine, fine)
    sheet_uv = torch.as_tensor(template.triangle_markings_uv)
    shares = part_map(fragments, sheet_uv, distances, markings, cameras)
    colour = torch.einsum("nrhw,nrc->nchw", shares, palettes[..., :3])
    light = torch.tensor([2.6, 0.3, 0.9, 0.35, 0, 0, 0.25, 0, 0])[None, :, None].expand(len(vertices), 9, 3)
    colour = lit(colour, normals_at(fragments, vertices, triangles), light)
    covered = (fragments.face_index >= 0)[:, None]
    whole = torch.where(covered, colour, torch.full_like(colour, _BACKGROUND)).clamp(0, 1)
    small = torch.nn.functional.avg_pool2d(whole, samples)
    return (small * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def code_sheet(
    codes: np.ndarray, space: ShapeSpace, template: Template, palettes: list[Palette] | None = None, size: int = 192,
    sides: tuple[tuple[float, float], ...] = SIDES,
) -> np.ndarray:  # fmt: skip
    """Codes (N, K), a row each, from all sides: (N size, sides size, 3) uint8. ``palettes``: None: random ones."""
    if palettes is None:
        palettes = [random_palette(np.random.default_rng(row)) for row in range(len(codes))]
    decoder = SpaceDecoder(space)
    cameras = Cameras.batch([camera_at(*side) for side in sides])
    rows = []
    for code, palette in zip(codes, palettes, strict=True):
        vertices, distances = decoder(torch.as_tensor(code)[None])
        count = len(sides)
        colours = torch.as_tensor(palette.array())[None].expand(count, -1, -1)
        drawn = pictures(vertices.expand(count, -1, -1), distances, template, space.markings, colours, cameras, size)
        rows.append(np.concatenate(list(drawn), axis=1))
    return np.concatenate(rows)


def fitted_row(
    rgba: np.ndarray, code: np.ndarray, camera: Camera, space: ShapeSpace, template: Template, palette: Palette
) -> np.ndarray:
    """A crop (S, S, 4) with colours multiplied by its mask, the fit through its camera, and three other sides:
    (S, 5 S, 3) uint8."""
    size = rgba.shape[0]
    cameras = Cameras.batch([camera, *(camera_at(*side) for side in SIDES[:3])])
    vertices, distances = SpaceDecoder(space)(torch.as_tensor(code)[None])
    colours = torch.as_tensor(palette.array())[None].expand(len(cameras), -1, -1)
    shape = vertices.expand(len(cameras), -1, -1)
    drawn = pictures(shape, distances, template, space.markings, colours, cameras, size)
    shown = rgba[..., :3] + (1 - rgba[..., 3:]) * _BACKGROUND
    return np.concatenate([(shown * 255).round().astype(np.uint8), *drawn], axis=1)
