# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roughness and metallic as images of their own, for formats that cannot name a channel of an image: OBJ and FBX.

The material itself keeps them in channels of one image, as glTF and USD want them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np

from . import looks, pixels

CHANNELS = {"Red": 0, "Green": 1, "Blue": 2}
MAPS = {"Roughness": "roughness.png", "Metallic": "metallic.png"}
"""Inputs of the shader, and what the files of their maps are called."""


@contextmanager
def apart(owner: bpy.types.Object) -> Iterator[dict[str, bpy.types.Image]]:
    """While this is open each map of an object's material is an image of its own; yields these by their files' names.

    Materials without such maps stay as they are.
    """
    material = owner.active_material
    tree = material.node_tree if material is not None else None
    shaders = [] if tree is None else [one for one in tree.nodes if one.bl_idname == "ShaderNodeBsdfPrincipled"]
    images: dict[str, bpy.types.Image] = {}
    replaced: list[tuple[bpy.types.NodeSocket, bpy.types.NodeSocket, bpy.types.Node]] = []
    for name, file in MAPS.items() if shaders else ():
        socket = looks.principled(material).inputs[name]
        values = _values(socket)
        if values is None:
            continue
        images[file] = image = pixels.new_map(
            f"{material.name} {name.lower()}", np.repeat(values[..., None], 3, axis=2)
        )
        image.colorspace_settings.name = "Non-Color"  # type: ignore[assignment] # the stubs know no configuration
        node = tree.nodes.new("ShaderNodeTexImage")
        node.image = image
        replaced.append((socket.links[0].from_socket, socket, node))
        tree.links.new(node.outputs["Color"], socket)
    try:
        yield images
    finally:
        for source, socket, node in replaced:
            tree.links.new(source, socket)
            tree.nodes.remove(node)
        for image in images.values():
            bpy.data.images.remove(image)


def _values(socket: bpy.types.NodeSocket) -> np.ndarray | None:
    """Returns what a socket gets from a channel of an image (H, W) uint8, None where it gets something else."""
    if not socket.is_linked:
        return None
    link = socket.links[0]
    source = link.from_node
    if source.bl_idname != "ShaderNodeSeparateColor" or not source.inputs["Color"].is_linked:
        return None
    image = getattr(source.inputs["Color"].links[0].from_node, "image", None)
    if image is None or link.from_socket.name not in CHANNELS:
        return None
    return pixels.to_bytes(pixels.read(image)[..., CHANNELS[link.from_socket.name]])
