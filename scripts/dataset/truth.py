# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every pixel shows: the canonical coordinate and the region of the surface at the pixel's centre.

A scene of its own holds the object alone, without light, with materials that only carry regions. Cycles keeps what it
built of either scene, so a view costs about a fiftieth of its picture; hiding things in one scene would cost more.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from .exr import read_exr
from .materials import REGION, CarMaterials, aov_output
from .scene import add_pass, channel, new_file, set_size


class TruthScene:
    """Renders coordinates and regions through the camera of the pictures."""

    def __init__(self, resolution: int, camera: bpy.types.Object, folder: Path) -> None:
        self.scene = scene = bpy.data.scenes.new("Truth")
        scene.render.engine = "CYCLES"  # type: ignore[assignment]
        scene.render.threads_mode, scene.render.threads = "FIXED", 1
        scene.render.use_persistent_data = True
        set_size(scene, resolution)
        scene.render.use_compositing = scene.render.use_sequencer = False
        cycles = scene.cycles
        cycles.device, cycles.samples, cycles.use_adaptive_sampling, cycles.use_denoising = "CPU", 1, False, False
        cycles.max_bounces = cycles.transparent_max_bounces = 0
        cycles.use_auto_tile = False
        cycles.filter_width = 0.01  # one ray through the middle of each pixel
        layer = scene.view_layers[0]
        layer.use_pass_z, layer.use_pass_position = False, True
        add_pass(layer, REGION)
        self._file = new_file(scene, folder, "truth.exr")
        scene.collection.objects.link(camera)
        scene.camera = camera
        self._car = CarMaterials()
        self._car.set_glass_opaque(True)  # in the pictures one may look through glass; here it hides the seats
        self._plain: dict[int, bpy.types.Material] = {}
        self._object: bpy.types.Object | None = None

    def show_car(self, mesh: bpy.types.Mesh, two_tone: bool) -> None:
        """Put a parametric car, painted in two colours or in one, in the scene in place of the last object."""
        self._car.mark_two_tone(two_tone)
        self._show(mesh, self._car.slots)

    def show_model(self, mesh: bpy.types.Mesh, regions: list[int]) -> None:
        """Put a model in the scene, the material slots of which count as `regions`, numbers of the part map."""
        self._show(mesh, [self._opaque(number) for number in regions])

    def clear(self) -> None:
        """Take the object out of the scene."""
        if self._object is not None:
            bpy.data.objects.remove(self._object)
            self._object = None

    def render(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the coordinates (R, R, 3), and the regions (R, R) uint8, which are 0 in the background."""
        bpy.ops.render.render(write_still=True, scene=self.scene.name)
        channels = read_exr(self._file)
        coordinates = np.stack([channel(channels, "Position", letter) for letter in "XYZ"], axis=-1)
        return coordinates, np.round(channel(channels, REGION, "X", "V")).astype(np.uint8)

    def _show(self, mesh: bpy.types.Mesh, materials: list[bpy.types.Material]) -> None:
        self.clear()
        self._object = bpy.data.objects.new("Truth", mesh)
        self.scene.collection.objects.link(self._object)
        for slot, material in zip(self._object.material_slots, materials, strict=True):
            slot.link = "OBJECT"  # type: ignore[assignment]
            slot.material = material

    def _opaque(self, number: int) -> bpy.types.Material:
        """Return a material that nothing shows through and that counts as region `number`."""
        if number not in self._plain:
            material = self._plain[number] = bpy.data.materials.new(f"region_{number}")
            material.use_nodes = True
            aov_output(material.node_tree.nodes, REGION, float(number))
        return self._plain[number]
