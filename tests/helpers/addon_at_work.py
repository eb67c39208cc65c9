# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on registered in an empty file, with the toy worker in the place of the product's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import pytest

import addon
from addon import environment
from addon.wire import client


@contextmanager
def addon_with_toy_worker(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, mode: str = "") -> Iterator[None]:
    """While this is open, everything is at its start; ``folder`` takes the worker's log, ``mode`` is the worker's."""
    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    arguments = [sys.executable, "-m", "tests.helpers.toy_worker", *([mode] if mode else [])]
    command = client.WorkerCommand(arguments, root, folder / "worker.log")
    monkeypatch.setattr(environment, "worker_command", lambda chosen="": command)
    yield
    addon.unregister()
