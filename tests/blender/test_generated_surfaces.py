# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a generator of shapes in Blender: material, background, ground; its picture is the network's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import generated, handle_tools, named_handles, parts, pixels, preview, scene, session
from backend.common.bundle_files import FOLDERS_VARIABLE
from backend.common.records import GenerateRequest
from backend.models.scene_pictures import CRISP, picture_of, shown
from backend.pipeline.generate_surface import code_of, codes_of, generate_surface
from backend.weights.shape_generator_bundle import load_shape_generator_bundle
from tests.helpers.parts_samples import write_parts_bundle
from tests.helpers.shape_samples import write_shape_bundle, write_shape_run
from tests.helpers.shapes_here import shapes_here


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle of each kind and one of both."""
    folder = tmp_path_factory.mktemp("user")
    run = write_shape_run(folder / "runs" / "blobs")
    write_shape_bundle(folder / "blobs", run)
    write_shape_bundle(write_parts_bundle(folder / "both"), run)
    return folder


@pytest.fixture
def asked(monkeypatch, user):
    """An empty file with the add-on, the user's bundles and a backend in this process; the requests that it got."""
    monkeypatch.setenv(FOLDERS_VARIABLE, str(user))
    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    bpy.context.scene.unrender.new_bundle = "blobs"
    yield shapes_here(monkeypatch)
    addon.unregister()


def made():
    """Returns the objects that were made, by name."""
    return sorted((one for one in bpy.data.objects if one.unrender.is_unrender), key=lambda one: one.name)


def test_objects_come_with_material_on_the_ground_at_the_bundles_size(asked):
    bpy.context.scene.cursor.location = (1.0, 2.0, 0.5)
    assert bpy.ops.unrender.generate(seed=3, count=3) == {"FINISHED"}
    objects = made()
    assert [one.name for one in objects] == ["blob-000003", "blob-000004", "blob-000005"]
    assert [request.bundle for request in asked] == ["blobs"] * 3
    bpy.context.view_layer.update()
    boxes = []
    for one in objects:
        corners = np.array([one.matrix_world @ vertex.co for vertex in one.data.vertices])
        boxes.append((corners.min(axis=0), corners.max(axis=0)))
        assert boxes[-1][0][2] == pytest.approx(0.5, abs=1e-4)
        assert np.ptp(corners, axis=0).max() == pytest.approx(2.0, abs=1e-4)
        assert not one.data.validate() and all(polygon.use_smooth for polygon in one.data.polygons)
        image = one.active_material.node_tree.nodes["Image Texture"]
        assert image.image.packed_file is not None and image.extension == "EXTEND"
    for left, right in zip(boxes, boxes[1:], strict=False):
        assert 0.2 < right[0][0] - left[1][0] < 2.0


def test_its_background_is_kept_with_it_and_shown_by_its_camera_alone(asked, user):
    world = bpy.data.worlds.new("mine")
    bpy.context.scene.world = world
    before = bpy.context.scene.camera, len(bpy.data.worlds), bpy.context.scene.render.resolution_x
    assert bpy.ops.unrender.generate(seed=3) == {"FINISHED"}
    (one,) = made()
    image = generated.background_of(one)
    (shown_image,) = one.unrender.camera.data.background_images
    assert shown_image.image == image and image.packed_file is not None and list(image.size) == [64, 64]
    assert (shown_image.scale, shown_image.frame_method) == (2.0, "CROP")
    expected = generate_surface(asked[0], load_shape_generator_bundle(user / "blobs")).background
    np.testing.assert_array_equal(pixels.to_bytes(pixels.read(image)[..., :3]), expected)
    assert bpy.context.scene.world == world
    assert before == (bpy.context.scene.camera, len(bpy.data.worlds), bpy.context.scene.render.resolution_x)
    bpy.data.objects.remove(one.unrender.camera)
    assert generated.background_of(one).users > 0


def test_blenders_render_is_the_networks_picture(asked, user):
    """Through the object's camera, before the middle of its background; white light, so that the texture is seen."""
    request = GenerateRequest(3, bundle="blobs")
    weights = load_shape_generator_bundle(user / "blobs")
    built = scene.build(bpy.context.scene, generate_surface(request, weights))
    side = 96
    with preview.render_settings(bpy.context.scene):
        bpy.context.scene.cycles.max_bounces = 0
        ours = preview.render(bpy.context.scene, built.camera, side, side)
    network = weights.generator
    looked = (
        network.mesh,
        network.scene(*codes_of(code_of(request, network), network)),
        weights.viewpoints.at([0.0]),
        side,
        CRISP,
    )
    theirs = ((shown(*looked)[0] + 1) / 2).clamp(0, 1).permute(1, 2, 0).numpy()
    coverage = picture_of(*looked).coverage[0].numpy()
    # Blender's filter goes over a pixel and a half at the outline.
    assert np.abs(ours[..., 3] - coverage).mean() < 0.01
    assert ours[..., 3].mean() == pytest.approx(coverage.mean(), rel=0.01)
    inside = (coverage > 0.999) & (ours[..., 3] > 0.999)
    assert inside.mean() > 0.1
    difference = np.abs(ours[..., :3] - theirs)[inside]
    assert theirs[inside].std(axis=0).max() > 0.05 and difference.mean() < 0.01


def test_shape_says_which_of_a_bundles_weights_make_it(asked):
    settings = bpy.context.scene.unrender
    settings.new_bundle, settings.texture_size = "both", "256"
    for shape, has_parts in (("parts", True), ("surface", False)):
        settings.shape = shape
        assert bpy.ops.unrender.generate(seed=1) == {"FINISHED"}
        assert parts.has_parts(bpy.context.view_layer.objects.active) == has_parts


def test_the_weights_of_the_options_are_used_where_none_are_chosen(asked):
    settings = bpy.context.scene.unrender
    settings.new_bundle = "DEFAULT"
    settings.texture_size = "256"
    assert bpy.ops.unrender.generate(seed=1) == {"FINISHED"}
    assert asked[-1].bundle == "car" and made()[0].name == "car-000001"


def test_undo_takes_it_back_and_redo_brings_it_with_its_background(asked):
    bpy.ops.ed.undo_push(message="empty")
    bpy.ops.unrender.generate(seed=1)
    bpy.ops.ed.undo_push(message="generated")
    bpy.ops.ed.undo()
    assert not made()
    bpy.ops.ed.redo()
    assert generated.background_of(made()[0]) is not None


def test_weights_that_are_gone_are_one_sentence(asked):
    bpy.context.scene.unrender["new_bundle"] = 12345
    with pytest.raises(RuntimeError, match="are not installed"):
        bpy.ops.unrender.generate(seed=1)
    assert "are not installed" in session.status.error and not made()


def test_what_moves_sliders_says_that_it_has_none(asked):
    assert bpy.ops.unrender.generate(seed=1) == {"FINISHED"}
    (one,) = made()
    assert [handle.name for handle in named_handles.of_object(one)] == ["azimuth_deg", "elevation_deg", "zoom"]
    with pytest.raises(ValueError, match="has no sliders: generate another one"):
        handle_tools.randomise(one, 1)
    places = [tuple(vertex.co) for vertex in one.data.vertices]
    assert bpy.ops.unrender.reset_handles() == {"FINISHED"} and session.status.error == ""
    assert [tuple(vertex.co) for vertex in one.data.vertices] == places


def test_handles_that_it_has_not_are_not_shown(asked, user):
    shown_of = {}
    for bundle in ("blobs", "both"):
        bpy.context.scene.unrender.new_bundle = bundle
        assert bpy.ops.unrender.generate(seed=1) == {"FINISHED"}
        panels = [getattr(bpy.types, f"UNRENDER_PT_{name}") for name in ("shape", "colours", "tools")]
        shown_of[bundle] = [panel.poll(bpy.context) for panel in panels]
    assert shown_of == {"blobs": [False] * 3, "both": [True] * 3}
    bpy.context.scene.unrender.new_bundle = "blobs"
    assert bpy.ops.unrender.interpolate(seed=1, to_seed=2) == {"FINISHED"}
    assert bpy.types.UNRENDER_PT_shape.poll(bpy.context)
