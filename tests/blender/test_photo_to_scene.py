# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What *Image to 3D* does to the user's scene: it adds an object and changes nothing else unless asked."""

from __future__ import annotations

import sys

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import composite, compositor, environment, matching, pixels, placing, scene, session
from addon.operators import image_to_3d
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
    session.status.queue.clear()
    addon.unregister()


@pytest.fixture
def photo(tmp_path):
    """Returns a function that writes a picture file of a given name, which tells the toy worker what to do."""

    def write(name="car.png"):
        path = tmp_path / name
        pixels.write_png(path, np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
        return str(path)

    return write


def target():
    return bpy.context.scene


def settings():
    return bpy.context.scene.unrender


def make(path):
    """Makes an object of a photo; returns it."""
    before = set(bpy.data.objects)
    assert bpy.ops.unrender.image_to_3d(filepath=path) == {"FINISHED"}
    return next(one for one in set(bpy.data.objects) - before if one.unrender.is_unrender)


def ones_own_scene():
    """A world, a camera and settings of the user's own, none of them Blender's first ones."""
    world = bpy.data.worlds.new("my sky")
    target().world = world
    camera = bpy.data.objects.new("my camera", bpy.data.cameras.new("my camera"))
    target().collection.objects.link(camera)
    target().camera = camera
    render = target().render
    render.resolution_x, render.resolution_y, render.resolution_percentage, render.film_transparent = (
        321,
        123,
        50,
        False,
    )
    target().view_settings.view_transform, target().view_settings.exposure = "Filmic", 0.5
    return render


def everything():
    render, colours = target().render, target().view_settings
    return (
        target().world, target().camera, render.resolution_x, render.resolution_y, render.resolution_percentage,
        render.film_transparent, render.engine, colours.view_transform, colours.look, colours.exposure, colours.gamma,
        compositor.in_use(target()),
    )  # fmt: skip


def test_the_users_scene_is_left_alone_and_the_photos_light_is_kept_with_the_object(photo, tmp_path):
    ones_own_scene()
    before = everything()
    made = make(photo())
    assert everything() == before
    name, world = made.name, made.unrender.world.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert bpy.data.objects[name].unrender.world.name == world and "my sky" in bpy.data.worlds


@pytest.mark.parametrize("operator", ["match_photo", "composite"])
def test_the_scene_matches_the_photo_when_asked_and_goes_back_also_after_a_save(photo, tmp_path, operator):
    render = ones_own_scene()
    before = everything()
    made = make(photo())
    assert getattr(bpy.ops.unrender, operator)() == {"FINISHED"}
    assert target().camera == made.unrender.camera and target().world == made.unrender.world
    assert (render.resolution_x, render.resolution_y, render.resolution_percentage) == (60, 40, 100)
    assert render.film_transparent and target().view_settings.view_transform == "Standard"
    assert compositor.in_use(target()) == (operator == "composite")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert bpy.ops.unrender.unmatch_photo() == {"FINISHED"}
    names = [getattr(one, "name", one) for one in everything()]
    assert names == ["my sky", "my camera", *before[2:]]
    assert not bpy.ops.unrender.unmatch_photo.poll()


def test_what_was_before_the_first_of_two_matches_comes_back(photo):
    ones_own_scene()
    before = everything()
    for name in ("one.png", "two.png"):
        make(photo(name))
        bpy.ops.unrender.match_photo()
    matching.take_back(target())
    assert everything() == before


def test_a_composite_renders_the_photo_behind_the_object(photo, tmp_path):
    made = make(photo())
    assert bpy.ops.unrender.composite() == {"FINISHED"}
    assert composite.ground_below(made) in made.children[:], "pressed twice there is one ground"
    target().cycles.samples, target().cycles.device = 4, "CPU"
    target().render.filepath = str(tmp_path / "composite.png")
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(target().render.filepath)
    drawn = pixels.read(image)
    image.colorspace_settings.name = "sRGB"
    behind = pixels.read(made.unrender.camera.data.background_images[0].image)
    assert drawn.shape[:2] == (40, 60)
    far = np.s_[:4, :4]
    assert np.abs(drawn[far][..., :3] - behind[far][..., :3]).max() < 0.03, "the photo is where no object is"
    assert np.abs(drawn[18:24, 28:34, :3] - behind[18:24, 28:34, :3]).mean() > 0.1, "and the object where it is"


def test_an_object_that_no_photo_shows_is_laid_over_none():
    made = scene.build(target(), toy.reconstruction("box"), set_up_scene=False).object
    bpy.context.view_layer.objects.active = made
    with pytest.raises(RuntimeError, match="made without a photo"):
        bpy.ops.unrender.composite()
    assert not compositor.in_use(target()) and not matching.is_matched(target())


def test_a_compositor_of_the_users_own_stays_as_it_is(photo):
    make(photo())
    if hasattr(target(), "compositing_node_group"):
        target().compositing_node_group = bpy.data.node_groups.new("mine", "CompositorNodeTree")
    else:
        target().use_nodes = True
    before = everything()
    with pytest.raises(RuntimeError, match="compositor of its own"):
        bpy.ops.unrender.composite()
    assert everything() == before and not matching.is_matched(target())


def test_a_new_object_stands_at_the_cursor_or_beside_what_is_there(photo):
    target().cursor.location = (2.0, 1.0, 0.5)
    first = make(photo("one.png"))
    assert tuple(first.location) == pytest.approx((2.0, 1.0, 0.5))
    boxes = [placing._box([first, *first.children])]
    for name in ("two.png", "three.png"):
        other = make(photo(name))
        target().view_layers[0].update()
        box = placing._box([other, *other.children])
        assert other.location.y == pytest.approx(1.0) and other.location.z == pytest.approx(0.5)
        assert not any(placing._overlap(box, one) for one in boxes)
        boxes.append(box)
    camera = first.unrender.camera.matrix_world.translation - first.location
    assert (other.unrender.camera.matrix_world.translation - other.location - camera).length < 1e-4


def test_a_room_is_no_neighbour(photo):
    bpy.ops.mesh.primitive_cube_add(size=40, location=(0, 0, 19.9))
    assert tuple(make(photo()).location) == (0, 0, 0)


def test_a_finished_job_leaves_edit_mode_and_selection_alone(photo):
    bpy.ops.mesh.primitive_cube_add(location=(9, 0, 0))
    cube = bpy.context.view_layer.objects.active
    bpy.ops.object.mode_set(mode="EDIT")
    made = make(photo())
    assert bpy.context.mode == "EDIT_MESH" and bpy.context.view_layer.objects.active == cube
    assert not made.select_get() and cube.select_get()


def test_in_object_mode_the_new_object_is_selected_as_after_an_import(photo):
    bpy.ops.mesh.primitive_cube_add(location=(9, 0, 0))
    made = make(photo())
    assert bpy.context.view_layer.objects.active == made and bpy.context.selected_objects == [made]


def test_several_pictures_are_made_one_after_the_other_and_a_bad_one_says_why(photo, tmp_path):
    names = ["one.png", "broken.png", "two.png"]
    for name in names:
        photo(name)
    files = [{"name": name} for name in names]
    assert bpy.ops.unrender.add_pictures(directory=str(tmp_path), files=files) == {"FINISHED"}
    assert {"one", "two"} <= set(bpy.data.objects.keys()) and "broken" not in bpy.data.objects
    assert [(one.path.rsplit("/", 1)[-1], bool(one.error)) for one in session.status.queue] == [("broken.png", True)]
    assert bpy.ops.unrender.forget_pictures() == {"FINISHED"} and session.status.queue == []
    assert not session.status.running


def test_a_picture_that_comes_while_others_wait_is_not_forgotten(photo):
    session.status.queue.append(session.Waiting(photo("waiting.png")))
    assert bpy.ops.unrender.add_pictures(filepath=photo("new.png")) == {"FINISHED"}
    assert {"waiting", "new"} <= set(bpy.data.objects.keys()) and session.status.queue == []
    session.status.queue.append(session.Waiting(photo("later.png")))
    assert bpy.ops.unrender.image_to_3d(filepath=photo("named.png")) == {"FINISHED"}
    assert "named" in bpy.data.objects and "later" not in bpy.data.objects and len(session.status.queue) == 1


def test_one_dropped_picture_needs_no_queue(photo):
    path = photo()
    assert bpy.ops.unrender.add_pictures(filepath=path) == {"FINISHED"}
    assert settings().image_path == path and session.status.queue == [] and "car" in bpy.data.objects


def test_a_mask_is_not_used_for_another_photo_and_used_again_for_its_own(photo):
    one, other = photo("one.png"), photo("other.png")
    settings().image_path = one
    assert bpy.ops.unrender.cut_out() == {"FINISHED"}
    assert image_to_3d.request_of(settings(), one).mask_path
    settings().image_path = other
    assert not image_to_3d.request_of(settings(), other).mask_path
    settings().image_path = one
    assert image_to_3d.request_of(settings(), one).mask_path


def test_what_the_last_photo_said_goes_with_another_photo(photo):
    settings().image_path = photo("broken.png")
    with pytest.raises(RuntimeError):
        bpy.ops.unrender.image_to_3d()
    assert session.status.error
    settings().image_path = photo("car.png")
    assert session.status.error == "" and session.status.warnings == []


def test_progress_says_how_far_and_how_long_and_never_goes_back(monkeypatch):
    status = session.Status()
    clock = [100.0]
    monkeypatch.setattr(session.time, "monotonic", lambda: clock[0])
    status.begin()
    assert status.text() == "Starting: 0 %"
    clock[0] += 6
    status.proceed("Refining", 0.4)
    assert status.text() == "Refining: 40 %, 9 s left"
    status.proceed("Refining", 0.3)
    assert status.fraction == 0.4
    clock[0] += 600
    assert status.text().endswith("15 min left")


def test_the_match_works_for_objects_whose_photo_size_nobody_wrote_down():
    made = scene.build(target(), toy.reconstruction("box"), np.zeros((30, 50, 3), np.uint8), set_up_scene=False).object
    del made[scene.PHOTO_SIZE]
    matching.match(target(), made)
    assert (target().render.resolution_x, target().render.resolution_y) == (50, 30)
