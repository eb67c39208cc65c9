# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes that are kept as shape keys: one value of the main object's key takes its wheels along, and their axles.

A wheel has a key of its own, whose value a driver takes from the main object's key, and drivers of its delta location
move its axle to where it was kept. None of them needs Python, which a file from elsewhere may not run.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from . import copies, parts, shape_keys

PLACES = "unrender_kept_places"
"""Property of a wheel: where its axle was in the main object, by the names of its keys."""
HAS_KEPT = "unrender_has_kept_shapes"
"""Property of an object: whether shapes were ever kept as keys of it."""
BASIS = "Basis"

Part = tuple[int, int]
"""Which vertices of the template a mesh has: the first one's number, and how many."""


@dataclass(frozen=True)
class Shape:
    """A shape of an object and its wheels, in metres."""

    main: np.ndarray
    """(V, 3) vertices of the main mesh."""
    wheels: dict[Part, tuple[np.ndarray, list[float]]]
    """Vertices (v, 3) of each wheel in its own frame, and the place of its axle in the main object."""


def shape_of(owner: bpy.types.Object) -> Shape:
    """Returns the shape that an object's sliders give it, whatever its shape keys add."""
    wheels = {
        _part_of(wheel): (shape_keys.places_of(wheel), list(wheel[parts.AXLE_POSITION]))
        for wheel in parts.turning(owner)
    }
    return Shape(shape_keys.places_of(owner), wheels)


def keep(owner: bpy.types.Object, shape: Shape, name: str) -> bpy.types.ShapeKey:
    """Adds a shape as a key of an object; its value is 0. Raises ValueError, before anything is changed, if it cannot.

    ``name`` becomes another one where the object has a key of that name.
    """
    wheels = {_part_of(wheel): wheel for wheel in parts.turning(owner)}
    for one in copies.family(owner):
        shape_keys.check(one, owner)
    fits = len(owner.data.vertices) == len(shape.main) and set(wheels) <= set(shape.wheels)
    if not fits or any(len(one.data.vertices) != len(shape.wheels[part][0]) for part, one in wheels.items()):
        raise ValueError(f"The shape has other vertices or wheels than {owner.name}, so it cannot be a key of it.")
    copies.own_meshes(owner)
    owner[HAS_KEPT] = True
    key = _new_key(owner, shape.main, name)
    for part, wheel in wheels.items():
        vertices, place = shape.wheels[part]
        own = _new_key(wheel, vertices, key.name)
        _follow(own.driver_add("value").driver, "AVERAGE", {"value": _value_of(owner, key)})
        wheel[PLACES] = {**dict(wheel.get(PLACES, {})), own.name: place}
        _move_axle(wheel, owner)
    return key


def tidy(owner: bpy.types.Object) -> None:
    """Has the wheels of an object follow its own keys, and drops theirs of keys that are gone."""
    for wheel in parts.turning(owner) if owner.get(HAS_KEPT) else ():
        if not shape_keys.kept(wheel) or wheel.data.users > 1:
            continue
        is_whole = True
        for key in shape_keys.kept(wheel):
            target = _target_of(key)
            if target is not None and target.id != owner.data.shape_keys:
                target.id, is_whole = owner.data.shape_keys, False
            if target is None or not _resolves(target):
                key.driver_remove("value")
                wheel.shape_key_remove(key)
                is_whole = False
        if not is_whole:
            wheel.data.update_tag()
            _move_axle(wheel, owner)


def _new_key(one: bpy.types.Object, vertices: np.ndarray, name: str) -> bpy.types.ShapeKey:
    if one.data.shape_keys is None:
        one.shape_key_add(name=BASIS, from_mix=False)
    key = one.shape_key_add(name=name, from_mix=False)
    key.points.foreach_set("co", np.ascontiguousarray(vertices, np.float32).reshape(-1))
    key.interpolation, key.value = shape_keys.KEPT, 0.0
    return key


def _value_of(owner: bpy.types.Object, key: bpy.types.ShapeKey) -> tuple[bpy.types.ID, str]:
    return owner.data.shape_keys, f'key_blocks["{bpy.utils.escape_identifier(key.name)}"].value'


def _move_axle(wheel: bpy.types.Object, owner: bpy.types.Object) -> None:
    """Has drivers move a wheel's axle from where its sliders have it to where its kept keys had it, by their values."""
    wheel.driver_remove("delta_location")
    kept = wheel.get(PLACES, {})
    keys = [key for key in shape_keys.kept(wheel) if key.name in kept and _target_of(key) is not None]
    if not keys:
        wheel.delta_location = (0, 0, 0)
        return
    for axis in range(3):
        curve = wheel.driver_add("delta_location", axis)
        assert isinstance(curve, bpy.types.FCurve)
        variables: dict[str, tuple[bpy.types.ID, str]] = {"now": (wheel, f'["{parts.AXLE_POSITION}"][{axis}]')}
        terms = []
        for number, key in enumerate(keys):
            target = _target_of(key)
            variables[f"v{number}"] = (target.id, target.data_path)
            terms.append(f"v{number} * ({kept[key.name][axis]:.7f} - now)")
        _follow(curve.driver, "SCRIPTED", variables)
        curve.driver.expression = " + ".join(terms)


def _follow(driver: bpy.types.Driver, kind: str, variables: dict[str, tuple[bpy.types.ID, str]]) -> None:
    """Gives a driver variables, each a property of a data block."""
    driver.type = kind  # type: ignore[assignment]
    for name, (block, path) in variables.items():
        variable = driver.variables.new()
        variable.name = name
        target = variable.targets[0]
        target.id_type = "KEY" if isinstance(block, bpy.types.Key) else "OBJECT"
        target.id, target.data_path = block, path


def _target_of(key: bpy.types.ShapeKey) -> bpy.types.DriverTarget | None:
    """Returns what the value of a wheel's key follows, None where that is nothing."""
    animation = key.id_data.animation_data
    path = f'key_blocks["{bpy.utils.escape_identifier(key.name)}"].value'
    curve = animation.drivers.find(path) if animation is not None else None
    return curve.driver.variables[0].targets[0] if curve is not None and curve.driver.variables else None


def _resolves(target: bpy.types.DriverTarget) -> bool:
    try:
        target.id.path_resolve(target.data_path)
    except (AttributeError, ValueError):  # no keys at all, or not this one
        return False
    return True


def _part_of(wheel: bpy.types.Object) -> Part:
    indices = wheel.data.attributes.get(parts.INDEX_ATTRIBUTE)
    if indices is None or len(indices.data) == 0:
        raise ValueError(f"{wheel.name} is no wheel as it was made any more.")
    return indices.data[0].value, len(indices.data)
