# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's end of the wire: starts the worker, sends it one request at a time and collects what comes back.

Nothing here blocks but the methods whose names begin with wait: a window calls :meth:`WorkerClient.poll` from a timer.
The only thread reads the worker's output into a queue and ends with the worker. Standard library and NumPy, no bpy.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..common.records import Progress
from . import protocol, variables

CANCEL_SECONDS = 1.0
"""How long the worker may take to answer a cancel before it is ended."""
START_SECONDS = 120.0
"""How long the worker may take to be ready: a virus scanner that meets torch for the first time needs minutes."""
IDLE_SECONDS = 0.01
"""Between two looks at the queue while waiting; short beside the duration of any request."""
END_SECONDS = 2.0
"""How long a worker whose input was closed may take to end by itself."""
LOG_TAIL_LINES = 20
KILLED = 9
"""Signal by which systems end a process when memory runs out."""


class WorkerError(Exception):
    """A request that gave no result; the message is one sentence for the user."""


class WorkerCancelled(WorkerError):
    """The user stopped the request."""


class WorkerDied(WorkerError):
    """The worker ended, could not be started or spoke nonsense; the next request starts a new one."""


class Job:
    """One request and what has come of it so far. Filled in by :meth:`WorkerClient.poll`."""

    def __init__(self, identity: int, request: Any, key: str | None):
        self.identity = identity
        self.request = request
        self.key = key
        self.progress = Progress("Waiting", 0.0)
        self.result: Any = None
        self.error: WorkerError | None = None
        self.done = False
        self.cancel_deadline: float | None = None

    def outcome(self) -> Any:
        """Returns the result of a job that is done, or raises its error."""
        if self.error is not None:
            raise self.error
        return self.result

    def finish(self, result: Any = None, error: WorkerError | None = None) -> None:
        """Sets the outcome, once."""
        if not self.done:
            self.result, self.error, self.done = result, error, True


@dataclass(frozen=True)
class WorkerCommand:
    """How to start a worker."""

    arguments: Sequence[str]
    python_path: Path
    """Folder that holds the package ``backend``: the child's ``PYTHONPATH``."""
    log_path: Path
    """Takes the worker's standard error; the previous worker's log is kept beside it."""
    remedy: str = "Check the environment in the add-on's preferences."
    """What the user can do where the worker does not start."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Set in the worker's environment beside what it inherits."""


class WorkerClient:
    """Owns one worker process at most. Every method is called from the main thread."""

    def __init__(self, command: WorkerCommand):
        self.command = command
        self.ready: protocol.Ready | None = None
        """The worker's handshake, while one runs."""
        self.failure = ""
        """Why the last worker ended, if it did not end well."""
        self._process: subprocess.Popen[bytes] | None = None
        self._log: Any = None
        self._received: queue.SimpleQueue[protocol.Message | protocol.ProtocolError | None] = queue.SimpleQueue()
        self._start_deadline = 0.0
        self._waiting: list[Job] = []
        self._running: Job | None = None
        self._last_identity = 0
        self._was_ready = False

    @property
    def process_id(self) -> int | None:
        """Of the worker, while one runs."""
        return self._process.pid if self._process is not None else None

    @property
    def busy(self) -> bool:
        """True while a request is running or waiting."""
        return self._running is not None or bool(self._waiting)

    def start(self) -> None:
        """Starts the worker unless one runs; does not wait until it is ready. Raises :class:`WorkerDied`."""
        if self._process is not None:
            return
        log_path = self.command.log_path
        _outlive_broken_pipes()
        try:
            log_path.parent.mkdir(parents=True, exist_ok=True)
            if log_path.exists():
                log_path.replace(log_path.with_suffix(".previous.log"))
            self._log = log_path.open("wb")
            self._process = subprocess.Popen(
                list(self.command.arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                cwd=log_path.parent,
                env={**variables.local_environment(self.command.python_path), **self.command.variables},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            self._close_log()
            raise WorkerDied(f"The backend cannot be started ({error}). {self.command.remedy}") from error
        self._start_deadline = time.monotonic() + START_SECONDS
        # Each worker has its own queue: what an ended one still had to say must not reach its successor.
        self._received = queue.SimpleQueue()
        threading.Thread(
            target=_read_messages, args=(self._process.stdout, self._received), name="unrender-reader", daemon=True
        ).start()
        self._send(protocol.Message(0, protocol.Hello(protocol.schema())))

    def submit(self, request: Any, key: str | None = None) -> Job:
        """Queues a request and starts the worker if need be.

        A request with a key takes the place of a waiting one with the same key, which then ends as cancelled: of a
        slider's many positions only the latest is worth computing. Failure to start shows in the job.
        """
        self._last_identity += 1
        job = Job(self._last_identity, request, key)
        if key is not None:
            for replaced in [waiting for waiting in self._waiting if waiting.key == key]:
                self._waiting.remove(replaced)
                replaced.finish(error=WorkerCancelled("Replaced by a newer request."))
        self._waiting.append(job)
        try:
            self.start()
        except WorkerDied as error:
            self._fail_all(error)
        else:
            if self.ready is None:
                job.progress = Progress("Starting the backend", 0.0)
            self._send_next()
        return job

    def cancel(self, job: Job) -> None:
        """Stops a job: at once if it waits, else within :data:`CANCEL_SECONDS` (see :meth:`poll`)."""
        if job in self._waiting:
            self._waiting.remove(job)
            job.finish(error=WorkerCancelled("Cancelled."))
        elif job is self._running and job.cancel_deadline is None:
            job.cancel_deadline = time.monotonic() + CANCEL_SECONDS
            self._send(protocol.Message(job.identity, protocol.Cancel()))

    def poll(self) -> bool:
        """Takes in whatever the worker has sent, without waiting; True if anything changed."""
        changed = False
        while True:
            try:
                received = self._received.get_nowait()
            except queue.Empty:
                break
            changed = True
            if isinstance(received, protocol.Message):
                self._take(received)
            elif self._process is not None:
                self._worker_ended(received)
        now = time.monotonic()
        running = self._running
        if running is not None and running.cancel_deadline is not None and now > running.cancel_deadline:
            self._running = None
            running.finish(error=WorkerCancelled("Cancelled."))
            self._end_process(grace=0.0)
            self._restart_for_waiting()
            changed = True
        elif self._process is not None and self.ready is None and now > self._start_deadline:
            self._end_process(grace=0.0)
            self._fail_all(WorkerDied(f"The backend did not start in {START_SECONDS:.0f} s. {self.command.remedy}"))
            changed = True
        return changed

    def wait(
        self,
        job: Job,
        on_progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Any:
        """Blocks until the job is done; returns its result or raises its :class:`WorkerError`."""
        reported = job.progress
        while not job.done:
            if not self.poll():
                time.sleep(IDLE_SECONDS)
            if on_progress is not None and job.progress is not reported:
                reported = job.progress
                on_progress(reported)
            if cancelled is not None and cancelled():
                self.cancel(job)
        return job.outcome()

    def wait_ready(self) -> protocol.Ready:
        """Starts the worker and blocks until it is ready; returns its handshake or raises :class:`WorkerDied`."""
        self.start()
        while self.ready is None:
            if self._process is None:
                raise WorkerDied(self.failure)
            if not self.poll():
                time.sleep(IDLE_SECONDS)
        return self.ready

    def close(self) -> None:
        """Ends the worker; jobs that are not done end as cancelled."""
        self._fail_all(WorkerCancelled("The backend was closed."))
        self._end_process(grace=END_SECONDS)

    def log_tail(self) -> str:
        """Returns the last lines the worker wrote to its log."""
        try:
            lines = self.command.log_path.read_text("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def _death_message(self, code: int | None) -> str:
        """One sentence about a worker that ended by itself, and where to read more."""
        reason = "" if code is None else f" (exit code {code}{', as when memory runs out' if code == -KILLED else ''})"
        remedy = "Try again" if self._was_ready else self.command.remedy.rstrip(".")
        return f"The backend stopped unexpectedly{reason}. {remedy}; its log is {self.command.log_path}."

    def _take(self, message: protocol.Message) -> None:
        body = message.body
        if isinstance(body, protocol.Ready):
            self._take_ready(body)
        elif message.identity == 0 and isinstance(body, protocol.Failed):
            self._end_process(grace=0.0)
            self._fail_all(WorkerDied(body.message))
        elif self._running is not None and message.identity == self._running.identity:
            if isinstance(body, Progress):
                self._running.progress = body
                return
            job, self._running = self._running, None
            if isinstance(body, protocol.Failed):
                job.finish(error=(WorkerCancelled if body.cancelled else WorkerError)(body.message))
            elif job.cancel_deadline is not None:
                job.finish(error=WorkerCancelled("Cancelled."))
            else:
                job.finish(result=body)
            self._send_next()

    def _take_ready(self, ready: protocol.Ready) -> None:
        if ready.schema != protocol.schema():
            self._end_process(grace=0.0)
            self._fail_all(
                WorkerDied("The backend is of another version than the add-on; restart Blender to load the new one.")
            )
            return
        self.ready = ready
        self._was_ready = True
        self._send_next()

    def _send_next(self) -> None:
        if self.ready is None or self._running is not None or not self._waiting:
            return
        job = self._waiting.pop(0)
        try:
            self._send(protocol.Message(job.identity, job.request))
        except protocol.ProtocolError as error:
            job.finish(error=WorkerError(f"The request cannot be sent to the backend: {error}."))
            self._send_next()
        else:
            self._running = job

    def _send(self, message: protocol.Message) -> None:
        if self._process is None or self._process.stdin is None:
            return
        frame = protocol.encode(message)
        # A worker that has just died is noticed by the reader, which also knows how it died.
        with contextlib.suppress(OSError):
            self._process.stdin.write(frame)
            self._process.stdin.flush()

    def _worker_ended(self, error: protocol.ProtocolError | None) -> None:
        code = self._end_process(grace=END_SECONDS if error is None else 0.0)
        if error is None:
            message = self._death_message(code)
        else:
            message = f"The backend answered with something unexpected ({error}); its log is {self.command.log_path}."
        self._fail_all(WorkerDied(message))

    def _restart_for_waiting(self) -> None:
        """Brings up a new worker after a killed one if requests are left; they are sent once it is ready."""
        if not self._waiting:
            return
        try:
            self.start()
        except WorkerDied as error:
            self._fail_all(error)

    def _fail_all(self, error: WorkerError) -> None:
        self.failure = str(error)
        jobs = ([self._running] if self._running is not None else []) + self._waiting
        self._running, self._waiting = None, []
        for job in jobs:
            if job.cancel_deadline is not None:
                job.finish(error=WorkerCancelled("Cancelled."))
            job.finish(error=error)

    def _end_process(self, grace: float) -> int | None:
        """Closes the worker's input, kills it after ``grace`` seconds and returns its exit code."""
        process, self._process, self.ready = self._process, None, None
        if process is None:
            return None
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            code = process.wait(timeout=grace)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        self._close_log()
        return code

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None


def _outlive_broken_pipes() -> None:
    """A write to a worker that is gone is an error: Blender 4 leaves it a signal that ends Blender without a word."""
    if os.name == "posix" and signal.getsignal(signal.SIGPIPE) == signal.SIG_DFL:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def _read_messages(stream: Any, received: queue.SimpleQueue) -> None:
    """Reader thread: one entry a message, then None at the end or the error that makes the stream unreadable."""
    with stream:
        try:
            while (message := protocol.read(stream)) is not None:
                received.put(message)
        except protocol.ProtocolError as error:
            received.put(error)
        except OSError as error:
            received.put(protocol.ProtocolError(str(error)))
        else:
            received.put(None)
