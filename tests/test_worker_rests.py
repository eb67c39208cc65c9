# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker that nobody asks anything gives memory back, first what is free, then what can be loaded again."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from backend import worker
from backend.common import memory
from backend.ipc import protocol

SOON, LATER = 0.15, 0.4
"""Seconds of the rests of these tests."""


class Wire:
    """A worker's loop in a thread, at the other end of two pipes."""

    def __init__(self, handlers, rests):
        their_input, self._write = os.pipe()
        self._read, their_output = os.pipe()
        self.reader = os.fdopen(self._read, "rb")
        self._streams = os.fdopen(their_input, "rb"), os.fdopen(their_output, "wb")
        ready = protocol.Ready(protocol.schema(), "3", "2", ["cpu"], ["car"])
        arguments = (handlers, *self._streams, ready, rests)
        self.thread = threading.Thread(target=worker.serve, args=arguments, daemon=True)
        self.thread.start()
        self.send(0, protocol.Hello(protocol.schema()))
        assert isinstance(protocol.read(self.reader).body, protocol.Ready)

    def send(self, identity, body):
        os.write(self._write, protocol.encode(protocol.Message(identity, body)))

    def close(self):
        os.close(self._write)
        self.thread.join(5)


@pytest.fixture
def wire(monkeypatch):
    """Returns a function that starts a worker's loop; an end of the wire is not to end the tests."""
    monkeypatch.setattr(worker, "ORPHAN_SECONDS", 1e6)
    started = []

    def start(handlers, rests):
        started.append(Wire(handlers, rests))
        return started[-1]

    yield start
    for one in started:
        one.close()
        assert not one.thread.is_alive()


def test_rests_come_once_each_and_anew_after_a_request(wire):
    done = []
    handlers = {protocol.PictureRequest: lambda request, report, cancelled: done.append("asked") or protocol.Hello(1)}
    opened = wire(handlers, [(SOON, lambda: done.append("soon")), (LATER, lambda: done.append("later"))])
    time.sleep(3 * LATER)
    assert done == ["soon", "later"]
    opened.send(1, protocol.PictureRequest("x"))
    assert protocol.read(opened.reader).identity == 1
    time.sleep(3 * LATER)
    assert done == ["soon", "later", "asked", "soon", "later"]


def test_requests_in_a_row_leave_no_time_to_rest(wire):
    done = []
    handlers = {protocol.PictureRequest: lambda request, report, cancelled: protocol.Hello(1)}
    opened = wire(handlers, [(30.0, lambda: done.append("soon"))])
    for number in range(1, 20):
        opened.send(number, protocol.PictureRequest("x"))
        assert protocol.read(opened.reader).identity == number
    assert done == []


def test_what_is_loaded_is_forgotten_and_loaded_again(monkeypatch):
    pipeline = worker.Pipeline()
    loads = []

    def load(name, device):
        loads.append(name)
        return object()

    monkeypatch.setattr("backend.weights.run_folder.load_bundle_or_run", load)
    pipeline.bundle("car", "cpu")
    pipeline.bundle("car", "cpu")
    pipeline.forget()
    pipeline.bundle("car", "cpu")
    assert loads == ["car", "car"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc can be asked")
def test_freed_memory_goes_back_to_the_system():
    import numpy as np

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    # Below the size from which on each block is mapped by itself, and so freed by itself.
    blocks = [np.ones(12_000, np.uint8) for _ in range(12_000)]
    kept = blocks[-1]
    del blocks
    before = resident()
    memory.give_back()
    assert before - resident() > 80 and kept.all()
