# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of the backend from within Blender: they run in the interpreter that has torch, on this terminal."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence

from . import batch_loop, environment, preferences
from .wire import variables

COMPARING = ("--table", "--pictures", "--cameras", "--segmenter")
"""Options of ``evaluate`` that compare networks."""
REPEATED = ("--bundle", "--data")
"""Options that compare networks where they stand twice."""
STOP_SECONDS = 120.0
"""How long a command may take to save what it has after it was asked to stop."""
NOT_BEGUN = 2
# With -c and -m, Python also looks for modules in the folder where it starts, which is the user's own here.
RUN = (
    "import sys; sys.path[:] = [p for p in sys.path if p]; import runpy; runpy.run_module({!r}, None, '__main__', True)"
)


def train(arguments: Sequence[str]) -> int:
    """Trains a network; returns the exit code."""
    return forward("train", arguments)


def evaluate(arguments: Sequence[str]) -> int:
    """Measures weights on labelled photographs with our own renderer, or compares networks; returns the exit code."""
    words = [word.split("=", 1)[0] for word in arguments]
    compares = any(word in COMPARING for word in words) or any(words.count(word) > 1 for word in REPEATED)
    return forward("compare" if compares else "evaluate", arguments)


def forward(command: str, arguments: Sequence[str]) -> int:
    """Runs a module of ``backend.commands`` to its end; returns its exit code, 2 where it cannot be begun.

    A signal that asks this process to end is handed on, so that the command can save what it has.
    """
    try:
        worker = environment.worker_command(preferences.interpreter())
        with batch_loop.Signals() as signals:
            process = subprocess.Popen(
                [worker.arguments[0], "-c", RUN.format(f"backend.commands.{command}"), *arguments],
                env=variables.child_environment(worker.python_path) | dict(worker.variables),
            )
            try:
                code = process.wait()
            except batch_loop.Stopped:
                code = _stop(process, signals.code)
    except (environment.NoEnvironment, OSError) as error:
        print(f"{command}: {error}", file=sys.stderr, flush=True)
        return NOT_BEGUN
    return code if code >= 0 else 128 - code


def _stop(process: subprocess.Popen[bytes], code: int) -> int:
    """Hands a signal on and waits; returns the exit code that goes with it."""
    # At a terminal Ctrl-C reaches the child by itself, and a second time would cut its saving short.
    if code != 128 + signal.SIGINT or not sys.stdin.isatty():
        process.send_signal(signal.SIGINT if sys.platform != "win32" else signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return code
