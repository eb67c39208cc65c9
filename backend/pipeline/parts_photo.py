# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cut-out photograph becomes an object with parts: read, refined, painted by its markings, baked from the photo."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..common.records import Camera, Reconstruction, ReconstructRequest
from ..models.crop import Crop, camera_of_photo, extract
from ..models.parts_network import PartsPrediction
from ..render.camera import Cameras, project
from ..render.part_map import part_map
from ..render.rasterize import rasterize
from ..render.shading import normals_at
from ..weights.parts import PartsReader
from .azimuths import angle_between
from .bake import BakeConfig, bake, default_texture_size
from .course import (
    FACING,
    Course,
    PictureDoubts,
    overlap_warnings,
    picture_warnings,
    plain,
    preview,
    silhouette_overlap,
)
from .parts_look import LookConfig, palette_and_light
from .parts_object import object_from_code
from .parts_refine import Hypothesis, PartsRefineConfig, PartsRefiner
from .photo import Photo


@dataclass(frozen=True)
class PartsPhotoConfig:
    """Settings of the steps, and when the user is told of a doubt."""

    refine: PartsRefineConfig = PartsRefineConfig()
    look: LookConfig = LookConfig()
    bake: BakeConfig = BakeConfig()
    doubts: PictureDoubts = PictureDoubts()
    comparison_size: int = 256
    """Side of the masks whose overlap is reported."""
    doubtful_probability: float = 0.25
    """Probability of the second direction of view from which on the user is told of it …"""
    doubtful_margin: float = 0.02
    """… and difference of the losses below which."""


def reconstruct_with_parts(
    photo: Photo,
    mask: np.ndarray,
    crop: Crop,
    request: ReconstructRequest,
    reader: PartsReader,
    course: Course,
    config: PartsPhotoConfig = PartsPhotoConfig(),
) -> Reconstruction:
    """Makes the object of a photograph whose mask (H, W) uint8 and crop are known. Raises Cancelled."""
    network = reader.network
    device = next(network.parameters()).device
    side = network.config.image_size
    rgba = torch.as_tensor(extract(photo.rgb, mask, crop, side), device=device).permute(2, 0, 1)
    with course.stage("network", "Looking at the object", 0.2, preview(rgba)), torch.no_grad():
        prediction = network(rgba[None])
    with course.stage("refine", "Refining", 0.26):
        refiner = PartsRefiner(rgba[3], prediction, reader.decoder, reader.model.template, config.refine)
        refiner.run(request.refine_steps, lambda done, total: course.say("Refining", 0.26 + 0.5 * done / max(total, 1)))
        found = refiner.hypotheses()
    with course.stage("bake", "Painting the texture", 0.78):
        made = _painted(photo, mask, crop, rgba, prediction, found[0], request, reader, config)
    made.silhouette_iou = silhouette_overlap(
        photo.rgb, mask, crop, found[0].camera, made.vertices, reader.model.template, config.comparison_size
    )
    made.warnings = [
        *picture_warnings(mask, crop, config.doubts),
        *([FACING] if is_doubtful(found, config) else []),
        *overlap_warnings(made.silhouette_iou, config.doubts),
    ]
    return made


def is_doubtful(found: list[Hypothesis], config: PartsPhotoConfig) -> bool:
    """Whether the object may as well be seen from quite another side than that of the first hypothesis."""
    for other in found[1:]:
        apart = angle_between(other.camera.azimuth, found[0].camera.azimuth) > math.pi / 4
        close = other.loss - found[0].loss < config.doubtful_margin
        if apart and (close or other.probability > config.doubtful_probability):
            return True
    return False


def _painted(
    photo: Photo, mask: np.ndarray, crop: Crop, rgba: Tensor, prediction: PartsPrediction, best: Hypothesis,
    request: ReconstructRequest, reader: PartsReader, config: PartsPhotoConfig,
) -> Reconstruction:  # fmt: skip
    """The object of the best hypothesis, with the photo's pixels where it shows them and its markings elsewhere."""
    template = reader.model.template
    height, width = photo.rgb.shape[:2]
    colours, normals, shares = _seen_regions(rgba, prediction, best, reader)
    palette, light = palette_and_light(colours, normals, shares, config.look)
    vertices = reader.model.space.vertices(best.code)
    size = request.texture_size or default_texture_size(vertices, template, best.camera, crop, config.bake)
    made = object_from_code(
        best.code, reader.model, palette, name=photo.name, camera=_of_photo(best.camera, crop, width, height),
        picture=(width, height), mask=mask, texture_size=size,
    )  # fmt: skip
    guess = made.texture.astype(np.float32) / 255
    baked = bake(photo.rgb, mask, crop, best.camera, made.vertices, template, guess, light, size, config.bake)
    return replace(made, texture=baked.texture, light=baked.light)


def _of_photo(camera: Camera, crop: Crop, width: int, height: int) -> Camera:
    return plain(camera_of_photo(camera, crop, width, height))


@torch.no_grad()
def _seen_regions(
    rgba: Tensor, prediction: PartsPrediction, best: Hypothesis, reader: PartsReader
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours (h, h, 3), normals (h, h, 3) and the regions' probabilities (R, h, h) where photo and shape agree."""
    size = prediction.mask_logits.shape[-1]
    template, device = reader.model.template, rgba.device
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=device)
    cameras = Cameras.batch([best.camera], device)
    vertices, distances = reader.decoder(torch.as_tensor(best.code, device=device)[None])
    fragments = rasterize(project(cameras, vertices, size, size), triangles, size, size)
    sheet_uv = torch.as_tensor(template.triangle_markings_uv, device=device)
    drawn = part_map(fragments, sheet_uv, distances, reader.model.space.markings, cameras)[0]
    normals = normals_at(fragments, vertices, triangles)[0]
    small = F.interpolate(rgba[None], (size, size), mode="area")[0]
    inside = small[3] > 0.95
    read = prediction.region_logits[0].softmax(dim=0)
    # Where the shape's own markings and the network say the same a pixel is sure; alone, the network must be.
    shares = (0.5 * (drawn + read) * inside).cpu().numpy()
    colours = (small[:3] / small[3:].clamp(min=0.05)).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    return colours, normals.cpu().numpy(), shares
