# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""calibrate.py: what it asks of photographs, what it keeps of them, and what it writes to the card."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.common.bundle_files import CARD, PARTS_NETWORK
from backend.data.labelled_photographs import load_labelled_photographs
from backend.weights.bundle import BUNDLED, load_bundle
from backend.weights.confidence import Evidence
from scripts import calibrate

COUNT = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty photographs of a box at as many azimuths."""
    for kind in ("photos", "masks"):
        (tmp_path / "set" / kind).mkdir(parents=True)
    rgb, mask = np.full((40, 60, 3), 200, np.uint8), np.zeros((40, 60), np.uint8)
    mask[10:30, 15:45] = 255
    lines = ["file,azimuth_deg"]
    for number in range(COUNT):
        Image.fromarray(rgb).save(tmp_path / "set" / "photos" / f"{number:03d}.png")
        Image.fromarray(mask).save(tmp_path / "set" / "masks" / f"{number:03d}.png")
        lines.append(f"{number:03d}.png,{9 * number - 180}")
    (tmp_path / "set" / "labels.csv").write_text("\n".join(lines))
    return tmp_path / "set"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the bundle, whose card may be written."""
    copy = tmp_path_factory.mktemp("bundles") / "copy"
    shutil.copytree(BUNDLED / "car", copy)
    return copy


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Has the evidence follow from a photograph's name, and notes the looks; the first shows no object."""
    seen: list[str] = []

    def look(photo, mask, azimuth, quality, bundle):
        seen.append(photo.name)
        number = int(photo.name)
        if number == 0:
            return None
        right = number % 3 > 0
        evidence = Evidence(0.8 if right else 0.5, 0.2 * right, 0.3 + number % 5 / 10, 0.7, 0.9, 0.93)
        return {"azimuth_error_deg": 5.0 if right else 170.0, "right": right, "evidence": evidence.as_dict()}

    monkeypatch.setattr(calibrate, "looked_at", look)
    return seen


def test_the_card_gets_what_the_product_then_reads(folder: Path, bundle: Path, looks: list[str], capsys) -> None:
    before = json.loads((bundle / CARD).read_text(encoding="utf-8"))
    assert calibrate.main(["--data", str(folder), "--bundle", str(bundle)]) == 0
    printed = capsys.readouterr().out
    assert "threshold" in printed and "ranking 1" in printed and "wrong_warned 1" in printed
    after = json.loads((bundle / CARD).read_text(encoding="utf-8"))
    entry = after["parts_network"].pop("confidence")
    before["parts_network"].pop("confidence", None)
    assert after == before and entry["photographs"] == COUNT - 1 and entry["right"] == 26
    loaded = load_bundle(str(bundle)).parts
    assert loaded is not None and loaded.confidence is not None
    likely, unlikely = Evidence(0.9, 0.2, 0.3, 0.7, 0.9, 0.93), Evidence(0.5, 0.0, 0.6, 0.7, 0.9, 0.93)
    assert loaded.confidence.of(likely) > 0.8 > loaded.confidence.threshold > loaded.confidence.of(unlikely)
    card = (bundle / CARD).read_text(encoding="utf-8")
    assert calibrate.main(["--data", str(folder), "--bundle", str(bundle), "--judge", "--count", "9"]) == 0
    assert "photographs 8" in capsys.readouterr().out
    assert (bundle / CARD).read_text(encoding="utf-8") == card


def test_what_was_found_is_not_looked_for_again(folder: Path, bundle: Path, looks: list[str], tmp_path: Path) -> None:
    cache, report = tmp_path / "cache.json", tmp_path / "report.json"
    command = ["--data", str(folder), "--bundle", str(bundle), "--cache", str(cache)]
    assert calibrate.main([*command, "--count", "20"]) == 0 and len(looks) == 20
    assert calibrate.main([*command, "--report", str(report)]) == 0
    assert len(looks) == len(set(looks)) == COUNT == len(json.loads(cache.read_text()))
    figures = json.loads(report.read_text())
    assert len(figures["photographs"]) == COUNT - 1 and figures["right"] == pytest.approx(26 / 39)
    assert calibrate.main([*command, "--given-masks"]) == 0 and len(looks) == 2 * COUNT
    (bundle / PARTS_NETWORK).rename(bundle / "kept")
    (bundle / PARTS_NETWORK).write_bytes((bundle / "kept").read_bytes())
    assert calibrate.main(command) == 0 and len(looks) == 2 * COUNT, "the same network goes on"


def test_parts_are_those_of_the_training(folder: Path, bundle: Path, looks: list[str]) -> None:
    shown, held_out = load_labelled_photographs(folder, 8).split(0.2)
    assert 0 < len(held_out) < len(shown)
    assert calibrate.main(["--data", str(folder), "--bundle", str(bundle), "--part", "shown"]) == 0
    assert {f"{name}.png" for name in looks} == set(shown.names)


def test_what_cannot_be_calibrated_is_one_sentence(
    folder: Path, bundle: Path, looks: list[str], tmp_path: Path, capsys
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("[1]")
    card = json.loads((bundle / CARD).read_text(encoding="utf-8"))
    card["parts_network"].pop("confidence", None)
    (bundle / CARD).write_text(json.dumps(card), encoding="utf-8")
    base = ["--data", str(folder), "--bundle", str(bundle)]
    for words, message in (
        (["--data", str(tmp_path / "none"), "--bundle", str(bundle)], "labels.csv is missing"),
        (["--data", str(folder), "--bundle", "none"], "No bundle 'none' has a network for objects with parts"),
        ([*base, "--cache", str(broken)], "is no cache of this program"),
        ([*base, "--judge"], "says nothing of confidence"),
        ([*base, "--count", "2"], "give more of them"),
    ):
        assert calibrate.main(words) == 1
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1


def test_a_photograph_is_looked_at_as_the_product_does(root: Path, bundle: Path) -> None:
    from backend.models.crop import crop_around
    from backend.pipeline.photo import load_photo

    loaded = load_bundle(str(bundle))
    photo = load_photo(root / "examples" / "car.jpg")
    assert loaded.parts is not None
    mask = np.zeros(photo.rgb.shape[:2], np.uint8)
    mask[mask.shape[0] // 4 : -mask.shape[0] // 4, mask.shape[1] // 6 : -mask.shape[1] // 6] = 255
    assert crop_around(mask).side > 0
    found = calibrate.looked_at(photo, mask, 0.0, "standard", loaded)
    assert found is not None and found["right"] == (found["azimuth_error_deg"] < 45)
    assert list(found["evidence"]) == list(Evidence(0, 0, 0, 0, 0, 0).as_dict())
    assert all(math.isfinite(value) for value in found["evidence"].values())
