# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small world with known truth: the same for a seed, in the canonical frame, written as any photographs are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.data.images import ImageSetConfig, load_images
from backend.data.solids import TRUTH, SolidsConfig, make_solids, photographed, read_config, solids_mesh, write_solids
from backend.models.scene_pictures import picture_of
from backend.render.viewpoints import ViewpointPrior


def test_solids_stand_in_the_canonical_frame_and_differ() -> None:
    vertices = make_solids(20, seed=0).vertices
    low, high = vertices.amin(dim=1), vertices.amax(dim=1)
    assert torch.allclose((high - low).amax(dim=1), torch.ones(20), atol=1e-5)
    assert (low + high).abs().max() < 1e-5
    assert (high - low).std(dim=0)[[0, 2]].min() > 0.05  # the length is the longest side of nearly all
    # The nose is below the middle.
    front = vertices[..., 1].argmin(dim=1)
    assert (vertices[torch.arange(20), front, 2] < 0.05).all()


def test_a_solid_depends_on_its_number_and_seed_alone() -> None:
    some, alone, other = make_solids(3, 5), make_solids(1, 5, first=2), make_solids(1, 6, first=2)
    for name in vars(some):
        assert torch.equal(getattr(some, name)[2:], getattr(alone, name))
        assert not torch.equal(getattr(alone, name), getattr(other, name))


def test_eyes_look_out_of_the_front_alone() -> None:
    solids = make_solids(4, seed=0)
    prior = ViewpointPrior(elevation_deg=(0.0, 0.0))
    dark_share = []
    for azimuth in (0.0, 180.0):
        picture = picture_of(solids_mesh(), solids, prior.at([azimuth] * 4), 64)
        seen = picture.coverage > 0.99
        dark_share.append(float(((picture.rgb.amax(dim=1) < -0.6) & seen).sum() / seen.sum()))
    assert dark_share[0] > 0.005 and dark_share[1] == 0


def test_written_pictures_are_read_as_photographs_and_their_truth_is_beside_them(tmp_path: Path) -> None:
    config = SolidsConfig(pictures=18, resolution=16, seed=3, viewpoints=ViewpointPrior(120.0, (0.0, 20.0)))
    write_solids(tmp_path, config, progress=False)
    assert read_config(tmp_path) == config
    images = load_images(tmp_path, ImageSetConfig(16), tmp_path / "packed.npy", progress=False)
    assert len(images) == 18
    with np.load(tmp_path / TRUTH) as truth:
        numbers, vertices = torch.from_numpy(truth["viewpoints"]), truth["vertices"]
    solids = make_solids(18, 3)
    assert np.array_equal(vertices, solids.vertices.numpy())
    again = photographed(solids, config, numbers).permute(0, 2, 3, 1).numpy()
    assert np.abs(images.images / 127.5 - 1 - again).max() < 0.01


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no folder of rendered solids"):
        read_config(tmp_path)
