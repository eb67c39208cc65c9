# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/generate.py with a generator of shapes: many seeds, their sheet, and ways from seed to seed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import batch_generate, batch_interpolate, contact_sheet, generated, interpolation, pixels, preview
from tests.helpers.shape_samples import write_shape_run

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "generate.py"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def picture(path: Path) -> np.ndarray:
    image = bpy.data.images.load(str(path))
    try:
        return pixels.to_bytes(pixels.read(image)[..., :3])
    finally:
        bpy.data.images.remove(image)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shape_run(tmp_path_factory.mktemp("runs") / "blobs")


@pytest.fixture(scope="module")
def ten(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of seven seeds, and what the command printed; the last two came with a second call."""
    out = tmp_path_factory.mktemp("out")
    common = ("--bundle", weights, "--out", out, "--truncation", 0.7, "--quick")
    done = run(*common, "--seeds", "1-5")
    assert done.returncode == 0, done.stderr
    done = run(*common, "--seeds", "1-7", "--resume")
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_every_seed_gets_a_folder_and_a_scene_with_its_background(ten: tuple[Path, str]) -> None:
    out, printed = ten
    assert "5 of 7 are done already" in printed and "[2/2] seed 7" in printed and "7 of 7 done" in printed
    report = json.loads((out / "report.json").read_text())
    assert [record["seed"] for record in report["objects"]] == [*range(1, 8)]
    assert all(record["error"] is None and record["real_size"] == 1.0 for record in report["objects"])
    folder = out / "blobs-000006"
    assert {path.name for path in folder.iterdir()} == {
        "scene.blend", "blobs-000006.glb", "texture.png", "preview.png", "sides.png", "camera.json"
    }  # fmt: skip
    bpy.ops.wm.open_mainfile(filepath=str(folder / "scene.blend"))
    (mesh,) = [one for one in bpy.data.objects if one.type == "MESH"]
    assert list(mesh[generated.BACKGROUND].size) == [64, 64]
    camera = bpy.context.scene.camera
    assert camera.data.background_images[0].image == mesh[generated.BACKGROUND]
    assert bpy.context.scene.render.resolution_x == bpy.context.scene.render.resolution_y == 512


def test_the_sheet_shows_five_sides_of_all_of_them(ten: tuple[Path, str]) -> None:
    out, printed = ten
    assert f"7 on the sheet: {out / 'sheet.png'}" in printed
    sheet, gap, side = picture(out / "sheet.png"), contact_sheet.GAP, contact_sheet.SIDE
    columns = (sheet.shape[1] - gap) // (5 * side + gap)
    for number in range(7):
        strip = picture(out / f"blobs-{number + 1:06d}" / "sides.png")
        assert strip.shape == (side, 5 * side, 3)
        row, column = divmod(number, columns)
        top = gap + row * (side + contact_sheet.LABEL + gap) + contact_sheet.LABEL
        left = gap + column * (5 * side + gap)
        np.testing.assert_array_equal(sheet[top : top + side, left : left + 5 * side], strip)
        label = sheet[top - contact_sheet.LABEL : top, left : left + 60]
        np.testing.assert_array_equal(label[:, :8], contact_sheet.lettered(str(number + 1))[:, :8])
        assert (label == contact_sheet.INK).any()


def test_ways_from_seed_to_seed_are_one_mesh_and_one_slider(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("--bundle", weights, "--seeds", "1-3", "--interpolate", 3, "--out", out, "--quick", "--formats",
               "blend,obj")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "[8/8] seeds 2 to 3, step 3 of 3" in done.stdout and "6 on the sheet" in done.stdout
    ways = [f"blobs-00000{first}-00000{first + 1}" for first in (1, 2)]
    steps = [f"{way}-step-{number}" for way in ways for number in (1, 2, 3)]
    assert {path.name for path in out.iterdir()} == {*ways, *steps, "report.json", "sheet.png"}

    def corners(name: str) -> tuple[np.ndarray, list[str]]:
        lines = (out / name / f"{name}.obj").read_text().splitlines()
        places = [[float(number) for number in line.split()[1:4]] for line in lines if line.startswith("v ")]
        return np.array(places), [line for line in lines if line.startswith("f ")]

    first, middle, last = (corners(name) for name in steps[:3])
    assert first[1] == middle[1] == last[1] == corners(ways[0])[1], "faces and UVs of all steps are the same"
    assert np.abs(first[0] - last[0]).max() > 0.05
    np.testing.assert_allclose(corners(ways[0])[0], first[0], atol=1e-5)
    np.testing.assert_allclose(corners(steps[3])[0], last[0], atol=1e-5, err_msg="a way begins where the last ended")
    bpy.ops.wm.open_mainfile(filepath=str(out / ways[0] / "scene.blend"))
    owner = bpy.data.objects[ways[0]]
    key = interpolation.key_of(owner)
    assert key.value == 0 and [one.name for one in owner.data.shape_keys.key_blocks][1:] == ["blobs-000002"]
    assert len([one for one in bpy.data.objects if one.type == "MESH"]) == 1 and len(bpy.data.worlds) == 1
    ends = picture(out / ways[0] / "preview.png")
    side = contact_sheet.SIDE
    for row, name in enumerate((steps[0], steps[2])):
        found = ends[row * side : (row + 1) * side].astype(int)
        np.testing.assert_allclose(found, picture(out / name / "sides.png"), atol=1)


def test_blender_shows_the_way_along_the_slider(weights: Path, tmp_path: Path, monkeypatch) -> None:
    for name, value in (("SAMPLES", 2), ("TILE_WIDTH", 48), ("TILE_HEIGHT", 32)):
        monkeypatch.setattr(preview, name, value)
    monkeypatch.setattr(batch_interpolate, "STRIP_SIDE", 32)
    out = tmp_path / "out"
    words = ["--bundle", str(weights), "--seeds", "1-2", "--interpolate", "2", "--formats", "glb", "--shard", "1/3"]
    with addon.registered():
        assert batch_generate.run([*words, "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == {"blobs-000001-000002", "report-1-of-3.json"}
    folder = out / "blobs-000001-000002"
    assert {path.name for path in folder.iterdir()} == {
        "blobs-000001-000002.glb", "texture.png", "preview.png", "interpolation.png", "camera.json"
    }  # fmt: skip
    tiles = np.split(picture(folder / "interpolation.png").astype(int), 5, axis=1)
    steps = [np.abs(one - other).mean() for one, other in zip(tiles, tiles[1:], strict=False)]
    assert min(steps) > 0.5 and np.abs(tiles[0] - tiles[-1]).mean() > 2 * max(steps)


def test_what_cannot_be_begun_is_one_sentence(weights: Path, tmp_path: Path, capsys) -> None:
    out = ("--out", str(tmp_path / "out"), "--bundle", str(weights))
    for words, sentence in (
        (("--seeds", "4", "--interpolate", "3"), "give --seeds two at least"),
        (("--seeds", "1-2", "--interpolate", "1"), "1 is less than 2"),
        (("--seeds", "1-2", "--shape", "ball"), "invalid choice: 'ball'"),
    ):
        assert batch_generate.run([*out, *words]) == 2
        said = capsys.readouterr().err
        assert sentence in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_sheet_that_cannot_be_written_is_one_sentence(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "sheet.png" / "taken").mkdir(parents=True)
    done = run("--bundle", weights, "--seeds", 1, "--out", tmp_path, "--quick")
    assert done.returncode == 1
    assert done.stderr.startswith("generate: The sheet ") and done.stderr.count("\n") == 1


def test_letters_of_the_sheet_are_told_apart() -> None:
    seen = {letter: contact_sheet.lettered(letter).tobytes() for letter in "0123456789-. "}
    assert len(set(seen.values())) == len(seen)


def test_many_objects_make_a_sheet_about_as_wide_as_high() -> None:
    for count in (1, 7, 100):
        height, width = contact_sheet.sheet([np.zeros((110, 480, 3), np.uint8)] * count).shape[:2]
        assert count == 1 or 0.5 < width / height < 2
