# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Click the Object without a window: how photos are shown, which pixels a place in them is, and what scripts can do."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

bpy = pytest.importorskip("bpy")

from addon import masks, photo_view, pixels, preferences, session
from addon.operators import cut_out, image_to_3d
from addon.wire import records
from backend.pipeline.photo import load_photo
from tests.helpers.addon_at_work import addon_with_toy_worker


@pytest.fixture(autouse=True)
def toy_worker(root, tmp_path, monkeypatch):
    """An empty file, the add-on registered, and a toy worker in place of the product's."""
    with addon_with_toy_worker(root, tmp_path, monkeypatch):
        yield


def write(path, width=60, height=40, orientation=1):
    """A photo as a camera stores it that was held in one of the eight ways."""
    tags = Image.Exif()
    tags[274] = orientation
    colours = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(colours).save(path, exif=tags)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_shown_as_the_backend_sees_them(tmp_path, orientation):
    path = write(tmp_path / "a.png", orientation=orientation)
    images = len(bpy.data.images)
    shown, seen = photo_view.load(str(path)), load_photo(path).rgb
    np.testing.assert_array_equal(pixels.to_bytes(shown.colours), seen)
    assert (shown.height, shown.width) == seen.shape[:2] and len(bpy.data.images) == images
    assert shown.point(0.25, 0.5) == (seen.shape[1] / 4, seen.shape[0] / 2)


def test_places_in_large_photos_are_pixels_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(photo_view, "LONGEST_SIDE", 20)
    path = write(tmp_path / "a.png", width=67, height=41, orientation=6)
    shown, seen = photo_view.load(str(path)), load_photo(path).rgb
    assert max(shown.colours.shape) <= 20
    x, y = shown.point(0.5 / shown.colours.shape[1], 0.5 / shown.colours.shape[0])
    assert x == y == 2, "the middle of the first block of 4 x 4 pixels"
    np.testing.assert_allclose(shown.colours[0, 0], seen[:4, :4].mean((0, 1)) / 255, atol=1e-3)


def test_what_the_mask_leaves_out_is_dimmed(tmp_path):
    shown = photo_view.load(str(write(tmp_path / "a.png")))
    mask = np.zeros((80, 120), np.uint8)
    mask[:, :60] = 255
    cut = shown.cut_out(mask)
    np.testing.assert_allclose(cut[:, :30], shown.colours[:, :30], atol=1e-6)
    np.testing.assert_allclose(cut[:, 30:], photo_view.DIMMED * shown.colours[:, 30:], atol=1e-6)


def test_photos_that_blender_cannot_show_say_so(tmp_path):
    Image.new("RGB", (60, 40)).save(tmp_path / "a.gif")
    (tmp_path / "text.jpg").write_text("not a picture")
    images = len(bpy.data.images)
    for name, words in (("a.gif", "cannot show a.gif"), ("text.jpg", "cannot show"), ("none.jpg", "was not found")):
        with pytest.raises(ValueError, match=words):
            photo_view.load(str(tmp_path / name))
    assert len(bpy.data.images) == images


def test_a_script_gives_the_place_and_the_mask_is_the_scenes(tmp_path):
    settings = bpy.context.scene.unrender
    settings.image_path = str(write(tmp_path / "a.jpg", orientation=6))
    assert bpy.ops.unrender.click_object(point=(10, 45)) == {"FINISHED"}
    mask = settings.mask_image
    assert tuple(mask.size) == (40, 60), "upright"
    assert session.status.warnings == ["This is a toy."]
    rows, columns = np.nonzero(pixels.read(mask)[..., 0] > 0.5)
    assert columns.mean() + 0.5 == pytest.approx(10, abs=0.3) and rows.mean() + 0.5 == pytest.approx(45, abs=0.3)
    assert image_to_3d.request_of(settings, masks.photo_of(settings)).mask_path
    with pytest.raises(RuntimeError, match="outside of the photo"):
        bpy.ops.unrender.click_object(point=(41, 10))
    assert settings.mask_image == mask


def test_without_a_picture_or_a_window_the_button_says_so(tmp_path):
    assert not bpy.ops.unrender.click_object.poll()
    bpy.context.scene.unrender.image_path = str(write(tmp_path / "a.png"))
    with pytest.raises(RuntimeError, match="no window to click in"):
        bpy.ops.unrender.click_object()
    assert not session.status.running


class Stored:
    """What Blender keeps of the preferences."""

    device, bundle, cutout_model, own_cut_out = "auto", "car", "", False


def test_settings_and_preferences_become_the_requests(monkeypatch, tmp_path):
    settings, stored = bpy.context.scene.unrender, Stored()
    monkeypatch.setattr(preferences, "stored", lambda: stored)
    assert image_to_3d.request_of(settings, "a.png") == records.ReconstructRequest("a.png")
    settings.quality = "fine"
    stored.cutout_model = str(tmp_path / "net.onnx")
    request = image_to_3d.request_of(settings, "a.png")
    assert (request.quality, request.refine_steps, request.cutout_model) == ("fine", -1, stored.cutout_model)
    assert cut_out.request_of(settings, "a.png", (1, 2)) == records.CutOutRequest(
        "a.png", "car", "auto", stored.cutout_model, [1.0, 2.0]
    )
    stored.own_cut_out = True
    assert image_to_3d.request_of(settings, "a.png").cutout_model == records.OWN_CUT_OUT
    settings.refinement, settings.refine_steps = "CUSTOM", 17
    assert image_to_3d.request_of(settings, "a.png").refine_steps == 17


def test_the_choices_of_quality_are_those_of_the_wire():
    from addon import choices

    assert tuple(name for name, _, _ in choices.QUALITIES) == records.QUALITIES
    assert records.ReconstructRequest("").quality == choices.DEFAULT_QUALITY


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_thumbnails_are_upright(tmp_path, orientation):
    from addon import thumbnails

    halves = np.zeros((40, 60, 3), np.uint8)
    halves[:, :30] = (250, 20, 20)
    tags = Image.Exif()
    tags[274] = orientation
    path = tmp_path / f"{orientation}.png"
    Image.fromarray(halves).save(path, exif=tags)
    thumbnails.icon_of(str(path))
    (preview,) = (one for name, one in thumbnails._collection.items() if str(path) in name)
    width, height = preview.image_size
    values = np.empty(4 * width * height, np.float32)
    preview.image_pixels_float.foreach_get(values)
    seen = values.reshape(height, width, 4)[::-1, :, 0] > 0.5
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image).resize((width, height)))[..., 0] > 128
    assert (seen == upright).mean() > 0.95 and (width > height) == (orientation != 6)
