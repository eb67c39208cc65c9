# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lives as long as Blender runs: the one worker client, and what the panels show about the job that runs."""

from __future__ import annotations

import atexit
import time
from dataclasses import dataclass, field
from typing import Any

import bpy

from . import environment, preferences
from .wire import client, protocol, records

WORTH_WAITING = 0.05
"""Seconds that Blender waits for what a slider asked for: if the viewport were drawn first, the answer would wait for
that, and the viewport be drawn twice."""
LONGEST_IMPATIENCE = 15
"""Answers that are not waited for, at most, after those that took longer."""
LEAST_FRACTION, LEAST_SECONDS = 0.05, 1.5
"""Of a task: part done and seconds gone from which on the time that is left can be told."""
GLANCE_SECONDS = 0.001
"""Time between two looks at the worker meanwhile."""


@dataclass
class Waiting:
    """A picture in the queue."""

    path: str
    error: str = ""
    """Why nothing came of it; empty: it waits, or is being worked on."""


@dataclass
class Status:
    """What the panels show. Never saved."""

    running: bool = False
    stage: str = ""
    fraction: float = 0.0
    cancel_requested: bool = False
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    check: str = ""
    """Sentence about what the last look at the environment found."""
    queue: list[Waiting] = field(default_factory=list)
    """Pictures that wait, the first of them in work while a job runs on them; failed ones stay until dismissed."""
    began: float = 0.0
    """When the present task began, on the monotonic clock."""

    def begin(self) -> None:
        """A job starts: what the last one left is gone."""
        self.running, self.cancel_requested = True, False
        self.begin_task()
        self.error, self.warnings = "", []

    def begin_task(self) -> None:
        """One of a job's objects begins."""
        self.stage, self.fraction, self.began = "Starting", 0.0, time.monotonic()

    def forget_last(self) -> None:
        """What is shown of the last job goes, as another picture is chosen."""
        if not self.running:
            self.error, self.warnings = "", []

    def proceed(self, stage: str, fraction: float) -> None:
        """Takes in a report of progress; the bar never goes back within a task."""
        self.stage, self.fraction = stage, max(self.fraction, min(fraction, 1.0))

    def text(self) -> str:
        """Returns the stage, how far the task is and, once that can be told, how long it still takes."""
        passed = time.monotonic() - self.began
        words = f"{self.stage}: {100 * self.fraction:.0f} %"
        if self.fraction < LEAST_FRACTION or passed < LEAST_SECONDS:
            return words
        left = passed / self.fraction * (1 - self.fraction)
        return f"{words}, {left:.0f} s left" if left < 100 else f"{words}, {left / 60:.0f} min left"


status = Status()
_client: client.WorkerClient | None = None
_in_vain, _not_waited = 0, 0
"""Waits in vain since an answer came soon, and answers that will not be waited for."""


def worker() -> client.WorkerClient:
    """Returns the client, made on first use. Raises :class:`NoEnvironment`."""
    global _client
    if _client is None:
        _client = client.WorkerClient(environment.worker_command(preferences.interpreter()))
    return _client


def started_worker() -> client.WorkerClient | None:
    """Returns the client if there is one."""
    return _client


def request(body: Any, key: str | None = None, progress: records.Progress | None = None) -> RequestTask:
    """Sends a request to the worker; shows ``progress`` until it sends its own. Raises :class:`NoEnvironment`."""
    owner = worker()
    sent = owner.submit(body, key)
    if progress is not None:
        sent.progress = progress
    return RequestTask(owner, sent)


def end_worker() -> None:
    """Ends the worker; the next request starts one by the preferences of then."""
    global _client
    if _client is not None:
        _client.close()
        _client = None


class RequestTask:
    """A request as a task of :mod:`job`."""

    def __init__(self, owner: client.WorkerClient, job: client.Job):
        self._client = owner
        self._job = job

    @property
    def progress(self) -> Any:
        """The latest :class:`records.Progress`."""
        return self._job.progress

    @property
    def done(self) -> bool:
        """True when :meth:`outcome` has something to say."""
        return self._job.done

    def poll(self) -> bool:
        """Takes in what has come; True if anything changed."""
        return self._client.poll()

    def comes_soon(self) -> bool:
        """Waits a moment, the more rarely the more often that was in vain; says whether the answer has come."""
        global _in_vain, _not_waited
        if _not_waited > 0:
            _not_waited -= 1
            return self.done
        until = time.monotonic() + WORTH_WAITING
        while not self.done and time.monotonic() < until:
            if not self.poll():
                time.sleep(GLANCE_SECONDS)
        _not_waited = 0 if self.done else min(2**_in_vain - 1, LONGEST_IMPATIENCE)
        _in_vain = 0 if self.done else _in_vain + 1
        return self.done

    def cancel(self) -> None:
        """Asks to stop; the task is done within about a second."""
        self._client.cancel(self._job)

    def outcome(self) -> Any:
        """Returns the result or raises its error."""
        return self._job.outcome()


class ReadyTask:
    """The worker's start as a task: its outcome is the handshake."""

    def __init__(self, owner: client.WorkerClient):
        self._client = owner
        self._error: client.WorkerError | None = None
        self.progress = client.Progress("Starting the backend", 0.0)
        owner.start()

    @property
    def done(self) -> bool:
        """True when the worker is ready or has ended."""
        return self._client.ready is not None or self._client.process_id is None

    def poll(self) -> bool:
        """Takes in what has come; True if anything changed."""
        return self._client.poll()

    def cancel(self) -> None:
        """Ends the worker."""
        self._error = client.WorkerCancelled("Cancelled.")
        self._client.close()

    def outcome(self) -> protocol.Ready:
        """Returns the handshake or raises why there is none."""
        if self._error is not None:
            raise self._error
        if self._client.ready is None:
            raise client.WorkerDied(self._client.failure)
        return self._client.ready


def redraw() -> None:
    """Has every sidebar drawn again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "PREFERENCES"}:
                area.tag_redraw()


def register() -> None:
    """Makes sure the worker ends with Blender."""
    atexit.register(end_worker)


def unregister() -> None:
    """Ends the worker."""
    atexit.unregister(end_worker)
    end_worker()
    status.__init__()  # type: ignore[misc]
