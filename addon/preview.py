# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preview picture: the photo, the result through the recovered camera, and the result from four other sides."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import pixels, scene
from .camera import SENSOR_WIDTH, focal_length
from .wire import records

SAMPLES = 48
"""Samples a pixel: enough for paint that shines under a smooth sky. Not every build of Blender has a denoiser."""
TILE_WIDTH, TILE_HEIGHT, GAP = 480, 320, 8
SIDE_ELEVATION = math.radians(18)
SIDE_FIELD_OF_VIEW = math.radians(24)
SIDE_DISTANCE = 2.2
"""Distance at which the longest side fits into the width of a tile at that field of view."""
BACKGROUND = 0.86
LARGEST_SMALL_SKY = 64
"""Pixels: the width of the light that is found in a photo."""

_SETTINGS = (
    "engine", "resolution_x", "resolution_y", "resolution_percentage", "filepath", "film_transparent",
    "use_persistent_data", "use_compositing", "use_sequencer",
)  # fmt: skip


@dataclass(frozen=True)
class Preview:
    """The picture, and the object alone as the recovered camera sees it."""

    picture: np.ndarray
    """Tiles side by side, (H, W, 3) uint8."""
    overlay: np.ndarray
    """Result through the recovered camera, (h, w, 4) float32, transparent around the object."""


def make(
    target: bpy.types.Scene,
    built: scene.Built,
    result: records.Reconstruction | records.FurtherPhoto,
    photo: np.ndarray,
) -> Preview:
    """Renders and puts together the preview of what a camera sees. The scene's settings are as before afterwards."""
    width, height = fitted(result.image_width, result.image_height, TILE_WIDTH, TILE_HEIGHT)
    side_width, side_height = (TILE_WIDTH - GAP) // 2, (TILE_HEIGHT - GAP) // 2
    with render_settings(target):
        overlay = render(target, built.camera, width, height)
        poses = side_poses(result.camera, side_distance(built.object, side_height / side_width))
        sides = [render_side(target, built, pose, side_width, side_height) for pose in poses]
    canvas = np.full((TILE_HEIGHT + 2 * GAP, 3 * TILE_WIDTH + 4 * GAP, 3), BACKGROUND, np.float32)
    left, top = (TILE_WIDTH - width) // 2, (TILE_HEIGHT - height) // 2
    paste(canvas, pixels.resized(photo.astype(np.float32) / 255, height, width), GAP + left, GAP + top)
    paste(canvas, overlay, 2 * GAP + TILE_WIDTH + left, GAP + top)
    for number, side in enumerate(sides):
        row, column = divmod(number, 2)
        x = 3 * GAP + 2 * TILE_WIDTH + column * (side_width + GAP)
        paste(canvas, side, x, GAP + row * (side_height + GAP))
    return Preview(pixels.to_bytes(canvas), overlay)


def side_poses(camera: records.Camera, distance: float = SIDE_DISTANCE) -> list[records.Camera]:
    """Returns four cameras around the object, none of them where the photo was taken."""
    return [
        records.Camera(camera.azimuth + math.radians(72 * turn), SIDE_ELEVATION, distance, 0.0, SIDE_FIELD_OF_VIEW)
        for turn in range(1, 5)
    ]


def side_distance(owner: bpy.types.Object, height: float) -> float:
    """Returns the distance, in lengths of the object, at which it fits into a tile of a height in widths of the tile.

    Long objects fit by their length; tall ones need more.
    """
    width, depth, tall = (side / owner.unrender.real_size for side in owner.dimensions)
    seen = tall * math.cos(SIDE_ELEVATION) + math.hypot(width, depth) * math.sin(SIDE_ELEVATION)
    shown = 2 * SIDE_DISTANCE * math.tan(0.5 * SIDE_FIELD_OF_VIEW) * height
    return SIDE_DISTANCE * max(1.0, seen / shown)


@contextmanager
def samples(count: int) -> Iterator[None]:
    """While this is open, previews are rendered with so many samples a pixel."""
    global SAMPLES
    before, SAMPLES = SAMPLES, count
    try:
        yield
    finally:
        SAMPLES = before


def silhouette_iou(overlay: np.ndarray, mask: np.ndarray) -> float:
    """Returns how well a render's silhouette lies over the mask (H, W) of the photo."""
    wanted = pixels.resized(mask[..., None].astype(np.float32) / 255, *overlay.shape[:2])[..., 0] > 0.5
    found = overlay[..., 3] > 0.5
    union = np.count_nonzero(wanted | found)
    return np.count_nonzero(wanted & found) / union if union else 0.0


def render(target: bpy.types.Scene, camera: bpy.types.Object, width: int, height: int) -> np.ndarray:
    """Returns what a camera sees as (height, width, 4) float32 sRGB; inside :func:`render_settings`."""
    target.camera = camera
    target.render.resolution_x, target.render.resolution_y = width, height
    with tempfile.TemporaryDirectory(prefix="unrender-") as folder:
        path = Path(folder) / "render.png"
        target.render.filepath = str(path)
        bpy.ops.render.render(write_still=True, scene=target.name)
        image = bpy.data.images.load(str(path))
        try:
            return pixels.read(image).copy()
        finally:
            bpy.data.images.remove(image)


def render_side(
    target: bpy.types.Scene, built: scene.Built, pose: records.Camera, width: int, height: int
) -> np.ndarray:
    """Returns what a camera around the object would see, as :func:`render` does; inside :func:`render_settings`."""
    return render_from(target, built.object, pose, width, height)


def render_from(
    target: bpy.types.Scene, owner: bpy.types.Object, pose: records.Camera, width: int, height: int
) -> np.ndarray:
    """Returns what a camera around a result's main object would see, as :func:`render_side` does."""
    data = bpy.data.cameras.new("Side")
    data.sensor_width = SENSOR_WIDTH
    data.lens = focal_length(replace(pose, field_of_view=pose.field_of_view), width, height)
    camera = bpy.data.objects.new("Side", data)
    target.collection.objects.link(camera)
    try:
        scene.place_camera(camera, owner, pose, owner.unrender.real_size)
        return render(target, camera, width, height)
    finally:
        bpy.data.objects.remove(camera)
        bpy.data.cameras.remove(data)


@contextmanager
def render_settings(target: bpy.types.Scene) -> Iterator[None]:
    """Quick settings of Cycles on the processor while this is open: they need no window and no graphics card."""
    settings = target.render
    kept = {name: getattr(settings, name) for name in _SETTINGS}
    image_format = settings.image_settings.file_format, settings.image_settings.color_mode
    camera = target.camera
    settings.engine = "CYCLES"  # type: ignore[assignment] # an add-on, so the stubs do not know it
    cycles = target.cycles
    kept_cycles = {
        name: getattr(cycles, name) for name in ("samples", "use_denoising", "use_adaptive_sampling", "device")
    }
    kept_sky = _sample_small_sky(target.world)
    try:
        cycles.samples, cycles.use_denoising, cycles.use_adaptive_sampling, cycles.device = SAMPLES, False, False, "CPU"
        settings.resolution_percentage = 100
        settings.film_transparent = True
        settings.use_persistent_data = True
        settings.use_compositing = settings.use_sequencer = False
        settings.image_settings.file_format = "PNG"
        settings.image_settings.color_mode = "RGBA"
        yield
    finally:
        for name, value in kept_sky.items():
            setattr(target.world.cycles, name, value)
        for name, value in kept_cycles.items():
            setattr(cycles, name, value)
        for name, value in kept.items():
            setattr(settings, name, value)
        settings.image_settings.file_format, settings.image_settings.color_mode = image_format
        target.camera = camera


def _sample_small_sky(world: bpy.types.World | None) -> dict[str, Any]:
    """Has Cycles look for light in a sky as finely as its image is; returns the settings that were there before.

    It would look at 1024 x 512 places of any sky, which takes longer than all else of a small render.
    """
    nodes = world.node_tree.nodes if world is not None and world.node_tree is not None else ()
    skies = [node.image for node in nodes if node.bl_idname == "ShaderNodeTexEnvironment"]
    if not skies or any(sky is None or max(sky.size) > LARGEST_SMALL_SKY for sky in skies):
        return {}
    settings = world.cycles
    kept = {name: getattr(settings, name) for name in ("sampling_method", "sample_map_resolution")}
    settings.sampling_method, settings.sample_map_resolution = "MANUAL", LARGEST_SMALL_SKY
    return kept


def fitted(width: int, height: int, most_width: int, most_height: int) -> tuple[int, int]:
    """Returns the width and height of the largest picture of a shape that fits into a tile."""
    scale = min(most_width / width, most_height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def paste(canvas: np.ndarray, tile: np.ndarray, left: int, top: int) -> None:
    """Lays a tile (h, w, 3 or 4) over a part of the canvas."""
    part = canvas[top : top + tile.shape[0], left : left + tile.shape[1]]
    alpha = tile[..., 3:] if tile.shape[2] == 4 else 1.0
    part[:] = tile[..., :3] * alpha + part * (1 - alpha)
