# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles with image generators: how they are found, what Image to 3D makes of them, and the scripts that make them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backend.commands import build_bundle, import_weights
from backend.common.bundle_files import BUNDLED, FOLDERS_VARIABLE
from backend.errors import BundleError
from backend.models.storage import write_tensors
from backend.models.stylegan2 import GeneratorConfig, load_generator, save_generator
from backend.weights.bundle import bundle_folders, load_bundle, read_card
from backend.weights.generator_bundle import (
    GeneratorCard,
    LoadedGenerator,
    add_generator,
    centred,
    load_generator_bundle,
    whole,
    write_generator_bundle,
)
from tests.helpers.stylegan2_checkpoints import random_generator, written

TINY = GeneratorConfig(16, 6, 7, 2, channels=(4, 3, 2))


@pytest.fixture
def user(tmp_path: Path, monkeypatch) -> Path:
    """The user's folder of bundles."""
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setenv(FOLDERS_VARIABLE, str(folder))
    return folder


def generator_bundle(folder: Path, content=(2, 0, 12, 16)) -> Path:
    card = GeneratorCard(16, content, source="a test", licence="CC0-1.0")
    return write_generator_bundle(folder, random_generator(TINY), card, replace=False)


# Finding and loading


def test_a_generator_is_found_by_name_by_folder_and_by_file(user: Path) -> None:
    folder = generator_bundle(user / "photos")
    for source, content in (("photos", (2, 0, 12, 16)), (str(folder), (2, 0, 12, 16)),
                            (folder / "generator.safetensors", (0, 0, 16, 16))):  # fmt: skip
        loaded = load_generator_bundle(source)
        assert loaded.content == content and loaded.generator.config == TINY
        assert not any(parameter.requires_grad for parameter in loaded.generator.parameters())
    assert (
        load_generator_bundle("photos").name == "photos" and load_generator_bundle("photos").info["source"] == "a test"
    )


def test_pictures_are_the_content_in_whole_numbers() -> None:
    images = torch.rand(2, 3, 16, 16) * 2.4 - 1.2
    loaded = LoadedGenerator("", {}, random_generator(TINY), (2, 1, 12, 14), torch.device("cpu"))
    pictures = loaded.to_pictures(images)
    assert pictures.shape == (2, 12, 14, 3) and pictures.dtype == np.uint8
    for sample, row, column, channel in ((0, 0, 0, 0), (1, 11, 13, 2), (1, 4, 7, 1)):
        value = (float(images[sample, channel, row + 2, column + 1]) + 1) / 2 * 255
        assert abs(int(pictures[sample, row, column, channel]) - min(255, max(0, value))) <= 0.5 + 1e-4
    grey = torch.arange(256).reshape(1, 1, 16, 16).expand(1, 3, 16, 16) / 127.5 - 1
    loaded.content = whole(16)
    assert np.array_equal(loaded.to_pictures(grey)[0, :, :, 0].ravel(), np.arange(256))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generator": None}, "has no image generator"),
        ({"format": 2}, "update the extension"),
        ({"generator": {"resolution": 16}}, "card is damaged"),
        ({"generator": {"resolution": 16, "content": [0, 0, 17, 16]}}, "not within 16x16"),
        ({"generator": {"resolution": 16, "content": [0.5, 0, 1, 1]}}, "whole numbers"),
        ({"generator": {"resolution": 32, "content": [0, 0, 17, 16]}}, "do not agree"),
    ],
)
def test_a_damaged_card_is_one_sentence(tmp_path: Path, change, message: str) -> None:
    folder = generator_bundle(tmp_path / "a")
    card = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**card, **change}))
    with pytest.raises(BundleError, match=message) as caught:
        load_generator_bundle(folder)
    assert "\n" not in str(caught.value)


def test_what_holds_no_generator_is_one_sentence(user: Path) -> None:
    generator_bundle(user / "photos")
    with pytest.raises(BundleError, match="no bundle 'nothing' with an image generator.*photos"):
        load_generator_bundle("nothing")
    (user / "photos" / "generator.safetensors").write_bytes(b"damaged")
    with pytest.raises(BundleError, match="cannot be loaded"):
        load_generator_bundle("photos")


def test_the_middle_of_a_square() -> None:
    assert centred(512, 384, 512) == (64, 0, 384, 512)
    with pytest.raises(ValueError, match="not within"):
        centred(512, 384, 513)


# Image to 3D


def test_image_to_3d_refuses_a_bundle_with_a_generator_alone(user: Path) -> None:
    folder = generator_bundle(user / "photos")
    for source in ("photos", str(folder)):
        with pytest.raises(BundleError, match="'photos' holds an image generator alone: .*choose one of car"):
            load_bundle(source)
    assert "photos" in bundle_folders() and "photos" not in bundle_folders("inverse_graphics.safetensors")


def test_a_generator_called_car_does_not_hide_the_car_bundle(user: Path) -> None:
    folder = generator_bundle(user / "car")
    assert bundle_folders("inverse_graphics.safetensors")["car"] == BUNDLED / "car"
    assert bundle_folders("generator.safetensors")["car"] == folder
    assert load_bundle("car").name == "car"


def test_image_to_3d_does_not_load_the_generator_beside_its_networks(user: Path) -> None:
    folder = user / "both"
    folder.mkdir()
    for path in (BUNDLED / "car").iterdir():
        (folder / path.name).symlink_to(path) if path.suffix != ".json" else shutil.copy(path, folder)
    before = read_card(folder)
    add_generator(folder, random_generator(TINY), GeneratorCard(16, (0, 0, 16, 16)))
    after = read_card(folder)
    assert {name: after[name] for name in before if name != "generator"} == {
        name: before[name] for name in before if name != "generator"
    }
    assert load_generator_bundle("both").generator.config == TINY
    (folder / "generator.safetensors").write_bytes(b"damaged")
    assert load_bundle("both").inverse_graphics is not None


# build_bundle.py


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A training run's folder as train.py leaves it: the log goes further than the last checkpoint."""
    folder = tmp_path / "runs" / "first"
    folder.mkdir(parents=True)
    save_generator(folder / "generator.safetensors", random_generator(TINY))
    config = {"images": {"resolution": 16, "aspect": 4 / 3}, "batch": 8, "seed": 3, "learning_rate": 0.002, "start": ""}
    (folder / "config.json").write_text(json.dumps(config))
    log = [
        {"step": 500, "loss": 1.0, "seconds": 60.0},
        {"step": 500, "validation/kimg": 4.0, "validation/distance": 0.5},
        {"step": 1000, "loss": 0.9, "seconds": 120.0},
        {"step": 1000, "validation/kimg": 8.0, "validation/distance": 0.25},
        {"step": 1500, "validation/kimg": 12.0, "validation/distance": 0.125},
    ]
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, log)) + '\n{"step": 1600, "lo')
    write_tensors(folder / "checkpoint.safetensors", {"a": torch.zeros(1)}, {"step": "1200", "seconds": "144.2"})
    return folder


def test_a_trained_generator_becomes_a_bundle(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "photo"
    texts = ["--data-note", "photos", "--licence", "CC0-1.0", "--notes", "a note", "--category", "car"]
    assert build_bundle.main(["--generator", str(run), "--out", str(out), *texts]) == 0
    card = json.loads((out / "bundle.json").read_text())
    block = card["generator"]
    assert card["category"] == "car" and "training" not in card
    assert block["content"] == [2, 0, 12, 16] and block["resolution"] == 16
    assert block["training"]["kimg"] == 9.6 and block["training"]["seconds"] == 144 and block["training"]["seed"] == 3
    assert block["metrics"] == {"step": 1000, "kimg": 8.0, "distance": 0.25}
    assert (block["data"], block["licence"], block["notes"]) == ("photos", "CC0-1.0", "a note")
    loaded = load_generator_bundle(out)
    expected = load_generator(run / "generator.safetensors").const
    assert torch.allclose(loaded.generator.const, expected, rtol=1e-3, atol=1e-6)
    assert (out / "generator.safetensors").stat().st_size < (run / "generator.safetensors").stat().st_size


def test_a_generator_is_added_to_a_bundle_and_the_rest_stays(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "car"
    shutil.copytree(BUNDLED / "car", out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    card = read_card(out)
    for _ in range(2):
        assert build_bundle.main(["--generator", str(run), "--out", str(out), "--data-note", "renders"]) == 0
    after = {path.name: path.read_bytes() for path in out.iterdir()}
    assert {name: after[name] for name in before if name not in ("bundle.json", "generator.safetensors")} == {
        name: before[name] for name in before if name not in ("bundle.json", "generator.safetensors")
    }
    new = json.loads(after["bundle.json"])
    assert new.pop("generator")["data"] == "renders"
    assert new == {name: value for name, value in card.items() if name != "generator"}


def test_build_bundle_says_what_it_misses(run: Path, tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        build_bundle.main(["--out", str(tmp_path / "out")])
    assert caught.value.code == 2 and "name a run" in capsys.readouterr().err
    assert build_bundle.main(["--generator", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 1
    assert "does not hold a usable run" in capsys.readouterr().err
    (run / "generator.safetensors").write_bytes(b"damaged")
    assert build_bundle.main(["--generator", str(run), "--out", str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()


# import_weights.py


def test_the_script_imports_and_shows_what_it_found(tmp_path: Path, capsys) -> None:
    path, sample = written(tmp_path, "tensorflow")
    samples = tmp_path / "pictures" / "samples.png"
    arguments = [
        str(path),
        "--out",
        str(tmp_path / "out"),
        "--name",
        "mine",
        "--crop",
        "12x14",
        "--licence",
        "mine alone",
    ]
    assert import_weights.main([*arguments, "--samples", str(samples)]) == 0
    shown = capsys.readouterr().out
    assert "TensorFlow pickle; images of 16x16, channels 6, 5, 4" in shown and "mine alone" in shown
    loaded = load_generator_bundle(tmp_path / "out" / "mine")
    assert loaded.content == (2, 1, 12, 14) and loaded.info["licence"] == "mine alone"
    with Image.open(samples) as grid:
        assert grid.size == (4 * 14, 3 * 12)
        z = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
        first = sample.images(z[:1], 0.7)
        loaded.content = (2, 1, 12, 14)
        difference = np.asarray(grid)[:12, :14].astype(int) - loaded.to_pictures(first)[0]
        assert np.abs(difference).max() <= 1
    assert import_weights.main(arguments) == 1
    assert "already" in capsys.readouterr().err
    assert import_weights.main([*arguments, "--replace", "--full"]) == 0


def test_the_scripts_errors_are_one_sentence_and_an_exit_code(root: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.pkl").write_bytes(b"hello")
    command = [
        sys.executable,
        str(root / "scripts" / "import_weights.py"),
        str(tmp_path / "bad.pkl"),
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == (
        "import_weights.py: The checkpoint bad.pkl is neither a pickle nor a file that torch.save writes.\n"
    )
    assert os.listdir(tmp_path) == ["bad.pkl"]


@pytest.mark.parametrize("crop", ["384", "ax3", "-1x4"])
def test_a_crop_is_a_height_and_a_width(crop: str, tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        import_weights.main([str(tmp_path), "--out", str(tmp_path), f"--crop={crop}"])
    assert caught.value.code == 2 and "HEIGHTxWIDTH" in capsys.readouterr().err
