# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outlines of the shipped template's mean car, drawn by the rasteriser, alone and side by side."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np
import torch

from backend.common.records import Camera
from backend.render.camera import Cameras, project
from backend.render.rasterize import rasterize
from backend.weights.parts import load_parts

BUNDLE = Path(__file__).resolve().parents[2] / "backend" / "weights" / "bundles" / "car"


@functools.cache
def outline(azimuth_deg: float, size: int = 160) -> np.ndarray:
    """(h, w) bool: the car from one side, in the box around it; its longest side has about ``size`` pixels."""
    model = load_parts(BUNDLE)
    vertices = torch.as_tensor(model.space.vertices(np.zeros(len(model.space.basis), np.float32)))[None]
    camera = Camera(azimuth=math.radians(azimuth_deg), elevation=0.1, distance=4.0, field_of_view=0.28)
    triangles = torch.as_tensor(model.template.triangles, dtype=torch.int64)
    screen = project(Cameras.batch([camera]), vertices, size, size)
    seen = (rasterize(screen, triangles, size, size).face_index[0] >= 0).numpy()
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return seen[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def in_a_row(*azimuths_deg: float, height: int, width: int, overlap: int = 2, size: int = 160) -> list[np.ndarray]:
    """(height, width) bool of each car: on one ground, the boxes around neighbours overlapping by so many pixels, the
    row in the middle of the picture; where two overlap the one on the right is in front."""
    cars = [outline(azimuth, size) for azimuth in azimuths_deg]
    left = (width - sum(car.shape[1] - overlap for car in cars)) // 2
    ground = (height + max(car.shape[0] for car in cars)) // 2
    masks: list[np.ndarray] = []
    for car in cars:
        mask = np.zeros((height, width), bool)
        mask[ground - car.shape[0] : ground, left : left + car.shape[1]] = car
        masks = [other & ~mask for other in masks] + [mask]
        left += car.shape[1] - overlap
    return masks
