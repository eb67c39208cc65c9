# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender scene of the renders: set up once, then every object and view only changes what differs."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy
import numpy as np

from backend.common.pinhole import camera_to_world
from backend.common.records import Camera

from .cars.car import ObjectMesh
from .exr import read_exr
from .materials import MASK
from .shapes import MARKINGS

MARGIN = 3
"""Pixels that are rendered beyond each side of the picture and cut off: the denoiser spoils the outermost ones."""


def encode_srgb(image: np.ndarray) -> np.ndarray:
    """Encode linear colour as sRGB in 0..1 (Blender's view transform 'Standard')."""
    image = np.clip(image, 0, 1)
    return np.where(image <= 0.0031308, image * 12.92, 1.055 * image ** (1 / 2.4) - 0.055)


class RenderScene:
    """An empty Cycles scene with a camera and a mask pass, and the way to pixels."""

    def __init__(self, resolution: int, samples: int, threads: int) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.scene = scene = bpy.context.scene
        self._set_cycles(samples, threads)
        self._resolution = resolution
        set_size(scene, resolution)
        scene.render.use_compositing = scene.render.use_sequencer = False
        scene.view_settings.view_transform = "Standard"  # type: ignore[assignment]  # stubs know one value only
        add_pass(scene.view_layers[0], MASK)
        scene.view_layers[0].pass_alpha_threshold = 0.0  # glass counts once, and what stands behind it not again
        memory = Path("/dev/shm")
        self._temporary = tempfile.TemporaryDirectory(prefix="unrender_", dir=memory if memory.is_dir() else None)
        self.folder = Path(self._temporary.name)
        self._file = new_file(scene, self.folder, "view.exr")
        self.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
        self.camera.rotation_mode = "QUATERNION"
        scene.collection.objects.link(self.camera)
        scene.camera = self.camera

    def _set_cycles(self, samples: int, threads: int) -> None:
        scene = self.scene
        scene.render.engine = "CYCLES"  # type: ignore[assignment]
        scene.render.threads_mode, scene.render.threads = "FIXED", threads
        scene.render.use_persistent_data = True
        cycles = scene.cycles
        cycles.device, cycles.samples, cycles.use_adaptive_sampling = "CPU", samples, False
        cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
        cycles.denoising_prefilter, cycles.denoising_input_passes = "FAST", "RGB_ALBEDO_NORMAL"
        if hasattr(cycles, "denoising_quality"):
            cycles.denoising_quality = "FAST"
        cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 2, 2
        cycles.transmission_bounces = cycles.volume_bounces = 1
        cycles.transparent_max_bounces = 4  # two panes of a cabin, and the shadow rays into it
        cycles.caustics_reflective = cycles.caustics_refractive = False
        cycles.sample_clamp_indirect = 4.0
        cycles.use_auto_tile = False
        scene.render.film_transparent = False
        cycles.filter_width = 1.3

    def look_through(self, view: Camera) -> None:
        """Move the camera."""
        import mathutils

        pose = mathutils.Matrix(camera_to_world(view).tolist())
        self.camera.location, self.camera.rotation_quaternion = pose.to_translation(), pose.to_quaternion()
        data = self.camera.data
        data.sensor_fit, data.lens_unit = "VERTICAL", "FOV"
        wider = 1 + 2 * MARGIN / self._resolution
        data.angle = 2 * np.arctan(np.tan(view.field_of_view / 2) * wider)
        data.shift_x, data.shift_y = -view.shift_x / wider, -view.shift_y / wider
        data.clip_start, data.clip_end = 0.01, 500.0

    def render(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the linear picture (H, W, 3) and the object's coverage (H, W) in 0..1."""
        self.scene.cycles.seed = seed % (2**31)
        bpy.ops.render.render(write_still=True, scene=self.scene.name)
        channels = read_exr(self._file)
        colour = np.stack([channel(channels, "Combined", letter) for letter in "RGB"], axis=-1)
        return colour, np.clip(channel(channels, MASK, "X", "V"), 0, 1)


def set_size(scene: bpy.types.Scene, resolution: int) -> None:
    """Make a scene render square pictures of `resolution` and a margin."""
    scene.render.resolution_x = scene.render.resolution_y = resolution + 2 * MARGIN
    scene.render.resolution_percentage = 100


def add_pass(layer: bpy.types.ViewLayer, name: str) -> None:
    """Add a pass of numbers that materials write."""
    aov = layer.aovs.add()
    aov.name, aov.type = name, "VALUE"


def new_file(scene: bpy.types.Scene, folder: Path, name: str) -> Path:
    """Make a scene write its passes, uncompressed, into a file; return the file."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # Blender 5 sorts formats into kinds first
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth, settings.exr_codec = "32", "NONE"
    file = folder / name
    scene.render.filepath = str(file)
    return file


def channel(channels: dict[str, np.ndarray], name: str, *letters: str) -> np.ndarray:
    """Return the channel of pass `name` without the margin; KeyError lists what there is."""
    for key, value in channels.items():
        parts = key.split(".")
        if name in parts and parts[-1] in letters:
            return value[MARGIN:-MARGIN, MARGIN:-MARGIN]
    raise KeyError(f"No channel {name} in the render; it has {sorted(channels)}.")


def blender_mesh(name: str, mesh: ObjectMesh) -> bpy.types.Mesh:
    """Return a Blender mesh with slots, smooth flags and markings as vertex attributes."""
    result = bpy.data.meshes.new(name)
    sizes = (mesh.faces >= 0).sum(axis=1)
    corners = mesh.faces[mesh.faces >= 0].astype(np.int32)
    result.vertices.add(len(mesh.vertices))
    result.vertices.foreach_set("co", mesh.vertices.ravel())
    result.loops.add(len(corners))
    result.loops.foreach_set("vertex_index", corners)
    result.polygons.add(len(sizes))
    result.polygons.foreach_set("loop_start", np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32))
    result.polygons.foreach_set("material_index", mesh.slots.astype(np.int32))
    result.polygons.foreach_set("use_smooth", mesh.smooth.astype(bool))
    for group in range(0, len(MARKINGS), 3):
        attribute = result.attributes.new(f"marking_{group // 3}", "FLOAT_VECTOR", "POINT")
        attribute.data.foreach_set("vector", np.ascontiguousarray(mesh.markings[:, group : group + 3]).ravel())
    result.update(calc_edges=True)
    return result
