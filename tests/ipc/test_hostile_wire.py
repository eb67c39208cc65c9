# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two thousand malformed messages: each ends the worker's loop, and the client's reader, with one kind of error."""

from __future__ import annotations

import io
import time
import tracemalloc

import numpy as np
import pytest

from backend.common import records
from backend.ipc import protocol
from scripts.measuring.hostile_messages import FRAMES, framed, header_of, malformed, no_end, try_both_readers


def test_no_message_hangs_the_workers_loop_or_the_clients_reader() -> None:
    began, refused = time.monotonic(), 0
    with no_end():
        for _, message in malformed(2000, seed=11):
            try:
                try_both_readers(message)
            except protocol.ProtocolError:
                refused += 1
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
