# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps from photographs to a new category's bundle, and how far they are: ``category.json`` in the run's folder.

Both processes know the steps by this file. Standard library alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from . import files
from .json_files import read_object

FILE_NAME = "category.json"
MASKS, SEGMENTER, GENERATOR, VIEWS, SIDES = "masks", "segmenter", "stylegan2", "views", "sides"
PICTURES, SHAPES, BUNDLE, RENDERER = "pictures", "inverse-graphics", "bundle", "disentangle"
TITLES = {
    MASKS: "Cut out the photographs",
    SEGMENTER: "Learn to cut out",
    GENERATOR: "Learn to make pictures",
    VIEWS: "Propose views",
    SIDES: "Say from which side each view is",
    PICTURES: "Make pictures of each view",
    SHAPES: "Learn shapes",
    BUNDLE: "Make the bundle",
    RENDERER: "Learn to render (optional)",
}
"""All steps in their order, as people read them. Each but the fifth has a folder of its name."""
MAX_BYTES = 1024 * 1024

StepState = Literal["open", "running", "done", "person", "failed", "left out"]
"""``person``: somebody has to decide something before it goes on."""


@dataclass(frozen=True)
class Step:
    """How far one step is."""

    name: str
    state: StepState = "open"
    sentence: str = ""
    """What came of it, or what there is to do, for the user."""
    seconds: float = 0.0

    @property
    def title(self) -> str:
        """What people read."""
        return TITLES[self.name]


def fresh() -> list[Step]:
    """All steps before anything is done."""
    return [Step(name) for name in TITLES]


def read(folder: Path) -> list[Step]:
    """The steps of a category's folder; all open where it says nothing that can be read."""
    try:
        document = read_object(Path(folder) / FILE_NAME, MAX_BYTES)
        found = {str(entry["name"]): entry for entry in document["steps"]}
        return [_step(name, found.get(name, {})) for name in TITLES]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return fresh()


def _step(name: str, entry: dict) -> Step:
    state = entry.get("state", "open")
    if state not in get_args(StepState):
        raise ValueError(f"{state} is no state")
    return Step(name, state, str(entry.get("sentence", "")), float(entry.get("seconds", 0)))


def write(folder: Path, steps: list[Step]) -> None:
    """Writes the steps. Raises OSError."""
    files.write_json(Path(folder) / FILE_NAME, {"format": 1, "steps": [asdict(step) for step in steps]})


def changed(steps: list[Step], name: str, **changes) -> list[Step]:
    """The steps with one of them changed."""
    return [replace(step, **changes) if step.name == name else step for step in steps]
