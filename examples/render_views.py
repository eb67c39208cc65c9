# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a mesh from all sides with Blender, for fit_views.py: pictures with a transparent ground, and their cameras.

    blender -b -P examples/render_views.py -- --out DIR [--mesh FILE] [--views 16] [--resolution 256] [--seed 0]
    python examples/render_views.py --out DIR ...          where the bpy package is installed

Without a file it is Blender's monkey, in colours that differ from place to place. The surface is diffuse and the light
stands still, so that a place looks the same from everywhere. Writes view_00.png … and views.json, whose cameras are in
the conventions of backend/render/camera.py.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import bpy
import numpy as np

FIELD_OF_VIEW = math.radians(24)
DISTANCE = 2.9


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="render_views.py", description="Renders a mesh from all sides.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mesh", type=Path, help="a .obj, .glb, .ply or .stl file; Blender's monkey without")
    parser.add_argument("--views", type=int, default=16)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.views < 1 or options.resolution < 8:
        parser.error("there must be a view at least, of 8 pixels at least")
    if options.mesh and not options.mesh.is_file():
        parser.error(f"there is no file {options.mesh}")
    return options


def load_object(mesh: Path | None) -> bpy.types.Object:
    """The object in the canonical frame: its box centred at the origin, longest side 1. Exits on a file of no use."""
    if mesh is None:
        bpy.ops.mesh.primitive_monkey_add()
        bpy.context.object.modifiers.new("Subdivision", "SUBSURF").render_levels = 2
    else:
        readers = {
            ".obj": bpy.ops.wm.obj_import, ".ply": bpy.ops.wm.ply_import, ".stl": bpy.ops.wm.stl_import,
            ".glb": bpy.ops.import_scene.gltf, ".gltf": bpy.ops.import_scene.gltf,
        }  # fmt: skip
        reader = readers.get(mesh.suffix.lower())
        if reader is None:
            sys.exit(f"render_views.py: {mesh.name} is none of {', '.join(readers)}.")
        reader(filepath=str(mesh))
    meshes = [item for item in bpy.context.scene.objects if item.type == "MESH"]
    if not meshes:
        sys.exit(f"render_views.py: no mesh is in {mesh}.")
    bpy.context.view_layer.objects.active = meshes[0]
    for item in meshes:
        item.select_set(True)
    bpy.ops.object.convert(target="MESH")
    if len(meshes) > 1:
        bpy.ops.object.join()
    item = bpy.context.view_layer.objects.active
    item.parent = None
    bpy.ops.object.transform_apply(location=True, rotation=True, scale=True)
    points = np.empty(3 * len(item.data.vertices), dtype=np.float32)
    item.data.vertices.foreach_get("co", points)
    points = points.reshape(-1, 3)
    low, high = points.min(axis=0), points.max(axis=0)
    points = (points - (low + high) / 2) / (high - low).max()
    item.data.vertices.foreach_set("co", points.ravel())
    item.data.shade_smooth()
    return item


def paint(item: bpy.types.Object) -> None:
    """Diffuse colours by place, unless the file brought materials."""
    if any(slot.material for slot in item.material_slots):
        return
    material = bpy.data.materials.new("Colours")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    place, noise = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeTexNoise")
    diffuse, output = nodes.new("ShaderNodeBsdfDiffuse"), nodes.new("ShaderNodeOutputMaterial")
    contrast = nodes.new("ShaderNodeHueSaturation")
    noise.inputs["Scale"].default_value, noise.inputs["Detail"].default_value = 3.0, 3.0
    contrast.inputs["Saturation"].default_value, contrast.inputs["Value"].default_value = 2.0, 1.3
    links.new(place.outputs["Object"], noise.inputs["Vector"])
    links.new(noise.outputs["Color"], contrast.inputs["Color"])
    links.new(contrast.outputs["Color"], diffuse.inputs["Color"])
    links.new(diffuse.outputs["BSDF"], output.inputs["Surface"])
    item.data.materials.clear()
    item.data.materials.append(material)


def set_stage(resolution: int) -> bpy.types.Object:
    """Light, render settings and a camera, which is returned."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.device = 16, False, "CPU"
    scene.cycles.max_bounces, scene.cycles.filter_width = 1, 1.0
    scene.render.film_transparent = True
    scene.render.resolution_x = scene.render.resolution_y = resolution
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    scene.world = bpy.data.worlds.new("World")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs[0].default_value = (0.75, 0.75, 0.75, 1)
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy, sun.data.use_shadow = 1.0, False
    sun.rotation_euler = (0.6, 0.3, 0.4)
    scene.collection.objects.link(sun)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.sensor_fit, camera.data.lens_unit, camera.data.angle = "VERTICAL", "FOV", FIELD_OF_VIEW
    camera.rotation_mode = "XYZ"
    scene.collection.objects.link(camera)
    scene.camera = camera
    return camera


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    paint(load_object(options.mesh))
    camera = set_stage(options.resolution)
    rng = np.random.default_rng(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    records = []
    # A turn around the object in even steps, now from above and now from below.
    for number in range(options.views):
        azimuth = 2 * math.pi * (number + 0.3 * rng.uniform(-1, 1)) / options.views
        elevation = math.radians(rng.uniform(-20, 50))
        azimuth = math.remainder(azimuth, 2 * math.pi)
        camera.location = (
            DISTANCE * math.cos(elevation) * math.sin(azimuth),
            -DISTANCE * math.cos(elevation) * math.cos(azimuth),
            DISTANCE * math.sin(elevation),
        )
        camera.rotation_euler = (math.pi / 2 - elevation, 0, azimuth)
        name = f"view_{number:02d}.png"
        bpy.context.scene.render.filepath = str(options.out.resolve() / name)
        bpy.ops.render.render(write_still=True)
        pose = {"azimuth": azimuth, "elevation": elevation, "distance": DISTANCE, "roll": 0.0}
        records.append(
            {"file": name, "camera": {**pose, "field_of_view": FIELD_OF_VIEW, "shift_x": 0.0, "shift_y": 0.0}}
        )
        print(f"view {number + 1} of {options.views}", flush=True)
    (options.out / "views.json").write_text(json.dumps({"views": records}, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]))
