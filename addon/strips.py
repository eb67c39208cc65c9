# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures in rows: an object from all around, or as one of its handles moves, rendered small and with few samples."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import bpy
import numpy as np

from . import named_handles, neural_render, pixels, preview
from .wire import records

WIDTH, HEIGHT, GAP = 240, 160, 4
"""Pixels of a frame at most, and between two."""
SAMPLES = 16
MOST_FRAMES = 72
IN_A_ROW = 12
"""Frames in a row, at most."""
STRIP = re.compile(r"([^=]+)=(-?[\d.]+)\.\.(-?[\d.]+):(\d+)")


@dataclass(frozen=True)
class Strip:
    """A handle that moves over a range."""

    name: str
    first: float
    last: float
    count: int

    @property
    def values(self) -> list[float]:
        """The handle's positions."""
        return [float(value) for value in np.linspace(self.first, self.last, self.count)]


@dataclass
class Frames:
    """Rendered frames, and what StyleGAN-R is to be asked for beside them."""

    pictures: list[np.ndarray]
    """(h, w, 4) float32 each, transparent around the object."""
    requests: list[records.NeuralRenderRequest]
    """One for each frame, or none."""


def parse(text: str) -> Strip:
    """Returns the strip of a text such as ``azimuth=-180..180:7``. Raises ValueError with a sentence."""
    found = STRIP.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        strip = Strip(found[1].strip(), float(found[2]), float(found[3]), int(found[4]))
    except ValueError:
        raise ValueError(f"--strip takes a handle, a range and a number, such as cabin=0..1:7, not '{text}'.") from None
    if not 2 <= strip.count <= MOST_FRAMES:
        raise ValueError(f"--strip: a strip has 2 to {MOST_FRAMES} pictures, not {strip.count}.")
    return strip


def handle_of(strip: Strip, known: Sequence[named_handles.Handle]) -> named_handles.Handle:
    """Returns the handle that a strip moves. Raises ValueError with a sentence where it cannot."""
    handle = named_handles.find(strip.name, known)
    if handle.kind not in ("number", "degrees"):
        raise ValueError(f"--strip moves a handle over numbers, and {handle.name} takes {handle.range}.")
    for end in (strip.first, strip.last):
        named_handles.value_of(handle, f"{end!r}", known)
    return handle


Ask = Callable[[bpy.types.Object], records.NeuralRenderRequest]


def along(
    target: bpy.types.Scene,
    owner: bpy.types.Object,
    view: records.FurtherPhoto,
    strip: Strip,
    ask: Ask | None = None,
) -> Frames:
    """Renders an object through its camera at each of a strip's values; the handle is back where it was afterwards.

    ``ask`` makes the request for a neural render of the object as it is.
    """
    handle = handle_of(strip, named_handles.of_object(owner))
    before = named_handles.read(owner, handle)
    width, height = preview.fitted(view.image_width, view.image_height, WIDTH, HEIGHT)
    made = Frames([], [])
    try:
        with preview.render_settings(target):
            target.cycles.samples = SAMPLES
            for value in strip.values:
                named_handles.apply(owner, {handle: value})
                made.pictures.append(preview.render(target, owner.unrender.camera, width, height))
                if ask is not None:
                    made.requests.append(ask(owner))
    finally:
        named_handles.apply(owner, {handle: before})
    return made


def around(target: bpy.types.Scene, owner: bpy.types.Object, count: int, ask: Ask | None = None) -> Frames:
    """Renders an object from ``count`` sides, the first of them that of its camera; ``ask`` as in :func:`along`."""
    first = neural_render.camera_of(owner)
    request = None if ask is None else ask(owner)
    made = Frames([], [])
    with preview.render_settings(target):
        target.cycles.samples = SAMPLES
        for number in range(count):
            azimuth = first.azimuth + 2 * math.pi * number / count
            pose = records.Camera(azimuth, first.elevation, preview.SIDE_DISTANCE, 0.0, preview.SIDE_FIELD_OF_VIEW)
            made.pictures.append(preview.render_from(target, owner, pose, WIDTH, HEIGHT))
            if request is not None:
                camera = neural_render.framed_camera(owner, request.shape_code, azimuth)
                made.requests.append(replace(request, camera=camera))
    return made


def sheet(frames: Sequence[np.ndarray], below: Sequence[np.ndarray] = ()) -> np.ndarray:
    """Returns frames side by side as one picture (H, W, 3) uint8, twelve in a row.

    Frames are (h, w, 3) uint8 or (h, w, 4) float32; ``below``, empty or as many, stand under them.
    """
    columns = min(len(frames), IN_A_ROW)
    layers = [frames, *([below] if len(below) else [])]
    rows = -(-len(frames) // columns)
    size = (rows * len(layers) * (HEIGHT + GAP) + GAP, columns * (WIDTH + GAP) + GAP, 3)
    canvas = np.full(size, preview.BACKGROUND, np.float32)
    for layer, pictures in enumerate(layers):
        for number, picture in enumerate(pictures):
            row, column = divmod(number, columns)
            width, height = preview.fitted(picture.shape[1], picture.shape[0], WIDTH, HEIGHT)
            tile = picture.astype(np.float32) / 255 if picture.dtype == np.uint8 else picture
            left = GAP + column * (WIDTH + GAP) + (WIDTH - width) // 2
            top = GAP + (row * len(layers) + layer) * (HEIGHT + GAP) + (HEIGHT - height) // 2
            preview.paste(canvas, pixels.resized(tile, height, width), left, top)
    return pixels.to_bytes(canvas)
