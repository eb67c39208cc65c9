# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials that a shape key's value blends from one look to another: which key, and the driver that takes it over."""

from __future__ import annotations

import bpy

KEY = "unrender_interpolation"
"""Property of an object: the name of its shape key that goes to the other one."""
MIX = "Interpolation"
"""Name of the node that mixes both looks."""


def key_of(owner: bpy.types.Object) -> bpy.types.ShapeKey | None:
    """Returns the key that takes an object to the other one, None where it has none."""
    name = owner.get(KEY)
    keys = owner.data.shape_keys if name is not None and owner.type == "MESH" else None
    return keys.key_blocks.get(name) if keys is not None else None


def follow(material: bpy.types.Material, key: bpy.types.ShapeKey) -> None:
    """Lets a key's value say how much of the second look a material shows; nothing for a material without one."""
    mix = material.node_tree.nodes.get(MIX) if material.node_tree is not None else None
    if mix is None:
        return
    factor = mix.inputs[0]
    factor.default_value = key.value
    factor.driver_remove("default_value")
    driver = factor.driver_add("default_value").driver
    driver.type = "AVERAGE"  # of one value: it needs no Python, which a file from elsewhere may not run
    variable = driver.variables.new()
    variable.name = "value"
    target = variable.targets[0]
    target.id_type = "KEY"
    target.id = key.id_data
    target.data_path = f'key_blocks["{bpy.utils.escape_identifier(key.name)}"].value'


def followed(material: bpy.types.Material | None) -> bpy.types.ID | None:
    """Returns the shape keys of which one says what a material shows, None where none does."""
    animation = material.node_tree.animation_data if material is not None and material.node_tree is not None else None
    curve = animation.drivers.find(f'nodes["{MIX}"].inputs[0].default_value') if animation is not None else None
    variables = curve.driver.variables if curve is not None else ()
    return variables[0].targets[0].id if variables else None
