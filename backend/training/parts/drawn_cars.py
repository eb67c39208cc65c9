# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects drawn by our own rasteriser from random codes, palettes, cameras and surroundings, with exact truth.

They are no photographs, but there is no end of them, and the coordinate and the region of every pixel are known. What
glossy surfaces mirror is a random panorama of sky, horizon, ground and bright windows.

Letters: N pictures, S their side, V vertices, R regions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...common.regions import random_palette
from ...common.shape_space import ShapeSpace
from ...data.labelled_photographs import CROP_SCALE
from ...models.inverse_graphics import CROP_MARGIN
from ...models.shape_decoder import SpaceDecoder
from ...render.camera import Cameras, camera_positions, project
from ...render.fragments import interpolate_vertices
from ...render.light import srgb_decode, srgb_encode
from ...render.part_map import part_map
from ...render.rasterize import rasterize
from ...render.shading import normalized, normals_at
from ...render.template import Template
from .examples import BACKGROUND, Examples

_PANORAMA = (16, 32)


@dataclass(frozen=True)
class DrawnConfig:
    """What is drawn."""

    codes: int = 4096
    """Number of codes and of palettes that pictures are drawn from; each is seen again and again, from other sides."""
    kept: int = 0
    """Number of drawn pictures that are kept and shown again, varied anew; 0: every picture is drawn for one step."""
    fresh: float = 0.25
    """Share of a step's drawn pictures by which the kept ones are renewed, in parts of those in a batch."""
    elevation_deg: tuple[float, float] = (8.0, 7.0)
    """Mean and standard deviation of the elevation."""
    from_above: float = 0.08
    """Share of cameras that look from high above, up to 60°."""
    distance: tuple[float, float] = (1.3, 6.0)
    """Range of the distance in lengths of the object, spread evenly over its logarithm."""
    roll_deg: float = 2.0
    """Standard deviation of the roll."""
    real_surroundings: float = 0.4
    """Share of objects that mirror and are lit by a ground that is given, a piece of a photograph for instance."""


class DrawnCars:
    """Objects of a shape space at random codes, drawn as often as wanted."""

    def __init__(
        self, space: ShapeSpace, template: Template, config: DrawnConfig, device: torch.device, seed: int
    ) -> None:
        random = np.random.default_rng(seed)
        self.config, self.space, self.device = config, space, device
        self.decoder = SpaceDecoder(space).to(device)
        self.triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=device)
        self.sheet_uv = torch.as_tensor(template.triangle_markings_uv, device=device)
        codes = np.stack([space.sample(random) for _ in range(config.codes)])
        palettes = np.stack([random_palette(random).array() for _ in range(config.codes)])
        self.codes, self.palettes = (torch.as_tensor(values, device=device) for values in (codes, palettes))

    @torch.no_grad()
    def draw(self, count: int, size: int, grounds: Tensor, generator: torch.Generator) -> Examples:
        """Returns ``count`` pictures of ``size`` pixels before ``grounds`` (count, 3, H, W)."""
        code = self.codes[torch.randint(len(self.codes), (count,), device=self.device, generator=generator)]
        palette = self.palettes[torch.randint(len(self.palettes), (count,), device=self.device, generator=generator)]
        palette = self._varied(palette, generator)
        return self.pictures(code, palette, self._poses(count, generator), size, grounds, generator)

    def pictures(
        self, codes: Tensor, palettes: Tensor, poses: Cameras, size: int, grounds: Tensor, generator: torch.Generator,
        *, fitted: bool = True,
    ) -> Examples:  # fmt: skip
        """Returns pictures of codes (N, K) with palettes (N, R, 5), seen from poses, whose framing is ``fitted`` to the
        object or left as it is."""
        vertices, distances = self.decoder(codes)
        cameras = framed(poses, vertices, CROP_MARGIN * CROP_SCALE) if fitted else poses
        fragments = rasterize(project(cameras, vertices, size, size), self.triangles, size, size)
        shares = part_map(fragments, self.sheet_uv, distances, self.space.markings, cameras)
        points = interpolate_vertices(fragments, vertices, self.triangles)
        normals = normals_at(fragments, vertices, self.triangles)
        panorama = self._surroundings(grounds, generator)
        colour = self._shaded(shares, points, normals, palettes, camera_positions(cameras), panorama, generator)
        covered = fragments.face_index >= 0
        ground = F.interpolate(grounds, (size, size), mode="bilinear", align_corners=False)
        rgb = torch.where(covered[:, None], colour, ground)
        regions = torch.where(covered, shares.argmax(dim=1), torch.full_like(fragments.face_index, BACKGROUND))
        count, pose = len(codes), torch.stack([cameras.elevation, cameras.distance.log(), cameras.roll], dim=1)
        known = covered[:, None]
        ones = torch.ones(count, device=self.device)
        return Examples(
            rgb=rgb, mask=known.to(rgb.dtype), coordinates=points.permute(0, 3, 1, 2) * known,
            regions=regions.to(torch.uint8), known=known, azimuth=cameras.azimuth,
            azimuth_error=ones * math.radians(3), pose=pose, code=codes, weight_pose=ones, weight_code=ones,
            photograph=ones < 0,
        )  # fmt: skip

    def _uniform(self, shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
        return low + (high - low) * torch.rand(shape, device=self.device, generator=generator)

    def _normal(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return torch.randn(shape, device=self.device, generator=generator)

    def _varied(self, palettes: Tensor, generator: torch.Generator) -> Tensor:
        """Palettes (N, R, 5) with every finish a little off."""
        change = self._normal(tuple(palettes.shape), generator) * palettes.new_tensor([0.04, 0.04, 0.04, 0.06, 0.05])
        return (palettes + change).clamp(0.01, 1)

    def _poses(self, count: int, generator: torch.Generator) -> Cameras:
        config = self.config
        mean, deviation = config.elevation_deg
        elevation = (mean + deviation * self._normal((count,), generator)).clamp(-3, 45)
        above = self._uniform((count,), 0, 1, generator) < config.from_above
        elevation = torch.where(above, self._uniform((count,), 20, 60, generator), elevation) * (math.pi / 180)
        near, far = (math.log(limit) for limit in config.distance)
        zero = torch.zeros(count, device=self.device)
        return Cameras(
            azimuth=self._uniform((count,), -math.pi, math.pi, generator),
            elevation=elevation,
            distance=self._uniform((count,), near, far, generator).exp(),
            roll=math.radians(config.roll_deg) * self._normal((count,), generator),
            field_of_view=zero + 0.4,
            shift_x=zero,
            shift_y=zero,
        )

    def _shaded(
        self, shares: Tensor, points: Tensor, normals: Tensor, palettes: Tensor, eyes: Tensor, panorama: Tensor,
        generator: torch.Generator,
    ) -> Tensor:  # fmt: skip
        """Colours (N, 3, S, S): diffuse light from a sky and a sun, and a panorama mirrored by glossy regions."""
        count = len(shares)
        finish = torch.einsum("nrhw,nrc->nchw", shares, palettes)
        albedo, roughness, metallic = srgb_decode(finish[:, :3]), finish[:, 3:4], finish[:, 4:5]
        view = normalized(eyes[:, None, None] - points, dim=-1)
        facing = (normals * view).sum(dim=-1, keepdim=True)
        mirrored = 2 * facing * normals - view
        gloss = (1 - roughness).clamp(0, 1) ** 2
        fresnel = 0.09 + 0.8 * (1 - facing.permute(0, 3, 1, 2).clamp(0, 1)) ** 5
        seen = _looked_up(panorama, mirrored)
        up = normals[..., 2:].permute(0, 3, 1, 2)
        sky = panorama[:, :, :6].mean(dim=(2, 3))[..., None, None]
        earth = panorama[:, :, 10:].mean(dim=(2, 3))[..., None, None]
        ambient = sky * (0.5 + 0.5 * up) + earth * (0.5 - 0.5 * up)
        sun = normalized(self._normal((count, 3), generator) + self.decoder.mean.new_tensor([0, 0, 0.8]), dim=1)
        strength = self._uniform((count, 1, 1, 1), 0, 1.6, generator) * (
            self._uniform((count, 1, 1, 1), 0, 1, generator) < 0.6
        )
        lit = ambient + strength * torch.einsum("nhwc,nc->nhw", normals, sun)[:, None].clamp(min=0)
        # Little light gets under a car: its height above the wheels' lowest point tells.
        height = points[..., 2] - points[..., 2].flatten(1).amin(dim=1)[:, None, None]
        sheltered = 0.35 + 0.65 * (height[:, None] / 0.12).clamp(0, 1)
        colour = albedo * (1 - 0.7 * metallic) * lit * sheltered
        colour = colour + seen * gloss * (fresnel + 0.5 * metallic * albedo)
        exposure = torch.exp(0.25 * self._normal((count, 1, 1, 1), generator))
        return srgb_encode(colour * exposure)

    def _surroundings(self, grounds: Tensor, generator: torch.Generator) -> Tensor:
        """(N, 3, 16, 32) linear: drawn panoramas, and some of the grounds (N, 3, H, W), of another object each."""
        drawn = self._panorama(len(grounds), generator)
        if not self.config.real_surroundings:
            return drawn
        exposure = torch.exp(0.4 + 0.35 * self._normal((len(grounds), 1, 1, 1), generator))
        # A photograph is bright above and dark below, as the surroundings of an object are.
        real = srgb_decode(F.interpolate(grounds.roll(1, 0), _PANORAMA, mode="area")) * exposure
        coin = self._uniform((len(grounds), 1, 1, 1), 0, 1, generator)
        return torch.where(coin < self.config.real_surroundings, real, drawn)

    def _panorama(self, count: int, generator: torch.Generator) -> Tensor:
        """(N, 3, 16, 32) linear: rows from zenith to nadir."""
        rows, columns = _PANORAMA

        def colours(low: float, high: float) -> Tensor:
            tint = 1 + 0.12 * self._normal((count, 3, 1, 1), generator)
            return self._uniform((count, 1, 1, 1), low, high, generator) * tint

        height = torch.linspace(1, -1, rows, device=self.device).view(1, 1, rows, 1)
        zenith, horizon, ground = colours(0.3, 1.4), colours(0.5, 1.6), colours(0.08, 0.6)
        picture = torch.where(height > 0, horizon + (zenith - horizon) * height.abs(), ground)
        picture = picture.expand(-1, -1, rows, columns).clone()
        skyline = F.interpolate(self._uniform((count, 1, 8), -0.2, 0.55, generator), columns, mode="linear")[
            ..., None, :
        ]
        houses = (height > -0.05) & (height < skyline)
        picture = torch.where(houses, colours(0.05, 0.8).expand_as(picture), picture)
        coarse = F.interpolate(self._normal((count, 1, 4, 8), generator), (rows, columns), mode="bicubic")
        lamps = (self._uniform((count, 1, rows, columns), 0, 1, generator) < 0.01) & (height > 0.1)
        return (picture * torch.exp(0.25 * coarse) + 6 * lamps).clamp(0, 8)


def framed(cameras: Cameras, vertices: Tensor, margin: float) -> Cameras:
    """Returns cameras at the same places that see vertices (N, V, 3) fill a square picture.

    The box about them, ``margin`` times as large, is the picture: that gives the field of view and the shift.
    """
    zero = torch.zeros_like(cameras.azimuth)
    unit = Cameras(
        cameras.azimuth, cameras.elevation, cameras.distance, cameras.roll, zero + 2 * math.atan(0.5), zero, zero
    )
    # With a half-tangent of a half the focal length is one side of the picture.
    flat = project(unit, vertices, 1, 1)[..., :2] - 0.5
    low, high = flat.amin(dim=1), flat.amax(dim=1)
    side = margin * (high - low).amax(dim=1)
    centre = (low + high) / 2
    return Cameras(
        cameras.azimuth, cameras.elevation, cameras.distance, cameras.roll, 2 * torch.atan(0.5 * side),
        -centre[:, 0] / side, centre[:, 1] / side,
    )  # fmt: skip


def _looked_up(panorama: Tensor, directions: Tensor) -> Tensor:
    """Colours (N, 3, S, S) of a panorama in directions (N, S, S, 3)."""
    x, y, z = directions.unbind(dim=-1)
    across = torch.atan2(y, x) / math.pi
    down = -2 * torch.asin(z.clamp(-1, 1)) / math.pi
    return F.grid_sample(panorama, torch.stack([across, down], dim=-1), padding_mode="border", align_corners=False)
