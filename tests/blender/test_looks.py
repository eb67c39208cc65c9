# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief, lacquer and the look *Photo* of objects with parts: in the material, in renders, in files and under edits."""

from __future__ import annotations

import sys
import zipfile

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import batch, environment, export, handles, looks, pixels, replacement, scene
from addon.wire import client, records
from backend.pipeline.atlas import Atlas
from backend.pipeline.relief import normal_map
from backend.render.template import Template
from tests.blender.test_parts import build
from tests.blender.test_scene import render
from tests.helpers import toy, toy_worker
from tests.helpers.exported import open_file, source_of

PHOTO = (30, 160, 210)


pytestmark = pytest.mark.usefixtures("emptied_file")


def built_with_looks(**options):
    return build(toy.with_looks(toy.parts_reconstruction(), PHOTO), **options)


def seen(built):
    """Returns what the object's camera sees of it: colours (P, 3) of pixels that are wholly its own, sRGB."""
    picture = render(built.camera, 96, 64)
    return picture[..., :3][picture[..., 3] > 0.999]


# ---- The material ----


def test_the_material_with_maps_has_relief_and_lacquer():
    result = toy.parts_with_looks()
    built = build(result)
    shader = looks.principled(built.object.active_material)
    for name in ("Normal", "Coat Normal"):
        bent = shader.inputs[name].links[0].from_node
        assert bent.bl_idname == "ShaderNodeNormalMap" and bent.space == "TANGENT"
        image = source_of(bent.inputs["Color"])
        assert image.colorspace_settings.name == "Non-Color" and image.packed_file is not None
        np.testing.assert_array_equal(pixels.to_bytes(pixels.read(image)[..., :3]), result.parts.normal)
    coat = shader.inputs["Coat Weight"].links[0]
    assert coat.from_socket.name == "Red"
    packed = pixels.read(source_of(shader.inputs["Coat Weight"]))
    np.testing.assert_array_equal(pixels.to_bytes(packed[..., 0]), result.parts.coat)
    np.testing.assert_array_equal(pixels.to_bytes(packed[..., 1:3]), result.parts.surface)
    assert handles.texture_of(built.object) == built.texture


def test_plain_materials_and_objects_without_these_maps_have_neither_relief_nor_slider():
    for built in (build(toy.parts_with_looks(), materials="parts", look="photo"), build()):
        assert built.object.get(looks.PHOTO) is None and looks.photo_of(built.object) is None
        for material in built.object.data.materials:
            kinds = {node.bl_idname for node in material.node_tree.nodes}
            assert not kinds & {"ShaderNodeNormalMap", "ShaderNodeMixShader"}
            assert not looks.principled(material).inputs["Coat Weight"].is_linked


TURNS = {
    "as it is": ((1, 0), (0, 1)),
    "a quarter turned": ((0, 1), (-1, 0)),
    "mirrored": ((-1, 0), (0, 1)),
    "mirrored and turned": ((0, 1), (1, 0)),
}


@pytest.mark.parametrize("name", TURNS)
def test_a_plane_with_the_normals_of_a_slope_is_lit_like_the_slope(name):
    """Whichever way the chart lies. Blender's own light on a plane that is truly tilted is the judge."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32) / 2
    uv = (corners[:, :2] @ np.array(TURNS[name]).T * 0.9 + 0.5).astype(np.float32)[None]
    template = Template(corners, np.array([[0, 1, 2, 3]]), uv, np.array([1, 0, 3, 2]))
    atlas = Atlas.of(template, 64)
    slope = np.array([0.5, 0.2])
    flat = np.flatnonzero(atlas.triangle_of_texel.reshape(-1) >= 0)
    height = np.zeros(64 * 64, np.float32)
    height[flat] = atlas.interpolate(corners, flat)[:, :2] @ slope
    normal = normal_map(template, corners, atlas, height.reshape(64, 64))
    shown = [brightness(corners, uv, normal)]
    lifted = corners.copy()
    lifted[:, 2] = corners[:, :2] @ slope
    shown += [brightness(lifted, uv, None), brightness(corners, uv, None)]
    assert shown[0] == pytest.approx(shown[1], abs=0.015)
    assert abs(shown[1] - shown[2]) > 0.08, "the slope does make a difference"


def brightness(corners, uv, normal):
    """Returns how bright the middle of a matt plane is under a sun from its +X side, seen from above."""
    bpy.ops.wm.read_homefile(use_empty=True)
    mesh = bpy.data.meshes.new("plane")
    mesh.from_pydata(corners.tolist(), [], [[0, 1, 2, 3]])
    mesh.uv_layers.new(name="UVMap").data.foreach_set("uv", uv.reshape(-1))
    material = scene.new_material("plane", pixels.new_image("grey", np.full((8, 8, 3), 180, np.uint8)))
    looks.principled(material).inputs["Roughness"].default_value = 1.0
    if normal is not None:
        looks.add_relief(material, normal)
    mesh.materials.append(material)
    sun = bpy.data.lights.new("sun", "SUN")
    sun.energy = 2.0
    camera = bpy.data.cameras.new("camera")
    camera.type, camera.ortho_scale = "ORTHO", 0.3
    objects = [bpy.data.objects.new(data.name, data) for data in (mesh, sun, camera)]
    for one in objects:
        bpy.context.scene.collection.objects.link(one)
    objects[1].rotation_euler = (0, 0.7, 0)  # down from +X
    objects[2].location.z = 3
    scene.plain_colours(bpy.context.scene)
    return float(render(objects[2], 16, 16)[..., :3].mean())


# ---- The look ----


@pytest.mark.parametrize("shown, tolerance", [(1.0, 0.004), (0.0, None)])
def test_the_photo_shows_its_own_colours_whatever_the_light(shown, tolerance):
    built = built_with_looks(look="photo" if shown else "paint")
    found = []
    for strength in (0.2, 3.0):
        world = bpy.context.scene.world
        next(n for n in world.node_tree.nodes if n.bl_idname == "ShaderNodeBackground").inputs[
            1
        ].default_value = strength
        found.append(seen(built))
    off = [np.abs(colours - np.array(PHOTO) / 255).mean() for colours in found]
    if tolerance is not None:
        assert max(off) < tolerance
    else:
        assert min(off) > 0.1 and np.abs(found[0] - found[1]).mean() > 0.1


def test_the_slider_goes_over_from_paint_to_photo_on_body_and_wheels():
    built = built_with_looks()
    assert built.object[looks.PHOTO] == 0.0
    paint = seen(built)
    without = build()
    bpy.data.objects.remove(built.object)
    assert without is not None and len(paint) > 300
    built = built_with_looks()
    shown = []
    for value in (0.0, 0.5, 1.0):
        looks.show(built.object, value)
        shown.append(np.abs(seen(built) - np.array(PHOTO) / 255).mean())
    assert shown[0] > shown[1] > shown[2] and shown[2] < 0.004


def test_the_slider_survives_saving_without_python_in_the_file(tmp_path):
    built = built_with_looks()
    looks.show(built.object, 0.75)
    path = str(tmp_path / "look.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    owner = bpy.data.objects["toy car"]
    assert owner[looks.PHOTO] == 0.75
    limits = owner.id_properties_ui(looks.PHOTO).as_dict()
    assert (limits["min"], limits["max"], limits["default"]) == (0, 1, 0) and "photo" in limits["description"]
    assert looks.photo_of(owner) is not None and looks.normals_of(owner) is not None
    mix = owner.active_material.node_tree.nodes[looks.MIX]
    for value in (0.75, 0.25):
        looks.show(owner, value)
        bpy.context.view_layer.update()
        now = owner.active_material.evaluated_get(bpy.context.evaluated_depsgraph_get())
        assert now.node_tree.nodes[looks.MIX].inputs[0].default_value == pytest.approx(value)
    (driver,) = mix.id_data.animation_data.drivers
    assert driver.driver.type == "AVERAGE" and driver.driver.is_valid


def test_another_direction_keeps_the_look_and_its_slider():
    built = built_with_looks()
    owner = built.object
    looks.show(owner, 0.6)
    replacement.rebuild(bpy.context.scene, owner, toy.with_looks(toy.parts_reconstruction(), (200, 20, 20)), "maps")
    assert owner[looks.PHOTO] == pytest.approx(0.6)
    np.testing.assert_array_equal(pixels.to_bytes(pixels.read(looks.photo_of(owner))[0, 0, :3]), (200, 20, 20))
    looks.show(owner, 1.0)
    assert np.abs(seen(built) - np.array((200, 20, 20)) / 255).mean() < 0.004
    replacement.rebuild(bpy.context.scene, owner, toy.parts_with_looks(), "parts")
    assert owner.get(looks.PHOTO) is None


# ---- Files ----


def written(folder, formats, look="paint"):
    result = toy.with_looks(toy.parts_reconstruction(), PHOTO)
    built = build(result, look=look)
    paths = export.write_folder(folder, bpy.context.scene, built, result, np.zeros((4, 4, 3), np.uint8), formats)
    shader = looks.principled(built.object.active_material)
    assert source_of(shader.inputs["Base Color"]) == built.texture, "as it was before"
    return result, paths


@pytest.mark.parametrize("look", ["paint", "photo"])
def test_a_glb_has_relief_lacquer_and_the_look(tmp_path, look):
    result, paths = written(tmp_path / "car", ["glb"], look)
    open_file(paths["glb"])
    material = next(iter(bpy.data.objects["toy car"].data.materials))
    shader = looks.principled(material)
    bent = shader.inputs["Normal"].links[0].from_node
    assert bent.bl_idname == "ShaderNodeNormalMap"
    normal = pixels.to_bytes(pixels.read(source_of(bent.inputs["Color"]))[..., :3])
    np.testing.assert_array_equal(normal, result.parts.normal)
    coat = pixels.to_bytes(pixels.read(source_of(shader.inputs["Coat Weight"]))[..., 0])
    np.testing.assert_array_equal(coat, result.parts.coat)
    colour = pixels.to_bytes(pixels.read(source_of(shader.inputs["Base Color"]))[..., :3])
    np.testing.assert_array_equal(colour, result.parts.photo if look == "photo" else result.texture)
    strength = shader.inputs["Emission Strength"].default_value
    glow = shader.inputs["Emission Color"]
    assert strength == 0 or (not glow.is_linked and max(glow.default_value[:3]) == 0), "no light of its own"


@pytest.mark.parametrize("look, colour", [("paint", "texture.png"), ("photo", "photo.png")])
def test_obj_and_usd_have_relief_and_look(tmp_path, look, colour):
    folder = tmp_path / "car"
    result, _ = written(folder, ["obj", "usd"], look)
    named = {line.split()[0]: line.split()[-1] for line in (folder / "toy car.mtl").read_text().splitlines() if line}
    assert named["map_Kd"] == colour and named["map_Bump"] == "normals.png"
    for name, expected in ((colour, result.parts.photo if look == "photo" else result.texture),
                           ("normals.png", result.parts.normal)):  # fmt: skip
        image = bpy.data.images.load(str(folder / name))
        np.testing.assert_array_equal(pixels.to_bytes(pixels.read(image)[..., :3]), expected)
    packed = zipfile.ZipFile(folder / "toy car.usdz").namelist()
    wanted = "photo look" if look == "photo" else "texture"
    assert any("normals" in name for name in packed) and any(wanted in name.replace("_", " ") for name in packed)


@pytest.fixture
def photo(root, tmp_path, monkeypatch):
    """A picture, and a worker that makes a car with parts of it."""
    command = client.WorkerCommand(
        [sys.executable, "-m", "tests.helpers.toy_worker", toy_worker.WITH_PARTS], root, tmp_path / "worker.log"
    )
    monkeypatch.setattr(environment, "worker_command", lambda chosen="": command)
    path = tmp_path / "car.png"
    pixels.write_png(path, np.zeros((40, 60, 3), np.uint8))
    return path


def test_the_command_takes_the_look(photo, tmp_path, capsys):
    for look in ("paint", "photo"):
        out = tmp_path / look
        assert batch.run([str(photo), "--out", str(out), "--formats", "blend", "--look", look]) == 0
        addon.unregister()  # the command registers by itself and takes that back
        addon.register()
        bpy.ops.wm.open_mainfile(filepath=str(out / "car" / "scene.blend"))
        owner = bpy.data.objects["car"]
        assert looks.look_of(owner) == look and owner[looks.PHOTO] == float(look == "photo")
    assert batch.run([str(photo), "--out", str(tmp_path), "--look", "photo", "--materials", "parts"]) == 2
    said = capsys.readouterr().err
    assert "--look photo needs the material with maps" in said and "Traceback" not in said


def test_a_map_of_a_file_is_what_was_given():
    noise = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    image = pixels.new_map("noise", noise)
    assert tuple(image.size) == (53, 37) and image.packed_file is not None
    np.testing.assert_array_equal(pixels.to_bytes(pixels.read(image)[..., :3]), noise)
    assert records.ObjectParts.__dataclass_fields__["photo"].default_factory().size == 0
