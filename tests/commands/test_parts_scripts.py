# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""build_template.py, fit_parts.py and the benchmark of parts, run as one runs them, on little."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backend.common.bundle_files import BUNDLED
from backend.evaluation.code_sheet import camera_at
from backend.render.camera import Cameras, project
from backend.render.rasterize import rasterize
from backend.weights.parts import load_parts

ROOT = Path(__file__).resolve().parents[2]


def run(script: str, *arguments: object) -> subprocess.CompletedProcess:
    """A script of the repository, to its end."""
    command = [sys.executable, str(ROOT / "scripts" / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def test_a_template_is_built_and_measured_in_one_command(tmp_path: Path) -> None:
    done = run("build_template.py", "--out", tmp_path / "bundle", "--cars", 100, "--components", 12, "--held-out", 4,
               "--report", tmp_path / "figures.json")  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["held_out"] == 4 and 0 < figures["vertex_error_mean"] < 0.02
    model = load_parts(tmp_path / "bundle")
    assert model.space.size == 12 and len(model.template.vertices) == figures["vertices"]
    # The same grids as in the shipped template: what is built anew takes its place.
    shipped = load_parts(BUNDLED / "car").template
    np.testing.assert_array_equal(model.template.quads, shipped.quads)


def test_too_few_cars_are_refused_in_a_sentence(tmp_path: Path) -> None:
    done = run("build_template.py", "--out", tmp_path, "--cars", 20)
    assert done.returncode == 2 and "--cars must be at least 100, not 20" in done.stderr


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one picture of the mean car, its mask and its azimuth."""
    folder = tmp_path_factory.mktemp("photos")
    model = load_parts(BUNDLED / "car")
    cameras = Cameras.batch([camera_at(-35, 8, 2.6, 0.42)])
    screen = project(cameras, torch.as_tensor(model.template.vertices)[None], 160, 160)
    triangles = torch.as_tensor(model.template.triangles, dtype=torch.int64)
    mask = (rasterize(screen, triangles, 160, 160).face_index[0] >= 0).numpy()
    Image.fromarray(np.where(mask[..., None], [180, 30, 30], [90, 110, 90]).astype(np.uint8)).save(folder / "a.jpg")
    Image.fromarray((mask * 255).astype(np.uint8)).save(folder / "a.png")
    (folder / "labels.csv").write_text("id,azimuth_deg,ok\na,-30,1\n")
    return folder


def test_photographs_are_fitted_from_masks_and_azimuths(photograph: Path, tmp_path: Path) -> None:
    done = run("fit_parts.py", "photos", photograph, "--masks", photograph, "--labels", photograph / "labels.csv",
               "--out", tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    (record,) = json.loads((tmp_path / "report.json").read_text())["objects"]
    assert record["silhouette_iou"][0] > 0.93 and not record["open_top"]
    assert np.rad2deg(record["cameras"][0]["azimuth"]) == pytest.approx(-35, abs=6)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (2 * 5 * 128, 128)


def test_photographs_without_masks_are_refused_in_a_sentence(tmp_path: Path) -> None:
    done = run("fit_parts.py", "photos", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 2 and "photographs need --masks and --labels" in done.stderr


def test_the_benchmark_of_parts_measures_three_drawings() -> None:
    done = run("benchmark.py", "--only", "parts", "--repeat", 1)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if "[ms]" in line]
    assert len(lines) == 3 and all(float(line.split()[-1]) > 0 for line in lines)
