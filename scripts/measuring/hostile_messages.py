# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Malformed messages between Blender and its worker, by a seed, through the loops that read them on either side."""

from __future__ import annotations

import contextlib
import io
import json
import queue
import random
import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np

from backend import worker
from backend.common import records
from backend.ipc import client, protocol

SECONDS = 5
"""A loop that takes longer to end hangs."""
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
"""What may stand where something else belongs."""


def framed(header: object) -> bytes:
    """A message of a header alone, whatever that is."""
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    return protocol.PREFIX.pack(protocol.MAGIC, protocol.VERSION, len(text)) + text


def header_of(frame: bytes) -> dict[str, Any]:
    """The header of a well-formed message."""
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


def malformed(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Messages with strange headers, bytes changed, cut short, or with bytes in between; what was done comes first."""
    chance = random.Random(seed)
    for _ in range(count):
        frame, kind = chance.choice(FRAMES), chance.random()
        if kind < 0.6:
            yield "header", framed(strangely_filled(header_of(frame), chance)) + frame[-48:]
        elif kind < 0.8:
            damaged = bytearray(frame)
            for _ in range(chance.randint(1, 8)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            yield "bytes", bytes(damaged)
        elif kind < 0.9:
            yield "cut", frame[: chance.randrange(1, len(frame))]
        else:
            place = chance.randrange(len(frame))
            yield "insert", frame[:place] + chance.randbytes(chance.randint(1, 40)) + frame[place:]


@contextlib.contextmanager
def no_end() -> Iterator[None]:
    """While open, the worker's last resort, which ends the process, is left out: its loops run in this one."""

    class Never(threading.Thread):
        def __init__(self, *_: object, **__: object) -> None:
            super().__init__(target=lambda: None)

    with mock.patch.object(worker.threading, "Timer", Never):
        yield


def try_both_readers(message: bytes) -> None:
    """Has the worker's loop and the client's reader take a message; call it inside of :func:`no_end`.

    Raises ProtocolError where the message is refused, AssertionError where a loop hangs, ends by another error, or
    answers what the client cannot read.
    """
    answers, raised = io.BytesIO(), list[BaseException]()

    def serve() -> None:
        try:
            worker.serve({}, io.BytesIO(HELLO + message), answers, READY)
        except BaseException as error:
            raised.append(error)

    loop = threading.Thread(target=serve, daemon=True)
    loop.start()
    loop.join(SECONDS)
    assert not loop.is_alive(), f"the worker's loop hangs at {message!r}"
    assert not raised, f"the worker's loop ends by {raised[0]!r} at {message!r}"
    answers.seek(0)
    assert isinstance(_taken(answers.getvalue())[0], protocol.Message), "no handshake"
    got = _taken(message)
    assert got and (got[-1] is None or isinstance(got[-1], protocol.ProtocolError)), f"no end of {message!r}"
    if got[-1] is not None:
        raise got[-1]


def _taken(stream: bytes) -> list[Any]:
    """All that the client's reader takes from a stream, with the None or the error at its end."""
    received: queue.SimpleQueue[Any] = queue.SimpleQueue()
    client._read_messages(io.BytesIO(stream), received)
    got = []
    while not received.empty():
        got.append(received.get())
    return got
