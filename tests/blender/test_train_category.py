# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train ▸ New Category inside the bpy package: the list says what is done, and Go On comes as far as a person."""

from __future__ import annotations

import time

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon import pixels, training_chain, training_watch
from addon.operators import views
from addon.training_chain import Form
from addon.ui import train_category_panel
from addon.wire import category_steps, run_files, view_set
from tests.blender.test_views import drawn
from tests.helpers.stub_training import registered_with
from tests.test_training_runs import finished_run

CHAIN = """
import json, pathlib, shutil, sys
from backend.common import category_steps, run_files, view_set
words = sys.argv[1:]
out = pathlib.Path(words[words.index("--out") + 1])
options = tuple(words[words.index("--masks") : words.index("--masks") + 2]) if "--masks" in words else ()
record = run_files.RunRecord(words[0], words[words.index("--data") + 1], options=options)
with run_files.recorded(out, record):
    steps = category_steps.read(out)
    for name in category_steps.TITLES:
        if name == "sides" and not all(view.is_by_person for view in view_set.read(out / "views").views):
            category_steps.write(out, category_steps.changed(steps, name, state="person", sentence="Say the sides."))
            raise run_files.Waiting("Say the sides.")
        if name == "views" and not (out / "views").exists():
            shutil.copytree({ready!r}, out / "views")
        if name == "bundle":
            shutil.copytree({bundle!r}, out / "bundle", dirs_exist_ok=True)
        steps = category_steps.changed(steps, name, state="left out" if name == "disentangle" else "done")
        category_steps.write(out, steps)
"""


@pytest.fixture(autouse=True)
def registered(root, tmp_path, monkeypatch):
    """The add-on registered, with a user folder of its own and a chain that takes no time."""
    ready = tmp_path / "ready"
    (ready / "candidates").mkdir(parents=True)
    view_set.write(view_set.ViewSet(ready, "gan", 2, 16, [view_set.View(0, 3, guess_deg=90.0), view_set.View(1, 6)]))
    for number in range(2):
        pixels.write_png(ready / "candidates" / f"{number:03d}.png", np.full((8, 8, 3), 90, np.uint8))
    finished_run(tmp_path / "bundle")
    program = CHAIN.format(ready=str(ready), bundle=str(tmp_path / "bundle"))
    with registered_with(program, root, tmp_path, monkeypatch):
        yield


def wait(state):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        training_watch.look()
        run = training_watch.category_run(bpy.context.scene)
        if run is not None and run.state == state:
            return run
        time.sleep(0.02)
    raise AssertionError(f"{run} is not {state}")


def states():
    return [step.state for step in training_watch.category_steps_of(bpy.context.scene)]


def test_clicks_lead_from_photographs_to_weights(tmp_path):
    settings = bpy.context.scene.unrender_training
    assert not bpy.ops.unrender.go_on_with_category.poll() and not bpy.ops.unrender.open_category_views.poll()
    settings.photographs, settings.masks = str(tmp_path / "photographs"), str(tmp_path / "masks")
    assert not bpy.ops.unrender.go_on_with_category.poll(), "it needs a name"
    settings.category = "garden chair"
    assert states() == ["open"] * 9 and drawn(train_category_panel.UNRENDER_PT_category)
    assert bpy.ops.unrender.go_on_with_category() == {"FINISHED"}
    run = wait("waiting")
    assert run.folder.name == "garden-chair" and run.record.data == str(tmp_path / "photographs")
    assert run.record.options == ("--masks", str(tmp_path / "masks"))
    assert states() == ["done"] * 4 + ["person"] + ["open"] * 4
    waiting = training_watch.category_steps_of(bpy.context.scene)[4]
    assert waiting.sentence == f"Say the sides: {training_chain.IN_THE_PANEL}"
    assert any("press Views" in str(line) for line in drawn(train_category_panel.UNRENDER_PT_category))
    assert not bpy.ops.unrender.use_category.poll()
    bpy.ops.unrender.open_category_views()
    assert views.current.views.folder == run.folder / "views"
    bpy.ops.unrender.accept_view()
    bpy.ops.unrender.accept_view()
    assert bpy.ops.unrender.go_on_with_category() == {"FINISHED"}
    wait("finished")
    assert states() == ["done"] * 8 + ["left out"] and not bpy.ops.unrender.go_on_with_category.poll()
    assert bpy.ops.unrender.use_category() == {"FINISHED"}
    assert bpy.context.scene.unrender.bundle == "garden-chair"
    assert drawn(train_category_panel.UNRENDER_PT_category)


def test_all_guesses_at_once_are_as_good_as_a_look_at_each_view(tmp_path):
    settings = bpy.context.scene.unrender_training
    settings.photographs, settings.category = str(tmp_path / "photographs"), "chair"
    bpy.ops.unrender.go_on_with_category()
    folder = wait("waiting").folder
    bpy.ops.unrender.open_category_views()
    assert not view_set.read(folder / "views").accepts_guesses
    bpy.ops.unrender.accept_view_guesses()
    assert view_set.read(folder / "views").accepts_guesses
    assert "front may be back" in views.notes.warning


def test_a_step_whose_process_is_gone_is_not_running(tmp_path):
    steps = category_steps.changed(category_steps.fresh(), "segmenter", state="running")
    category_steps.write(tmp_path, steps)
    assert [step.state for step in training_chain.steps_of(tmp_path, None)] == ["open"] * 9


def test_what_is_asked_for_follows_from_the_form_and_the_folder(tmp_path):
    form = Form("/photos", "chair", "tiny", cutout_model="/u2net.onnx")
    request = training_chain.next_request(tmp_path / "chair", form, category_steps.fresh())
    assert request.options == ("--cutout-model", "/u2net.onnx") and not request.resume
    (tmp_path / "chair").mkdir()
    category_steps.write(tmp_path / "chair", category_steps.fresh())
    assert training_chain.next_request(tmp_path / "chair", form, category_steps.fresh()).resume
    done = [category_steps.Step(name, "done") for name in category_steps.TITLES]
    with pytest.raises(ValueError, match="Every step is done"):
        training_chain.next_request(tmp_path / "chair", form, done)


@pytest.mark.parametrize("name", ["", "  ", "../up", "a/b", ".hidden"])
def test_a_name_that_is_no_folder_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="Give the category a name"):
        training_chain.folder_of(tmp_path, name)


def test_a_run_record_of_a_later_blender_is_found_again(tmp_path):
    folder = tmp_path / "user" / "runs" / "chair"
    folder.mkdir(parents=True)
    run_files.write(folder, run_files.RunRecord("category", "/photos", state="waiting", sentence="Say the sides."))
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.context.scene.unrender_training.category = "chair"
    training_watch.look()
    assert training_watch.category_run(bpy.context.scene).state == "waiting"
