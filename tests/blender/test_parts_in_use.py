# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An object with parts where it is used: in files of every format, under the mouse, and with the materials chosen."""

from __future__ import annotations

import sys
import typing
import zipfile

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import batch, choices, environment, export, scene
from addon.handles import active_object
from addon.ui import handle_panels
from addon.wire import client
from tests.blender.test_parts import WHEELS, build, canonical, principled, world
from tests.helpers import toy, toy_worker
from tests.helpers.exported import open_file

FORMATS = ("blend", "glb", "obj", "usd", "fbx")


pytestmark = pytest.mark.usefixtures("emptied_file")


def meshes():
    """Returns the objects with a mesh by their names, in which USD has no blanks."""
    return {one.name.replace("_", " "): one for one in bpy.data.objects if one.type == "MESH"}


def check_places(found, result):
    """Main object and wheels are all there, and nothing else, each in the box where it ought to be."""
    assert set(found) == {"toy car", *WHEELS.values()}
    for name, title in {**WHEELS, "body": "toy car"}.items():
        expected = canonical(result, name)
        if title == "toy car":
            expected = np.concatenate([expected, canonical(result, "cabin")])
        places = world(found[title])
        np.testing.assert_allclose(places.min(axis=0), expected.min(axis=0), atol=2e-5, err_msg=title)
        np.testing.assert_allclose(places.max(axis=0), expected.max(axis=0), atol=2e-5, err_msg=title)


@pytest.mark.parametrize("materials", ["maps", "parts"])
@pytest.mark.parametrize("direction", [(1.0, 0.0, 0.0), (0.9, 0.3, -0.2)])
def test_every_format_keeps_the_parts_and_their_places(tmp_path, materials, direction):
    result = toy.parts_reconstruction(axle_direction=direction)
    build(toy.reconstruction("another"))  # stands beside it and is nobody's business
    built = build(result, materials=materials)
    bpy.data.objects["another"].select_set(True)
    picture = np.zeros((4, 4, 3), np.uint8)
    written = export.write_folder(tmp_path / "car", bpy.context.scene, built, result, picture, FORMATS)
    regions = {f"toy car {region.replace('_', ' ')}" for region in toy.REGIONS}
    for kind in FORMATS:
        open_file(written[kind])
        found = meshes()
        if kind == "blend":
            del found["another"]
        check_places(found, result)
        main = found["toy car"]
        assert all(one.data.uv_layers for one in found.values())
        if kind != "obj":  # which knows no children
            tree = {one: one.parent for one in found.values() if one != main}
            assert all(parent == main or parent == main.parent for parent in tree.values()), kind
        used = {material.name.replace("_", " ") for one in found.values() for material in one.data.materials}
        assert used == ({"toy car"} if materials == "maps" else regions), kind


def test_a_glb_has_children_that_turn_maps_and_regions(tmp_path):
    for materials in ("maps", "parts"):
        bpy.ops.wm.read_homefile(use_empty=True)
        result = toy.parts_reconstruction(axle_direction=(0.9, 0.3, -0.2))
        built = build(result, materials=materials)
        picture = np.zeros((4, 4, 3), np.uint8)
        written = export.write_folder(tmp_path / materials, bpy.context.scene, built, result, picture, ["glb"])
        open_file(written["glb"])
        found = meshes()
        assert all(one.parent == found["toy car"] for title, one in found.items() if title in WHEELS.values())
        if materials == "maps":
            shader = principled(bpy.data.materials["toy car"])
            for socket in ("Base Color", "Roughness", "Metallic"):
                assert shader.inputs[socket].is_linked, socket
        else:
            assert principled(bpy.data.materials["toy car glass"]).inputs["Transmission Weight"].default_value > 0.4
            assert principled(bpy.data.materials["toy car rim"]).inputs["Metallic"].default_value == 1


def test_textures_travel_with_obj_and_usd(tmp_path):
    result = toy.parts_reconstruction()
    built = build(result)
    folder = tmp_path / "car"
    export.write_folder(folder, bpy.context.scene, built, result, np.zeros((4, 4, 3), np.uint8), ["obj", "usd"])
    named = [line.split(maxsplit=1)[1] for line in (folder / "toy car.mtl").read_text().splitlines() if "map_" in line]
    assert sorted(named) == ["metallic.png", "roughness.png", "texture.png"]
    assert all((folder / name).is_file() for name in named)
    packed = zipfile.ZipFile(folder / "toy car.usdz").namelist()
    for name in ("texture", "roughness and metallic"):
        assert any(name in entry for entry in packed), name


def test_a_selected_wheel_stands_for_its_object():
    built = build(toy.parts_reconstruction())
    chosen = bpy.context.view_layer.objects
    for one in (built.object, *built.turning, built.camera):
        chosen.active = one
        assert active_object(bpy.context) == built.object
        assert handle_panels.UNRENDER_PT_handles.poll(bpy.context) and bpy.ops.unrender.reset_handles.poll()
    own = bpy.data.objects.new("own", None)
    built.collection.objects.link(own)
    own.parent = built.object
    chosen.active = own
    assert active_object(bpy.context) is None, "a child that is no wheel is the user's own"
    wheel = built.turning[0]
    wheel.parent = None
    chosen.active = wheel
    assert active_object(bpy.context) is None


@pytest.fixture
def photo(root, tmp_path, monkeypatch):
    """A picture, and a worker that makes a car with parts of it."""
    command = client.WorkerCommand(
        [sys.executable, "-m", "tests.helpers.toy_worker", toy_worker.WITH_PARTS], root, tmp_path / "worker.log"
    )
    monkeypatch.setattr(environment, "worker_command", lambda chosen="": command)
    path = tmp_path / "car.png"
    export.pixels.write_png(path, np.zeros((40, 60, 3), np.uint8))
    return path


def materials_of(name):
    return [material.name for material in bpy.data.objects[name].data.materials]


def test_the_choice_of_materials_reaches_the_scene(photo):
    settings = bpy.context.scene.unrender
    assert settings.materials == "maps"
    settings.image_path = str(photo)
    assert bpy.ops.unrender.image_to_3d() == {"FINISHED"}
    assert materials_of("car") == ["car"]
    settings.materials = "parts"
    assert bpy.ops.unrender.image_to_3d() == {"FINISHED"}
    assert "car glass" in materials_of(bpy.context.view_layer.objects.active.name)


def test_the_command_takes_the_choice_of_materials(photo, tmp_path, capsys):
    for materials, expected in ((None, ["car"]), ("parts", ["car paint", "car glass", "car head lamp"])):
        out = tmp_path / f"out {materials}"
        chosen = ["--materials", materials] if materials else []
        assert batch.run([str(photo), "--out", str(out), "--formats", "blend", *chosen]) == 0
        addon.unregister()  # the command registers by itself and takes that back
        addon.register()
        bpy.ops.wm.open_mainfile(filepath=str(out / "car" / "scene.blend"))
        assert materials_of("car") == expected
    assert batch.run([str(photo), "--out", str(tmp_path / "out"), "--materials", "gold"]) == 2
    assert "--materials" in capsys.readouterr().err


def test_an_object_without_parts_has_its_texture_whatever_is_chosen():
    assert [name for name, _, _ in choices.MATERIALS] == list(typing.get_args(scene.Materials))
    built = build(toy.reconstruction("box"), materials="parts")
    (material,) = built.object.data.materials
    assert principled(material).inputs["Base Color"].links[0].from_node.image == built.texture
