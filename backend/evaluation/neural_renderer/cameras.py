# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras asked for against cameras seen in StyleGAN-R's pictures: azimuth all around, elevation, zoom.

Letters: N pictures, R picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...data.described_pictures import DescribedPictures
from ...models.framing import framed
from ...models.inverse_graphics import InverseGraphics
from ...models.picture_reader import PictureReader
from ...render.camera import Cameras
from ...render.picture import HARD, render
from ...render.shading import Texture
from ...render.template import Template
from ...weights.neural_renderer import NeuralRenderer
from .painters import BATCH

SHARE = (0.6, 0.95)
"""Least and largest longer side of the object's box that is asked for, in picture sides."""

Eye = Callable[[Tensor, Tensor], Tensor]
"""Pictures (N, 3, R, R) and masks (N, R, R) to azimuths (N,)."""


@torch.no_grad()
def camera_control(
    renderer: NeuralRenderer,
    reader: PictureReader,
    template: Template,
    known: DescribedPictures,
    count: int,
    seed: int,
    second_eye: Eye | None = None,
) -> dict[str, float]:
    """Medians of what is asked for and what is seen, over ``count`` azimuths evenly around.

    Objects, elevations and zooms are random. ``zoom_error_median`` is of the logarithm of the longer side of the
    object's box, against that of its silhouette through the camera asked for. ``second_eye`` is another network, which
    taught nothing here.
    """
    random = torch.Generator().manual_seed(seed)
    numbers = torch.randint(len(known), (count,), generator=random)
    elevation = known.cameras.elevation[torch.randint(len(known), (count,), generator=random)]
    azimuth = (torch.arange(count) + 0.5) * (2 * math.pi / count)
    vertices = reader.network.shape_decoder(known.shape_code[numbers])
    share = SHARE[0] + (SHARE[1] - SHARE[0]) * torch.rand(count, generator=random)
    asked = framed(replace(known.cameras[numbers], azimuth=azimuth, elevation=elevation), vertices, share)
    seen: dict[str, list[Tensor]] = {}
    for some in torch.arange(count).split(BATCH):
        pictures = renderer(
            asked[some],
            known.shape_code[numbers[some]],
            known.texture[numbers[some]].float() / 255,
            known.background[numbers[some]].float() / 255,
        ).clamp(0, 1)
        reading = reader(pictures)
        wanted = silhouettes(reader.network, template, vertices[some], asked[some], pictures.shape[2])
        _note(seen, "azimuth", turned(reading.prediction.azimuth(), azimuth[some]))
        _note(seen, "elevation", reading.prediction.pose[:, 0] - elevation[some])
        _note(seen, "zoom", (longer_side(reading.masks > 0.5) / longer_side(wanted > 0.5)).log())
        overlap = (reading.masks > 0.5) & (wanted > 0.5)
        union = (reading.masks > 0.5) | (wanted > 0.5)
        _note(seen, "silhouette", overlap.sum(dim=(1, 2)) / union.sum(dim=(1, 2)).clamp(min=1))
        if second_eye is not None:
            _note(seen, "second", turned(second_eye(pictures, reading.masks), azimuth[some]))
    values = {name: torch.cat(parts).abs().cpu().numpy() for name, parts in seen.items()}
    figures = {
        "azimuth_error_deg_median": float(np.degrees(np.median(values["azimuth"]))),
        "flips": float(np.mean(values["azimuth"] > math.pi / 2)),
        "elevation_error_deg_median": float(np.degrees(np.median(values["elevation"]))),
        "zoom_error_median": float(np.median(values["zoom"])),
        "silhouette_iou": float(np.mean(values["silhouette"])),
    }
    if second_eye is not None:
        figures["second_azimuth_error_deg_median"] = float(np.degrees(np.median(values["second"])))
        figures["second_flips"] = float(np.mean(values["second"] > math.pi / 2))
    return figures


def silhouettes(network: InverseGraphics, template: Template, vertices: Tensor, cameras: Cameras, size: int) -> Tensor:
    """(N, size, size) of shapes (N, V, 3) through cameras (N)."""
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=vertices.device)
    grey = torch.full((len(vertices), 3, 2, 2), 0.5, device=vertices.device)
    material = Texture(torch.as_tensor(template.triangle_uv, device=vertices.device), grey)
    return render(vertices, triangles, material, None, cameras, size, size, HARD).coverage


def longer_side(masks: Tensor) -> Tensor:
    """(N,) longer side of the boxes of masks (N, R, R) bool, in pixels; 1 at least."""
    rows, columns = masks.any(dim=2).float(), masks.any(dim=1).float()
    return torch.maximum(_extent(rows), _extent(columns)).clamp(min=1)


def _extent(filled: Tensor) -> Tensor:
    """(N,) from the first to the last place that is 1, of (N, R)."""
    places = torch.arange(filled.shape[1], device=filled.device)
    last = (filled * (places + 1)).amax(dim=1)
    first = filled.shape[1] - (filled * (filled.shape[1] - places)).amax(dim=1)
    return (last - first).clamp(min=0)


def turned(one: Tensor, other: Tensor) -> Tensor:
    """(N,) differences of angles, in [-pi, pi]."""
    return torch.remainder(one - other + math.pi, 2 * math.pi) - math.pi


def _note(seen: dict[str, list[Tensor]], name: str, value: Tensor) -> None:
    seen.setdefault(name, []).append(value)
