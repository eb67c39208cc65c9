# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texture of an object as it travels for neural renders: small, and made so again only after it has changed."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from . import handles, pixels

TEXTURE_SECONDS = 1.0
"""Time after which a texture is looked at again although no handle says that it changed: somebody may be painting."""
TEXTURE_SIDE = 256
"""Texels a side that travel to the worker."""
NOT_OF_THE_TEXTURE = ("azimuth", "elevation", "zoom", "shape", "proportions", "background")
"""Handles that leave the texture as it is."""


@dataclass
class Texture:
    """A texture as it travels, (t, t, 3) uint8, and what tells whether it is still that of the image."""

    colours: np.ndarray
    look: Any
    texels: bytes
    """Some of the image's texels."""
    seen: float


_kept: dict[str, Texture] = {}
"""By the name of the image."""


def of(owner: bpy.types.Object) -> np.ndarray:
    """Returns an object's texture (t, t, 3) uint8 as it travels; reduced again only after it has changed.

    Raises ValueError where it has no pixels.
    """
    image, now = handles.texture_of(owner), time.monotonic()
    look = look_of(owner)
    known = _kept.get(image.name)
    if known is not None and known.look == look and now - known.seen < TEXTURE_SECONDS:
        return known.colours
    whole = pixels.read(image)
    step = max(1, len(whole) // TEXTURE_SIDE)
    texels = whole[step // 2 :: step, step // 2 :: step].tobytes()
    if known is not None and known.texels == texels:
        colours = known.colours
    else:
        colours = pixels.to_bytes(_reduced(whole[..., :3]))
    _kept[image.name] = Texture(colours, look, texels, now)
    return colours


def was_painted(owner: bpy.types.Object) -> bool:
    """Says whether the texture has other pixels than when it last travelled, looked at once in a while."""
    before = _kept.get(handles.texture_of(owner).name)
    return before is not None and of(owner) is not before.colours


def look_of(owner: bpy.types.Object) -> tuple:
    """Returns what the handles of an object say that its texture may depend on."""
    return _values(owner.unrender, NOT_OF_THE_TEXTURE)


def forget() -> None:
    """Drops what is kept: another file is open."""
    _kept.clear()


def _reduced(whole: np.ndarray) -> np.ndarray:
    """Returns (t, t, 3) float32 of a texture; 15 times as fast as any size needs where the side is a multiple of it."""
    step, rest = divmod(len(whole), TEXTURE_SIDE)
    if step == 0 or rest:
        side = min(TEXTURE_SIDE, len(whole))
        return pixels.resized(whole, side, side)
    mean = np.zeros((TEXTURE_SIDE, TEXTURE_SIDE, 3), np.float32)
    for place in range(step * step):
        mean += whole[place // step :: step, place % step :: step]
    return mean / (step * step)


def _values(group: bpy.types.PropertyGroup, without: Collection[str] = ()) -> tuple:
    """Returns all plain values of a group of properties, whatever they are: what its handles say."""
    values: list[Any] = []
    for one in group.bl_rna.properties:
        if one.identifier in without:
            continue
        if one.type in {"FLOAT", "INT", "BOOLEAN"} and getattr(one, "is_array", False):
            values.append(tuple(getattr(group, one.identifier)))
        elif one.type in {"FLOAT", "INT", "BOOLEAN", "ENUM", "STRING"}:
            values.append(getattr(group, one.identifier))
        elif one.type == "COLLECTION":
            values += [_values(item) for item in getattr(group, one.identifier)]
        elif one.type == "POINTER" and one.identifier != "rna_type":
            other = getattr(group, one.identifier)
            values.append(_values(other) if isinstance(other, bpy.types.PropertyGroup) else getattr(other, "name", ""))
    return tuple(values)
