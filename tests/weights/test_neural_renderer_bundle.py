# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of StyleGAN-R becomes part of a bundle that has a shape space, and of no other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.commands import build_bundle
from backend.common.bundle_files import BUNDLED, CARD, NEURAL_RENDERER, SHAPE_SPACE, STYLE_MAPPING
from backend.models.style_mapping import StyleMapping, StyleMappingConfig, save_style_mapping
from backend.models.stylegan2 import save_generator
from backend.weights.neural_renderer import load_neural_renderer
from tests.helpers.described import SIDE, described, generator

STYLES = sum(layer.channels for layer in generator().describe_layers())


def write_run(folder: Path, shape_code: int = 4) -> Path:
    folder.mkdir()
    torch.manual_seed(0)
    config = StyleMappingConfig(
        styles=STYLES, view_styles=8, content_styles=20, shape_code=shape_code, texture_size=16, background_size=16
    )
    save_style_mapping(folder / STYLE_MAPPING, StyleMapping(config))
    save_generator(folder / NEURAL_RENDERER, generator())
    settings = {"batch": 10, "known": 8, "rendered": "/somewhere/of/mine", "inverse_graphics": "runs/judge", "seed": 3}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "log.jsonl").write_text(json.dumps({"step": 7, "seconds": 3.0, "validation/picture_l1": 0.05}) + "\n")
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in (CARD, SHAPE_SPACE):
        shutil.copyfile(BUNDLED / "car" / name, folder / name)
    return folder


def put(run: Path, bundle: Path) -> int:
    return build_bundle.main(["--neural-renderer", str(run), "--out", str(bundle), "--data-note", "made boxes"])


def test_the_bundle_draws_what_the_run_draws(bundle: Path, tmp_path: Path) -> None:
    run, known = write_run(tmp_path / "run"), described()
    assert put(run, bundle) == 0
    asked = known.cameras, known.shape_code, known.texture.float() / 255, known.background.float() / 255
    first, second = (load_neural_renderer(folder)(*asked) for folder in (run, bundle))
    assert first.shape == (len(known), 3, SIDE, SIDE)
    assert float((first - second).abs().mean()) < 0.01


def test_the_card_says_how_it_was_made_and_nothing_of_the_machine(bundle: Path, tmp_path: Path) -> None:
    put(write_run(tmp_path / "run"), bundle)
    card = json.loads((bundle / CARD).read_text())
    block = card["neural_renderer"]
    assert block["data"] == "made boxes" and block["metrics"]["picture_l1"] == 0.05
    assert block["training"]["batch"] == 10 and block["training"]["known"] == 8
    assert "somewhere" not in json.dumps(block)
    assert card["parts"] == json.loads((BUNDLED / "car" / CARD).read_text())["parts"]


def test_a_bundle_without_a_shape_space_or_with_shorter_codes_is_refused(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert put(write_run(tmp_path / "long", shape_code=200), bundle) != 0
    assert "fewer than 200" in capsys.readouterr().err
    (bundle / SHAPE_SPACE).unlink()
    assert put(write_run(tmp_path / "run"), bundle) != 0
    assert "has no template with parts" in capsys.readouterr().err
    assert not (bundle / STYLE_MAPPING).exists()
    assert put(tmp_path, bundle) != 0
    assert "no neural renderer" in capsys.readouterr().err


def test_only_the_codes_first_numbers_count(tmp_path: Path) -> None:
    renderer, known = load_neural_renderer(write_run(tmp_path / "run")), described()
    longer = torch.cat([known.shape_code, torch.randn(len(known), 5)], dim=1)
    maps = known.texture.float() / 255, known.background.float() / 255
    first, second = (renderer(known.cameras, code, *maps) for code in (known.shape_code, longer))
    np.testing.assert_array_equal(first.numpy(), second.numpy())
