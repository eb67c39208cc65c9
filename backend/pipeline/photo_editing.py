# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paper A's editing of real photographs: a photo becomes an object, and StyleGAN-R shows it turned, or with the shape,
texture or background of another photo's. The baseline finds the photo in the plain generator's codes and mixes those.

Letters: N photographs, R picture, L codes of an image, D length of a code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from ..common.records import Camera, NeuralRenderRequest, Reconstruction, ReconstructRequest
from ..models.framing import framed
from ..models.stylegan2 import Generator
from ..render.camera import Cameras
from ..weights.bundle import LoadedBundle
from .neural_render import neural_render
from .photo import load_photo
from .reconstruct import reconstruct

SHARE = 0.8
"""Longer side of the object's box in the square pictures, in their sides."""
TEXTURE = 256
COLUMNS = (
    "photo", "StyleGAN-R", "drawn", "turned by 60°", "turned by 180°", "shape of the next", "texture of the next",
    "background of the next", "codes found", "codes, shape of the next", "codes, texture of the next",
)  # fmt: skip


@dataclass(frozen=True)
class PhotoObject:
    """A photograph as StyleGAN-R is asked for it."""

    square: np.ndarray
    """(R, R, 3) uint8: the photo around the object."""
    request: NeuralRenderRequest


def photo_object(path: Path, bundle: LoadedBundle, size: int) -> PhotoObject:
    """Finds the object of a photograph, by the networks alone, and its surroundings' mean colour.

    Raises UnrenderError with one sentence where the photo cannot be used.
    """
    asked = ReconstructRequest(str(path), bundle=bundle.name, quality="draft", texture_size=TEXTURE)
    result = reconstruct(asked, bundle)
    rgb = load_photo(path).rgb
    camera = square_camera(result)
    square, seen = around_object(rgb, result, size)
    ground = square[seen].mean(axis=0) if seen.any() else np.full(3, 128.0)
    background = np.array([[[*ground.round(), 255]]], np.uint8)
    code, texture = result.shape_code, result.texture
    return PhotoObject(square, NeuralRenderRequest(code, texture, camera, background, bundle.name))


def square_camera(result: Reconstruction) -> Camera:
    """The photo's camera, of the square in whose middle the object takes up :data:`SHARE`."""
    camera = replace(result.camera, shift_x=0.0, shift_y=0.0)
    vertices = torch.as_tensor(result.vertices)[None].float()
    return framed(Cameras.batch([camera]), vertices, SHARE).unbatch()[0]


def around_object(rgb: np.ndarray, result: Reconstruction, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(size, size, 3) uint8 and (size, size) bool: the square of a photo around its mask, and what is not the object.

    Where the square leaves the photo it repeats its edge.
    """
    rows, columns = np.nonzero(result.mask > 127)
    side = max(int(rows.max() - rows.min()), int(columns.max() - columns.min()), 1) / SHARE
    middle = np.array([(columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2])
    step = side / size
    to_photo = np.array([[step, 0, middle[0] - side / 2], [0, step, middle[1] - side / 2]])
    flags, shape = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP, (size, size)
    blurred = cv2.GaussianBlur(rgb, (0, 0), max(0.3 * step, 0.1))  # else fine detail turns into noise
    square = cv2.warpAffine(blurred, to_photo, shape, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    covered = cv2.warpAffine(cv2.dilate(result.mask, np.ones((5, 5), np.uint8)), to_photo, shape, flags=flags)
    return square, covered < 20


def editing_sheet(
    objects: Sequence[PhotoObject],
    bundle: LoadedBundle,
    generator: Generator,
    find_codes: Callable[[np.ndarray], np.ndarray],
    borders: tuple[int, int, int],
) -> np.ndarray:
    """(N R, columns R, 3) uint8: a photograph a row, with the :data:`COLUMNS`.

    ``find_codes`` gives the plain generator's codes (L, D) of a picture (R, R, 3) uint8; shape, texture and background
    begin at the ``borders`` among them.
    """
    codes = [find_codes(one.square) for one in objects]
    rows = []
    for number, one in enumerate(objects):
        following = (number + 1) % len(objects)
        asked, other = one.request, objects[following].request
        camera = asked.camera
        requests = [
            asked,
            replace(asked, camera=replace(camera, azimuth=camera.azimuth + math.pi / 3)),
            replace(asked, camera=replace(camera, azimuth=camera.azimuth + math.pi)),
            replace(asked, shape_code=other.shape_code),
            replace(asked, texture=other.texture),
            replace(asked, background=other.background),
        ]
        made = [neural_render(request, bundle) for request in requests]
        drawn = made[0].drawn.astype(np.float32)
        over = drawn[..., :3] * (drawn[..., 3:] / 255) + 255 - drawn[..., 3:]
        cells = [one.square, made[0].picture, over.round().astype(np.uint8), *(answer.picture for answer in made[1:])]
        swapped = [codes[number]]
        for start, end in (borders[:2], borders[1:]):
            mixed = codes[number].copy()
            mixed[start:end] = codes[following][start:end]
            swapped.append(mixed)
        rows.append(np.concatenate([*cells, *synthesised(generator, np.stack(swapped))], axis=1))
    return np.concatenate(rows)


@torch.no_grad()
def synthesised(generator: Generator, codes: np.ndarray) -> np.ndarray:
    """(N, R, R, 3) uint8 of codes (N, L, D)."""
    images = generator.synthesize(generator.styles(torch.as_tensor(codes, device=generator.const.device)))
    scaled = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).cpu().numpy()
