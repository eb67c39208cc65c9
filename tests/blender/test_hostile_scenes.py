# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers in scene files of others: what edit reads of an object is refused in a sentence, or works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon import (
    edit_sources,
    handles,
    named_handles,
    neural_render,
    own_properties,
    palette,
    parts,
    preview,
    proportions,
    scene,
    shape_codes,
    surface,
    textures,
)
from tests.helpers import edited_scenes
from tests.helpers.addon_at_work import addon_with_toy_worker

CASES = 250
NUMBERS = [
    shape_codes.SHAPE_CODE, shape_codes.CHANGE, textures.TEXTURE_CODE, scene.CAMERA, scene.PHOTO_SIZE,
    parts.VERTEX_COUNTS, parts.CENTRE_HEIGHT, surface.VERTICES,
]  # fmt: skip
OF_WHEELS = [parts.AXLE, parts.AXLE_POSITION, parts.VERTEX_COUNTS]
STRANGE: list[Any] = [
    float("nan"), float("inf"), -1e300, 1e300, 0, -1, 7, "", "x" * 5000, [], [0.0], [float("nan")] * 7, [1e38] * 6,
    [2**31 - 1, -(2**31)], list(range(5000)), {}, {"a": 1}, {"names": "paint", "colours": [1.0]}, ["a", "b"], True,
]  # fmt: skip
STATE = ["shape", "proportions", "texture", "azimuth", "zoom", "elevation", "real_size", "blend", "bundle"]


@pytest.fixture(autouse=True)
def at_work(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    rendered = preview.Preview(np.zeros((4, 4, 3), np.uint8), np.zeros((40, 60, 4), np.float32))
    monkeypatch.setattr(preview, "make", lambda *arguments: rendered)
    with addon_with_toy_worker(root, tmp_path, monkeypatch):
        yield


def plain(value: Any) -> Any:
    """A property's value that can be written back."""
    return value.to_list() if hasattr(value, "to_list") else value.to_dict() if hasattr(value, "to_dict") else value


def spoiled(chance: np.random.Generator, value: Any) -> Any:
    """Something else in a property's place, or the same with a number more, fewer, or out of range."""
    if isinstance(value, list) and value and chance.random() < 0.5:
        number = [float("nan"), float("inf"), 1e38, -1e38, 0.0][chance.integers(5)]
        place = int(chance.integers(len(value)))
        return [value[:-1], [*value, 1.0], [*map(float, value[:place]), number, *map(float, value[place + 1 :])]][
            chance.integers(3)
        ]
    return STRANGE[chance.integers(len(STRANGE))]


def spoil(chance: np.random.Generator, owner: Any) -> str:
    """Damages one thing that an object keeps; returns what, or nothing where Blender takes no such value."""
    kind = chance.choice(["number", "wheel", "palette", "state", "mesh", "background"])
    one, name = owner, str(chance.choice(NUMBERS))
    if kind == "wheel" and parts.turning(owner):
        one, name = parts.turning(owner)[0], str(chance.choice(OF_WHEELS))
    if kind == "palette":
        name, value = palette.PALETTE, plain(owner.get(palette.PALETTE)) or {}
        entry = chance.choice(["names", "colours", "shown"])
        changed: Any = {**value, entry: spoiled(chance, value.get(entry))} if chance.random() < 0.8 else 5
    elif kind == "state":
        name = str(chance.choice(STATE))
        with handles.muted():
            return _spoil_state(chance, owner.unrender, name)
    elif kind == "mesh":
        return _spoil_mesh(chance, owner.data)
    elif kind == "background":
        name, changed = "unrender_background", spoiled(chance, None)
    else:
        changed = spoiled(chance, plain(one.get(name)))
    try:
        one[name] = changed
    except (TypeError, ValueError, OverflowError):
        return ""
    if chance.random() < 0.1:
        del one[name]
    return f"{one.name} {name} {str(changed)[:60]}"


def _spoil_state(chance: np.random.Generator, state: Any, name: str) -> str:
    number = [float("nan"), float("inf"), 1e38, -1e38, 0.0, -5.0][chance.integers(6)]
    if name == "bundle":
        state.bundle = ["", "/nowhere", "../..", "x" * 300, "\n"][chance.integers(5)]
        return f"bundle {state.bundle!r:.40}"
    if state.bl_rna.properties[name].is_array:
        getattr(state, name)[0] = number
    else:
        setattr(state, name, number)
    return f"{name} {number}"


def _spoil_mesh(chance: np.random.Generator, mesh: Any) -> str:
    name = str(chance.choice([parts.INDEX_ATTRIBUTE, parts.OFFSET_ATTRIBUTE, surface.FOUND_ATTRIBUTE]))
    attribute = mesh.attributes.get(name)
    way = chance.choice(["value", "kind", "gone"])
    if attribute is None or way == "kind":
        if attribute is not None:
            mesh.attributes.remove(attribute)
        mesh.attributes.new(name, ["FLOAT", "INT"][chance.integers(2)], ["POINT", "FACE"][chance.integers(2)])
    elif way == "gone":
        mesh.attributes.remove(attribute)
    elif attribute.data_type == "INT":
        attribute.data[0].value = [-1, 2**31 - 1, 10_000][chance.integers(3)]
    else:
        attribute.data[0].vector = [(float("nan"),) * 3, (1e38,) * 3][chance.integers(2)]
    return f"{name} {way}"


def used(owner: Any) -> None:
    """All that edit does with an object before it writes, without the worker. Raises ValueError for what it refuses."""
    own_properties.check(owner)
    for handle in named_handles.of_object(owner):
        named_handles.read(owner, handle)
    handles.move_camera(owner)
    view = edit_sources.view_of(owner)
    assert np.isfinite(view.camera.distance) and view.image_width > 0
    if parts.has_parts(owner):
        vertices, size = proportions.shape_of(owner)
        assert np.isfinite(vertices).all() and np.isfinite(size)
        parts.reshape(owner, vertices, size)
        neural_render.framed_camera(owner, proportions.code_of(owner)[0])
        palette.colours_of(owner)
    else:
        surface.reshape(owner, list(owner.unrender.shape))
    assert all(np.isfinite(corner).all() for corner in np.array(owner.bound_box))


@pytest.mark.parametrize("of_surface", [False, True])
def test_whatever_an_object_keeps_is_refused_in_a_sentence_or_works(tmp_path: Path, of_surface: bool) -> None:
    bundle = edited_scenes.write_bundle(tmp_path / "small")
    path = edited_scenes.write_scene(bundle, tmp_path, *([] if of_surface else [7]), surface=of_surface)
    (source,) = edit_sources.sources_of(str(path))
    chance, refused, worked = np.random.default_rng(21 + of_surface), 0, 0
    for _ in range(CASES):
        owner = edit_sources.open_scene(source)
        what = spoil(chance, owner)
        try:
            used(owner)
        except ValueError as error:
            assert str(error).count("\n") == 0 and 20 < len(str(error)) < 600, what
            refused += 1
        except Exception as error:
            raise AssertionError(f"{what}: {error!r}") from error
        else:
            worked += 1
    assert refused > CASES / 3 and worked > CASES / 20


@pytest.mark.parametrize("of_surface", [False, True])
def test_opening_a_damaged_file_ends_in_no_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], of_surface: bool
) -> None:
    bundle = edited_scenes.write_bundle(tmp_path / "small")
    path = edited_scenes.write_scene(bundle, tmp_path, *([] if of_surface else [7]), surface=of_surface)
    (source,) = edit_sources.sources_of(str(path))
    chance, damaged = np.random.default_rng(5 + of_surface), tmp_path / "damaged.blend"
    for _ in range(CASES // 4):
        what = spoil(chance, edit_sources.open_scene(source))
        bpy.ops.wm.save_as_mainfile(filepath=str(damaged), copy=True)
        capfd.readouterr()
        edit_sources.objects_in(damaged)  # the add-on's handlers look at what was opened
        assert "Traceback" not in (said := capfd.readouterr().err), f"{what}: {said}"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (scene.CAMERA, [0.0] * 7, "camera that cannot be"),
        (shape_codes.SHAPE_CODE, [float("nan")] * 6, "numbers in unrender_shape_code that cannot be"),
        (palette.PALETTE, {"names": 5, "colours": [0.5]}, "palette without names"),
    ],
)
def test_edit_says_which_object_of_a_damaged_file_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, value: Any, told: str
) -> None:
    bundle = edited_scenes.write_bundle(tmp_path / "small")
    path = edited_scenes.write_scene(bundle, tmp_path, 7)
    edited_scenes.opened(path)[name] = value
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    assert edited_scenes.edit(path, "length=0.5", "--out", tmp_path / "out", "--formats", "blend") == 1
    (record,) = edited_scenes.report(tmp_path / "out")
    assert told in record["error"] and "car-000007" in record["error"] and "Traceback" not in capsys.readouterr().err
