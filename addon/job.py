# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that take a while: modal in a window, with progress and Esc to cancel, and blocking in background runs.

An operator's work is a generator that yields tasks and gets their outcomes: what happens between two tasks runs on
Blender's main thread, so it may touch bpy. One description serves both ways to run.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Protocol

import bpy

from . import environment, preferences, session
from .environment import NoEnvironment
from .wire import client

POLL_SECONDS = 0.05
"""Time between two looks at a task in a window: short beside the second within which a cancel has to work."""


class Task(Protocol):
    """Something that runs elsewhere and is looked at now and then."""

    @property
    def progress(self) -> Any: ...

    @property
    def done(self) -> bool: ...

    def poll(self) -> bool: ...

    def cancel(self) -> None: ...

    def outcome(self) -> Any: ...


Steps = Generator[Task, Any, str]
"""Generator that yields tasks, is sent their outcomes and returns a sentence that says what was done."""

EXPECTED_ERRORS = (client.WorkerError, NoEnvironment, OSError, ValueError)
"""Errors whose message is for the user; any other is a bug and shows its traceback."""


def run_blocking(steps: Steps, on_progress: Any = None) -> str:
    """Runs an operator's steps to the end; returns its sentence or raises what went wrong."""
    try:
        task = next(steps)
        while True:
            reported = None
            while not task.done:
                if not task.poll():
                    time.sleep(client.IDLE_SECONDS)
                if on_progress is not None and task.progress is not reported:
                    reported = task.progress
                    on_progress(reported)
            try:
                outcome = task.outcome()
            except EXPECTED_ERRORS as error:
                task = steps.throw(error)
            else:
                task = steps.send(outcome)
    except StopIteration as stop:
        return stop.value or ""


class JobOperator:
    """Mix-in for operators; a subclass says in :meth:`steps` what there is to do."""

    _steps: Steps
    _task: Task
    _timer: bpy.types.Timer | None = None
    _seen: Any = None
    needs_backend = True
    """Whether there has to be an environment; greyed out otherwise, with the reason."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.steps is JobOperator.steps:
            raise TypeError(f"{cls.__name__} has no steps")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """One job at a time, and only where there is something to do it with."""
        if session.status.running:
            cls.poll_message_set("Another job is running")  # type: ignore[attr-defined]
            return False
        if cls.needs_backend:
            try:
                environment.find(preferences.interpreter())
            except NoEnvironment as error:
                cls.poll_message_set(str(error))  # type: ignore[attr-defined]
                return False
        return True

    def steps(self, context: bpy.types.Context) -> Steps:
        """Yields the tasks of this job, see :data:`Steps`."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Starts the job; in a background run, also finishes it."""
        session.status.begin()
        self._steps = self.steps(context)
        if bpy.app.background or context.window is None:
            return self._guarded(lambda: self._done(run_blocking(self._steps)))
        outcome = self._guarded(lambda: self._advance(lambda: next(self._steps)))
        if outcome == {"RUNNING_MODAL"}:
            self._timer = context.window_manager.event_timer_add(POLL_SECONDS, window=context.window)
            context.window_manager.modal_handler_add(self)  # type: ignore[arg-type]
        return outcome

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Looks at the task whenever the timer ticks."""
        if event.type == "ESC" and event.value == "PRESS" and not session.status.cancel_requested:
            session.status.cancel_requested = True
            session.redraw()
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        outcome = self._guarded(self._look)
        if outcome not in ({"RUNNING_MODAL"}, {"PASS_THROUGH"}):
            self._remove_timer(context)
        return outcome

    def cancel(self, context: bpy.types.Context) -> None:
        """Called by Blender when it drops the operator, as when another file is opened."""
        self._remove_timer(context)
        self._task.cancel()
        self._steps.close()
        session.status.running = False

    def _look(self) -> set[str]:
        status = session.status
        if status.cancel_requested:
            self._task.cancel()
        self._task.poll()
        if self._task.done:
            return self._advance(self._resume)
        if self._task.progress is not self._seen:
            self._show_progress()
        return {"PASS_THROUGH"}

    def _resume(self) -> Task:
        """Hands the outcome of the present task to the steps and returns the next task."""
        try:
            outcome = self._task.outcome()
        except EXPECTED_ERRORS as error:
            return self._steps.throw(error)
        return self._steps.send(outcome)

    def _advance(self, get_task: Any) -> set[str]:
        try:
            self._task = get_task()
        except StopIteration as stop:
            return self._done(stop.value or "")
        self._show_progress()
        return {"RUNNING_MODAL"}

    def _show_progress(self) -> None:
        self._seen = self._task.progress
        session.status.proceed(self._seen.stage, self._seen.fraction)
        session.redraw()

    def _done(self, sentence: str) -> set[str]:
        session.status.running = False
        session.redraw()
        if sentence:
            self.report({"INFO"}, sentence)  # type: ignore[attr-defined]
        return {"FINISHED"}

    def _guarded(self, action: Any) -> set[str]:
        """Turns an expected error into a sentence in the panel and a report; ends the job on any error."""
        try:
            return action()
        except client.WorkerCancelled as error:
            self.report({"INFO"}, str(error))  # type: ignore[attr-defined]
        except EXPECTED_ERRORS as error:
            session.status.error = str(error)
            self.report({"ERROR"}, str(error))  # type: ignore[attr-defined]
        except BaseException:
            session.status.running = False
            session.status.error = "Unrender made a mistake; the system console has the details."
            self._remove_timer(bpy.context)
            raise
        session.status.running = False
        session.redraw()
        return {"CANCELLED"}

    def _remove_timer(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
