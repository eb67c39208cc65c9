# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits without a window: strips, turntables and neural renders, and what is taken from other objects."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon import edit_sources, handles, named_handles, neural_render, parts, pixels, preview, proportions, strips
from backend.common import bundle_files, pinhole
from tests.helpers.addon_at_work import addon_with_toy_worker
from tests.helpers.edited_scenes import code_at, edit, opened, picture, report, write_bundle, write_scene
from tests.helpers.toy_worker import NEURAL_SIDE


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a small template of parts that says it has StyleGAN-R."""
    return write_bundle(tmp_path_factory.mktemp("bundles") / "small")


@pytest.fixture(autouse=True)
def at_work(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The add-on registered, a toy worker in place of the product's, and previews of few samples."""
    monkeypatch.setattr(preview, "SAMPLES", 1)
    monkeypatch.setattr(strips, "SAMPLES", 1)
    with addon_with_toy_worker(root, tmp_path, monkeypatch):
        yield


@pytest.fixture
def written(bundle: Path, tmp_path: Path):
    """Returns a function that writes a scene file of objects of some seeds, or of one surface, as a batch does."""
    return functools.partial(write_scene, bundle, tmp_path)


def test_turntable_and_strips_are_pictures_of_frames(written, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--turntable", 4, "--strip", "azimuth=-90..90:3", "--strip", "length=0..1:2", "--formats", "blend"]
    assert edit(written(7), *words, "--out", out) == 0
    outputs = report(out)[0]["outputs"]
    for name, count in (("turntable", 4), ("strip-azimuth", 3), ("strip-length", 2)):
        shown = picture(outputs[name])
        assert shown.shape == (strips.HEIGHT + 2 * strips.GAP, count * (strips.WIDTH + strips.GAP) + strips.GAP, 3)
        frames = [shown[:, number * (strips.WIDTH + strips.GAP) :][:, : strips.WIDTH] for number in range(count)]
        drawn = [(np.abs(frame.astype(int) - shown[0, 0]).max(axis=2) > 30).sum() for frame in frames]
        assert min(drawn) > 1000, "the object is in every frame"
        assert all((frames[0] != other).any() for other in frames[1:])
    owner = opened(out / "car-000007" / "scene.blend")
    assert list(owner.unrender.proportions)[0] == 0.5, "strips leave the object as it was"


def test_a_longer_object_is_longer_in_the_strip(written, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert edit(written(7), "azimuth=90", "--strip", "length=0..1:2", "--formats", "blend", "--out", out) == 0
    shown = picture(report(out)[0]["outputs"]["strip-length"]).astype(int)
    step = strips.WIDTH + strips.GAP
    widths = [
        np.flatnonzero((np.abs(shown[:, place : place + step] - shown[0, 0]).max(axis=2) > 30).any(axis=0)).size
        for place in (0, step)
    ]
    assert widths[1] > 1.05 * widths[0]


def test_neural_renders_follow_object_turntable_and_strip(written, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["azimuth=30", "background=#ff0000", "--neural", "--turntable", 2, "--strip", "azimuth=0..90:3"]
    assert edit(written(7), *words, "--formats", "blend", "--out", out) == 0
    outputs = report(out)[0]["outputs"]
    neural = picture(outputs["neural"])
    assert neural.shape == (NEURAL_SIDE, NEURAL_SIDE, 3) and 2 * neural[0, 0, 0] == 30
    np.testing.assert_array_equal(neural[NEURAL_SIDE // 8, NEURAL_SIDE // 2], (255, 0, 0))
    assert picture(outputs["neural-drawn"]).shape == (NEURAL_SIDE, NEURAL_SIDE, 4)
    strip = picture(outputs["strip-azimuth"])
    assert len(strip) == 2 * (strips.HEIGHT + strips.GAP) + strips.GAP
    below = strip[strips.HEIGHT + strips.GAP :]
    for number in range(3):
        left = strips.GAP + number * (strips.WIDTH + strips.GAP)
        tile = below[strips.GAP :, left : left + strips.WIDTH][:, (strips.WIDTH - strips.HEIGHT) // 2 :]
        assert 2 * int(tile[1, 1, 0]) == pytest.approx(45 * number, abs=4)


def test_without_stylegan_r_neural_is_a_sentence(written, bundle: Path, tmp_path: Path) -> None:
    path = written(7)
    (bundle / bundle_files.STYLE_MAPPING).rename(bundle / "away")
    try:
        assert edit(path, "--neural", "--out", tmp_path / "out") == 1
    finally:
        (bundle / "away").rename(bundle / bundle_files.STYLE_MAPPING)
    assert "have no StyleGAN-R" in report(tmp_path / "out")[0]["error"]


def test_shape_and_texture_are_taken_from_other_objects(written, tmp_path: Path) -> None:
    path, wide, red = written(7), written(9), written(11)
    out, swapped = tmp_path / "out", ["--swap", f"shape={wide}", f"TEXTURE={red}"]
    assert edit(path, *swapped, "--formats", "blend", "--out", out) == 0
    owner = opened(out / "car-000007" / "scene.blend")
    assert [one.name for one in bpy.data.objects if one.unrender.is_unrender] == ["car-000007"]
    assert len([one for one in bpy.data.objects if one.type == "CAMERA"]) == 1, "nothing else came along"
    np.testing.assert_allclose(proportions.code_of(owner)[0], code_at(wide), atol=1e-3)
    theirs = pixels.to_bytes(pixels.read(handles.texture_of(opened(red))))
    np.testing.assert_array_equal(picture(out / "car-000007" / "texture.png"), theirs[..., :3])
    owner = opened(out / "car-000007" / "scene.blend")
    assert {slot.material for one in (owner, *parts.turning(owner)) for slot in one.material_slots} == {
        owner.active_material
    }
    again = tmp_path / "again"
    assert edit(out, "paint=#00ff00", "--formats", "blend", "--out", again) == 0, "its colours can be changed still"
    assert (picture(again / "car-000007" / "texture.png").reshape(-1, 3) == (0, 255, 0)).all(axis=1).mean() > 0.05


def test_a_swap_comes_before_values(written, tmp_path: Path) -> None:
    other = written(9)
    out = tmp_path / "out"
    assert edit(written(7), "direction_1=2.5", "--swap", f"shape={other}", "--formats", "blend", "--out", out) == 0
    assert report(out)[0]["handles"]["direction_1"] == 2.5


def test_the_background_of_a_photo_or_an_object_is_behind_neural_renders(written, tmp_path: Path) -> None:
    path, coloured = written(7), written(9)
    photo = tmp_path / "garden.png"
    colours = np.full((40, 60, 3), (250, 0, 0), np.uint8)
    colours[:10] = colours[-10:] = (20, 200, 30)  # where the toy worker finds no object
    pixels.write_png(photo, colours)
    assert edit(coloured, "background=#0000ff", "--formats", "blend", "--out", tmp_path / "blue") == 0
    blue = tmp_path / "blue" / "car-000009" / "scene.blend"
    for number, (source, colour) in enumerate(((photo, (20, 200, 30)), (blue, (0, 0, 255)))):
        out = tmp_path / str(number)
        assert edit(path, "--neural", "--swap", f"background={source}", "--formats", "blend", "--out", out) == 0
        shown = picture(report(out)[0]["outputs"]["neural"])
        np.testing.assert_allclose(shown[NEURAL_SIDE // 8, NEURAL_SIDE // 2], colour, atol=1)
    assert (
        named_handles.read(opened(blue), named_handles.find("background", named_handles.of_bundle("car"))) == "#0000ff"
    )


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("form={}", "--swap takes shape=FILE, texture=FILE, background=FILE, not 'form="),
        ("shape=", "--swap takes shape=FILE"),
        ("shape={}/none.blend", "there is no file"),
        ("texture=nowhere.jpg", "there is no file"),
    ],
)
def test_a_swap_from_nowhere_is_one_sentence(word: str, sentence: str, written, tmp_path: Path, capsys) -> None:
    path = written(7)
    assert edit(path, "--swap", word.format(path.parent), "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


def test_a_shape_of_another_kind_of_object_is_a_sentence(written, tmp_path: Path) -> None:
    assert edit(written(7), "--swap", f"shape={written(surface=True)}", "--out", tmp_path / "out") == 1
    assert report(tmp_path / "out")[0]["error"].endswith(".")


def test_previews_sample_a_small_sky_as_finely_as_it_is_and_leave_the_world_as_it_was(written) -> None:
    world = opened(written(7)).unrender.world
    target, before = bpy.context.scene, (world.cycles.sampling_method, world.cycles.sample_map_resolution)
    with preview.render_settings(target):
        assert (world.cycles.sampling_method, world.cycles.sample_map_resolution) == ("MANUAL", 64)
    assert (world.cycles.sampling_method, world.cycles.sample_map_resolution) == before
    image = bpy.data.images.new("large sky", 1024, 512, float_buffer=True)
    sky = next(node for node in world.node_tree.nodes if node.bl_idname == "ShaderNodeTexEnvironment")
    sky.image = image
    with preview.render_settings(target):
        assert (world.cycles.sampling_method, world.cycles.sample_map_resolution) == before


def test_neural_renders_of_a_turntable_are_from_all_around_and_framed(written) -> None:
    owner = opened(written(7))
    code = neural_render.request_of(owner).shape_code
    vertices = proportions.shape_of(owner)[0]
    for azimuth in np.linspace(0, 2 * np.pi, 6):
        camera = neural_render.framed_camera(owner, code, float(azimuth))
        places = pinhole.project(camera, vertices, 1.0, 1.0)
        assert camera.azimuth == azimuth
        assert neural_render.SMALLEST - 1e-6 <= np.ptp(places, axis=0).max() <= neural_render.LARGEST + 1e-6


def test_a_background_is_known_where_the_object_is_not() -> None:
    photo = np.zeros((40, 80, 3), np.uint8)
    photo[:, :40], photo[:, 40:] = (200, 10, 20), (20, 10, 200)
    mask = np.zeros((80, 160), np.uint8)  # of any size
    mask[20:60, 16:96] = 255  # rows 10 to 30 and columns 8 to 48 of the photo
    square = edit_sources.square_background(photo, mask)
    assert square.shape == (50, 50, 4), "the object takes 0.8 of the square"
    known = square[..., 3] == 255
    assert not known[:5].any() and not known[45:].any(), "above and below the photo nothing is known"
    assert not known[15:35, 5:45].any() and known[5:45].sum() == 40 * 50 - 20 * 40
    np.testing.assert_array_equal(square[7, 10], (200, 10, 20, 255))
    np.testing.assert_array_equal(square[7, 48], (20, 10, 200, 255))
    empty = edit_sources.square_background(photo, np.zeros((40, 80), np.uint8))
    assert empty.shape == (40, 40, 4) and (empty[..., 3] == 255).all()
    np.testing.assert_array_equal(empty[:, 5], np.tile((200, 10, 20, 255), (40, 1)))
