# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run so far as a bundle: a copy of what it has exported, under the user's bundles. No bpy, no torch.

It is a copy because the run goes on and may be thrown away, and because an object remembers its weights by a name.
"""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import Any

from .training_figures import read_log
from .training_runs import CATEGORY, CONFIG, Run
from .wire import bundle_files, files, json_files, records

FORMAT = 1
"""Of cards."""
CATEGORY_BUNDLE = "bundle"
"""Folder in that of a whole category where its bundle lies."""
NETWORKS = (bundle_files.INVERSE_GRAPHICS, bundle_files.TEMPLATE)
LARGEST_HEADER = 16 * 1024 * 1024


def weights_of(run: Run) -> Path | None:
    """Returns the folder whose networks *Image to 3D* can use; None where the run has exported none (yet)."""
    category = run.record is not None and run.record.task == CATEGORY
    folders = [run.folder / CATEGORY_BUNDLE, run.folder / "inverse-graphics"] if category else [run.folder]
    return next((folder for folder in folders if all((folder / name).is_file() for name in NETWORKS)), None)


def is_generator(run: Run) -> bool:
    """Says whether a run has exported an image generator."""
    return (run.folder / bundle_files.GENERATOR).is_file() and weights_of(run) is None


def make_bundle(run: Run, bundles: Path, title: str = "") -> str:
    """Copies a run's networks into a bundle of the run's name, over what it had before; returns the name.

    Raises ValueError where the run has none, or the name is that of a bundle that was not made of this run; OSError.
    """
    source = weights_of(run)
    if source is None:
        raise ValueError(f"{run.name} has saved no network for Image to 3D yet: wait for its first checkpoint.")
    target = bundles / run.name
    card_file = target / bundle_files.CARD
    if run.name in bundle_files.bundles_in([bundle_files.BUNDLED]):
        raise ValueError(f"A bundle that came with Unrender is called {run.name}: give the run's folder another name.")
    if card_file.exists() and _read(card_file).get("run") != str(run.folder):
        raise ValueError(f"Another bundle is called {run.name}: rename the run's folder, or {target}.")
    target.mkdir(parents=True, exist_ok=True)
    for name in (*NETWORKS, bundle_files.SEGMENTER):
        if (source / name).is_file():
            with files.replacing(target / name) as partial:
                shutil.copyfile(source / name, partial)
    files.write_json(card_file, _card(run, source, target, title))
    return run.name


def _card(run: Run, source: Path, target: Path, title: str) -> dict[str, Any]:
    """The card: that of a bundle that the run has made, or what the run's files say."""
    own = _read(source / bundle_files.CARD)
    config = _read(run.folder / CONFIG)
    step = max((steps[-1] for steps, _ in read_log(source).values()), default=0)
    category = own.get("category") or config.get("category") or run.name
    made = {
        "format": FORMAT,
        "category": category,
        "resolution": resolution_of(source / bundle_files.INVERSE_GRAPHICS),
        "real_size": 1.0,
        "data": run.record.data if run.record else "",
        "licence": "as the data's",
        "description": f"The training {run.name} at step {step}",
    }
    if not (target / bundle_files.SEGMENTER).exists():
        made["segmenter"] = records.DEFAULT_BUNDLE
    return {**made, **own, "name": run.name, "title": title or own.get("title") or run.name, "run": str(run.folder)}


def resolution_of(path: Path) -> int:
    """Returns the side of the pictures that a network's file is for, by its header; 0 where it does not say."""
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header = json_files.parse_object(file.read(min(size, LARGEST_HEADER)), path.name)
        return int(json_files.parse_object(header["__metadata__"]["config"], path.name)["image_size"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, struct.error):
        return 0


def _read(path: Path) -> dict[str, Any]:
    try:
        return json_files.read_object(path)
    except (OSError, ValueError):
        return {}
