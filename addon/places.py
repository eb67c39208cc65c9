# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie: the extension's name inside Blender, its own folder and the folder it may write to."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy

from .wire import bundle_files, records

EXTENSION = __package__.rpartition(".")[0] or "unrender"
"""Name of preferences and user folder: ``bl_ext.<repository>.unrender`` inside Blender."""
ROOT = Path(__file__).resolve().parents[1]
"""Folder that holds ``addon`` and ``backend``; it may be read-only and is replaced on upgrade."""


def user_folder() -> Path:
    """Returns the folder for everything that is written: environment, logs, the user's bundles."""
    try:
        if EXTENSION.startswith("bl_ext."):
            return Path(bpy.utils.extension_path_user(EXTENSION, create=True))
        return Path(bpy.utils.user_resource("DATAFILES", path="unrender", create=True))
    except (OSError, ValueError):
        # A machine without a writable home folder, such as a render farm's.
        return Path(tempfile.gettempdir()) / "unrender"


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


def _bundles_with(network: str) -> dict[str, Path]:
    """As the worker finds them: the user's hide the extension's own of the same name."""
    found = bundle_files.bundles_in([bundle_files.BUNDLED, *bundle_folders()], network)
    return dict(sorted(found.items(), key=lambda item: item[0] != records.DEFAULT_BUNDLE))
