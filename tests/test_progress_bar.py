# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bar of a stage draws itself on the terminal, or writes lines where they were asked for."""

from __future__ import annotations

import io
import warnings

import pytest

from backend.common.progress import Report, json_lines, parse_line
from backend.progress_bar import Bar, tracked


def lines(stream: io.StringIO) -> list[Report | None]:
    return [parse_line(line) for line in stream.getvalue().splitlines()]


def test_lines_take_the_place_of_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    with json_lines(stream), Bar("Training car", 4, first=1) as bar:
        bar.show({"total": 0.5})
        bar.update(3)
    first, last = lines(stream)
    assert first == Report("Training car", 0.25, 1, 4) and last == Report("Training car", 1, 4, 4, {"total": 0.5})
    assert capsys.readouterr().err == ""


def test_without_being_asked_a_bar_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("Training car", 4, unit="kimg", scale=0.5) as bar:
        bar.update(4)
        bar.show({"total": 0.5})
    drawn = capsys.readouterr().err
    assert "Training car: 100%" in drawn and "2.0/2.0 kimg" in drawn and "total=0.500" in drawn


def test_a_bar_that_is_not_shown_neither_draws_nor_writes(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    with json_lines(stream), Bar("Training car", 4, shown=False) as bar:
        bar.update(4)
    assert stream.getvalue() == "" and capsys.readouterr().err == ""


def test_a_bar_of_fractions_does_not_pass_its_total() -> None:
    """Steps of 0.008 add up to more than their product; tqdm then warns that it clamps."""
    steps, scale = 1000, 0.008
    assert sum([scale] * steps) > steps * scale
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Bar("Training", steps, scale=scale) as bar:
            for _ in range(steps):
                bar.update()
                bar.bar.refresh()
            assert bar.bar.n == bar.bar.total


def test_tracked_items_are_all_given_and_counted() -> None:
    stream = io.StringIO()
    with json_lines(stream):
        assert list(tracked("abc", "Reading", unit="view")) == ["a", "b", "c"]
        assert list(tracked(iter("ab"), "Packing", count=2)) == ["a", "b"]
    assert [(r.step, r.steps) for r in lines(stream) if r] == [(0, 3), (3, 3), (0, 2), (2, 2)]
