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
from ...models.parts_network import PartsNetwork
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
AGREEING = math.radians(30)
"""Difference of azimuths up to which what a network reads in a photograph is believed."""
_BATCH = 48
"""Number of photographs that are fitted at once."""


class Photographs:
    """Labelled photographs as examples; what a fit says of one is drawn when it is first asked for, and kept."""

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
        distance = self.cameras.distance.clamp(min=0.1).log()
        self.pose = torch.stack([self.cameras.elevation, distance, self.cameras.roll], dim=1)
        self.decoder = SpaceDecoder(space).to(device)
        self.triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=device)
        self.sheet_uv = torch.as_tensor(template.triangle_markings_uv, device=device)
        side = self.rgb.shape[-1]
        drawn = len(photographs) if bool((self.iou >= WELL_FITTED).any()) else 0
        self.coordinates = torch.empty(drawn, 3, side, side, dtype=torch.float16, device=device)
        self.regions = torch.full((drawn, side, side), UNKNOWN_REGION, dtype=torch.uint8, device=device)
        self.is_drawn = self.iou < WELL_FITTED  # of a poor fit nothing is drawn

    def __len__(self) -> int:
        return len(self.azimuths)

    @torch.no_grad()
    def examples(self, index: Tensor) -> Examples:
        """Returns the photographs of an index (N,), as they were packed.

        Coordinates and regions are known where a believed fit and the mask agree on the object.
        """
        rgb, mask = self.rgb[index].float() / 255, self.masks[index].float() / 255
        believed = self.iou[index] >= WELL_FITTED
        coordinates, drawn = self._maps(index, rgb.shape[-1])
        known = (drawn != UNKNOWN_REGION)[:, None] & (mask > 0.5) & believed[:, None, None, None]
        regions = torch.where(known[:, 0], drawn, torch.full_like(drawn, UNKNOWN_REGION))
        regions = torch.where(mask[:, 0] < 0.5, torch.full_like(regions, BACKGROUND), regions)
        ones = torch.ones(len(index), device=self.device)
        return Examples(
            rgb=rgb, mask=mask, coordinates=coordinates * known, regions=regions, known=known,
            azimuth=self.azimuths[index], azimuth_error=ones * LABEL_ERROR, pose=self.pose[index],
            code=self.codes[index],
            weight_pose=0.3 * believed, weight_code=0.3 * believed, photograph=ones > 0,
        )  # fmt: skip

    def _maps(self, index: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Coordinates (N, 3, S, S) and regions (N, S, S) of the fits, the latter unknown where there is nothing."""
        if not len(self.regions):
            nothing = torch.full((len(index), size, size), UNKNOWN_REGION, dtype=torch.uint8, device=self.device)
            return torch.zeros(len(index), 3, size, size, device=self.device), nothing
        missing = torch.unique(index[~self.is_drawn[index]])
        if len(missing):
            cameras = self.cameras[missing]
            vertices, distances = self.decoder(self.codes[missing])
            fragments = rasterize(project(cameras, vertices, size, size), self.triangles, size, size)
            shares = part_map(fragments, self.sheet_uv, distances, self.space.markings, cameras)
            points = interpolate_vertices(fragments, vertices, self.triangles).permute(0, 3, 1, 2)
            covered = fragments.face_index >= 0
            self.coordinates[missing] = points.half()
            self.regions[missing] = torch.where(covered, shares.argmax(dim=1), UNKNOWN_REGION).to(torch.uint8)
            self.is_drawn[missing] = True
        regions = self.regions[index]
        # Places of poor fits were never written to.
        coordinates = torch.where((regions != UNKNOWN_REGION)[:, None], self.coordinates[index].float(), 0.0)
        return coordinates, regions


class ReadPhotographs(Photographs):
    """Labelled photographs whose maps, codes and poses are what another network reads in them, without fits.

    It is believed where its azimuth agrees with the label. Much less work than fits, but it teaches nothing that the
    other network did not know: good for going on from its weights.
    """

    def __init__(
        self, photographs: LabelledPhotographs, reader: PartsNetwork, space: ShapeSpace, template: Template,
        device: torch.device,
    ) -> None:  # fmt: skip
        super().__init__(photographs, None, space, template, device)
        count, side = len(self), self.rgb.shape[-1]
        self.coordinates = torch.empty(count, 3, side, side, dtype=torch.float16, device=device)
        self.regions = torch.empty(count, side, side, dtype=torch.uint8, device=device)
        for index in tracked(torch.arange(count, device=device).split(32), "Reading photographs", stay=False):
            self._read(index, reader.to(device))
        self.is_drawn = torch.ones_like(self.is_drawn)

    @torch.no_grad()
    def _read(self, index: Tensor, reader: PartsNetwork) -> None:
        side = self.rgb.shape[-1]
        given = torch.cat([self.rgb[index], self.masks[index]], dim=1).float() / 255
        crops = _resampled(given, reader.config.image_size, 1 / CROP_SCALE)
        said = reader(torch.cat([crops[:, :3] * crops[:, 3:], crops[:, 3:]], dim=1))
        offset = 0.5 / said.mask_logits.shape[-1]  # maps tell of the upper left of each two by two pixels
        self.coordinates[index] = _resampled(said.coordinates, side, CROP_SCALE, offset).half()
        inside = _resampled(said.mask_logits.sigmoid()[:, None], side, CROP_SCALE, offset)[:, 0] > 0.5
        regions = _resampled(said.region_logits, side, CROP_SCALE, offset).argmax(dim=1)
        self.regions[index] = torch.where(inside, regions, UNKNOWN_REGION).to(torch.uint8)
        apart = torch.remainder(said.azimuths()[0][:, 0] - self.azimuths[index] + math.pi, 2 * math.pi) - math.pi
        self.iou[index] = (apart.abs() < AGREEING).float()
        self.codes[index], self.pose[index] = said.code, said.pose


def _resampled(values: Tensor, size: int, scale: float, offset: float = 0.0) -> Tensor:
    """The middle ``scale`` of maps (N, C, h, h), 0 beyond them, as (N, C, size, size); ``offset`` in half sides."""
    theta = values.new_tensor([[scale, 0, offset], [0, scale, offset]]).expand(len(values), 2, 3)
    grid = F.affine_grid(theta, [len(values), 1, size, size], align_corners=False)
    return F.grid_sample(values, grid, padding_mode="zeros", align_corners=False)


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
