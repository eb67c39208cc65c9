# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Propose Views inside the bpy package: a child process runs the command train; progress, cancel, errors."""

from __future__ import annotations

import os
import re
import sys
import time

import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import choices, environment, job, pixels, places, session, training
from addon.operators import views
from addon.ui import train_panels
from addon.wire import client
from backend.common import view_set
from tests.blender.test_views import drawn, strip

PROPOSER = """
import json, shutil, sys, time
words = sys.argv[1:]

def tell(stage, step, steps):
    line = dict(stage=stage, fraction=step / steps, step=step, steps=steps, figures={{}})
    print(json.dumps(line), flush=True)

tell("Measuring the split", 5, 10)
tell("Looking at views", 1, 4)
print("a table of figures, as the search prints it:  50%|##   | 5/10", flush=True)
time.sleep(0.3)
shutil.copytree({ready!r}, words[words.index("--out") + 1], dirs_exist_ok=True)
print(*words, file=open({told!r}, "w"), sep="\\n")
"""


@pytest.fixture(autouse=True)
def registered(root, tmp_path, monkeypatch):
    """The add-on registered, with a user folder of its own and this interpreter for the child."""
    bpy.ops.wm.read_homefile(use_empty=True)
    monkeypatch.setattr(places, "user_folder", lambda: tmp_path / "user")
    addon.register()
    command = client.WorkerCommand([sys.executable], root, tmp_path / "worker.log", {"UNRENDER_BUNDLES": "here"})
    monkeypatch.setattr(environment, "worker_command", lambda chosen="": command)
    yield
    addon.unregister()


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Returns a function that puts a program in the place of backend.commands.train."""
    root = tmp_path / "root"
    (root / "backend" / "commands").mkdir(parents=True)
    for package in (root / "backend", root / "backend" / "commands"):
        (package / "__init__.py").touch()
    command = client.WorkerCommand([sys.executable], root, tmp_path / "worker.log", {})
    monkeypatch.setattr(environment, "worker_command", lambda chosen="": command)
    return (root / "backend" / "commands" / "train.py").write_text


def settings(tmp_path):
    chosen = bpy.context.scene.unrender
    chosen.views_folder = str(tmp_path / "views")
    chosen.views_generator = choices.FILE
    chosen.views_generator_file = str(tmp_path / "generator.safetensors")
    chosen.device = "cpu"
    return chosen


def test_proposed_views_are_opened(tmp_path, script):
    ready, told = tmp_path / "ready", tmp_path / "told.txt"
    (ready / "candidates").mkdir(parents=True)
    view_set.write(view_set.ViewSet(ready, "car", 4, 64, [view_set.View(0, guess_deg=90.0)]))
    pixels.write_png(ready / "candidates" / "000.png", strip([(9, 9, 9)]))
    script(PROPOSER.format(ready=str(ready), told=str(told)))
    settings(tmp_path).views_count = 7
    assert bpy.ops.unrender.propose_views() == {"FINISHED"}
    assert views.current.views.folder == tmp_path / "views" and views.current.chosen == 3
    assert told.read_text().split() == [
        "views", "--data", str(tmp_path / "generator.safetensors"), "--out", str(tmp_path / "views"), "--device", "cpu",
        "proposals.views=7", "--progress", "json",
    ]  # fmt: skip


def test_a_set_that_is_there_is_never_replaced(tmp_path, script):
    script("raise SystemExit('never started')")
    settings(tmp_path)
    (tmp_path / "views").mkdir()
    (tmp_path / "views" / "views.json").write_text("a person's work")
    with pytest.raises(RuntimeError, match="A view set lies in .* already"):
        bpy.ops.unrender.propose_views()
    assert (tmp_path / "views" / "views.json").read_text() == "a person's work"


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("import sys; sys.exit('train.py: None of 4 views is consistent.')", "^None of 4 views is consistent.$"),
        ("import os; os.abort()", "stopped unexpectedly .code .*; its log is .*training.log"),
        ("", "is no view set"),
    ],
)
def test_a_run_that_fails_is_one_sentence(tmp_path, script, program, sentence):
    script(program)
    settings(tmp_path)
    with pytest.raises(RuntimeError):
        bpy.ops.unrender.propose_views()
    assert not session.status.running
    assert re.search(sentence, session.status.error)


def test_progress_is_that_of_the_last_line_of_json(tmp_path, script):
    ready = tmp_path / "empty"
    ready.mkdir()
    script(PROPOSER.format(ready=str(ready), told=str(tmp_path / "told.txt")))
    stages = []
    run = training.TrainingRun(["--out", str(tmp_path / "out")], "Starting")
    job.run_blocking((lambda: (yield run))(), lambda progress: stages.append((progress.stage, progress.fraction)))
    assert stages[0] == ("Starting", 0.0) and stages[-1] == ("Looking at views", 0.25)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.parametrize("listens", [True, False])
def test_cancel_ends_the_run_within_about_a_second(tmp_path, script, listens):
    ignore = "" if listens else "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    script(f"{ignore}import time\nopen({str(tmp_path / 'begun')!r}, 'w').close()\ntime.sleep(60)")
    run = training.TrainingRun([], "Starting")
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    began = time.monotonic()
    run.cancel()
    while not run.done:
        run.cancel()
        run.poll()
        time.sleep(0.01)
    assert time.monotonic() - began < training.CANCEL_SECONDS + 2
    with pytest.raises(client.WorkerCancelled):
        run.outcome()
    with pytest.raises(ProcessLookupError):
        os.kill(run._process.pid, 0)


def test_the_products_command_understands_the_button(tmp_path):
    settings(tmp_path).views_count = 3
    with pytest.raises(RuntimeError):
        bpy.ops.unrender.propose_views()
    assert "generator.safetensors" in session.status.error, "it got as far as looking for the generator"


def test_the_button_says_what_is_missing_and_is_drawn(tmp_path):
    assert not bpy.ops.unrender.propose_views.poll()
    chosen = settings(tmp_path)
    assert bpy.ops.unrender.propose_views.poll()
    assert any(entry[:2] == ("operator", "unrender.propose_views") for entry in drawn(train_panels.UNRENDER_PT_views))
    session.status.running = True
    assert any(entry[0] == "progress" for entry in drawn(train_panels.UNRENDER_PT_views))
    session.status.running = False
    chosen.views_generator_file = ""
    assert not bpy.ops.unrender.propose_views.poll()
