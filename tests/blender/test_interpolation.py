# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interpolate: one object whose shape key goes from one seed's to another's, materials and all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import environment, export, interpolation, looks, parts, pixels, preview, scene, session, shape_keys
from backend.common import records
from backend.common.bundle_files import FOLDERS_VARIABLE
from backend.pipeline.generate_surface import generate_surface
from backend.weights.shape_generator_bundle import load_shape_generator_bundle
from tests.blender.test_proportions import everywhere
from tests.helpers.parts_samples import write_parts_bundle
from tests.helpers.shape_samples import write_shape_bundle, write_shape_run
from tests.helpers.shapes_here import shapes_here


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    write_shape_bundle(folder / "blobs", write_shape_run(folder / "runs" / "blobs"))
    write_parts_bundle(folder / "cars")
    return folder


@pytest.fixture
def asked(monkeypatch, user):
    monkeypatch.setenv(FOLDERS_VARIABLE, str(user))
    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    bpy.context.scene.unrender.new_bundle = "blobs"
    yield shapes_here(monkeypatch)
    addon.unregister()


def of_seed(user: Path, seed: int) -> records.Reconstruction:
    return generate_surface(records.GenerateRequest(seed, bundle="blobs"), load_shape_generator_bundle(user / "blobs"))


def evaluated(owner) -> np.ndarray:
    """Returns the vertices (V, 3) that an object shows, in its own frame."""
    bpy.context.view_layer.update()
    mesh = owner.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    return np.array([vertex.co for vertex in mesh.vertices])


def standing(result: records.Reconstruction, size: float) -> np.ndarray:
    return result.vertices * size - [0, 0, result.vertices[:, 2].min() * size]


def factor_of(owner) -> float:
    """Returns how much of the second look an object's material shows, by its driver."""
    bpy.context.view_layer.update()
    material = owner.active_material.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return material.node_tree.nodes[interpolation.MIX].inputs[0].default_value


def looks_like(owner, side: int = 64) -> np.ndarray:
    """Returns a small render of an object in white light, (h, w, 4), without any worker."""
    world = bpy.data.worlds.new("white")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs[0].default_value = (1, 1, 1, 1)
    bpy.context.scene.world = world
    scene.plain_colours(bpy.context.scene)
    with preview.render_settings(bpy.context.scene):
        return preview.render_from(bpy.context.scene, owner, records.Camera(0.3, 0.2, 3.0, 0.0, 0.6), side, side)


def test_one_slider_goes_from_the_first_shape_to_the_second(asked, user):
    assert bpy.ops.unrender.interpolate(seed=1, to_seed=2) == {"FINISHED"}
    (owner,) = [one for one in bpy.data.objects if one.type == "MESH"]
    assert owner.name == "blob-000001-000002" and [request.seed for request in asked] == [1, 2]
    key = interpolation.key_of(owner)
    ends = [standing(of_seed(user, seed), 2.0) for seed in (1, 2)]
    for value, expected in ((0.0, ends[0]), (1.0, ends[1]), (0.25, 0.75 * ends[0] + 0.25 * ends[1])):
        key.value = value
        np.testing.assert_allclose(evaluated(owner), expected, atol=1e-4)
        assert factor_of(owner) == pytest.approx(value)


def test_the_look_goes_along_and_renders_without_the_worker(asked, monkeypatch):
    for seed in (1, 2):
        assert bpy.ops.unrender.generate(seed=seed) == {"FINISHED"}
    alone = []
    for name in ("blob-000001", "blob-000002"):
        for other in bpy.data.objects:
            other.hide_render = other.name != name
        alone.append(looks_like(bpy.data.objects[name]))
    assert bpy.ops.unrender.interpolate(seed=1, to_seed=2) == {"FINISHED"}
    owner = bpy.context.view_layer.objects.active
    for other in bpy.data.objects:
        other.hide_render = other != owner
    monkeypatch.setattr(session, "request", None)
    key = interpolation.key_of(owner)
    key.keyframe_insert("value", frame=1)
    key.value = 1.0
    key.keyframe_insert("value", frame=11)
    for frame, expected in ((1, alone[0]), (11, alone[1])):
        bpy.context.scene.frame_set(frame)
        found = looks_like(owner)
        solid = (expected[..., 3] > 0.99) & (found[..., 3] > 0.99)
        # The camera looks at the middle of the first object's height, so that the second may stand a little otherwise.
        assert abs(found[..., 3].mean() - expected[..., 3].mean()) < 0.02
        np.testing.assert_allclose(found[solid][:, :3].mean(axis=0), expected[solid][:, :3].mean(axis=0), atol=0.03)
    assert np.abs(alone[0][..., :3].mean(axis=(0, 1)) - alone[1][..., :3].mean(axis=(0, 1))).max() > 0.03


def test_nothing_of_the_second_object_stays_but_its_texture(asked):
    before = {kind: len(getattr(bpy.data, kind)) for kind in ("objects", "meshes", "cameras", "collections", "worlds")}
    assert bpy.ops.unrender.interpolate(seed=1, to_seed=2) == {"FINISHED"}
    for kind, more in (("objects", 2), ("meshes", 1), ("cameras", 1), ("collections", 1), ("worlds", 0)):
        assert len(getattr(bpy.data, kind)) == before[kind] + more, kind
    assert len(bpy.data.materials) == 1
    assert sorted(image.name for image in bpy.data.images) == [
        "blob-000001-000002 background", "blob-000001-000002 texture", "blob-000001-000002 texture as found",
        "blob-000002 texture",
    ]  # fmt: skip
    assert all(image.users and image.packed_file is not None for image in bpy.data.images)


def test_undo_takes_it_back_and_redo_brings_it_with_its_driver(asked):
    bpy.ops.ed.undo_push(message="empty")
    bpy.ops.unrender.interpolate(seed=1, to_seed=2)
    bpy.ops.ed.undo_push(message="interpolated")
    bpy.ops.ed.undo()
    assert not [one for one in bpy.data.objects if one.type == "MESH"]
    bpy.ops.ed.redo()
    owner = bpy.data.objects["blob-000001-000002"]
    interpolation.key_of(owner).value = 0.5
    assert factor_of(owner) == pytest.approx(0.5)


def test_a_duplicate_has_a_slider_and_a_look_of_its_own(asked):
    for bundle in ("blobs", "cars"):
        bpy.context.scene.unrender.new_bundle = bundle
        bpy.ops.unrender.interpolate(seed=1, to_seed=2)
        owner = bpy.context.view_layer.objects.active
        assert bpy.ops.object.duplicate() == {"FINISHED"}
        copy = bpy.context.view_layer.objects.active
        bpy.context.view_layer.update()
        interpolation.key_of(copy).value = 1.0
        assert (factor_of(owner), factor_of(copy)) == (0.0, 1.0)
        assert copy.active_material != owner.active_material
    assert bpy.ops.object.duplicate(linked=True) == {"FINISHED"}
    linked = bpy.context.view_layer.objects.active
    bpy.context.view_layer.update()
    assert linked.data == copy.data and linked.active_material == copy.active_material


def test_a_file_keeps_it_and_needs_no_addon_to_show_it(asked, tmp_path):
    bpy.ops.unrender.interpolate(seed=1, to_seed=2)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "kept.blend"))
    addon.unregister()
    try:
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "kept.blend"))
        owner = bpy.data.objects["blob-000001-000002"]
        owner.data.shape_keys.key_blocks["blob-000002"].value = 0.75
        assert factor_of(owner) == pytest.approx(0.75)
    finally:
        addon.register()


def test_a_glb_has_the_first_look_and_the_second_shape_as_a_target(asked, tmp_path):
    bpy.ops.unrender.interpolate(seed=1, to_seed=2)
    owner = bpy.context.view_layer.objects.active
    texture = pixels.read(looks.principled(owner.active_material).inputs["Base Color"].links[0].from_node.image)
    built = scene.Built(owner.users_collection[0], owner, owner.unrender.camera, None, None)
    export.FORMATS["glb"](tmp_path, built, "blend")
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "blend.glb"))
    (mesh,) = [one for one in bpy.data.objects if one.type == "MESH"]
    assert [key.name for key in mesh.data.shape_keys.key_blocks][1:] == ["blob-000002"]
    colour = looks.principled(mesh.active_material).inputs["Base Color"]
    assert np.abs(pixels.read(colour.links[0].from_node.image) - texture).max() < 0.02


def test_cars_with_parts_go_over_with_their_wheels_and_maps(asked):
    settings = bpy.context.scene.unrender
    settings.new_bundle, settings.texture_size = "cars", "256"
    for seed in (1, 2):
        assert bpy.ops.unrender.generate(seed=seed) == {"FINISHED"}
    ends = []
    for name in ("car-000001", "car-000002"):
        bpy.context.view_layer.update()
        ends.append(everywhere(bpy.data.objects[name]) - np.array(bpy.data.objects[name].location))
    assert bpy.ops.unrender.interpolate(seed=1, to_seed=2) == {"FINISHED"}
    owner = bpy.context.view_layer.objects.active
    assert owner.name == "car-000001-000002" and len(parts.turning(owner)) == 4
    assert shape_keys.kept(owner)[0] == interpolation.key_of(owner)
    for value, expected in ((0.0, ends[0]), (1.0, ends[1])):
        interpolation.key_of(owner).value = value
        bpy.context.view_layer.update()
        graph = bpy.context.evaluated_depsgraph_get()
        shown = [one.evaluated_get(graph) for one in (owner, *parts.turning(owner))]
        places = np.concatenate([[one.matrix_world @ vertex.co for vertex in one.data.vertices] for one in shown])
        places = places - np.array(owner.location)
        np.testing.assert_allclose(np.sort(places, axis=0), np.sort(expected, axis=0), atol=2e-3)
        assert factor_of(owner) == pytest.approx(value)
    principled = [n for n in owner.active_material.node_tree.nodes if n.bl_idname == "ShaderNodeBsdfPrincipled"]
    assert len(principled) == 2 and all(node.inputs["Roughness"].is_linked for node in principled)


def test_plain_materials_of_parts_are_blended_region_by_region(asked):
    settings = bpy.context.scene.unrender
    settings.new_bundle, settings.materials = "cars", "parts"
    assert bpy.ops.unrender.interpolate(seed=1, to_seed=2) == {"FINISHED"}
    owner = bpy.context.view_layer.objects.active
    paint = next(slot.material for slot in owner.material_slots if slot.material.name.endswith(" paint"))
    colours = [
        tuple(node.inputs["Base Color"].default_value)
        for node in paint.node_tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled"
    ]  # fmt: skip
    assert len(colours) == 2 and np.abs(np.subtract(*colours)).max() > 0.05


def test_the_same_seed_twice_is_one_sentence(asked):
    settings = bpy.context.scene.unrender
    settings.new_seed = settings.new_second_seed = 4
    with pytest.raises(RuntimeError, match="both are 4: change one"):
        bpy.ops.unrender.interpolate()
    assert not bpy.data.objects and not asked


def test_what_fails_on_the_way_leaves_nothing(asked, monkeypatch):
    answer, calls = session.request, []

    def failing(body, key=None, progress=None):
        calls.append(body)
        if len(calls) == 2:
            raise environment.NoEnvironment("The backend is out of clay.")
        return answer(body, key, progress)

    monkeypatch.setattr(session, "request", failing)
    with pytest.raises(RuntimeError, match="out of clay"):
        bpy.ops.unrender.interpolate(seed=1, to_seed=2)
    assert not bpy.data.objects
