# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a generator of shapes made besides a surface: the background, larger than its camera's frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from . import parts, pixels, textures
from .wire import records

if TYPE_CHECKING:
    from . import scene

BACKGROUND = "unrender_background"
"""Property of an object: the image of the background that was made with it."""


def finish(owner: bpy.types.Object, camera: bpy.types.Object, result: records.Reconstruction) -> None:
    """Keeps a result's background with its object, and behind it in its camera; nothing for a result without one."""
    if result.background.size == 0:
        return
    image = pixels.new_map(f"{result.name} background", result.background)
    owner[BACKGROUND] = image
    shown = camera.data.background_images.new()
    shown.image, shown.alpha = image, 1.0
    # A square as wide and high as the picture's longer side, that many times: its middle is what the frame shows.
    shown.frame_method, shown.scale = "CROP", result.background_factor
    camera.data.show_background_images = True
    for slot in owner.material_slots:
        for node in slot.material.node_tree.nodes:
            if node.bl_idname == "ShaderNodeTexImage":
                node.extension = "EXTEND"  # the chart goes up to the texture's border: the other side is none of it


def without_light(built: scene.Built) -> scene.Built:
    """Takes the world that was built with an object out of the file, where no scene has it; returns the rest."""
    images = [node.image for node in built.world.node_tree.nodes if getattr(node, "image", None) is not None]
    bpy.data.worlds.remove(built.world)
    for image in images:
        bpy.data.images.remove(image)
    return built


def background_of(owner: bpy.types.Object) -> bpy.types.Image | None:
    """Returns the background that was made with an object, None where there is none."""
    return owner.get(BACKGROUND)


def has_sliders(owner: bpy.types.Object) -> bool:
    """Says whether an object has handles of shape and colours: what a generator of shapes made has none."""
    return parts.has_parts(owner) or len(owner.get(textures.TEXTURE_CODE, ())) > 0
