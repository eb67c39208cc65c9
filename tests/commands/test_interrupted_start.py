# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C while a program still imports what it needs, or cleans up after its work: no traceback, and the right code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

START = """
import os, runpy, signal, sys
sys.path.insert(0, {scripts!r})
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
sys.argv = [{program!r}, "--help"]
runpy.run_path({program!r}, run_name="__main__")
"""


END = """
import atexit, os, runpy, signal, sys
atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))
sys.path.insert(0, {scripts!r})
sys.argv = [{program!r}, "--help"]
runpy.run_path({program!r}, run_name="__main__")
"""


def ended(root: Path, code: str) -> tuple[int, str]:
    """Exit code and errors of a program that interrupts itself."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has it ignored
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=60)
    finally:
        signal.signal(signal.SIGINT, before)
    return done.returncode, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of its own")
@pytest.mark.parametrize(
    ("program", "module"), [("image_to_3d", "addon"), ("train", "backend.commands.train"), ("join", "addon")]
)
def test_an_interrupted_start_ends_without_a_word(root: Path, program: str, module: str) -> None:
    path = root / "scripts" / f"{program}.py"
    code = START.format(scripts=str(root / "scripts"), module=module, program=str(path))
    assert ended(root, code) == (130, "")


@pytest.mark.skipif(os.name == "nt", reason="signals of its own")
def test_an_interrupt_after_all_is_done_changes_nothing(root: Path) -> None:
    path = root / "scripts" / "train.py"
    assert ended(root, END.format(scripts=str(path.parent), program=str(path))) == (0, "")
