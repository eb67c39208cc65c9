# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stage without Blender: the pipeline in this process, and pictures by our own renderer.

Letters: V vertices, F triangles, T the texture's side.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...common.records import Camera, Reconstruction, ReconstructRequest
from ...errors import UnrenderError
from ...pipeline.reconstruct import reconstruct
from ...render.camera import Cameras
from ...render.picture import HARD, render
from ...render.shading import Texture
from ...weights.bundle import choose_device
from ...weights.run_folder import load_bundle_or_run

SAMPLES = 2
"""Samples along each side of a pixel."""


class RasteriserStage:
    """A :class:`.stage.Stage`."""

    errors: tuple[type[Exception], ...] = (UnrenderError, ValueError, OSError)

    def __init__(self) -> None:
        self._loaded: tuple[tuple[str, str], Any] | None = None

    def reconstruct(self, request: ReconstructRequest) -> Reconstruction:
        """Makes an object from a photograph. Raises UnrenderError."""
        key = (request.bundle, request.device)
        if self._loaded is None or self._loaded[0] != key:
            self._loaded = (key, load_bundle_or_run(request.bundle, choose_device(request.device)))
        return reconstruct(request, self._loaded[1])

    @contextmanager
    def show(self, result: Reconstruction) -> Iterator[Rasterised]:
        """Shows a result."""
        yield Rasterised(result)


class Rasterised:
    """A :class:`.stage.Shown`."""

    def __init__(self, result: Reconstruction) -> None:
        self._camera = result.camera
        self._vertices = torch.as_tensor(result.vertices)[None]
        self._triangles = torch.as_tensor(triangles_of(result.quads), dtype=torch.int64)
        corners = np.concatenate([result.uv[:, [0, 1, 2]], result.uv[:, [0, 2, 3]]])
        texture = torch.as_tensor(result.texture.astype(np.float32) / 255).permute(2, 0, 1)[None]
        self._material = Texture(torch.as_tensor(corners), texture)
        self._light = torch.as_tensor(result.light)[None]

    def through_own_camera(self, width: int, height: int) -> np.ndarray:
        """Returns what the recovered camera sees, (height, width, 4)."""
        return self.from_side(self._camera, width, height)

    @torch.no_grad()
    def from_side(self, camera: Camera, width: int, height: int) -> np.ndarray:
        """Returns what a camera sees, (height, width, 4)."""
        config = replace(HARD, supersampling=SAMPLES)
        cameras = Cameras.batch([camera])
        picture = render(self._vertices, self._triangles, self._material, self._light, cameras, height, width, config)
        alpha = picture.coverage[0]
        colour = (picture.rgb[0] / alpha.clamp(min=1e-3)).clamp(0, 1)
        return torch.cat([colour, alpha[None]]).permute(1, 2, 0).numpy()


def triangles_of(quads: np.ndarray) -> np.ndarray:
    """Returns the two triangles of each quad, (2F, 3): the first halves, then the second."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
