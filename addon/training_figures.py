# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training's figures: read from its log and drawn as a plot; and its newest sheet of samples. No bpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .wire import json_files

LOG = "log.jsonl"
COLOURS = ((204, 60, 60), (80, 170, 70), (80, 130, 235), (230, 190, 50), (165, 100, 225), (60, 185, 165))
"""Of the plot's strips from the top; as many figures are shown."""
ICONS = (
    "COLORSET_01_VEC", "COLORSET_03_VEC", "COLORSET_04_VEC", "COLORSET_09_VEC", "COLORSET_06_VEC", "COLORSET_07_VEC",
)  # fmt: skip
"""Blender's icons of about these colours."""
GROUND, LINE = (38, 38, 38), (70, 70, 70)

Series = dict[str, tuple[list[int], list[float]]]
"""Steps and values of each figure, by its name."""


class Log:
    """A run's log, of which every look reads what is new; lines that cannot be read are left out."""

    def __init__(self, folder: Path) -> None:
        self.path = Path(folder) / LOG
        self.series: Series = {}
        self._read = 0
        """Number of bytes that have been read."""

    def look(self) -> Series:
        """Returns the figures up to now; of a log that has become shorter, as by a new beginning, those it has now."""
        try:
            with self.path.open("rb") as file:
                if file.seek(0, 2) < self._read:
                    self.series, self._read = {}, 0
                file.seek(self._read)
                content = file.read()
        except OSError:
            return self.series
        whole = content[: content.rfind(b"\n") + 1]  # the last line may be half written
        self._read += len(whole)
        for line in whole.splitlines():
            self._take(line)
        return self.series

    def _take(self, line: bytes) -> None:
        try:
            record = json_files.parse_object(line, "log.jsonl")
            step = int(record.pop("step"))
            values = {str(name): float(value) for name, value in record.items()}
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            return
        for name, value in values.items():
            if math.isfinite(value):
                steps, numbers = self.series.setdefault(name, ([], []))
                steps.append(step)
                numbers.append(value)


def read_log(folder: Path) -> Series:
    """Returns the figures of a run's log; none where there is no log."""
    return Log(folder).look()


def losses_of(series: Series, most: int) -> Series:
    """Returns the figures that are worth a plot: losses first, then what was measured on held-out data."""
    names = [name for name in series if name not in ("seconds", "seconds_per_step", "validation/kimg")]
    names.sort(key=lambda name: name.startswith("validation/"))
    return {name: series[name] for name in names[:most]}


def newest_sheet(folders: Sequence[Path]) -> Path | None:
    """Returns the picture that was written last in any of the folders."""
    found = [(path.stat().st_mtime_ns, path) for folder in folders for path in folder.glob("*.png") if path.is_file()]
    return max(found)[1] if found else None


def time_text(seconds: float | None) -> str:
    """Returns a length of time in words; empty where it is not known or over."""
    if seconds is None or not math.isfinite(seconds) or seconds <= 0:
        return ""
    if seconds < 90:
        return f"{math.ceil(seconds)} s left"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min left"
    return f"{seconds / 3600:.1f} h left" if seconds < 36 * 3600 else f"{seconds / 86400:.1f} days left"


def plot(series: Series, width: int, height: int) -> np.ndarray:
    """Draws figures as (height, width, 4) uint8: a strip for each, from its own lowest to its own highest value.

    Steps run from left to right, alike in all strips. Losses have scales of their own, so no two share a strip.
    """
    picture = np.empty((height, width, 4), np.uint8)
    picture[:] = (*GROUND, 255)
    shown = list(series.values())[: len(COLOURS)]
    last = max((steps[-1] for steps, _ in shown), default=1)
    for number, (steps, values) in enumerate(shown):
        top, bottom = (height * place // len(shown) for place in (number, number + 1))
        if number:
            picture[top, :, :3] = LINE
        thinned = slice(len(steps) - 1, None, -max(1, len(steps) // width))  # the last one in any case
        places, heights = (np.asarray(numbers[thinned], float)[::-1] for numbers in (steps, values))
        _draw(picture[top + 1 : bottom], places / max(last, 1), heights, COLOURS[number])
    return picture


def _draw(strip: np.ndarray, places: np.ndarray, values: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Draws one line into a strip (h, w, 4); ``places`` (n,) are fractions of its width."""
    height, width = strip.shape[:2]
    margin = max(1, height // 10)
    low, high = float(values.min()), float(values.max())
    span = high - low if high > low else 1.0
    scaled = (values - low) / span if high > low else np.full(len(values), 0.5)
    first, last = (int(place * (width - 1)) for place in (places[0], places[-1]))
    columns = np.arange(first, last + 1)
    heights = np.interp(columns, places * (width - 1), scaled)
    rows = np.rint(height - 1 - margin - heights * (height - 1 - 2 * margin)).clip(0, height - 1)
    before = np.concatenate([rows[:1], rows[:-1]])
    place = np.arange(height)[:, None]
    # From the row of the column before, so that steep lines hold together.
    inked = (place >= np.minimum(rows, before)) & (place <= np.maximum(rows, before) + 1)
    strip[:, first : last + 1, :3][inked] = colour
