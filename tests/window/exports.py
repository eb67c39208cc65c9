# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a real Blender without a window: writes cars in every format that it has, and reads them back.

    blender -b --factory-startup -P exports.py -- OUT

The exporters are those of this Blender, which change from version to version. Writes OUT/told.json: for each format
whether each map came texel by texel, the size in metres, and the parts.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import addon_utils  # noqa: E402 - only now is the checkout on the path
import numpy as np  # noqa: E402

import addon  # noqa: E402
from addon import export, interpolation, scene  # noqa: E402
from tests.helpers import exported, toy  # noqa: E402

OUT = Path(sys.argv[sys.argv.index("--") + 1]).absolute()
MAPS = ("Base Color", "Roughness", "Metallic", "Normal")


def car(seed, name="toy car"):
    """Returns a car whose maps differ from texel to texel."""
    result = toy.parts_with_looks(name)
    rng = np.random.default_rng(seed)
    shape = result.texture.shape[:2]
    result.texture = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    result.parts.surface = rng.integers(0, 256, (*shape, 2), dtype=np.uint8)
    return result


def found(result):
    """What there is now, beside what was written."""
    (material,) = {slot.material for one in bpy.data.objects for slot in one.material_slots}
    wanted = (result.texture, result.parts.surface[..., 0], result.parts.surface[..., 1], result.parts.normal)
    maps = {
        name: bool(np.array_equal(exported.map_of(material, name), one))
        for name, one in zip(MAPS, wanted, strict=True)
    }  # fmt: skip
    meshes = {one.name.replace("_", " "): one for one in bpy.data.objects if one.type == "MESH"}
    sizes = sorted(meshes["toy car"].dimensions)
    cameras = sum(one.type == "CAMERA" for one in bpy.data.objects)
    return {"maps": maps, "longest": sizes[-1], "meshes": sorted(meshes), "cameras": cameras}


def written(kind, result):
    """Writes and opens a car of parts as the commands do."""
    bpy.ops.wm.read_homefile(use_empty=True)
    built = scene.build(bpy.context.scene, result, set_up_scene=False)
    folder = OUT / kind
    paths = export.write_folder(folder, bpy.context.scene, built, result, np.zeros((4, 4, 3), np.uint8), [kind])
    exported.open_file(paths[kind])
    return found(result)


def by_hand(result):
    """Exports a glTF as File > Export does, and opens it."""
    bpy.ops.wm.read_homefile(use_empty=True)
    scene.build(bpy.context.scene, result, set_up_scene=False)
    addon_utils.enable("io_scene_gltf2")
    bpy.ops.export_scene.gltf(filepath=str(OUT / "by hand.glb"))
    exported.open_file(str(OUT / "by hand.glb"))
    return found(result)


def interpolated(first, second):
    """Exports an object that goes from one to another, and opens it: glTF has the first look alone."""
    bpy.ops.wm.read_homefile(use_empty=True)
    built = [scene.build(bpy.context.scene, one, set_up_scene=False) for one in (first, second)]
    interpolation.join(*built)
    export.FORMATS["glb"](OUT, built[0], "way")
    exported.open_file(str(OUT / "way.glb"))
    return found(first)


OUT.mkdir(parents=True, exist_ok=True)
addon.register()
told = {"blender": bpy.app.version_string, "lacks": [kind for kind in export.FORMATS if export.lacks(kind)]}
try:
    told["written"] = {
        kind: written(kind, car(1)) for kind in ("glb", "obj", "fbx", "usd") if kind not in told["lacks"]
    }
    told["by hand"] = by_hand(car(2))
    told["interpolated"] = interpolated(car(3), car(4, "other car"))
except Exception:
    told["traceback"] = traceback.format_exc()
(OUT / "told.json").write_text(json.dumps(told, indent=1))
