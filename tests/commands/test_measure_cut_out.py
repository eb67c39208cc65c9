# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""measure_cut_out.py: which photographs it measures, against what, and what it says of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.common.records import CutOut
from backend.data.labelled_photographs import load_labelled_photographs, read_photographs
from backend.errors import PhotoError
from backend.pipeline import cut_out as module
from scripts import measure_cut_out

HEIGHT, WIDTH = 40, 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve photographs of a red box of 20x20; the mask also has a piece of 5x5 that is not the object."""
    for kind in ("photos", "masks"):
        (tmp_path / "set" / kind).mkdir(parents=True)
    rgb, mask = np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    rgb[10:30, 20:40], mask[10:30, 20:40], mask[:5, :5] = (255, 0, 0), 255, 255
    lines = ["file,azimuth_deg"]
    for number in range(12):
        Image.fromarray(rgb).save(tmp_path / "set" / "photos" / f"{number:03d}.png")
        Image.fromarray(mask).save(tmp_path / "set" / "masks" / f"{number:03d}.png")
        lines.append(f"{number:03d}.png,{number}")
    (tmp_path / "set" / "labels.csv").write_text("\n".join(lines))
    return tmp_path / "set"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Has half of the red box found in all photographs but the first, where nothing is; notes the number of looks."""
    seen: list[int] = []

    def half(photo, segmenter, device, config, cutout_model):
        assert cutout_model == "own"
        seen.append(config.looks)
        if photo.name == "000.png":
            raise PhotoError("No object was found.")
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[10:20] = photo.rgb[10:20, :, 0]
        return CutOut(mask, "segmenter")

    monkeypatch.setattr(module, "cut_out", half)
    return seen


def test_a_photograph_is_read_in_its_own_size_with_the_largest_piece_of_its_mask(folder: Path) -> None:
    name, rgb, mask = next(read_photographs(folder))
    assert name == "000.png" and rgb.shape == (HEIGHT, WIDTH, 3)
    assert (mask > 127).sum() == 400 and not mask[:5, :5].any()


def test_overlaps_are_averaged_and_an_object_that_is_not_found_counts_as_none(
    folder: Path, looks: list[int], tmp_path: Path, capsys
) -> None:
    report = tmp_path / "report.json"
    command = ["--data", str(folder), "--count", "3", "--threads", "0", "--report", str(report), "looks=1"]
    assert measure_cut_out.main(command) == 0
    figures = json.loads(report.read_text())[str(folder)]
    assert [one["file"] for one in figures["photographs"]] == ["000.png", "006.png", "011.png"]
    assert [one["iou"] for one in figures["photographs"]] == [0, 0.5, 0.5]
    assert figures["count"] == 3 and figures["iou_below_0.8"] == 1
    assert figures["iou_mean"] == pytest.approx(1 / 3) and figures["iou_median"] == 0.5
    assert "iou_mean 0.3333" in capsys.readouterr().out and looks == [1, 1, 1]


def test_a_network_that_is_named_works_beside_the_segmenter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[str] = []

    def whole(photo, segmenter, device, config, cutout_model):
        named.append(cutout_model)
        return CutOut(photo.rgb[..., 0], "segmenter")

    monkeypatch.setattr(module, "cut_out", whole)
    assert measure_cut_out.main(["--data", str(folder), "--count", "1", "--cutout-model", "u2net.onnx"]) == 0
    assert measure_cut_out.main(["--data", str(folder), "--count", "1"]) == 0
    assert named == ["u2net.onnx", "own"]


def test_parts_are_those_of_the_training(folder: Path, looks: list[int], tmp_path: Path) -> None:
    names = {}
    for part in ("held-out", "shown"):
        report = tmp_path / f"{part}.json"
        assert measure_cut_out.main(["--data", str(folder), "--part", part, "--report", str(report)]) == 0
        names[part] = tuple(one["file"] for one in json.loads(report.read_text())[str(folder)]["photographs"])
    shown, held_out = load_labelled_photographs(folder, 8).split(0.2)
    assert names == {"shown": shown.names, "held-out": held_out.names} and all(names.values())


def test_what_cannot_be_measured_is_one_sentence(folder: Path, tmp_path: Path, capsys) -> None:
    for words, message in (
        (["--data", str(tmp_path / "none")], "labels.csv is missing"),
        (["--data", str(folder), "--bundle", "none"], "No bundle 'none' has a segmenter; choose one of car"),
        (["--data", str(folder), "looked=3"], "There is no setting 'looked'"),
        (["--data", str(folder), "--segmenter", str(folder / "labels.csv")], "cannot be read"),
    ):
        assert measure_cut_out.main(words) == 1
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    (folder / "labels.csv").write_text("file,azimuth_deg\n")
    assert measure_cut_out.main(["--data", str(folder)]) == 1
    assert "no usable photograph" in capsys.readouterr().err
