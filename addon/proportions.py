# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handles with names for objects with parts, such as length, height and cabin, computed without the worker.

An object keeps the code that it was made with and the positions of its sliders, and its shape follows from these
alone: the order in which sliders were moved does not matter. A named slider lies between the smallest and the largest
value of the category's objects, as far as these are within reach, with the object's own in the middle.

Letters: K numbers of a code, V vertices, P named proportions.
"""

from __future__ import annotations

import functools
from pathlib import Path

import bpy
import numpy as np

from . import places, scene, shape_codes
from .wire import bundle_files, shape_space

MAX_PROPORTIONS = 16
"""Number of named sliders that an object can have; Blender's properties have a fixed length."""
AS_FOUND = 0.5
"""Position of a named slider at which the proportion is that of the code that the object was made with."""
MIN_SIDE = 0.1
"""Smallest way from a slider's middle to its end, in the category's range: an extreme object's sliders move too."""
REACH = 2.0
"""Longest way from a slider's middle to its end, in standard deviations over the category. Its range holds lorries, and
a slider that went there from a saloon in a straight line would make a saloon of nine metres."""
_COMPROMISE = 0.03
"""Weight of a small change of the code against proportions that stay: bonnet, cabin and tail add up to the whole
length, so that one can only grow at the others' expense. Without it such a slider would move the code by 100 standard
deviations; with a third of it roofs have humps at the end of *Height*."""


def space_of(owner: bpy.types.Object) -> shape_space.ShapeSpace:
    """Returns the shape space of the bundle that made an object with parts. Raises ValueError with one sentence."""
    bundle = owner.unrender.bundle
    path = places.shape_spaces().get(bundle, Path(bundle)) / bundle_files.SHAPE_SPACE
    try:
        space = _loaded(path, path.stat().st_mtime_ns)
    except OSError:
        raise ValueError(
            f"The weights '{bundle}', which {owner.name} was made with, are not installed: install them to use its "
            "shape sliders."
        ) from None
    except ValueError as error:
        raise ValueError(f"The weights '{bundle}' are damaged, install them again: {error}") from error
    if len(owner[scene.SHAPE_CODE]) != space.size:
        raise ValueError(f"{owner.name} was made with other weights than today's '{bundle}': make it again.")
    return space


def names_of(owner: bpy.types.Object) -> list[str]:
    """Returns the titles of an object's named sliders, in their order. Raises ValueError as :func:`space_of`."""
    return [name.title() for name in space_of(owner).proportions[:MAX_PROPORTIONS]]


def shape_of(owner: bpy.types.Object) -> tuple[np.ndarray, float]:
    """Returns an object's canonical vertices (V, 3) float32 at its sliders, and the metres of its longest side.

    The object's own offsets are not in them. Raises ValueError as :func:`space_of`.
    """
    code, size = code_of(owner)
    return space_of(owner).vertices(code), size


def code_of(owner: bpy.types.Object) -> tuple[np.ndarray, float]:
    """Returns the code (K,) float32 of an object's shape at its sliders, and the metres of its longest side.

    Raises ValueError as :func:`space_of`.
    """
    space, state = space_of(owner), owner.unrender
    code, length = code_at_sliders(owner, space)
    other = shape_codes.blended_with(owner)
    if other is not None:
        goal, its_length = code_at_sliders(other, space)
        fixed = shape_codes.locked(state.lock_proportions)
        between = code + state.blend * (goal - code)
        code = shape_codes.held(space, between, code, fixed, shape_codes.locked(state.lock_shape))
        if 0 not in fixed:
            length += state.blend * (its_length + natural_length(other, space) - natural_length(owner, space) - length)
    return code.astype(np.float32), state.real_size * float(np.exp(length))


def code_at_sliders(owner: bpy.types.Object, space: shape_space.ShapeSpace) -> tuple[np.ndarray, float]:
    """Returns an object's code (K,) without its blend, and the logarithm of its length beside what was found."""
    state, found = owner.unrender, np.array(owner[scene.SHAPE_CODE], np.float64)
    changes = changes_of(space, found, np.array(state.proportions))
    code = found + directions(space) @ changes + shape_codes.moved_by(space, found, np.array(state.shape))
    return code + shape_codes.change_of(owner, space.size), float(changes[0])


def natural_length(owner: bpy.types.Object, space: shape_space.ShapeSpace) -> float:
    """Returns the logarithm of the metres that an object as found has in the street, however large it was made."""
    return float(space.proportion_mean[0] + space.proportion_map[0] @ np.array(owner[scene.SHAPE_CODE], np.float64))


def changes_of(space: shape_space.ShapeSpace, code: np.ndarray, sliders: np.ndarray) -> np.ndarray:
    """Returns what slider positions add to the proportions of a code (K,), (P,); the length's in its logarithm."""
    ranges = _ranges(space)
    now = space.proportion_mean + space.proportion_map @ code
    span = ranges[:, 1] - ranges[:, 0]
    below, above = now - ranges[:, 0], ranges[:, 1] - now
    moved = np.zeros(len(span))
    moved[: len(sliders)] = 2 * (sliders[: len(span)] - AS_FOUND)
    reach = REACH * np.linalg.norm(space.proportion_map, axis=1)  # codes are standard normal
    return moved * np.clip(np.where(moved < 0, below, above), MIN_SIDE * span, np.maximum(reach, MIN_SIDE * span))


def directions(space: shape_space.ShapeSpace) -> np.ndarray:
    """Returns how a code moves for each proportion, (K, P), one column adding 1 to its own.

    The others stay as they are as far as they can. Not so for the length: they are in lengths of the object, and held
    fast they would leave nothing to a longer object but to be a larger one.
    """
    span = np.ptp(_ranges(space), axis=1)
    scaled = space.proportion_map.astype(np.float64) / span[:, None]
    moves = scaled.T @ np.linalg.inv(scaled @ scaled.T + _COMPROMISE * np.eye(len(scaled)))
    moves[:, 0] = scaled[0]
    own = np.einsum("pk,kp->p", scaled, moves)
    return moves / np.where(own > 0, own, 1) / span


def _ranges(space: shape_space.ShapeSpace) -> np.ndarray:
    """Returns the ends (P, 2) float64 of the proportions' ranges; the length's are logarithms, as its other numbers."""
    ranges = space.proportion_range.astype(np.float64)
    ranges[0] = np.log(ranges[0])
    return ranges


@functools.lru_cache(maxsize=2)
def _loaded(path: Path, _changed: int) -> shape_space.ShapeSpace:
    """Every move of a slider asks for the space, so a file is read again only after it has changed."""
    return shape_space.ShapeSpace.load(path)
