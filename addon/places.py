# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie: the extension's name inside Blender, its own folder and the folder it may write to."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import bpy

EXTENSION = __package__.rpartition(".")[0] or "unrender"
"""``bl_ext.<repository>.unrender`` inside Blender; preferences and the user folder go by this name."""
ROOT = Path(__file__).resolve().parents[1]
"""Holds ``addon`` and ``backend``. It may be read-only and is replaced on upgrade."""


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
    named = os.environ.get("UNRENDER_BUNDLES", "").split(os.pathsep)
    return [user_folder() / "bundles", *(Path(text).expanduser().absolute() for text in named if text)]


def bundle_names() -> list[str]:
    """Returns the names of the bundles that Image to 3D can use, those that ship with the extension first."""
    return _names_of_bundles_with("inverse_graphics.safetensors") or ["car"]


def generator_names() -> list[str]:
    """Returns the names of the bundles that hold an image generator, in the same order."""
    return _names_of_bundles_with("generator.safetensors")


def _names_of_bundles_with(network: str) -> list[str]:
    names: list[str] = []
    for folder in (ROOT / "backend" / "weights" / "bundles", *bundle_folders()):
        if folder.is_dir():
            cards = sorted(folder.glob("*/bundle.json"))
            names += [card.parent.name for card in cards if (card.parent / network).exists()]
    return list(dict.fromkeys(names))
