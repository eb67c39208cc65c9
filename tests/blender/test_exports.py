# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every exchange format brings back what the scene has: sizes in metres, parts, maps, and the cameras of the photos.

Files are judged by Blender's own importers. What a format cannot carry is left out by name: OBJ has no cameras and no
children, glTF no lens shift.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon_utils

from addon import batch_generate, export, looks, pixels, scene, textures
from addon.wire import records
from tests.blender.test_parts import world
from tests.helpers import exported, toy
from tests.helpers.exported import open_file, source_of

FORMATS = ("glb", "usd", "obj", "fbx")
WITH_CAMERAS = ("glb", "usd", "fbx")
SIZES = {"landscape": (96, 64), "portrait": (64, 96)}
PLACE, TURN = (3.0, -2.0, 0.5), 0.6


pytestmark = pytest.mark.usefixtures("emptied_file")


def varied(result):
    """Returns a result whose maps differ from texel to texel, so that none can be taken for another or for a value."""
    rng = np.random.default_rng(5)
    shape = result.texture.shape[:2]
    result.texture = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    result.parts.surface = rng.integers(0, 256, (*shape, 2), dtype=np.uint8)
    return result


def built_away(frame="landscape", **options):
    """Returns a car that stands turned beside the origin, in a scene of another picture size, with its arrays."""
    result = varied(toy.parts_with_looks(width=SIZES[frame][0], height=SIZES[frame][1]))
    bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y = 300, 200
    built = scene.build(bpy.context.scene, result, set_up_scene=False, **options)
    built.object.location, built.object.rotation_euler.z = PLACE, TURN
    scene.place_camera(built.camera, built.object, result.camera, built.object.unrender.real_size)
    return built, result


def told(built, size):
    """Returns what must come back: the vertices of each mesh in the world, and where the camera sees a few points."""
    places = {one.name: world(one) for one in (built.object, *built.turning)}
    return places, seen_by(built.camera, size)


def seen_by(camera, size, shifted=True):
    """Returns where a camera has points about the car in a picture of a size (8, 2), from -1 to 1."""
    bpy.context.view_layer.update()
    kept, frame = (camera.data.shift_x, camera.data.shift_y), bpy.context.scene.render
    frame.resolution_x, frame.resolution_y = size
    if not shifted:
        camera.data.shift_x = camera.data.shift_y = 0.0
    depsgraph = bpy.context.evaluated_depsgraph_get()
    lens = np.array(camera.calc_matrix_camera(depsgraph, x=size[0], y=size[1]))
    camera.data.shift_x, camera.data.shift_y = kept
    corners = np.array([(x, y, z, 1.0) for x in (-1, 1) for y in (-2, 2) for z in (0, 1.3)]) + (*PLACE, 0.0)
    on_film = corners @ np.linalg.inv(np.array(camera.matrix_world)).T @ lens.T
    return on_film[:, :2] / on_film[:, 3:]


def of_type(kind):
    """Returns the objects of a type by their names, in which OBJ and USD have no blanks."""
    return {one.name.replace("_", " "): one for one in bpy.data.objects if one.type == kind}


def map_of(name):
    """Returns what an input of the car's shader gets."""
    (material,) = (one for one in bpy.data.materials if one.name.replace("_", " ") == "toy car")
    return exported.map_of(material, name)


def check_places(found, places, kind):
    """Main object and wheels are all there, as large and in the same place to a tenth of a millimetre."""
    assert set(found) == set(places)
    for title, expected in places.items():
        now = world(found[title])
        np.testing.assert_allclose(now.min(axis=0), expected.min(axis=0), atol=1e-4, err_msg=title)
        np.testing.assert_allclose(now.max(axis=0), expected.max(axis=0), atol=1e-4, err_msg=title)
        assert len(found[title].data.polygons) > 0 and found[title].data.uv_layers
    if kind != "obj":
        main = found["toy car"]
        parents = {one.parent for title, one in found.items() if title != "toy car"}
        assert parents == {main} or parents == {main.parent}, "wheels are children of the car"


def check_maps(result, colour):
    """All four maps have come texel by texel."""
    np.testing.assert_array_equal(map_of("Base Color"), colour)
    np.testing.assert_array_equal(map_of("Roughness"), result.parts.surface[..., 0])
    np.testing.assert_array_equal(map_of("Metallic"), result.parts.surface[..., 1])
    np.testing.assert_array_equal(map_of("Normal"), result.parts.normal)


def links_of(material):
    return sorted(
        (one.from_node.name, one.from_socket.name, one.to_node.name, one.to_socket.name)
        for one in material.node_tree.links
    )


@pytest.mark.parametrize("frame", SIZES)
@pytest.mark.parametrize("kind", FORMATS)
def test_a_written_file_brings_back_sizes_parts_maps_and_camera(tmp_path, kind, frame):
    built, result = built_away(frame)
    places, seen = told(built, SIZES[frame])
    unshifted = seen_by(built.camera, SIZES[frame], shifted=False)
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y = 300, 200
    before, images = links_of(built.object.active_material), len(bpy.data.images)
    picture = np.zeros((4, 4, 3), np.uint8)
    written = export.write_folder(tmp_path / "car", bpy.context.scene, built, result, picture, [kind])
    assert (render.resolution_x, render.resolution_y) == (300, 200), "the scene's own size is back"
    assert links_of(built.object.active_material) == before and len(bpy.data.images) == images
    open_file(written[kind])
    check_places(of_type("MESH"), places, kind)
    check_maps(result, result.texture)
    cameras = of_type("CAMERA")
    assert set(cameras) == ({"toy car camera"} if kind in WITH_CAMERAS else set())
    for camera in cameras.values():
        expected = unshifted if kind == "glb" else seen
        np.testing.assert_allclose(seen_by(camera, SIZES[frame]), expected, atol=2e-4)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_look_photo_is_the_base_colour_of_every_format(tmp_path, kind):
    built, result = built_away(look="photo")
    picture = np.zeros((4, 4, 3), np.uint8)
    written = export.write_folder(tmp_path / "car", bpy.context.scene, built, result, picture, [kind])
    open_file(written[kind])
    check_maps(result, result.parts.photo)


@pytest.mark.parametrize("kind", FORMATS)
def test_plain_materials_bring_their_values(tmp_path, kind):
    built, result = built_away(materials="parts")
    wanted = {
        material.name: [looks.principled(material).inputs[name].default_value for name in ("Roughness", "Metallic")]
        + list(looks.principled(material).inputs["Base Color"].default_value)[:3]
        for material in built.object.data.materials
    }
    picture = np.zeros((4, 4, 3), np.uint8)
    written = export.write_folder(tmp_path / "car", bpy.context.scene, built, result, picture, [kind])
    open_file(written[kind])
    found = {one.name.replace("_", " "): looks.principled(one) for one in bpy.data.materials}
    for name, (roughness, metallic, *colour) in wanted.items():
        shader = found[name]
        assert shader.inputs["Roughness"].default_value == pytest.approx(roughness, abs=0.01), name
        assert shader.inputs["Metallic"].default_value == pytest.approx(metallic, abs=0.01), name
        np.testing.assert_allclose(list(shader.inputs["Base Color"].default_value)[:3], colour, atol=0.004)


@pytest.mark.parametrize("kind", WITH_CAMERAS)
def test_cameras_of_further_photos_come_along(tmp_path, kind):
    result = toy.parts_with_looks()
    behind = records.Camera(azimuth=3.5, elevation=0.2, distance=3.5)
    result.further = [records.FurtherPhoto("rear", "rear.jpg", 96, 64, behind, result.mask, 0.8)]
    built = scene.build(bpy.context.scene, result, set_up_scene=False)
    picture = np.zeros((4, 4, 3), np.uint8)
    written = export.write_folder(tmp_path / "car", bpy.context.scene, built, result, picture, [kind])
    wanted = {one.name for one in (built.camera, *built.further_cameras)}
    assert len(wanted) == 2
    open_file(written[kind])
    assert set(of_type("CAMERA")) == wanted


@pytest.mark.parametrize("kind", FORMATS)
def test_a_surface_without_parts_comes_back_too(tmp_path, kind):
    result = toy.reconstruction()
    built = scene.build(bpy.context.scene, result, set_up_scene=False)
    expected = world(built.object)
    picture = np.zeros((4, 4, 3), np.uint8)
    written = export.write_folder(tmp_path / "toy", bpy.context.scene, built, result, picture, [kind])
    open_file(written[kind])
    (found,) = of_type("MESH").values()
    np.testing.assert_allclose(np.ptp(world(found), axis=0), np.ptp(expected, axis=0), atol=1e-4)
    assert max(found.dimensions) == pytest.approx(result.real_size, rel=1e-4)
    (material,) = bpy.data.materials
    colour = source_of(looks.principled(material).inputs["Base Color"])
    np.testing.assert_array_equal(pixels.to_bytes(pixels.read(colour)[..., :3]), result.texture)


# ---- Blender's own File > Export, with what it is set to from the start ----


def exported_by_hand(kind, folder):
    """Exports what is selected; returns the path."""
    for module in ("io_scene_gltf2", "io_scene_fbx"):
        addon_utils.enable(module)
    path = str(folder / f"by hand.{'usdz' if kind == 'usd' else kind}")
    {
        "glb": lambda: bpy.ops.export_scene.gltf(filepath=path, use_selection=True),
        "usd": lambda: bpy.ops.wm.usd_export(filepath=path, selected_objects_only=True),
        "obj": lambda: bpy.ops.wm.obj_export(filepath=path, export_selected_objects=True),
        "fbx": lambda: bpy.ops.export_scene.fbx(
            filepath=path, use_selection=True, path_mode="COPY", embed_textures=True
        ),
    }[kind]()
    return path


def selected(built):
    for one in bpy.context.view_layer.objects:
        one.select_set(one in (built.object, *built.turning))


@pytest.mark.parametrize("painted", [False, True])
@pytest.mark.parametrize("kind", FORMATS)
def test_blenders_own_export_has_sizes_parts_colour_and_relief(tmp_path, kind, painted):
    built, result = built_away()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    if painted:  # and packed again, as Image > Pack does
        result.texture = np.full_like(result.texture, 200)
        pixels.write(built.texture, result.texture)
        built.texture.pack()
    if kind == "obj":
        bpy.ops.file.unpack_all(method="WRITE_ORIGINAL")  # an OBJ holds no pictures
    places, _ = told(built, SIZES["landscape"])
    selected(built)
    path = exported_by_hand(kind, tmp_path)
    open_file(path)
    check_places(of_type("MESH"), places, kind)
    np.testing.assert_array_equal(map_of("Base Color"), result.texture)
    np.testing.assert_array_equal(map_of("Normal"), result.parts.normal)
    if kind in ("glb", "usd"):  # the others know no channels of an image
        check_maps(result, result.texture)


@pytest.mark.parametrize("kind", FORMATS)
def test_colours_that_were_changed_are_exported_changed(tmp_path, kind):
    built, result = built_away()
    texture = built.texture
    pixels.write(texture, np.full_like(result.texture, 200))
    assert texture.is_dirty
    picture = np.zeros((4, 4, 3), np.uint8)
    written = export.write_files(
        tmp_path / "car", built, "car", {}, {"texture": np.full_like(result.texture, 200), "preview": picture}, [kind]
    )
    open_file(written[kind])
    assert np.abs(map_of("Base Color").astype(int) - 200).max() <= 1


def test_images_have_files_of_their_own_also_those_of_copies():
    built, _ = built_away()
    files = [node.image.filepath for node in built.object.active_material.node_tree.nodes if hasattr(node, "image")]
    assert len(files) == 4 and all(file.startswith("//") and file.endswith(".png") for file in files)
    files.append(textures.copied(built.texture).filepath)
    assert len(set(files)) == len(files)


def test_a_format_whose_add_on_is_missing_is_refused_by_name(tmp_path, capsys, monkeypatch):
    assert not any(export.lacks(kind) for kind in export.FORMATS)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "io_scene_fbx" else found(name, *more)
    )
    assert batch_generate.run(["--seeds", "1", "--formats", "blend,fbx", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "without the format fbx" in said and said.count("\n") == 1


# ---- What is hidden ----


def hide_by_eye(built):
    built.object.hide_set(True)


def hide_in_viewports(built):
    for one in (built.object, *built.turning, built.camera):
        one.hide_viewport = True


def make_unselectable(built):
    built.turning[0].hide_select = built.object.hide_select = True


def exclude_collection(built):
    bpy.context.view_layer.layer_collection.children[built.collection.name].exclude = True


HIDDEN = (hide_by_eye, hide_in_viewports, make_unselectable, exclude_collection)


def states_of(built):
    """Returns what hides each object, and where it is."""
    return [
        (one.name, one.hide_viewport, one.hide_select, one.hide_get(), [home.name for home in one.users_collection])
        for one in (built.object, *built.turning, built.camera)
    ]


@pytest.mark.parametrize("hide", HIDDEN)
@pytest.mark.parametrize("kind", FORMATS)
def test_an_object_that_is_hidden_in_the_window_is_written_all_the_same(tmp_path, kind, hide):
    built, result = built_away()
    places, _ = told(built, SIZES["landscape"])
    hide(built)
    bpy.context.view_layer.update()
    before, collections = states_of(built), len(bpy.data.collections)
    picture = np.zeros((4, 4, 3), np.uint8)
    written = export.write_folder(tmp_path / "car", bpy.context.scene, built, result, picture, [kind])
    assert states_of(built) == before and len(bpy.data.collections) == collections, "it is hidden as before"
    open_file(written[kind])
    check_places(of_type("MESH"), places, kind)
    assert len(of_type("CAMERA")) == (kind in WITH_CAMERAS)
