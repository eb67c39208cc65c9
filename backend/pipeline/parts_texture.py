# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texture of an object with parts: what its markings say, and what the photo truly adds to it.

Markings and palette paint the whole object, on sides that no photo shows too. The photo then has its say region by
region. Lamps, plates, grilles and rims are taken from it where the shape's own region and what the network read lie on
one another; on the far side their mirror images, but for those that carry letters. Paint keeps its one colour, so that
neither highlights nor reflections nor shadows are printed onto it; only what no light on that paint can look like, a
sticker for instance, is kept. Glass, tyres and what lies below never take the photo's pixels.

Several photos of one object each have their say where they see it best.

Letters: P texels, Q texture side, R regions, h side of the network's maps, S side of the picture that paint is judged
in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ..common.colour import LUMINANCE
from ..common.records import Camera
from ..common.region_map import covered
from ..common.regions import REGIONS, Palette
from ..models.crop import Crop, extract
from ..render.light import srgb_decode, srgb_encode
from ..render.shading import vertex_normals
from ..render.template import Template
from .atlas import Atlas, spread
from .bake import BakeConfig, SeenTexels, light_on, ramp, sample, seen_texels
from .paint import Maps

_PANELS = ("paint", "two_tone")
_SRGB_OFFSET = np.float32(0.055 * 255)
_LIGHT_SHRINK = 4
_ROWS = 64
"""Rows of a texture that are worked on at once: they stay in the processor's cache."""


@dataclass(frozen=True)
class PartsTextureConfig:
    """What of the photo is believed."""

    kept: tuple[str, ...] = ("head_lamp", "tail_lamp", "plate", "dark", "rim")
    """Regions whose look is more than one colour, taken from the photo."""
    lettered: tuple[str, ...] = ("plate",)
    """Regions of these that carry letters: never mirrored."""
    registered: tuple[float, float] = (0.3, 0.55)
    """Overlap of the region as drawn and as read between which the photo is more and more believed."""
    least_pixels: int = 10
    """Pixels of the network's maps that a region must have, as drawn, to be judged at all."""
    lamps: tuple[str, ...] = ("head_lamp", "tail_lamp", "plate")
    """Regions that are taken from the photo wherever the network reads them, also on what is drawn as paint."""
    surely_read: tuple[float, float] = (0.4, 0.7)
    """Probability that the network gives a lamp between which it is more and more believed."""
    strange: tuple[float, float] = (0.35, 0.55)
    """Share of a colour that no light on the paint explains, between which it is more and more kept."""
    darkest_strange: float = 0.12
    """Linear brightness of paint below which all that is strange on it may be mirrored surroundings."""
    side: int = 384
    """Side of the picture in which thin dark details of the paint are found."""
    thin: float = 0.03
    """Width in parts of the crop up to which something dark on the paint is a gap or a vent, and no shadow."""
    darkest_detail: float = 0.35
    """Part of the paint's colour that such a detail leaves at least."""
    light_limits: tuple[float, float] = (0.45, 1.8)
    """Light that the photo is divided by, at least and at most, over the mean one."""
    choice: float = 4.0
    """How sharply the best of several photos is preferred: its weight is raised to this power."""


@dataclass(frozen=True)
class Layer:
    """What one photo says of the base colour, texel by texel."""

    albedo: np.ndarray
    """(Q, Q, 3) float32 sRGB without the light."""
    direct: np.ndarray
    """(Q, Q) float32 from 0 to 1: how much the photo counts where it shows the surface …"""
    mirrored: np.ndarray
    """(Q, Q) … and how much on the other side of the object."""
    facing: np.ndarray
    """(Q, Q) float32 cosine of the viewing angle."""
    photo: np.ndarray
    """(Q, Q, 4) uint8: the photo's own pixels, light and all, and how much they count."""
    foreign: np.ndarray
    """(Q, Q, 3) float32: how much of the base colour, 0 to 1, is something else than the region that is drawn there,
    where the photo shows the surface and on the other side of the object; and the region that it is, a lamp for
    instance, -1 for a sticker."""


def registration(drawn: np.ndarray, read: np.ndarray, config: PartsTextureConfig) -> np.ndarray:
    """Returns how far each region (R,) of the photo is believed, from 0 to 1.

    ``drawn`` and ``read`` are the regions' indices (h, h) of the fitted shape and of the network, -1 beyond the object.
    """
    believed = np.zeros(len(REGIONS), np.float32)
    near = np.ones((3, 3), np.uint8)
    for index in range(len(REGIONS)):
        mine, other = (np.equal(one, index).astype(np.uint8) for one in (drawn, read))
        if mine.sum() < config.least_pixels:
            continue
        # One pixel of the network's maps is several of the photo's: neighbours count.
        around, around_other = (cv2.dilate(one, near) > 0 for one in (mine, other))
        hits = ((mine > 0) & around_other).sum() + ((other > 0) & around).sum()
        believed[index] = ramp(np.asarray(hits / max(mine.sum() + other.sum(), 1)), config.registered)
    return believed


def texture(
    rgb: np.ndarray, mask: np.ndarray, crop: Crop, camera: Camera, vertices: np.ndarray, template: Template,
    maps: Maps, palette: Palette, light: np.ndarray, believed: np.ndarray, read: np.ndarray,
    config: PartsTextureConfig, bake: BakeConfig,
) -> np.ndarray:  # fmt: skip
    """Returns the base colour (Q, Q, 3) uint8 of a shape (V, 3) whose markings ``maps`` show, by one photo.

    Arguments are those of :func:`layer_of`.
    """
    layer = layer_of(
        rgb, mask, crop, camera, vertices, template, maps, palette, light, believed, read, config, bake
    )  # fmt: skip
    return laid_over(maps, [layer], config)


def layer_of(
    rgb: np.ndarray, mask: np.ndarray, crop: Crop, camera: Camera, vertices: np.ndarray, template: Template,
    maps: Maps, palette: Palette, light: np.ndarray, believed: np.ndarray, read: np.ndarray,
    config: PartsTextureConfig, bake: BakeConfig,
) -> Layer:  # fmt: skip
    """Returns what one photo says of the base colour of a shape (V, 3) whose markings ``maps`` show.

    rgb: (H, W, 3) uint8; mask: (H, W) uint8; camera: of the crop; light: (9, 3); believed: (R,) of
    :func:`registration`; read: (R, h, h) probabilities that the network gives the regions, 0 beyond the object.
    """
    surface = torch.as_tensor(vertices, dtype=torch.float32)[None]
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64)
    normals = vertex_normals(surface, triangles)[0].numpy()
    size = len(maps.base_colour)
    atlas = Atlas.of(template, size)
    seen = seen_texels(rgb, mask, crop, camera, surface, normals, atlas, bake)
    region = maps.regions.reshape(-1)[seen.flat]
    painted = maps.base_colour.reshape(-1, 3)[seen.flat].astype(np.float32) / 255

    on_paint, is_kept = (np.isin(region, _indices(names)) for names in (_PANELS, config.kept))
    lamp = _lamps(seen, region, read, config)
    albedo = _albedo(seen, light, config)
    on_panels, strange = _panels(albedo, painted, rgb, mask, crop, seen, region, read, palette, config)
    albedo = np.where(on_paint[:, None], on_panels + (albedo - on_panels) * lamp[:, None], albedo)

    sure = np.maximum(np.where(is_kept, believed[region], on_paint), lamp)
    has_no_letters = ~np.isin(region, _indices(config.lettered))
    symmetric = np.maximum(np.where(is_kept, believed[region], 0), lamp) * has_no_letters
    picture = np.zeros((size * size, 9), np.float32)
    picture[seen.flat, :3] = albedo
    picture[seen.flat, 3] = sure * ramp(seen.cosine, bake.direct_cosine) * seen.trust
    picture[seen.flat, 4] = symmetric * ramp(seen.cosine, bake.mirrored_cosine) * seen.trust
    picture[seen.flat, 5] = seen.cosine.clip(0, 1)
    # A sticker stays a sticker, whatever colour the paint around it gets, and a lamp has the colour of lamps.
    foreign = np.stack([np.maximum(lamp, np.where(on_paint, strange, 0)), lamp], axis=1)
    picture[seen.flat, 6:8] = foreign * picture[seen.flat, 3:5]
    picture[seen.flat, 8] = np.where(lamp > 0, _likeliest_lamp(seen, read, config), -1)
    picture = atlas.dilate(picture.reshape(size, size, 9))
    photo = np.zeros((size * size, 4), np.uint8)
    photo[seen.flat] = seen.photo
    photo = atlas.dilate(photo.reshape(size, size, 4))
    return Layer(picture[..., :3], picture[..., 3], picture[..., 4], picture[..., 5], photo, picture[..., 6:])


def laid_over(maps: Maps, layers: Sequence[Layer], config: PartsTextureConfig) -> np.ndarray:
    """Returns the base colour (Q, Q, 3) uint8 of ``maps`` with what photos of one object say of it, one at least.

    Where several show a place the one that looks at it most directly has its say; between two that do so equally well
    their colours go over into one another, so that no seam shows.
    """
    made = maps.base_colour.astype(np.float32) / 255
    colours, weight = _best(layers, [layer.mirrored for layer in layers], config)
    # Mirroring the object mirrors its atlas.
    made += (colours[:, ::-1] - made) * weight[:, ::-1, None]
    colours, weight = _best(layers, [layer.direct for layer in layers], config)
    made += (colours - made) * weight[..., None]
    return np.clip(made * 255 + 0.5, 0, 255).astype(np.uint8)


def region_map_under(maps: Maps, layers: Sequence[Layer]) -> np.ndarray:
    """Returns the region map (Q, Q, 3) of ``maps`` with what the photos add to the regions that are drawn."""
    result = maps.region_map
    for place, turned in ((1, True), (0, False)):  # as the colours are laid over one another
        shares = np.stack([layer.foreign[..., place] for layer in layers])
        regions = np.stack([layer.foreign[..., 2] for layer in layers]).astype(np.int32)
        best = shares.argmax(axis=0)[None]
        shares, regions = (np.take_along_axis(one, best, axis=0)[0] for one in (shares, regions))
        result = covered(result, *((one[:, ::-1] if turned else one) for one in (shares, regions)))
    return result


def photo_map(
    base_colour: np.ndarray, layers: Sequence[Layer], vertices: np.ndarray, template: Template, light: np.ndarray,
    bake: BakeConfig,
) -> np.ndarray:  # fmt: skip
    """Returns a shape's (V, 3) look in the first photo's light (Q, Q, 3) uint8: the photos' pixels where they show it.

    What no photo shows is ``base_colour`` (Q, Q, 3) in the ``light`` (9, 3), brought to the colours that are seen
    nearby; of several photos the first comes first.
    """
    surface = torch.as_tensor(vertices, dtype=torch.float32)[None]
    normals = vertex_normals(surface, torch.as_tensor(template.triangles, dtype=torch.int64))[0].numpy()
    # Light varies slowly, so a small atlas has room for it. In sRGB, but for its darkest end, more light is a power's
    # factor on colours and an offset.
    size = len(base_colour)
    small = Atlas.of(template, max(size // _LIGHT_SHRINK, 128))
    factor = small.picture(np.maximum(light_on(normals, light), 0.0) ** (1 / 2.4))
    more = (factor - 1) * _SRGB_OFFSET
    more += _missing(factor, more, base_colour, layers, small, template, bake)
    gain, offset = (cv2.resize(field, (size, size), interpolation=cv2.INTER_LINEAR) for field in (factor, more))
    result = np.empty_like(base_colour)
    for begin in range(0, size, _ROWS):
        rows = slice(begin, begin + _ROWS)
        made: np.ndarray = base_colour[rows] * gain[rows]
        made += offset[rows]
        for layer in reversed(layers):
            made += (layer.photo[rows, :, :3] - made) * (layer.photo[rows, :, 3:] * np.float32(1 / 255))
        result[rows] = np.clip(made + 0.5, 0, 255)
    return result


def _missing(
    factor: np.ndarray, more: np.ndarray, base_colour: np.ndarray, layers: Sequence[Layer], small: Atlas,
    template: Template, bake: BakeConfig,
) -> np.ndarray:  # fmt: skip
    """What photos show more than the base colour times ``factor`` and ``more`` (q, q, 3) of a small atlas.

    A smooth field (q, q, 3), which fades beyond what they show.
    """
    # A texel of many stands for its neighbours: what counts are means over faces.
    chosen = ((np.arange(small.size) + 0.5) * len(base_colour) / small.size).astype(int)
    lit = base_colour[np.ix_(chosen, chosen)] * factor + more
    colours, weight = lit.copy(), np.zeros((*lit.shape[:2], 1), np.float32)
    for layer in reversed(layers):
        shown = layer.photo[np.ix_(chosen, chosen)]
        share = shown[..., 3:] * np.float32(1 / 255)
        colours += (shown[..., :3] - colours) * share
        weight += (1 - weight) * share
    flat = np.flatnonzero((small.triangle_of_texel >= 0) & (weight[..., 0] > 0))
    sure = weight.reshape(-1)[flat].astype(np.float64)
    differences = (colours - lit).reshape(-1, 3)[flat] / sure[:, None]
    means, known = small.vertex_means(differences, sure, flat, len(template.vertices))
    return small.picture(spread(means, known, template.edges, bake.layers.fill_reach))


def _best(
    layers: Sequence[Layer], weights: Sequence[np.ndarray], config: PartsTextureConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Colours (Q, Q, 3) of layers, each place mostly by the best of them, and how much they count there (Q, Q)."""
    if len(layers) == 1:
        return layers[0].albedo, weights[0]
    shares = [(weight * layer.facing) ** config.choice for layer, weight in zip(layers, weights, strict=True)]
    total = np.maximum(np.sum(shares, axis=0), 1e-12)
    colours = np.zeros_like(layers[0].albedo)
    for layer, share in zip(layers, shares, strict=True):
        colours += layer.albedo * (share / total)[..., None]
    return colours, np.max(weights, axis=0)


def _lamps(seen: SeenTexels, region: np.ndarray, read: np.ndarray, config: PartsTextureConfig) -> np.ndarray:
    """(P,) how surely each texel that may be a lamp or a plate is read as one."""
    likeliest = np.ascontiguousarray(read[_indices(config.lamps)].max(axis=0))
    surely = ramp(sample(likeliest, seen.places * read.shape[-1]), config.surely_read)
    result: np.ndarray = surely * np.isin(region, _indices((*_PANELS, "dark", "trim", *config.lamps)))
    return result


def _likeliest_lamp(seen: SeenTexels, read: np.ndarray, config: PartsTextureConfig) -> np.ndarray:
    """(P,) index of the region that each texel is if it is a lamp or a plate."""
    places = seen.places * read.shape[-1]
    lamps = _indices(config.lamps)
    found: np.ndarray = np.array(lamps)[np.argmax([sample(read[lamp], places) for lamp in lamps], axis=0)]
    return found


def _panels(
    albedo: np.ndarray, painted: np.ndarray, rgb: np.ndarray, mask: np.ndarray, crop: Crop, seen: SeenTexels,
    region: np.ndarray, read: np.ndarray, palette: Palette, config: PartsTextureConfig,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """(P, 3) sRGB of texels as if all were paint: the painted colours with thin dark details and what is no paint.

    And how surely each is no paint (P,).
    """
    # Where the network reads something else than paint, a neighbour in the mask for instance, the photo tells nothing.
    read_as_paint = np.ascontiguousarray(read[_indices(_PANELS)].sum(axis=0))
    believed = sample(read_as_paint, seen.places * read.shape[-1]) > 0.5
    detail = np.where(believed, _details(rgb, mask, crop, seen, config), 1)[:, None]
    darker = srgb_encode(srgb_decode(torch.from_numpy(painted)) * torch.from_numpy(detail)).numpy()
    strange = _strangeness(palette, seen, region, config) * believed
    return darker + (albedo - darker) * strange[:, None], strange


def _albedo(seen: SeenTexels, light: np.ndarray, config: PartsTextureConfig) -> np.ndarray:
    """(P, 3) sRGB of the photo's pixels without the light."""
    received = light_on(seen.normals, light)
    mean = max(float(received.mean()), 1e-3) if len(received) else 1.0
    darkest, brightest = (limit * mean for limit in config.light_limits)
    received = np.clip(received, darkest, brightest)
    linear = srgb_decode(torch.from_numpy(seen.colours)).numpy() / received
    return srgb_encode(torch.from_numpy(np.clip(linear, 0, 0.9))).numpy()


def _indices(names: tuple[str, ...]) -> list[int]:
    return [REGIONS.index(name) for name in names]


def _details(rgb: np.ndarray, mask: np.ndarray, crop: Crop, seen: SeenTexels, config: PartsTextureConfig) -> np.ndarray:
    """(P,) how bright each texel is beside its surroundings, 1 where it is no darker: gaps, vents and handles."""
    side = int(min(config.side, crop.side))
    picture = extract(rgb, np.full_like(mask, 255), crop, side)[..., :3]
    brightness = srgb_decode(torch.from_numpy(picture)).numpy() @ LUMINANCE.astype(np.float32)
    encoded = (np.sqrt(brightness.clip(0, 1)) * 255).astype(np.uint8)
    around = cv2.medianBlur(encoded, 2 * (round(config.thin * side) // 2) + 3).astype(np.float32)
    ratio = ((encoded + 8.0) / (around + 8.0)) ** 2
    return sample(ratio.astype(np.float32).clip(config.darkest_detail, 1), seen.places * side)


def _strangeness(palette: Palette, seen: SeenTexels, region: np.ndarray, config: PartsTextureConfig) -> np.ndarray:
    """(P,) from 0 to 1: how surely a texel of paint shows something that is not that paint in any light."""
    result = np.zeros(len(region), np.float32)
    for name in _PANELS:
        mine = region == REGIONS.index(name)
        colour = np.array(getattr(palette, name).colour, np.float32)
        if mine.any() and srgb_decode(torch.from_numpy(colour)).max() > config.darkest_strange:
            result[mine] = unexplained(seen.colours[mine], colour, config)
    return result


def unexplained(colours: np.ndarray, paint: np.ndarray, config: PartsTextureConfig) -> np.ndarray:
    """Returns for sRGB colours (P, 3) how surely each is not that paint (3,), from 0 to 1.

    Paint in more or less light, with a highlight or a reflection of white or of sky laid over it, is explained.
    """
    linear = srgb_decode(torch.from_numpy(colours)).numpy()
    own = srgb_decode(torch.from_numpy(paint)).numpy()
    best = np.full(len(linear), np.inf, np.float32)
    for sheen in ((1.0, 1.0, 1.0), (0.65, 0.85, 1.0), (1.0, 0.85, 0.65)):
        basis = np.stack([own / max(np.linalg.norm(own), 1e-3), np.array(sheen) / np.linalg.norm(sheen)], axis=1)
        amounts = np.clip(linear @ np.linalg.pinv(basis).T, 0, None)
        best = np.minimum(best, np.linalg.norm(linear - amounts @ basis.T, axis=1))
    share = best / np.maximum(np.linalg.norm(linear, axis=1), 0.06)
    return ramp(share, config.strange).astype(np.float32)
