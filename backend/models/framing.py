# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in a picture an object is seen, and how large: cameras moved and zoomed without a change of direction.

Letters: N cameras, V vertices.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..render.camera import Cameras, project
from .inverse_graphics import apparent_size_of, field_of_view_of


def framed(cameras: Cameras, vertices: Tensor, share: Tensor | float) -> Cameras:
    """Cameras of whole pictures in whose middle the box of the vertices (N, V, 3) has a ``share`` (N,) of a side."""
    corners = project(cameras, vertices, 1, 1)[..., :2] - 0.5
    low, high = corners.amin(dim=1), corners.amax(dim=1)
    zoom = share / (high - low).amax(dim=1)
    middle = (low + high) / 2
    shift = torch.stack([-middle[:, 0], middle[:, 1]], dim=1) * zoom[:, None]
    return reframed(cameras, zoom, shift)


def reframed(cameras: Cameras, zoom: Tensor, shift: Tensor) -> Cameras:
    """Cameras of pictures that are enlarged (N,) about their middles, then moved (N, 2) to the right and upwards."""
    size = apparent_size_of(cameras.field_of_view, cameras.distance) * zoom
    return replace(
        cameras,
        field_of_view=field_of_view_of(size, cameras.distance),
        shift_x=cameras.shift_x * zoom + shift[:, 0],
        shift_y=cameras.shift_y * zoom + shift[:, 1],
    )
