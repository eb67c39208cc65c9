# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie: the extension's name inside Blender, its own folder and the folder it may write to."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

import bpy

from .wire import bundle_files, records

EXTENSION = __package__.rpartition(".")[0] or "unrender"
"""Name of preferences and user folder: ``bl_ext.<repository>.unrender`` inside Blender."""
ROOT = Path(__file__).resolve().parents[1]
"""Folder that holds ``addon`` and ``backend``; it may be read-only and is replaced on upgrade."""


def user_folder() -> Path:
    """Returns the folder for everything that is written: environment, logs, the user's bundles; always absolute.

    Where Blender has none that can be written to, as on a render farm's machine without a home folder, it is a private
    one for this process alone.
    """
    try:
        if EXTENSION.startswith("bl_ext."):
            answer = bpy.utils.extension_path_user(EXTENSION, create=True)
        else:
            answer = bpy.utils.user_resource("DATAFILES", path="unrender", create=True)
    except (OSError, ValueError):
        answer = ""
    # Blender says "" where it could not make the folder: as a path that would be whatever folder is the current one.
    folder = Path(answer) if answer else None
    if folder is not None and folder.is_absolute() and os.access(folder, os.W_OK | os.X_OK):
        return folder
    return _private_folder()


@functools.cache
def _private_folder() -> Path:
    """A new folder that only this user can look into, removed when the process ends."""
    folder = tempfile.mkdtemp(prefix="unrender-")  # a name that nobody can foresee, and so put files there before
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def bundle_folders() -> list[Path]:
    """Returns the folders beside the extension's own that may hold bundles: the user's, then those of the variable."""
    return [user_folder() / "bundles", *bundle_files.named_folders()]


def bundles() -> dict[str, Path]:
    """Returns name and folder of the bundles that Image to 3D can use, the default and the extension's own first."""
    return _bundles_with(bundle_files.INVERSE_GRAPHICS)


def generators() -> dict[str, Path]:
    """Returns name and folder of the bundles that hold an image generator, in the same order."""
    return _bundles_with(bundle_files.GENERATOR)


def shape_spaces() -> dict[str, Path]:
    """Returns name and folder of the bundles that objects with parts are made with, in the same order."""
    return _bundles_with(bundle_files.SHAPE_SPACE)


def makers() -> dict[str, Path]:
    """Returns name and folder of the bundles that make objects without a photo, in the same order."""
    return {**shape_spaces(), **_bundles_with(bundle_files.SHAPE_GENERATOR)}


def _bundles_with(network: str) -> dict[str, Path]:
    """As the worker finds them: the user's hide the extension's own of the same name."""
    found = bundle_files.bundles_in([bundle_files.BUNDLED, *bundle_folders()], network)
    return dict(sorted(found.items(), key=lambda item: item[0] != records.DEFAULT_BUNDLE))
