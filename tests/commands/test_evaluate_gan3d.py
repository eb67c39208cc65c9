# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/photograph_solids.py and scripts/evaluate_gan3d.py from end to end, with generators that learnt nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from PIL import Image

from backend.commands import evaluate_gan3d, photograph_solids
from backend.data.images import ImageSetConfig
from backend.models.shape_generator import ShapeGenerator, ShapeGeneratorConfig, save_shape_generator
from backend.models.stylegan2 import GeneratorConfig
from backend.models.surface_maps import SurfaceConfig
from backend.render.viewpoints import ViewpointPrior
from backend.training.gan3d.task import GENERATOR
from tests.helpers.synthetic import write_dataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs, and two runs: one whose shapes have the solids' size, one whose shapes are far too small."""
    folder = tmp_path_factory.mktemp("gan3d")
    arguments = ["--out", str(folder / "solids"), "--pictures", "4", "--resolution", "16", "--azimuth", "60"]
    assert photograph_solids.main(arguments) == 0
    for name, radius in (("fitting", 0.43), ("small", 0.1)):
        torch.manual_seed(0)
        config = ShapeGeneratorConfig(
            maps=GeneratorConfig(16, 6, 5, 1, channels=(6, 5, 4)),
            background=GeneratorConfig(8, 4, 5, 1, channels=(4, 3)),
            surface=SurfaceConfig("sphere", 8), radius=radius, size_constraint=False, shape_gain=0.01,
        )  # fmt: skip
        save_shape_generator(folder / name / GENERATOR, ShapeGenerator(config))
    return folder


def evaluate(folder: Path, *more: str) -> int:
    runs = [str(folder / "fitting"), str(folder / "small")]
    return evaluate_gan3d.main([*runs, "--data", str(folder / "solids"), "--shapes", "6", "--device", "cpu", *more])


def test_the_report_compares_runs_with_solids_and_a_ball(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    report_path, sheet = tmp_path / "report.json", tmp_path / "new" / "sheet.png"
    more = ["--pictures", "8", "--report", str(report_path), "--sheet", str(sheet)]
    assert evaluate(folder, *more) == 0
    report = json.loads(report_path.read_text(encoding="utf-8"))
    fitting, small = report["runs"]["fitting"], report["runs"]["small"]
    assert fitting["size_ratio"] == pytest.approx(1, abs=0.1) and small["size_ratio"] < 0.3
    assert fitting["chamfer"] < 0.5 * small["chamfer"]
    # What has learnt nothing is a ball.
    assert fitting["chamfer"] == pytest.approx(report["references"]["ball"]["chamfer"], abs=0.02)
    assert {"encoder_frechet", "unseen_encoder_frechet"} <= fitting.keys() & report["references"]["data"].keys()
    assert "unseen_encoder_frechet" in capsys.readouterr().out
    assert Image.open(sheet).size == (8 * 66 - 2, 3 * (2 * 66 - 2) + 2 * 8)


def test_pictures_are_left_out_on_demand(folder: Path, tmp_path: Path) -> None:
    assert evaluate(folder, "--pictures", "0", "--report", str(tmp_path / "report.json")) == 0
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert set(report["runs"]["small"]) == {
        "chamfer", "chamfer_of_data", "depth_correlation", "size_ratio", "turn_deg", "own_turn_deg"
    }  # fmt: skip


def test_rendered_objects_are_compared_by_their_meshes_and_pictures(folder: Path, tmp_path: Path) -> None:
    renders = write_dataset(tmp_path / "renders", objects=5, views=4, resolution=16, truth=False)
    settings = {"images": asdict(ImageSetConfig(16)), "viewpoints": asdict(ViewpointPrior(180.0, (0.0, 30.0)))}
    (folder / "fitting" / "config.json").write_text(json.dumps(settings))
    report_path, sheet = tmp_path / "report.json", tmp_path / "sheet.png"
    more = ["--shapes", "6", "--pictures", "10", "--report", str(report_path), "--sheet", str(sheet), "--device", "cpu"]
    assert evaluate_gan3d.main([str(folder / "fitting"), "--data", str(renders), *more]) == 0
    report = json.loads(report_path.read_text(encoding="utf-8"))
    made, data = report["runs"]["fitting"], report["references"]["data"]
    assert data["chamfer"] < 0.7 * made["chamfer"] and data["depth_correlation"] > made["depth_correlation"]
    assert 0 < data["encoder_frechet"] < made["encoder_frechet"] and "unseen_encoder_frechet" not in made
    assert Image.open(sheet).size == (8 * 66 - 2, 2 * 66 - 2)


def test_wrong_folders_are_said_in_one_sentence(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = [str(tmp_path), "--data", str(folder / "solids"), "--report", str(tmp_path / "report.json")]
    assert evaluate_gan3d.main([*arguments, "--device", "cpu"]) == 1
    assert "cannot be read" in capsys.readouterr().err
    arguments[2] = str(tmp_path)
    assert evaluate_gan3d.main([*arguments, "--device", "cpu"]) == 1
    assert "cannot be read" in capsys.readouterr().err
    arguments[0] = str(folder / "fitting")
    assert evaluate_gan3d.main([*arguments, "--device", "cpu"]) == 1
    assert "no folder of rendered solids" in capsys.readouterr().err
    (tmp_path / "dataset.json").write_text("{}")
    assert evaluate_gan3d.main([*arguments, "--device", "cpu"]) == 1
    assert "0 objects with a mesh; two are needed" in capsys.readouterr().err
