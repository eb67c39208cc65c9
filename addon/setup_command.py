# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``blender --command unrender setup``: makes the backend's environment without a window."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import bpy

from . import batch_loop, batch_run, environment, job, preferences, session
from .wire import client, records

FAILED, NOT_BEGUN = 1, 2


def parser() -> batch_run.Parser:
    """Returns the options of the command."""
    result = batch_run.Parser(
        prog="setup",
        description="Makes the environment that the backend runs with, in the extension's user folder; one that is "
        "there is made anew.",
    )
    result.add_argument("--python", default="", metavar="PATH", help="Python to make it with (default: Blender's own)")
    result.add_argument(
        "--wheels", default="", metavar="FOLDER", help="take all packages from there; nothing connects to the network"
    )
    result.add_argument(
        "--package-index", default="", metavar="URL", help="take them from there (default: as the preferences say)"
    )
    return result


def run(arguments: Sequence[str]) -> int:
    """Runs the command with its arguments; returns the exit code: 1 where it failed, 2 where nothing was begun."""
    try:
        options = parser().parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        installation = _installation(options)
    except ValueError as error:
        return _refuse(str(error), NOT_BEGUN)
    session.end_worker()
    try:
        with batch_loop.Signals():
            installation.start()
            job.run_blocking((lambda: (yield installation))(), _show)
            # Its own, whatever the preferences say.
            preferences.use_interpreter(str(environment.own_folder()))
            print("Starting the backend", flush=True)
            ready = batch_run.start_backend()
    except (environment.NoEnvironment, client.WorkerError, OSError) as error:
        return _refuse(str(error), FAILED)
    except batch_loop.Stopped as stop:
        if installation.done:
            return _refuse("Stopped; the environment is made.", stop.code)
        installation.cancel()
        return _refuse("Stopped; the unfinished environment was removed.", stop.code)
    finally:
        preferences.use_interpreter("")
        session.end_worker()
    print(f"The environment works: Python {ready.python}, torch {ready.torch}, devices: {', '.join(ready.devices)}")
    return 0


def _installation(options: argparse.Namespace) -> environment.Installation:
    """Raises ValueError with a sentence where nothing can be begun."""
    wheels = Path(options.wheels).expanduser().absolute() if options.wheels else None
    if wheels is not None and not any(wheels.glob("*.whl")):
        raise ValueError(f"There is no wheel in {wheels}: name a folder of .whl files.")
    if wheels is None and not bpy.app.online_access:
        raise ValueError(
            "Packages come from the network, which Blender may not use: start it with --online-mode, or give --wheels "
            "a folder of them."
        )
    python = os.path.expanduser(options.python)
    if python and shutil.which(python) is None:
        raise ValueError(f"There is no Python {python}: give --python the path of one.")
    index = options.package_index or preferences.package_index()
    return environment.Installation(index, shutil.which(python) or "" if python else "", wheels)


def _show(progress: records.Progress) -> None:
    print(f"{100 * progress.fraction:3.0f} %  {progress.stage}", flush=True)


def _refuse(sentence: str, code: int) -> int:
    print(f"setup: {sentence}", file=sys.stderr, flush=True)
    return code
