# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress of a long command as lines of JSON: one line a change, written by the command, read by whoever started it.

A line is ``{"stage": "Reading views", "fraction": 0.25, "step": 3, "steps": 12, "figures": {}}``. Who starts a command
with ``--progress json`` reads its output line by line with :func:`parse_line`, which returns None for any other text.
The command itself turns the lines on around its work:

    with json_lines(sys.stdout):
        train(...)

Inside, every bar of :mod:`backend.progress_bar` writes lines instead of drawing itself. Each line is flushed. There are
at most ten a second, besides the first and the last line of a stage.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, TextIO

INTERVAL_SECONDS = 0.1
"""Shortest time between two lines inside one stage."""


@dataclass(frozen=True)
class Report:
    """How far a command is."""

    stage: str
    """A few words for the user, such as "Reading views"."""
    fraction: float
    """Done part of this stage, from 0 to 1."""
    step: int = 0
    """Steps of the stage that are done."""
    steps: int = 0
    """Steps of the whole stage; 0 where the number is not known."""
    figures: dict[str, float] = field(default_factory=dict)
    """Latest measurements by name, such as losses; all are finite."""

    @staticmethod
    def of(stage: str, step: int, steps: int, figures: Mapping[str, float] | None = None) -> Report:
        """A report with its figures to six digits; those that are not finite are left out."""
        finite = {name: float(f"{value:.6g}") for name, value in (figures or {}).items() if math.isfinite(value)}
        return Report(stage, round(min(1.0, step / steps), 4) if steps else 0.0, step, steps, finite)

    @staticmethod
    def from_record(record: Any) -> Report | None:
        """The report that read JSON stands for; None for anything else."""
        try:
            return Report(
                str(record["stage"]),
                min(1.0, max(0.0, float(record["fraction"]))),
                int(record["step"]),
                int(record["steps"]),
                {str(name): float(value) for name, value in record["figures"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            return None


class Writer(Protocol):
    """Whatever takes reports."""

    def write(self, stage: str, step: int, steps: int, figures: Mapping[str, float] | None = None) -> None:
        """Takes one."""


class LineWriter:
    """Writes reports to a text stream; one that nobody reads any more is left alone, so that the work goes on."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._stage = ""
        self._written = -math.inf
        self._broken = False

    def write(self, stage: str, step: int, steps: int, figures: Mapping[str, float] | None = None) -> None:
        """Writes one line, unless the last one of the same stage was written just now and the stage goes on."""
        now = self._clock()
        goes_on = stage == self._stage and step < steps
        if self._broken or (goes_on and now - self._written < INTERVAL_SECONDS):
            return
        self._stage, self._written = stage, now
        line = json.dumps(asdict(Report.of(stage, step, steps, figures)), allow_nan=False)
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream was closed
            self._broken = True


_WRITER: ContextVar[Writer | None] = ContextVar("progress_writer", default=None)


@contextmanager
def progress_to(writer: Writer) -> Iterator[None]:
    """Hands progress to a writer for the time of the block."""
    token = _WRITER.set(writer)
    try:
        yield
    finally:
        _WRITER.reset(token)


@contextmanager
def json_lines(stream: TextIO) -> Iterator[None]:
    """Writes progress as lines of JSON to ``stream`` for the time of the block."""
    with progress_to(LineWriter(stream)):
        yield


def line_writer() -> Writer | None:
    """The writer of the block around this call, or None outside of any."""
    return _WRITER.get()


def parse_line(line: str | bytes) -> Report | None:
    """The report in one line of a command's output; None for a line that is something else."""
    try:
        return Report.from_record(json.loads(line))
    except (ValueError, TypeError, RecursionError):
        return None
