# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The button in the preferences, inside the bpy package, with the product's own worker at the other end of the wire."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import environment, places, session
from addon.operators import weights
from addon.ui import preferences, properties
from addon.wire import bundle_files, client

WRITER = """
import sys
from pathlib import Path
from tests.helpers.stylegan2_checkpoints import written
written(Path(sys.argv[1]), "tensorflow", sys.argv[2])
"""


@pytest.fixture(scope="module")
def checkpoint(root, tmp_path_factory):
    """A pickle of NVIDIA's TensorFlow code, written by another process, which may have torch."""
    folder = tmp_path_factory.mktemp("checkpoints")
    name = "stylegan2-cat-config-f"
    subprocess.run([sys.executable, "-c", WRITER, str(folder), name], cwd=root, check=True)
    return folder / f"{name}.pkl"


@pytest.fixture(autouse=True)
def bundles(root, tmp_path, monkeypatch):
    """An empty file, the add-on registered, a user folder of its own; returns its folder of bundles."""
    bpy.ops.wm.read_homefile(use_empty=True)
    monkeypatch.setattr(places, "user_folder", lambda: tmp_path / "user")
    addon.register()
    command = client.WorkerCommand(
        [sys.executable, "-m", "backend.worker"],
        root,
        tmp_path / "worker.log",
        {bundle_files.FOLDERS_VARIABLE: str(tmp_path / "user" / "bundles")},
    )
    monkeypatch.setattr(environment, "worker_command", lambda chosen="": command)
    yield tmp_path / "user" / "bundles"
    addon.unregister()


def test_a_checkpoint_becomes_a_bundle_of_the_user(checkpoint, bundles):
    assert bpy.ops.unrender.import_weights(filepath=str(checkpoint)) == {"FINISHED"}
    assert not session.status.running and session.status.error == ""
    assert os.listdir(bundles) == ["stylegan2-cat-config-f"]
    card = json.loads((bundles / "stylegan2-cat-config-f" / "bundle.json").read_text("utf-8"))
    assert card["generator"]["content"] == [0, 0, 16, 16] and "Nvidia" in card["generator"]["licence"]
    assert list(places.generators())[-1] == "stylegan2-cat-config-f"


def test_image_to_3d_does_not_offer_a_generator_alone(checkpoint, bundles):
    offered = places.bundles()
    bpy.ops.unrender.import_weights(
        filepath=str(checkpoint), bundle_name="mine", licence="a", picture_width=16, picture_height=12
    )
    assert (bundles / "mine" / "generator.safetensors").exists()
    assert places.bundles() == offered and "mine" in places.generators()
    assert "mine" not in [item[0] for item in properties.bundle_items(None, None)]
    assert bpy.ops.unrender.check_environment() == {"FINISHED"}
    assert "mine" not in session.status.check
    card = json.loads((bundles / "mine" / "bundle.json").read_text("utf-8"))
    assert card["generator"]["content"] == [2, 0, 12, 16] and card["generator"]["licence"] == "a"


def test_what_is_wrong_is_one_sentence_and_the_next_click_works(checkpoint, bundles, tmp_path):
    bad = tmp_path / "bad.pkl"
    bad.write_bytes(b"<html>")
    with pytest.raises(RuntimeError, match="is a web page"):
        bpy.ops.unrender.import_weights(filepath=str(bad))
    assert session.status.error == "The checkpoint bad.pkl is a web page, not a file of weights: download it again."
    assert not session.status.running and not bundles.exists()
    assert bpy.ops.unrender.import_weights(filepath=str(checkpoint)) == {"FINISHED"}
    with pytest.raises(RuntimeError, match="already: choose another name"):
        bpy.ops.unrender.import_weights(filepath=str(checkpoint))
    assert bpy.ops.unrender.import_weights(filepath=str(checkpoint), replace=True) == {"FINISHED"}
    with pytest.raises(RuntimeError, match="Choose a checkpoint"):
        bpy.ops.unrender.import_weights()
    with pytest.raises(RuntimeError, match="both width and height"):
        bpy.ops.unrender.import_weights(filepath=str(checkpoint), picture_width=16)


class Layout:
    """Takes note of what is drawn."""

    def __init__(self):
        self.drawn = []

    def __getattr__(self, name):
        def note(*arguments, **options):
            self.drawn.append((name, *arguments, *options.values()))
            return self

        return note


def test_the_preferences_have_the_button(monkeypatch):
    layout = Layout()
    monkeypatch.setattr("addon.ui.preferences.draw_environment", lambda layout, width: None)
    monkeypatch.setattr(places, "generators", dict)
    window = SimpleNamespace(region=SimpleNamespace(width=400))
    preferences.UnrenderPreferences.draw(SimpleNamespace(layout=layout, own_cut_out=False), window)
    assert any(entry[:2] == ("operator", weights.UNRENDER_OT_import_weights.bl_idname) for entry in layout.drawn)
