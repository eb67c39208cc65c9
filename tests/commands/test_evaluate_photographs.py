# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/evaluate.py on photographs, with a toy for the product: report, resuming, broken photographs, sheets."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.commands import evaluate as command
from backend.common.records import Camera, Reconstruction, ReconstructRequest
from backend.errors import PhotoError
from backend.evaluation.photographs import sheet
from backend.evaluation.photographs.rasteriser import Rasterised
from backend.pipeline.course import FACING
from scripts import evaluate
from tests.helpers import toy

HEIGHT, WIDTH = 48, 72
LABELS = {"000.png": 40, "001.png": -100, "002.png": 150, "003.png": 10}
"""Azimuths in degrees; the toy sees every object from 40."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Photographs whose masks are what the toy looks like."""
    folder = tmp_path / "data"
    for kind in ("photos", "masks"):
        (folder / kind).mkdir(parents=True)
    rgb = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    alpha = Rasterised(toy_result(WIDTH, HEIGHT)).through_own_camera(WIDTH, HEIGHT)[..., 3]
    lines = ["file,azimuth_deg"]
    for name, azimuth in LABELS.items():
        Image.fromarray(rgb).save(folder / "photos" / name)
        Image.fromarray((alpha * 255).astype(np.uint8)).save(folder / "masks" / name)
        lines.append(f"{name},{azimuth}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


def toy_result(width: int, height: int) -> Reconstruction:
    return toy.reconstruction(width=width, height=height, camera=Camera(math.radians(40), 0.2, 3.0))


class ToyStage:
    """Makes the toy of every photograph, and notes what it was asked."""

    errors: tuple[type[Exception], ...] = (PhotoError,)

    def __init__(self, fails: dict[str, Exception] | None = None) -> None:
        self.fails = fails or {}
        self.requests: list[ReconstructRequest] = []
        self.modes: list[str] = []

    @property
    def names(self) -> list[str]:
        return [Path(request.image_path).name for request in self.requests]

    def reconstruct(self, request: ReconstructRequest) -> Reconstruction:
        self.requests.append(request)
        name = Path(request.image_path).name
        if name in self.fails:
            raise self.fails[name]
        with Image.open(request.image_path) as image:
            self.modes.append(image.mode)
            made = toy_result(*image.size)
        made.confidence = 0.8
        made.warnings = [FACING] if name == "001.png" else []
        return made

    @contextmanager
    def show(self, result: Reconstruction) -> Iterator[Rasterised]:
        yield Rasterised(result)


def run(data: Path, stage: ToyStage, *more: str, report: str = "out/report.json") -> tuple[int, dict]:
    path = data.parent / report
    words = [f"--data={data}", f"--report={path}", "--device=cpu", "--silhouettes=rasteriser", *more]
    code = command.run(evaluate.parse(words), lambda: nullcontext(stage))
    return code, json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def test_report_sheet_and_guard(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = ToyStage()
    code, report = run(data, stage, f"--sheet={data.parent}/new/sheet.png", "--quality=draft", "--views=all")
    assert code == 0 and stage.names == list(LABELS) and stage.modes == ["RGBA"] * 4
    assert {(r.quality, r.cutout_model, r.refine_steps, r.bundle) for r in stage.requests} == {
        ("draft", "own", -1, "car")
    }
    first, second, third, fourth = report["records"]
    assert first["azimuth_error_deg"] == 0 and first["silhouette_iou_true"] > 0.95 and first["own_mask_iou"] is None
    assert [one["flip"] for one in report["records"]] == [False, True, True, False]
    assert second["warned"] and not third["warned"] and third["confidence"] == 0.8
    summary = report["summary"]
    assert summary["feed_forward"] and summary["flips"] == 0.5 and summary["flips_front"] == 0
    assert summary["flips_other"] == 1 and summary["silhouette_iou_true_mean"] > 0.95
    assert summary["calibration"]["wrong_warned"] == 0.5 and summary["calibration"]["right_warned"] == 0
    assert summary["calibration"]["expected_calibration_error"] == pytest.approx(0.3)
    assert summary["frechet_samples"] == 4 and summary["frechet_photo_side"] >= 0
    assert summary["frechet_features"].startswith("segmenter's encoder")
    said = capsys.readouterr().out
    assert "[2/4] 001.png  IoU" in said and '"flips": 0.5' in said
    with Image.open(data.parent / "new" / "sheet.png") as picture:
        assert picture.height == 4 * (sheet.CAPTION + sheet.TILE_HEIGHT + sheet.GAP)
        assert picture.width == 8 * (sheet.TILE_WIDTH + sheet.GAP) + sheet.GAP


def test_a_photo_without_its_mask_is_cut_out_by_the_product(data: Path) -> None:
    stage = ToyStage()
    model = data.parent / "model.onnx"
    model.touch()
    code, report = run(data, stage, "--input=photo", "--no-guard", f"--cutout-model={model}", "--count=2")
    assert code == 0 and stage.names == ["000.png", "003.png"] and stage.modes == ["RGB"] * 2
    assert stage.requests[0].cutout_model == str(model)
    with Image.open(data / "masks" / "000.png") as mask:
        share = (np.asarray(mask) > 127).mean()  # the toy's own mask is the whole picture
    assert report["records"][0]["own_mask_iou"] == pytest.approx(share, abs=1e-3)
    assert report["guard"] is None and "frechet_samples" not in report["summary"]
    assert not (data.parent / "out" / "report-pictures").exists()


def test_broken_photographs_do_not_stop_the_others(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "photos" / "000.png").write_bytes(b"nothing")
    Image.new("L", (WIDTH, HEIGHT)).save(data / "masks" / "001.png")
    stage = ToyStage({"002.png": ZeroDivisionError("a bug\nin two lines")})
    code, report = run(data, stage, "--no-guard", f"--sheet={data.parent}/sheet.png")
    errors = [record["error"] for record in report["records"]]
    assert code == 1 and errors[3] is None and report["summary"]["failed"] == 3
    assert "000.png of" in errors[0] and "The mask of 001.png is empty" in errors[1]
    assert errors[2] == "Unrender made a mistake (ZeroDivisionError: a bug in two lines)."
    assert set(report["records"][1]) == {"file", "group", "azimuth_label_deg", "front", "error"}
    captured = capsys.readouterr()
    assert "[1/4] 000.png: 000.png of" in captured.out and "ZeroDivisionError" in captured.err
    with Image.open(data.parent / "sheet.png") as picture:
        assert picture.height == 4 * (sheet.CAPTION + sheet.TILE_HEIGHT + sheet.GAP)


def test_a_killed_run_leaves_a_report_and_goes_on(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    killed = ToyStage({"002.png": KeyboardInterrupt()})  # type: ignore[dict-item]
    code, report = run(data, killed, "--no-guard")
    assert code == 130 and [record["file"] for record in report["records"]] == ["000.png", "001.png"]
    assert report["summary"]["photographs"] == 2 and "--resume goes on" in capsys.readouterr().err
    before = report["records"]
    stage = ToyStage({"003.png": PhotoError("No object was found.")})
    code, report = run(data, stage, "--no-guard", "--resume")
    assert code == 1 and stage.names == ["002.png", "003.png"] and report["records"][:2] == before
    again = ToyStage()
    code, report = run(data, again, "--no-guard", "--resume")
    assert code == 0 and again.names == ["003.png"], "what failed is tried again"
    assert [record["file"] for record in report["records"]] == list(LABELS)
    with_sheet = ToyStage()
    run(data, with_sheet, "--no-guard", "--resume", f"--sheet={data.parent}/sheet.png")
    assert with_sheet.names == list(LABELS), "rows were not kept, so that they are made now"
    done = ToyStage()
    run(data, done, "--no-guard", "--resume", f"--sheet={data.parent}/sheet.png")
    assert done.names == []


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--resume", "--quality=fine"], "was measured with other data or settings"),
        (["--cutout-model=nowhere.onnx"], "There is no cut-out model nowhere.onnx; name an ONNX file, or own."),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_sentence(
    data: Path, capsys: pytest.CaptureFixture[str], more: list[str], sentence: str
) -> None:
    assert run(data, ToyStage(), "--no-guard", "--count=1")[0] == 0
    stage = ToyStage()
    code, report = run(data, stage, "--no-guard", *more)
    said = capsys.readouterr().err
    assert code == 2 and stage.names == [] and said.startswith("evaluate.py: ") and said.count("\n") == 1
    assert sentence in said and len(report["records"]) == 1, "the former report is left alone"


def test_data_that_cannot_be_used_is_said_in_one_sentence(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data.parent / "out").mkdir()
    (data.parent / "out" / "report.json").write_text("[]")
    assert run(data, ToyStage(), "--resume", "--no-guard")[0] == 2
    assert "is no report of photographs" in capsys.readouterr().err
    (data / "labels.csv").write_text("file,azimuth_deg,ok\n000.png,0,0")
    assert run(data, ToyStage(), "--no-guard")[0] == 2
    assert "has no photograph of the part 'all' that is ok" in capsys.readouterr().err


def test_without_blender_the_command_uses_the_pipeline(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "bpy", raising=False)
    words = [f"--data={data}", f"--report={data.parent}/r.json", "--no-guard", "--count=1", "--device=cpu"]
    with pytest.raises(SystemExit):
        command.main([*words, "--silhouettes=scene"])
    assert "Blender's scenes are measured by scripts/evaluate.py" in capsys.readouterr().err
    assert evaluate.main([*words, "--silhouettes=rasteriser", "--bundle=nowhere"]) == 1
    (record,) = json.loads((data.parent / "r.json").read_text(encoding="utf-8"))["records"]
    assert record["error"].startswith("There is no weights bundle 'nowhere'")
    assert command.main([*words, "--bundle=nowhere"]) == 1
