# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A template with parts arrives as a main object and wheels that turn, in every material, file and edit."""

from __future__ import annotations

import math

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon import handles, parts, pixels, scene
from backend.common import records
from backend.common.pinhole import camera_to_world
from tests.blender.test_scene import CAMERAS, project, render, silhouette
from tests.helpers import toy

SIZE = 4.5
WHEELS = {name: f"toy car {name.replace('_', ' ')}" for name in toy.WHEELS}


pytestmark = pytest.mark.usefixtures("emptied_file")


def build(result=None, **options):
    return scene.build(bpy.context.scene, result or toy.parts_reconstruction(), **options)


def world(one):
    """Returns the vertices (v, 3) of an object where they are in the world."""
    bpy.context.view_layer.update()
    local = np.empty(len(one.data.vertices) * 3, np.float32)
    one.data.vertices.foreach_get("co", local)
    matrix = np.array(one.matrix_world)
    return local.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def canonical(result, part):
    """Returns the vertices of a part in metres, above the ground."""
    raised = result.vertices.astype(float) * SIZE
    raised[:, 2] -= raised[:, 2].min()
    return raised[np.unique(result.quads[result.parts.of_quad == toy.PARTS.index(part)])]


def turned(points, place, direction, angle):
    """Rotates points (n, 3) about an axle (Rodrigues)."""
    direction = np.array(direction, float) / np.linalg.norm(direction)
    arms = points - place
    along = arms @ direction
    return (
        place
        + arms * math.cos(angle)
        + np.cross(direction, arms) * math.sin(angle)
        + direction * along[:, None] * (1 - math.cos(angle))
    )


@pytest.mark.parametrize("direction", [(1.0, 0.0, 0.0), (0.9, 0.3, -0.2)])
@pytest.mark.parametrize("wheel", WHEELS)
def test_a_wheel_turns_in_a_circle_about_its_axle_and_nothing_else_moves(wheel, direction):
    result = toy.parts_reconstruction(axle_direction=direction)
    built = build(result)
    before = {one.name: world(one) for one in (built.object, *built.turning)}
    child = bpy.data.objects[WHEELS[wheel]]
    assert child.parent == built.object and child in built.turning
    child.rotation_euler.x += math.pi / 2
    axle = toy.PARTS.index(wheel) - 2
    place = result.parts.axle_positions[axle] * SIZE - [0, 0, result.vertices[:, 2].min() * SIZE]
    for one in (built.object, *built.turning):
        expected = before[one.name]
        if one == child:
            expected = turned(expected, place, direction, math.pi / 2)
            assert np.abs(expected - before[one.name]).max() > 0.3, "it does turn"
        np.testing.assert_allclose(world(one), expected, atol=2e-6, err_msg=one.name)


@pytest.mark.parametrize("direction", [(1.0, 0.0, 0.0), (0.9, 0.3, -0.2)])
def test_everything_lies_where_the_canonical_vertices_say(direction):
    result = toy.parts_reconstruction(axle_direction=direction)
    built = build(result)
    assert [one.name for one in built.turning] == list(WHEELS.values())
    for name, title in WHEELS.items():
        np.testing.assert_allclose(world(bpy.data.objects[title]), canonical(result, name), atol=1e-6, err_msg=name)
    rest = np.concatenate([canonical(result, name) for name in ("body", "cabin")])
    np.testing.assert_allclose(world(built.object), rest, atol=1e-6)
    assert set(built.collection.objects) == {built.object, built.camera, *built.turning}


def test_the_origin_is_on_the_ground_under_the_centre():
    built = build(real_size=3.0)
    assert tuple(built.object.location) == (0, 0, 0)
    everything = np.concatenate([world(one) for one in (built.object, *built.turning)])
    assert everything[:, 2].min() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose((everything.min(axis=0) + everything.max(axis=0))[:2], 0, atol=1e-6)
    assert np.ptp(everything[:, 1]) == pytest.approx(3.0, rel=1e-5)


def test_parts_are_vertex_groups():
    result = toy.parts_reconstruction()
    built = build(result)
    assert [group.name for group in built.object.vertex_groups] == ["body", "cabin"]
    members = {"body": [], "cabin": []}
    for vertex in built.object.data.vertices:
        (group,) = vertex.groups
        assert group.weight == 1
        members[built.object.vertex_groups[group.group].name].append(vertex.co)
    for name, places in members.items():
        np.testing.assert_allclose(np.array(places), canonical(result, name), atol=1e-6)
    assert not any(wheel.vertex_groups for wheel in built.turning)


def test_every_mesh_has_uvs_offsets_and_smooth_quads():
    result = toy.parts_reconstruction()
    result.offsets[:] = np.random.default_rng(0).normal(size=result.offsets.shape)
    built = build(result)
    seen = np.zeros(len(result.quads), int)
    for one in (built.object, *built.turning):
        mesh = one.data
        assert [layer.name for layer in mesh.uv_layers] == ["UVMap"]
        assert all(polygon.use_smooth and len(polygon.vertices) == 4 for polygon in mesh.polygons)
        index, offset = np.empty(len(mesh.vertices), np.int32), np.empty(len(mesh.vertices) * 3, np.float32)
        mesh.attributes["unrender_index"].data.foreach_get("value", index)
        mesh.attributes["unrender_offset"].data.foreach_get("vector", offset)
        np.testing.assert_array_equal(offset.reshape(-1, 3), result.offsets[index])
        for polygon in mesh.polygons:
            (face,) = np.flatnonzero(np.all(result.quads == index[list(polygon.vertices)], axis=1))
            seen[face] += 1
            uv = np.array([mesh.uv_layers[0].data[corner].uv for corner in polygon.loop_indices])
            np.testing.assert_array_equal(uv, result.uv[face])
    assert np.all(seen == 1)


@pytest.mark.parametrize("name", CAMERAS)
def test_the_camera_sees_the_parts_where_the_conventions_say(name):
    camera, width, height = CAMERAS[name]
    result = toy.parts_reconstruction(width=width, height=height, camera=camera)
    built = build(result)
    found = render(built.camera, width, height)[..., 3] > 0.5
    expected = silhouette(result.vertices.astype(float), result.quads, camera, width, height)
    assert np.count_nonzero(found & expected) / np.count_nonzero(found | expected) > 0.98


def test_the_camera_follows_an_object_that_was_moved_turned_and_scaled():
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    camera = records.Camera(0.8, 0.25, 4.0, shift_x=0.1)
    result = toy.parts_reconstruction(width=160, height=120, camera=camera)
    built = build(result)
    built.object.location, built.object.rotation_euler = (5, -2, 1), (0.3, -0.2, 1.1)
    built.object.unrender.azimuth = 2.0
    expected = project(result.vertices.astype(float), records.Camera(2.0, 0.25, 4.0, shift_x=0.1), 160, 120)

    def seen():
        places = np.empty((len(result.vertices), 3))
        for one in (built.object, *built.turning):
            index = [value.value for value in one.data.attributes["unrender_index"].data]
            places[index] = world(one)
        fractions = [world_to_camera_view(bpy.context.scene, built.camera, Vector(one)) for one in places]
        return np.array([(160 * x, 120 * (1 - y)) for x, y, _ in fractions])

    np.testing.assert_allclose(seen(), expected, atol=0.01)
    built.object.scale = (2, 2, 2)
    built.object.unrender.zoom = 0.5  # twice as far from an object twice as large: the same picture
    np.testing.assert_allclose(seen(), expected, atol=0.01)


def principled(material):
    return next(node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")


def test_one_material_with_maps():
    result = toy.parts_reconstruction()
    built = build(result, materials="maps")
    (material,) = built.object.data.materials
    assert all(list(wheel.data.materials) == [material] for wheel in built.turning)
    shader = principled(material)
    assert shader.inputs["Base Color"].links[0].from_node.image == built.texture
    roughness, metallic = (shader.inputs[name].links[0] for name in ("Roughness", "Metallic"))
    assert (roughness.from_socket.name, metallic.from_socket.name) == ("Green", "Blue")
    image = roughness.from_node.inputs[0].links[0].from_node.image
    assert image.colorspace_settings.name == "Non-Color" and image.packed_file is not None
    np.testing.assert_array_equal(pixels.to_bytes(pixels.read(image)[..., 1:3]), result.parts.surface)
    assert handles.texture_of(built.object) == built.texture


def test_a_material_for_each_region():
    result = toy.parts_reconstruction()
    built = build(result, materials="parts")
    assert [one.name for one in built.object.data.materials] == [
        "toy car paint",
        "toy car glass",
        "toy car head lamp",
    ]
    for wheel in built.turning:
        assert [one.name for one in wheel.data.materials] == ["toy car rubber", "toy car rim"]
    for one in (built.object, *built.turning):
        index = np.array([value.value for value in one.data.attributes["unrender_index"].data])
        assert one.data.uv_layers
        for polygon in one.data.polygons:
            (face,) = np.flatnonzero(np.all(result.quads == index[list(polygon.vertices)], axis=1))
            region = toy.REGIONS[result.parts.region_of_quad[face]]
            assert one.data.materials[polygon.material_index].name == f"toy car {region.replace('_', ' ')}"
    rim = principled(bpy.data.materials["toy car rim"])
    assert rim.inputs["Metallic"].default_value == 1 and rim.inputs["Roughness"].default_value == pytest.approx(0.3)
    linear = ((0.8 + 0.055) / 1.055) ** 2.4
    assert rim.inputs["Base Color"].default_value[0] == pytest.approx(linear, abs=1e-3)
    assert principled(bpy.data.materials["toy car glass"]).inputs["Transmission Weight"].default_value > 0.4
    assert principled(bpy.data.materials["toy car head lamp"]).inputs["Roughness"].default_value < 0.1
    assert built.texture.use_fake_user


@pytest.mark.parametrize("materials", ["maps", "parts"])
def test_colours_are_where_they_belong(materials):
    """The paint is red, the cabin is not, and the tyres are dark, seen from the left."""
    camera = records.Camera(math.pi / 2, 0.0, 4.0, field_of_view=0.3)
    built = build(toy.parts_reconstruction(width=120, height=80, camera=camera), materials=materials)
    seen = render(built.camera, 120, 80)[..., :3]

    def at(along, up):
        x, y = project(np.array([[0.2, along, up]]), camera, 120, 80)[0]
        return seen[int(y), int(x)]

    paint, glass, tyre = at(0.0, -0.02), at(0.05, 0.13), at(0.25, -0.13)
    assert paint[0] > 2 * paint[1] and paint[0] > 0.5
    assert glass[2] > glass[0] and tyre.max() < 0.35


def test_both_choices_survive_saving_with_wheels_that_turn(tmp_path):
    result = toy.parts_reconstruction()
    build(result, materials="maps")
    path = str(tmp_path / "scene.blend")
    bpy.data.objects[WHEELS["wheel_rear_left"]].rotation_euler.x = 0.5
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    owner, wheel = bpy.data.objects["toy car"], bpy.data.objects[WHEELS["wheel_rear_left"]]
    assert parts.turning(owner) and wheel.parent == owner and len(owner.vertex_groups) == 2
    expected = canonical(result, "wheel_rear_left")
    place = result.parts.axle_positions[2] * SIZE - [0, 0, result.vertices[:, 2].min() * SIZE]
    np.testing.assert_allclose(world(wheel), turned(expected, place, (1, 0, 0), 0.5), atol=2e-6)
    maps = next(image for image in bpy.data.images if image.name.endswith("roughness and metallic"))
    np.testing.assert_array_equal(pixels.to_bytes(pixels.read(maps)[..., 1:3]), result.parts.surface)
    assert maps.colorspace_settings.name == "Non-Color"
    reshape(owner, result, widened(result.vertices))
    assert np.ptp(world(owner)[:, 0]) == pytest.approx(0.4 * 1.5 * SIZE, rel=1e-4)

    bpy.ops.wm.read_homefile(use_empty=True)
    build(result, materials="parts")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert [one.name for one in bpy.data.objects["toy car"].data.materials][1] == "toy car glass"
    assert "toy car texture" in bpy.data.images, "the photo's texture is kept, though no material has it"


def reshape(owner, result, vertices):
    """Gives an object the shape of a code that knows nothing of the refinement's offsets."""
    handles.apply_to_parts(owner, vertices - result.offsets, SIZE)


def widened(vertices):
    """Half as wide again, and a little taller: wheels change their places and their sizes."""
    return vertices * np.float32([1.5, 1.0, 1.2])


@pytest.mark.parametrize("direction", [(1.0, 0.0, 0.0), (0.9, 0.3, -0.2)])
def test_an_edit_reaches_every_part_and_takes_axles_along(direction):
    result = toy.parts_reconstruction(axle_direction=direction)
    result.offsets[:] = np.random.default_rng(0).normal(scale=0.002, size=result.offsets.shape)
    built = build(result)
    objects = [built.object, *built.turning]
    before = {one.name: (world(one), one.location.copy()) for one in objects}
    camera = np.array(built.camera.location)
    wheel = built.turning[2]
    wheel.rotation_euler.x = 0.5
    moved = widened(result.vertices)
    reshape(built.object, result, moved)
    assert wheel.rotation_euler.x == pytest.approx(0.5), "the user's turn stays"
    wheel.rotation_euler.x = 0

    lifted = moved * SIZE - [0, 0, moved[:, 2].min() * SIZE]
    for one in objects:
        index = [value.value for value in one.data.attributes["unrender_index"].data]
        np.testing.assert_allclose(world(one), lifted[index], atol=1e-5, err_msg=one.name)
    middle = result.parts.axle_positions * [1.5, 1.0, 1.2] * SIZE - [0, 0, moved[:, 2].min() * SIZE]
    np.testing.assert_allclose([list(one.location) for one in built.turning], middle, atol=1e-5)
    # The camera still looks at the canonical centre, which rose.
    rise = (result.vertices[:, 2].min() - moved[:, 2].min()) * SIZE
    np.testing.assert_allclose(built.camera.location, camera + [0, 0, rise], atol=1e-5)
    slid = np.array(built.camera.location)
    handles.move_camera(built.object)
    np.testing.assert_allclose(built.camera.location, slid, atol=1e-5)

    reshape(built.object, result, result.vertices)
    for one in objects:
        np.testing.assert_allclose(world(one), before[one.name][0], atol=1e-5)
        np.testing.assert_allclose(one.location, before[one.name][1], atol=1e-5)
    np.testing.assert_allclose(built.camera.location, camera, atol=1e-5)


def test_a_wheel_that_the_user_moved_stays_moved_and_a_lost_one_is_no_hindrance():
    result = toy.parts_reconstruction()
    built = build(result)
    moved, lost = built.turning[0], built.turning[1]
    moved.location.z += 0.1
    bpy.data.objects.remove(lost)
    place, body = np.array(moved.location), world(built.object)
    reshape(built.object, result, result.vertices)
    np.testing.assert_allclose(moved.location, place, atol=1e-6)
    np.testing.assert_allclose(world(built.object), body, atol=1e-6)
    for wheel in parts.turning(built.object):
        bpy.data.objects.remove(wheel)
    reshape(built.object, result, result.vertices)
    np.testing.assert_allclose(world(built.object), body, atol=1e-6, err_msg="without wheels it stays where it was")


@pytest.mark.parametrize("which", ["main", "wheel"])
def test_a_part_that_was_cut_up_is_left_alone_with_a_sentence(which):
    result = toy.parts_reconstruction()
    built = build(result)
    cut = built.object if which == "main" else built.turning[3]
    cut.data.vertices.add(1)
    before = world(built.object)
    with pytest.raises(ValueError, match=f"mesh of {cut.name} has other vertices.*sliders of toy car"):
        reshape(built.object, result, widened(result.vertices))
    np.testing.assert_array_equal(world(built.object), before)


def test_an_edit_of_another_template_is_refused():
    result = toy.parts_reconstruction()
    built = build(result)
    with pytest.raises(ValueError, match="other vertices"):
        handles.apply_to_parts(built.object, np.zeros((400, 3), np.float32), SIZE)


@pytest.mark.parametrize("direction", [(1.0, 0.0, 0.0), (0.9, 0.3, -0.2)])
def test_edges_are_hard_from_forty_degrees_on_and_stay_so(direction):
    result = toy.parts_reconstruction(axle_direction=direction)
    built = build(result)
    for one in built.turning:
        hard = [edge.vertices[:] for edge in one.data.edges if edge.use_edge_sharp]
        # Around both sides of a tyre, and not across its tread, whose sixteen faces are 22.5 degrees apart.
        assert len(hard) == 2 * toy.WHEEL_SIDES
        assert all((a < toy.WHEEL_SIDES) == (b < toy.WHEEL_SIDES) for a, b in hard)
        assert all(polygon.use_smooth for polygon in one.data.polygons)
        along_axle = np.array([normal.vector[0] for normal in one.data.corner_normals])
        np.testing.assert_allclose(np.abs(along_axle).round(4) % 1, 0, err_msg="a tyre's sides are flat")
    reshape(built.object, result, widened(result.vertices))
    assert sum(edge.use_edge_sharp for edge in built.turning[0].data.edges) == 2 * toy.WHEEL_SIDES
    plain = scene.build(bpy.context.scene, toy.reconstruction("box"))
    assert not any(edge.use_edge_sharp for edge in plain.object.data.edges)


def test_parts_that_share_a_vertex_are_refused():
    result = toy.parts_reconstruction()
    result.parts.of_quad[0] = 1
    with pytest.raises(ValueError, match="share a vertex"):
        build(result)


def test_a_template_without_parts_is_one_object_as_before():
    result = toy.reconstruction("box")
    built = build(result, materials="parts")
    assert built.turning == () and not built.object.children and not built.object.vertex_groups
    assert set(built.collection.objects) == {built.object, built.camera}
    height = -result.vertices[:, 2].min() * SIZE
    assert built.object.location.z == 0 and built.object[parts.CENTRE_HEIGHT] == pytest.approx(height)
    np.testing.assert_allclose(built.object.data.vertices[3].co, result.vertices[3] * SIZE + [0, 0, height], rtol=1e-6)
    assert {attribute.name for attribute in built.object.data.attributes} & {"unrender_index"} == set()
    assert not parts.has_parts(built.object)
    (material,) = built.object.data.materials
    assert principled(material).inputs["Roughness"].default_value == pytest.approx(scene.ROUGHNESS)
    expected = np.array(camera_to_world(result.camera))[:3, 3] * SIZE + [0, 0, height]
    np.testing.assert_allclose(built.camera.location, expected, rtol=1e-6)
