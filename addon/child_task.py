# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes one after the other, as a task of :mod:`.job`: looked at, never waited for, ended whole.

What they print goes to a log. No bpy.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .wire import client, records

KILL_SECONDS = 0.5
"""How long a process that was killed may take to be gone; a system that is slower buries it later by itself."""

_begun: weakref.WeakSet[ChildTask] = weakref.WeakSet()
"""Tasks that were started: they end with Blender, though their processes are in groups of their own."""


@dataclass(frozen=True)
class Step:
    """One process."""

    stage: str
    begins: float
    """Fraction of the whole task at which the step begins."""
    arguments: Sequence[str]


class ChildTask:
    """Runs steps; a subclass says what a failure means and what is to be done at the end."""

    def __init__(self, steps: Sequence[Step], log_path: Path, variables: Mapping[str, str], append: bool = False):
        """``append`` goes on in the log of the task before."""
        self._steps = list(steps)
        self._append = append
        self._variables = dict(variables)
        self._process: subprocess.Popen[bytes] | None = None
        self._step: Step | None = None
        self._read = 0
        self.log_path = log_path
        self.progress = records.Progress(self._steps[0].stage, 0.0)
        self.done = False
        self.error: Exception | None = None

    def start(self) -> None:
        """Begins. Raises OSError where the log cannot be written."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab" if self._append else "wb") as log:
            self._read = log.tell()
        _begun.add(self)
        self._next_step()

    def poll(self) -> bool:
        """Looks whether a step has ended and what was printed meanwhile; True if anything changed."""
        if self.done or self._process is None:
            return False
        code = self._process.poll()
        changed = self._read_on()
        if code is None:
            return changed
        self._process = None
        if code != 0:
            self.finish(self.failure())
        elif self._steps:
            self._next_step()
        else:
            self.finish(self.complete())
        return True

    def cancel(self) -> None:
        """Ends the process and all that it has started, at once."""
        if self.done:
            return
        process, self._process = self._process, None
        if process is not None:
            end_with_children(process)
        self.finish(self.cancelled())

    def outcome(self) -> Any:
        """Returns the result of a task that is done, or raises what went wrong."""
        if self.error is not None:
            raise self.error
        return self.result()

    def finish(self, error: Exception | None) -> None:
        """Sets the outcome, once."""
        if not self.done:
            self.done, self.error = True, error

    def printed(self) -> str:
        """All that the log holds."""
        try:
            return self.log_path.read_text("utf-8", "replace")
        except OSError:
            return ""

    def heard(self, text: str) -> bool:
        """Takes in what a step has printed since the last look, perhaps nothing; True if the progress is another."""
        return False

    def failure(self) -> Exception:
        """What to raise after a step that failed."""
        raise NotImplementedError

    def complete(self) -> Exception | None:
        """What is done after the last step; an error where that failed."""
        return None

    def cancelled(self) -> Exception:
        """What to raise after a cancel."""
        return client.WorkerCancelled("Cancelled.")

    def result(self) -> Any:
        """Of a task that is done without an error."""
        return None

    def _next_step(self) -> None:
        self._step = step = self._steps.pop(0)
        self.progress = records.Progress(step.stage, max(self.progress.fraction, step.begins))
        try:
            with self.log_path.open("ab") as log:
                log.write(f"== {step.stage}\n".encode())
                log.flush()
                self._process = subprocess.Popen(
                    list(step.arguments),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._variables,
                    start_new_session=os.name == "posix",  # a group of its own, which can be ended whole
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            self.finish(OSError(f"{step.arguments[0]} cannot be started ({error})."))

    def _read_on(self) -> bool:
        with contextlib.suppress(OSError), self.log_path.open("rb") as log:
            log.seek(self._read)
            piece = log.read()
            self._read += len(piece)
            return self.heard(piece.decode("utf-8", "replace"))
        return False


@atexit.register
def end_all() -> None:
    """Cancels whatever still runs."""
    for task in list(_begun):
        task.cancel()


def end_with_children(process: subprocess.Popen[bytes]) -> None:
    """Kills a process that leads a group of its own, and that group; on Windows its tree."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        command = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
        hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(command, capture_output=True, timeout=KILL_SECONDS, creationflags=hidden, check=False)
    with contextlib.suppress(OSError):
        process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(KILL_SECONDS)
