# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The annotation of a view set: which view is shown, what is chosen for it, undo, and the time it takes. No bpy.

Every decision is written to the set's file at once, before anything changes here: what cannot be written did not
happen, and a crash loses nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from .wire import view_set

LONGEST_PAUSE = 30.0
"""Longest time between two actions that counts as annotation, in seconds: who is away for longer does other things."""
ARROWS = {"LEFT_ARROW": (-1.0, 0.0), "RIGHT_ARROW": (1.0, 0.0), "UP_ARROW": (0.0, 1.0), "DOWN_ARROW": (0.0, -1.0)}


def place_on_ring(number: int) -> tuple[float, float]:
    """Returns where the object's front points, for a bin, seen from above with the viewer below: (right, up).

    So it is the direction that the object faces in the picture: seen from its front (bin 0) it faces the viewer, seen
    from its left side (bin 3) it faces left.
    """
    angle = math.radians(view_set.azimuth_deg_of(number))
    return -math.sin(angle), -math.cos(angle)


def neighbour(number: int, arrow: str) -> int:
    """Returns the bin beside another on the ring that lies further in an arrow's direction, or the same one."""
    right, up = ARROWS[arrow]

    def height(candidate: int) -> float:
        x, y = place_on_ring(candidate)
        return round(x * right + y * up, 6)

    beside = ((number + step) % view_set.NUMBER_OF_BINS for step in (1, -1))
    return max((number, *beside), key=height)


class Annotation:
    """One view set that is open. ``clock`` gives seconds."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic):
        """Reads the set; raises :class:`view_set.ViewSetError`. Shows the first view that nobody has looked at yet."""
        self.views = view_set.read(folder)
        self.position = 0
        """Index of the view that is shown, in the order of the set."""
        self.chosen: int | None = None
        """Bin that :meth:`accept` takes for the view that is shown."""
        self.drops = False
        """Whether :meth:`accept` drops the view that is shown."""
        self._clock = clock
        self._since: float | None = None
        self._unsaved_seconds = 0.0
        self._undo: list[tuple[int, view_set.View]] = []
        self.show(self._first_open() or 0)

    @property
    def view(self) -> view_set.View:
        """The view that is shown."""
        return self.views.views[self.position]

    @property
    def decided(self) -> int:
        """How many views a person has decided about."""
        return sum(view.is_by_person for view in self.views.views)

    @property
    def is_finished(self) -> bool:
        """Says whether a person has decided about every view."""
        return self.decided == len(self.views.views)

    @property
    def is_running(self) -> bool:
        """Says whether the clock runs."""
        return self._since is not None

    @property
    def can_undo(self) -> bool:
        """Says whether there is a decision to take back."""
        return bool(self._undo)

    @property
    def seconds(self) -> float:
        """Time that this set took so far, in this session and before."""
        return self.views.annotation_seconds + self._unsaved_seconds + self._running_seconds()

    def start(self) -> None:
        """Has the clock run."""
        if self._since is None:
            self._since = self._clock()

    def stop(self) -> None:
        """Stops the clock and saves the time. Raises :class:`view_set.ViewSetError`."""
        self._count()
        self._since = None
        if self._unsaved_seconds:
            self._save(self.views.views)

    def show(self, position: int) -> None:
        """Goes to a view; one before the first is the first, one behind the last the last."""
        self._count()
        self.position = min(max(position, 0), len(self.views.views) - 1)
        self.chosen, self.drops = self.view.likely_bin, self.view.dropped

    def turn(self, arrow: str) -> None:
        """Moves the choice along the ring; without a choice it begins at the front."""
        self._count()
        self.chosen = 0 if self.chosen is None else neighbour(self.chosen, arrow)
        self.drops = False

    def decide(self, number: int) -> None:
        """Puts the view into a bin and goes to the next. Raises :class:`view_set.ViewSetError`."""
        if not 0 <= number < view_set.NUMBER_OF_BINS:
            raise view_set.ViewSetError(f"There is no bin {number}.")
        self._replace(replace(self.view, bin=number, dropped=False, source="person"))

    def drop(self) -> None:
        """Leaves the view out and goes to the next; its bin stays in the file.

        Raises :class:`view_set.ViewSetError`.
        """
        self._replace(replace(self.view, dropped=True, source="person"))

    def accept(self) -> None:
        """Takes what is chosen. Raises :class:`view_set.ViewSetError` where nothing is."""
        if self.drops:
            self.drop()
        elif self.chosen is None:
            raise view_set.ViewSetError("There is no guess for this view: choose a side, or drop it.")
        else:
            self.decide(self.chosen)

    def undo(self) -> None:
        """Takes the last decision back and shows its view. Raises :class:`view_set.ViewSetError`."""
        if not self._undo:
            raise view_set.ViewSetError("There is nothing to take back.")
        position, before = self._undo[-1]
        self._save_with(position, before)
        self._undo.pop()
        self.show(position)

    def accept_guesses(self) -> int:
        """Takes the guess for every view that has no bin yet; returns how many are still without one.

        The source of these views stays ``auto``; that guesses are good enough is written down for what waits for
        sides. Raises :class:`view_set.ViewSetError`.
        """
        self._count()
        self.views.more[view_set.GUESSES_ACCEPTED] = True
        self._save(view_set.with_guesses(self.views.views))
        self.show(self.position)
        return sum(view.bin is None and not view.dropped for view in self.views.views)

    def _first_open(self) -> int | None:
        """Position of the first view that nobody has looked at yet."""
        return next((number for number, view in enumerate(self.views.views) if not view.is_by_person), None)

    def _replace(self, view: view_set.View) -> None:
        before, position = self.view, self.position
        was_finished = self.is_finished
        self._save_with(position, view)
        self._undo.append((position, before))
        if self.is_finished and not was_finished:
            self._since = None
        following = position + 1 if position + 1 < len(self.views.views) else self._first_open()
        self.show(position if following is None else following)

    def _save_with(self, position: int, view: view_set.View) -> None:
        self._count()
        views = list(self.views.views)
        views[position] = view
        self._save(views)

    def _save(self, views: list[view_set.View]) -> None:
        seconds = self.views.annotation_seconds + self._unsaved_seconds
        changed = replace(self.views, views=views, annotation_seconds=seconds)
        view_set.write(changed)
        self.views, self._unsaved_seconds = changed, 0.0

    def _running_seconds(self) -> float:
        return 0.0 if self._since is None else min(max(self._clock() - self._since, 0.0), LONGEST_PAUSE)

    def _count(self) -> None:
        """Adds the time since the last action."""
        self._unsaved_seconds += self._running_seconds()
        if self._since is not None:
            self._since = self._clock()
