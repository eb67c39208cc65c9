# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies over the base colour of an object with parts: relief, lacquer, and the photo's own pixels as a second look.

The look *Photo* glows with the photo's pixels, light and all, so the scene's light does not fall on them a second time.
Both looks are in one material, made so that every exporter, a user's too, finds the painted one: the photo is shown by
a second Principled shader, since an emission shader would glow in glTF for ever; and the mix of both has an output of
its own beside the first one, which is not the active one any more and which OBJ follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import bpy
import numpy as np

from . import pixels
from .wire import records

Look = Literal["paint", "photo"]
"""Paint without the photo's light, or the photo itself where it shows the surface."""
PHOTO = "unrender_photo"
"""Property of an object: how much of the photo its material shows, from 0 to 1."""
PHOTO_PATH = f'["{PHOTO}"]'
MIX = "Photo"
"""Name of the node that mixes the looks, and of what else belongs to the look."""


def principled(material: bpy.types.Material) -> bpy.types.Node:
    """Returns the shader that is lit by the scene."""
    return next(node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")


def add_relief(material: bpy.types.Material, normal: np.ndarray) -> None:
    """Gives a material a map of normals (T, T, 3); nothing for an empty one."""
    if normal.size == 0:
        return
    tree, shader = material.node_tree, principled(material)
    image = tree.nodes.new("ShaderNodeTexImage")
    image.image = pixels.new_map(f"{material.name} normals", normal)
    image.image.colorspace_settings.name = "Non-Color"
    bent = tree.nodes.new("ShaderNodeNormalMap")
    image.location, bent.location = (-860, -620), (-560, -620)
    tree.links.new(image.outputs["Color"], bent.inputs["Color"])
    for name in ("Normal", "Coat Normal"):
        tree.links.new(bent.outputs["Normal"], shader.inputs[name])


def add_photo(material: bpy.types.Material, photo: np.ndarray, owner: bpy.types.Object, look: Look) -> None:
    """Gives a material of an object the look *Photo* (T, T, 3) and the object the slider; nothing for an empty one."""
    if photo.size == 0:
        return
    tree, shader = material.node_tree, principled(material)
    image, glow = tree.nodes.new("ShaderNodeTexImage"), tree.nodes.new("ShaderNodeBsdfPrincipled")
    mix = tree.nodes.new("ShaderNodeMixShader")
    mix.name = mix.label = MIX
    image.image = pixels.new_map(f"{material.name} photo look", photo)
    image.location, glow.location = (-560, 420), (-260, 420)
    mix.location = (60, 420)
    for name, value in (("Base Color", (0.0, 0.0, 0.0, 1.0)), ("Specular IOR Level", 0.0), ("Roughness", 1.0)):
        glow.inputs[name].default_value = value
    glow.inputs["Emission Strength"].default_value = 1.0
    tree.links.new(image.outputs["Color"], glow.inputs["Emission Color"])
    for place, source in ((1, shader), (2, glow)):
        tree.links.new(source.outputs["BSDF"], mix.inputs[place])
    show_mix(mix, shader)
    if hasattr(material, "cycles"):
        # A look is no lamp: else renders take longer in the look *Paint* too.
        material.cycles.emission_sampling = "NONE"
    add_slider(owner, 1.0 if look == "photo" else 0.0)
    drive(material, owner)


def show_mix(mix: bpy.types.Node, exported: bpy.types.Node) -> None:
    """Shows a mix of shaders by an output of its own; exporters still find the shader ``exported``, one of the mixed.

    They take the first that they come to. That of glTF in Blender 5.2 goes from the output backwards, from the last
    input of each node on: so the shader stands there once more, without a part in what is seen.
    """
    tree = mix.id_data
    first, output = tree.nodes.new("ShaderNodeMixShader"), tree.nodes.new("ShaderNodeOutputMaterial")
    first.label = "For Exporters"
    first.inputs[0].default_value = 0.0
    for place, source in ((1, mix), (2, exported)):
        tree.links.new(source.outputs[0], first.inputs[place])
    tree.links.new(first.outputs["Shader"], output.inputs["Surface"])
    for number, node in enumerate((first, output), 1):
        node.location = (mix.location[0] + 220 * number, mix.location[1])
    output.is_active_output = True


def add_slider(owner: bpy.types.Object, shown: float) -> None:
    """Gives an object the slider that says how much of the photo its material shows."""
    owner[PHOTO] = shown
    owner.id_properties_ui(PHOTO).update(
        min=0.0,
        max=1.0,
        default=0.0,
        subtype="FACTOR",
        description="Shows the photo's own pixels, light and all, where the photo sees the object; at 0 it is painted "
        "and lit by the scene",
    )
    show(owner, shown)


def show(owner: bpy.types.Object, shown: float) -> None:
    """Moves the slider of an object, as a hand in the window does."""
    owner[PHOTO] = shown
    owner.update_tag()  # else only what is in the window tells Blender to look at drivers again


def drive(material: bpy.types.Material, owner: bpy.types.Object) -> None:
    """Lets an object's slider say how much of the photo a material shows; nothing for a material without the look."""
    mix = material.node_tree.nodes.get(MIX) if material.node_tree is not None else None
    if mix is None or owner.get(PHOTO) is None:
        return
    factor = mix.inputs[0]
    factor.default_value = owner[PHOTO]
    factor.driver_remove("default_value")
    driver = factor.driver_add("default_value").driver
    driver.type = "AVERAGE"  # of one value: it needs no Python, which a file from elsewhere may not run
    variable = driver.variables.new()
    variable.name = "photo"
    variable.targets[0].id = owner
    variable.targets[0].data_path = PHOTO_PATH


def driver_of(material: bpy.types.Material | None) -> bpy.types.Object | None:
    """Returns the object whose slider says how much of the photo a material shows, None where none does."""
    animation = material.node_tree.animation_data if material is not None and material.node_tree is not None else None
    path = f'nodes["{MIX}"].inputs[0].default_value'
    curve = animation.drivers.find(path) if animation is not None else None
    variables = curve.driver.variables if curve is not None else ()
    owner = variables[0].targets[0].id if variables else None
    return owner if isinstance(owner, bpy.types.Object) else None


def look_of(owner: bpy.types.Object) -> Look:
    """Returns which look an object mostly has."""
    return "photo" if owner.get(PHOTO, 0.0) > 0.5 else "paint"


def photo_of(owner: bpy.types.Object) -> bpy.types.Image | None:
    """Returns the image of an object's look *Photo*, None where it has none."""
    material = owner.active_material
    mix = material.node_tree.nodes.get(MIX) if material is not None and material.node_tree is not None else None
    if mix is None or not mix.inputs[2].is_linked:
        return None
    colour = mix.inputs[2].links[0].from_node.inputs["Emission Color"]
    image: bpy.types.Image | None = colour.links[0].from_node.image if colour.is_linked else None
    return image


def normals_of(owner: bpy.types.Object) -> bpy.types.Image | None:
    """Returns the image of an object's relief, None where it has none."""
    material = owner.active_material
    nodes = material.node_tree.nodes if material is not None and material.node_tree is not None else ()
    bent = next((node for node in nodes if node.bl_idname == "ShaderNodeNormalMap"), None)
    if bent is None or not bent.inputs["Color"].is_linked:
        return None
    image: bpy.types.Image | None = bent.inputs["Color"].links[0].from_node.image
    return image


@contextmanager
def exported(owner: bpy.types.Object) -> Iterator[None]:
    """While this is open an object in the look *Photo* has that as its base colour: formats know one look alone."""
    photo = photo_of(owner) if look_of(owner) == "photo" else None
    if photo is None:
        yield
        return
    node = principled(owner.active_material).inputs["Base Color"].links[0].from_node
    kept, node.image = node.image, photo
    try:
        yield
    finally:
        node.image = kept


def packed_maps(parts: records.ObjectParts) -> np.ndarray:
    """Returns (T, T, 3) uint8 in glTF's own order, so that its exporter takes it as it is: coat, roughness, metallic.

    glTF reads red as occlusion in one place and as coat in another; a material has the one that it names.
    """
    coat = parts.coat if parts.coat.size > 0 else np.full(parts.surface.shape[:2], 255, np.uint8)
    return np.concatenate([coat[..., None], parts.surface], axis=2)
