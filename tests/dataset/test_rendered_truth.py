# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""True coordinates and regions of rendered datasets: the file keeps them, and datasets without them still load."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.data.rendered_views import UNKNOWN_REGION, load_views
from backend.render.camera import project
from tests.helpers.synthetic import REGIONS, pack_truth, write_dataset


def test_coordinates_lie_where_their_pixels_look(tmp_path: Path) -> None:
    views = load_views(write_dataset(tmp_path, objects=2, views=2), progress=False)
    assert views.regions == REGIONS
    for index in range(2):
        coordinates, regions = views.truth(index)
        assert coordinates.shape == (2, 64, 64, 3) and coordinates.dtype == np.float32
        assert regions.shape == (2, 64, 64) and regions.dtype == np.uint8 and set(np.unique(regions)) == {0, 1, 2}
        for m in range(2):
            on = regions[m] > 0
            assert np.array_equal(on, views.rgba[index, m, ..., 3] > 127)
            assert np.isnan(coordinates[m][~on]).all()
            x, y, _ = project(views.cameras[2 * index + m :][:1], torch.from_numpy(coordinates[m][on]), 64, 64)[0].T
            rows, columns = np.nonzero(on)
            assert np.abs(x.numpy() - columns - 0.5).max() < 0.05 and np.abs(y.numpy() - rows - 0.5).max() < 0.05


def test_packing_loses_half_a_step_at_most_and_no_region(tmp_path: Path) -> None:
    views = load_views(write_dataset(tmp_path, objects=1, views=2), progress=False)
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.5, 0.5, (2, 9, 9, 3))
    points[0, 0, :2] = [[-0.5, 0.5, 0.0], [-0.5000001, 0.5000001, 0.5]]
    regions = rng.choice([0, 1, 2, 13, UNKNOWN_REGION], (2, 9, 9)).astype(np.uint8)
    regions[0, 0, :2] = 1
    (views.folders[0] / "truth.npz").write_bytes(pack_truth(points, regions))
    read, read_regions = views.truth(0)
    assert np.array_equal(read_regions, regions)
    assert np.isnan(read[regions == 0]).all()
    assert np.abs(read - points)[regions > 0].max() < 0.5 / 4095 + 1e-6
    (views.folders[0] / "truth.npz").write_bytes(pack_truth(np.nan_to_num(read), read_regions))
    assert np.array_equal(views.truth(0)[0], read, equal_nan=True), "what was read is stored as it is"


def test_datasets_without_truth_load_and_say_so_when_asked(tmp_path: Path) -> None:
    views = load_views(write_dataset(tmp_path, objects=1, views=1, truth=False), progress=False)
    assert views.regions == ()
    with pytest.raises(FileNotFoundError, match="--truth"):
        views.truth(0)
    (tmp_path / "dataset.json").unlink()
    assert load_views(tmp_path, progress=False).number_of_objects == 1
