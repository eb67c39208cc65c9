# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs in this folder share: where their arguments stand, and how they leave Blender's process.

Importing this module puts the repository's root on ``sys.path``, and makes waiting threads sleep (see
``backend/commands/__init__.py``); it loads neither torch nor bpy.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


def _leave(*_: object) -> None:
    os._exit(INTERRUPTED)


# Until a program has begun its work, which knows how to stop in order, Ctrl-C ends it at once: nothing can be lost yet,
# and Blender's modules, interrupted while they are imported, go on half loaded and crash.
if Path(sys.argv[0]).resolve().parent == ROOT / "scripts" and (
    signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, _leave)

import backend.commands  # noqa: F401 - sets how threads wait, before any program loads torch


def own_arguments(argv: list[str]) -> list[str]:
    """Returns what follows ``--``, for what stands before it is Blender's.

    Without ``--`` it is all that follows the script, and nothing in a Blender, whose own arguments those are.
    """
    if "--" in argv:
        return argv[argv.index("--") + 1 :]
    blender = getattr(sys.modules.get("bpy"), "app", None)
    return [] if getattr(blender, "binary_path", "") else argv[1:]


def run(script: str, command: str = "") -> int:
    """Runs the command behind a script with this process's arguments; returns its exit code.

    ``script`` is the script's ``__file__``, and ``command`` the module of ``backend.commands``, by default of the
    script's name. Torch never loads in Blender's process: there the same script goes on in another interpreter.
    """
    arguments = own_arguments(sys.argv)
    if "bpy" in sys.modules:
        return run_outside_blender(script, arguments)
    module = importlib.import_module(f"backend.commands.{command or Path(script).stem}")
    if signal.getsignal(signal.SIGINT) is not _leave:
        return module.main(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return module.main(arguments)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done; libraries that clean up would print a traceback


def run_outside_blender(script: str, arguments: list[str], failed: int = 1) -> int:
    """Runs a script in the interpreter that has torch, with its output on this terminal; returns its exit code.

    ``UNRENDER_PYTHON`` names the interpreter; otherwise it is that of the checkout's environment. Where there is none,
    one sentence says so and ``failed`` is returned.
    """
    path = Path(script).resolve()
    python = os.environ.get("UNRENDER_PYTHON") or next(
        (str(p) for p in (ROOT / ".venv/bin/python", ROOT / ".venv/Scripts/python.exe") if p.exists()), None
    )
    if python is None:
        sentence = "no Python with torch was found; run scripts/setup.sh or set UNRENDER_PYTHON."
        print(f"{path.name}: {sentence}", file=sys.stderr)
        return failed
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
    return subprocess.run([python, str(path), *arguments], env=environment, check=False).returncode
