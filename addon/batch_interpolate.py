# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from each seed's object to the next one's: ``generate.py --interpolate``.

Each pair of seeds gives a folder with one object whose shape key goes from the first to the second, and a folder for
each of some objects on the way, both ends among them, as the network makes them: all on the same mesh.
"""

from __future__ import annotations

import argparse
import functools
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import batch_inputs, batch_run, export, generated, interpolation, job, pixels, preview, scene, session
from .contact_sheet import strip, texture_sheet
from .wire import records

MOST_STEPS = 1000
STRIP_VALUES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Values of the slider in the picture of the way."""
STRIP_SIDE = 240
STRIP_DISTANCE = 3.2
"""Distance at which an object fits into a square tile whichever way it is long."""


def items_of(
    seeds: Sequence[int], steps: int, out: Path, request: records.GenerateRequest, options: argparse.Namespace
) -> list[batch_run.Item]:
    """Returns the items of all pairs of neighbours among the seeds. Raises ValueError with a sentence.

    ``steps``: how many objects on each way; ``request``: what all requests share.
    """
    if len(seeds) < 2:
        raise ValueError("--interpolate goes from each seed to the next: give --seeds two at least, such as 1-4.")
    items = []
    for first, second in itertools.pairwise(seeds):
        record: dict[str, Any] = {"seed": first, "to_seed": second, "truncation": options.truncation}
        title = f"seeds {first} to {second}"
        way = functools.partial(_way, replace(request, seed=first), second, out, options, title)
        items.append(batch_run.Item(title, title, {**record, "step": None}, way))
        for number in range(steps):
            step = round(number / (steps - 1), 6)
            name = f"{title}, step {number + 1} of {steps}"
            asked = replace(request, seed=first, towards=second, step=step)
            made = functools.partial(_step, asked, number + 1, out, options, name)
            items.append(batch_run.Item(name, name, {**record, "step": step}, made))
    return items


def name_of(first: records.Reconstruction, second: int) -> str:
    """Returns the name of what goes from an object to a seed's, such as car-000001-000002."""
    return f"{first.name}-{second:06d}"


def _step(
    request: records.GenerateRequest,
    number: int,
    out: Path,
    options: argparse.Namespace,
    owner: str,
    record: dict[str, Any],
    show: batch_run.Show,
) -> job.Steps:
    """Makes one object on the way and writes its folder."""
    result = yield session.request(request)
    result = replace(result, name=f"{name_of(result, request.towards)}-step-{number}")
    folder = free_folder(out, result.name, owner)
    write(folder, result, options, record, show, owner)
    return ""


def _way(
    request: records.GenerateRequest,
    second: int,
    out: Path,
    options: argparse.Namespace,
    owner: str,
    record: dict[str, Any],
    show: batch_run.Show,
) -> job.Steps:
    """Makes the one object that goes all the way, and writes its folder."""
    result = yield session.request(request)
    other = yield session.request(replace(request, seed=second))
    ends = np.concatenate([strip(result.sides), strip(other.sides)])
    result = replace(result, name=name_of(result, second), sides=result.sides[:0])
    folder = free_folder(out, result.name, owner)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    target = bpy.context.scene
    built = scene.build(target, result, materials=options.materials)
    key = interpolation.join(built, generated.without_light(scene.build(
        target, other, set_up_scene=False, materials=options.materials
    )))  # fmt: skip
    picture, more = ends, {}
    if not options.quick:
        show(records.Progress("Rendering the preview", 0.94))
        with batch_run.quietly():
            picture = preview.make(target, built, result, texture_sheet(result.texture)).picture
            more["interpolation"] = _strip(target, built, key)
    show(records.Progress("Writing", 0.98))
    _write_files(folder, built, result, picture, options, record, owner, more)
    return ""


def write(
    folder: Path,
    result: records.Reconstruction,
    options: argparse.Namespace,
    record: dict[str, Any],
    show: batch_run.Show,
    owner: str,
) -> None:
    """Builds a result in an empty file and writes its folder; fills in the record. Raises OSError.

    The preview is rendered by Blender; where options are ``quick`` it is the strip of five sides.
    """
    record["real_size"] = round(result.real_size, 4)
    if not options.quick:
        batch_run.write_scene(folder, result, texture_sheet(result.texture), options, record, show, owner)
        return
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    built = scene.build(bpy.context.scene, result, materials=options.materials)
    show(records.Progress("Writing", 0.98))
    _write_files(folder, built, result, strip(result.sides), options, record, owner)


def _write_files(
    folder: Path,
    built: scene.Built,
    result: records.Reconstruction,
    picture: np.ndarray,
    options: argparse.Namespace,
    record: dict[str, Any],
    owner: str,
    more: dict[str, np.ndarray] | None = None,
) -> None:
    with batch_run.quietly():
        record["outputs"] = export.write_folder(
            folder, bpy.context.scene, built, result, picture, options.formats, more, owner
        )
    record.update(export.camera_record(result))
    record.update(timings=result.timings, warnings=result.warnings, real_size=round(result.real_size, 4))


def _strip(target: bpy.types.Scene, built: scene.Built, key: bpy.types.ShapeKey) -> np.ndarray:
    """Returns renders of the object along its slider, side by side, (h, n h, 3) uint8; then it is at 0."""
    pose = replace(preview.side_poses(records.Camera(0.0, 0.0, 1.0))[0], distance=STRIP_DISTANCE)
    canvas = np.full((STRIP_SIDE, STRIP_SIDE * len(STRIP_VALUES), 3), preview.BACKGROUND, np.float32)
    with preview.render_settings(target):
        for number, value in enumerate(STRIP_VALUES):
            key.value = value
            tile = preview.render_side(target, built, pose, STRIP_SIDE, STRIP_SIDE)
            preview.paste(canvas, tile, number * STRIP_SIDE, 0)
    key.value = 0.0
    return pixels.to_bytes(canvas)


def free_folder(out: Path, name: str, owner: str) -> Path:
    """Returns the folder of a result. Raises ValueError where it holds something else."""
    if not batch_inputs.is_free(out / name, owner):
        raise ValueError(f"{out / name} holds something else: choose another folder with --out.")
    return out / name
