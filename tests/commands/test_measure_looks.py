# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""measure_looks.py: errors of palettes whose colours are known, and how much the light explains."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.pipeline.parts_colour import encoded
from backend.pipeline.parts_paint import SeenRegions
from scripts import measure_looks
from tests.helpers.lit_ball import Drawn, grey

PAINTS = {"000000": (0.3, 0.02, 0.02), "000001": grey(0.6)}


def drawn(paint: tuple[float, float, float], mirrored: float = 0.05) -> SeenRegions:
    colours, normals, shares = Drawn(paint, mirrored=mirrored).arrays()
    return SeenRegions(colours, normals, shares, shares)


@pytest.fixture
def renders(tmp_path: Path) -> Path:
    """Two rendered objects, which were read already."""
    (tmp_path / "looks").mkdir()
    for name, paint in PAINTS.items():
        folder = tmp_path / "objects" / name
        folder.mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(folder / "view_00.png")
        true = {"paint": encoded(np.array(paint)).tolist(), "carpet": [0, 0, 0]}
        (folder / "object.json").write_text(json.dumps({"views": [{"file": "view_00.png"}], "base_colours": true}))
        seen = drawn(paint)
        np.savez(
            tmp_path / "looks" / f"{name}.npz",
            colours=seen.colours, normals=seen.normals, drawn=seen.drawn, read=seen.read,
        )  # fmt: skip
    return tmp_path


def test_errors_are_of_the_known_regions_and_their_mean_is_reported(
    renders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = renders / "report.json"
    assert measure_looks.main([f"--data={renders}", f"--report={report}"]) == 0
    made = json.loads(report.read_text())
    rows = made["pictures"]
    assert [row["file"] for row in rows] == list(PAINTS) and "carpet" not in rows[0]
    assert made["paint"] == pytest.approx(np.mean([row["paint"] for row in rows])) and made["paint"] < 0.1
    assert made["pictures_measured"] == 2 and made["light_r2"] > 0.8
    assert f"paint {made['paint']:.3f}" in capsys.readouterr().out
    assert measure_looks.main([f"--data={renders}", f"--report={report}", "--count=1"]) == 0
    assert len(json.loads(report.read_text())["pictures"]) == 1


def test_light_explains_what_varies_smoothly_and_no_noise() -> None:
    smooth = drawn((0.3, 0.02, 0.02), 0.0)
    noise = np.random.default_rng(0).uniform(0.2, 0.8, smooth.colours.shape).astype(np.float32)
    noisy = SeenRegions(noise, smooth.normals, smooth.drawn, smooth.read)
    assert measure_looks.light_explains(smooth)["light_r2"] > 0.9
    assert measure_looks.light_explains(noisy)["light_r2"] < 0.1


def test_nothing_to_measure_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure_looks.main([f"--data={tmp_path}"]) == 1
    assert "neither rendered objects nor labelled photographs" in capsys.readouterr().err
