# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What moves the code of an object with parts beside its named proportions: further directions, tools, and a blend.

Further directions leave every named proportion alone. They are those in which what is left of the shapes of a category
differs most, turned so that each shows about as much as the others and moves few places by much: such a one can be
named. The ends of their sliders are the data's.

Letters: K numbers of a code, V vertices, P named proportions, J further directions.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import bpy
import numpy as np

from . import parts
from .wire import records, shape_space

SHAPE_CODE = "unrender_shape_code"
"""Property of an object: the code (K,) that it was made with."""
CHANGE = "unrender_code_change"
"""Property of an object: what tools such as Randomise added to its code (K,) beyond what its sliders say."""
SLIDER_END = 3.0
"""Value of a further direction's slider at the end of the data."""
ENDS = (1, 99)
"""Percentiles of the category's objects at which the sliders end."""
MIN_SIDE = 0.1
"""Smallest way from a slider's middle to its end, in the data's range: an extreme object's sliders move too."""
_CLEAR = 0.6
"""Part of a direction's movement that is along one axis, and of that in one place, for both to name it."""
_EVEN = 40.0
"""Weight of movements of one size against movements in few places. Turned without it, the first direction of cars moves
3.4 times as much as the last one; with it 1.35 times, and as many of them can be named clearly."""
_TURNS = 40
"""Most rounds of the search for directions that do both."""
_ANGLES = 90
"""Number of angles by which a pair of directions is turned on trial; the middle one is 0."""
_AXES = ("Width", "Length", "Height")
_PLACES = {"Front": (0.0, 0.3), "Middle": (0.3, 0.7), "Rear": (0.7, 1.0)}
"""Parts of an object's length, from its front."""


@dataclass(frozen=True)
class Further:
    """The further directions of a shape space."""

    directions: np.ndarray
    """(K, J) float64, orthonormal; they change no proportion."""
    ends: np.ndarray
    """(J, 2): the data's ends along each."""
    names: tuple[str, ...]
    visible: np.ndarray
    """(J,) mean movement of the vertices over half the slider, in lengths of the object; falling."""


_kept: list[tuple[shape_space.ShapeSpace, Further]] = []


def further_of(space: shape_space.ShapeSpace) -> Further:
    """Returns the further directions of a space; they are found once."""
    for known, found in _kept:
        if known is space:
            return found
    _kept[:] = [(space, _found(space)), *_kept[:1]]
    return _kept[0][1]


def moved_by(space: shape_space.ShapeSpace, code: np.ndarray, sliders: np.ndarray) -> np.ndarray:
    """Returns what sliders (J or more,) of the further directions add to a code (K,) that was found, (K,)."""
    if not np.any(sliders):
        return np.zeros(len(code))  # the directions take a fifth of a second to find, and are not needed
    further = further_of(space)
    values = np.asarray(sliders, np.float64)[: further.directions.shape[1]] / SLIDER_END
    amounts: np.ndarray = values * _sides(further, code, values)
    return further.directions[:, : len(values)] @ amounts


def sliders_of(space: shape_space.ShapeSpace, code: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Returns the sliders (J,) that add to a found code (K,) what a change (K,) moves along the further directions."""
    further = further_of(space)
    amounts = further.directions.T @ change
    result: np.ndarray = SLIDER_END * amounts / _sides(further, code, amounts)
    return result


def change_of(owner: bpy.types.Object, size: int) -> np.ndarray:
    """Returns what tools added to the code of an object, (K,); zeros where none did, or with other weights."""
    change = owner.get(CHANGE)
    if change is None or len(change) != size:
        return np.zeros(size)
    return np.array(change, np.float64)


def held(
    space: shape_space.ShapeSpace, code: np.ndarray, kept: np.ndarray, proportions: list[int], directions: list[int]
) -> np.ndarray:
    """Returns a code (K,) that has another one's proportions and further directions of the given numbers."""
    result = np.asarray(code, np.float64).copy()
    if proportions:
        rows = space.proportion_map[proportions].astype(np.float64)
        result += np.linalg.pinv(rows) @ (rows @ (kept - result))
    ways = further_of(space).directions[:, directions]
    return result + ways @ (ways.T @ (kept - result))


def reset(owner: bpy.types.Object) -> None:
    """Takes back what tools added to an object's code, and its blend; call it while its handles are muted."""
    if owner.get(CHANGE) is not None:
        del owner[CHANGE]
    owner.unrender.blend = 0.0


def why_apart(owner: bpy.types.Object, other: bpy.types.Object | None) -> str:
    """Returns why an object cannot take shape or colours of another one, in one sentence; empty where it can."""
    if other is None or not other.unrender.is_unrender or other == owner:
        return "Choose another object made by Image to 3D."
    mine, its = owner.unrender.bundle, other.unrender.bundle
    if mine != its:
        return (
            f"{other.name} was made with the weights '{its}' and {owner.name} with '{mine}': make both with the same."
        )
    for one in (owner, other):
        if not parts.has_parts(one):
            return f"{one.name} is one surface, and only objects with parts share their shapes and colours."
    if len(owner[SHAPE_CODE]) != len(other[SHAPE_CODE]):
        return f"{other.name} was made with other weights than today's '{its}': make it again."
    return ""


def blended_with(owner: bpy.types.Object) -> bpy.types.Object | None:
    """Returns the object that an object's shape and colours go over to, None where its blend is 0 or cannot be."""
    state = owner.unrender
    return state.other if state.blend > 0 and not why_apart(owner, state.other) else None


def locked(values: Iterable[bool]) -> list[int]:
    """Returns the numbers of the handles that are locked."""
    return [number for number, one in enumerate(values) if one]


def _sides(further: Further, code: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """(J,) how far the data's end is from a code, on the side of each sign."""
    now = further.directions[:, : len(signs)].T @ np.asarray(code, np.float64)
    low, high = further.ends[: len(signs)].T
    return np.maximum(np.where(signs < 0, now - low, high - now), MIN_SIDE * (high - low))


def _found(space: shape_space.ShapeSpace) -> Further:
    free = np.eye(space.size)
    if space.fold is not None:
        free = free[:, :-1]  # a fold is open or closed, no matter of degrees
    rows = space.proportion_map.astype(np.float64) @ free
    turned, values, ways = np.linalg.svd(rows)
    rank = int((values > 1e-9 * values.max(initial=1e-9)).sum())
    free = free @ ways[rank:].T
    basis = space.unfolded(space.basis).astype(np.float64)
    # An object that moves as a whole looks the same: it stands on the ground, wherever that is.
    basis = (basis - basis.mean(axis=1, keepdims=True)).reshape(space.size, -1)
    turned, _, _ = np.linalg.svd(free.T @ basis, full_matrices=False)
    count = min(records.NUMBER_OF_SLIDERS, turned.shape[1])
    chosen = free @ turned[:, :count]
    chosen = chosen @ _even(basis.T @ chosen)
    ends = np.percentile(space.examples.astype(np.float64) @ chosen, ENDS, axis=0).T
    moves = (chosen.T @ basis).reshape(count, -1, 3)
    visible = np.linalg.norm(moves, axis=2).mean(axis=1) * np.ptp(ends, axis=1) / 2
    order = np.argsort(-visible)
    places = space.unfolded(space.mean)
    names = [_name_of(moves[number], places) for number in order]
    # A name says something only where no other direction has it.
    named = tuple(name if name and names.count(name) == 1 else f"Direction {n + 1}" for n, name in enumerate(names))
    return Further(chosen[:, order], ends[order], named, visible[order])


def _even(moves: np.ndarray) -> np.ndarray:
    """(J, J) rotation after which movements (N, J) are of about one size each, large in few places and small in others.

    Varimax with a price on differences of size, found by turning two directions at a time to where it is best.
    """
    count = moves.shape[1]
    turn = np.eye(count)
    turned = moves / max(np.sqrt(np.square(moves).sum() / count), 1e-12)
    angles = np.linspace(-np.pi / 4, np.pi / 4, _ANGLES, endpoint=False)
    cosine, sine = np.cos(angles), np.sin(angles)
    for _ in range(_TURNS):
        rests = True
        for first, second in itertools.combinations(range(count), 2):
            gains = _gain(turned[:, first], turned[:, second], cosine, sine)
            best = int(gains.argmax())
            if gains[best] <= gains[len(gains) // 2] + 1e-9:
                continue
            rests = False
            rotation = np.array([[cosine[best], -sine[best]], [sine[best], cosine[best]]])
            for matrix in (turned, turn):
                matrix[:, [first, second]] = matrix[:, [first, second]] @ rotation
        if rests:
            break
    return turn


def _gain(one: np.ndarray, other: np.ndarray, cosine: np.ndarray, sine: np.ndarray) -> np.ndarray:
    """How good two movements (N,) are once they were turned by angles (A,), as :func:`_even` wants them: (A,)."""
    one_squared, other_squared, product = one * one, other * other, one * other
    energies = one_squared.sum(), product.sum(), other_squared.sum()
    fourths = (
        one_squared @ one_squared, one_squared @ product, one_squared @ other_squared, product @ other_squared,
        other_squared @ other_squared,
    )  # fmt: skip
    gain = np.zeros(len(cosine))
    for c, s in ((cosine, sine), (-sine, cosine)):
        energy = c**2 * energies[0] + 2 * c * s * energies[1] + s**2 * energies[2]
        fourth = sum(
            times * c ** (4 - power) * s**power * value
            for power, (times, value) in enumerate(zip((1, 4, 6, 4, 1), fourths, strict=True))
        )
        gain += len(one) * fourth - energy**2 - _EVEN * np.log(np.maximum(energy, 1e-12)) ** 2
    return gain


def _name_of(moves: np.ndarray, places: np.ndarray) -> str:
    """What vertices (V, 3) at places (V, 3) mostly do, such as "Rear Height"; empty where that is not clear."""
    energy = np.square(moves)
    along = energy.sum(axis=0) / max(float(energy.sum()), 1e-12)
    axis = int(along.argmax())
    from_front = (places[:, 1] - places[:, 1].min()) / max(float(np.ptp(places[:, 1])), 1e-12)
    for name, (begin, end) in _PLACES.items():
        inside = (from_front >= begin) & (from_front <= end)
        if along[axis] > _CLEAR and energy[inside, axis].sum() > _CLEAR * energy[:, axis].sum():
            return f"{name} {_AXES[axis]}"
    return ""
