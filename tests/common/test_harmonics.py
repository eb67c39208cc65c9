# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The harmonics in NumPy are those of the renderer, and orthonormal."""

from __future__ import annotations

import numpy as np
import torch

from backend.common.harmonics import spherical_harmonics
from backend.render import light


def directions() -> np.ndarray:
    points = np.random.default_rng(0).normal(size=(20_000, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_both_processes_write_light_in_the_same_harmonics() -> None:
    expected = light.spherical_harmonics(torch.from_numpy(directions())).numpy()
    assert np.allclose(spherical_harmonics(directions()), expected, atol=1e-9)


def test_the_harmonics_are_orthonormal_on_the_sphere() -> None:
    values = spherical_harmonics(directions())
    assert np.allclose(4 * np.pi * values.T @ values / len(values), np.eye(9), atol=0.05)
