# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo behind what a scene renders, by Blender's own compositor.

Up to Blender 4 a scene has one tree of nodes, from 5 on it points to a group that others may share.
"""

from __future__ import annotations

from typing import Any

import bpy

OURS = "unrender_photo_behind"
"""Property of a node tree, or of a scene where the tree is the scene's own: made here."""


def put_behind(target: bpy.types.Scene, photo: bpy.types.Image) -> None:
    """Has a scene's render laid over a photo, which fills the frame. Raises ValueError where the scene has a compositor
    of its own, which stays as it is."""
    if in_use(target) and not is_ours(target):
        raise ValueError(
            "The scene has a compositor of its own. Lay the render over the photo there, or turn it off first."
        )
    if hasattr(target, "compositing_node_group"):
        tree = bpy.data.node_groups.new(f"{target.name} over photo", "CompositorNodeTree")
        tree.interface.new_socket(name="Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        give_back(target)
        target.compositing_node_group = tree
        tree[OURS] = True
        output = tree.nodes.new("NodeGroupOutput")
    else:
        target.use_nodes = True
        tree = target.node_tree
        tree.nodes.clear()
        target[OURS] = True
        output = tree.nodes.new("CompositorNodeComposite")
    target.render.use_compositing = True
    _fill(tree, output, target, photo)


def in_use(target: bpy.types.Scene) -> bool:
    """Says whether a scene's renders go through nodes."""
    if hasattr(target, "compositing_node_group"):
        return target.compositing_node_group is not None
    return target.use_nodes


def is_ours(target: bpy.types.Scene) -> bool:
    """Says whether these nodes were made here."""
    if hasattr(target, "compositing_node_group"):
        return target.compositing_node_group is not None and target.compositing_node_group.get(OURS) is not None
    return target.get(OURS) is not None


def give_back(target: bpy.types.Scene) -> None:
    """Takes the nodes away that were made here."""
    if not is_ours(target):
        return
    if hasattr(target, "compositing_node_group"):
        tree = target.compositing_node_group
        target.compositing_node_group = None
        if tree.users == 0:
            bpy.data.node_groups.remove(tree)
        return
    target.node_tree.nodes.clear()
    target.use_nodes = False
    del target[OURS]


def _fill(tree: Any, output: bpy.types.Node, target: bpy.types.Scene, photo: bpy.types.Image) -> None:
    behind = tree.nodes.new("CompositorNodeImage")
    behind.image = photo
    size = tree.nodes.new("CompositorNodeScale")
    if hasattr(size, "space"):
        size.space = "RENDER_SIZE"
        size.frame_method = "CROP"
    else:
        size.inputs["Type"].default_value = "Render Size"
        size.inputs["Frame Type"].default_value = "Crop"
    render = tree.nodes.new("CompositorNodeRLayers")
    render.scene = target
    over = tree.nodes.new("CompositorNodeAlphaOver")
    for number, node in enumerate((behind, size, over, output)):
        node.location = (260 * number - 400, 0)
    render.location = (-140, -320)
    lower, upper = [socket for socket in over.inputs if socket.type == "RGBA"]
    tree.links.new(behind.outputs["Image"], size.inputs["Image"])
    tree.links.new(size.outputs["Image"], lower)
    tree.links.new(render.outputs["Image"], upper)
    tree.links.new(over.outputs["Image"], output.inputs["Image"])
