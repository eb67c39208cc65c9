# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on with a program of a test's own in the place of the command train, which a real process runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import pytest

import addon
from addon import environment, places
from addon.wire import client


@contextmanager
def registered_with(program: str, root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The add-on registered in an empty file while this is open, its user folder in ``folder``; ``root`` is the
    checkout, whose backend.common the program may import."""
    backend = folder / "root" / "backend"
    (backend / "commands").mkdir(parents=True)
    for package in (backend, backend / "commands"):
        (package / "__init__.py").touch()
    (backend / "common").symlink_to(root / "backend" / "common")
    (backend / "errors.py").symlink_to(root / "backend" / "errors.py")
    (backend / "commands" / "train.py").write_text(program)
    bpy.ops.wm.read_homefile(use_empty=True)
    monkeypatch.setattr(places, "user_folder", lambda: folder / "user")
    command = client.WorkerCommand([sys.executable], backend.parent, folder / "worker.log", {})
    monkeypatch.setattr(environment, "worker_command", lambda chosen="": command)
    addon.register()
    try:
        yield
    finally:
        addon.unregister()
