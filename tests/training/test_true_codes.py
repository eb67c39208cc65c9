# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the inverse-graphics network with the codes and textures of a shape space, with and without renders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.common.truth_codes import FILE_NAME
from backend.training.inverse_graphics.known_cameras import PRESETS, InverseGraphicsTraining, make_task
from tests.helpers.synthetic import write_dataset

CPU = torch.device("cpu")
OBJECTS = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_dataset(tmp_path_factory.mktemp("views"), objects=OBJECTS, views=2, resolution=48)
    rng = np.random.default_rng(0)
    names = [f"{number:06d}" for number in range(OBJECTS)]
    textures = np.broadcast_to(rng.integers(0, 255, (OBJECTS, 1, 1, 3), np.uint8), (OBJECTS, 16, 16, 3))
    np.savez_compressed(folder / FILE_NAME, names=names, codes=rng.normal(size=(OBJECTS, 96)), textures=textures)
    return folder


def settings(**weights: float) -> InverseGraphicsTraining:
    tiny = PRESETS["tiny"]
    changed = replace(tiny.weights, perceptual=0.0, **weights)
    return replace(tiny, parts="car", bfloat16=False, batch=3, render_batch=2, render_size=24, weights=changed)


def test_codes_and_textures_teach_beside_the_pictures(data: Path, tmp_path: Path) -> None:
    losses = make_task(settings(), data, tmp_path, CPU).step(0)
    assert {"shape_code", "vertices", "texture", "silhouette", "colour"} <= set(losses)


def test_without_weights_of_pictures_nothing_is_rendered(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task(settings(silhouette=0.0, colour=0.0), data, tmp_path, CPU)
    monkeypatch.setattr(type(task), "picture_losses", lambda *_: pytest.fail("a picture was rendered"))
    losses = task.step(0)
    assert {"shape_code", "vertices", "texture", "azimuth", "pose"} <= set(losses)
    assert "silhouette" not in losses


def test_true_textures_come_nearer(data: Path, tmp_path: Path) -> None:
    task = make_task(settings(silhouette=0.0, colour=0.0), data, tmp_path, CPU)
    values = [float(task.step(step)["texture"]) for step in range(25)]
    assert np.mean(values[-5:]) < 0.5 * np.mean(values[:3])


def test_codes_of_other_objects_are_refused(data: Path, tmp_path: Path) -> None:
    copy = write_dataset(tmp_path / "more", objects=OBJECTS + 1, views=2, resolution=48)
    (copy / FILE_NAME).write_bytes((data / FILE_NAME).read_bytes())
    with pytest.raises(ValueError, match="lacks '000003'"):
        make_task(settings(), copy, tmp_path, CPU)
