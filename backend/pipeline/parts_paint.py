# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A code and cameras that explain photographs become a painted object: palette, light, markings, the photos' own.

Letters: R regions, h side of the network's maps, S side of the crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..common.colour import luminance
from ..common.records import Camera, Reconstruction
from ..common.regions import REGIONS, Finish, Palette
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
from .parts_look import LookConfig, mirrored_gain, palette_and_light
from .parts_object import object_from_code
from .parts_refine import Hypothesis
from .parts_texture import PartsTextureConfig, laid_over, layer_of, photo_map, region_map_under, registration
from .photo import Photo

_PLAIN = Palette()
"""What a palette is where nothing is seen."""


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


@dataclass(frozen=True)
class Explained:
    """A photograph of the object, and what explains it."""

    photo: Photo
    mask: np.ndarray
    """(H, W) uint8."""
    crop: Crop
    rgba: Tensor
    """(4, S, S) crop of the photo, which ``prediction`` is about."""
    prediction: PartsPrediction
    best: Hypothesis

    def camera(self) -> Camera:
        """Returns the camera of the whole photo."""
        height, width = self.photo.rgb.shape[:2]
        return plain(camera_of_photo(self.best.camera, self.crop, width, height))


def painted(
    shown: Sequence[Explained], offsets: np.ndarray, texture_size: tuple[int, int], reader: PartsReader,
    config: PartsPaintConfig,
) -> tuple[Reconstruction, Palette]:  # fmt: skip
    """The object of photographs that one code explains, as the first shows it, and the palette of its regions.

    ``offsets`` (V, 3) move the code's vertices. ``texture_size`` is the texture's side, 0 where it follows the photos,
    and the largest that it may then have.
    """
    template, space = reader.model.template, reader.model.space
    first = shown[0]
    seen = [seen_regions(one.rgba, one.prediction, one.best, reader) for one in shown]
    looks = [palette_and_light(one.colours, one.normals, one.shares(), config.look) for one in seen]
    counts = [regions_seen(one, config.look) for one in seen]
    palette = palette_of_all([own for own, _ in looks], counts, config.look)
    lights = [light * np.float32(exposure(own, palette)) for own, light in looks]
    decoded = space.decode(first.best.code)
    vertices = decoded.vertices + offsets
    sizes = [default_texture_size(vertices, template, one.best.camera, one.crop, config.bake) for one in shown]
    size = texture_size[0] or min(max(sizes), texture_size[1])
    maps = paint(template, vertices, space.markings, decoded.distances, palette, size)
    height, width = first.photo.rgb.shape[:2]
    made = object_from_code(
        first.best.code, reader.model, palette, name=first.photo.name, camera=first.camera(), picture=(width, height),
        mask=first.mask, texture_size=size, offsets=offsets, maps=maps,
    )  # fmt: skip
    layers = [
        layer_of(
            one.photo.rgb, one.mask, one.crop, one.best.camera, vertices, template, maps, own, light,
            registration(_likeliest(regions.drawn), _likeliest(regions.read), config.texture), regions.read,
            config.texture, config.bake,
        )
        for one, regions, (own, _), light in zip(shown, seen, looks, lights, strict=True)
    ]  # fmt: skip
    base_colour = laid_over(maps, layers, config.texture)
    gain = mirrored_gain(seen[0].colours, seen[0].normals, seen[0].shares(), looks[0][0], looks[0][1], config.look)
    light = mild_light(lights[0] * np.float32(gain), config.bake)
    assert made.parts is not None
    parts = replace(
        made.parts,
        photo=photo_map(base_colour, layers, vertices, template, light, config.bake),
        region_map=region_map_under(maps, layers),
    )
    return replace(made, texture=base_colour, light=light, parts=parts), palette


def regions_seen(seen: SeenRegions, config: LookConfig) -> np.ndarray:
    """(R,) how many pixels of a photograph count as each region."""
    on_object = np.linalg.norm(seen.normals, axis=-1) > 0.5
    sure = np.array([config.sure(name) for name in REGIONS])[:, None, None]
    counts: np.ndarray = ((seen.shares() > sure) & on_object).sum(axis=(1, 2))
    return counts


def palette_of_all(palettes: Sequence[Palette], counts: Sequence[np.ndarray], config: LookConfig) -> Palette:
    """The palette of photographs of one object: each region as that photograph has it which shows most of it.

    Paints are the mean of all photographs that show them: how bright they are is a guess under each one's unknown
    exposure, so that guesses even out. A second paint that few pixels of all show is the first.

    counts: (R,) of each photograph, see :func:`regions_seen`.
    """
    if len(palettes) == 1:
        return palettes[0]
    every = np.stack(list(counts))
    best = dict(zip(REGIONS, every.argmax(axis=0).tolist(), strict=True))
    found = Palette(**{name: getattr(palettes[place], name) for name, place in best.items()})
    enough = every >= config.min_pixels
    first, second = (REGIONS.index(name) for name in ("paint", "two_tone"))
    found = replace(found, paint=_mean_of([one.paint for one in palettes], found.paint, enough[:, first]))
    if every[:, second].sum() < config.min_pixels * len(palettes):
        return replace(found, two_tone=replace(palettes[best["paint"]].two_tone, colour=found.paint.colour))
    return replace(found, two_tone=_mean_of([one.two_tone for one in palettes], found.two_tone, enough[:, second]))


def _mean_of(finishes: Sequence[Finish], best: Finish, counting: np.ndarray) -> Finish:
    """A finish with the mean colour of those that count (N,) bool; as it is where none does."""
    if not counting.any():
        return best
    red, green, blue = np.mean([one.colour for one, counts in zip(finishes, counting, strict=True) if counts], axis=0)
    return replace(best, colour=(float(red), float(green), float(blue)))


def exposure(own: Palette, palette: Palette) -> float:
    """How much brighter a photograph shows its paint than the palette of all photographs has it, within limits.

    1 where it shows none.
    """
    if own.paint == _PLAIN.paint:
        return 1.0
    mine, common = (max(float(luminance(np.array(one.paint.colour))), 1e-3) for one in (own, palette))
    return min(max(mine / common, 0.2), 5.0)


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
