# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/encode_cars.py: rendered cars are the cars that their codes stand for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from dataset.cars.car import car_parts  # noqa: E402
from dataset.cars.parameters import sample_parameters, sample_style  # noqa: E402
from dataset.cars.template import measure  # noqa: E402

from backend.common.truth_codes import read_truth_codes  # noqa: E402
from backend.weights.bundle import load_named_parts  # noqa: E402

NAMES = ["000000", "000001"]
RED = [0.8, 0.1, 0.1]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "encode_cars.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cars")
    for number, name in enumerate(NAMES):
        record = {"seed": [77, number], "parameters": {}, "base_colours": {"paint": RED, "interior_light": [1, 1, 1]}}
        (folder / "objects" / name).mkdir(parents=True)
        (folder / "objects" / name / "object.json").write_text(json.dumps(record))
    done = run(folder, "--texture-size", "64")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_cars_code_decodes_to_the_car_that_its_seed_makes(data: Path) -> None:
    true, space = read_truth_codes(data, NAMES), load_named_parts("car").space
    for number in range(2):
        rng = np.random.default_rng([77, number])
        car = measure(car_parts(sample_parameters(rng, sample_style(rng)), rng))
        decoded = space.decode(true.codes[number])
        kept = np.delete(np.arange(len(car.rendered)), space.fold.vertices if car.open_top else [])
        error = np.linalg.norm(decoded.vertices[: len(car.rendered)] - car.rendered, axis=1)[kept]
        assert error.mean() < 0.004
        assert decoded.length == pytest.approx(car.length, rel=0.02)


def test_its_texture_is_painted_in_its_own_colours(data: Path) -> None:
    textures = read_truth_codes(data, NAMES).textures
    assert textures.shape == (2, 64, 64, 3)
    near = np.abs(textures / 255 - RED).max(axis=-1) < 0.03
    assert near.mean(axis=(1, 2)).min() > 0.2


def test_what_is_no_rendered_car_is_refused(tmp_path: Path) -> None:
    assert "No rendered object" in run(tmp_path).stderr
    (tmp_path / "objects" / "000000").mkdir(parents=True)
    (tmp_path / "objects" / "000000" / "object.json").write_text(json.dumps({"seed": [1, 0], "source": "chair.glb"}))
    refused = run(tmp_path)
    assert refused.returncode != 0 and "no parametric car" in refused.stderr
