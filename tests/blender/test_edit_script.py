# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handles by name and without a window: scenes in, moved scenes out."""

from __future__ import annotations

import functools
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon import cli, edit_sources, named_handles, palette, parts, preview, scene, strips
from backend.common.records import GenerateRequest
from backend.pipeline.generate import generate, load_generator
from tests.helpers.addon_at_work import addon_with_toy_worker
from tests.helpers.edited_scenes import code_at, edit, opened, picture, report, write_bundle, write_scene

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "edit.py"
EXAMPLE = ROOT / "examples" / "car.jpg"


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


def length_of(owner: bpy.types.Object) -> float:
    return float(np.ptp([vertex.co.y for vertex in owner.data.vertices]))


def test_values_by_name_reach_the_scene_and_the_report(written, tmp_path: Path) -> None:
    path, out = written(7), tmp_path / "out"
    before = length_of(opened(path))
    done = edit(path, "LENGTH=1", "azimuth_deg=-120", "Elevation=10", "zoom=1.5", "paint=#00ff00", "--out", out)
    assert done == 0
    (record,) = report(out)
    assert record["error"] is None and record["input"] == str(path) and record["object"] == "car-000007"
    folder = out / "car-000007"
    assert {entry.name for entry in folder.iterdir()} == {
        "scene.blend", "car-000007.glb", "texture.png", "preview.png", "camera.json"
    }  # fmt: skip
    assert record["outputs"]["blend"] == str(folder / "scene.blend")
    assert record["handles"]["length"] == 1 and record["handles"]["paint"] == "#00ff00"
    assert record["camera"]["azimuth_deg"] == pytest.approx(-120) and record["real_size"] > 0
    owner = opened(folder / "scene.blend")
    assert length_of(owner) > 1.02 * before
    assert math.degrees(owner.unrender.azimuth) == pytest.approx(-120, abs=1e-3)
    assert owner.unrender.camera.matrix_world.translation.x < 0, "azimuth -120 is on the object's right"
    assert owner.unrender.zoom == 1.5 and len(parts.turning(owner)) == 4
    np.testing.assert_allclose(palette.colours_of(owner)["paint"], (0, 1, 0), atol=1e-3)
    assert (picture(folder / "texture.png").reshape(-1, 3) == (0, 255, 0)).all(axis=1).mean() > 0.05


def test_without_values_an_object_is_written_as_it_is(written, tmp_path: Path) -> None:
    path = written(7)
    before = np.array([vertex.co for vertex in opened(path).data.vertices])
    assert edit(path, "--out", tmp_path / "out", "--formats", "blend") == 0
    after = opened(tmp_path / "out" / "car-000007" / "scene.blend")
    np.testing.assert_array_equal([vertex.co for vertex in after.data.vertices], before)
    assert after.unrender.camera.data.lens == pytest.approx(opened(path).unrender.camera.data.lens)


@pytest.mark.parametrize(
    ("words", "beginning"),
    [
        (["lenght=0.5"], "There is no handle 'lenght'; there are azimuth_deg, "),
        (["length=1.01"], "length takes 0 to 1, not '1.01'; the handles are azimuth_deg, "),
        (["direction_1=nan"], "direction_1 takes -3 to 3, not 'nan'; the handles are "),
        (["zoom=wide"], "zoom takes 0.25 to 4, not 'wide'"),
        (["paint=red"], "paint takes #000000 to #ffffff, not 'red'"),
        (["length="], "length takes 0 to 1, not ''"),
        (["--strip", "length=0..2:3"], "length takes 0 to 1, not '2.0'"),
        (["--strip", "length=0..1"], "--strip takes a handle, a range and a number, such as "),
        (["--strip", "length=0..1:1"], "--strip: a strip has 2 to "),
        (["--strip", "paint=0..1:3"], "--strip moves a handle over numbers, and paint takes "),
        (["--strip", "nose=0..1:3"], "There is no handle 'nose'; there are "),
    ],
)
def test_what_is_wrong_with_a_word_is_one_sentence_before_anything_is_made(
    words, beginning: str, written, tmp_path: Path, capsys
) -> None:
    path, out = written(7), tmp_path / "out"
    assert edit(path, *words, "--out", out) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"edit: {beginning}") and said.count("\n") == 1 and said.rstrip().endswith(".")
    assert not out.exists()


def test_a_bad_word_is_said_before_a_photo_is_looked_at(tmp_path: Path, capsys) -> None:
    assert edit(EXAMPLE, "roof_lines=0.5", "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "no handle 'roof_lines'" in said and " roof_line, " in said and not (tmp_path / "worker.log").exists()


def test_one_bad_object_does_not_stop_the_rest(written, tmp_path: Path, capsys) -> None:
    good, out = written(7), tmp_path / "out"
    broken, other = tmp_path / "broken.blend", tmp_path / "empty.blend"
    broken.write_bytes(b"no scene at all")
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(other), copy=True)
    surface = written(surface=True)
    words = [broken, tmp_path / "missing.blend", other, surface, good, "length=0.9"]
    assert edit(*words, "--out", out, "--formats", "blend") == 1
    errors = [record["error"] for record in report(out)]
    assert errors[0].startswith(f"{broken} cannot be opened as a scene of Blender")
    assert errors[1] == f"There is no file {tmp_path / 'missing.blend'}."
    assert errors[2] == f"{other} has no object that was made by Image to 3D or Generate."
    assert errors[3].startswith("There is no handle 'length'; there are ") and errors[4] is None
    assert len(capsys.readouterr().err.strip().splitlines()) == 4


def test_each_object_of_a_file_is_edited_or_the_one_that_is_named(written, tmp_path: Path) -> None:
    path = written(7, 9)
    assert edit(path, "length=0.9", "--out", tmp_path / "all", "--formats", "blend") == 0
    assert [record["object"] for record in report(tmp_path / "all")] == ["car-000007", "car-000009"]
    assert edit(path / "car-000009", "length=0.9", "--out", tmp_path / "one", "--formats", "blend") == 0
    assert [record["object"] for record in report(tmp_path / "one")] == ["car-000009"]
    assert edit(path / "van", "--out", tmp_path / "none") == 1
    assert "no object 'van' that was made here; it has car-000007, car-000009" in report(tmp_path / "none")[0]["error"]


def test_folders_stand_for_the_scenes_that_a_batch_wrote(written, tmp_path: Path) -> None:
    paths = [written(7), written(9)]
    names = [source.object for source in edit_sources.sources_of(str(paths[0].parent))]
    assert names == ["car-000007"]
    assert [source.path for source in edit_sources.sources_of(str(tmp_path / "in"))] == paths


def test_an_object_is_not_written_over_itself(written, tmp_path: Path, capsys) -> None:
    path = written(7)
    named = path.parent.with_name("car-000007")
    path.parent.rename(named)
    before = (named / "scene.blend").read_bytes()
    assert edit(named, "length=0.9", "--out", named.parent) == 2
    assert "would be overwritten: choose another folder with --out" in capsys.readouterr().err
    assert (named / "scene.blend").read_bytes() == before


def test_a_surface_is_edited_by_the_worker(written, tmp_path: Path) -> None:
    path, out = written(surface=True), tmp_path / "out"
    before = np.array([vertex.co for vertex in opened(path).data.vertices])
    assert edit(path, "direction_1=2", "texture_direction_1=1", "--out", out, "--formats", "blend") == 0
    after = np.array([vertex.co for vertex in opened(out / "box" / "scene.blend").data.vertices])
    np.testing.assert_allclose(np.ptp(after[:, 2]), 1.4 * np.ptp(before[:, 2]), rtol=1e-4)


def test_the_same_seed_draws_the_same_object(written, tmp_path: Path) -> None:
    path = written(7)
    told = []
    for number, seed in enumerate((4, 4, 5)):
        out = tmp_path / str(number)
        assert edit(path, "--randomise", "--seed", seed, "length=0.25", "--formats", "blend", "--out", out) == 0
        told.append(report(out)[0]["handles"])
    assert told[0] == told[1] != told[2]
    assert all(one["length"] == 0.25 for one in told) and told[0]["paint"] != told[2]["paint"]


def test_the_list_shows_handles_values_and_ranges(written, tmp_path: Path, capsys) -> None:
    path = written(7)
    capsys.readouterr()
    assert edit(path, "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"car-000007 ({path})"
    told = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines[1:]}
    assert told["length"] == ["0.5", "0 to 1"] and told["azimuth_deg"] == ["40.11", "-360 to 360"]
    owner = opened(path)
    paint = "#" + "".join(f"{round(255 * part):02x}" for part in palette.found_of(owner)["paint"])
    assert told["paint"] == [paint, "#000000 to #ffffff"]
    assert edit(tmp_path / "none.blend", "--list") == 1


def test_values_that_are_told_can_be_given_again(written, tmp_path: Path) -> None:
    path = written(7)
    first, second = tmp_path / "first", tmp_path / "second"
    assert edit(path, "length=0.8", "direction_2=-1.25", "glass=#336699", "--out", first, "--formats", "blend") == 0
    told = report(first)[0]["handles"]
    assert edit(path, *(f"{name}={value}" for name, value in told.items()), "--out", second, "--formats", "blend") == 0
    assert report(second)[0]["handles"] == pytest.approx(told)
    shapes = [
        np.array([vertex.co for vertex in opened(out / "car-000007" / "scene.blend").data.vertices])
        for out in (first, second)
    ]
    np.testing.assert_allclose(*shapes, atol=1e-6)


def test_a_second_colour_is_one_only_where_it_is_another_than_the_paint(written) -> None:
    owner = opened(written(7))
    known = named_handles.of_object(owner)
    for words, two_tone in ((["paint=#aa0000", "second_colour=#aa0000"], False), (["second_colour=#00aa00"], True)):
        named_handles.apply(owner, named_handles.parse(words, known))
        assert owner.unrender.two_tone == two_tone
        shown = palette.colours_of(owner)[palette.SECOND]
        np.testing.assert_allclose(shown, (0, 2 / 3, 0) if two_tone else (2 / 3, 0, 0), atol=1e-3)


def test_the_command_is_one_of_the_extensions(written, tmp_path: Path, capsys) -> None:
    assert cli.main(["edit", str(written(7)), "length=0.7", "--out", str(tmp_path / "out"), "--formats", "blend"]) == 0
    assert "1 of 1 done" in capsys.readouterr().out
    assert "  edit " in cli.usage()


def test_names_are_found_however_they_are_written() -> None:
    known = named_handles.of_bundle("car")
    for name in ("Roof Line", "roof_line", " ROOF  line "):
        assert named_handles.find(name, known).name == "roof_line"
    assert named_handles.find("azimuth", known) is named_handles.find("azimuth_deg", known)
    assert len({handle.name for handle in known}) == len(known)


@pytest.mark.parametrize("arguments", [["--out", "x"], ["a=1", "--out", "x"], ["--list"], []])
def test_a_command_without_an_object_is_one_sentence(arguments, capsys) -> None:
    assert edit(*arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("edit: ") and said.count("\n") == 1


def test_the_script_edits_what_it_makes_of_a_photo_and_takes_shapes_from_one(tmp_path: Path) -> None:
    result = generate(GenerateRequest(seed=2, texture_size=64), *load_generator("car"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene.build(bpy.context.scene, result)
    path, out = tmp_path / "in.blend", tmp_path / "out"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    before = code_at(path)
    words = [EXAMPLE, path, "height=0.9", "--swap", f"shape={EXAMPLE}", "--quality", "draft", "--formats", "blend"]
    command = [sys.executable, str(SCRIPT), "--", *map(str, words), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    photo, other = report(out)
    assert photo["handles"]["height"] == other["handles"]["height"] == pytest.approx(0.9)
    assert photo["mask_source"] and photo["timings"] and photo["handles"]["look"] == "paint"
    owner = opened(out / "car" / "scene.blend")
    assert owner.unrender.proportions[1] == pytest.approx(0.9)
    assert np.linalg.norm(code_at(out / result.name / "scene.blend") - before) > 2
