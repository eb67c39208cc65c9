# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A slider waits a moment for the worker's answer, but does not make Blender wait for one that is slow."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("bpy")

from addon import session  # noqa: E402 - it needs bpy


class Worker:
    """Answers when its clock says so; the clock goes on while Blender sleeps."""

    def __init__(self):
        self.now = self.slept = 0.0
        self.due = {}

    def ask(self, seconds):
        job = SimpleNamespace(done=False)
        self.due[self.now + seconds] = job
        return session.RequestTask(self, job)

    def poll(self):
        come = [when for when in self.due if when <= self.now]
        for when in come:
            self.due.pop(when).done = True
        return bool(come)

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.slept += seconds


@pytest.fixture
def worker(monkeypatch):
    one = Worker()
    monkeypatch.setattr(session, "time", one)
    monkeypatch.setattr(session, "_in_vain", 0)
    monkeypatch.setattr(session, "_not_waited", 0)
    return one


def test_an_answer_that_comes_soon_is_waited_for(worker):
    assert worker.ask(0.02).comes_soon()
    assert worker.slept == pytest.approx(0.02, abs=2 * session.GLANCE_SECONDS)


def test_a_slow_answer_is_not_waited_for_to_its_end(worker):
    assert not worker.ask(1.0).comes_soon()
    assert worker.slept == pytest.approx(session.WORTH_WAITING, abs=2 * session.GLANCE_SECONDS)


def test_a_worker_that_is_always_slow_holds_blender_up_ever_more_rarely(worker):
    waited = []
    for number in range(100):
        slept = worker.slept
        assert not worker.ask(1.0).comes_soon()
        if worker.slept > slept:
            waited.append(number)
    assert waited == [0, 1, 3, 7, 15, 31, 47, 63, 79, 95]


def test_one_answer_that_comes_soon_makes_up_for_all_that_were_slow(worker):
    for _ in range(15):
        worker.ask(1.0).comes_soon()
    assert worker.ask(0.02).comes_soon()
    assert not worker.ask(1.0).comes_soon()
    assert worker.ask(0.02).comes_soon()
