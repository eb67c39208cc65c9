# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the inverse-graphics network on held-out objects seen in shared views: paper A's Table 1b, and cameras.

Letters: N batch, M views, S crop side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ...data.multi_views import MultiViews
from ...data.rendered_views import cameras_of_crops
from ...evaluation.silhouettes import SIZE, Silhouettes, boxed
from ...models.inverse_graphics import InverseGraphics
from ...render.camera import Cameras
from ...render.mesh_losses import silhouette_iou
from ...render.template import Template
from .evaluation import angle_difference
from .view_cameras import ViewCameras, direction_changes_deg, rotation_errors_deg

_CHUNK = 16
VIEWS = 4
"""Views of each held-out object that are looked at."""


@torch.no_grad()
def evaluate_views(
    network: InverseGraphics, cameras: ViewCameras, data: MultiViews, template: Template, objects: Sequence[int]
) -> dict[str, float]:
    """Silhouettes of held-out objects in the view they were predicted from and in another; errors of the pose head.

    ``iou_own_camera``: in the camera that the network predicts. ``iou_view_camera``: in the view's shared camera, moved
    and scaled until its box is the mask's, as the framing of a picture that no training saw is not known.
    ``iou_other_view``: the same in another view of the object than the network saw.
    """
    device = next(network.parameters()).device
    renderer = Silhouettes(template, device)
    sums: dict[str, list[Tensor]] = {}

    def note(name: str, values: Tensor) -> None:
        sums.setdefault(name, []).append(values.cpu())

    for chunk in _pairs(data, objects).split(_CHUNK):
        seen, other = chunk.unbind(dim=1)
        crops, shared = view_crops(data, cameras, seen, network.config.image_size)
        prediction = network(crops.to(device))
        vertices = network.shape_decoder(prediction.shape_code)
        own, mask = prediction.cameras(), _mask(data, seen, device)
        note("iou_own_camera", silhouette_iou(renderer(vertices, own), mask))
        note("iou_view_camera", silhouette_iou(renderer(vertices, boxed(shared, vertices)), mask))
        note("azimuth", angle_difference(own.azimuth, shared.azimuth).rad2deg())
        note("elevation", angle_difference(own.elevation, shared.elevation).rad2deg())
        _, elsewhere = view_crops(data, cameras, other, network.config.image_size)
        iou = silhouette_iou(renderer(vertices, boxed(elsewhere, vertices)), _mask(data, other, device))
        note("iou_other_view", iou[(seen != other).to(device)])
    together = {name: torch.cat(values) for name, values in sums.items()}
    return {
        **{name: float(values.mean()) for name, values in together.items() if name.startswith("iou") and len(values)},
        "azimuth_error_deg_median": float(together["azimuth"].median()),
        "flips": float((together["azimuth"] > 90).float().mean()),
        "elevation_error_deg_median": float(together["elevation"].median()),
    }


@torch.no_grad()
def camera_figures(cameras: ViewCameras, true: Cameras | None) -> dict[str, float]:
    """How far cameras have moved, and where the truth is known how far off they are and were."""
    start, now = cameras.at_start(), cameras.of_views()
    figures = {
        "camera_change_deg": direction_changes_deg(start, now).mean(),
        "framing_deviations": cameras.framing.abs().mean(),
    }
    if true is not None:
        true = true.to(cameras.moved.device)
        for name, found in (("at_start", start), ("now", now)):
            figures[f"camera_error_deg_{name}"] = rotation_errors_deg(found, true).mean()
            figures[f"camera_error_deg_{name}_uncorrected"] = rotation_errors_deg(found, true, common=False).mean()
        figures["camera_error_deg_now_largest"] = rotation_errors_deg(now, true).max()
    return {name: float(value) for name, value in figures.items()}


def view_crops(data: MultiViews, cameras: ViewCameras, pictures: Tensor, size: int) -> tuple[Tensor, Cameras]:
    """Unspoiled crops (N, 4, S, S) of the numbered pictures (N,), and their views' cameras in those crops."""
    crops = data.crops[pictures]
    whole = cameras.of_views(data.view_of[pictures].to(cameras.moved.device))
    return data.cut(pictures, crops, size), cameras_of_crops(whole, crops.to(cameras.moved.device), data.rgba.shape[1])


def _mask(data: MultiViews, pictures: Tensor, device: torch.device) -> Tensor:
    return (data.cut(pictures, data.crops[pictures], SIZE)[:, 3] > 0.5).float().to(device)


def _pairs(data: MultiViews, objects: Sequence[int]) -> Tensor:
    """(N, 2) picture numbers: up to :data:`VIEWS` of each object, with the one opposite in its list beside it."""
    pairs = []
    for number in objects:
        pictures = data.objects[number]
        count = len(pictures)
        for step in range(min(VIEWS, count)):
            place = math.floor(step * count / min(VIEWS, count))
            pairs.append(torch.stack([pictures[place], pictures[(place + count // 2) % count]]))
    return torch.stack(pairs)
