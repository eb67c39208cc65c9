# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/evaluate_generator.py from end to end, with a tiny generator that has learnt nothing."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from backend.commands import evaluate_generator
from backend.models.stylegan2 import Generator, GeneratorConfig, load_generator, save_generator
from backend.weights.generator_bundle import GeneratorCard, load_generator_bundle, write_generator_bundle

CONTENT = (2, 0, 12, 16)
NAMES = {"encoder_frechet", "encoder_kernel", "encoder_precision", "encoder_recall"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a generator, and the pictures that this very generator makes as data."""
    folder = tmp_path_factory.mktemp("evaluate")
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(resolution=16, z_dim=6, w_dim=5, mapping_layers=2, channels=(6, 5, 4)))
    save_generator(folder / "generator.safetensors", generator)
    write_generator_bundle(folder / "tiny", generator, GeneratorCard(16, CONTENT), half=False, replace=False)
    loaded = load_generator_bundle(folder / "tiny")
    with torch.no_grad():
        images = loaded.generator(torch.randn(40, 6, generator=torch.Generator().manual_seed(3)))
    (folder / "data").mkdir()
    for number, picture in enumerate(loaded.to_pictures(images)):
        Image.fromarray(picture).save(folder / "data" / f"{number:03d}.png")
    return folder


def run(folder: Path, report: Path, *more: str) -> int:
    given = ["--generator", str(folder / "tiny"), "--data", str(folder / "data"), "--report", str(report)]
    return evaluate_generator.main([*given, "--samples", "40", "--device", "cpu", *more])


def test_report_and_pictures(folder: Path, tmp_path: Path) -> None:
    assert run(folder, tmp_path / "new" / "report.json", "--pictures", str(tmp_path / "made"), "--video") == 0
    report = json.loads((tmp_path / "new" / "report.json").read_text(encoding="utf-8"))
    assert (report["real"], report["samples"], report["reference"]["images"]) == (40, 40, 20)
    assert report["generator"] == "tiny" and len(report["networks"]) == 1
    assert set(report["figures"]) == set(report["reference"]["figures"]) == NAMES
    # The data are this generator's own, so that it is about as near to them as their halves are to one another.
    halves, generated = report["reference"]["figures"], report["reference"]["generated"]
    assert generated["encoder_frechet"] < 2 * halves["encoder_frechet"]
    assert min(figures["encoder_precision"] for figures in (halves, generated, report["figures"])) > 0.6
    assert {path.name for path in (tmp_path / "made").iterdir()} == {
        "samples.png", "truncation.png", "mixing.png", "interpolation.png", "interpolation.mp4"
    }  # fmt: skip
    samples = np.asarray(Image.open(tmp_path / "made" / "samples.png"))
    assert samples.shape == (10 * 14 - 2, 10 * 18 - 2, 3)
    film = cv2.VideoCapture(str(tmp_path / "made" / "interpolation.mp4"))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 8 * 60
    assert (film.get(cv2.CAP_PROP_FRAME_WIDTH), film.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (16, 12)
    film.release()


def test_the_reference_is_of_equal_halves_that_share_no_image(folder: Path, tmp_path: Path) -> None:
    assert run(folder, tmp_path / "report.json", "--real", "9") == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["real"] == 9 and report["reference"]["images"] == 4
    assert report["reference"]["figures"]["encoder_frechet"] > 1e-3


def test_the_same_seed_gives_the_same_figures_and_another_generator_worse_ones(folder: Path, tmp_path: Path) -> None:
    assert run(folder, tmp_path / "first.json") == run(folder, tmp_path / "second.json") == 0
    first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("first", "second"))
    assert first["figures"] == second["figures"]
    assert run(folder, tmp_path / "average.json", "--truncation", "0") == 0
    average = json.loads((tmp_path / "average.json").read_text())
    assert average["figures"]["encoder_frechet"] > 2 * first["figures"]["encoder_frechet"]
    assert average["figures"]["encoder_recall"] < 0.1 < first["figures"]["encoder_recall"]


def test_a_zip_and_a_bare_file_are_taken_too(folder: Path, tmp_path: Path) -> None:
    """A bare file has no card: all of its square is judged, against images cut to squares."""
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for path in (folder / "data").iterdir():
            archive.write(path, path.name)
    arguments = ["--generator", str(folder / "generator.safetensors"), "--data", str(tmp_path / "data.zip")]
    assert (
        evaluate_generator.main([*arguments, "--report", str(tmp_path / "r.json"), "--samples", "9", "--real", "12"])
        == 0
    )
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["real"], report["samples"], report["reference"]["images"]) == (12, 9, 6)


def test_a_training_run_says_how_it_saw_its_images(folder: Path, tmp_path: Path) -> None:
    """The generator alone would be taken for one of whole squares."""
    (tmp_path / "generator.safetensors").write_bytes((folder / "generator.safetensors").read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({"images": {"resolution": 16, "aspect": 4 / 3}}))
    assert run(folder, tmp_path / "run.json", "--generator", str(tmp_path / "generator.safetensors")) == 0
    assert run(folder, tmp_path / "bundle.json") == 0
    of_run, of_bundle = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("run", "bundle"))
    assert of_run["figures"] == of_bundle["figures"]
    assert of_run["images"]["aspect"] == pytest.approx(4 / 3)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--generator", "no-such-bundle", "no bundle"),
        ("--data", "no-such-folder", "no folder or zip"),
        ("--inception", "no-such-file.pth", "not found"),
    ],
)
def test_what_cannot_be_done_ends_in_one_sentence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, message: str
) -> None:
    assert run(folder, tmp_path / "report.json", option, value) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("evaluate_generator.py: ") and message in lines[-1]
    assert not list(tmp_path.iterdir())


def test_too_few_images_are_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "only.png")
    assert run(folder, tmp_path / "report.json", "--data", str(tmp_path)) == 1
    assert "8 real images" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(folder, tmp_path / "report.json", "--samples", "3")


def test_the_generator_of_the_tests_is_what_was_saved(folder: Path) -> None:
    bare = load_generator(folder / "generator.safetensors").state_dict()
    bundled = load_generator_bundle(folder / "tiny").generator.state_dict()
    assert all(torch.equal(bare[name], value) for name, value in bundled.items())
