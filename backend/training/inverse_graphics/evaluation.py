# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures and pictures of the inverse-graphics network on held-out objects, and the main directions of its codes.

Letters: N batch, K objects, S and C code lengths.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...data.rendered_views import RenderedViews, cameras_of_crops, cut
from ...models.inverse_graphics import InverseGraphics
from ...render.camera import Cameras
from ...render.mesh_losses import silhouette_iou
from ...render.picture import HARD, render
from ...render.shading import Texture
from ...render.template import Template
from .codes import standardise_shape_codes

_CHUNK = 16


def view_crops(views: RenderedViews, pictures: Tensor, size: int) -> tuple[Tensor, Cameras]:
    """Unspoiled crops (N, 4, S, S) of the given pictures and their cameras."""
    rgba = torch.from_numpy(views.rgba.reshape(-1, *views.rgba.shape[2:])[pictures.numpy()])
    crops = views.crops[pictures]
    return cut(rgba, crops, size), cameras_of_crops(views.cameras[pictures], crops, rgba.shape[1])


def angle_difference(a: Tensor, b: Tensor) -> Tensor:
    """Absolute difference of angles in [0, pi]."""
    return (torch.remainder(a - b + math.pi, 2 * math.pi) - math.pi).abs()


@torch.no_grad()
def evaluate(
    network: InverseGraphics, views: RenderedViews, template: Template, objects: Sequence[int], codes: Tensor | None
) -> dict[str, float]:
    """Camera and silhouette errors over all views of the given objects, before any refinement."""
    device = next(network.parameters()).device
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=device)
    triangle_uv = torch.as_tensor(template.triangle_uv, device=device)
    size = 96
    azimuth: list[Tensor] = []
    elevation: list[Tensor] = []
    own: list[Tensor] = []
    known: list[Tensor] = []
    vertex: list[Tensor] = []
    numbers = torch.tensor(
        [k * views.number_of_views + m for k in objects for m in range(min(4, views.number_of_views))]
    )
    for chunk in numbers.split(_CHUNK):
        crops, cameras = view_crops(views, chunk, network.config.image_size)
        crops, cameras = crops.to(device), cameras.to(device)
        prediction = network(crops)
        vertices = network.shape_decoder(prediction.shape_code)
        texture = network.texture_decoder(prediction.texture_code)
        mask = torch.nn.functional.interpolate(crops[:, 3:], size=size, mode="area")[:, 0]
        for seen_by, results in ((prediction.cameras(), own), (cameras, known)):
            picture = render(vertices, triangles, Texture(triangle_uv, texture), None, seen_by, size, size, HARD)
            results.append(silhouette_iou(picture.mask, mask))
        azimuth.append(angle_difference(prediction.azimuth(), cameras.azimuth))
        elevation.append((prediction.pose[:, 0] - cameras.elevation).abs())
        if codes is not None:
            truth = network.shape_decoder(codes[torch.div(chunk, views.number_of_views, rounding_mode="floor")])
            vertex.append((vertices - truth).norm(dim=-1).mean(dim=1))
    error = torch.cat(azimuth).rad2deg()
    figures = {
        "azimuth_error_deg_median": error.median(),
        "flips": (error > 90).float().mean(),
        "elevation_error_deg_median": torch.cat(elevation).rad2deg().median(),
        "iou_own_camera": torch.cat(own).mean(),
        "iou_known_camera": torch.cat(known).mean(),
    }
    if vertex:
        figures["vertex_error"] = torch.cat(vertex).mean()
    return {name: float(value) for name, value in figures.items()}


@torch.no_grad()
def save_pictures(
    network: InverseGraphics, views: RenderedViews, template: Template, objects: Sequence[int], path: Path
) -> None:
    """A sheet of :func:`sheet_of` for the first view of each object."""
    numbers = torch.tensor([k * views.number_of_views for k in list(objects)[:8]])
    Image.fromarray(sheet_of(network, view_crops(views, numbers, network.config.image_size)[0], template)).save(path)


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


def finished(average: InverseGraphics, batches: Sequence[Tensor], codes_are_standard: bool = False) -> InverseGraphics:
    """A copy of a training's average as it is used: with standard normal shape codes and with its sliders' directions.

    batches: crops (N, 4, S, S) of training objects. Codes that true meshes taught are standard as they are.
    """
    network = copy.deepcopy(average)
    if not codes_are_standard:
        standardise_shape_codes(network, batches)
    find_directions(network, batches)
    return network


def first_views(views: RenderedViews, objects: int, size: int, limit: int = 256) -> list[Tensor]:
    """Crops of the first view of each of so many training objects, in batches."""
    chunks = (torch.arange(min(objects, limit)) * views.number_of_views).split(_CHUNK)
    return [view_crops(views, chunk, size)[0] for chunk in chunks]


@torch.no_grad()
def find_directions(network: InverseGraphics, batches: Iterable[Tensor]) -> None:
    """Finds the main directions of both codes over crops (N, 4, S, S) in batches: the sliders' meaning.

    A direction is the code's regression on a principal component of what it decodes to, one standard deviation long.
    """
    device = next(network.parameters()).device
    shape_codes, texture_codes, vertices, textures = [], [], [], []
    for crops in batches:
        prediction = network(crops.to(device))
        shape_codes.append(prediction.shape_code)
        texture_codes.append(prediction.texture_code)
        vertices.append(network.shape_decoder(prediction.shape_code).flatten(1))
        texture = network.texture_decoder(prediction.texture_code)
        textures.append(torch.nn.functional.interpolate(texture, size=32, mode="area").flatten(1))
    network.shape_directions.copy_(_directions(torch.cat(shape_codes), torch.cat(vertices)))
    network.texture_directions.copy_(_directions(torch.cat(texture_codes), torch.cat(textures)))


def _directions(codes: Tensor, decoded: Tensor, count: int = 6) -> Tensor:
    """(6, S): how the code (K, S) moves with each of the decoded field's (K, D) first principal components."""
    codes, decoded = codes - codes.mean(dim=0), decoded - decoded.mean(dim=0)
    left, _, right = torch.linalg.svd(decoded, full_matrices=False)
    found = min(count, left.shape[1])
    # The sign of a component is arbitrary: make it the one in which most of the object grows or brightens.
    scores = left[:, :found] * torch.sign(right[:found].sum(dim=1)) * math.sqrt(len(codes))
    directions = codes.new_zeros(count, codes.shape[1])
    directions[:found] = scores.T @ codes / len(codes)
    return directions
