# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Free offsets: they follow the outline, stay small and smooth, and keep left and right alike."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.common.records import Camera
from backend.pipeline.parts_offsets import OffsetsConfig, _field, _places, free_offsets
from backend.render.camera import Cameras, project
from backend.render.rasterize import rasterize
from backend.render.template import Template, TemplateConfig, make_template

CAMERA = Camera(0.9, 0.2, 2.5, 0.0, 2 * math.atan(0.5 / 2.2))
QUICK = OffsetsConfig(steps=12)


@pytest.fixture(scope="module")
def box() -> Template:
    return make_template(TemplateConfig(8, 8, 8, proportions=(0.44, 1.0, 0.34)))


def mask_of(vertices: np.ndarray, template: Template, size: int = 192) -> torch.Tensor:
    screen = project(Cameras.batch([CAMERA]), torch.as_tensor(vertices)[None], size, size)
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64)
    return (rasterize(screen, triangles, size, size).face_index[0] >= 0).float()


def overlap(mask: torch.Tensor, other: torch.Tensor) -> float:
    return float((mask * other).sum() / (mask + other).clamp(max=1).sum())


def raised(vertices: np.ndarray) -> np.ndarray:
    """A shape whose roof is a hundredth higher in the middle."""
    bump = 0.01 * np.exp(-((vertices[:, 1] / 0.2) ** 2)) * (vertices[:, 2] > 0.1)
    return (vertices + bump[:, None] * [0, 0, 1]).astype(np.float32)


def test_an_outline_is_followed_by_small_symmetric_offsets(box: Template) -> None:
    mask = mask_of(raised(box.vertices), box)
    offsets = free_offsets(mask[None], [CAMERA], box.vertices, box, OffsetsConfig())
    before, after = (overlap(mask, mask_of(box.vertices + some, box)) for some in (0 * offsets, offsets))
    assert after > before + 0.1 * (1 - before)
    assert 0 < np.linalg.norm(offsets, axis=1).max() <= QUICK.limit * 1.0001
    np.testing.assert_allclose(offsets[box.mirror] * [-1, 1, 1], offsets, atol=1e-6)
    roof = (box.vertices[:, 2] > 0.15) & (np.abs(box.vertices[:, 1]) < 0.1)
    assert offsets[roof, 2].mean() > 0.002
    a, b = box.edges.T
    assert np.linalg.norm(offsets[a] - offsets[b], axis=1).max() < 0.5 * QUICK.limit


def test_however_far_the_outline_the_limit_holds(box: Template) -> None:
    mask = mask_of(box.vertices * np.float32(1.3), box)
    offsets = free_offsets(mask[None], [CAMERA], box.vertices, box, replace(QUICK, rate=0.1, smoothness=0, shortness=0))
    assert 0.5 * QUICK.limit < np.linalg.norm(offsets, axis=1).max() <= QUICK.limit * 1.0001


def test_where_the_outline_fits_nothing_moves(box: Template) -> None:
    offsets = free_offsets(mask_of(box.vertices, box)[None], [CAMERA], box.vertices, box, QUICK)
    assert not offsets.any()


def test_no_step_gives_no_offset(box: Template) -> None:
    told: list[tuple[int, int]] = []
    offsets = free_offsets(
        mask_of(raised(box.vertices), box)[None], [CAMERA], box.vertices, box, replace(QUICK, steps=0),
        lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert not offsets.any() and offsets.dtype == np.float32 and not told


def test_what_lies_side_by_side_moves_together_whichever_part_it_belongs_to(box: Template) -> None:
    """The field is one of places: two vertices at one place get one offset."""
    lattice = torch.randn(1, 3, 6, 11, 5, generator=torch.Generator().manual_seed(0)) * 0.01
    vertices = torch.as_tensor(box.vertices)
    twice = torch.cat([vertices, vertices[:7] + 1e-6])
    offsets = _field(lattice, _places(twice), 0.012)
    torch.testing.assert_close(offsets[len(vertices) :], offsets[:7], atol=1e-5, rtol=0)
    assert offsets.norm(dim=1).max() <= 0.012
