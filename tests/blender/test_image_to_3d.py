# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole chain, with the bundled weights: one batch of good and bad files to scenes, in the bpy package."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "car.jpg"
SCRIPT = ROOT / "scripts" / "image_to_3d.py"

BAD = {
    "text.jpg": "not a picture",
    "empty.jpg": "empty",
    "truncated.jpg": "truncated",
    "one pixel.png": "",
}
"""File and a word that its sentence holds."""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def write_inputs(folder: Path) -> list[str]:
    """Good and bad pictures; returns the names of the good ones."""
    folder.mkdir()
    car = Image.open(EXAMPLE).convert("RGB")
    small = car.resize((320, 320))
    small.convert("CMYK").save(folder / "cmyk.jpg", quality=92)
    grey = np.asarray(small.convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "sixteen bit.png")
    small.convert("L").save(folder / "grey.png")
    palette = small.quantize(128)
    palette.save(folder / "palette.png")
    small.save(folder / "animated.gif", save_all=True, append_images=[small.rotate(90)])
    small.save(folder / "modern.webp")
    small.save(folder / "Käfer im Schnee 雪.png")
    rotated = small.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[274] = 6  # turn clockwise to see it upright
    rotated.save(folder / "rotated.jpg", quality=95, exif=exif)
    car.resize((12_000, 9_000)).save(folder / "huge.jpg", quality=60)
    good = sorted(path.name for path in folder.iterdir())

    (folder / "text.jpg").write_text("not a picture at all")
    (folder / "empty.jpg").write_bytes(b"")
    whole = EXAMPLE.read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 3])
    Image.new("RGB", (1, 1), "red").save(folder / "one pixel.png")
    return good


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory):
    """One run over all of them: its result, its records by file name, the good names and the output folder."""
    folder = tmp_path_factory.mktemp("batch")
    good = write_inputs(folder / "in")
    result = run(folder / "in", "--out", folder / "out", "--refine", "4", "--texture-size", "256")
    report = json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))
    return result, {Path(r["input"]).name: r for r in report["photos"]}, good, folder / "out"


def test_every_good_file_gives_all_of_its_outputs(batch) -> None:
    _, records, good, out = batch
    for name in good:
        record = records[name]
        assert record["error"] is None, (name, record["error"])
        assert record["silhouette_iou_own_mask"] == record["silhouette_iou"] > 0.6, name
        stem = Path(name).stem
        for file in ("scene.blend", f"{stem}.glb", "texture.png", "preview.png", "camera.json"):
            assert (out / stem / file).stat().st_size > 0, (name, file)


def test_every_bad_file_gives_one_sentence_and_the_run_a_non_zero_exit(batch) -> None:
    result, records, _, out = batch
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    for name in BAD:
        error = records[name]["error"]
        assert error and error.count("\n") == 0 and error.endswith("."), (name, error)
        assert sum(name in line for line in result.stderr.splitlines()) == 1
        assert not (out / Path(name).stem / "scene.blend").exists()


def test_the_same_car_has_the_same_pose_whatever_the_file(batch) -> None:
    """Colour mode and file format change nothing about where the camera stood; an EXIF rotation is undone."""
    _, records, _, _ = batch
    expected = records["modern.webp"]["camera"]["azimuth_deg"]
    for name in ("cmyk.jpg", "rotated.jpg", "animated.gif", "Käfer im Schnee 雪.png", "palette.png"):
        difference = math.remainder(records[name]["camera"]["azimuth_deg"] - expected, 360)
        assert abs(difference) < 15, name


def test_an_output_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file stands where the folder should be")
    result = run(EXAMPLE, "--out", blocked / "out")
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1 and "Traceback" not in result.stderr


def test_a_mask_from_a_file_is_used(tmp_path: Path) -> None:
    mask = np.zeros((640, 640), np.uint8)
    mask[230:460, 90:520] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    result = run(EXAMPLE, "--out", tmp_path / "out", "--mask", tmp_path / "mask.png", "--refine", "0")
    assert result.returncode == 0, result.stderr
    record = json.loads((tmp_path / "out" / "report.json").read_text())["photos"][0]
    assert record["error"] is None
