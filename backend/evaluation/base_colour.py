# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How near a texture comes to an object's true base colours, on the sides that the photo shows and on the others.

NumPy alone. Letters: V vertices, F quads, T texture side, R regions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..common import pinhole
from ..common.records import Reconstruction
from .quad_places import colours_on_quads

MEASURED = ("paint", "two_tone", "rim", "plate", "trim")
"""Regions that have one true colour each."""


def base_colour_errors(result: Reconstruction, true: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Returns mean absolute errors of sRGB by region and side: ``paint_seen``, ``paint_unseen``, ``paint_all``.

    ``true`` are sRGB colours by region. A quad is weighted by its area and counts as seen where it is turned to the
    (first) camera; regions of which a side has nothing are left out, and all of them for an object without parts.
    """
    if result.parts is None:
        return {}
    corners = result.vertices.astype(np.float64)[result.quads]
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    areas = 0.5 * np.linalg.norm(normals, axis=1)
    eye = pinhole.camera_to_world(result.camera)[:3, 3]
    seen = ((eye - corners.mean(axis=1)) * normals).sum(axis=1) > 0
    colours = colours_on_quads(result) / 255.0
    errors: dict[str, float] = {}
    for name in MEASURED:
        if name not in true or name not in result.parts.regions:
            continue
        mine = result.parts.region_of_quad == result.parts.regions.index(name)
        off = np.abs(colours - np.asarray(true[name])).mean(axis=(1, 2))
        for side, chosen in (("seen", mine & seen), ("unseen", mine & ~seen), ("all", mine)):
            if areas[chosen].sum() > 0:
                errors[f"{name}_{side}"] = float(np.average(off[chosen], weights=areas[chosen]))
    return errors
