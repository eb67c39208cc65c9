# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A seed becomes a new object with parts, in colours of the street. No network of the bundle is loaded for that."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..common.bundle_files import CARD, PARTS_TEMPLATE, SHAPE_GENERATOR
from ..common.records import Camera, GenerateRequest, Progress, Reconstruction
from ..common.regions import Palette, random_palette
from ..errors import BundleError, Cancelled, UnrenderError
from ..weights.bundle import bundle_folders, choose_device, read_card
from ..weights.parts import PartsModel, load_parts
from .generate_sides import sides_of_parts
from .parts_object import object_from_code

TEXTURE_SIZE = 1024
"""Side of a texture where the request leaves it to the weights."""
LARGEST_TEXTURE, LARGEST_SIDE = 8192, 1024
LARGEST_TRUNCATION = 3.0
"""Beyond it shapes are no objects any more."""
PICTURE = (960, 640)
"""Width and height of the picture that the object's scene renders."""
_CAMERA = Camera(azimuth=0.7, elevation=0.22, distance=3.4, field_of_view=0.22)
"""From the front left, the object filling most of the picture."""
_SKY = np.array([2.5, -0.35, 0.8, 0.35, 0, 0, 0.2, 0, 0], np.float32)
"""(9,) spherical harmonics of a bright overcast day, a little brighter from the camera's side."""


def parts_folder(bundle: str) -> Path:
    """The folder of a bundle that has a template with parts, by its name or path. Raises BundleError."""
    at_hand = bundle_folders(PARTS_TEMPLATE)
    if bundle in at_hand:
        return at_hand[bundle]
    known = ", ".join({**at_hand, **bundle_folders(SHAPE_GENERATOR)}) or "none"
    folder = bundle_folders().get(bundle) or Path(bundle)
    if (folder / PARTS_TEMPLATE).is_file():
        return folder
    if (folder / CARD).is_file():
        raise BundleError(
            f"The weights bundle '{folder.name}' has no template with parts and no generator of shapes, from which "
            f"objects are made; these have one: {known}."
        )
    raise BundleError(f"There is no weights bundle '{bundle}'; these have what objects are made from: {known}.")


def generate(
    request: GenerateRequest,
    model: PartsModel,
    category: str = "car",
    report: Callable[[Progress], None] = lambda progress: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Reconstruction:
    """Makes the object of a request with what :func:`load_parts` found. Raises UnrenderError with one sentence."""
    start = time.perf_counter()
    check(request)
    report(Progress("Making the shape", 0.1))
    code, palette = code_of(request, model), palette_of(request)
    if cancelled():
        raise Cancelled("Cancelled.")
    report(Progress("Painting the texture", 0.3))
    made = object_from_code(
        code,
        model,
        palette,
        name=f"{category}-{request.seed:06d}",
        camera=_CAMERA,
        picture=PICTURE,
        texture_size=request.texture_size or TEXTURE_SIZE,
    )
    light = np.repeat(_SKY[:, None], 3, axis=1)
    made = replace(made, bundle=request.bundle, light=light)
    if request.sides:
        made.sides = sides_of_parts(made, model.template, request.sides)
    made.timings = {"generate": time.perf_counter() - start}
    return made


def check(request: GenerateRequest) -> None:
    """Raises UnrenderError with one sentence for numbers that no object can be made from."""
    choose_device(request.device)
    if request.seed < 0:
        raise UnrenderError(f"A seed is 0 or more, not {request.seed}.")
    if not 0 <= request.truncation <= LARGEST_TRUNCATION:
        raise UnrenderError(f"The truncation lies between 0 and {LARGEST_TRUNCATION:g}, not at {request.truncation:g}.")
    if request.texture_size and not 16 <= request.texture_size <= LARGEST_TEXTURE:
        raise UnrenderError(f"A texture has 16 to {LARGEST_TEXTURE} texels a side, not {request.texture_size}.")
    if request.sides and not 16 <= request.sides <= LARGEST_SIDE:
        raise UnrenderError(f"Pictures of sides have 16 to {LARGEST_SIDE} pixels, not {request.sides}.")
    if not 0 <= request.step <= 1:
        raise UnrenderError(f"The step towards another object lies between 0 and 1, not at {request.step:g}.")


def code_of(request: GenerateRequest, model: PartsModel) -> np.ndarray:
    """The code (K,) float32 that a request gives, or that its seed stands for; a step from there on the way to that of
    another seed where it names one. Raises UnrenderError."""
    code = _own_code(request, model)
    if request.towards < 0:
        return code
    other = model.space.sample(np.random.default_rng(request.towards), request.truncation)
    return between(code, other, request.step)


def between(one: np.ndarray, other: np.ndarray, step: float) -> np.ndarray:
    """What lies a step from 0 to 1 on the straight way from one array to the other, float32; its ends are exact."""
    return np.asarray((1 - step) * one + step * other, np.float32)


def _own_code(request: GenerateRequest, model: PartsModel) -> np.ndarray:
    if not request.code.size:
        return model.space.sample(np.random.default_rng(request.seed), request.truncation)
    if request.code.shape != (model.space.size,) or not np.isfinite(request.code).all():
        raise UnrenderError(f"A code of this bundle has {model.space.size} numbers, all of them finite.")
    return request.code.astype(np.float32)


def palette_of(request: GenerateRequest) -> Palette:
    """The palette that a request gives, or that its seed stands for, whatever the truncation; a step from there on the
    way to another seed's where it names one. Raises UnrenderError."""
    palette = _own_palette(request)
    if request.towards < 0:
        return palette
    other = random_palette(np.random.default_rng([request.towards, 1]))
    return Palette.of_array(between(palette.array(), other.array(), request.step))


def _own_palette(request: GenerateRequest) -> Palette:
    if not request.palette.size:
        return random_palette(np.random.default_rng([request.seed, 1]))
    if not ((request.palette >= 0) & (request.palette <= 1)).all():
        raise UnrenderError("The numbers of a palette lie between 0 and 1.")
    try:
        return Palette.of_array(request.palette)
    except ValueError as error:
        raise UnrenderError(str(error)) from error


def load_generator(bundle: str) -> tuple[PartsModel, str]:
    """The template and shape space of a bundle, by its name or path, and its category. Raises BundleError."""
    folder = parts_folder(bundle)
    card = read_card(folder) if (folder / CARD).is_file() else {}
    return load_parts(folder), safe(str(card.get("category") or "car"))


def safe(category: str) -> str:
    """A category as a part of files' names: a card may hold anything."""
    return "".join(letter if letter.isalnum() else "-" for letter in category)
