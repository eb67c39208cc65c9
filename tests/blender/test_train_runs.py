# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train ▸ Runs inside the bpy package: buttons start, stop, resume and use runs, which nothing in Blender loses."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon import environment, pixels, places, training_runs, training_use, training_watch
from addon.ui import train_runs_panel
from addon.wire import run_files
from tests.blender.test_views import drawn
from tests.helpers.stub_training import registered_with
from tests.test_training_runs import TRAIN, finished_run


@pytest.fixture(autouse=True)
def registered(root, tmp_path, monkeypatch):
    """The add-on registered, with a user folder of its own and a program in the place of the command train."""
    with registered_with(TRAIN, root, tmp_path, monkeypatch):
        yield


def rows():
    return [(row.name, row.state) for row in bpy.context.window_manager.unrender_runs.rows]


def wait(state):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        training_watch.look()
        if rows() and rows()[0][1] == state:
            return
        time.sleep(0.02)
    raise AssertionError(f"{rows()} is not {state}")


def begin(**changes):
    settings = bpy.context.scene.unrender_training
    settings.task, settings.data, settings.name = "parts", "-", "first"
    for name, value in changes.items():
        setattr(settings, name, value)
    return bpy.ops.unrender.start_training()


def test_a_run_is_started_stopped_and_resumed_by_buttons(tmp_path):
    assert not bpy.ops.unrender.stop_training.poll()
    bpy.context.scene.unrender_training.data = ""
    assert not bpy.ops.unrender.start_training.poll()
    assert begin(settings="loop.steps=4") == {"FINISHED"}
    wait("running")
    assert not bpy.ops.unrender.resume_training.poll() and not bpy.ops.unrender.kill_training.poll()
    record = run_files.read(tmp_path / "user" / "runs" / "first")
    assert "loop.steps=4" in record.settings
    assert bpy.ops.unrender.stop_training() == {"FINISHED"}
    wait("stopped")
    assert bpy.ops.unrender.resume_training() == {"FINISHED"}
    wait("running")
    bpy.ops.unrender.stop_training()
    wait("stopped")


def test_undo_and_another_file_lose_no_run(tmp_path):
    begin()
    wait("running")
    bpy.ops.wm.read_homefile(use_empty=True)
    assert rows() == [("first", "running")] and training_watch.chosen().name == "first"
    begin(name="second", settings="quick=yes")
    wait("finished")
    assert [name for name, _ in rows()] == ["second", "first"]
    bpy.context.window_manager.unrender_runs.index = 1
    assert training_watch.chosen().name == "first"
    bpy.ops.unrender.stop_training()


def test_a_wrong_setting_starts_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="'steps' is not of the form key=value"):
        begin(settings="steps")
    assert not (tmp_path / "user" / "runs").exists()
    assert "key=value" in training_watch.watch.error


def test_without_an_environment_it_is_one_sentence(tmp_path, monkeypatch):
    def none(chosen=""):
        raise environment.NoEnvironment("There is no environment.")

    monkeypatch.setattr(environment, "worker_command", none)
    with pytest.raises(RuntimeError, match="There is no environment"):
        begin()
    assert rows() == []


def test_the_panel_draws_every_state(tmp_path):
    assert ("operator", "unrender.start_training", "PLAY") in drawn(train_runs_panel.UNRENDER_PT_runs)
    for number, state in enumerate(training_runs.STATE_NAMES):
        if state not in ("starting", "running", "stopping"):
            record = run_files.RunRecord("parts", "-", state=state, sentence="A sentence.", began=number)
            folder = tmp_path / "user" / "runs" / state
            folder.mkdir(parents=True)
            run_files.write(folder, record)
    training_watch.look()
    for index in range(len(rows())):
        bpy.context.window_manager.unrender_runs.index = index
        assert drawn(train_runs_panel.UNRENDER_PT_runs)


def test_a_run_so_far_becomes_the_weights_of_image_to_3d(tmp_path):
    run = finished_run(tmp_path / "user" / "runs" / "chairs")
    run_files.write(run.folder, run.record)
    training_watch.choose(run.folder)
    assert bpy.ops.unrender.use_training() == {"FINISHED"}
    assert bpy.context.scene.unrender.bundle == "chairs" and "chairs" in places.bundles()
    assert training_use.weights_of(training_watch.chosen()) == run.folder


def test_pictures_of_a_run_are_images_that_are_asked_for(tmp_path):
    folder = tmp_path / "user" / "runs" / "one"
    folder.mkdir(parents=True)
    run_files.write(folder, run_files.RunRecord("stylegan2", state="finished"))
    training_watch.choose(folder)
    with pytest.raises(RuntimeError, match="no pictures yet"):
        bpy.ops.unrender.show_training(kind="samples")
    (folder / "log.jsonl").write_text("".join(json.dumps({"step": n, "loss": 1 / n}) + "\n" for n in (1, 2, 3)))
    pixels.write_png(folder / "samples_000003.png", np.full((12, 20, 3), 200, np.uint8))
    training_watch.look()
    assert not training_watch.images()
    bpy.ops.unrender.show_training(kind="samples")
    bpy.ops.unrender.show_training(kind="losses")
    bpy.ops.unrender.show_training(kind="losses")
    sizes = {image["unrender_training"]: tuple(image.size) for image in training_watch.images()}
    assert sizes == {"samples": (20, 12), "losses": (960, 640)}
    sheet = next(image for image in training_watch.images() if image["unrender_training"] == "samples")
    assert np.allclose(pixels.read(sheet)[..., :3], 200 / 255, atol=0.01)
