# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the add-on's preferences say, for the code that acts on it; :mod:`.ui.preferences` shows and stores them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy

from . import choices, device_builds, installation, places
from .wire import records

_of_this_run = ""
"""The interpreter that a command was told."""


def use_interpreter(path: str) -> None:
    """Has another interpreter used than the preferences name, as a command was told; empty: theirs again."""
    global _of_this_run
    _of_this_run = path


def stored() -> Any:
    """Returns the preferences as Blender keeps them; None in a run where the extension is not enabled."""
    addon: bpy.types.Addon | None = bpy.context.preferences.addons.get(places.EXTENSION)
    return addon.preferences if addon is not None else None


def interpreter() -> str:
    """Returns the path that the user chose, or an empty text."""
    kept = stored()
    return _of_this_run or (bpy.path.abspath(kept.interpreter) if kept is not None else "")


def source() -> installation.Source:
    """Returns what the backend is to be installed from."""
    kept = stored()
    if kept is None:
        return installation.Source(device_builds.detected())
    wheels = Path(bpy.path.abspath(kept.wheels)) if kept.wheels else None
    build = device_builds.chosen(kept.build)
    python = os.path.expanduser(bpy.path.abspath(kept.making_python)) if kept.making_python else ""
    return installation.Source(build, kept.package_index.strip(), wheels, python, cut_out=kept.install_onnxruntime)


def device(chosen: str = choices.DEFAULT) -> str:
    """Returns the device that a setting stands for."""
    kept = stored()
    if chosen != choices.DEFAULT:
        return chosen
    return kept.device if kept is not None else "auto"


def cutout_model() -> str:
    """Returns which cut-out model requests ask for: a file's path, the bundle's own segmenter, or empty: any found."""
    kept = stored()
    if kept is None:
        return ""
    if kept.own_cut_out:
        return records.OWN_CUT_OUT
    return os.path.normpath(bpy.path.abspath(kept.cutout_model)) if kept.cutout_model else ""


def bundle(chosen: str = choices.DEFAULT) -> str:
    """Returns the name of the bundle that a setting stands for. Raises ValueError where it is no longer installed."""
    if not chosen:  # what Blender says of a number in the file that belongs to no choice
        raise ValueError("The weights that this scene asks for are not installed: choose others in the options.")
    kept = stored()
    if chosen != choices.DEFAULT:
        return chosen
    return kept.bundle if kept is not None and kept.bundle else records.DEFAULT_BUNDLE
