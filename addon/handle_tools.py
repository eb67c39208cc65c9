# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handles one by one, and tools that move many at once: Randomise, and Copy from another object.

A handle is a property of an object's group, or one number of it. Locked ones are left alone by the tools and by Blend;
a hand can still move them.

Letters: K numbers of a code, P named proportions, J further directions.
"""

from __future__ import annotations

from typing import Literal

import bpy
import numpy as np

from . import generated, handles, palette, parts, proportions, scene, shape_codes
from .camera import camera_from_numbers
from .wire import records, regions, shape_space

What = Literal["SHAPE", "COLOURS", "BACKGROUND"]
"""What can be copied."""
CAMERA = ("azimuth", "elevation", "zoom")
REST = "rest"
"""Name of what tools added to a shape beyond what its sliders say."""
FARTHEST = 2.0
"""Standard deviations at which a random slider of a surface ends: beyond, shapes are no objects any more."""
DRAWN = ("paint", palette.SECOND, "rim", "trim", "plate")
"""Regions whose colours differ from car to car on the street."""
_SAME = 1e-4
"""Difference of numbers that no hand makes and no eye sees."""


def found_value(owner: bpy.types.Object, where: str, index: int = -1) -> np.ndarray:
    """Returns what the photo said of a handle: the value (n,) at which nothing differs."""
    if where in CAMERA:
        pose = camera_from_numbers(list(owner[scene.CAMERA]))
        return np.array([{"azimuth": pose.azimuth, "elevation": pose.elevation, "zoom": 1.0}[where]])
    if where == "two_tone":
        return np.array([float(palette.two_tone_as_found(owner))])
    for region, colour in palette.found_of(owner).items():
        if where == palette.field_of(region):
            return colour
    if where == REST:
        return np.zeros(1)
    property_ = owner.unrender.bl_rna.properties[where]
    if not property_.is_array:
        return np.array([property_.default], np.float64)
    whole = np.array(property_.default_array, np.float64)
    return whole if index < 0 else whole[[index]]


def value(owner: bpy.types.Object, where: str, index: int = -1) -> np.ndarray:
    """Returns the value (n,) of a handle."""
    if where == REST:
        return np.array(owner.get(shape_codes.CHANGE, [0.0]), np.float64)
    now = getattr(owner.unrender, where)
    return np.atleast_1d(np.array(now if index < 0 else now[index], np.float64))


def differs(owner: bpy.types.Object, where: str, index: int = -1) -> bool:
    """Says whether a handle is elsewhere than where the photo put it."""
    return bool(np.abs(value(owner, where, index) - found_value(owner, where, index)).max() > _SAME)


def reset(owner: bpy.types.Object, where: str, index: int = -1) -> None:
    """Puts one handle back to what was found. Raises ValueError where an object has no such handle."""
    if where == REST:
        owner.pop(shape_codes.CHANGE, None)
        handles.request_edit(owner)
        return
    if where not in owner.unrender.bl_rna.properties:
        raise ValueError(f"{owner.name} has no handle '{where}'.")
    found, state = found_value(owner, where, index), owner.unrender
    property_ = state.bl_rna.properties[where]
    if index >= 0:
        whole = list(getattr(state, where))
        whole[index] = float(found[0])
        setattr(state, where, whole)
    elif property_.is_array:
        setattr(state, where, found.tolist())
    else:
        setattr(state, where, bool(found[0]) if property_.type == "BOOLEAN" else float(found[0]))


def lock_of(where: str, index: int = -1) -> tuple[str, int]:
    """Returns the property, and the number in it, that locks a handle."""
    if where in CAMERA:
        return "lock_camera", CAMERA.index(where)
    for number, region in enumerate(palette.COLOURS):
        if where == palette.field_of(region) or (where == "two_tone" and region == palette.SECOND):
            return "lock_colours", number
    return f"lock_{where}", max(index, 0)


def is_locked(owner: bpy.types.Object, where: str, index: int = -1) -> bool:
    """Says whether the tools leave a handle alone."""
    name, number = lock_of(where, index)
    return bool(getattr(owner.unrender, name)[number])


def randomise(owner: bpy.types.Object, seed: int, shape: bool = True, colours: bool = True) -> None:
    """Gives an object a shape and colours that a seed draws: those of a likely object, whatever it was before.

    Raises ValueError where its weights are not at hand.
    """
    if not generated.has_sliders(owner):
        raise ValueError(f"{owner.name} was made of a seed and has no sliders: generate another one from another seed.")
    if not parts.has_parts(owner):
        _randomise_surface(owner, seed, shape, colours)
        return
    if shape:
        space = proportions.space_of(owner)
        set_code(owner, space.sample(np.random.default_rng(seed)))
    if colours and palette.has_palette(owner):
        drawn = regions.random_palette(np.random.default_rng([seed, 1]))
        wanted = {region: getattr(drawn, region).colour for region in DRAWN}
        _set_colours(owner, wanted, drawn.two_tone.colour != drawn.paint.colour)


def copy(owner: bpy.types.Object, other: bpy.types.Object | None, what: What) -> None:
    """Gives an object shape, colours or background of another one. Raises ValueError with a sentence."""
    reason = why_not_copied(owner, other, what)
    if reason:
        raise ValueError(reason)
    if what == "SHAPE":
        space = proportions.space_of(owner)
        code, metres = proportions.code_of(other)
        # A model that was made small stays as small beside what it is a model of.
        longer = np.log(metres / other.unrender.real_size)
        longer += proportions.natural_length(other, space) - proportions.natural_length(owner, space)
        set_code(owner, code, float(longer))
    elif what == "COLOURS":
        colours = palette.colours_of(other)
        _set_colours(owner, colours, np.abs(colours[palette.SECOND] - colours["paint"]).max() > _SAME)
    elif not is_locked(owner, "background"):
        owner.unrender.background = other.unrender.background


def why_not_copied(owner: bpy.types.Object, other: bpy.types.Object | None, what: What) -> str:
    """Returns why something of another object cannot be copied, in one sentence; empty where it can."""
    if what == "BACKGROUND":
        is_other = other is not None and other != owner and other.unrender.is_unrender
        return "" if is_other else "Choose another object made by Image to 3D."
    reason = shape_codes.why_apart(owner, other)
    if reason or what == "SHAPE":
        return reason
    for one in (owner, other):
        if not palette.has_palette(one):
            return palette.why_fixed(one)
    return ""


def set_code(owner: bpy.types.Object, wanted: np.ndarray, longer: float | None = None) -> None:
    """Moves an object with parts to a code (K,): its sliders say as much of it as they can, what is locked stays.

    ``longer`` is the logarithm of its length beside what was found; None: that of the code. Raises ValueError where its
    weights are not at hand.
    """
    space, state = proportions.space_of(owner), owner.unrender
    found = np.array(owner[scene.SHAPE_CODE], np.float64)
    now = proportions.code_at_sliders(owner, space)[0]
    fixed, fixed_ways = shape_codes.locked(state.lock_proportions), shape_codes.locked(state.lock_shape)
    rest = shape_codes.held(space, wanted, now, fixed, fixed_ways) - found
    moved = space.proportion_map.astype(np.float64) @ rest
    moved[0] = moved[0] if longer is None else longer
    positions = _positions(space, found, moved)
    with handles.muted():
        state.proportions = _merged(state.proportions, positions, fixed)
        # Blender's own numbers are a little rounded.
        changes = proportions.changes_of(space, found, np.array(state.proportions))
        rest -= proportions.directions(space) @ changes
        state.shape = _merged(state.shape, shape_codes.sliders_of(space, found, rest), fixed_ways)
        rest -= shape_codes.moved_by(space, found, np.array(state.shape))
        owner[shape_codes.CHANGE] = rest.tolist()
    handles.request_edit(owner)


def _positions(space: shape_space.ShapeSpace, found: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """(P,) named sliders that move the proportions of a found code (K,) by (P,)."""
    count = len(space.proportions)
    below, above = (proportions.changes_of(space, found, np.full(count, end)) for end in (0.0, 1.0))
    return proportions.AS_FOUND * (1 + moved / np.where(moved < 0, -below, above))


def _merged(now: bpy.types.bpy_prop_array, wanted: np.ndarray, fixed: list[int]) -> list[float]:
    """The values of a property, with the wanted ones, of which there may be fewer, where they are not fixed."""
    result = list(now)
    for number, one in enumerate(wanted[: len(result)].tolist()):
        if number not in fixed:
            result[number] = one
    return result


def _set_colours(owner: bpy.types.Object, colours: dict, two_tone: bool) -> None:
    """Gives an object's fields colours (3,), and a second one or none, where they are not locked."""
    state, known = owner.unrender, palette.found_of(owner)
    with handles.muted():
        for region, colour in colours.items():
            field = palette.field_of(region)
            if region in palette.COLOURS and region in known and not is_locked(owner, field):
                setattr(state, field, tuple(float(channel) for channel in colour))
        if not is_locked(owner, "two_tone"):
            state.two_tone = bool(two_tone)
    handles.request_colours(owner)


def _randomise_surface(owner: bpy.types.Object, seed: int, shape: bool, texture: bool) -> None:
    """Draws the sliders of an object of one surface, which are in standard deviations."""
    generator, state = np.random.default_rng(seed), owner.unrender
    drawn = generator.standard_normal((2, records.NUMBER_OF_SLIDERS)).clip(-FARTHEST, FARTHEST)
    with handles.muted():
        for wanted, where, values in ((shape, "shape", drawn[0]), (texture, "texture", drawn[1])):
            if wanted:
                fixed = shape_codes.locked(getattr(state, f"lock_{where}"))
                setattr(state, where, _merged(getattr(state, where), values, fixed))
    handles.request_edit(owner)
