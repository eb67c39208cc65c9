# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which positions of its handles an object shows: kept with it, so that undo, files and frames can be compared.

What an object shows and what its handles say are two things: an animation moves handles without a word, and undo may
bring back the one without the other.
"""

from __future__ import annotations

import bpy

from . import palette

SHAPE, VIEW, COLOURS = "unrender_shown_shape", "unrender_shown_view", "unrender_shown_colours"
"""Properties of an object: the positions that its mesh, its camera and its colours are of."""

Numbers = list[float]


def shape_of(state: bpy.types.PropertyGroup) -> Numbers:
    """Returns the positions that a shape depends on, of an object's handles or of evaluated ones."""
    return [*state.shape, *state.proportions, state.blend]


def view_of(state: bpy.types.PropertyGroup) -> Numbers:
    """Returns azimuth and elevation in radians, and the zoom."""
    return [state.azimuth, state.elevation, state.zoom]


def colours_of(state: bpy.types.PropertyGroup) -> Numbers:
    """Returns the numbers of the colour fields, and what of them the blend adds."""
    fields = [value for region in palette.COLOURS for value in getattr(state, palette.field_of(region))]
    return [*fields, float(state.two_tone), state.blend]


READERS = {SHAPE: shape_of, VIEW: view_of, COLOURS: colours_of}


def remember(owner: bpy.types.Object, *kinds: str) -> None:
    """Takes note that an object shows what its handles say, in all or some of the three kinds."""
    for kind in kinds or READERS:
        owner[kind] = READERS[kind](owner.unrender)


def differs(owner: bpy.types.Object, source: bpy.types.Object, kind: str) -> bool:
    """Says whether an object shows something else than the handles of ``source``, itself or its evaluated self, say."""
    shown = owner.get(kind)
    return shown is not None and list(shown) != READERS[kind](source.unrender)
