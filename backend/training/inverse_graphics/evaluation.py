# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures and pictures of the inverse-graphics network on held-out objects: paper A's Table 1b, and cameras.

Letters: N batch, K objects, M views, C shape code, V vertices, S crop side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...common.measures import OTHER_VIEW, OWN_CAMERA, VIEW_CAMERA
from ...data.multi_views import MultiViews
from ...data.rendered_views import RenderedViews, cameras_of_crops, cut
from ...evaluation.silhouettes import SIZE, Silhouettes, boxed
from ...models.inverse_graphics import InverseGraphics
from ...render.camera import Cameras
from ...render.mesh_losses import silhouette_iou
from ...render.picture import HARD, render
from ...render.shading import Texture
from ...render.template import Template
from .view_cameras import ViewCameras, direction_changes_deg, rotation_errors_deg

CHUNK = 16
"""Pictures that go through the network at a time."""
VIEWS = 4
"""Views of each held-out object that are looked at."""


class _Figures:
    """What is measured of a network's answers, gathered over chunks of held-out pictures."""

    def __init__(self, network: InverseGraphics, template: Template) -> None:
        self.network = network
        self.device = next(network.parameters()).device
        self.silhouettes = Silhouettes(template, self.device)
        self.values: dict[str, list[Tensor]] = {}

    def note(self, name: str, values: Tensor) -> None:
        """Adds what was measured of (N,) pictures."""
        self.values.setdefault(name, []).append(values.cpu())

    def compare(self, vertices: Tensor, cameras: Cameras, mask: Tensor) -> Tensor:
        """(N,) IoU of silhouettes of shapes (N, V, 3) with masks (N, SIZE, SIZE)."""
        return silhouette_iou(self.silhouettes(vertices, cameras), mask.to(self.device))

    def look(self, crops: Tensor, cameras: Cameras, mask: Tensor) -> Tensor:
        """Lets the network see crops (N, 4, S, S) that ``cameras`` show, and measures the camera that it predicts.

        Returns the vertices (N, V, 3) of its shapes.
        """
        prediction = self.network(crops.to(self.device))
        vertices = self.network.shape_decoder(prediction.shape_code)
        own = prediction.cameras()
        self.note(OWN_CAMERA, self.compare(vertices, own, mask))
        self.note("azimuth", angle_difference(own.azimuth, cameras.azimuth).rad2deg())
        self.note("elevation", angle_difference(own.elevation, cameras.elevation).rad2deg())
        return vertices

    def means(self) -> dict[str, float]:
        """Means of all measures, but medians of angles and the share of azimuths on the wrong side."""
        together = {name: torch.cat(values) for name, values in self.values.items()}
        azimuth, elevation = together.pop("azimuth"), together.pop("elevation")
        return {
            **{name: float(values.mean()) for name, values in together.items() if len(values)},
            "azimuth_error_deg_median": float(azimuth.median()),
            "flips": float((azimuth > 90).float().mean()),
            "elevation_error_deg_median": float(elevation.median()),
        }


@torch.no_grad()
def evaluate_rendered_views(
    network: InverseGraphics, views: RenderedViews, template: Template, objects: Sequence[int], codes: Tensor | None
) -> dict[str, float]:
    """Errors of camera and silhouette on rendered objects, before any refinement.

    Silhouettes are compared in the camera that the network predicts and in the true one. With the ``codes`` (K, C) of
    the fitted meshes ``vertex_error`` is the mean distance to their vertices, in the longest side of the object.
    """
    figures = _Figures(network, template)
    seen = min(VIEWS, views.number_of_views)
    pictures = torch.tensor([k * views.number_of_views + m for k in objects for m in range(seen)])
    for chunk in pictures.split(CHUNK):
        crops, cameras = rendered_crops(views, chunk, network.config.image_size)
        cameras = cameras.to(figures.device)
        mask = F.interpolate(crops[:, 3:], size=SIZE, mode="area")[:, 0]
        vertices = figures.look(crops, cameras, mask)
        figures.note(VIEW_CAMERA, figures.compare(vertices, cameras, mask))
        if codes is not None:
            true = network.shape_decoder(codes[torch.div(chunk, views.number_of_views, rounding_mode="floor")])
            figures.note("vertex_error", (vertices - true).norm(dim=-1).mean(dim=1))
    return figures.means()


@torch.no_grad()
def evaluate_shared_views(
    network: InverseGraphics, cameras: ViewCameras, data: MultiViews, template: Template, objects: Sequence[int]
) -> dict[str, float]:
    """Errors of camera and silhouette on objects in shared views, before any refinement.

    Silhouettes are compared in the camera that the network predicts, in the view's shared camera, and in the shared
    camera of another view of the object. Shared cameras are moved and scaled until the object's box is the mask's, as
    the framing of a picture that no training saw is not known.
    """
    figures = _Figures(network, template)
    for chunk in _pairs(data, objects).split(CHUNK):
        seen, other = chunk.unbind(dim=1)
        crops, shared = shared_crops(data, cameras, seen, network.config.image_size)
        mask = _mask(data, seen)
        vertices = figures.look(crops, shared, mask)
        figures.note(VIEW_CAMERA, figures.compare(vertices, boxed(shared, vertices), mask))
        _, elsewhere = shared_crops(data, cameras, other, network.config.image_size)
        iou = figures.compare(vertices, boxed(elsewhere, vertices), _mask(data, other))
        figures.note(OTHER_VIEW, iou[(seen != other).to(iou.device)])
    return figures.means()


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


def rendered_crops(views: RenderedViews, pictures: Tensor, size: int) -> tuple[Tensor, Cameras]:
    """Plain crops (N, 4, size, size) of the numbered pictures (N,) and their true cameras in those crops."""
    rgba = torch.from_numpy(views.rgba.reshape(-1, *views.rgba.shape[2:])[pictures.numpy()])
    crops = views.crops[pictures]
    return cut(rgba, crops, size), cameras_of_crops(views.cameras[pictures], crops, rgba.shape[1])


def shared_crops(data: MultiViews, cameras: ViewCameras, pictures: Tensor, size: int) -> tuple[Tensor, Cameras]:
    """Plain crops (N, 4, size, size) of the numbered pictures (N,) and their views' cameras in those crops."""
    crops = data.crops[pictures]
    device = cameras.moved.device
    whole = cameras.of_views(data.view_of[pictures].to(device))
    return data.cut(pictures, crops, size), cameras_of_crops(whole, crops.to(device), data.rgba.shape[1])


def angle_difference(a: Tensor, b: Tensor) -> Tensor:
    """Absolute difference of angles, in [0, pi]."""
    return (torch.remainder(a - b + math.pi, 2 * math.pi) - math.pi).abs()


def _mask(data: MultiViews, pictures: Tensor) -> Tensor:
    return (data.cut(pictures, data.crops[pictures], SIZE)[:, 3] > 0.5).float()


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


@torch.no_grad()
def sheet_of(network: InverseGraphics, crops: Tensor, template: Template) -> np.ndarray:
    """(N * S, 6 * S, 3) uint8: a crop, its render in the predicted camera, and from four sides, one a row."""
    device = next(network.parameters()).device
    prediction = network(crops.to(device))
    vertices = network.shape_decoder(prediction.shape_code)
    texture = network.texture_decoder(prediction.texture_code)
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=device)
    triangle_uv = torch.as_tensor(template.triangle_uv, device=device)
    cameras = prediction.cameras()
    columns = [crops[:, :3].cpu()]
    size = crops.shape[-1]
    for turn in (0.0, math.pi / 4, math.pi / 2, math.pi, 1.5 * math.pi):
        turned = cameras if turn == 0 else prediction.cameras(cameras.azimuth + turn)
        light = prediction.light if turn == 0 else None
        picture = render(vertices, triangles, Texture(triangle_uv, texture), light, turned, size, size, HARD)
        columns.append(picture.rgb.cpu())
    sheet = torch.cat(columns, dim=3).permute(0, 2, 3, 1).flatten(0, 1)
    return (sheet.clamp(0, 1).numpy() * 255).astype(np.uint8)
