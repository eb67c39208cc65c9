# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user looks at: a finished job selects what it made, but is no reason to look elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy


@dataclass(frozen=True)
class Attention:
    """Mode and selection at one moment."""

    mode: str
    active: bpy.types.Object | None
    selected: frozenset[bpy.types.Object]

    @classmethod
    def now(cls, context: bpy.types.Context) -> Attention:
        """Returns what the user looks at now."""
        return cls(context.mode, context.view_layer.objects.active, frozenset(context.selected_objects))

    def turn_to(self, context: bpy.types.Context, made: Sequence[bpy.types.Object]) -> None:
        """Selects new objects alone, the first one active, as an import does in Object Mode; not where the user has
        turned to something else since."""
        if self.mode != "OBJECT" or Attention.now(context) != self:
            return
        for selected in context.selected_objects:
            selected.select_set(False)
        for owner in made:
            owner.select_set(True)
        context.view_layer.objects.active = made[0]
