# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects with parts for :mod:`shared_views`: higher cars than the mean, painted so that every part shows."""

from __future__ import annotations

import numpy as np
import torch

from backend.common.bundle_files import BUNDLED
from backend.pipeline.atlas import Atlas
from backend.weights.parts import load_parts
from tests.helpers.shared_views import Kind

MODEL = load_parts(BUNDLED / "car")
TEMPLATE = MODEL.template
SIDE = 64
_ATLAS = Atlas.of(TEMPLATE, SIDE)


def shaped(rng: np.random.Generator, variety: float = 1.0) -> np.ndarray:
    """(V, 3): a shape of the space, of codes around (1.2, 0, 0, 0) that differ by half of ``variety``."""
    return MODEL.space.vertices(np.array([1.2, 0, 0, 0]) + 0.5 * variety * rng.normal(size=4).clip(-2, 2))


def textured(rng: np.random.Generator) -> torch.Tensor:
    """(1, 3, 64, 64): black wheels, a blue cabin, the rest red in front and yellow behind, of another shade each."""
    colours = np.zeros((len(TEMPLATE.vertices), 3), np.float32)
    along = (TEMPLATE.vertices[:, 1] + 0.5).clip(0, 1)
    colours[:] = np.stack([np.full_like(along, 0.8), 0.8 * along, np.full_like(along, 0.1)], axis=1)
    for name in TEMPLATE.parts.names:
        if name == "cabin":
            colours[TEMPLATE.parts.vertices_of(name, TEMPLATE.quads)] = [0.2, 0.3, 0.8]
        elif name.startswith("wheel"):
            colours[TEMPLATE.parts.vertices_of(name, TEMPLATE.quads)] = 0.08
    picture = _ATLAS.picture(colours * rng.uniform(0.7, 1.1))
    return torch.as_tensor(picture.transpose(2, 0, 1).copy())[None].clamp(0, 1)


CARS = Kind(TEMPLATE, shaped, textured)
