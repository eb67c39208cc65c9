# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of one reconstruction: everything is written into a folder beside the target and renamed when it is whole."""

from __future__ import annotations

import importlib.util
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import addon_utils
import bpy

from . import contact_sheet, looks, matching, parts, pixels, scene, single_maps, textures
from .batch_inputs import CAMERA_FILE, OWNER
from .camera import SENSOR_WIDTH, focal_length
from .wire import files, records

_FRAME = ("resolution_x", "resolution_y", "pixel_aspect_x", "pixel_aspect_y")
FIRST_ALTERNATIVE = 2
"""Number of the first other direction: the direction that was chosen is the first of all."""


class OutputError(OSError):
    """A result that cannot be written; the message is one sentence for the user."""


def write_folder(
    folder: Path,
    target: bpy.types.Scene,
    built: scene.Built,
    result: records.Reconstruction,
    preview: Any,
    formats: Sequence[str],
    more: Mapping[str, Any] | None = None,
    owner: str = "",
) -> dict[str, str]:
    """Writes all files of a result into ``folder``; returns their paths by kind. Raises :class:`OutputError`.

    ``preview`` is a picture (H, W, 3) uint8; ``more`` are further ones by their names without ending; ``owner`` is
    what camera.json says the folder was made from. Files of an earlier run are replaced one by one, others stay.
    """
    directions = {
        direction_key(number): other.picture
        for number, other in enumerate(result.alternatives, FIRST_ALTERNATIVE)
        if other.picture.size > 0
    }
    sides = {contact_sheet.KIND: contact_sheet.strip(result.sides)} if result.sides.size > 0 else {}
    kept = {"texture": result.texture, "preview": preview, **(more or {}), **directions, **sides}
    camera = camera_file(built, result) | ({OWNER: owner} if owner else {})
    return write_files(folder, built, result.name, camera, kept, formats)


def write_files(
    folder: Path,
    built: scene.Built,
    name: str,
    camera: Mapping[str, Any],
    pictures: Mapping[str, Any],
    formats: Sequence[str],
) -> dict[str, str]:
    """Writes an object of the open file into ``folder`` as :func:`write_folder` does.

    ``name`` is that of the mesh files; ``camera`` the content of camera.json; ``pictures`` (H, W, 3 or 4) uint8 are by
    their names without ending.
    """
    # The number keeps two processes apart that write one folder.
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    names = {"camera": CAMERA_FILE} | {kind: f"{kind}.png" for kind in pictures}
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for kind, picture in pictures.items():
            pixels.write_png(partial / names[kind], picture)
        files.write_json(partial / names["camera"], camera)
        for kind in sorted(formats, key=list(FORMATS).index):
            names[kind] = FORMATS[kind](partial, built, name)
        folder.mkdir(exist_ok=True)
        for stale in folder.glob(f"{direction_key('[0-9]*')}.png"):  # this run may have found fewer
            stale.unlink()
        for entry in partial.iterdir():
            _replace(entry, folder / entry.name)
    except OSError as error:
        raise OutputError(f"The result cannot be written to {folder}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return {kind: str(folder / file) for kind, file in names.items()}


def direction_key(number: int | str) -> str:
    """Returns what the picture of an alternative is called, without ending."""
    return f"direction-{number}"


def refusal_to_write(folder: Path) -> str:
    """Returns why nothing can be written into a folder, in one sentence; empty if it can be. Makes the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".unrender-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return f"The folder {folder} cannot be written to ({error.strerror}): choose another with --out."
    return ""


def camera_record(result: records.Reconstruction | records.FurtherPhoto) -> dict[str, Any]:
    """Returns the camera of a result, or of a further photo of one, in the project's conventions, angles in degrees."""
    camera = result.camera
    return {
        "camera": {
            "azimuth_deg": math.degrees(camera.azimuth),
            "elevation_deg": math.degrees(camera.elevation),
            "distance": camera.distance,
            "roll_deg": math.degrees(camera.roll),
            "field_of_view_deg": math.degrees(camera.field_of_view),
            "shift_x": camera.shift_x,
            "shift_y": camera.shift_y,
        },
        "image_width": result.image_width,
        "image_height": result.image_height,
    }


def camera_file(built: scene.Built, result: records.Reconstruction) -> dict[str, Any]:
    """Returns the content of camera.json: the camera in the project's conventions and in Blender's, and the light."""
    return {
        **view_file(built, result, result.bundle),
        "light": result.light.astype(float).tolist(),
        "silhouette_iou": result.silhouette_iou,
    }


def view_file(built: scene.Built, result: records.Reconstruction | records.FurtherPhoto, bundle: str) -> dict[str, Any]:
    """Returns what camera.json says of the camera alone."""
    data = built.camera.data
    return {
        "format": 1,
        "bundle": bundle,
        **camera_record(result),
        "real_size": built.object.unrender.real_size,
        "blender": {
            "matrix_world": [list(row) for row in built.camera.matrix_basis],
            "lens": focal_length(result.camera, result.image_width, result.image_height),
            "sensor_width": SENSOR_WIDTH,
            "sensor_fit": data.sensor_fit,
            "shift_x": data.shift_x,
            "shift_y": data.shift_y,
        },
    }


def _write_blend(folder: Path, built: scene.Built, name: str) -> str:
    _succeed(bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"), compress=True, copy=True))
    return "scene.blend"


def _write_glb(folder: Path, built: scene.Built, name: str) -> str:
    path = folder / f"{name}.glb"
    _enable("io_scene_gltf2")
    with _chosen(built, with_cameras=True), looks.exported(built.object):
        _succeed(
            bpy.ops.export_scene.gltf(filepath=str(path), export_format="GLB", use_selection=True, export_cameras=True)
        )
    return path.name


def _write_obj(folder: Path, built: scene.Built, name: str) -> str:
    path = folder / f"{name}.obj"
    with _chosen(built), looks.exported(built.object), single_maps.apart(built.object) as maps:
        # The material file names images that lie beside it.
        beside = {file: image for file, image in {**_images(built), **maps}.items() if image is not None}
        kept = {image: image.filepath_raw for image in beside.values()}
        try:
            for file, image in beside.items():
                image.filepath_raw = str(folder / file)
                if not (folder / file).is_file():
                    pixels.write_png(folder / file, pixels.to_bytes(pixels.read(image)[..., :3]))
            _succeed(
                bpy.ops.wm.obj_export(
                    filepath=str(path), export_selected_objects=True, path_mode="STRIP", export_pbr_extensions=True
                )
            )
        finally:
            for image, place in kept.items():
                image.filepath_raw = place
    return path.name


def _images(built: scene.Built) -> dict[str, bpy.types.Image | None]:
    """Returns what an OBJ file's material can name, by the names of the files."""
    photo = looks.photo_of(built.object) if looks.look_of(built.object) == "photo" else None
    return {"texture.png": built.texture, "normals.png": looks.normals_of(built.object), "photo.png": photo}


def _write_usd(folder: Path, built: scene.Built, name: str) -> str:
    path = folder / f"{name}.usdz"  # one file, its texture inside
    with _chosen(built, with_cameras=True), looks.exported(built.object):
        _succeed(bpy.ops.wm.usd_export(filepath=str(path), selected_objects_only=True, export_custom_properties=False))
    return path.name


def _write_fbx(folder: Path, built: scene.Built, name: str) -> str:
    path = folder / f"{name}.fbx"  # one file, its textures inside
    _enable("io_scene_fbx")
    with _chosen(built, with_cameras=True), looks.exported(built.object), single_maps.apart(built.object):
        _succeed(
            bpy.ops.export_scene.fbx(filepath=str(path), use_selection=True, path_mode="COPY", embed_textures=True)
        )
    return path.name


FORMATS: dict[str, Callable[[Path, scene.Built, str], str]] = {
    "blend": _write_blend,
    "glb": _write_glb,
    "obj": _write_obj,
    "usd": _write_usd,
    "fbx": _write_fbx,
}
OPERATORS = {"obj": "obj_export", "usd": "usd_export"}
"""Formats that a Blender may have been built without, and their operators in ``bpy.ops.wm``."""
ADDONS = {"glb": "io_scene_gltf2", "fbx": "io_scene_fbx"}
"""Formats that are written by add-ons which come with Blender."""


def lacks(format_name: str) -> bool:
    """Says whether this Blender was built, or packaged, without a format."""
    if format_name in ADDONS:
        return importlib.util.find_spec(ADDONS[format_name]) is None
    return format_name in OPERATORS and OPERATORS[format_name] not in dir(bpy.ops.wm)


def _enable(module: str) -> None:
    if module not in bpy.context.preferences.addons:
        addon_utils.enable(module)


def _succeed(outcome: set[str]) -> None:
    if "FINISHED" not in outcome:
        raise OutputError("Blender's exporter gave up.")


@contextmanager
def _chosen(built: scene.Built, with_cameras: bool = False) -> Iterator[None]:
    """Selects an object with the wheels that are its own: exporters take what is selected, without children.

    The cameras are wanted where a format carries any; their field of view then is that of the photo's size, which
    exporters take from the scene.
    """
    chosen, render = built.object, bpy.context.scene.render
    cameras = [one for one in (built.camera, *built.further_cameras) if one is not None]
    wanted = [chosen, *parts.turning(chosen), *(cameras if with_cameras else ())]
    _pack(chosen)
    kept = {name: getattr(render, name) for name in _FRAME}
    width, height = matching.photo_size(chosen, built.camera)
    with _selectable(wanted):
        for other in bpy.context.view_layer.objects:
            other.select_set(other in wanted)
        bpy.context.view_layer.objects.active = chosen
        if with_cameras and min(width, height) > 0:
            for name, value in zip(_FRAME, (width, height, 1.0, 1.0), strict=True):
                setattr(render, name, value)
        try:
            yield
        finally:
            for name, value in kept.items():
                setattr(render, name, value)


@contextmanager
def _selectable(objects: Sequence[bpy.types.Object]) -> Iterator[None]:
    """While this is open, objects can be selected whatever hides them: exporters leave out what is not, without a word.

    A collection that is shown holds them meanwhile, as their own may be excluded from the view layer.
    """
    shown = bpy.data.collections.new("Unrender export")
    bpy.context.scene.collection.children.link(shown)
    for one in objects:
        shown.objects.link(one)
    bpy.context.view_layer.update()  # what was just linked cannot be selected before
    kept = [(one, one.hide_viewport, one.hide_select, one.hide_get()) for one in objects]
    try:
        for one in objects:
            one.hide_viewport = one.hide_select = False
            one.hide_set(False)
        yield
    finally:
        for one, in_viewports, no_selection, by_eye in kept:
            one.hide_set(by_eye)
            one.hide_viewport, one.hide_select = in_viewports, no_selection
        bpy.data.collections.remove(shown)


def _pack(owner: bpy.types.Object) -> None:
    """Exporters of USD and FBX take what is packed: so that is what the object shows."""
    textures.pack_changed("")
    for material in owner.data.materials:
        nodes = material.node_tree.nodes if material is not None and material.node_tree is not None else ()
        for image in (getattr(node, "image", None) for node in nodes):
            if image is not None and image.is_dirty and image.packed_file is not None:
                image.pack()


def _replace(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    os.replace(source, target)
