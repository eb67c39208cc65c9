# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""build_bundle.py --shape-generator: a run of train.py gan3d becomes a bundle, alone or beside other networks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from backend.commands import build_bundle
from backend.common.bundle_files import CARD, FOLDERS_VARIABLE, SHAPE_GENERATOR
from backend.errors import BundleError
from backend.models.shape_generator import load_shape_generator
from backend.models.storage import read_metadata
from backend.weights.bundle import load_bundle
from tests.helpers.parts_samples import write_parts_bundle
from tests.helpers.shape_samples import shape_generator, write_shape_bundle, write_shape_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shape_run(tmp_path_factory.mktemp("runs") / "blobs")


def test_the_card_says_what_it_is_and_how_it_was_trained(run: Path, tmp_path: Path, capsys) -> None:
    folder = write_shape_bundle(tmp_path / "blobs", run)
    assert "generator of shapes: pictures of 32 px, 8.0 kimg" in capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == {CARD, SHAPE_GENERATOR}
    card = json.loads((folder / CARD).read_text())
    assert (card["name"], card["category"], card["real_size"]) == ("blobs", "blob", 2.0)
    block = card["shape_generator"]
    assert block["resolution"] == 32 and block["data"] == "made up" and block["licence"] == "CC0-1.0"
    assert block["training"]["steps"] == 1000 and block["training"]["batch"] == 8
    assert block["metrics"]["coverage"] == 0.5
    metadata = read_metadata(folder / SHAPE_GENERATOR)
    assert set(metadata) == {"config", "precision", "viewpoints", "pictures"} and metadata["precision"] == "half"


def test_eight_bits_make_nearly_the_same_objects(run: Path, tmp_path: Path) -> None:
    folder = write_shape_bundle(tmp_path / "small", run, "--precision", "int8")
    assert read_metadata(folder / SHAPE_GENERATOR)["precision"] == "int8"
    before, after = load_shape_generator(run / SHAPE_GENERATOR), load_shape_generator(folder / SHAPE_GENERATOR)
    z = torch.randn(2, before.z_dim, generator=torch.Generator().manual_seed(0))
    assert (before(z).vertices - after(z).vertices).abs().max() < 0.02


def test_weights_too_large_for_half_precision_keep_their_numbers(tmp_path: Path) -> None:
    generator = shape_generator()
    generator.maps.mapping.average.fill_(1e6)
    folder = write_shape_bundle(tmp_path / "large", write_shape_run(tmp_path / "run", generator))
    assert read_metadata(folder / SHAPE_GENERATOR)["precision"] == "float32"
    load_shape_generator(folder / SHAPE_GENERATOR)


def test_a_bundle_that_is_there_keeps_its_card_and_its_other_networks(run: Path, tmp_path: Path) -> None:
    folder = write_parts_bundle(tmp_path / "cars")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_shape_bundle(folder, run)
    card = json.loads((folder / CARD).read_text())
    kept = json.loads(before.pop(CARD))
    assert "shape_generator" in card and {name: card[name] for name in kept} == kept
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_image_to_3d_says_what_such_a_bundle_is(run: Path, tmp_path: Path, monkeypatch) -> None:
    write_shape_bundle(tmp_path / "user" / "blobs", run)
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path / "user"))
    with pytest.raises(BundleError, match="'blobs' holds a generator of shapes alone: for Image to 3D choose one of"):
        load_bundle("blobs")


def test_a_folder_that_is_no_run_is_one_sentence(tmp_path: Path, capsys) -> None:
    (tmp_path / "config.json").write_text('{"images": {"resolution": 32, "aspect": 1}}')
    for named in (tmp_path / "none", tmp_path):
        assert build_bundle.main(["--shape-generator", str(named), "--out", str(tmp_path / "out")]) == 1
        error = capsys.readouterr().err
        assert "usable run" in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()
