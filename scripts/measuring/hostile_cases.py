# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of many cases: a result or one sentence is right, an error of another kind, a hang or a loss a fault."""

from __future__ import annotations

import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

SECONDS = 20
"""A case that takes longer hangs."""
SHOWN = 20
"""Faults that are told in full."""
LONGEST_SENTENCE = 900


class Hang(BaseException):
    """A case took too long; no handler of the product's catches it."""


@contextlib.contextmanager
def limited(seconds: int = SECONDS) -> Iterator[None]:
    """Raises Hang after some seconds, also inside of the product's own handlers."""

    def ring(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def is_sentence(text: str) -> bool:
    """Whether a text can be shown as what went wrong: one line, not too long, no trace of a program."""
    return bool(text) and "\n" not in text and len(text) <= LONGEST_SENTENCE and "Traceback" not in text


class Cases:
    """What became of the cases of a part."""

    def __init__(self, part: str) -> None:
        self.part, self.counts, self.kinds = part, Counter[str](), Counter[str]()
        self.faults: list[str] = []
        self.slowest = 0.0
        self.more: dict[str, Any] = {}
        """Further figures of the part, by name."""

    def fault(self, number: int, kind: str, what: str) -> None:
        """Notes what must not be."""
        self.counts["faults"] += 1
        self.faults.append(f"{self.part} {number} ({kind}): {what[:400]}")

    def tried(self, number: int, kind: str, body: Callable[[], Any], refusals: tuple[type[Exception], ...]) -> None:
        """Runs one case: a result counts as accepted, one sentence as refused, all else as a fault."""
        began = time.monotonic()
        self.kinds[kind] += 1
        try:
            with limited():
                body()
            self.counts["accepted"] += 1
        except refusals as error:
            self.counts["refused"] += 1
            if not is_sentence(str(error)):
                self.fault(number, kind, f"no sentence: {str(error)!r}")
        except Hang:
            self.fault(number, kind, f"hangs longer than {SECONDS} seconds")
        except Exception as error:
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where is not None else ""
            self.fault(number, kind, f"{type(error).__name__}: {error} at {place}")
        except BaseException as error:  # such as a panic in a library that is not written in Python
            if isinstance(error, KeyboardInterrupt):
                raise
            self.fault(number, kind, f"{type(error).__name__}: {error}")
        self.slowest = max(self.slowest, time.monotonic() - began)

    def figures(self) -> dict[str, Any]:
        """Returns what a report says."""
        return {
            "cases": sum(self.kinds.values()), "accepted": self.counts["accepted"], "refused": self.counts["refused"],
            "faults": self.counts["faults"], "slowest_seconds": round(self.slowest, 2), "told": self.faults[:SHOWN],
            "kinds": dict(self.kinds.most_common()), **self.more,
        }  # fmt: skip
