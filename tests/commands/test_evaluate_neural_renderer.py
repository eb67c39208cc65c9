# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/evaluate_neural_renderer.py on a small run: figures, the paper's pictures, refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backend.commands.evaluate_neural_renderer import main
from backend.common.bundle_files import GENERATOR, INVERSE_GRAPHICS, NEURAL_RENDERER, STYLE_MAPPING, TEMPLATE
from backend.common.truth_codes import FILE_NAME
from backend.evaluation.neural_renderer.judged_run import MASKS, WARMED_UP
from backend.evaluation.neural_renderer.painters import HANDLES
from backend.models.segmenter import Segmenter, SegmenterConfig, save_segmenter
from backend.models.storage import save_network
from backend.models.style_mapping import StyleMapping, StyleMappingConfig, save_style_mapping
from backend.models.stylegan2 import save_generator
from tests.helpers.described import NETWORK, SIDE, generator, judge
from tests.helpers.synthetic import TEMPLATE as BOX
from tests.helpers.synthetic import write_dataset

OBJECTS = 4


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run with untrained networks, and rendered boxes with codes."""
    root = tmp_path_factory.mktemp("renderer")
    data = write_dataset(root / "data", objects=OBJECTS, views=3, resolution=SIDE)
    rng = np.random.default_rng(0)
    textures = rng.integers(0, 255, (OBJECTS, 16, 16, 3), np.uint8)
    names, codes = [f"{number:06d}" for number in range(OBJECTS)], rng.normal(size=(OBJECTS, 4))
    np.savez_compressed(data / FILE_NAME, names=names, codes=codes, textures=textures)
    run, by = root / "run", root / "judge"
    for folder in (run, by):
        folder.mkdir()
    maker = generator()
    save_generator(root / GENERATOR, maker)
    save_generator(run / NEURAL_RENDERER, maker)
    styles = sum(layer.channels for layer in maker.describe_layers())
    torch.manual_seed(0)
    config = StyleMappingConfig(
        styles=styles, view_styles=8, content_styles=20, shape_code=NETWORK.shape_code, texture_size=16,
        background_size=16,
    )  # fmt: skip
    mapping = StyleMapping(config)
    for name in (STYLE_MAPPING, WARMED_UP):
        save_style_mapping(run / name, mapping)
    small = SegmenterConfig(resolution=SIDE, channels=(4, 4, 4, 4), blocks=(1, 1, 1, 1))
    save_segmenter(run / MASKS, Segmenter(small))
    save_network(by / INVERSE_GRAPHICS, judge(), NETWORK, precision="float32")
    BOX.save(by / TEMPLATE)
    settings = {"generator": str(root / GENERATOR), "inverse_graphics": str(by)}
    (run / "config.json").write_text(json.dumps(settings))
    return run, data


def test_swaps_cameras_distances_and_pictures_are_reported(folders: tuple[Path, Path], tmp_path: Path) -> None:
    run, data = folders
    report, pictures = tmp_path / "report.json", tmp_path / "pictures"
    arguments = [str(run), "--data", str(data), "--report", str(report), "--pictures", str(pictures)]
    assert main([*arguments, "--pairs", "4", "--azimuths", "6", "--threads", "1"]) == 0
    figures = json.loads(report.read_text())
    assert set(figures["swaps"]) == {"before", "warm_up", "fine_tuned"}
    for stage in figures["swaps"].values():
        assert all(set(stage[handle]) == {*HANDLES, "arrived", "leak"} for handle in HANDLES)
    assert figures["swaps"]["warm_up"] == figures["swaps"]["fine_tuned"]  # the same networks, here
    assert {"azimuth_error_deg_median", "second_flips", "zoom_error_median"} <= set(figures["camera_control"])
    assert figures["pictures"] == 3 * OBJECTS
    assert {path.stem for path in pictures.iterdir()} == {"dual", "strips", "swaps"}
    width, height = Image.open(pictures / "swaps.png").size
    assert width == 3 * 2 * SIDE and height == 10 * 2 * SIDE


def test_a_run_that_went_on_without_a_warm_up_has_no_row_for_it(folders: tuple[Path, Path], tmp_path: Path) -> None:
    run, data = folders
    further = Path(shutil.copytree(run, tmp_path / "further"))
    (further / WARMED_UP).unlink()
    report = tmp_path / "report.json"
    arguments = [str(further), "--data", str(data), "--report", str(report), "--pairs", "2", "--azimuths", "2"]
    assert main([*arguments, "--threads", "1"]) == 0
    assert set(json.loads(report.read_text())["swaps"]) == {"before", "fine_tuned"}


def test_what_cannot_be_measured_is_refused(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, data = folders
    report = ["--report", str(tmp_path / "report.json")]
    assert main([str(tmp_path), "--data", str(data), *report]) != 0
    assert main([str(run), "--data", str(tmp_path), *report]) != 0
    assert "No rendered object lies in" in capsys.readouterr().err
    for wrong in (["--pairs", "1"], ["--photos", "one.jpg"], ["--photos", "one.jpg", "two.jpg"]):
        with pytest.raises(SystemExit):
            main([str(run), "--data", str(data), *report, *wrong])
