# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard of unseen sides: its distances against SciPy's, and what its program says."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.linalg import sqrtm

from backend.evaluation import unseen_sides
from backend.evaluation.features import ENCODER_FIGURES


class MeanColours:
    """Features that a reader can work out: the mean of red, green and blue, as they are in the file."""

    name = "mean colours"
    figure_names = ENCODER_FIGURES

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return (images.mean(dim=(2, 3)) + 1) * 127.5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty results; the photo's side has about the photographs' colours, random sides are redder."""
    rng = np.random.default_rng(3)
    for kind, mean in zip(unseen_sides.FOLDERS, ((90, 90, 90), (92, 90, 88), (180, 90, 90)), strict=True):
        (tmp_path / kind).mkdir()
        for number in range(40):
            picture = np.full((8, 8, 3), rng.normal(mean, 15).clip(0, 255).round(), np.uint8)
            Image.fromarray(picture).save(tmp_path / kind / f"{number:02d}.jpg.png")
    return tmp_path


def slow_frechet(one: np.ndarray, other: np.ndarray) -> float:
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    between = np.square(one.mean(axis=0) - other.mean(axis=0)).sum()
    return float(between + np.trace(a + b - 2 * sqrtm(a @ b).real))


def colours(folder: Path, kind: str, names: list[str]) -> np.ndarray:
    return np.array([np.asarray(Image.open(folder / kind / name))[0, 0] for name in names], np.float64)


def test_the_distances_are_those_of_scipy(folder: Path) -> None:
    names = unseen_sides.common_names(folder)[:35]
    found = unseen_sides.guard(folder, MeanColours(), names)
    true = colours(folder, unseen_sides.PHOTOGRAPHS, names)
    for key, kind in (("photo_side", unseen_sides.PHOTO_SIDE), ("random_sides", unseen_sides.RANDOM_SIDES)):
        assert found[f"frechet_{key}"] == pytest.approx(slow_frechet(true, colours(folder, kind, names)), rel=1e-3)
    assert found["frechet_random_sides"] > 10 * found["frechet_photo_side"]
    assert (found["frechet_samples"], found["frechet_features"]) == (35, "mean colours")


def test_only_what_all_three_folders_have_is_taken_and_two_are_needed(folder: Path) -> None:
    (folder / unseen_sides.PHOTO_SIDE / "07.jpg.png").unlink()
    assert unseen_sides.guard(folder, MeanColours())["frechet_samples"] == 39
    with pytest.raises(ValueError, match="cannot be read"):
        unseen_sides.guard(folder, MeanColours(), ["06.jpg.png", "07.jpg.png"])
    with pytest.raises(ValueError, match="needs 2 results at least"):
        unseen_sides.guard(folder, MeanColours(), ["06.jpg.png"])


def test_the_program_reads_names_and_prints_figures_on_our_own_features(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(unseen_sides.common_names(folder)[:4])))
    assert unseen_sides.main([str(folder), "--names", "--device", "cpu"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["frechet_samples"] == 4 and found["frechet_random_sides"] > 0
    assert found["frechet_features"].startswith("segmenter's encoder")
    assert unseen_sides.main([str(folder), "--inception", str(folder / "nowhere"), "--device", "cpu"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
