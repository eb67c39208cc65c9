# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import hypothesis
import pytest

# Before torch is imported: tests share few cores, and threads that spin while they wait make them slow.
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# A busy machine is slow now and then; that is no fault of what is tested.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")

# A job in a shell's background has Ctrl-C ignored, and so would every program that a test interrupts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
# Where there is no cut-out model: what a test finds shall not depend on what the user of the machine keeps at home.
os.environ["U2NET_HOME"] = str(ROOT / "tests")


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the tests that open Blender's window: they last longest, and two processes shall end together."""
    items.sort(key=lambda item: "window" not in item.path.parts)


_exit_status = 0


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keeps the exit status for :func:`pytest_unconfigure`."""
    global _exit_status
    _exit_status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the process at once where Blender was in it, after everything has been reported.

    The product never has bpy and torch in one process; the tests do, and the threads of both, torn down at exit in an
    order that neither foresees, now and then wait for one another for ever.
    """
    if "bpy" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_exit_status)
