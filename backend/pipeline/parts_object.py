# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A code and a palette become a whole object with parts, as Blender takes it."""

from __future__ import annotations

import numpy as np

from ..common.records import Camera, ObjectParts, Reconstruction
from ..common.regions import REGIONS, Palette
from ..weights.parts import PartsModel
from .paint import Maps, paint, region_of_quads

_PLAIN = Palette()
_FROM_THE_LEFT = Camera(0.7, 0.2, 3.2, 0.0, 0.36)


def object_from_code(
    code: np.ndarray,
    model: PartsModel,
    palette: Palette = _PLAIN,
    *,
    name: str = "car",
    camera: Camera = _FROM_THE_LEFT,
    picture: tuple[int, int] = (512, 512),
    mask: np.ndarray | None = None,
    texture_size: int = 1024,
    offsets: np.ndarray | None = None,
    maps: Maps | None = None,
) -> Reconstruction:
    """The object of a code (K,), painted by its markings, seen by ``camera`` in a picture of width and height.

    mask: (H, W) uint8 of the photo that the code was found in; offsets: (V, 3) that are added to the code's vertices;
    maps: of the code in this palette, painted already. None where there are none.
    """
    template, space = model.template, model.space
    parts = template.parts
    assert parts is not None
    decoded = space.decode(code)
    offsets = np.zeros_like(decoded.vertices) if offsets is None else offsets
    vertices = decoded.vertices + offsets
    if maps is None:
        maps = paint(template, vertices, space.markings, decoded.distances, palette, texture_size)
    points, directions = parts.axles(vertices, template.quads)
    light = np.zeros((9, 3), np.float32)
    light[0] = 1 / 0.282095
    width, height = picture
    return Reconstruction(
        name=name,
        image_width=width,
        image_height=height,
        vertices=vertices,
        quads=template.quads,
        uv=template.uv,
        texture=maps.base_colour,
        camera=camera,
        light=light,
        mask=np.zeros((height, width), np.uint8) if mask is None else mask,
        shape_code=np.asarray(code, np.float32),
        texture_code=palette.array().reshape(-1),
        offsets=offsets,
        real_size=decoded.length,
        parts=ObjectParts(
            names=list(parts.names),
            of_quad=parts.of_quad,
            axle_parts=np.array([parts.names.index(turning) for turning in parts.turning], np.int32),
            axle_positions=points,
            axle_directions=directions,
            regions=list(REGIONS),
            region_of_quad=region_of_quads(template, space.markings, decoded.distances),
            palette=palette.array(),
            surface=maps.surface,
            coat=maps.coat,
            normal=maps.normal,
            region_map=maps.region_map,
        ),
    )
