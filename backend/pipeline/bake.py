# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo's own pixels into the texels that it sees; the rest from the mirror image and the network's texture.

Three layers lie over one another: what the photo shows of a texel; what it shows of the texel's left-right mirror
image, where both register and the object's sides do not differ; what the network guesses. A lower layer is first given
the upper one's colours (``bake_layers.py``), so that where the upper fades out no seam shows.

Texels hold albedo: the photo divided by the light, so that the lit scene shows the photo again.
Letters: V vertices, F triangles, T texture side, D side of the depth buffer, P texels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ..common.records import Camera
from ..models.crop import Crop, extract
from ..render.camera import Cameras, camera_positions, project
from ..render.light import spherical_harmonics, srgb_decode, srgb_encode
from ..render.rasterize import rasterize
from ..render.shading import vertex_normals
from ..render.template import Template
from .atlas import Atlas
from .bake_layers import LayersConfig, fitted_layers, registration


@dataclass(frozen=True)
class BakeConfig:
    """How far the photo is believed."""

    symmetric: bool = True
    """Whether what the photo shows of one side is taken for the other too."""
    smallest_texture: int = 512
    largest_texture: int = 2048
    texture_step: int = 256
    largest_depth_buffer: int = 640

    depth_bias: float = 0.004
    """A texel this much behind the nearest surface still counts as seen; more where the surface is seen aslant."""
    direct_cosine: tuple[float, float] = (0.08, 0.25)
    mirrored_cosine: tuple[float, float] = (0.15, 0.4)
    """Between these cosines of the viewing angle a layer fades in."""
    erosion: float = 0.004
    fade: float = 0.015
    """Distances from the mask's outline, and from edges that hide something, at which the photo counts nothing
    (``erosion``) and in full (``fade``), in fractions of the crop."""
    photo_erosion: float = 0.001
    photo_fade: float = 0.004
    """As ``erosion`` and ``fade`` where the photo itself is shown, light and all …"""
    photo_cosine: tuple[float, float] = (0.03, 0.15)
    """… and the cosines of the viewing angle between which it fades in there."""
    layers: LayersConfig = LayersConfig()
    darkest_light: float = 0.3
    """The light from the darkest direction over the mean one; real photos are never black in the shade, and dividing
    by less would only make noise."""
    brightest_albedo: float = 0.9


@dataclass
class Baked:
    """A texture and the light that goes with it."""

    texture: np.ndarray
    """(T, T, 3) uint8 sRGB albedo, row 0 at the top."""
    light: np.ndarray
    """(9, 3) float32."""
    seen: np.ndarray
    """(T, T) float32 in 0..1: how much of each texel is the photo's own pixel."""


@dataclass
class SeenTexels:
    """What the photo shows of the texels turned towards it."""

    flat: np.ndarray
    """(P,) int64 places in the atlas."""
    colours: np.ndarray
    """(P, 3) float32 sRGB: first the photo's, later the albedo."""
    normals: np.ndarray
    """(P, 3) float32."""
    cosine: np.ndarray
    """(P,) float32 of the viewing angle."""
    trust: np.ndarray
    """(P,) float32 in 0..1: hidden by nothing, and away from the outline."""
    places: np.ndarray
    """(P, 2) float32: where in the crop, in fractions of its side from the upper left."""
    photo: np.ndarray
    """(P, 4) uint8 sRGB of the photo as it is, as sharp as it is, and how much it counts."""


def bake(
    rgb: np.ndarray,
    mask: np.ndarray,
    crop: Crop,
    camera: Camera,
    vertices: np.ndarray,
    template: Template,
    guess: np.ndarray,
    light: np.ndarray,
    texture_size: int = 0,
    config: BakeConfig = BakeConfig(),
) -> Baked:
    """The texture of a mesh that a photo shows.

    rgb: (H, W, 3) uint8; mask: (H, W) uint8; camera: of the crop; vertices: (V, 3); guess: (t, t, 3) float32 sRGB, the
    network's texture; light: (9, 3), of which a milder one is returned; texture_size: 0 follows the photo.
    """
    surface = torch.as_tensor(vertices, dtype=torch.float32)[None]
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64)
    normals = vertex_normals(surface, triangles)[0].numpy()
    size = texture_size or default_texture_size(vertices, template, camera, crop, config)
    atlas = Atlas.of(template, size)
    layer = seen_texels(rgb, mask, crop, camera, surface, normals, atlas, config)
    light = mild_light(light, config)
    light = _to_albedo(layer, light, config)

    direct = ramp(layer.cosine, config.direct_cosine) * layer.trust
    mirrored = ramp(layer.cosine, config.mirrored_cosine) * layer.trust * config.symmetric
    means = atlas.vertex_means(layer.colours, direct.astype(np.float64), layer.flat, len(template.vertices))
    if config.symmetric:
        registered = registration(*means, template, config.layers)
        mirrored *= atlas.interpolate(registered[:, None], layer.flat)[:, 0]
    to_mirrored, filler = fitted_layers(atlas, *means, guess, template, config.layers, config.symmetric)
    return _blend(atlas, layer, direct, mirrored, to_mirrored, filler, light)


def default_texture_size(
    vertices: np.ndarray, template: Template, camera: Camera, crop: Crop, config: BakeConfig = BakeConfig()
) -> int:
    """The size at which a texel is about a pixel where the surface is seen best, within the config's limits."""
    points = torch.as_tensor(vertices, dtype=torch.float32)[None]
    screen = project(Cameras.batch([camera]), points, 1, 1)[0, :, :2].numpy()
    on_screen = -_areas(screen[template.triangles]) * crop.side**2
    in_atlas = np.abs(_areas(template.triangle_uv))
    front = (on_screen > 0) & (in_atlas > 0)
    if not front.any():
        return config.smallest_texture
    pixels_a_side = np.sqrt(on_screen[front] / in_atlas[front])
    order = np.argsort(pixels_a_side)
    covered = np.cumsum(on_screen[front][order])
    dense = pixels_a_side[order][np.searchsorted(covered, 0.7 * covered[-1])]
    steps = round(float(np.clip(dense, config.smallest_texture, config.largest_texture)) / config.texture_step)
    return steps * config.texture_step


def _areas(corners: np.ndarray) -> np.ndarray:
    """Signed areas (F,) of triangles (F, 3, 2)."""
    (ux, uy), (wx, wy) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    return 0.5 * (ux * wy - uy * wx)


def light_on(normals: np.ndarray, light: np.ndarray) -> np.ndarray:
    """What a light (9, 3) gives to surfaces of unit normals (P, 3): (P, 3) linear."""
    received: np.ndarray = _basis(normals) @ light
    return received


def ramp(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """0 below the first limit, 1 above the second, smooth between."""
    t = np.clip((values - limits[0]) / (limits[1] - limits[0]), 0, 1)
    return t * t * (3 - 2 * t)


def seen_texels(
    rgb: np.ndarray,
    mask: np.ndarray,
    crop: Crop,
    camera: Camera,
    surface: torch.Tensor,
    normals: np.ndarray,
    atlas: Atlas,
    config: BakeConfig,
) -> SeenTexels:
    """What the photo shows of the texels of ``surface`` (1, V, 3), whose vertices have ``normals`` (V, 3)."""
    cameras = Cameras.batch([camera])
    triangles = torch.as_tensor(atlas.triangles, dtype=torch.int64)
    unit_screen = project(cameras, surface, 1, 1)[0]
    towards = np.append(_areas(unit_screen[:, :2].numpy()[atlas.triangles]) < 0, False)  # the last: no triangle
    flat = np.flatnonzero(towards[atlas.triangle_of_texel.reshape(-1)])
    # On the screen depth and position are no affine functions of the atlas, but in the world they are.
    attributes = atlas.interpolate(np.concatenate([surface[0].numpy(), normals], axis=1), flat)
    points = torch.from_numpy(np.ascontiguousarray(attributes[:, :3]))
    normal = attributes[:, 3:]
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    screen = project(cameras, points[None], 1, 1)[0].numpy()
    to_camera = camera_positions(cameras)[0].numpy() - attributes[:, :3]
    to_camera /= np.maximum(np.linalg.norm(to_camera, axis=1, keepdims=True), 1e-6)
    cosine = (normal * to_camera).sum(axis=1)

    side = int(np.clip(crop.side, 192, config.largest_depth_buffer))
    scaled = unit_screen * torch.tensor([side, side, 1.0])
    depth = rasterize(scaled[None], triangles, side, side).depth[0].numpy()
    distance = _distance_to_edges(depth, mask, crop)
    fades = [ramp(distance, (start, start + fade)) for start, fade in _fades(config)]
    trust, shown = sample(np.stack(fades, axis=2).astype(np.float32), screen[:, :2] * side).T
    # The farthest of the neighbouring depths: a slanted surface must not hide itself.
    farthest = sample(cv2.dilate(depth, np.ones((3, 3), np.uint8)), screen[:, :2] * side, cv2.INTER_NEAREST)
    pixel = float(np.tan(0.5 * camera.field_of_view) * 2 * camera.distance / side)
    slope = np.sqrt(1 - np.clip(cosine, 0.1, 1) ** 2) / np.clip(cosine, 0.1, 1)
    nearest = screen[:, 2] <= farthest + config.depth_bias + pixel * slope
    shown = shown * nearest * ramp(cosine, config.photo_cosine)
    colours, photo = _photo_colours(rgb, crop, screen[:, :2], atlas.size)
    photo = np.concatenate([photo, np.round(shown * 255).astype(np.uint8)[:, None]], axis=1)
    return SeenTexels(flat, colours, normal, cosine, trust * nearest, screen[:, :2], photo)


def _fades(config: BakeConfig) -> tuple[tuple[float, float], tuple[float, float]]:
    """Distances from an edge at which the photo begins to count, and over which it fades in: its albedo, itself."""
    return (config.erosion, config.fade), (config.photo_erosion, config.photo_fade)


def _distance_to_edges(depth: np.ndarray, mask: np.ndarray, crop: Crop) -> np.ndarray:
    """(D, D) float32 distance to the mask's outline, and to edges where something near hides something far; 0 outside.

    In fractions of the crop.
    """
    side = depth.shape[0]
    inside = extract(np.zeros((*mask.shape, 3), np.uint8), mask, crop, side)[..., 3] > 0.5
    far = np.where(depth > 0, depth, depth.max(initial=0.0))
    kernel = np.ones((3, 3), np.uint8)
    jump = (cv2.dilate(far, kernel) - cv2.erode(far, kernel) > 0.06) & (depth > 0)
    # The mesh's own outline is no reason for doubt as long as the mask goes on beyond it.
    jump &= cv2.erode((depth > 0).astype(np.uint8), kernel) > 0
    from_outline = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    from_jump = cv2.distanceTransform((~jump).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    nearest: np.ndarray = np.minimum(from_outline, from_jump) / np.float32(side)
    return nearest


def sample(picture: np.ndarray, places: np.ndarray, how: int = cv2.INTER_LINEAR) -> np.ndarray:
    """A picture (D, D) or (H, W, C) at places (P, 2) in pixels, whose centres are at half-integers; 0 outside."""
    count, width = len(places), 4096  # OpenCV's pictures have at most 32,767 rows
    rows = -(-max(count, 1) // width)
    x, y = np.zeros((2, rows * width), dtype=np.float32)
    x[:count], y[:count] = places.T - 0.5
    sampled = cv2.remap(picture, x.reshape(rows, width), y.reshape(rows, width), how, borderMode=cv2.BORDER_CONSTANT)
    return sampled.reshape(rows * width, *picture.shape[2:])[:count]


def _photo_colours(rgb: np.ndarray, crop: Crop, places: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Colours of the photo at places (P, 2) in fractions of the crop: (P, 3) float32, and sharper (P, 3) uint8."""
    height, width = rgb.shape[:2]
    # Where texels are coarser than pixels the photo is reduced first, so that each texel is a mean.
    if crop.side > 2 * size:
        shrink = 1.5 * size / crop.side
        rgb = cv2.resize(rgb, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    corner = np.array([crop.center_x, crop.center_y]) - 0.5 * crop.side
    scale = np.array([rgb.shape[1] / width, rgb.shape[0] / height])
    places = (corner + places * crop.side) * scale
    return sample(rgb, places).astype(np.float32) / 255, sample(rgb, places, cv2.INTER_CUBIC)


def mild_light(light: np.ndarray, config: BakeConfig) -> np.ndarray:
    """The light (9, 3) with its contrast so reduced that no direction is darker than the config allows."""
    light = light.astype(np.float64).copy()
    light[0] = np.maximum(light[0], 0.05)
    mean = light[0] * _BASIS_OF_DIRECTIONS[0, 0]
    darkest = (_BASIS_OF_DIRECTIONS @ light).min(axis=0)
    room = (1 - config.darkest_light) * mean / np.maximum(mean - darkest, 1e-6)
    light[1:] *= min(1.0, float(room.min()))
    return light.astype(np.float32)


def _directions(count: int = 400) -> np.ndarray:
    """(count, 3) unit vectors spread evenly over the sphere."""
    z = 1 - 2 * (np.arange(count) + 0.5) / count
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1)


def _basis(normals: np.ndarray) -> np.ndarray:
    """(P, 9) spherical harmonics at unit normals (P, 3)."""
    return spherical_harmonics(torch.from_numpy(np.ascontiguousarray(normals))).numpy()


_BASIS_OF_DIRECTIONS = _basis(_directions())
_LEVELS = 8191
_ENCODED = srgb_encode(torch.linspace(0, 1, _LEVELS + 1) ** 2).numpy()
_DECODED = srgb_decode(torch.linspace(0, 1, 256)).numpy()


def _to_albedo(layer: SeenTexels, light: np.ndarray, config: BakeConfig) -> np.ndarray:
    """Divides the layer's colours by the light, in place. Returns the light, brightened where albedo would pass 1."""
    linear = _DECODED[np.round(layer.colours * 255).astype(np.uint8)]
    linear /= np.maximum(light_on(layer.normals, light), 1e-3)
    clear = layer.trust > 0.5
    if clear.any():
        brightest = np.percentile(linear[clear].max(axis=1)[:: max(1, int(clear.sum()) // 20000)], 98)
        gain = max(1.0, float(brightest) / config.brightest_albedo)
        linear /= gain
        light = light * np.float32(gain)
    # Looked up by the square root, which spends the table's entries on the dark end, where sRGB is steep.
    layer.colours = _ENCODED[(np.sqrt(np.clip(linear, 0, 1)) * _LEVELS + 0.5).astype(np.int32)]
    return light


def _blend(
    atlas: Atlas,
    layer: SeenTexels,
    direct: np.ndarray,
    mirrored: np.ndarray,
    to_mirrored: np.ndarray,
    filler: np.ndarray,
    light: np.ndarray,
) -> Baked:
    size = atlas.size
    picture = np.zeros((size * size, 5), dtype=np.float32)
    picture[layer.flat, :3] = layer.colours
    picture[layer.flat, 3] = direct
    picture[layer.flat, 4] = mirrored
    picture = atlas.dilate(picture.reshape(size, size, 5))
    # Mirroring the object mirrors its atlas.
    reflection = picture[:, ::-1]
    texture = filler
    texture += (reflection[..., :3] + to_mirrored - texture) * reflection[..., 4:]
    texture += (picture[..., :3] - texture) * picture[..., 3:4]
    encoded = np.clip(texture * 255 + 0.5, 0, 255).astype(np.uint8)
    return Baked(encoded, light, np.ascontiguousarray(picture[..., 3]))
