# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where objects to edit come from: scene files that were written before, and photos to make one of."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np

from . import neural_render, own_properties, pixels
from .batch_run import quietly
from .wire import pictures, records

SCENE, BLEND = "scene.blend", ".blend"
BACKGROUND_SIDE = 256
"""Pixels a side of a background that travels to the worker."""


@dataclass(frozen=True)
class Source:
    """One object in a scene file, or a photo."""

    path: Path
    object: str = ""
    """Name of the object in a scene file; empty: a photo, or a scene file that cannot be opened."""

    @property
    def is_scene(self) -> bool:
        """Whether it is a scene file."""
        return self.path.suffix.lower() == BLEND

    @property
    def name(self) -> str:
        """Name of what is made of it."""
        return self.object or (self.path.parent.name if self.is_scene else self.path.stem)

    @property
    def owner(self) -> str:
        """What is said of a folder that was made from it."""
        return f"{self.path}/{self.object}" if self.object else str(self.path)

    @property
    def place(self) -> Path:
        """A path that has its name, in the folder that tells it from others of that name."""
        folder = self.path.parent.parent if self.path.name == SCENE else self.path.parent
        return folder / f"{self.name}{BLEND}"


def sources_of(text: str) -> list[Source]:
    """Returns what a word of the command stands for: a scene file, an object in one, a photo, or a folder of these.

    Scene files are opened, one after the other.
    """
    path = Path(text).expanduser().absolute()
    if path.is_dir() and path.suffix.lower() != BLEND:
        if (path / SCENE).is_file():
            return sources_of(str(path / SCENE))
        entries = sorted(path.iterdir())
        found = [Source(entry) for entry in entries if pictures.is_picture(entry) and entry.is_file()]
        return found or [one for entry in entries if (entry / SCENE).is_file() for one in sources_of(str(entry))]
    if path.suffix.lower() == BLEND:
        try:
            return [Source(path, name) for name in objects_in(path)]
        except ValueError:
            return [Source(path)]  # its turn will come, and its sentence
    if path.parent.suffix.lower() == BLEND and path.parent.is_file():
        return [Source(path.parent, path.name)]
    return [Source(path)]


def objects_in(path: Path) -> list[str]:
    """Opens a scene file; returns the names of the objects in it that were made here. Raises ValueError."""
    if not path.is_file():
        raise ValueError(f"There is no file {path}.")
    try:
        with quietly():
            bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, use_scripts=False)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].removeprefix("Error: ")
        raise ValueError(f"{path} cannot be opened as a scene of Blender: {reason}") from error
    found = [one.name for one in bpy.data.objects if one.unrender.is_unrender and one.library is None]
    if not found:
        raise ValueError(f"{path} has no object that was made by Image to 3D or Generate.")
    return found


def open_scene(source: Source) -> bpy.types.Object:
    """Opens a scene file; returns its object, in whose scene Blender is then. Raises ValueError with one sentence."""
    found = objects_in(source.path)
    if source.object not in found:
        raise ValueError(
            f"{source.path} has no object '{source.object}' that was made here; it has {', '.join(found)}."
        )
    owner = bpy.data.objects[source.object]
    other = owner.unrender.other
    for one in (owner, other) if other is not None and other.unrender.is_unrender else (owner,):
        own_properties.check(one)
    target = next((one for one in bpy.data.scenes if owner.name in one.objects), None)
    if target is None:
        raise ValueError(f"{owner.name} is in no scene of {source.path}.")
    if bpy.context.window is not None:
        bpy.context.window.scene = target
    return owner


def append(source: Source) -> bpy.types.Object:
    """Adds another scene file's object, without its wheels, to the open file; :func:`remove` takes it away again."""
    try:
        with bpy.data.libraries.load(str(source.path), link=False) as (there, here):
            names = [name for name in there.objects if name == source.object]
            here.objects = names
    except OSError as error:
        raise ValueError(f"{source.path} cannot be opened as a scene of Blender: {error}") from error
    if not names:
        raise ValueError(f"{source.path} has no object '{source.object}'.")
    own_properties.check(here.objects[0])
    return here.objects[0]


def save(path: Path) -> None:
    """Writes the open file to a path, where it can be appended from."""
    with quietly():
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)


def blocks() -> set[bpy.types.ID]:
    """Returns all that the open file holds and an object may bring with it."""
    kinds = ("objects", "meshes", "materials", "images", "cameras", "worlds", "node_groups", "actions", "collections")
    return {block for kind in kinds for block in getattr(bpy.data, kind)}


def remove(owner: bpy.types.Object, before: set[bpy.types.ID]) -> None:
    """Removes an object that was added, and what came with it and is in no use; ``before`` it came :func:`blocks`."""
    camera = owner.unrender.camera
    bpy.data.batch_remove([one for one in (owner, camera) if one is not None])
    while unused := [one for one in blocks() - before if one.users - one.use_fake_user <= 0]:
        bpy.data.batch_remove(unused)


def square_background(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Returns what a photo (h, w, 3) uint8 shows beside its object, in the square that neural renders have.

    ``mask`` (H, W) uint8 is the object's, with nothing in it where there is none. The answer (s, s, 4) uint8 has alpha
    where the background is known.
    """
    height, width = picture.shape[:2]
    covered = pixels.resized(mask[..., None].astype(np.float32) / 255, height, width)
    left, top, side = _square_around(covered[..., 0] > 0.5)
    whole = np.zeros((side, side, 4), np.float32)
    rows, columns = slice(max(top, 0), min(top + side, height)), slice(max(left, 0), min(left + side, width))
    part = whole[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    part[..., 3:] = 1 - covered[rows, columns]
    part[..., :3] = picture[rows, columns].astype(np.float32) / 255 * part[..., 3:]
    small = pixels.resized(whole, *[min(side, BACKGROUND_SIDE)] * 2)
    # What is unknown has no say in the colours at its edge.
    small[..., :3] /= np.maximum(small[..., 3:], 1e-6)
    small[..., 3] = small[..., 3] > 0.99
    return pixels.to_bytes(small)


def _square_around(covered: np.ndarray) -> tuple[int, int, int]:
    """Returns left, top and side of the square in which an object (h, w) bool takes the part that it has in renders."""
    height, width = covered.shape
    if not covered.any():
        side = min(height, width)
        return (width - side) // 2, (height - side) // 2, side
    places = [np.flatnonzero(covered.any(axis=axis)) for axis in (0, 1)]
    side = max(1, round(max(place[-1] + 1 - place[0] for place in places) / neural_render.FILLED))
    left, top = ((int(place[0] + place[-1] + 1) - side) // 2 for place in places)
    return left, top, side


def view_of(owner: bpy.types.Object) -> records.FurtherPhoto:
    """Returns the picture that an object's camera takes: its size is that of the photo behind it, or of the scene's."""
    state, photo, square = owner.unrender, photo_of(owner), neural_render.camera_of(owner)
    render = next(one for one in bpy.data.scenes if owner.name in one.objects).render
    width, height = (render.resolution_x, render.resolution_y) if photo is None else photo.size
    of_height = math.tan(0.5 * square.field_of_view) * height / max(width, height)
    camera = replace(square, field_of_view=2 * math.atan(of_height))
    return records.FurtherPhoto(owner.name, state.photo_path, width, height, camera, np.zeros((0, 0), np.uint8))


def photo_of(owner: bpy.types.Object) -> bpy.types.Image | None:
    """Returns the image of the photo behind an object's camera, None where there is none."""
    camera = owner.unrender.camera
    images = [one.image for one in camera.data.background_images] if camera is not None else []
    return next((image for image in images if image is not None and image.size[0] * image.size[1] > 0), None)
