# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An object becomes an asset on request: whole in another file, with a picture, and taken back without a trace."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon import assets, parts
from addon.ui import asset_panel
from tests.blender.test_handle_panels import drawn
from tests.blender.test_parts import build, world
from tests.helpers import toy

KINDS = {"with wheels": toy.parts_with_looks, "of one piece": lambda: toy.reconstruction("toy car")}


pytestmark = pytest.mark.usefixtures("emptied_file")


def made(kind="with wheels"):
    """Returns an object that is active, away from the origin."""
    built = build(KINDS[kind](), photo=np.zeros((64, 96, 3), np.uint8), photo_path="/photos/toy car.jpg")
    built.object.location = (3.0, -2.0, 0.5)
    bpy.context.view_layer.objects.active = built.object
    bpy.context.view_layer.update()
    return built


def scene_now():
    """What a user sees of the scene and the file: anything else than the asset would be a change unasked."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    return {
        "objects": sorted((one.name, tuple(one.matrix_world.col[3]), one.select_get()) for one in layer.objects),
        "children": sorted(one.name for one in scene.collection.children_recursive),
        "collections": sorted(one.name for one in bpy.data.collections),
        "active": layer.objects.active.name,
        "rest": (scene.camera, scene.world, scene.render.engine, bpy.context.mode, len(bpy.data.objects)),
        "assets": sorted(one.name for one in (*bpy.data.objects, *bpy.data.collections) if one.asset_data is not None),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_button_marks_and_the_same_takes_it_back_without_a_trace(kind):
    made(kind)
    before = scene_now()
    assert before["assets"] == [] and ("operator", "unrender.mark_asset") in drawn(asset_panel.UNRENDER_PT_asset)
    assert bpy.ops.unrender.mark_asset() == {"FINISHED"}
    after = scene_now()
    assert len(after["assets"]) == 1
    assert {name: after[name] for name in after if name not in ("assets", "collections")} == {
        name: before[name] for name in before if name not in ("assets", "collections")
    }, "the scene is as it was"
    assert any("Asset Browser" in str(line) for line in drawn(asset_panel.UNRENDER_PT_asset))
    assert bpy.ops.unrender.mark_asset() == {"FINISHED"}
    assert scene_now() == before


@pytest.mark.parametrize("kind", KINDS)
def test_another_file_gets_the_whole_object_where_the_mouse_is(kind, tmp_path):
    built = made(kind)
    family = [built.object, *built.turning]
    expected = np.concatenate([world(one) for one in family]) - np.array(built.object.location)
    assets.mark(built.object)
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, assets_only=True) as (source, target):
        assert [*source.objects, *source.collections] == [
            "toy car" if kind == "of one piece" else source.collections[0]
        ]
        target.objects, target.collections = list(source.objects), list(source.collections)
    if kind == "of one piece":
        owner = target.objects[0]
        bpy.context.scene.collection.objects.link(owner)
        owner.location = (0, 0, 0)
        found = world(owner)
    else:
        (collection,) = target.collections
        instance = bpy.data.objects.new("instance", None)
        instance.instance_type, instance.instance_collection = "COLLECTION", collection
        bpy.context.scene.collection.objects.link(instance)
        assert {one.type for one in collection.objects} == {"MESH"} and len(collection.objects) == 5
        (owner,) = (one for one in collection.objects if one.unrender.is_unrender)
        assert len(parts.turning(owner)) == 4
        found = np.concatenate(list(instanced()))
    np.testing.assert_allclose(found.min(axis=0), expected.min(axis=0), atol=1e-4)
    np.testing.assert_allclose(found.max(axis=0), expected.max(axis=0), atol=1e-4)
    assert owner.active_material is not None and owner.unrender.is_unrender


def instanced():
    """Yields the vertices in the world of what an instance shows."""
    bpy.context.view_layer.update()
    for one in bpy.context.evaluated_depsgraph_get().object_instances:
        if one.object.type == "MESH":
            matrix = np.array(one.matrix_world)
            points = np.array([vertex.co for vertex in one.object.data.vertices])
            yield points @ matrix[:3, :3].T + matrix[:3, 3]


def test_the_asset_says_what_it_was_made_from_and_has_a_picture():
    built = made()
    asset = assets.mark(built.object)
    assert asset.asset_data.description == "Made from toy car.jpg"
    assert assets.TAG in {tag.name for tag in asset.asset_data.tags}
    picture = np.array(asset.preview.image_pixels_float)
    if not picture.any():
        pytest.skip("Blender makes no picture here: it has no graphics")
    assert picture.std() > 0.1


def test_a_wheel_or_the_camera_stands_for_the_object():
    built = made()
    for one in (built.turning[0], built.camera):
        bpy.context.view_layer.objects.active = one
        assert bpy.ops.unrender.mark_asset() == {"FINISHED"}
        assert assets.marked(built.object) is not None
        assert bpy.ops.unrender.mark_asset() == {"FINISHED"}
        assert assets.marked(built.object) is None


def test_copies_are_marked_one_by_one():
    built = made()
    assets.mark(built.object)
    bpy.ops.object.select_all(action="DESELECT")
    for one in (built.object, *built.turning):
        one.select_set(True)
    bpy.ops.object.duplicate()
    copy = next(one for one in bpy.context.selected_objects if one.unrender.is_unrender)
    assert copy != built.object and assets.marked(copy) is None and assets.marked(built.object) is not None
    own = assets.mark(copy)
    assert own != assets.marked(built.object)
    assets.clear(built.object)
    assert assets.marked(copy) == own


def test_what_cannot_be_marked_says_why(tmp_path):
    empty = bpy.data.objects.new("mine", None)
    bpy.context.scene.collection.objects.link(empty)
    bpy.context.view_layer.objects.active = empty
    assert not bpy.ops.unrender.mark_asset.poll()
    with pytest.raises(RuntimeError, match="Select an object made by Image to 3D"):
        bpy.ops.unrender.mark_asset()
    built = made()
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    name = built.object.name
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, target):
        target.objects = [name]
    bpy.context.scene.collection.objects.link(target.objects[0])
    bpy.context.view_layer.objects.active = target.objects[0]
    with pytest.raises(RuntimeError, match="comes from another file: mark it there"):
        bpy.ops.unrender.mark_asset()
