# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress as lines of JSON: what is written is read back, and what is none is told apart."""

from __future__ import annotations

import io
import json
import math

import pytest

from backend.common.progress import LineWriter, Report, json_lines, line_writer, parse_line


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def reports(stream: io.StringIO) -> list[Report]:
    found = [parse_line(line) for line in stream.getvalue().splitlines()]
    assert all(found)
    return [report for report in found if report]


def test_a_written_line_is_read_back() -> None:
    stream = io.StringIO()
    LineWriter(stream).write("Reading views", 3, 12, {"colour": 0.25})
    assert reports(stream) == [Report("Reading views", 0.25, 3, 12, {"colour": 0.25})]
    assert json.loads(stream.getvalue()) == {
        "stage": "Reading views", "fraction": 0.25, "step": 3, "steps": 12, "figures": {"colour": 0.25},
    }  # fmt: skip


def test_at_most_ten_lines_a_second_are_written_inside_a_stage(clock: Clock) -> None:
    stream = io.StringIO()
    writer = LineWriter(stream, clock)
    for step in range(1000):  # two seconds
        writer.write("Training", step, 2000)
        clock.now += 0.002
    assert 19 <= len(reports(stream)) <= 20


def test_the_beginning_and_the_end_of_a_stage_are_written_however_soon(clock: Clock) -> None:
    stream = io.StringIO()
    writer = LineWriter(stream, clock)
    for stage in ("First", "Second"):
        for step in range(4):
            writer.write(stage, step, 3)
    assert [(r.stage, r.step) for r in reports(stream)] == [("First", 0), ("First", 3), ("Second", 0), ("Second", 3)]


def test_figures_that_are_no_numbers_are_left_out() -> None:
    stream = io.StringIO()
    LineWriter(stream).write("Training", 1, 2, {"loss": math.nan, "rate": math.inf, "iou": 0.5})
    assert reports(stream)[0].figures == {"iou": 0.5}


def test_a_stage_of_unknown_length_has_fraction_0() -> None:
    stream = io.StringIO()
    LineWriter(stream).write("Waiting", 0, 0)
    assert reports(stream)[0].fraction == 0


class Gone(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_work_goes_on_where_nobody_reads_any_more() -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (Gone(), closed):
        writer = LineWriter(stream)
        writer.write("Training", 0, 2)
        writer.write("Training", 2, 2)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Codes swapped between 16 pairs of samples",
        "3",
        "null",
        "[]",
        "{}",
        '{"stage": "Training"}',
        '{"stage": "Training", "fraction": "half", "step": 1, "steps": 2, "figures": {}}',
        '{"stage": "Training", "fraction": 0.5, "step": null, "steps": 2, "figures": {}}',
        '{"stage": "Training", "fraction": 0.5, "step": 1e999, "steps": 2, "figures": {}}',
        '{"stage": "Training", "fraction": 0.5, "step": 1, "steps": 2, "figures": 7}',
        '{"stage": "Training", "fraction": 0.5, "step": 1, "st',
        b"\xff\xfe",
        pytest.param("[" * 100_000, id="nested"),
    ],
)
def test_other_text_is_no_report(line: str | bytes) -> None:
    assert parse_line(line) is None


def test_lines_are_written_inside_the_block_alone() -> None:
    assert line_writer() is None
    with json_lines(io.StringIO()):
        assert line_writer() is not None
    assert line_writer() is None
