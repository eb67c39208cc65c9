# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that tries damaged files and messages, kills and full disks: a few cases, and that it finds faults."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.measuring.hostile import Cases
from scripts.measuring.hostile_ends import Watched, kills
from scripts.measuring.hostile_runs import Run

WORK = """
import pathlib, sys, time
out, way = pathlib.Path(sys.argv[1]), sys.argv[2]
out.mkdir(exist_ok=True)
if way == "forgets":
    for made in out.iterdir():
        made.unlink()
for number in range(4):
    if way == "repeats" or not (out / str(number)).exists():
        (out / f".{number}").write_text(str(number))
        (out / f".{number}").replace(out / str(number))
    time.sleep(0.05)
"""
"""A run of four small files that goes on where it was stopped, or in a way that is wrong."""


class Counting(Run):
    """What the kills stop in place of a batch."""

    name, progress_file = "counting", "0"

    def __init__(self, way: str) -> None:
        self.way = way

    def command(self, out: Path) -> list[str]:
        return [sys.executable, "-c", WORK, str(out), self.way]

    def finished(self, out: Path) -> dict[str, Any]:
        return {path.name: path.stat().st_mtime_ns for path in out.glob("[0-9]")}

    def made(self, out: Path) -> dict[str, Any]:
        return {path.name: path.read_text() for path in out.glob("[0-9]")}

    def is_complete(self, out: Path) -> bool:
        return len(self.finished(out)) == 4


def test_a_few_cases_of_each_part_have_no_faults(root: Path, tmp_path: Path) -> None:
    words = "--pictures 20 --checkpoints 12 --bundles 6 --messages 40 --kills 0 --disks 0 --seed 3".split()
    command = [sys.executable, str(root / "scripts/measuring/hostile.py"), *words, "--out", str(tmp_path / "f.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "f.json").read_text())
    assert report == json.loads(done.stdout) and report["faults"] == 0 and "kills" not in report
    for part, cases in (("pictures", 21), ("checkpoints", 12), ("bundles", 6), ("messages", 40)):
        assert report[part]["cases"] == cases == report[part]["accepted"] + report[part]["refused"]


def test_errors_of_other_kinds_and_texts_of_many_lines_are_faults() -> None:
    def wrong() -> None:
        raise KeyError("x")

    def long() -> None:
        raise ValueError("one\ntwo")

    cases = Cases("tried")
    cases.tried(0, "good", lambda: None, ())
    cases.tried(1, "wrong", wrong, (ValueError,))
    cases.tried(2, "long", long, (ValueError,))
    figures = cases.figures()
    assert (figures["accepted"], figures["refused"], figures["faults"]) == (1, 1, 2)
    assert "KeyError" in figures["told"][0]


@pytest.mark.parametrize(("way", "told"), [("goes on", ""), ("forgets", "made twice"), ("repeats", "made twice")])
def test_kills_tell_a_run_that_loses_or_repeats_what_was_finished(tmp_path: Path, way: str, told: str) -> None:
    cases = Cases("kills")
    made = kills(8, 2, tmp_path, [Watched(Counting(way), tmp_path, cases)])
    figures = made.figures()
    assert figures["cases"] == 8 and figures["rounds"]["counting"] >= 1, "those that came too late do not count"
    assert bool(figures["faults"]) == bool(told) and all(told in sentence for sentence in figures["told"])


def test_kills_tell_a_result_that_differs_from_the_undisturbed_one(tmp_path: Path) -> None:
    watched = Watched(Counting("goes on"), tmp_path, cases := Cases("kills"))
    watched.wanted = {**watched.wanted, "2": "another"}
    watched.complete(0)
    assert "other results than undisturbed: 2" in cases.figures()["told"][0]
