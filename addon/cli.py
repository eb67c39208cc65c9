# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``blender --command unrender COMMAND ...``: what there is to do without a window, once the extension is enabled."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import bpy

NAME = "unrender"


@dataclass(frozen=True)
class Command:
    """One of the commands. Its module is loaded when it is asked for, so that Blender's start does not wait for it."""

    module: str
    summary: str
    words: str
    """What stands behind it, in short."""
    function: str = "run"

    def load(self) -> Callable[[Sequence[str]], int]:
        """Returns the function that runs it with its arguments and returns the exit code."""
        return getattr(importlib.import_module(f".{self.module}", __package__), self.function)


COMMANDS = {
    "image-to-3d": Command("batch", "photos to scenes", "PHOTO_OR_FOLDER... --out DIR"),
    "generate": Command("batch_generate", "new objects from seeds", "--seeds LIST --out DIR"),
    "edit": Command("batch_edit", "handles by name", "OBJECT_OR_PHOTO... NAME=VALUE... --out DIR"),
    "join": Command("batch_join", "the reports of a batch's shards to one", "DIR"),
    "train": Command("backend_commands", "train a network", "TASK --data PATH --out RUN", "train"),
    "evaluate": Command("backend_commands", "measure weights", "--bundle NAME --data DIR --report FILE", "evaluate"),
    "setup": Command("setup_command", "make the backend's environment", "[--wheels FOLDER]"),
    "doctor": Command("doctor", "what there is, and what is wrong", "[--json]"),
}

_handle: Any = None


def usage() -> str:
    """Returns a line for each command."""
    lines = [f"usage: blender --command {NAME} COMMAND ...  (--help behind a command tells its options)"]
    return "\n".join(lines + [f"  {name:12} {one.words:44} {one.summary}" for name, one in COMMANDS.items()])


def main(arguments: list[str]) -> int:
    """Runs a command; returns the exit code."""
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is not None:
        return command.load()(arguments[1:])
    asked = arguments[:1] in (["-h"], ["--help"])
    print(usage(), file=sys.stdout if asked else sys.stderr, flush=True)
    return 0 if asked else 2


def register() -> None:
    """Adds the command."""
    global _handle
    _handle = bpy.utils.register_cli_command(NAME, main)


def unregister() -> None:
    """Removes it."""
    bpy.utils.unregister_cli_command(_handle)
