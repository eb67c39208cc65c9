# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings that outlive the panel: what a folder of runs says is so, whatever happened to their processes. No bpy."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from addon import training_figures as figures
from addon import training_runs, training_use
from addon.training_runs import Request, Runs
from backend.common import bundle_files, run_files
from backend.common.run_files import RunRecord
from backend.ipc import client

TRAIN = """
import pathlib, sys, time
from backend.common import run_files
words = sys.argv[1:]
out = pathlib.Path(words[words.index("--out") + 1])
owner = int(words[words.index("--while-runs") + 1]) if "--while-runs" in words else 0
if "dies=at-once" in words:
    sys.exit("train.py: There is no preset 'huge'.")
with run_files.recorded(out, run_files.RunRecord(words[0], settings=tuple(w for w in words if "=" in w))):
    with run_files.watched(out), run_files.progress_file(out):
        progress = run_files.ProgressFile(out)
        for step in range(1, 2000):
            progress.write("Training", step, 2000, {"loss": 1 / step})
            if "crash=yes" in words:
                print("a last word", flush=True)
                import os
                os.kill(os.getpid(), 9)
            if "quick=yes" in words:
                break
            run_files.stop_if_asked()
            time.sleep(0.01)
"""


@pytest.fixture
def command(tmp_path: Path, root: Path) -> client.WorkerCommand:
    """Starts a program in the place of backend.commands.train."""
    place = tmp_path / "root"
    (place / "backend" / "commands").mkdir(parents=True)
    (place / "backend" / "__init__.py").touch()
    (place / "backend" / "commands" / "__init__.py").touch()
    (place / "backend" / "common").symlink_to(root / "backend" / "common")
    (place / "backend" / "errors.py").symlink_to(root / "backend" / "errors.py")
    (place / "backend" / "commands" / "train.py").write_text(TRAIN)
    return client.WorkerCommand([sys.executable], place, tmp_path / "worker.log", {})


def request(tmp_path: Path, *settings: str, **changes) -> Request:
    return replace(Request("parts", "-", "tiny", tmp_path / "runs" / "one", settings), **changes)


def wait(runs: Runs, *states: str) -> training_runs.Run:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        runs.look()
        if runs.runs and runs.runs[0].state in states:
            return runs.runs[0]
        time.sleep(0.02)
    raise AssertionError(f"{runs.runs} is not {states}")


def test_a_run_is_followed_stopped_and_resumed(tmp_path: Path, command: client.WorkerCommand) -> None:
    runs = Runs(tmp_path / "runs")
    assert not runs.look() and runs.runs == []
    runs.start(command, request(tmp_path, "loop.steps=3"))
    run = wait(runs, "running")
    while not run.seconds_left:
        run = wait(runs, "running")
    assert run.stage == "Training" and run.steps == 2000 and run.seconds_left > 0 and not run.can_resume
    assert Runs(tmp_path / "runs").root == runs.root
    later = Runs(tmp_path / "runs")  # another Blender
    later.look()
    assert later.runs[0].state == "running" and later.runs[0].record.settings == ("loop.steps=3",)
    with pytest.raises(ValueError, match="at work in .* already"):
        later.start(command, request(tmp_path))
    run_files.ask_to_stop(run.folder)
    run = wait(runs, "stopped")
    assert run.can_resume
    run_files.ask_to_stop(run.folder)  # left by the run before
    again = Request.again(run, keep=True)
    assert again.resume and again.task == "parts" and "--resume" in again.arguments()
    runs.start(command, again)
    wait(runs, "running")
    runs.kill(runs.runs[0])
    run = wait(runs, "died")
    assert "ended without a word" in run.sentence and run.can_resume and not run.is_under_way


def test_another_blender_sees_that_a_run_has_died(tmp_path: Path, command: client.WorkerCommand) -> None:
    runs = Runs(tmp_path / "runs")
    runs.start(command, request(tmp_path, "crash=yes"))
    assert "The last that it said: a last word" in wait(runs, "died").sentence
    later = Runs(tmp_path / "runs")
    assert "a last word" in wait(later, "died").sentence


def test_a_run_that_never_begins_says_why(tmp_path: Path, command: client.WorkerCommand) -> None:
    runs = Runs(tmp_path / "runs")
    runs.start(command, request(tmp_path, "dies=at-once"))
    run = wait(runs, "failed")
    assert run.sentence == "There is no preset 'huge'." and run.can_resume


def test_a_run_lies_where_none_was(tmp_path: Path, command: client.WorkerCommand) -> None:
    runs = Runs(tmp_path / "runs")
    runs.start(command, request(tmp_path, "quick=yes"))
    assert wait(runs, "finished").sentence == "" and not runs.runs[0].can_resume
    with pytest.raises(ValueError, match="lies in .* already: resume it, or choose another name"):
        runs.start(command, request(tmp_path))
    assert run_files.read(tmp_path / "runs" / "one").state == "finished"
    assert training_runs.free_folder(tmp_path / "runs", "one").name == "one-2"
    assert training_runs.free_folder(tmp_path / "runs", "../a b").name == "a-b"


def test_a_run_that_is_to_end_with_blender_knows_its_process(tmp_path: Path) -> None:
    words = request(tmp_path, keep=False).arguments()
    assert words[words.index("--while-runs") + 1] == str(os.getpid())
    assert "--while-runs" not in request(tmp_path).arguments()


def test_the_products_command_takes_the_words(tmp_path: Path) -> None:
    from backend.commands import train

    options = train.parse(
        request(tmp_path, "loop.steps=3", resume=True, keep=False, options=("--threads", "1")).arguments()
    )
    assert options.task == "parts" and options.settings == ["loop.steps=3"] and options.progress == "file"
    assert options.resume and options.while_runs == os.getpid() and options.threads == 1


def test_nothing_new_is_nothing_to_show_and_costs_little(tmp_path: Path) -> None:
    for number in range(30):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        run_files.write(folder, RunRecord("parts", state="finished", began=number))
    runs = Runs(tmp_path)
    assert runs.look() and [run.name for run in runs.runs[:2]] == ["29", "28"]
    assert not runs.look()
    times = []
    for _ in range(20):
        began = time.perf_counter()
        runs.look()
        times.append(time.perf_counter() - began)
    assert min(times) < 0.01


def test_a_run_without_a_record_is_told_by_its_log(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "log.jsonl").write_text('{"step": 5, "loss": 1.0}\n{"step": 10, "loss": 0.5}\n')
    (folder / "config.json").write_text(json.dumps({"kimg": 0.16, "batch": 8}))
    runs = Runs(tmp_path)
    runs.look()
    assert (runs.runs[0].state, runs.runs[0].fraction, runs.runs[0].can_resume) == ("stopped", 0.5, False)
    with pytest.raises(ValueError, match="does not say how it was started"):
        Request.again(runs.runs[0], keep=True)


@pytest.mark.parametrize("text", ["loop.steps", "--resume", 'a="b', "=3"])
def test_settings_that_are_none_are_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="further setting"):
        training_runs.parse_settings(text)


def test_settings_are_words_with_their_quotes_gone() -> None:
    assert training_runs.parse_settings('loop.steps=3  start="my run"') == ("loop.steps=3", "start=my run")


def test_figures_are_read_whatever_a_kill_left(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(
        '{"step": 1, "loss": 2.0, "seconds": 1}\n{"step": 2, "validation/iou": 0.5}\n{"step": 3, "loss": NaN}\n{"step"'
    )
    series = figures.read_log(tmp_path)
    assert series["loss"] == ([1], [2.0])
    assert list(figures.losses_of(series, 6)) == ["loss", "validation/iou"]
    assert figures.read_log(tmp_path / "nowhere") == {}


def test_a_plot_goes_down_where_the_figure_does_and_has_a_strip_each() -> None:
    falling, flat = ([0, 50, 100], [3.0, 2.0, 1.0]), ([100], [5.0])
    picture = figures.plot({"falling": falling, "flat": flat}, 100, 80)
    first = np.argwhere((picture[:, :, :3] == figures.COLOURS[0]).all(axis=2))
    second = np.argwhere((picture[:, :, :3] == figures.COLOURS[1]).all(axis=2))
    assert first[:, 0].max() < 40 <= second[:, 0].min() and picture.shape == (80, 100, 4)
    assert first[first[:, 1] == 0, 0].max() < 10 and first[first[:, 1] == 99, 0].min() > 30
    assert set(second[:, 1]) == {99}, "one value is one place, at its step"
    assert figures.plot({}, 10, 10).shape == (10, 10, 4)


def test_a_long_log_is_drawn_to_its_last_value() -> None:
    long = (list(range(1, 5001)), [1.0] * 4999 + [9.0])
    picture = figures.plot({"long": long}, 100, 50)
    inked = np.argwhere((picture[:, :, :3] == figures.COLOURS[0]).all(axis=2))
    assert inked[inked[:, 1] == 99, 0].min() < 10 and inked[inked[:, 1] == 50, 0].min() > 40


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""), (0.0, ""), (0.2, "1 s left"), (80, "80 s left"), (600, "10 min left"), (7200, "2.0 h left"),
        (5e5, "5.8 days left"),
    ],
)  # fmt: skip
def test_time_is_told_in_words(seconds: float | None, text: str) -> None:
    assert figures.time_text(seconds) == text


def finished_run(folder: Path) -> training_runs.Run:
    folder.mkdir(parents=True)
    metadata = {"__metadata__": {"config": json.dumps({"image_size": 64})}}
    header = json.dumps(metadata).encode()
    (folder / bundle_files.INVERSE_GRAPHICS).write_bytes(struct.pack("<Q", len(header)) + header)
    (folder / bundle_files.TEMPLATE).write_bytes(b"template")
    (folder / "log.jsonl").write_text('{"step": 60, "loss": 1.0}\n')
    (folder / "config.json").write_text('{"category": "chair"}')
    return training_runs.Run(folder, RunRecord("inverse-graphics", "/data", state="stopped"), "stopped")


def test_a_run_so_far_is_a_bundle_of_its_own(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "runs" / "chairs")
    assert training_use.make_bundle(run, tmp_path / "bundles") == "chairs"
    found = bundle_files.bundles_in([tmp_path / "bundles"], bundle_files.INVERSE_GRAPHICS)
    card = json.loads((found["chairs"] / "bundle.json").read_text())
    assert (card["format"], card["category"], card["resolution"], card["segmenter"]) == (1, "chair", 64, "car")
    assert "step 60" in card["description"]
    (run.folder / bundle_files.SEGMENTER).write_bytes(b"own")
    training_use.make_bundle(run, tmp_path / "bundles")
    assert (found["chairs"] / bundle_files.SEGMENTER).read_bytes() == b"own"
    assert "segmenter" not in json.loads((found["chairs"] / "bundle.json").read_text())


def test_a_bundle_of_somebody_else_is_not_written_over(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "runs" / "chairs")
    (tmp_path / "bundles" / "chairs").mkdir(parents=True)
    (tmp_path / "bundles" / "chairs" / "bundle.json").write_text('{"name": "chairs"}')
    with pytest.raises(ValueError, match="Another bundle is called chairs"):
        training_use.make_bundle(run, tmp_path / "bundles")
    with pytest.raises(ValueError, match="came with Unrender is called car"):
        training_use.make_bundle(finished_run(tmp_path / "runs" / "car"), tmp_path / "bundles")
    empty = training_runs.Run(tmp_path, None, "running")
    with pytest.raises(ValueError, match="wait for its first checkpoint"):
        training_use.make_bundle(empty, tmp_path / "bundles")


def test_plain_modules_load_without_blender() -> None:
    code = "import sys, addon.training_runs, addon.training_use; print('bpy' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
