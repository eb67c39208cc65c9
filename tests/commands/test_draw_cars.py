# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/draw_cars.py: pictures whose shapes and viewpoints are those that are said, read as any rendered views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backend.commands import draw_cars
from backend.data.images import ImageSetConfig, load_images
from backend.evaluation.metrics import silhouette_iou
from backend.render.camera import project
from backend.render.rasterize import rasterize
from backend.render.viewpoints import ViewpointPrior

CARS, SIDE = 6, 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    more = ["--cars", str(CARS), "--resolution", str(SIDE), "--meshes", "4", "--elevation", "5", "25", "--frame", "1.2"]
    assert draw_cars.main(["--out", str(folder), "--seed", "3", *more]) == 0
    return folder


def test_pictures_are_of_the_meshes_beside_them_from_the_priors_viewpoints(folder: Path) -> None:
    prior = ViewpointPrior(180.0, (5.0, 25.0), frame=1.2)
    cameras = prior.viewpoints(prior.draw(CARS, torch.Generator().manual_seed(3))).cameras
    assert len(list(folder.glob("objects/*/mesh.npz"))) == 4
    for number in range(4):
        target = folder / "objects" / f"{number:06d}"
        with np.load(target / "mesh.npz") as mesh:
            vertices, faces = torch.from_numpy(mesh["vertices"]), torch.from_numpy(mesh["faces"]).long()
        assert np.ptp(vertices.numpy(), axis=0).max() == pytest.approx(1, abs=0.03)
        screen = project(cameras[number : number + 1], vertices, SIDE, SIDE)
        expected = rasterize(screen, faces, SIDE, SIDE).face_index[0].numpy() >= 0
        alpha = np.asarray(Image.open(target / "view_00.png"))[..., 3]
        assert silhouette_iou(alpha > 127, expected) > 0.85


def test_they_are_read_as_rendered_views_with_their_background(folder: Path, tmp_path: Path) -> None:
    images = load_images(folder, ImageSetConfig(SIDE, alpha="ignore"), tmp_path / "images.npy", progress=False)
    assert len(images) == CARS
    corners = images.images[:, 0, 0].astype(int)
    assert len(np.unique(corners, axis=0)) == CARS and corners.std() > 5


def test_an_unknown_bundle_is_said_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert draw_cars.main(["--out", str(tmp_path), "--bundle", "no-such-thing"]) == 1
    assert "no weights bundle 'no-such-thing'" in capsys.readouterr().err
