# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What measuring needs of the product, whoever runs it: Blender with the worker, or the renderer without Blender."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np

from ...common.records import Camera, Reconstruction, ReconstructRequest


class Shown(Protocol):
    """A result that stands ready to be looked at. Pictures are (h, w, 4) float32 sRGB with straight alpha."""

    def through_own_camera(self, width: int, height: int) -> np.ndarray:
        """Returns what the recovered camera sees, in the photo's proportions."""
        ...

    def from_side(self, camera: Camera, width: int, height: int) -> np.ndarray:
        """Returns what a camera of the canonical frame sees."""
        ...


class Stage(Protocol):
    """Reconstructs, and shows results."""

    errors: tuple[type[Exception], ...]
    """Errors whose message is a sentence for the user."""

    def reconstruct(self, request: ReconstructRequest) -> Reconstruction:
        """Makes an object from a photograph. Raises one of :attr:`errors`."""
        ...

    def show(self, result: Reconstruction) -> AbstractContextManager[Shown]:
        """Shows a result while this is open."""
        ...
