# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places spread over the quads of an object, and what its texture shows there.

NumPy alone. Letters: F quads, P places on each.
"""

from __future__ import annotations

import numpy as np

from ..common.records import Reconstruction

_ALONG = 3
"""Places along each side of a quad."""
PLACES = _ALONG**2
"""Places on a quad."""


def points_on_quads(result: Reconstruction) -> np.ndarray:
    """Returns the world points (F, P, 3) float64 of the places."""
    return _between(result.vertices.astype(np.float64)[result.quads])


def colours_on_quads(result: Reconstruction) -> np.ndarray:
    """Returns the texture's sRGB (F, P, 3) uint8 at the places."""
    uv = _between(result.uv)
    height, width = result.texture.shape[:2]
    column = np.clip((uv[..., 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1 - uv[..., 1]) * height).astype(int), 0, height - 1)
    return result.texture[row, column]


def _between(corners: np.ndarray) -> np.ndarray:
    """(F, P, D) of what the corners of quads (F, 4, D) have."""
    steps = (np.arange(_ALONG) + 0.5) / _ALONG
    s, t = (values.reshape(-1, 1) for values in np.meshgrid(steps, steps))
    a, b, c, d = (corners[:, None, corner] for corner in range(4))
    made: np.ndarray = (1 - s) * (1 - t) * a + s * (1 - t) * b + s * t * c + (1 - s) * t * d
    return made
