# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/project.py: photos in, codes and pictures out; a bad photo is a sentence and the rest goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.commands import project
from backend.models.stylegan2 import save_generator
from backend.pipeline.projection.features import ObjectFeatures
from backend.pipeline.projection.file import load_projection
from backend.weights.bundle import load_bundle
from tests.helpers.projection_samples import loaded_generator

QUICK = ("--steps", "4", "--candidates", "18", "--device", "cpu", "--objects", "none")


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("generator") / "generator.safetensors"
    save_generator(path, loaded_generator().generator)
    return path


def photo(path: Path, seed: int = 0, alpha: bool = False) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 60, 4 if alpha else 3), dtype=np.uint8)
    if alpha:
        pixels[..., 3] = 0
        pixels[10:30, 20:40, 3] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def test_photos_give_codes_pictures_and_a_report_and_bad_ones_a_sentence(
    tmp_path: Path, generator: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, same_name = photo(tmp_path / "one.png"), photo(tmp_path / "other" / "one.png", 1)
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"\xff\xd8\xff no picture")
    out = tmp_path / "out"
    paths = [str(p) for p in (good, damaged, tmp_path / "missing.png", same_name)]
    assert project.main([*paths, "--generator", str(generator), "--out", str(out), *QUICK]) == 1
    said = capsys.readouterr()
    sentences = [line for line in said.err.splitlines() if line.startswith("project.py: ")]
    assert len(sentences) == 2 and "damaged.jpg" in sentences[0] and "missing.png was not found" in sentences[1]
    assert "Traceback" not in said.err and "100%" in said.err
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert (report["photos"], report["failed"]) == (4, 2)
    assert [record["error"] is None for record in report["records"]] == [True, False, False, True]
    for record, name in ((report["records"][0], "one"), (report["records"][3], "one_2")):
        assert record["outputs"] == [str(out / name / f"projection.{ending}") for ending in ("safetensors", "png")]
        found, about = load_projection(Path(record["outputs"][0]))
        assert found.space == "w+" and about["photo"] == "one.png" and found.codes.shape == (8, 24)
        assert record["distance"] == pytest.approx(found.distance) and record["seconds"] > 0
        both = np.asarray(Image.open(record["outputs"][1]))
        assert both.shape == (32, 64, 3)
        assert np.abs(both / 255 - np.concatenate([found.target, found.image], axis=1)).max() < 0.003
    assert not list(out.rglob("*.part"))


def test_a_seed_and_a_space_are_heeded_and_transparency_and_masks_hide(tmp_path: Path, generator: Path) -> None:
    def projected(name: str, path: Path, *options: str):
        out = tmp_path / name
        assert project.main([str(path), "--generator", str(generator), "--out", str(out), *QUICK, *options]) == 0
        return load_projection(out / path.stem / "projection.safetensors")[0]

    plain = photo(tmp_path / "plain.png")
    first = projected("first", plain, "--space", "w")
    assert (first.codes == first.codes[0]).all()
    assert np.array_equal(first.codes, projected("again", plain, "--space", "w").codes)
    assert not np.array_equal(first.codes, projected("seed", plain, "--space", "w", "--seed", "1").codes)
    assert (first.target != 0).any(axis=2).all()
    Image.fromarray(np.asarray(Image.open(photo(tmp_path / "cut.png", alpha=True)))[..., 3]).save(tmp_path / "mask.png")
    cut = projected("cut", tmp_path / "cut.png")
    chosen = []
    for seed in range(4):  # edges and the network's features may well choose the same start for one picture
        other = photo(tmp_path / f"other{seed}.png", seed)
        by_edges = projected(f"edges{seed}", other, "--space", "w", "--objects", "none")
        by_objects = projected(f"objects{seed}", other, "--space", "w", "--objects", "car")
        chosen.append(np.array_equal(by_edges.codes, by_objects.codes))
    assert not all(chosen)
    masked = projected("masked", plain, "--mask", str(tmp_path / "mask.png"))
    for found in (cut, masked):
        assert 0.1 < (found.target == 0).all(axis=2).mean() < 0.9
        assert (found.target[:6] == 0).all() and (found.target[12:20, 14:18] != 0).any()


def test_what_cannot_be_used_for_any_photo_is_one_sentence_before_anything_is_written(
    tmp_path: Path, generator: Path, root: Path
) -> None:
    path = photo(tmp_path / "one.png")
    base = [sys.executable, str(root / "scripts" / "project.py"), str(path), "--out", str(tmp_path / "out")]
    done = subprocess.run([*base, "--generator", "nowhere"], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("project.py: There is no bundle 'nowhere'")
    assert done.stderr.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [(("--device", "abacus"), "device"), (("--steps", "0"), "at least 1 step"), (("--mask", "m.png"), "one photo")],
)
def test_options_that_cannot_be_are_refused(
    tmp_path: Path, generator: Path, capsys: pytest.CaptureFixture[str], options: tuple, sentence: str
) -> None:
    path = str(photo(tmp_path / "one.png"))
    assert project.main([path, path, "--generator", str(generator), "--out", str(tmp_path / "out"), *options]) == 1
    assert sentence in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_the_features_of_the_bundled_car_network_reach_the_picture_with_gradients() -> None:
    import torch

    features = ObjectFeatures(load_bundle("car"))
    pictures = torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (layer,) = features(pictures)
    assert layer.shape == (2, 256, 4, 4)
    layer.square().sum().backward()
    assert pictures.grad is not None and pictures.grad.isfinite().all() and (pictures.grad != 0).any()
    # Each picture for itself, whatever its size.
    torch.testing.assert_close(features(pictures[1:])[0], layer[1:], rtol=1e-3, atol=1e-4)
    assert features(torch.rand(1, 3, 300, 200))[0].shape == (1, 256, 4, 4)
