# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN-R's picture beside the handles: what is asked for, shown, followed and saved; a toy worker draws."""

from __future__ import annotations

import math
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon import environment, handles, neural_render, neural_texture, pixels, proportions, scene, session
from addon.ui import neural_panel
from addon.wire import client
from backend.common import bundle_files, pinhole
from backend.common.records import GenerateRequest
from backend.pipeline.generate import generate, load_generator
from tests.helpers import toy
from tests.helpers.addon_at_work import addon_with_toy_worker
from tests.helpers.parts_samples import write_parts_bundle
from tests.helpers.toy_worker import NEURAL_SIDE, SHAPE_TOO_FAR


@pytest.fixture(autouse=True)
def toy_worker(root, tmp_path, monkeypatch):
    """An empty file, the add-on registered, and a toy worker in place of the product's."""
    with addon_with_toy_worker(root, tmp_path, monkeypatch):
        yield


@pytest.fixture
def bundle(tmp_path):
    """A bundle with parts that says it has StyleGAN-R."""
    folder = write_parts_bundle(tmp_path / "small")
    (folder / bundle_files.STYLE_MAPPING).write_bytes(b"")
    return folder


@pytest.fixture
def car(bundle):
    """A car of that bundle, active in the scene."""
    result = generate(GenerateRequest(seed=3, texture_size=64, bundle=str(bundle)), *load_generator(str(bundle)))
    owner = scene.build(bpy.context.scene, result, set_up_scene=False).object
    bpy.context.view_layer.objects.active = owner
    return owner


def render():
    """Presses the button; returns the picture (R, R, 3) in bytes, and what its first row tells of the request."""
    assert bpy.ops.unrender.neural_render() == {"FINISHED"}
    return shown(bpy.context.view_layer.objects.active)


def shown(owner):
    picture = pixels.to_bytes(pixels.read(neural_render.image_of(owner))[..., :3])
    told = picture[0, :, 0].astype(float)
    return picture, {"azimuth": 2 * told[0], "elevation": told[1] - 90, "distance": told[2] / 10, "code": told[3:9]}


def names():
    """Names of all that the file holds but images."""
    kinds = ("objects", "meshes", "materials", "cameras", "worlds", "collections", "scenes", "node_groups")
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in kinds}


def test_the_button_makes_one_image_and_leaves_all_else_as_it_is(car):
    before = names(), sorted(image.name for image in bpy.data.images)
    camera = np.array(car.unrender.camera.matrix_basis)
    picture, _ = render()
    assert picture.shape == (NEURAL_SIDE, NEURAL_SIDE, 3)
    assert names() == before[0]
    assert sorted({image.name for image in bpy.data.images} - set(before[1])) == [f"{car.name} neural render"]
    np.testing.assert_array_equal(np.array(car.unrender.camera.matrix_basis), camera)
    render()
    assert len(bpy.data.images) == len(before[1]) + 1, "the second picture takes the place of the first"


def test_the_camera_is_that_of_the_sliders(car):
    car.unrender.azimuth, car.unrender.elevation, car.unrender.zoom = math.radians(64), math.radians(11), 2.0
    _, told = render()
    assert told["azimuth"] == 64 and told["elevation"] == 11
    assert told["distance"] == pytest.approx(3.4 / 2, abs=0.05)


def test_the_square_picture_sees_as_much_as_the_longer_side_of_the_photo(car):
    """The generated car's picture is 960 x 640 with a vertical field of view of 0.22."""
    camera = neural_render.camera_of(car)
    assert math.tan(camera.field_of_view / 2) == pytest.approx(1.5 * math.tan(0.11), rel=1e-4)
    car.unrender.camera.data.lens *= 2
    assert math.tan(neural_render.camera_of(car).field_of_view / 2) == pytest.approx(0.75 * math.tan(0.11), rel=1e-4)


def seen(car):
    """Returns the corners (2, 2) of the car's box in the picture that is asked for, in sides of it."""
    request = neural_render.request_of(car)
    places = pinhole.project(request.camera, proportions.shape_of(car)[0], 1.0, 1.0)
    return np.stack([places.min(axis=0), places.max(axis=0)])


def test_the_object_stands_in_the_middle_and_fills_the_picture_as_pictures_of_the_training_do(car):
    first = seen(car)
    np.testing.assert_allclose(first.mean(axis=0), 0.5, atol=1e-6)
    assert np.ptp(first, axis=0).max() == pytest.approx(neural_render.FILLED)
    car.unrender.zoom = 1.1
    assert np.ptp(seen(car), axis=0).max() == pytest.approx(1.1 * neural_render.FILLED, rel=0.03)
    car.unrender.zoom = 3.0
    assert np.ptp(seen(car), axis=0).max() == pytest.approx(neural_render.LARGEST)
    car.unrender.zoom, car.unrender.azimuth = 1.0, 0.0  # from the front a car is narrow
    narrow = seen(car)
    assert np.ptp(narrow, axis=0).max() == pytest.approx(neural_render.SMALLEST)
    np.testing.assert_allclose(narrow.mean(axis=0), 0.5, atol=1e-6)


def test_the_shape_that_is_asked_for_is_that_of_the_mesh(car, bundle):
    space = load_generator(str(bundle))[0].space
    index = np.empty(len(car.data.vertices), np.int32)
    car.data.attributes["unrender_index"].data.foreach_get("value", index)
    codes = []
    for shape, length in ((0.0, 0.5), (2.0, 0.5), (2.0, 0.9)):
        car.unrender.shape[0], car.unrender.proportions[0] = shape, length
        code = neural_render.request_of(car).shape_code
        local = np.array([vertex.co for vertex in car.data.vertices])
        expected = np.ptp(space.vertices(code)[index], axis=0)
        np.testing.assert_allclose(np.ptp(local, axis=0) / np.ptp(local[:, 1]), expected / expected[1], rtol=1e-4)
        np.testing.assert_allclose(render()[1]["code"], 100 + 10 * code, atol=0.51)
        codes.append(code)
    assert np.abs(np.diff(codes, axis=0)).max(axis=1).min() > 0.2, "each slider moved the code"


def test_texture_and_background_are_those_of_now(car):
    image = handles.texture_of(car)
    pixels.write(image, np.full((*image.size, 3), (200, 40, 20), np.uint8))
    neural_texture.forget()
    picture, _ = render()
    np.testing.assert_allclose(picture[NEURAL_SIDE // 2, NEURAL_SIDE // 2], (200, 40, 20), atol=1)
    plain = neural_render.background_of(car)[0, 0, :3]
    np.testing.assert_allclose(picture[NEURAL_SIDE // 8, NEURAL_SIDE // 2], plain, atol=1)


def test_a_texture_travels_reduced_and_is_reduced_again_only_after_it_changed(car):
    image = handles.texture_of(car)
    image.scale(512, 512)
    chequers = np.zeros((512, 512, 3), np.uint8)
    chequers[::2, ::2] = chequers[1::2, 1::2] = 255
    pixels.write(image, chequers)
    first = neural_texture.of(car)
    assert first.shape == (256, 256, 3) and abs(int(first.mean()) - 128) <= 1 and first.std() < 1
    car.unrender.azimuth += 0.1
    assert neural_texture.of(car) is first
    pixels.write(image, np.full((512, 512, 3), 90, np.uint8))
    neural_texture._kept[image.name].seen -= neural_texture.TEXTURE_SECONDS
    assert (neural_texture.of(car) == 90).all()


@pytest.mark.parametrize("side", [64, 256, 768, 700])
def test_a_reduced_texture_has_the_mean_of_what_each_texel_covers(side):
    whole = np.random.default_rng(side).random((side, side, 3)).astype(np.float32)
    reduced = neural_texture._reduced(whole)
    assert reduced.shape[0] == min(side, neural_texture.TEXTURE_SIDE)
    np.testing.assert_allclose(reduced, pixels.resized(whole, len(reduced), len(reduced)), atol=1e-5)


def test_the_plain_renderers_picture_stands_to_the_left_where_it_is_wanted(car):
    alone, _ = render()
    bpy.context.window_manager.unrender_neural.dual = True
    both = shown(car)[0]
    assert both.shape == (NEURAL_SIDE, 2 * NEURAL_SIDE, 3)
    np.testing.assert_array_equal(both[:, NEURAL_SIDE:], alone)
    drawn = both[:, :NEURAL_SIDE]
    middle, corner = drawn[NEURAL_SIDE // 2, NEURAL_SIDE // 2], drawn[-1, 0]
    np.testing.assert_allclose(middle, alone[NEURAL_SIDE // 2, NEURAL_SIDE // 2], atol=1)
    np.testing.assert_allclose(corner, neural_render.background_of(car)[0, 0, :3], atol=1)
    bpy.context.window_manager.unrender_neural.dual = False
    np.testing.assert_array_equal(shown(car)[0], alone)


def test_the_picture_is_in_the_file_after_saving_and_opening(car, tmp_path):
    picture, _ = render()
    image = neural_render.image_of(car)
    image.use_fake_user = True  # as an Image Editor that shows it does
    name = car.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "kept.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "kept.blend"))
    np.testing.assert_array_equal(shown(bpy.data.objects[name])[0], picture)


def until_idle(seconds=10.0):
    """Lets the timer's function look, as the window's does, until nothing is under way."""
    began = time.monotonic()
    neural_render.look()
    while neural_render.following.tasks:
        assert time.monotonic() - began < seconds, "waited too long"
        time.sleep(0.002)
        neural_render.look()


def test_following_keeps_up_with_the_latest_position_and_asks_for_no_other(car, monkeypatch):
    asked = []
    send = session.request
    monkeypatch.setattr(session, "request", lambda body, *rest, **more: asked.append(body) or send(body, *rest, **more))
    bpy.context.window_manager.unrender_neural.follow = True
    until_idle()
    assert len(asked) == 1
    for position in np.linspace(0, 1, 40):  # a drag, faster than pictures come
        car.unrender.azimuth = float(position)
        neural_render.look()
    until_idle()
    until_idle()
    assert shown(car)[1]["azimuth"] == round(math.degrees(1.0) / 2) * 2
    assert len(asked) <= 4, "what a drag only passes through is not drawn"
    calm = len(asked)
    until_idle()
    assert len(asked) == calm, "nothing moved"
    car.unrender.proportions[0] = 0.8
    until_idle()
    assert len(asked) == calm + 1
    bpy.context.window_manager.unrender_neural.follow = False
    car.unrender.azimuth = 0.2
    until_idle()
    assert len(asked) == calm + 1


def test_following_sees_the_texture_change_without_a_handle(car):
    bpy.context.window_manager.unrender_neural.follow = True
    until_idle()
    image = handles.texture_of(car)
    pixels.write(image, np.full((*image.size, 3), (10, 220, 30), np.uint8))
    neural_texture._kept[image.name].seen -= neural_texture.TEXTURE_SECONDS
    until_idle()
    np.testing.assert_allclose(shown(car)[0][NEURAL_SIDE // 2, NEURAL_SIDE // 2], (10, 220, 30), atol=1)


def test_what_the_worker_says_stands_in_the_panel_until_a_picture_comes(car):
    bpy.context.window_manager.unrender_neural.follow = True
    code = np.array(car[scene.SHAPE_CODE])
    car[scene.SHAPE_CODE] = [SHAPE_TOO_FAR + 1, *code[1:]]
    until_idle()
    assert neural_render.following.error == "This shape is too far from any car."
    car[scene.SHAPE_CODE] = code.tolist()
    car.unrender.azimuth += 0.1
    until_idle()
    assert neural_render.following.error == "" and neural_render.image_of(car) is not None


def test_an_object_that_was_deleted_meanwhile_gets_no_picture(car):
    neural_render.follow(True)
    neural_render.look()
    bpy.data.objects.remove(car)
    until_idle()
    assert [image.name for image in bpy.data.images if "neural" in image.name] == []


class Layout:
    """Stands for a panel's layout and remembers what was drawn and whether it could be pressed."""

    def __init__(self, drawn=None):
        self.drawn, self.enabled, self.scale_y = [] if drawn is None else drawn, True, 1.0

    def column(self, align=False):
        return Layout(self.drawn) if self.enabled else self

    row = box = column

    def label(self, text, icon):
        self.drawn.append(text)

    def operator(self, name, icon):
        self.drawn.append((name, self.enabled))

    def prop(self, _data, name, **_more):
        self.drawn.append((name, self.enabled))

    def template_icon(self, number, scale):
        self.drawn.append("picture")


def drawn():
    layout = Layout()
    context = SimpleNamespace(
        active_object=bpy.context.view_layer.objects.active,
        scene=bpy.context.scene,
        region=SimpleNamespace(width=4000),
        window_manager=bpy.context.window_manager,
    )
    neural_panel.UNRENDER_PT_neural_render.draw(SimpleNamespace(layout=layout), context)
    return layout.drawn


def test_without_an_image_editor_the_panel_shows_the_picture(car):
    assert "picture" not in drawn()
    render()
    assert "picture" in drawn() and ("unrender.save_neural_render", True) in drawn()


def test_a_grey_button_says_why(car, bundle):
    assert ("unrender.neural_render", True) in drawn()
    (bundle / bundle_files.STYLE_MAPPING).unlink()
    sentence, button = drawn()[:2]
    assert "have no StyleGAN-R" in sentence and button == ("unrender.neural_render", False)
    with pytest.raises(RuntimeError, match="poll"):
        bpy.ops.unrender.neural_render()
    surface = scene.build(bpy.context.scene, toy.reconstruction("box"), set_up_scene=False).object
    bpy.context.view_layer.objects.active = surface
    assert "objects with parts" in drawn()[0]
    assert neural_render.refusal(None).startswith("Select an object")


def test_an_object_of_plain_materials_says_what_it_lacks(bundle):
    result = generate(GenerateRequest(seed=3, texture_size=64, bundle=str(bundle)), *load_generator(str(bundle)))
    owner = scene.build(bpy.context.scene, result, set_up_scene=False, materials="parts").object
    with pytest.raises(ValueError, match="has no texture: make it with the materials With Maps"):
        neural_render.request_of(owner)


def test_the_picture_is_saved_where_it_is_asked_for(car, tmp_path):
    with pytest.raises(RuntimeError, match="poll"):
        bpy.ops.unrender.save_neural_render(filepath=str(tmp_path / "none.png"))
    picture, _ = render()
    assert bpy.ops.unrender.save_neural_render(filepath=str(tmp_path / "saved")) == {"FINISHED"}
    image = bpy.data.images.load(str(tmp_path / "saved.png"))
    np.testing.assert_array_equal(pixels.to_bytes(pixels.read(image)[..., :3]), picture)
    with pytest.raises(RuntimeError, match="cannot be written to"):
        bpy.ops.unrender.save_neural_render(filepath=str(tmp_path / "nowhere" / "saved.png"))


@pytest.mark.skipif(
    not (bundle_files.BUNDLED / "car" / bundle_files.STYLE_MAPPING).is_file(), reason="the weights lack StyleGAN-R"
)
def test_the_shipped_weights_draw_what_the_handles_say(root, tmp_path, monkeypatch):
    command = client.WorkerCommand([sys.executable, "-m", "backend.worker"], root, tmp_path / "real.log")
    monkeypatch.setattr(environment, "worker_command", lambda chosen="": command)
    result = generate(GenerateRequest(seed=4, texture_size=256), *load_generator("car"))
    owner = scene.build(bpy.context.scene, result, set_up_scene=False).object
    bpy.context.view_layer.objects.active = owner
    pictures = {}
    for colour in ((0.7, 0.05, 0.05), (0.05, 0.1, 0.7)):
        for azimuth in (0.7, 2.4):
            owner.unrender.colour_paint, owner.unrender.azimuth = colour, azimuth
            pictures[colour, azimuth] = render()[0].astype(float)
    (red, red_behind), (blue, _) = (
        [picture for (paint, _), picture in pictures.items() if paint == colour]
        for colour in ((0.7, 0.05, 0.05), (0.05, 0.1, 0.7))
    )
    middle = slice(len(red) // 3, -len(red) // 3)
    redness = [(picture[middle, middle, 0] - picture[middle, middle, 2]).mean() for picture in (red, blue)]
    assert redness[0] > redness[1] + 10, "the paint is that of the field"
    assert np.abs(red - red_behind).mean() > 4, "another side is another picture"
    corner = red[:4, :4].mean(axis=(0, 1))
    np.testing.assert_allclose(corner, neural_render.background_of(owner)[0, 0, :3], atol=60)
    drawn = neural_render.following.answers[owner.name].drawn
    assert 0.1 < (drawn[..., 3] > 127).mean() < 0.8
