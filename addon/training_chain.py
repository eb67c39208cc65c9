# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new category as one guided list: what is done, what is next, and whose turn it is. No bpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import training_runs
from .training_runs import Request, Run
from .wire import category_steps, run_files

IN_THE_PANEL = "press Views, say for each from where it is seen (or Use All Guesses), then press Go On."
"""What to do where a step waits for a person; what the step says before its first colon is why."""


@dataclass(frozen=True)
class Form:
    """What a person says of a new category."""

    photographs: str
    category: str
    preset: str
    masks: str = ""
    cutout_model: str = ""
    device: str = "auto"
    keep: bool = True


def folder_of(root: Path, category: str) -> Path:
    """Returns the folder of a category's run. Raises ValueError for a name that is none."""
    name = "-".join(category.split())
    if not name or any(sign in name for sign in '/\\:*?"<>|') or name.startswith((".", "-")):
        raise ValueError(
            "Give the category a name, such as chair: it becomes the name of its folder and of its bundle."
        )
    return root / name


def steps_of(folder: Path, run: Run | None) -> list[category_steps.Step]:
    """Returns how far each step is; a step whose process is gone is no longer running.

    What a person has to do is said in the panel's own words, where the command speaks of options and folders.
    """
    under_way = run is not None and run.is_under_way
    return [_as_shown(step, under_way) for step in category_steps.read(folder)]


def _as_shown(step: category_steps.Step, under_way: bool) -> category_steps.Step:
    if step.state == "running" and not under_way:
        return replace(step, state="open")
    if step.state == "person":
        return replace(step, sentence=f"{step.sentence.partition(':')[0].rstrip('.')}: {IN_THE_PANEL}")
    return step


def next_request(folder: Path, form: Form, steps: Sequence[category_steps.Step]) -> Request:
    """Returns what goes on with a category, or begins it. Raises ValueError where something is missing."""
    begun = (folder / category_steps.FILE_NAME).exists() or run_files.stored(folder) is not None
    if not form.photographs:
        raise ValueError("Choose the folder of photographs first.")
    if all(step.state in ("done", "left out") for step in steps):
        raise ValueError("Every step is done.")
    options = ["--masks", form.masks] if form.masks else []
    if form.cutout_model and not form.masks:
        options += ["--cutout-model", form.cutout_model]
    return Request(
        training_runs.CATEGORY, form.photographs, form.preset, folder, options=tuple(options), device=form.device,
        resume=begun, keep=form.keep,
    )  # fmt: skip


def views_folder(folder: Path) -> Path | None:
    """Returns the folder of the category's views, once there are some to look at."""
    place = folder / category_steps.VIEWS
    return place if (place / "views.json").is_file() else None
