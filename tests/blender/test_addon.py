# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on inside the bpy package, with a toy worker at the other end of the wire: operators, sliders, batch."""

from __future__ import annotations

import json
import os
import stat
import sys
import tomllib

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import batch, batch_inputs, environment, handles, masks, pixels, scene, session
from addon.operators import image_to_3d
from addon.ui import handle_panels, menus
from addon.wire import client
from tests.helpers import toy


@pytest.fixture(autouse=True)
def toy_worker(root, tmp_path, monkeypatch):
    """An empty file, the add-on registered, and a toy worker in place of the product's."""
    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    command = client.WorkerCommand([sys.executable, "-m", "tests.helpers.toy_worker"], root, tmp_path / "worker.log")
    monkeypatch.setattr(environment, "worker_command", lambda chosen="": command)
    yield
    addon.unregister()


@pytest.fixture
def photo(tmp_path):
    """Returns a function that writes a picture file of a given name, which tells the toy worker what to do."""

    def write(name="car.png", width=60, height=40):
        path = tmp_path / "photos" / name
        path.parent.mkdir(exist_ok=True)
        pixels.write_png(path, np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))
        return path

    return write


def settings():
    return bpy.context.scene.unrender


def left_behind():
    """What of ours Blender still knows: classes, properties, handlers, entries of menus, timers."""
    classes = [name for name in dir(bpy.types) if name.upper().startswith("UNRENDER")]
    properties = [owner.__name__ for owner in (bpy.types.Scene, bpy.types.Object) if hasattr(owner, "unrender")]
    lists = [(name, getattr(bpy.app.handlers, name)) for name in dir(bpy.app.handlers)]
    functions = [one for _, entries in lists if isinstance(entries, list) for one in entries]
    functions += [one for menu, _ in menus.ENTRIES for one in getattr(bpy.types, menu)._dyn_ui_initialize()]
    ours = [one.__qualname__ for one in functions if getattr(one, "__module__", "").startswith("addon")]
    return classes + properties + ours


def test_unregistering_leaves_nothing_behind_twenty_times_in_a_row():
    assert len(left_behind()) > 50, "the check sees what is registered"
    before = left_behind()
    for _ in range(20):
        addon.unregister()
        assert left_behind() == []
        addon.register()
    assert left_behind() == before, "and nothing has come twice"


def test_image_to_3d_builds_the_scene(photo):
    settings().image_path = str(photo("Käfer 1303.png"))
    settings().real_size = 4.1
    assert bpy.ops.unrender.image_to_3d() == {"FINISHED"}
    made = bpy.context.view_layer.objects.active
    assert made.name == "Käfer 1303" and made.unrender.is_unrender
    assert max(made.dimensions) == pytest.approx(4.1, rel=1e-4)
    background = made.unrender.camera.data.background_images[0].image
    assert tuple(background.size) == (60, 40)
    assert not session.status.running and session.status.error == ""


def test_a_dropped_file_becomes_the_scenes_picture(photo):
    path = photo()
    assert bpy.ops.unrender.image_to_3d(filepath=str(path)) == {"FINISHED"}
    assert settings().image_path == str(path)


def test_without_a_picture_the_button_says_so():
    with pytest.raises(RuntimeError, match="Choose a picture first"):
        bpy.ops.unrender.image_to_3d()
    assert not bpy.ops.unrender.cut_out.poll()


@pytest.mark.parametrize("name", ["broken.png", "crash.png", "bug.png"])
def test_a_failure_is_shown_and_the_next_click_works(photo, name):
    settings().image_path = str(photo(name))
    with pytest.raises(RuntimeError):
        bpy.ops.unrender.image_to_3d()
    assert session.status.error and "\n" not in session.status.error
    assert not session.status.running
    settings().image_path = str(photo("car.png"))
    assert bpy.ops.unrender.image_to_3d() == {"FINISHED"}
    assert session.status.error == ""


def test_without_an_environment_the_error_says_what_to_do(photo, monkeypatch):
    def none(chosen=""):
        raise environment.NoEnvironment("Create one in the preferences.")

    monkeypatch.setattr(environment, "find", none)
    settings().image_path = str(photo())
    with pytest.raises(RuntimeError, match="Create one"):
        bpy.ops.unrender.image_to_3d()
    assert bpy.ops.unrender.check_environment.poll(), "what could mend it is not greyed out"


def test_the_mask_can_be_seen_changed_and_used(photo):
    settings().image_path = str(photo(width=60, height=40))
    assert bpy.ops.unrender.cut_out() == {"FINISHED"}
    mask = settings().mask_image
    assert tuple(mask.size) == (60, 40)
    array = pixels.read(mask)[..., 0]
    assert array[20, 30] == 1 and array[0, 0] == 0
    request = image_to_3d.request_of(settings(), masks.photo_of(settings()))
    from PIL import Image

    with Image.open(request.mask_path) as written:
        np.testing.assert_array_equal(np.asarray(written), pixels.to_bytes(array))
    array = np.zeros((4, 4, 4), np.uint8)
    array[1] = 255
    array[1, 2, 3] = 0  # white, but transparent
    image = pixels.new_image("other", array)
    with Image.open(masks.write(image)) as written:
        np.testing.assert_array_equal(np.asarray(written)[1], [255, 255, 0, 255])


def test_settings_become_the_request():
    settings().refinement = "NONE"
    settings().texture_size = "1024"
    settings().device = "cpu"
    request = image_to_3d.request_of(settings(), "photo.png")
    assert (request.refine_steps, request.texture_size, request.device, request.bundle) == (0, 1024, "cpu", "car")
    assert request.mask_path == "" and request.image_path == "photo.png"


@pytest.fixture
def made(photo):
    """An object that was made from a photo."""
    settings().image_path = str(photo())
    bpy.ops.unrender.image_to_3d()
    return bpy.context.view_layer.objects.active


def test_sliders_change_shape_and_texture_and_reset_brings_them_back(made):
    def height():
        return np.ptp([vertex.co.z for vertex in made.data.vertices])

    tall, texture = height(), pixels.read(handles.texture_of(made)).copy()
    made.unrender.shape = (2.0, 0, 0, 0, 0, 0)
    assert height() == pytest.approx(tall * 1.4, rel=1e-4)
    assert made.unrender.base_texture is not None, "what a slider needs to go back is there from the import on"
    made.unrender.texture = (1.0, 0, 0, 0, 0, 0)
    assert pixels.read(handles.texture_of(made)).mean() > texture.mean() + 0.03
    made.unrender.azimuth = 2.0
    assert bpy.ops.unrender.reset_handles() == {"FINISHED"}
    assert height() == pytest.approx(tall, rel=1e-5)
    np.testing.assert_array_equal(pixels.read(handles.texture_of(made)), texture)
    assert made.unrender.azimuth == pytest.approx(0.7)


def test_sliders_work_after_saving_and_reopening(made, tmp_path):
    name = made.name
    made.unrender.texture = (1.0, 0, 0, 0, 0, 0)
    changed = pixels.read(handles.texture_of(made)).copy()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    again = bpy.data.objects[name]
    np.testing.assert_array_equal(pixels.read(handles.texture_of(again)), changed)
    before = np.ptp([vertex.co.z for vertex in again.data.vertices])
    again.unrender.shape = (1.0, 0, 0, 0, 0, 0)
    assert np.ptp([vertex.co.z for vertex in again.data.vertices]) == pytest.approx(before * 1.2, rel=1e-4)
    again.unrender.texture = (0.0,) * 6
    expected = toy.texture()
    np.testing.assert_array_equal(pixels.to_bytes(pixels.read(handles.texture_of(again))[..., :3]), expected)


def test_a_mesh_that_was_cut_up_is_left_alone_with_a_sentence(made):
    made.data.vertices.add(1)
    made.unrender.shape = (1.0, 0, 0, 0, 0, 0)
    assert "other vertices" in session.status.error


def test_the_camera_goes_around_an_object_that_was_moved(made):
    made.location = (10, 0, 0)
    made.rotation_euler.z = 1.5707963
    made.unrender.elevation = 0.0
    made.unrender.azimuth = 0.0
    camera = made.unrender.camera
    # The object's front, towards -Y, is turned towards +X.
    assert camera.location.x - 10 == pytest.approx(3.0 * made.unrender.real_size, rel=1e-4)
    assert camera.location.y == pytest.approx(0, abs=1e-3)


def test_handles_show_for_the_object_and_for_its_camera(made):
    assert handle_panels.UNRENDER_PT_handles.poll(bpy.context)
    bpy.context.view_layer.objects.active = made.unrender.camera
    assert handle_panels.UNRENDER_PT_handles.poll(bpy.context)
    bpy.ops.object.camera_add()
    assert not handle_panels.UNRENDER_PT_handles.poll(bpy.context)
    assert not bpy.ops.unrender.reset_handles.poll()


def test_check_says_what_the_backend_runs_with():
    assert bpy.ops.unrender.check_environment() == {"FINISHED"}
    assert "Python 3" in session.status.check and "devices: cpu" in session.status.check


def test_the_interpreter_is_found_in_the_order_of_what_was_said(tmp_path, monkeypatch):
    def venv(name):
        path = environment.interpreter_in(tmp_path / name)
        path.parent.mkdir(parents=True)
        path.write_text("")
        return path

    chosen, variable, own, checkout = (venv(name) for name in ("chosen", "variable", "env", ".venv"))
    monkeypatch.setattr(environment.places, "user_folder", lambda: tmp_path)
    monkeypatch.setattr(environment.places, "ROOT", tmp_path)
    monkeypatch.delenv(environment.INTERPRETER_VARIABLE, raising=False)
    assert environment.find().path == checkout  # the own environment is there, but was never finished
    (tmp_path / "env" / environment.FINISHED_MARK).write_text("")
    assert environment.find().path == own
    monkeypatch.setenv(environment.INTERPRETER_VARIABLE, str(variable))
    assert environment.find().path == variable
    assert environment.find(str(tmp_path / "chosen")).path == chosen
    with pytest.raises(environment.NoEnvironment, match="is not there"):
        environment.find(str(tmp_path / "missing"))


def test_the_requirements_are_those_of_the_project(root):
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    assert sorted(environment.REQUIREMENTS) == sorted(project["dependencies"])


def test_a_batch_writes_every_file_and_goes_on_after_a_failure(photo, tmp_path, capfd):
    photo("Käfer 1.png")
    photo("broken.png")
    photo("crash.png")
    out = tmp_path / "out"
    code = batch.run(
        [str(tmp_path / "photos"), str(tmp_path / "missing.jpg"), "--out", str(out), "--formats", "blend,glb,obj"]
    )
    assert code == 1
    report = json.loads((out / "report.json").read_text("utf-8"))
    records = {os.path.basename(record["input"]): record for record in report["photos"]}
    assert set(records) == {"Käfer 1.png", "broken.png", "crash.png", "missing.jpg"}
    assert records["broken.png"]["error"] == "broken is not a picture."
    assert "stopped unexpectedly" in records["crash.png"]["error"]
    assert records["missing.jpg"]["error"]
    good = records["Käfer 1.png"]
    assert good["error"] is None and good["camera"]["elevation_deg"] == pytest.approx(17.188733)
    folder = out / "Käfer 1"
    files = {path.name for path in folder.iterdir()}
    assert files == {
        "scene.blend",
        "Käfer 1.glb",
        "Käfer 1.obj",
        "Käfer 1.mtl",
        "texture.png",
        "preview.png",
        "camera.json",
    }
    assert all(os.path.isfile(path) for path in good["outputs"].values())
    assert [path for path in out.iterdir() if path.name.startswith(".")] == []
    assert "map_Kd texture.png" in (folder / "Käfer 1.mtl").read_text()
    captured = capfd.readouterr()
    assert len([line for line in captured.err.splitlines() if "broken is not a picture" in line]) == 1
    assert "[1/4]" in captured.out

    bpy.ops.wm.open_mainfile(filepath=str(folder / "scene.blend"))
    assert bpy.data.objects["Käfer 1"].unrender.is_unrender
    assert all(image.packed_file is not None for image in bpy.data.images if image.users)
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=str(folder / "Käfer 1.glb"))
    (imported,) = [entry for entry in bpy.data.objects if entry.type == "MESH"]
    assert max(imported.dimensions) == pytest.approx(4.5, rel=1e-3)
    assert len(bpy.data.images) == 1


def test_a_batch_refuses_what_cannot_work(photo, tmp_path, capsys):
    path = str(photo())
    (tmp_path / "empty").mkdir()
    assert batch.run([str(tmp_path / "empty"), "--out", str(tmp_path / "out")]) == 2
    assert "no picture" in capsys.readouterr().err
    assert batch.run([path, "--out", str(tmp_path / "out"), "--formats", "blend,stl"]) == 2
    assert "unknown format stl" in capsys.readouterr().err
    assert batch.run([path, "--out", str(tmp_path / "out"), "--texture-size", "3"]) == 2
    blocked = tmp_path / "a file"
    blocked.write_text("")
    assert batch.run([path, "--out", str(blocked)]) == 2
    assert "cannot be written to" in capsys.readouterr().err
    assert batch.run(["--help"]) == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_output_folder_is_one_sentence(photo, tmp_path, capsys):
    out = tmp_path / "locked"
    out.mkdir()
    out.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert batch.run([str(photo()), "--out", str(out)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_photos_of_one_name_get_folders_of_their_own(tmp_path):
    from pathlib import Path

    names = batch_inputs.folder_names([Path("a/car.jpg"), Path("b/car.png"), Path("c/Car.webp"), Path(".jpg")])
    assert names[:3] == ["car", "car-b", "Car-c"]
    assert len(set(names)) == 4


def test_files_that_are_there_already_are_replaced(made, tmp_path):
    from addon import export

    folder = tmp_path / "car"
    (folder / "texture.png").mkdir(parents=True)
    (folder / "notes.txt").write_text("keep me")
    built = scene.Built(None, made, made.unrender.camera, bpy.context.scene.world, handles.texture_of(made))
    written = export.write_folder(
        folder, bpy.context.scene, built, toy.reconstruction("car"), np.zeros((4, 4, 3), np.uint8), ["glb"]
    )
    assert set(written) == {"texture", "preview", "camera", "glb"}
    assert (folder / "texture.png").is_file() and (folder / "notes.txt").read_text() == "keep me"
