# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One object that goes from one to another by one slider: a shape key, whose value also blends the materials.

Nothing of it needs the worker, a handler or Python: the value of the key is an ordinary one of Blender's, to be keyed
and rendered, and a plain driver takes it over to the materials. Both looks are in one material as in :mod:`.looks`: the
first one's own output stays for exporters, which know one look alone.
"""

from __future__ import annotations

import bpy

from . import kept_shapes, key_looks, looks, palette, parts, scene
from .key_looks import KEY, MIX, key_of

__all__ = ["KEY", "MIX", "join", "key_of"]

_COPIED = ("image", "extension", "interpolation", "mode", "space", "uv_map")
"""What else than its inputs decides what a node does, of those that materials here are made of."""
_BELOW = 900.0
"""How far below the first look the nodes of the second one stand."""


def join(first: scene.Built, second: scene.Built) -> bpy.types.ShapeKey:
    """Gives the first object a key that makes it the second one, which is taken out of the file. Returns the key.

    Raises ValueError, before anything is changed, where their meshes do not go together.
    """
    owner, other = first.object, second.object
    key = kept_shapes.keep(owner, kept_shapes.shape_of(other), other.name)
    owner[KEY] = key.name
    owner.active_shape_key_index = owner.data.shape_keys.key_blocks.find(key.name)
    for material, counterpart in _pairs(owner, other):
        _mix(material, counterpart, key)
    _remove(second)
    return key


def _materials(owner: bpy.types.Object) -> list[bpy.types.Material]:
    slots = (slot.material for one in (owner, *parts.turning(owner)) for slot in one.material_slots)
    return list(dict.fromkeys(material for material in slots if material is not None))


def _pairs(owner: bpy.types.Object, other: bpy.types.Object) -> list[tuple[bpy.types.Material, bpy.types.Material]]:
    """Returns the materials of an object with those of another one that are of the same surface region, or of all."""
    of_region = {material.get(palette.REGION): material for material in _materials(other)}
    found = [(material, of_region.get(material.get(palette.REGION))) for material in _materials(owner)]
    return [(material, counterpart) for material, counterpart in found if counterpart is not None]


def _mix(material: bpy.types.Material, other: bpy.types.Material, key: bpy.types.ShapeKey) -> None:
    """Gives a material the look of another one besides its own, blended by a key's value."""
    tree, own = material.node_tree, looks.principled(material)
    shader = _copied_into(tree, other.node_tree)[looks.principled(other)]
    mix = tree.nodes.new("ShaderNodeMixShader")
    mix.name = mix.label = MIX
    mix.location = (60, -_BELOW / 2)
    for place, source in ((1, own), (2, shader)):
        tree.links.new(source.outputs["BSDF"], mix.inputs[place])
    looks.show_mix(mix, own)
    key_looks.follow(material, key)


def _copied_into(tree: bpy.types.NodeTree, source: bpy.types.NodeTree) -> dict[bpy.types.Node, bpy.types.Node]:
    """Copies the nodes of a material but for its outputs into another one; returns the copies by their originals."""
    copies = {}
    for node in source.nodes:
        if node.bl_idname == "ShaderNodeOutputMaterial":
            continue
        copy = copies[node] = tree.nodes.new(node.bl_idname)
        copy.location = (node.location[0], node.location[1] - _BELOW)
        for name in _COPIED:
            if hasattr(node, name):
                setattr(copy, name, getattr(node, name))
        for theirs, ours in zip(node.inputs, copy.inputs, strict=True):
            if hasattr(theirs, "default_value"):
                ours.default_value = theirs.default_value
    for link in source.links:
        if link.to_node in copies and link.from_node in copies:
            start = copies[link.from_node].outputs[list(link.from_node.outputs).index(link.from_socket)]
            end = copies[link.to_node].inputs[list(link.to_node.inputs).index(link.to_socket)]
            tree.links.new(start, end)
    return copies


def _remove(built: scene.Built) -> None:
    """Takes an object out of the file with all that nothing else uses."""
    owner = built.object
    materials = _materials(owner)
    images = [node.image for one in materials for node in one.node_tree.nodes if getattr(node, "image", None)]
    images += [owner.unrender.base_texture, *(one.image for one in built.camera.data.background_images)]
    images += [built.texture]
    for one in (*built.turning, owner, built.camera):
        data = one.data
        bpy.data.objects.remove(one)
        bpy.data.batch_remove([data])
    bpy.data.collections.remove(built.collection)
    for material in materials:
        bpy.data.materials.remove(material)
    for image in dict.fromkeys(image for image in images if image is not None):
        if image.users - image.use_fake_user == 0:
            bpy.data.images.remove(image)
