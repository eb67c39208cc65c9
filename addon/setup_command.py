# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``blender --command unrender setup``: makes the backend's environment without a window."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import bpy

from . import batch_loop, batch_run, device_builds, environment, installation, job, preferences, session
from .child_task import ChildTask
from .wire import client, records

FAILED, NOT_BEGUN = 1, 2


def parser() -> batch_run.Parser:
    """Returns the options of the command."""
    result = batch_run.Parser(
        prog="setup",
        description="Makes the environment that the backend runs with, in the extension's user folder; one that is "
        "there is replaced once the new one is complete.",
    )
    result.add_argument(
        "--build",
        default="",
        metavar="|".join(["auto", *(name.lower() for name in device_builds.BUILDS)]),
        help="device to install for (default: as the preferences say, else what is found in this machine)",
    )
    result.add_argument("--python", default="", metavar="PATH", help="Python to make it with (default: Blender's own)")
    result.add_argument(
        "--wheels", default="", metavar="FOLDER", help="take all packages from there; nothing connects to the network"
    )
    result.add_argument(
        "--package-index", default="", metavar="URL", help="take them from there (default: as the preferences say)"
    )
    result.add_argument("--onnxruntime", action="store_true", help="also what runs cut-out models of one's own")
    result.add_argument("--sizes", action="store_true", help="only tell how much there is to download")
    return result


def run(arguments: Sequence[str]) -> int:
    """Runs the command with its arguments; returns the exit code: 1 where it failed, 2 where nothing was begun."""
    try:
        options = parser().parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        source = _source(options)
        installation.refuse_where_offline(source, bpy.app.online_access)
    except (ValueError, environment.NoEnvironment) as error:
        return _refuse(str(error), NOT_BEGUN)
    session.end_worker()
    running: list[ChildTask] = []
    try:
        with batch_loop.Signals():
            return _install(source, options.sizes, running)
    except (environment.NoEnvironment, client.WorkerError, OSError) as error:
        return _refuse(str(error), FAILED)
    except batch_loop.Stopped as stop:
        if running and isinstance(running[-1], installation.Installation) and running[-1].done:
            return _refuse("Stopped; the environment is made.", stop.code)
        for task in running:
            task.cancel()
        return _refuse("Stopped; the unfinished environment was removed.", stop.code)
    finally:
        preferences.use_interpreter("")
        session.end_worker()


def _install(source: installation.Source, only_sizes: bool, running: list[ChildTask]) -> int:
    """Asks, installs and starts the backend; what is begun stands in ``running``."""
    offer = None
    if source.wheels is None:
        offer = _run(installation.Question(source), running)
        print(offer.sentence(), flush=True)
        if only_sizes:
            installation.discard(installation.partial_folder())
            return 0
    _run(installation.Installation(source, offer), running)
    # Its own, whatever the preferences say.
    preferences.use_interpreter(str(environment.own_folder()))
    print("Starting the backend", flush=True)
    ready = batch_run.start_backend()
    _run(session.request(records.GenerateRequest(texture_size=64)), running)
    print(f"The environment works: Python {ready.python}, torch {ready.torch}, devices: {', '.join(ready.devices)}")
    return 0


def _run(task: job.Task, running: list[ChildTask]) -> Any:
    """Runs a task to its end and returns its outcome."""
    if isinstance(task, ChildTask):
        running.append(task)
        task.start()
    found: list[Any] = []

    def steps() -> job.Steps:
        found.append((yield task))
        return ""

    job.run_blocking(steps(), _shower())
    return found[0]


def _source(options: argparse.Namespace) -> installation.Source:
    """Raises ValueError with a sentence where the options name what there is not."""
    told = preferences.source()
    python = os.path.expanduser(options.python)
    if python and shutil.which(python) is None:
        raise ValueError(f"There is no Python {python}: give --python the path of one.")
    return installation.Source(
        build=device_builds.chosen(options.build) if options.build else told.build,
        index=options.package_index or told.index,
        wheels=Path(options.wheels).expanduser().absolute() if options.wheels else told.wheels,
        python=shutil.which(python) or "" if python else "",
        cut_out=options.onnxruntime or told.cut_out,
    )


def _shower() -> Callable[[records.Progress], None]:
    """Returns what prints progress: a line a percent and a stage, where megabytes would fill the screen."""
    shown: list[tuple[str, str]] = []

    def show(progress: records.Progress) -> None:
        percent, stage = f"{100 * progress.fraction:3.0f} %", progress.stage.partition(",")[0]
        if shown[-1:] != [(percent, stage)]:
            shown.append((percent, stage))
            print(f"{percent}  {progress.stage}", flush=True)

    return show


def _refuse(sentence: str, code: int) -> int:
    print(f"setup: {sentence}", file=sys.stderr, flush=True)
    return code
