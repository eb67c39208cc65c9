# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two thousand malformed messages: each ends the worker's loop, and the client's reader, with one kind of error."""

from __future__ import annotations

import io
import json
import queue
import random
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from backend import worker
from backend.common import records
from backend.ipc import client, protocol

READY = protocol.Ready(protocol.schema(), "3", "")
HELLO = protocol.encode(protocol.Message(0, protocol.Hello(protocol.schema())))
FRAMES = [
    protocol.encode(protocol.Message(1, records.CutOut(np.arange(12, dtype=np.uint8).reshape(3, 4), "alpha"))),
    protocol.encode(protocol.Message(2, records.GenerateRequest(code=np.ones(4, np.float32)))),
    protocol.encode(protocol.Message(3, records.ReconstructRequest("photo.jpg", point=[1.0, 2.0], azimuth=0.5))),
]
STRANGE: list[Any] = [
    None, True, -1, 1 << 70, 10**300, 1e308, "", "\ud800", [], {}, [[]], [[[], [1]]], [["|u1", "x"]], [["|u1", [1.5]]],
    [["<f8", [0, 2**62, 2**62]]], [["<f8", [2**31]]], [["<i4", [3, 3, 3, 3, 3, 3, 3, 3, 3]]], {"mask": {}}, "NaN",
]  # fmt: skip


def framed(header: object) -> bytes:
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    return protocol.PREFIX.pack(protocol.MAGIC, protocol.VERSION, len(text)) + text


def header_of(frame: bytes) -> dict[str, Any]:
    size = protocol.PREFIX.unpack(frame[: protocol.PREFIX.size])[2]
    header: dict[str, Any] = json.loads(frame[protocol.PREFIX.size : protocol.PREFIX.size + size])
    return header


def strangely_filled(value: Any, chance: random.Random) -> Any:
    """The same JSON with one place of it replaced by something that does not belong there."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        name = chance.choice(list(value))
        return {**value, name: strangely_filled(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.6:
        place = chance.randrange(len(value))
        return [strangely_filled(one, chance) if i == place else one for i, one in enumerate(value)]
    return chance.choice(STRANGE)


def messages(count: int) -> Iterator[bytes]:
    """Frames with strange headers, bytes changed, cut short, with bytes in between, and garbage."""
    chance = random.Random(11)
    for _ in range(count):
        frame, kind = chance.choice(FRAMES), chance.random()
        if kind < 0.6:
            yield framed(strangely_filled(header_of(frame), chance)) + frame[-48:]
        elif kind < 0.8:
            damaged = bytearray(frame)
            for _ in range(chance.randint(1, 8)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            yield bytes(damaged)
        elif kind < 0.9:
            yield frame[: chance.randrange(1, len(frame))]
        else:
            place = chance.randrange(len(frame))
            yield frame[:place] + chance.randbytes(chance.randint(1, 40)) + frame[place:]


@pytest.fixture
def no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's last resort, which ends the process, is left out: the loops run in this one."""

    class Never(threading.Thread):
        def __init__(self, *_: object, **__: object) -> None:
            super().__init__(target=lambda: None)

    monkeypatch.setattr(worker.threading, "Timer", Never)


def test_no_message_hangs_the_workers_loop_or_the_clients_reader(no_end: None) -> None:
    began, refused = time.monotonic(), 0
    for message in messages(2000):
        answers = io.BytesIO()
        loop = threading.Thread(
            target=worker.serve, args=({}, io.BytesIO(HELLO + message), answers, READY), daemon=True
        )
        loop.start()
        loop.join(5)
        assert not loop.is_alive(), message
        received: queue.SimpleQueue[Any] = queue.SimpleQueue()
        client._read_messages(io.BytesIO(message), received)
        got = []
        while not received.empty():
            got.append(received.get())
        assert got and (got[-1] is None or isinstance(got[-1], protocol.ProtocolError)), message
        refused += isinstance(got[-1], protocol.ProtocolError)
    assert refused > 1500, "most of them are malformed"
    assert time.monotonic() - began < 60  # 3 s on an idle machine


def test_memory_is_taken_as_bytes_come_and_not_as_they_are_announced() -> None:
    announced = header_of(FRAMES[0])
    announced["arrays"] = [["|u1", [protocol.MAX_ARRAY_BYTES]]]
    tracemalloc.start()
    with pytest.raises(protocol.ProtocolError, match="ended after"):
        protocol.read(io.BytesIO(framed(announced) + bytes(1000)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * protocol.CHUNK_BYTES


def test_a_large_array_arrives_whole_over_many_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "CHUNK_BYTES", 1000)
    mask = np.random.default_rng(0).integers(0, 255, (101, 97), dtype=np.uint8)
    message = protocol.read(io.BytesIO(protocol.encode(protocol.Message(1, records.CutOut(mask, "file")))))
    assert message is not None
    np.testing.assert_array_equal(message.body.mask, mask)
