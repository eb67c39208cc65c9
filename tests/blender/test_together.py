# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several photographs of one object: the scene's cameras, the command line and its report."""

from __future__ import annotations

import dataclasses
import json
import math
import sys

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import batch, environment, pixels, preview, scene
from addon.wire import client, records
from tests.blender.test_scene import silhouette
from tests.helpers import toy

REAR = records.Camera(2.6, 0.3, 3.4, 0.1, 0.5, 0.05, -0.04)


def seen_from_two_sides(width=96, height=64):
    """A toy car whose rear a second photograph shows, and the mask of that by the written conventions."""
    result = toy.parts_reconstruction(width=width, height=height)
    mask = silhouette(result.vertices, result.quads, REAR, width, height)
    result.further = [records.FurtherPhoto("rear", "rear.jpg", width, height, REAR, mask.astype(np.uint8) * 255, 0.8)]
    return result, mask


@pytest.fixture
def registered():
    """An empty file and the add-on registered."""
    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    yield
    addon.unregister()


def test_each_further_photograph_has_a_camera_that_sees_the_object_as_it_does(registered):
    result, mask = seen_from_two_sides()
    first, second = (np.full((64, 96, 3), value, np.uint8) for value in (40, 90))
    built = scene.build(bpy.context.scene, result, first, further_photos=[second])
    (camera,) = built.further_cameras
    assert camera.name == "rear camera" and camera.name in built.collection.objects
    assert bpy.context.scene.camera == built.camera != camera
    (background,) = camera.data.background_images
    np.testing.assert_array_equal(pixels.to_bytes(pixels.read(background.image)[..., :3]), second)
    with preview.render_settings(bpy.context.scene):
        seen = preview.render(bpy.context.scene, camera, 96, 64)[..., 3] > 0.5
    assert (seen & mask).sum() / (seen | mask).sum() > 0.95


def test_the_cameras_stand_where_the_photographs_were_taken_without_pictures_too(registered):
    result, _ = seen_from_two_sides()
    built = scene.build(bpy.context.scene, result)
    (camera,) = built.further_cameras
    assert not camera.data.background_images
    x, y, _ = camera.matrix_world.translation - built.object.matrix_basis.translation
    assert math.degrees(math.atan2(x, -y)) == pytest.approx(math.degrees(REAR.azimuth), abs=0.5)
    alone = scene.build(bpy.context.scene, dataclasses.replace(result, further=[]))
    assert alone.further_cameras == () and len(alone.collection.objects) == len(built.collection.objects) - 1


# ---- The command line ----


@pytest.fixture
def photos(tmp_path):
    """Three files in a folder, whose names tell the toy worker what to do."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b", "c"):
        pixels.write_png(folder / f"{name}.png", np.full((40, 60, 3), 90, np.uint8))
    return folder


@pytest.fixture
def worker(root, tmp_path, monkeypatch, registered):
    """A toy worker in place of the product's; nothing is rendered."""
    rendered = preview.Preview(np.zeros((4, 4, 3), np.uint8), np.zeros((40, 60, 4), np.float32))
    monkeypatch.setattr(preview, "make", lambda *arguments: rendered)
    command = client.WorkerCommand([sys.executable, "-m", "tests.helpers.toy_worker"], root, tmp_path / "worker.log")
    monkeypatch.setattr(environment, "worker_command", lambda chosen="": command)


def test_a_folder_becomes_one_object_and_the_report_tells_of_each_photo(worker, photos, tmp_path):
    out = tmp_path / "out"
    assert batch.run(["--together", str(photos), "--out", str(out), "--formats", "blend"]) == 0
    (record,) = json.loads((out / "report.json").read_text("utf-8"))["photos"]
    paths = [str(photos / f"{name}.png") for name in "abc"]
    assert record["input"] == paths[0] and record["inputs"] == paths
    assert [one["input"] for one in record["photos"]] == paths
    assert record["photos"][0]["camera"] == record["camera"]
    for one in record["photos"]:
        assert (one["image_width"], one["image_height"]) == (60, 40) and 0 <= one["silhouette_iou_own_mask"] <= 1
    assert record["photos"][1]["camera"]["azimuth_deg"] != record["photos"][2]["camera"]["azimuth_deg"]
    assert [path.name for path in out.iterdir() if path.is_dir()] == ["a"]
    bpy.ops.wm.open_mainfile(filepath=str(out / "a" / "scene.blend"))
    assert {"a camera", "b camera", "c camera"} <= set(bpy.data.objects.keys())
    assert bpy.context.scene.camera.name == "a camera"


def test_a_photo_alone_says_nothing_of_further_ones(worker, photos, tmp_path):
    assert batch.run([str(photos / "a.png"), "--out", str(tmp_path / "out"), "--formats", "glb"]) == 0
    (record,) = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))["photos"]
    assert "photos" not in record and "inputs" not in record


@pytest.mark.parametrize(
    "options, words",
    [
        (["--shape", "surface"], "--together makes an object with parts: leave out --shape surface."),
        (["--azimuth", "3"], "--azimuth belongs to a single photo."),
        (["--mask", "mask.png"], "--mask belongs to a single photo."),
        (["--point", "1,2"], "--point belongs to a single photo."),
    ],
)
def test_what_makes_no_sense_together_is_one_sentence(worker, photos, tmp_path, capsys, options, words):
    assert batch.run(["--together", str(photos), "--out", str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_one_photo_is_not_several(worker, photos, tmp_path, capsys):
    for given in ([photos / "a.png"], [photos / "a.png", photos / "a.png"]):
        assert batch.run(["--together", *map(str, given), "--out", str(tmp_path / "out")]) == 2
        assert "name two at least" in capsys.readouterr().err
