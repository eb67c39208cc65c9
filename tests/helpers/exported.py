# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchange files opened again by Blender itself, and what a shader then gets; for any Blender, without pytest."""

from __future__ import annotations

import addon_utils
import bpy

from addon import looks, pixels

CHANNELS = ("Red", "Green", "Blue")


def open_file(path):
    """Opens a file of any format in place of what is there."""
    if path.endswith(".blend"):
        bpy.ops.wm.open_mainfile(filepath=path)
        return
    bpy.ops.wm.read_homefile(use_empty=True)
    if path.endswith(".glb"):
        addon_utils.enable("io_scene_gltf2")
        bpy.ops.import_scene.gltf(filepath=path)
    elif path.endswith(".fbx"):
        addon_utils.enable("io_scene_fbx")
        bpy.ops.import_scene.fbx(filepath=path)
    elif path.endswith(".obj"):
        bpy.ops.wm.obj_import(filepath=path)
    else:
        bpy.ops.wm.usd_import(filepath=path)


def source_of(socket):
    """Returns the image that a socket gets its values from, through whatever lies between."""
    while socket.is_linked:
        node = socket.links[0].from_node
        if node.bl_idname == "ShaderNodeTexImage":
            return node.image
        socket = node.inputs["Color"]
    return None


def map_of(material, name):
    """Returns the pixels (T, T[, 3]) uint8 that an input of a material's shader gets, or its one value."""
    socket = looks.principled(material).inputs[name]
    image = source_of(socket)
    if image is None:
        return socket.default_value
    values, through = pixels.to_bytes(pixels.read(image)), socket.links[0]
    if through.from_node.bl_idname == "ShaderNodeSeparateColor":
        return values[..., CHANNELS.index(through.from_socket.name)]
    return values[..., :3] if name in ("Base Color", "Normal") else values[..., 0]
