# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A code and a camera that explain a photograph become a painted object: palette, light, markings, the photo's own.

Letters: R regions, h side of the network's maps, S side of the crop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..common.records import Camera, Reconstruction
from ..common.regions import Palette
from ..models.crop import Crop, camera_of_photo
from ..models.parts_network import PartsPrediction
from ..render.camera import Cameras, project
from ..render.part_map import part_map
from ..render.rasterize import rasterize
from ..render.shading import normals_at
from ..weights.parts import PartsReader
from .bake import BakeConfig, default_texture_size, mild_light
from .course import plain
from .paint import paint
from .parts_look import LookConfig, palette_and_light
from .parts_object import object_from_code
from .parts_refine import Hypothesis
from .parts_texture import PartsTextureConfig, registration, texture
from .photo import Photo


@dataclass(frozen=True)
class PartsPaintConfig:
    """Settings of the steps."""

    look: LookConfig = LookConfig()
    texture: PartsTextureConfig = PartsTextureConfig()
    bake: BakeConfig = BakeConfig()


@dataclass(frozen=True)
class SeenRegions:
    """What photo, network and shape say of each place of the network's maps."""

    colours: np.ndarray
    """(h, h, 3) float32 sRGB of the photo."""
    normals: np.ndarray
    """(h, h, 3) float32 in the world, 0 where no object is drawn."""
    drawn: np.ndarray
    """(R, h, h) float32 shares of the regions as the shape has them, 0 beyond it."""
    read: np.ndarray
    """(R, h, h) float32 probabilities of the regions as the network reads them, 0 beyond the mask."""

    def shares(self) -> np.ndarray:
        """(R, h, h): where shape and network say the same a pixel is sure; alone, the network must be."""
        inside = self.read.sum(axis=0) > 0
        result: np.ndarray = 0.5 * (self.drawn + self.read) * inside
        return result


def painted(
    photo: Photo, mask: np.ndarray, crop: Crop, rgba: Tensor, prediction: PartsPrediction, best: Hypothesis,
    offsets: np.ndarray, texture_size: tuple[int, int], reader: PartsReader, config: PartsPaintConfig,
) -> tuple[Reconstruction, Palette]:  # fmt: skip
    """The object of a hypothesis whose vertices are moved by ``offsets`` (V, 3), and the palette of its regions.

    ``mask`` (H, W) uint8 and ``crop`` are the photo's, ``rgba`` (4, S, S) its crop, which ``prediction`` is about.
    ``texture_size`` is the texture's side, 0 where it follows the photo, and the largest that it may then have.
    """
    template, space = reader.model.template, reader.model.space
    height, width = photo.rgb.shape[:2]
    seen = seen_regions(rgba, prediction, best, reader)
    palette, light = palette_and_light(seen.colours, seen.normals, seen.shares(), config.look)
    decoded = space.decode(best.code)
    vertices = decoded.vertices + offsets
    size = texture_size[0] or min(
        default_texture_size(vertices, template, best.camera, crop, config.bake), texture_size[1]
    )
    maps = paint(template, vertices, space.markings, decoded.distances, palette, size)
    made = object_from_code(
        best.code, reader.model, palette, name=photo.name, camera=_of_photo(best.camera, crop, width, height),
        picture=(width, height), mask=mask, texture_size=size, offsets=offsets, maps=maps,
    )  # fmt: skip
    believed = registration(_likeliest(seen.drawn), _likeliest(seen.read), config.texture)
    base_colour = texture(
        photo.rgb, mask, crop, best.camera, vertices, template, maps, palette, light, believed, seen.read,
        config.texture, config.bake,
    )  # fmt: skip
    return replace(made, texture=base_colour, light=mild_light(light, config.bake)), palette


def _of_photo(camera: Camera, crop: Crop, width: int, height: int) -> Camera:
    return plain(camera_of_photo(camera, crop, width, height))


def _likeliest(shares: np.ndarray) -> np.ndarray:
    """(h, h) index of the likeliest of regions (R, h, h), -1 where there is none."""
    return np.where(shares.sum(axis=0) > 0.5, shares.argmax(axis=0), -1)


@torch.no_grad()
def seen_regions(rgba: Tensor, prediction: PartsPrediction, best: Hypothesis, reader: PartsReader) -> SeenRegions:
    """What a crop (4, S, S) shows where the shape of a hypothesis is, at the size of the network's maps."""
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
    # The network's own opinion of the mask counts too: it leaves out neighbours and kerbs.
    inside = (small[3] > 0.95) & (prediction.mask_logits[0] > 0)
    read = prediction.region_logits[0].softmax(dim=0) * inside
    colours = (small[:3] / small[3:].clamp(min=0.05)).clamp(0, 1).permute(1, 2, 0)
    return SeenRegions(*(values.cpu().numpy() for values in (colours, normals, drawn, read)))
