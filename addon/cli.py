# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``blender --command unrender image-to-3d PHOTO... --out DIR``, ``... generate --seeds LIST --out DIR`` and ``... edit
OBJECT NAME=VALUE... --out DIR``: the batch runs, once the extension is enabled."""

from __future__ import annotations

import sys
from typing import Any

import bpy

COMMAND = "unrender"
USAGE = (
    "usage: blender --command unrender image-to-3d PHOTO_OR_FOLDER... --out DIR [options]\n"
    "       blender --command unrender generate --seeds LIST --out DIR [options]\n"
    "       blender --command unrender edit OBJECT_OR_PHOTO... NAME=VALUE... --out DIR [options]"
)

_handle: Any = None


def main(arguments: list[str]) -> int:
    """Runs a command; returns the exit code."""
    # What only these commands need is loaded here, so that Blender's start does not wait for it.
    if arguments[:1] == ["image-to-3d"]:
        from . import batch

        return batch.run(arguments[1:])
    if arguments[:1] == ["generate"]:
        from . import batch_generate

        return batch_generate.run(arguments[1:])
    if arguments[:1] == ["edit"]:
        from . import batch_edit

        return batch_edit.run(arguments[1:])
    print(USAGE, file=sys.stderr)
    return 0 if arguments[:1] in (["-h"], ["--help"]) else 2


def register() -> None:
    """Adds the command."""
    global _handle
    _handle = bpy.utils.register_cli_command(COMMAND, main)


def unregister() -> None:
    """Removes it."""
    bpy.utils.unregister_cli_command(_handle)
