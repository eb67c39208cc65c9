# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where examples come from that are not drawn: labelled photographs, with a fit of the shape space, and renders."""

from __future__ import annotations

import hashlib
import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...common.regions import REGIONS
from ...common.shape_space import ShapeSpace
from ...data.labelled_photographs import CROP_SCALE, LabelledPhotographs
from ...data.rendered_views import cameras_of_crops, load_views
from ...models.fit_parts import FitConfig, fit_objects
from ...models.shape_decoder import SpaceDecoder
from ...models.storage import read_tensors, write_tensors
from ...progress_bar import tracked
from ...render.camera import Cameras, project
from ...render.fragments import interpolate_vertices
from ...render.part_map import part_map
from ...render.rasterize import rasterize
from ...render.template import Template
from .examples import BACKGROUND, UNKNOWN_REGION, Examples

LABEL_ERROR = math.radians(8)
"""Standard deviation of azimuths that were labelled by eye."""
WELL_FITTED = 0.85
"""Silhouettes' intersection over union from which a fit is believed."""
_BATCH = 48
"""Number of photographs that are fitted at once."""


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
        if fits is None:  # zeros: none is believed
            count = len(photographs)
            sizes = {"codes": (count, space.size), "cameras": (count, len(fields(Cameras))), "iou": (count,)}
            fits = {name: torch.zeros(shape) for name, shape in sizes.items()}
        self.codes, self.iou = fits["codes"].to(device), fits["iou"].to(device)
        self.cameras = Cameras(*fits["cameras"].to(device).unbind(dim=1))
        self.decoder = SpaceDecoder(space).to(device)
        self.triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=device)
        self.sheet_uv = torch.as_tensor(template.triangle_markings_uv, device=device)

    def __len__(self) -> int:
        return len(self.azimuths)

    @torch.no_grad()
    def examples(self, index: Tensor) -> Examples:
        """Returns the photographs of an index (N,), as they were packed.

        Coordinates and regions are known where a believed fit and the mask agree on the object.
        """
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
    """Returns ``codes`` (N, K), ``cameras`` (N, 7) and ``iou`` (N,) of fits to the photographs' masks.

    They are kept in ``file``, which is read where it is of the same photographs and the same space. Raises ValueError
    with one sentence where it is damaged.
    """
    made_of = _digest(photographs, space)
    if file.is_file():
        fits, metadata = read_tensors(file)
        if metadata.get("made_of") == made_of:
            return fits
    # Starts with the camera rolled would double the work, and few photographs of a set are tilted.
    config = FitConfig(stages=((64, 40, 1500.0), (112, 70, 6000.0)), tilted_deg=90)
    found = []
    for start in tracked(range(0, len(photographs), _BATCH), "Fitting photographs", unit="batch", stay=False):
        part = slice(start, start + _BATCH)
        masks, azimuths = photographs.masks[part].astype(np.float32) / 255, photographs.azimuths[part].tolist()
        found += fit_objects(masks, azimuths, space, template, config, device)
    fits = {
        "codes": torch.as_tensor(np.stack([one.code for one in found])),
        "cameras": torch.tensor([[getattr(one.cameras[0], f.name) for f in fields(Cameras)] for one in found]),
        "iou": torch.tensor([one.iou[0] for one in found]),
    }
    write_tensors(file, fits, {"made_of": made_of})
    return fits


def _digest(photographs: LabelledPhotographs, space: ShapeSpace) -> str:
    """A text that changes with whatever a fit depends on."""
    digest = hashlib.sha256()
    for array in (photographs.masks, photographs.azimuths, space.mean, space.basis):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class Renders:
    """Rendered views with true coordinates and regions, packed on the device."""

    rgba: Tensor
    """Pictures (N, 4, S, S) uint8."""
    coordinates: Tensor
    """Canonical coordinates (N, 3, S, S) float16, 0 on the background."""
    regions: Tensor
    """Regions (N, S, S) uint8 as those of ``Examples``."""

    def __init__(self, folder: Path, size: int, device: torch.device, code_size: int) -> None:
        """Reads a folder as crops of ``size`` pixels.

        Raises FileNotFoundError where no object lies there, or one without truth.
        """
        views = load_views(folder)
        self.code_size, self.device = code_size, device
        table = regions_of(views.regions)
        crops = views.crops.clone()
        crops[:, 2] *= CROP_SCALE
        self.cameras = cameras_of_crops(views.cameras, crops, views.rgba.shape[2]).to(device)
        rgba = torch.as_tensor(views.rgba).flatten(0, 1)
        packed: list[tuple[Tensor, Tensor, Tensor]] = []
        for index in range(views.number_of_objects):
            mine = slice(index * views.number_of_views, (index + 1) * views.number_of_views)
            grid = _crop_grid(crops[mine], views.rgba.shape[2], size)
            coordinates, regions = views.truth(index)
            pictures = rgba[mine].permute(0, 3, 1, 2).float()
            # Beyond the picture's edge there is no object, whatever colour it is continued in.
            colour = F.grid_sample(pictures[:, :3], grid, padding_mode="border", align_corners=False)
            alpha = F.grid_sample(pictures[:, 3:], grid, padding_mode="zeros", align_corners=False)
            truth = torch.cat([
                torch.nan_to_num(torch.as_tensor(coordinates)).permute(0, 3, 1, 2),
                table[torch.as_tensor(regions).long()][:, None].float() - BACKGROUND,
            ], dim=1)  # fmt: skip
            truth = F.grid_sample(truth, grid, mode="nearest", align_corners=False)
            rgba_of_views = torch.cat([colour, alpha], dim=1).round().to(torch.uint8)
            packed.append((rgba_of_views, truth[:, :3].half(), (truth[:, 3] + BACKGROUND).round().to(torch.uint8)))
        columns = zip(*packed, strict=True)
        self.rgba, self.coordinates, self.regions = (torch.cat(values).to(device) for values in columns)

    def __len__(self) -> int:
        return len(self.rgba)

    @torch.no_grad()
    def examples(self, index: Tensor, size: int) -> Examples:
        """Returns the views of an index (N,), ``size`` pixels large."""
        rgba = F.interpolate(self.rgba[index].float() / 255, (size, size), mode="bilinear", align_corners=False)
        regions = F.interpolate(self.regions[index][:, None].float(), (size, size), mode="nearest")[:, 0]
        regions = regions.round().to(torch.uint8)
        coordinates = F.interpolate(self.coordinates[index].float(), (size, size), mode="nearest")
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


def regions_of(names: tuple[str, ...]) -> Tensor:
    """Returns a table (256,) uint8 from numbers of a dataset's part maps to regions as those of ``Examples``.

    A part map holds 0 in the background and a place in ``names`` plus one on the object.
    """
    table = torch.full((256,), UNKNOWN_REGION, dtype=torch.uint8)
    table[0] = BACKGROUND
    for place, name in enumerate(names):
        if name in REGIONS:
            table[place + 1] = REGIONS.index(name)
    return table


def _crop_grid(crops: Tensor, resolution: int, size: int) -> Tensor:
    """Sampling grids (N, size, size, 2) of crops (N, 3) of pictures of ``resolution`` pixels."""
    theta = torch.zeros(len(crops), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = crops[:, 2] / resolution
    theta[:, :, 2] = 2 * crops[:, :2] / resolution - 1
    return F.affine_grid(theta, [len(crops), 1, size, size], align_corners=False)
