# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Blenders are installed before any test, by one process at a time."""

from __future__ import annotations

import fcntl
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.window.test_window import TOOL, VERSIONS


@pytest.fixture(scope="session", autouse=True)
def installed_blenders() -> None:
    """Installs what is not there yet; two processes that did so at once would remove each other's files.

    What goes wrong is left to the tests to tell, which need the Blender that is then missing.
    """
    if not TOOL.exists():
        return
    with (Path(tempfile.gettempdir()) / "unrender-tests-real-blender.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for version in VERSIONS:
            subprocess.run([str(TOOL), "setup", version], check=False, capture_output=True, timeout=900)
