# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where examples come from that are not drawn: labelled photographs, with a fit of the shape space, and renders."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from ...common.records import Camera
from ...common.shape_space import ShapeSpace
from ...data.labelled_photographs import CROP_SCALE, LabelledPhotographs
from ...data.rendered_views import cameras_of_crops, load_views
from ...models.fit_parts import FitConfig, fit_objects
from ...models.shape_decoder import SpaceDecoder
from ...models.storage import write_tensors
from ...render.camera import Cameras, project
from ...render.fragments import interpolate_vertices
from ...render.part_map import part_map
from ...render.rasterize import rasterize
from ...render.template import Template
from .drawn_cars import regions_of
from .examples import BACKGROUND, UNKNOWN_REGION, Examples

LABEL_ERROR = math.radians(8)
"""Standard deviation of azimuths that were labelled by eye."""
WELL_FITTED = 0.85
"""Silhouettes' intersection over union from which a fit is believed."""
_CAMERA = ("azimuth", "elevation", "distance", "roll", "field_of_view", "shift_x", "shift_y")
_BATCH = 48


class Photographs:
    """Labelled photographs as examples; what a fit says of them is drawn anew each time, which saves memory."""

    def __init__(
        self, photographs: LabelledPhotographs, fits: dict[str, Tensor] | None, space: ShapeSpace, template: Template,
        device: torch.device,
    ) -> None:  # fmt: skip
        self.device, self.space = device, space
        self.rgb = torch.as_tensor(photographs.rgb, device=device).permute(0, 3, 1, 2).contiguous()
        self.masks = torch.as_tensor(photographs.masks, device=device)[:, None]
        self.azimuths = torch.as_tensor(photographs.azimuths, device=device)
        count = len(photographs)
        if fits is None:
            fits = {
                "codes": torch.zeros(count, space.size),
                "cameras": torch.zeros(count, 7),
                "iou": torch.zeros(count),
            }
        self.codes, self.iou = fits["codes"].to(device), fits["iou"].to(device)
        self.cameras = Cameras(*fits["cameras"].to(device).unbind(dim=1))
        self.decoder = SpaceDecoder(space).to(device)
        self.triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=device)
        self.sheet_uv = torch.as_tensor(template.triangle_markings_uv, device=device)

    def __len__(self) -> int:
        return len(self.azimuths)

    @torch.no_grad()
    def examples(self, index: Tensor) -> Examples:
        """The photographs of an index (N,), as they were packed."""
        rgb, mask = self.rgb[index].float() / 255, self.masks[index].float() / 255
        size, believed = rgb.shape[-1], self.iou[index] >= WELL_FITTED
        cameras, codes = self.cameras[index], self.codes[index]
        usable = Cameras(*(torch.where(believed, v, torch.ones_like(v)) for v in vars(cameras).values()))
        vertices, distances = self.decoder(codes)
        fragments = rasterize(project(usable, vertices, size, size), self.triangles, size, size)
        shares = part_map(fragments, self.sheet_uv, distances, self.space.markings, usable)
        points = interpolate_vertices(fragments, vertices, self.triangles).permute(0, 3, 1, 2)
        known = (fragments.face_index >= 0)[:, None] & (mask > 0.5) & believed[:, None, None, None]
        regions = torch.where(known[:, 0], shares.argmax(dim=1), UNKNOWN_REGION)
        regions = torch.where(mask[:, 0] < 0.5, torch.full_like(regions, BACKGROUND), regions)
        pose = torch.stack([cameras.elevation, cameras.distance.clamp(min=0.1).log(), cameras.roll], dim=1)
        ones = torch.ones(len(index), device=self.device)
        return Examples(
            rgb=rgb, mask=mask, coordinates=points * known, regions=regions.to(torch.uint8), known=known,
            azimuth=self.azimuths[index], azimuth_error=ones * LABEL_ERROR, pose=pose, code=codes,
            weight_pose=0.3 * believed, weight_code=0.3 * believed, photograph=ones > 0,
        )  # fmt: skip


def fitted_photographs(
    photographs: LabelledPhotographs, file: Path, space: ShapeSpace, template: Template, device: torch.device
) -> dict[str, Tensor]:
    """Codes (N, K), cameras (N, 7) and IoU (N,) of fits to the photographs' masks; kept in ``file`` beside the run."""
    if file.is_file():
        fits = load_file(file)
        if len(fits["iou"]) == len(photographs):
            return fits
    config = FitConfig(stages=((64, 40, 1500.0), (112, 70, 6000.0)), tilted_deg=90)
    found = []
    for start in tqdm(range(0, len(photographs), _BATCH), desc="Fitting photographs", leave=False):
        part = slice(start, start + _BATCH)
        masks, azimuths = photographs.masks[part].astype(np.float32) / 255, photographs.azimuths[part].tolist()
        found += fit_objects(masks, azimuths, space, template, config, device)
    fits = {
        "codes": torch.as_tensor(np.stack([one.code for one in found])),
        "cameras": torch.tensor([_numbers(one.cameras[0]) for one in found]),
        "iou": torch.tensor([one.iou[0] for one in found]),
    }
    write_tensors(file, fits, {})
    return fits


def _numbers(camera: Camera) -> list[float]:
    return [getattr(camera, name) for name in _CAMERA]


class Renders:
    """Rendered views with true coordinates and regions, packed on the device."""

    def __init__(self, folder: Path, size: int, device: torch.device, code_size: int, limit: int | None = None) -> None:
        views = load_views(folder, limit)
        self.code_size, self.device = code_size, device
        table = regions_of(views.regions)
        crops = views.crops.clone()
        crops[:, 2] *= CROP_SCALE
        self.cameras = cameras_of_crops(views.cameras, crops, views.rgba.shape[2]).to(device)
        rgba = torch.as_tensor(views.rgba).flatten(0, 1)
        self.rgba, self.coordinates, self.regions = [], [], []
        for index in range(views.number_of_objects):
            mine = slice(index * views.number_of_views, (index + 1) * views.number_of_views)
            grid = _crop_grid(crops[mine], views.rgba.shape[2], size)
            coordinates, regions = views.truth(index)
            pictures = rgba[mine].permute(0, 3, 1, 2).float()
            cut = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
            truth = torch.cat([
                torch.nan_to_num(torch.as_tensor(coordinates)).permute(0, 3, 1, 2),
                table[torch.as_tensor(regions).long()][:, None].float() - BACKGROUND,
            ], dim=1)  # fmt: skip
            truth = F.grid_sample(truth, grid, mode="nearest", align_corners=False)
            self.rgba.append(cut.round().to(torch.uint8))
            self.coordinates.append(truth[:, :3].half())
            self.regions.append((truth[:, 3] + BACKGROUND).round().to(torch.uint8))
        self.rgba, self.coordinates, self.regions = (  # type: ignore[assignment]
            torch.cat(values).to(device) for values in (self.rgba, self.coordinates, self.regions)
        )

    def __len__(self) -> int:
        return len(self.rgba)

    @torch.no_grad()
    def examples(self, index: Tensor, size: int) -> Examples:
        """The views of an index (N,), ``size`` pixels large."""
        rgba = F.interpolate(self.rgba[index].float() / 255, (size, size), mode="bilinear", align_corners=False)  # type: ignore[call-overload]
        regions = F.interpolate(self.regions[index][:, None].float(), (size, size), mode="nearest")[:, 0]  # type: ignore[call-overload]
        regions = regions.round().to(torch.uint8)
        coordinates = F.interpolate(self.coordinates[index].float(), (size, size), mode="nearest")  # type: ignore[call-overload]
        known = (regions != BACKGROUND)[:, None]
        cameras = self.cameras[index]
        pose = torch.stack([cameras.elevation, cameras.distance.log(), cameras.roll], dim=1)
        ones = torch.ones(len(index), device=self.device)
        return Examples(
            rgb=rgba[:, :3], mask=rgba[:, 3:], coordinates=coordinates * known, regions=regions, known=known,
            azimuth=cameras.azimuth, azimuth_error=ones * math.radians(3), pose=pose,
            code=torch.zeros(len(index), self.code_size, device=self.device), weight_pose=ones, weight_code=0 * ones,
            photograph=ones < 0,
        )  # fmt: skip


def _crop_grid(crops: Tensor, resolution: int, size: int) -> Tensor:
    theta = torch.zeros(len(crops), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = crops[:, 2] / resolution
    theta[:, :, 2] = 2 * crops[:, :2] / resolution - 1
    return F.affine_grid(theta, [len(crops), 1, size, size], align_corners=False)
