# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choices of weights inside the bpy package: what they are called, and what saved files keep of them."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import choices, matching, places
from addon.operators import image_to_3d
from addon.ui import preferences, properties


@pytest.fixture(autouse=True)
def empty_file():
    """An empty file, the add-on registered."""
    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    yield
    addon.unregister()


def settings():
    return bpy.context.scene.unrender


@pytest.fixture
def user_bundles(tmp_path, monkeypatch):
    """Returns a function that puts a bundle for Image to 3D, with such a card, into the user's folder."""
    monkeypatch.setattr(places, "user_folder", lambda: tmp_path / "user")

    def write(name, **card):
        folder = tmp_path / "user" / "bundles" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bundle.json").write_text(json.dumps({"format": 1, "category": "car", **card}))
        (folder / "inverse_graphics.safetensors").write_bytes(b"")

    return write


def offered(items=properties.bundle_items):
    """What is shown, the explanation and the number, by name."""
    return {name: rest for name, *rest in items(None, None)}


def test_a_bundle_is_shown_by_its_title_and_explained_by_its_description(user_bundles):
    user_bundles("car-photo", title="Cars\nfrom photos", description="Learned from photographs")
    user_bundles("chair", category="chair")
    user_bundles("odd", title=["no text"], category=3)
    (places.user_folder() / "bundles" / "odd2").mkdir()
    for name, text in (("bundle.json", "damaged"), ("inverse_graphics.safetensors", "")):
        (places.user_folder() / "bundles" / "odd2" / name).write_text(text)
    shown = {name: rest[:2] for name, rest in offered().items()}
    assert shown["car-photo"] == ["Cars from photos", "Learned from photographs"]
    assert shown["chair"] == ["Chair", "Weights for the category chair"]
    assert shown["odd"] == ["Odd", "Weights for the category odd"]
    assert shown["odd2"] == ["Odd2", "Weights for the category odd2"]


def test_a_title_that_changes_is_shown_at_once(user_bundles):
    user_bundles("chair", title="Chairs")
    assert offered()["chair"][0] == "Chairs"
    user_bundles("chair", title="Seats of all kinds")
    card = places.user_folder() / "bundles" / "chair" / "bundle.json"
    os.utime(card, ns=(0, card.stat().st_mtime_ns + 1))
    assert offered()["chair"][0] == "Seats of all kinds"


def test_the_numbers_that_files_keep_do_not_depend_on_what_is_installed(user_bundles):
    user_bundles("chair")
    before = {items: offered(items) for items in (properties.bundle_items, preferences._bundles)}
    for name in ("aaa", "bus", "zzz"):
        user_bundles(name)
    for items, alone in before.items():
        now = offered(items)
        assert all(now[name] == rest for name, rest in alone.items()) and len(now) == len(alone) + 3
        numbers = [rest[2] for rest in now.values()]
        assert len(set(numbers)) == len(numbers) and numbers[0] == 0
        assert all(np.float32(number) == number for number in numbers)


def test_the_choice_outlives_new_bundles_and_is_not_replaced_when_its_own_is_gone(user_bundles, tmp_path):
    user_bundles("chair")
    settings().bundle = "chair"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    user_bundles("aaa")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert settings().bundle == "chair" and image_to_3d.request_of(settings(), "photo.png").bundle == "chair"
    (places.user_folder() / "bundles" / "chair" / "inverse_graphics.safetensors").unlink()
    with pytest.raises(ValueError, match="not installed: choose others"):
        image_to_3d.request_of(settings(), "photo.png")


def test_cars_are_the_default_among_any_bundles(user_bundles):
    user_bundles("aaa")
    user_bundles("zzz")
    assert settings().bundle == choices.DEFAULT and image_to_3d.request_of(settings(), "a.png").bundle == "car"
    assert next(iter(offered(preferences._bundles))) == "car" and offered(preferences._bundles)["car"][2] == 0
    assert settings().views_generator == "car" and offered(properties.generator_items)["car"][2] == 0


def test_names_of_one_number_get_two(monkeypatch):
    monkeypatch.setattr(choices.zlib, "crc32", lambda data: choices._NUMBERS - 1)
    names = ["b", "c", "a"]
    assert choices.numbers(names) == choices.numbers(names[::-1]) == {"a": choices._NUMBERS, "b": 1, "c": 2}


def test_a_deep_card_of_a_bundle_leaves_the_panel_as_it_is(user_bundles):
    user_bundles("deep")
    card = places.user_folder() / "bundles" / "deep" / "bundle.json"
    card.write_text('{"title":' * 100_000 + "1" + "}" * 100_000)
    assert choices.read_card(card.parent) == {}
    assert offered()["deep"][:2] == ["Deep", "Weights for the category deep"]


@pytest.mark.parametrize(
    "kept", ["[" * 100_000, "[]", "{", '{"render": 3, "colours": {"exposure": "a", "__class__": 1}}']
)
def test_what_somebody_wrote_into_a_scene_does_not_keep_it_from_going_back(kept):
    scene = bpy.context.scene
    exposure = scene.view_settings.exposure
    scene.unrender.before = kept
    matching.take_back(scene)
    assert not matching.is_matched(scene) and scene.view_settings.exposure == exposure
