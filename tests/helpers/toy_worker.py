# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker with toy handlers behind the product's own loop. What it does is told by the name of the photo."""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
import time
from pathlib import Path

import numpy as np

from backend import worker
from backend.common import records
from backend.errors import BundleError, Cancelled, PhotoError
from backend.ipc import protocol
from tests.helpers import toy


def picture_pixels(path):
    """Returns the pixels of a photo, or a gradient where Pillow is not at hand."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


DISC = 6
"""Part of a photo's shorter side that is the radius of a clicked object."""
UNSURE = "unsure"
"""How the names of photos begin whose direction is doubtful."""
HIGHER = 1.25
"""Height of an object whose direction was given, beside that of others."""
NEURAL_SIDE = 32
"""Pixels of a side of the toy's neural renders."""
NEURAL_SECONDS = 0.03
"""How long each takes: a drag asks for the next ones meanwhile."""
SHAPE_TOO_FAR = 50.0
"""First number of a shape code from which on there is no neural render."""
WITH_PARTS = "with-parts"
"""Mode in which every photo becomes a car with wheels."""


def reconstruct(request, report, cancelled, make=toy.reconstruction):
    name = Path(request.image_path).stem
    report(records.Progress("Cutting out", 0.1))
    if name == "broken":
        raise PhotoError(f"{name} is not a picture.")
    if name == "bug":
        raise ZeroDivisionError("a bug\nin two lines")
    if name == "crash":
        os.write(2, b"segmentation fault in the toy\n")
        os.kill(os.getpid(), 9)
    if name == "prints":
        print("a stray print")
        os.write(1, b"and one of native code\n")
    if name == "slow":
        for step in range(600):
            if cancelled():
                raise Cancelled("Cancelled.")
            report(records.Progress("Refining", step / 600))
            time.sleep(0.02)
    if name == "stuck":
        time.sleep(60)
    pixels = (
        picture_pixels(request.image_path) if os.path.exists(request.image_path) else np.zeros((64, 96, 3), np.uint8)
    )
    result = make(name, pixels.shape[1], pixels.shape[0])
    result.bundle = request.bundle
    result.further = [
        records.FurtherPhoto(
            Path(path).stem,
            path,
            result.image_width,
            result.image_height,
            dataclasses.replace(result.camera, azimuth=result.camera.azimuth + number),
            result.mask,
            0.5,
        )
        for number, path in enumerate(request.further_paths, 1)
    ]
    result.mask_source = "file" if request.mask_path else "segmenter"
    if request.azimuth is not None:
        # Another direction shows another shape: one that is higher.
        result.camera = dataclasses.replace(result.camera, azimuth=request.azimuth)
        result.vertices = result.vertices * np.float32([1, 1, HIGHER])
    elif name.startswith(UNSURE):
        result.confidence, result.evidence, result.alternatives = 0.57, {"margin": 0.02}, toy.alternatives()
    report(records.Progress("Baking", 0.9, np.zeros((4, 4, 3), np.uint8)))
    return result


def edit(request, report, cancelled):
    """The first shape slider stretches the box upwards, the first texture slider makes it brighter."""
    vertices = toy.box()[0]
    vertices[:, 2] *= 1 + 0.2 * request.shape_sliders[0]
    change = np.full((16, 16, 3), 0.1 * request.texture_sliders[0], np.float32)
    return records.Edit(vertices, change)


def neural_render(request, report, cancelled):
    """A picture of the background's colour with a square of the texture's mean one; what was asked for is told by its
    first row: the whole degrees of azimuth and elevation, a tenth of the distance and of the first numbers of the code.
    """
    if request.shape_code[0] > SHAPE_TOO_FAR:
        raise BundleError("This shape is too far from any car.")
    time.sleep(NEURAL_SECONDS)
    picture = np.zeros((NEURAL_SIDE, NEURAL_SIDE, 3), np.uint8)
    known = request.background[request.background[..., 3] > 127]
    picture[:] = known.reshape(-1, 4)[:, :3].mean(axis=0) if len(known) else 0
    inner = slice(NEURAL_SIDE // 4, -NEURAL_SIDE // 4)
    picture[inner, inner] = request.texture.reshape(-1, 3).mean(axis=0)
    drawn = np.zeros((NEURAL_SIDE, NEURAL_SIDE, 4), np.uint8)
    drawn[inner, inner] = (*picture[NEURAL_SIDE // 2, NEURAL_SIDE // 2], 255)
    camera = request.camera
    told = [np.degrees(camera.azimuth) % 360 / 2, np.degrees(camera.elevation) + 90, 10 * camera.distance]
    told += [100 + 10 * number for number in request.shape_code[:8]]
    picture[0, : len(told)] = np.clip(np.round(told), 0, 255)[:, None]
    return records.NeuralRender(picture, drawn)


def cut_out(request, report, cancelled):
    pixels = picture_pixels(request.image_path)
    mask = np.zeros(pixels.shape[:2], np.uint8)
    if not request.point:
        mask[mask.shape[0] // 4 : -mask.shape[0] // 4] = 255
        return records.CutOut(mask, "segmenter")
    # The disc around the point, so that its middle tells where the click was.
    x, y = request.point
    if not (0 <= x < mask.shape[1] and 0 <= y < mask.shape[0]):
        raise PhotoError("The point lies outside of the photo.")
    rows, columns = np.indices(mask.shape) + 0.5
    mask[np.hypot(columns - x, rows - y) < min(mask.shape) / DISC] = 255
    return records.CutOut(mask, "segmenter", ["This is a toy."])


def generate(request, report, cancelled):
    """Made as the product makes it, without a network: its maps have to fit the object that asks for them."""
    from backend.pipeline import generate as product

    return product.generate(request, *product.load_generator(request.bundle))


def picture(request, report, cancelled):
    return protocol.Picture(picture_pixels(request.image_path))


HANDLERS = {
    records.ReconstructRequest: reconstruct,
    records.EditRequest: edit,
    records.NeuralRenderRequest: neural_render,
    records.CutOutRequest: cut_out,
    records.GenerateRequest: generate,
    protocol.PictureRequest: picture,
}


def main(mode):
    reader, writer = worker.take_standard_streams()
    ready = protocol.Ready(protocol.schema(), sys.version.split()[0], torch="", devices=["cpu"], bundles=["car"])
    if mode == "other-version":
        ready.schema += 1
    if mode == "lacks-torch":
        failed = protocol.Failed("This interpreter has no torch; create the environment.")
        writer.write(protocol.encode(protocol.Message(0, failed)))
        writer.flush()
        return
    if mode == "garbage":
        writer.write(b"Traceback (most recent call last):\n")
        writer.flush()
        return
    if mode == WITH_PARTS:
        HANDLERS[records.ReconstructRequest] = functools.partial(reconstruct, make=toy.parts_with_looks)
    worker.serve(HANDLERS, reader, writer, ready)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
