# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The handles of objects under the names that the panel shows, as words of a command: ``cabin=0.2``, ``paint=#a01020``.

A blank in a name may be written as _, and letters may be small or capital. Angles are in degrees.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import bpy
import numpy as np

from . import choices, generated, handles, looks, palette, parts, places, proportions, session, shape_codes
from .wire import bundle_files, records, shape_space

Value = float | str
"""A number, a colour such as #a01020, or the name of a look."""
Kind = Literal["number", "degrees", "colour", "look"]
FULL_TURN = 360.0
SAME = 0.5 / 255
"""Difference of colours that have the same name."""
HEX_COLOUR = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)


@dataclass(frozen=True)
class Handle:
    """Something of an object that has a name and a value."""

    name: str
    kind: Kind
    where: str
    """Property of the object's group."""
    index: int = -1
    """Place in it; -1: it is no list."""
    low: float = 0.0
    high: float = 1.0
    others: tuple[str, ...] = ()
    """Further names that are understood."""

    @property
    def range(self) -> str:
        """Words for what values it takes."""
        if self.kind == "colour":
            return "#000000 to #ffffff"
        return " or ".join(choices.LOOKS) if self.kind == "look" else f"{self.low:g} to {self.high:g}"


def of_object(owner: bpy.types.Object) -> list[Handle]:
    """Returns the handles of an object, in the panel's order. Raises ValueError where its weights are not at hand."""
    if not generated.has_sliders(owner):
        return _of_camera()
    if not parts.has_parts(owner):
        return _of_surface()
    regions = palette.found_of(owner) if palette.has_palette(owner) else {}
    return _of_parts(proportions.space_of(owner), regions, owner.get(looks.PHOTO) is not None)


def of_bundle(bundle: str, with_parts: bool = True) -> list[Handle]:
    """Returns the handles that objects from photographs will have, before any is made. Raises ValueError."""
    folder = places.shape_spaces().get(bundle, Path(bundle))
    if not with_parts or not (folder / bundle_files.PARTS_NETWORK).is_file():
        return _of_surface()
    try:
        space = shape_space.ShapeSpace.load(folder / bundle_files.SHAPE_SPACE)
    except OSError as error:
        raise ValueError(f"The weights '{bundle}' cannot be read: {error.strerror or error}.") from error
    return _of_parts(space, palette.COLOURS, True)


def parse(words: Iterable[str], known: Iterable[Handle]) -> dict[Handle, Value]:
    """Returns the values of words such as ``length=0.8``. Raises ValueError with a sentence that names the handles."""
    values: dict[Handle, Value] = {}
    for word in words:
        name, _, text = word.partition("=")
        handle = find(name, known)
        values[handle] = value_of(handle, text.strip(), known)
    return values


def find(name: str, known: Iterable[Handle]) -> Handle:
    """Returns the handle of a name. Raises ValueError with a sentence that names those there are."""
    wanted = key_of(name)
    for handle in known:
        if wanted in {handle.name, *handle.others}:
            return handle
    raise ValueError(f"There is no handle '{name.strip()}'; there are {_names(known)}.")


def value_of(handle: Handle, text: str, known: Iterable[Handle]) -> Value:
    """Returns the value that a text means for a handle. Raises ValueError with a sentence where it is none."""
    if handle.kind == "colour" and HEX_COLOUR.fullmatch(text):
        digits = text[1:].lower()
        return "#" + (digits if len(digits) == 6 else "".join(2 * digit for digit in digits))
    if handle.kind == "look" and text.lower() in choices.LOOKS:
        return text.lower()
    if handle.kind in ("number", "degrees"):
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if handle.low <= number <= handle.high:
            return number
    raise ValueError(f"{handle.name} takes {handle.range}, not '{text}'; the handles are {_names(known)}.")


def key_of(name: str) -> str:
    """Returns a name as commands write it: *Roof Line* is ``roof_line``."""
    return re.sub(r"[\s_]+", "_", name.strip().lower())


def read(owner: bpy.types.Object, handle: Handle) -> Value:
    """Returns the value that a handle of an object has."""
    if handle.kind == "look":
        return looks.look_of(owner)
    value = getattr(owner.unrender, handle.where)
    if handle.kind == "colour":
        return "#" + "".join(f"{round(255 * min(max(part, 0.0), 1.0)):02x}" for part in value)
    number = float(value if handle.index < 0 else value[handle.index])
    return math.degrees(number) if handle.kind == "degrees" else number


def apply(owner: bpy.types.Object, values: Mapping[Handle, Value]) -> None:
    """Gives handles of an object their values, all at once. Raises ValueError where the object cannot follow."""
    state = owner.unrender
    with handles.muted():
        for handle, value in values.items():
            _write(owner, handle, value)
    places_of = {handle.where for handle in values}
    if places_of & {"azimuth", "elevation", "zoom"}:
        handles.move_camera(owner)
    if places_of & {"shape", "proportions", "texture"}:
        handles.request_edit(owner)
        if session.status.error:
            raise ValueError(session.status.error)
    if any(handle.kind == "colour" for handle in values):
        apart = np.abs(np.subtract(state.colour_two_tone, state.colour_paint)).max() > SAME
        if "colour_two_tone" in places_of and apart:
            with handles.muted():
                state.two_tone = True
        handles.request_colours(owner)


def _write(owner: bpy.types.Object, handle: Handle, value: Value) -> None:
    state = owner.unrender
    if handle.kind == "look":
        looks.show(owner, float(value == "photo"))
    elif handle.kind == "colour":
        setattr(state, handle.where, [int(str(value)[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    else:
        number = math.radians(float(value)) if handle.kind == "degrees" else float(value)
        if handle.index < 0:
            setattr(state, handle.where, number)
        else:
            getattr(state, handle.where)[handle.index] = number


def _of_parts(space: shape_space.ShapeSpace, regions: Iterable[str], with_photo: bool) -> list[Handle]:
    titles = [name.title() for name in space.proportions[: proportions.MAX_PROPORTIONS]]
    further = shape_codes.further_of(space).names
    found = [
        *_of_camera(),
        *(_of_list("proportions", number, title) for number, title in enumerate(titles)),
        *(_of_list("shape", number, title) for number, title in enumerate(further)),
    ]
    for region, title in palette.COLOURS.items():
        if region in regions:
            found.append(Handle(key_of(title), "colour", palette.field_of(region), others=(region,)))
    if with_photo:
        found.append(Handle("look", "look", looks.PHOTO))
    return [*found, Handle("background", "colour", "background")]


def _of_surface() -> list[Handle]:
    numbers = range(records.NUMBER_OF_SLIDERS)
    return [
        *_of_camera(),
        *(_of_list("shape", number, f"Direction {number + 1}") for number in numbers),
        *(_of_list("texture", number, f"Texture Direction {number + 1}") for number in numbers),
    ]


def _of_camera() -> list[Handle]:
    elevation, zoom = _property("elevation"), _property("zoom")
    lowest, highest = (round(math.degrees(end), 3) for end in (elevation.hard_min, elevation.hard_max))
    return [
        Handle("azimuth_deg", "degrees", "azimuth", -1, -FULL_TURN, FULL_TURN, ("azimuth",)),
        Handle("elevation_deg", "degrees", "elevation", -1, lowest, highest, ("elevation",)),
        Handle("zoom", "number", "zoom", -1, round(zoom.soft_min, 3), round(zoom.soft_max, 3)),
    ]


def _of_list(where: str, index: int, title: str) -> Handle:
    whole = _property(where)
    # A direction that has a name of its own is also known by its number.
    others = (f"direction_{index + 1}",) if where == "shape" else ()
    return Handle(key_of(title), "number", where, index, whole.soft_min, whole.soft_max, others)


def _property(name: str) -> bpy.types.Property:
    """Returns what Blender knows of a property of objects' handles, its range among others."""
    group = bpy.types.PropertyGroup.bl_rna_get_subclass_py("UnrenderObject")
    return group.bl_rna.properties[name]


def _names(known: Iterable[Handle]) -> str:
    return ", ".join(handle.name for handle in known)


def as_json(values: Mapping[Handle, Value]) -> dict[str, Value]:
    """Returns values by the names of their handles, numbers as short as they are exact."""
    return {
        handle.name: value if isinstance(value, str) else float(np.format_float_positional(np.float32(value)))
        for handle, value in values.items()
    }
