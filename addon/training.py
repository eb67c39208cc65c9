# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of ``backend.commands.train`` as a task of :mod:`job`: a child process of its own, beside the worker.

A run takes minutes to hours and would keep the worker from sliders and photos meanwhile. The child writes into a log,
whose last line of progress is shown; nothing here blocks.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

from . import environment, places, preferences
from .wire import client, progress, records, variables

MODULE = "backend.commands.train"
CANCEL_SECONDS = 1.0
"""How long a run may take to stop by itself before it is ended."""
TAIL_BYTES = 16384
"""How much of the log's end is searched for progress or a reason."""
PREFIX = "train.py: "
"""Begins the one sentence with which a run tells why it failed."""


class TrainingRun:
    """One run, which begins at once; ``arguments`` are those of the command ``train``."""

    def __init__(self, arguments: list[str], stage: str):
        """Raises :class:`environment.NoEnvironment`, OSError where the child or its log cannot be made."""
        command = environment.worker_command(preferences.interpreter())
        self.log_path = places.user_folder() / "logs" / "training.log"
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self.progress = records.Progress(stage, 0.0)
        self._kill_at: float | None = None
        self._code: int | None = None
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [command.arguments[0], "-m", MODULE, *arguments, "--progress", "json"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.log_path.parent,  # with -m, Python also looks for modules in the folder where it starts
                env=variables.local_environment(command.python_path) | dict(command.variables),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )

    @property
    def done(self) -> bool:
        """True when the child has ended."""
        return self._code is not None

    def poll(self) -> bool:
        """Looks whether the child has ended and how far it is; True if anything changed."""
        if self.done:
            return False
        self._code = self._process.poll()
        if self.done:
            return True
        if self._kill_at is not None and time.monotonic() > self._kill_at:
            self._process.kill()
        return self._read_progress()

    def cancel(self) -> None:
        """Asks the child to stop; after a second it is ended."""
        if self._kill_at is not None or self.done:
            return
        self._kill_at = time.monotonic() + CANCEL_SECONDS
        if sys.platform == "win32":
            self._process.terminate()
        else:
            self._process.send_signal(signal.SIGINT)

    def outcome(self) -> Any:
        """Returns None after a run that succeeded, or raises what went wrong."""
        if self._kill_at is not None:
            raise client.WorkerCancelled("Cancelled.")
        if self._code != 0:
            raise client.WorkerError(self._reason())

    def _lines(self) -> list[str]:
        """Returns the last lines of the log, of which the first may be cut short."""
        try:
            with self.log_path.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
                return log.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return []

    def _read_progress(self) -> bool:
        reports = filter(None, map(progress.parse_line, reversed(self._lines())))
        report = next(reports, None)
        if report is None:
            return False
        latest = records.Progress(report.stage, report.fraction)
        if latest == self.progress:
            return False
        self.progress = latest
        return True

    def _reason(self) -> str:
        """Returns one sentence about a run that failed."""
        told = [line for line in self._lines() if line.startswith(PREFIX)]
        if told:
            return told[-1].removeprefix(PREFIX)
        return f"The run stopped unexpectedly (code {self._code}); its log is {self.log_path}."
