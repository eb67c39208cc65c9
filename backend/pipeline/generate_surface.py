# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A seed becomes a new surface with texture and background, through a generator of shapes (paper B).

Blender sees what the network sees: the same triangles, the same places in the texture, and a camera in the middle of
the training's viewpoints whose view of the object, before the middle of the background, is the network's own picture.
Only the length differs: it is 1 here.

Letters: V vertices, F faces, T, R sides of the texture here and in the network, B of the background.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..common import content
from ..common.records import Camera, GenerateRequest, Progress, Reconstruction
from ..errors import Cancelled, UnrenderError
from ..models.shape_generator import Scene, ShapeGenerator
from ..render.shading import sample_texture
from ..weights.shape_generator_bundle import LoadedShapeGenerator
from .generate import check, safe
from .generate_sides import sides_of_scene, to_bytes

PICTURE_SIZE = 512
"""Longer side of the picture that the object's scene renders."""
LEAST_TEXTURE = 256
"""Side of a texture where the request leaves it to the weights: a multiple of the network's, this at least."""


def generate_surface(
    request: GenerateRequest,
    weights: LoadedShapeGenerator,
    report: Callable[[Progress], None] = lambda progress: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Reconstruction:
    """Makes the object of a request. Raises UnrenderError with one sentence."""
    start = time.perf_counter()
    check(request)
    report(Progress("Making the shape", 0.1))
    generator = weights.generator
    with torch.no_grad():
        code = code_of(request, generator)
        scene = generator.scene(*codes_of(code, generator))
    if cancelled():
        raise Cancelled("Cancelled.")
    report(Progress("Painting the texture", 0.6))
    vertices = scene.vertices[0].float().cpu().numpy()
    length = float(np.ptp(vertices, axis=0).max())
    if not np.isfinite(vertices).all() or length < 1e-6:
        raise UnrenderError(f"Seed {request.seed} makes no shape with these weights: choose another, or train longer.")
    faces, uv = faces_of(generator)
    camera, width, height = view_of(weights, length)
    light = np.zeros((9, 3), np.float32)
    light[0] = 1 / 0.282095  # white from everywhere: the texture has what light there was in the photographs
    made = Reconstruction(
        name=f"{safe(weights.category)}-{request.seed:06d}",
        image_width=width,
        image_height=height,
        vertices=vertices / np.float32(length),
        quads=faces,
        uv=uv,
        texture=painted(scene, generator, request.texture_size),
        camera=camera,
        light=light,
        mask=np.zeros((height, width), np.uint8),
        shape_code=code.cpu().numpy(),
        texture_code=np.zeros(0, np.float32),
        offsets=np.zeros_like(vertices),
        bundle=request.bundle,
        real_size=weights.real_size,
        background=to_bytes((scene.background + 1) / 2)[0],
        background_factor=generator.config.background_factor,
    )
    if request.sides:
        report(Progress("Looking at it from five sides", 0.8))
        made.sides = sides_of_scene(weights, scene, request.sides)
    made.timings = {"generate": time.perf_counter() - start}
    return made


def code_of(request: GenerateRequest, generator: ShapeGenerator) -> Tensor:
    """The code (K,) float32 that a request gives, or that its seed stands for: w of the maps, then of the background,
    drawn towards their means by the truncation. A step from there on the straight way to another seed's where the
    request names one. Raises UnrenderError."""
    size = generator.maps.config.w_dim + generator.background.config.w_dim
    if request.code.size:
        if request.code.shape != (size,) or not np.isfinite(request.code).all():
            raise UnrenderError(f"A code of this bundle has {size} numbers, all of them finite.")
        code = torch.from_numpy(request.code.astype(np.float32)).to(generator.start)
    else:
        code = _code_of_seed(request.seed, request.truncation, generator)
    if request.towards < 0:
        return code
    return torch.lerp(code, _code_of_seed(request.towards, request.truncation, generator), request.step)


def _code_of_seed(seed: int, truncation: float, generator: ShapeGenerator) -> Tensor:
    # As the sheets of a training draw the first sample of a seed; on the CPU, so that every machine draws the same.
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(1, generator.z_dim, generator=random).to(generator.start)
    of_maps = generator.maps.map(z[:, : generator.config.maps.z_dim], truncation)
    of_background = generator.background.map(z[:, -generator.config.background.z_dim :], truncation)
    return torch.cat([of_maps[0, 0], of_background[0, 0]])


def codes_of(code: Tensor, generator: ShapeGenerator) -> tuple[Tensor, Tensor]:
    """w (1, D) of the maps and (1, D') of the background that a code (K,) is put together of."""
    length = generator.maps.config.w_dim
    return code[None, :length], code[None, length:]


def faces_of(generator: ShapeGenerator) -> tuple[np.ndarray, np.ndarray]:
    """The mesh's quads (F, 4) int32 and their UVs (F, 4, 2); triangles (F, 3), (F, 3, 2) where it has no whole quads.

    Blender cuts a quad between its first and its third corner: that is where the network's renderer cuts it.
    """
    triangles, uv = (values.cpu().numpy() for values in (generator.triangles, generator.triangle_uv))
    if generator.config.surface.kind == "sheet" and generator.config.surface.circular:
        return triangles.astype(np.int32), uv
    first, second = triangles[0::2], triangles[1::2]
    # Of each of the two triangles of a cell the corner that the other one has not.
    lone = (first[:, :, None] != second[:, None, :]).all(axis=2).argmax(axis=1)
    other = (second[:, :, None] != first[:, None, :]).all(axis=2).argmax(axis=1)
    row = np.arange(len(first))

    def corners(of_first: np.ndarray, of_second: np.ndarray) -> np.ndarray:
        around = [of_first[row, (lone + turn) % 3] for turn in range(3)]
        return np.stack([around[1], of_second[row, other], around[2], around[0]], axis=1)

    return corners(first, second).astype(np.int32), corners(uv[0::2], uv[1::2])


def painted(scene: Scene, generator: ShapeGenerator, size: int) -> np.ndarray:
    """The texture (T, T, 3) uint8: the network's own, interpolated as its renderer does; 0 leaves T to the network.

    A sphere's chart is a disc; what is outside has the colour of the rim, so that none comes in over it in a filter.
    """
    native = scene.texture.shape[-1]
    size = size or native * -(-LEAST_TEXTURE // native)
    line = (torch.arange(size, device=scene.texture.device) + 0.5) / size
    place = torch.stack(torch.meshgrid(line, 1 - line, indexing="xy"), dim=-1) - 0.5
    if generator.config.surface.kind == "sphere":
        place = place * (0.5 / place.norm(dim=-1, keepdim=True).clamp(min=1e-6)).clamp(max=1)
    return to_bytes((sample_texture(scene.texture, place[None] + 0.5) + 1) / 2)[0]


def view_of(weights: LoadedShapeGenerator, length: float) -> tuple[Camera, int, int]:
    """The camera in the middle of the training's viewpoints, around an object of that length, and the width and height
    of its picture, without the bars that the training's had."""
    (camera,) = weights.viewpoints.at([0.0]).cameras.unbatch()
    _, _, height, width = content.of_aspect(PICTURE_SIZE, weights.pictures.aspect)
    seen = 2 * np.arctan(np.tan(camera.field_of_view / 2) * height / PICTURE_SIZE)
    return replace(camera, distance=camera.distance / length, field_of_view=float(seen)), width, height
