# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/evaluate.py through Blender and the worker, with the bundled weights, on two tiny pictures and objects."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

bpy = pytest.importorskip("bpy")

from backend.evaluation import metrics
from backend.evaluation.photographs import sheet, sides
from backend.evaluation.photographs.rasteriser import Rasterised
from tests.helpers import toy
from tests.helpers.synthetic import write_dataset

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "evaluate.py"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [
        sys.executable,
        str(SCRIPT),
        *map(str, arguments),
        "--device",
        "cpu",
        "--quality",
        "draft",
        "--refine",
        "0",
    ]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rendered boxes, and the same as labelled photographs; of a third photograph the file is damaged."""
    folder = tmp_path_factory.mktemp("measured")
    write_dataset(folder / "renders", objects=2, views=1, resolution=64)
    for kind in ("photos", "masks"):
        (folder / "photographs" / kind).mkdir(parents=True)
    lines = ["file,azimuth_deg"]
    for number, described in enumerate(sorted((folder / "renders").glob("objects/*/object.json"))):
        view = json.loads(described.read_text(encoding="utf-8"))["views"][0]
        rgba = np.asarray(Image.open(described.parent / view["file"]))
        Image.fromarray(rgba[..., :3]).save(folder / "photographs" / "photos" / f"{number}.png")
        Image.fromarray(rgba[..., 3]).save(folder / "photographs" / "masks" / f"{number}.png")
        lines.append(f"{number}.png,{math.degrees(view['camera']['azimuth'])}")
    (folder / "photographs" / "photos" / "2.png").write_bytes(b"nothing")
    (folder / "photographs" / "labels.csv").write_text("\n".join([*lines, "2.png,0"]))
    return folder


def test_photographs_are_measured_through_the_scene(folder: Path) -> None:
    out = folder / "out"
    done = run("--data", folder / "photographs", "--report", out / "report.json", "--sheet", out / "sheet.png")
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "[3/3] 2.png: 2.png of" in done.stdout and "Saved: " not in done.stdout
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["summary"]["photographs"] == 3 and report["summary"]["failed"] == 1
    assert report["settings"]["silhouettes"] == "scene"
    for record in report["records"][:2]:
        assert (
            record["error"] is None and record["silhouette_iou_true"] > 0.5 and record["mask_source"] in ("", "alpha")
        )
        assert record["seconds"]["total"] > 0 and 0 <= record["azimuth_error_deg"] <= 180
    assert report["summary"]["frechet_samples"] == 2
    with Image.open(out / "sheet.png") as picture:
        assert picture.height == 3 * (sheet.CAPTION + sheet.TILE_HEIGHT + sheet.GAP)


def test_rendered_objects_are_measured_as_ever(folder: Path) -> None:
    done = run("--data", folder / "renders", "--report", folder / "renders.json")
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "renders.json").read_text(encoding="utf-8"))
    summary, records = report["summary"], report["objects"]
    assert summary["objects"] == 2 and summary["failed"] == 0 and len(records) == 2
    for name in ("solid_iou", "chamfer", "f_score", "silhouette_iou_true", "psnr_in_mask", "psnr_in_mask_photo"):
        assert summary[f"{name}_mean"] == pytest.approx(np.mean([record[name] for record in records]))
    assert summary["flips"] == np.mean([record["azimuth_error_deg"] > 90 for record in records])
    assert 0.1 < summary["solid_iou_mean"] < 1 and "3D IoU" in done.stdout
    assert summary["psnr_in_mask_photo_mean"] > summary["psnr_in_mask_mean"] + 3, "the photo is like the photo"
    assert 0 <= summary["structural_distance_photo_mean"] < summary["structural_distance_mean"] < 1


def test_views_of_one_object_are_measured_together(tmp_path: Path) -> None:
    """Two views of each box as photographs of one object, and the first of them alone."""
    write_dataset(tmp_path / "renders", objects=2, views=2, resolution=64)
    reports = {}
    for count in (1, 2):
        report = tmp_path / f"{count}.json"
        done = run("--data", tmp_path / "renders", "--report", report, "--together", count)
        assert done.returncode == 0, done.stderr
        reports[count] = json.loads(report.read_text(encoding="utf-8"))
    for alone, both in zip(reports[1]["objects"], reports[2]["objects"], strict=True):
        assert alone["view"] == both["view"] == "view_00.png" and alone["further"] == []
        (further,) = both["further"]
        assert further["view"] == "view_01.png" and 0 <= further["azimuth_error_deg"] <= 180
    summary = reports[2]["summary"]
    assert reports[2]["together"] == summary["further_views"] == 2
    errors = [one["azimuth_error_deg"] for record in reports[2]["objects"] for one in record["further"]]
    assert summary["further_azimuth_error_deg_median"] == pytest.approx(np.median(errors))
    done = run("--data", tmp_path / "renders", "--report", tmp_path / "none.json", "--together", -1)
    assert done.returncode == 2 and "one at least" in done.stderr


def test_scene_and_rasteriser_show_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from measuring import scenes

    result = toy.parts_reconstruction()
    ours = Rasterised(result)
    cameras = [*sides.sheet_cameras(result.camera, "four")[:2], sides.framed(result, 2.0)]
    with scenes.opened() as stage, stage.show(result) as shown:
        pairs = [(shown.through_own_camera(192, 128), ours.through_own_camera(192, 128))]
        pairs += [(shown.from_side(camera, 150, 100), ours.from_side(camera, 150, 100)) for camera in cameras]
    for one, other in pairs:
        assert one.shape == other.shape
        assert metrics.silhouette_iou(one[..., 3] > 0.5, other[..., 3] > 0.5) > 0.95
    assert not any(name.startswith("Side") for name in bpy.data.cameras.keys())
