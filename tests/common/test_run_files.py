# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training's folder says of the run: who is at it, how it ended, how far it is, and how it is asked to stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.common import processes, run_files
from backend.common.run_files import Owner, ProgressFile, RunRecord, Stopped, Waiting

RECORD = RunRecord("segmenter", "data", "tiny", ("loop.steps=3",), ("--masks", "here"), "cpu")


@pytest.fixture
def ended() -> Owner:
    """A process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = Owner(process.pid, processes.birth_of(process.pid))
    assert owner.birth and processes.is_running(owner.pid, owner.birth)
    process.communicate(b"\n")
    return owner


def test_a_process_is_told_from_another_that_has_its_number(ended: Owner) -> None:
    own = os.getpid()
    assert processes.is_running(own, processes.birth_of(own))
    assert not processes.is_running(own, "another birth") and not processes.is_running(own, "")
    assert not processes.is_running(ended.pid, ended.birth)
    assert processes.birth_of(0) == processes.birth_of(-1) == ""


def test_a_process_that_nobody_waited_for_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    birth, until = processes.birth_of(process.pid), time.monotonic() + 20
    while processes.is_running(process.pid, birth) and time.monotonic() < until:
        time.sleep(0.01)
    assert process.returncode is None and not processes.is_running(process.pid, birth)
    process.wait()


def test_a_record_says_what_was_asked_for_and_how_it_ended(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with run_files.recorded(out, RECORD):
        now = run_files.read(out)
        assert now.state == "running" and now.pid == os.getpid() and now.is_under_way
        assert (now.task, now.settings, now.options, now.device) == (
            "segmenter", ("loop.steps=3",), ("--masks", "here"), "cpu",
        )  # fmt: skip
    assert run_files.read(out).state == "finished" and run_files.read(out).ended > 0


@pytest.mark.parametrize(
    ("error", "state", "sentence"),
    [
        (ValueError("Too few\nobjects."), "failed", "Too few objects."),
        (Stopped(), "stopped", ""),
        (KeyboardInterrupt(), "stopped", ""),
        (Waiting("Choose the views."), "waiting", "Choose the views."),
        (AssertionError(), "failed", "AssertionError"),
    ],
)
def test_a_record_tells_every_way_to_end(tmp_path: Path, error: BaseException, state: str, sentence: str) -> None:
    with pytest.raises(type(error)), run_files.recorded(tmp_path, RECORD):
        raise error
    assert (run_files.read(tmp_path).state, run_files.read(tmp_path).sentence) == (state, sentence)


def test_nothing_stays_of_a_run_that_left_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ValueError), run_files.recorded(out, RECORD):
        raise ValueError("No data.")
    assert not out.exists()
    with pytest.raises(ValueError), run_files.recorded(out, RECORD):
        (out / "log.jsonl").touch()
        raise ValueError("Damaged.")
    assert run_files.read(out).state == "failed"


def test_a_run_whose_process_is_gone_has_died(tmp_path: Path, ended: Owner) -> None:
    run_files.write(tmp_path, RunRecord("parts", state="running", pid=ended.pid, birth=ended.birth))
    assert run_files.read(tmp_path).state == "died"
    run_files.write(tmp_path, RunRecord("parts", state="starting", began=time.time()))
    assert run_files.read(tmp_path).state == "starting"
    run_files.write(tmp_path, RunRecord("parts", state="starting", began=time.time() - 1000))
    assert run_files.read(tmp_path).state == "died", "its process never began"


def test_two_processes_are_not_at_one_run(tmp_path: Path) -> None:
    parent = Owner(os.getppid(), processes.birth_of(os.getppid()))
    run_files.write(tmp_path, RunRecord("parts", state="running", pid=parent.pid, birth=parent.birth))
    with pytest.raises(ValueError, match="at work in .* already"), run_files.recorded(tmp_path, RECORD):
        raise AssertionError("began all the same")
    assert run_files.read(tmp_path).pid == parent.pid


def test_a_run_that_lies_there_keeps_its_record(tmp_path: Path) -> None:
    with run_files.recorded(tmp_path, RECORD):
        pass
    with pytest.raises(FileExistsError), run_files.recorded(tmp_path, RunRecord("parts")):
        raise FileExistsError("A training run lies there already.")
    assert run_files.read(tmp_path).task == "segmenter" and run_files.read(tmp_path).state == "finished"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"task": 3}', '{"task": "a", "state": "lost"}', "[" * 100_000])
def test_what_is_no_record_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / run_files.RUN).write_text(text)
    assert run_files.read(tmp_path) is None


def test_entries_of_later_versions_stay(tmp_path: Path) -> None:
    (tmp_path / run_files.RUN).write_text('{"format": 1, "task": "parts", "state": "finished", "later": [1]}')
    record = run_files.read(tmp_path)
    run_files.write(tmp_path, record)
    assert json.loads((tmp_path / run_files.RUN).read_text())["later"] == [1]


def test_a_stop_is_asked_by_a_file_in_any_folder_that_is_watched(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    with run_files.watched(tmp_path):
        assert not run_files.stop_is_asked(inner)
        run_files.ask_to_stop(tmp_path)
        assert run_files.stop_is_asked(inner) and run_files.stop_is_asked()
        with pytest.raises(Stopped):
            run_files.stop_if_asked()
    assert not run_files.stop_is_asked(inner) and run_files.stop_is_asked(tmp_path)


def test_a_new_beginning_forgets_an_old_stop(tmp_path: Path) -> None:
    run_files.ask_to_stop(tmp_path)
    with run_files.recorded(tmp_path, RECORD):
        assert not run_files.stop_is_asked(tmp_path)


def test_a_stop_that_is_asked_before_the_process_has_begun_counts(tmp_path: Path) -> None:
    run_files.write(tmp_path, RunRecord("parts", state="starting", began=time.time()))
    run_files.ask_to_stop(tmp_path)
    with run_files.recorded(tmp_path, RECORD):
        assert run_files.stop_is_asked(tmp_path)


def test_a_run_stops_with_the_process_it_belongs_to(tmp_path: Path, ended: Owner) -> None:
    with run_files.watched(tmp_path, Owner(os.getpid(), processes.birth_of(os.getpid()))):
        assert not run_files.stop_is_asked()
    with run_files.watched(tmp_path, ended), run_files.watched(tmp_path / "inner"):
        assert run_files.stop_is_asked()


def test_the_latest_progress_says_how_long_a_stage_takes_still(tmp_path: Path) -> None:
    now = 100.0
    file = ProgressFile(tmp_path, lambda: now)
    file.write("Training", 10, 110, {"loss": float("nan"), "iou": 0.5})
    assert run_files.read_progress(tmp_path).seconds_left is None
    now += run_files.PROGRESS_SECONDS / 2
    file.write("Training", 11, 110)
    assert run_files.read_progress(tmp_path).report.step == 10, "not more often than is looked at"
    now += 20 - run_files.PROGRESS_SECONDS / 2
    file.write("Training", 30, 110, {"iou": 0.5})
    progress = run_files.read_progress(tmp_path)
    assert progress.seconds_left == pytest.approx(80) and progress.report.figures == {"iou": 0.5}
    file.write("Training", 110, 110)
    assert run_files.read_progress(tmp_path).seconds_left == 0


@pytest.mark.parametrize("text", ["", "[]", '{"stage": 1}', '{"stage": "a", "fraction": 0, "step": 1e999}'])
def test_damaged_progress_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / run_files.PROGRESS).write_text(text)
    assert run_files.read_progress(tmp_path) is None
