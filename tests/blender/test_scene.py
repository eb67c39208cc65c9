# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays become a Blender scene that renders like the photo. Blender's own renderer is the judge."""

from __future__ import annotations

import math

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from mathutils import Vector

from addon import handles, light, pixels, preview, scene
from backend.common import records
from backend.common.harmonics import COSINE_LOBE, spherical_harmonics
from backend.common.pinhole import camera_to_world
from tests.helpers import toy

pytestmark = pytest.mark.usefixtures("emptied_file")


def project(vertices, camera, width, height):
    """Returns pixel positions (V, 2), from the written conventions alone: y down, the origin at the shifted centre."""
    azimuth, elevation = camera.azimuth, camera.elevation
    position = camera.distance * np.array(
        [math.sin(azimuth) * math.cos(elevation), -math.cos(azimuth) * math.cos(elevation), math.sin(elevation)]
    )
    forward = -position / np.linalg.norm(position)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    relative = vertices - position
    x, y, depth = relative @ right, relative @ up, relative @ forward
    # A camera that is tilted counter-clockwise shows the world turned clockwise.
    cosine, sine = math.cos(camera.roll), math.sin(camera.roll)
    x, y = cosine * x + sine * y, cosine * y - sine * x
    focal = 0.5 * height / math.tan(0.5 * camera.field_of_view)
    longer = max(width, height)
    return np.stack(
        [
            width / 2 + camera.shift_x * longer + focal * x / depth,
            height / 2 - camera.shift_y * longer - focal * y / depth,
        ],
        axis=1,
    )


def silhouette(vertices, faces, camera, width, height):
    """Returns the mask (H, W) of all projected quads: a pixel is inside if its centre is."""
    points = project(vertices, camera, width, height)
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    mask = np.zeros((height, width), bool)
    for face in faces:
        for triangle in (face[[0, 1, 2]], face[[0, 2, 3]]):
            a, b, c = points[triangle]
            edges = [
                (q[0] - p[0]) * (rows - p[1]) - (q[1] - p[1]) * (columns - p[0]) for p, q in ((a, b), (b, c), (c, a))
            ]
            mask |= np.all([edge >= 0 for edge in edges], axis=0) | np.all([edge <= 0 for edge in edges], axis=0)
    return mask


def render(camera, width, height, samples=16):
    target = bpy.context.scene
    with preview.render_settings(target):
        target.cycles.samples = samples
        return preview.render(target, camera, width, height)


CAMERAS = {
    "front": (records.Camera(0.0, 0.0, 3.0), 160, 120),
    "left side": (records.Camera(math.pi / 2, 0.2, 2.5), 160, 120),
    "shifted right and up": (records.Camera(0.8, 0.25, 4.0, shift_x=0.21, shift_y=0.11), 160, 120),
    "shifted in a tall picture": (records.Camera(3.5, 0.3, 4.0, 0.0, 0.8, shift_x=-0.13, shift_y=-0.2), 100, 170),
    "tilted": (records.Camera(-0.6, 0.2, 2.6, roll=0.4, field_of_view=0.5), 150, 150),
    "tilted, shifted, wide": (records.Camera(2.2, 0.5, 1.6, -0.3, 1.2, 0.08, -0.05), 190, 90),
}


@pytest.mark.parametrize("name", CAMERAS)
def test_the_imported_camera_sees_the_object_where_the_conventions_say(name):
    camera, width, height = CAMERAS[name]
    result = toy.reconstruction("box", width, height, camera)
    built = scene.build(bpy.context.scene, result)
    alpha = render(built.camera, width, height)[..., 3]
    expected = silhouette(result.vertices.astype(float), result.quads, camera, width, height)
    found = alpha > 0.5
    assert expected.any()
    assert np.count_nonzero(found & expected) / np.count_nonzero(found | expected) > 0.98


def test_front_and_left_are_where_the_conventions_say():
    result = toy.reconstruction("box", 96, 96, records.Camera(0.0, 0.0, 3.0))
    built = scene.build(bpy.context.scene, result)
    middle = slice(44, 53), slice(44, 53), slice(3)  # one pixel of few samples is off by a few bytes
    front = render(built.camera, 96, 96)[middle].mean(axis=(0, 1)) * 255
    np.testing.assert_allclose(front, toy.SIDE_COLOURS[2], atol=2)  # the side towards -Y
    built.object.unrender.azimuth = math.pi / 2
    left = render(built.camera, 96, 96)[middle].mean(axis=(0, 1)) * 255
    np.testing.assert_allclose(left, toy.SIDE_COLOURS[1], atol=2)  # the side towards +X


def test_the_mesh_is_made_of_quads_with_uvs_in_metres_on_the_ground():
    result = toy.reconstruction("Käfer 1303")
    result.offsets[:] = np.random.default_rng(0).normal(size=result.offsets.shape)
    built = scene.build(bpy.context.scene, result, real_size=4.2)
    mesh = built.object.data
    assert {len(polygon.vertices) for polygon in mesh.polygons} == {4}
    assert [layer.name for layer in mesh.uv_layers] == ["UVMap"]
    assert all(polygon.use_smooth for polygon in mesh.polygons)
    assert built.collection.name == "Käfer 1303" and set(built.collection.objects) == {built.object, built.camera}
    bpy.context.view_layer.update()
    corners = np.array([built.object.matrix_world @ vertex.co for vertex in mesh.vertices])
    assert corners[:, 2].min() == pytest.approx(0, abs=1e-5)
    assert np.ptp(corners, axis=0).max() == pytest.approx(4.2, rel=1e-5)
    assert built.texture.packed_file is not None
    offsets = np.empty(result.offsets.size, np.float32)
    mesh.attributes["unrender_offset"].data.foreach_get("vector", offsets)
    np.testing.assert_allclose(offsets.reshape(-1, 3), result.offsets)


def test_the_texture_is_the_array():
    rng = np.random.default_rng(1)
    result = toy.reconstruction()
    result.texture = rng.integers(0, 256, (32, 32, 3), np.uint8)
    built = scene.build(bpy.context.scene, result)
    np.testing.assert_array_equal(pixels.to_bytes(pixels.read(built.texture)[..., :3]), result.texture)


@pytest.mark.parametrize("seed", range(3))
def test_a_white_sphere_under_the_world_shows_the_irradiance(seed):
    rng = np.random.default_rng(seed)
    coefficients = rng.normal(size=(9, 3)) * np.array([0.0] + [0.35] * 3 + [0.12] * 5)[:, None]
    coefficients[0] = rng.uniform(1.4, 2.2, 3)
    target = bpy.context.scene
    target.world = scene.new_world("light", coefficients)
    target.render.film_transparent = True
    scene.plain_colours(target)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=64, ring_count=32)
    sphere = bpy.context.active_object
    bpy.ops.object.shade_smooth()
    white = pixels.new_image("white", np.full((4, 4, 3), 255, np.uint8))
    sphere.data.materials.append(scene.new_material("white", white))
    target.view_settings.exposure = -1.0  # keeps the bright side from clipping
    size = 64
    for azimuth, elevation in ((0.3, 0.2), (2.5, -0.7)):
        pose = records.Camera(azimuth, elevation, 40.0, field_of_view=0.06)
        result = toy.reconstruction("sphere", size, size, pose)
        camera = scene.new_camera(result, None, 1.0)
        target.collection.objects.link(camera)
        scene.place_camera(camera, sphere, pose, 1.0)
        with preview.render_settings(target):
            target.cycles.samples = 64
            seen = preview.render(target, camera, size, size)
        linear = np.where(seen <= 0.04045, seen / 12.92, ((seen + 0.055) / 1.055) ** 2.4)[..., :3] * 2
        focal = 0.5 * size / math.tan(0.5 * pose.field_of_view)
        x, y = np.meshgrid(np.arange(size) + 0.5 - size / 2, size / 2 - np.arange(size) - 0.5)
        x, y = x * 40.0 / focal, y * 40.0 / focal
        inside = np.hypot(x, y) < 0.9
        backward = np.sqrt(np.maximum(1 - x * x - y * y, 0))
        normals = np.stack([x, y, backward], axis=-1) @ camera_to_world(pose)[:3, :3].T
        expected = np.maximum(spherical_harmonics(normals) @ coefficients, 0)
        difference = np.abs(linear - expected)[inside]
        assert np.median(difference) < 0.03, "the light comes from elsewhere"
        assert np.mean(difference) < 0.04


def test_a_panorama_keeps_the_coefficients_of_a_light_that_needs_no_correction():
    coefficients = np.zeros((9, 3))
    coefficients[0], coefficients[1], coefficients[6] = 3.0, 0.4, 0.1
    sky = light.panorama(coefficients)
    directions = light.panorama_directions()
    angle = np.sqrt(1 - directions[..., 2:] ** 2) * (np.pi / light.PANORAMA_HEIGHT) ** 2
    basis = spherical_harmonics(directions)
    projected = np.einsum("hwk,hwc->kc", basis * angle, sky.astype(float)) * np.array(COSINE_LOBE)[:, None]
    np.testing.assert_allclose(projected, coefficients, atol=0.03)


def test_the_render_lies_over_the_photo():
    """A picture of the scene, taken as the photo, comes back when the scene made from it is rendered."""
    camera = records.Camera(0.9, 0.35, 2.8, shift_x=0.06)
    result = toy.reconstruction("box", 150, 100, camera)
    photo = np.zeros((100, 150, 3), np.uint8)
    built = scene.build(bpy.context.scene, result, photo)
    background = built.camera.data.background_images[0].image
    assert tuple(background.size) == (150, 100) and background.packed_file is not None
    target = bpy.context.scene
    assert (target.render.resolution_x, target.render.resolution_y) == (150, 100)
    assert target.camera is built.camera and target.view_settings.view_transform == "Standard"
    made = preview.make(target, built, result, photo)
    result.mask = (silhouette(result.vertices.astype(float), result.quads, camera, 150, 100) * 255).astype(np.uint8)
    assert preview.silhouette_iou(made.overlay, result.mask) > 0.97
    assert (target.render.resolution_x, target.render.resolution_y) == (150, 100)
    assert target.camera is built.camera


def test_codes_survive_saving_and_the_sliders_start_from_them(tmp_path, monkeypatch):
    result = toy.reconstruction("box")
    result.bundle = "car"
    scene.build(bpy.context.scene, result, photo_path="photo.jpg")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    owner = bpy.data.objects["box"]
    np.testing.assert_array_equal(np.array(owner["unrender_shape_code"], np.float32), result.shape_code)
    np.testing.assert_array_equal(np.array(owner["unrender_texture_code"], np.float32), result.texture_code)
    state = owner.unrender
    assert state.is_unrender and state.bundle == "car" and state.photo_path == "photo.jpg"
    assert state.camera == bpy.data.objects["box camera"]
    np.testing.assert_array_equal(pixels.to_bytes(pixels.read(handles.texture_of(owner))[..., :3]), result.texture)

    before = state.camera.location.copy()
    state.zoom = 2.0
    centre = owner.location + Vector((0, 0, owner["unrender_centre_height"]))
    assert (state.camera.location - centre).length == pytest.approx((before - centre).length / 2, rel=1e-5)
    state.zoom = 1.0
    assert (state.camera.location - before).length < 1e-4


def test_sliders_move_vertices_along_their_directions_with_the_offsets():
    result = toy.reconstruction("box")
    result.offsets[:, 0] = 0.01
    result.vertices += result.offsets
    owner = scene.build(bpy.context.scene, result, real_size=2.0).object
    owner.unrender.shape = (1.5, 0.5, 0, 0, 0, 0)
    moved = result.vertices + 1.5 * result.shape_directions[0] + 0.5 * result.shape_directions[1]
    on_the_ground = (moved - [0, 0, moved[:, 2].min()]) * 2
    np.testing.assert_allclose([vertex.co for vertex in owner.data.vertices], on_the_ground, atol=1e-5)
    owner.unrender.shape = (0.0,) * 6
    found = (result.vertices - [0, 0, result.vertices[:, 2].min()]) * 2
    np.testing.assert_allclose([vertex.co for vertex in owner.data.vertices], found, atol=1e-6)


def test_pixels_are_resized_by_averaging_and_interpolating():
    rng = np.random.default_rng(2)
    image = rng.random((8, 12, 3), np.float32)
    np.testing.assert_allclose(pixels.resized(image, 4, 6), image.reshape(4, 2, 6, 2, 3).mean(axis=(1, 3)), atol=1e-5)
    ramp = np.tile(np.arange(8, dtype=np.float32)[:, None, None], (1, 3, 1))
    grown = pixels.resized(ramp, 16, 3)[:, 0, 0]
    np.testing.assert_allclose(grown[1:-1], (np.arange(16)[1:-1] + 0.5) / 2 - 0.5, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 3), (3, 5, 4)])
def test_a_png_holds_the_array(tmp_path, shape):
    from PIL import Image

    array = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    pixels.write_png(tmp_path / "array.png", array)
    with Image.open(tmp_path / "array.png") as image:
        np.testing.assert_array_equal(np.asarray(image), array)
