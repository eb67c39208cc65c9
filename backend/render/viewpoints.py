# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where photographs of a category are taken from, as a prior: paper B draws its viewpoints v ~ p_v from it.

A viewpoint is a near-orthographic camera and a window of a background that is larger than the frame. Both are drawn
independently of the object. The window moves with the camera, so that nothing painted into the background stays behind
the object, and by a random amount besides, so that no place in the background is the object's own.

Letters: N batch, H, W picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .camera import Cameras
from .shading import sample_texture

NUMBERS = 6
"""Uniform random numbers of a viewpoint: azimuth, elevation, roll, zoom, and where the background's window lies."""


@dataclass(frozen=True)
class ViewpointPrior:
    """Distribution of viewpoints; every angle is uniform in its range. Raises ValueError for impossible ranges."""

    azimuth_deg: float = 90.0
    """Half of the range about the front: 45, 90, 120, or 180 for all around."""
    elevation_deg: tuple[float, float] = (-5.0, 15.0)
    """Lowest and highest elevation."""
    roll_deg: float = 0.0
    """Half of the range of the roll."""
    zoom: float = 1.0
    """Largest factor by which an object is shown larger or smaller than ``frame`` says; 1: all are shown alike. Its
    logarithm is uniform."""
    field_of_view_deg: float = 8.0
    """Vertical; the paper's renderer is near-orthographic (5° to 10°)."""
    frame: float = 1.3
    """Height in the world that the picture shows at the origin."""
    travel: float = 0.5
    """Part of the background's free width and height through which the window moves with the camera."""
    jitter: float = 0.5
    """Part through which it moves at random besides."""
    azimuth_least_deg: float = 0.0
    """Angle about the front within which nothing was photographed: cars for sale are shown from their corners."""

    def __post_init__(self) -> None:
        low, high = self.elevation_deg
        if not 0 <= self.azimuth_deg <= 180 or not -90 <= low <= high <= 90 or not 0 <= self.roll_deg <= 180:
            raise ValueError("A viewpoint's azimuth is within ±180°, its elevation within ±90°, lowest first.")
        if not 0 <= self.azimuth_least_deg <= self.azimuth_deg:
            raise ValueError("The least azimuth is between 0° and the largest one.")
        if not 0 < self.field_of_view_deg < 120 or self.frame <= 0 or self.zoom < 1:
            raise ValueError("A viewpoint has a field of view of 0° to 120°, a frame above 0 and a zoom of 1 or more.")
        if min(self.travel, self.jitter) < 0 or self.travel + self.jitter > 1:
            raise ValueError("A background's window stays inside: travel and jitter are 0 or more, together 1 at most.")

    @property
    def distance(self) -> float:
        """Distance at which the frame fills the picture."""
        return 0.5 * self.frame / math.tan(0.5 * math.radians(self.field_of_view_deg))

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """Returns numbers (N, NUMBERS) in [0, 1) for :meth:`viewpoints`, on the CPU."""
        return torch.rand(count, NUMBERS, generator=random)

    def viewpoints(self, numbers: Tensor) -> Viewpoints:
        """Returns the viewpoints that numbers (N, NUMBERS) in [0, 1] stand for; 0.5 is the middle of each range."""
        low, high = self.elevation_deg
        signed = 2 * numbers - 1
        zoom = torch.exp(signed[:, 3] * math.log(self.zoom))
        beyond = (self.azimuth_deg - self.azimuth_least_deg) * signed[:, 0].abs()
        azimuth_deg = torch.copysign(self.azimuth_least_deg + beyond, signed[:, 0])
        cameras = self.cameras(
            torch.deg2rad(azimuth_deg),
            torch.deg2rad(low + (high - low) * numbers[:, 1]),
            signed[:, 2] * math.radians(self.roll_deg),
        )
        cameras.field_of_view = 2 * torch.atan(torch.tan(0.5 * cameras.field_of_view) / zoom)
        return Viewpoints(cameras, self.travel * numbers[:, :2] + self._rest(numbers[:, 4:6]))

    def at(self, azimuths_deg: list[float], elevation_deg: float | None = None) -> Viewpoints:
        """Returns viewpoints at these azimuths, with the mean elevation unless one is given, the window in the middle
        of its random range; azimuths beyond the range keep the window of its end."""
        low, high = self.elevation_deg
        azimuths = torch.tensor(azimuths_deg, dtype=torch.float32)
        elevation = torch.full_like(azimuths, 0.5 * (low + high) if elevation_deg is None else elevation_deg)
        beyond = (azimuths.abs() - self.azimuth_least_deg).clamp(min=0)
        along = 0.5 + 0.5 * torch.copysign(beyond, azimuths) / max(self.azimuth_deg - self.azimuth_least_deg, 1e-6)
        along = along.clamp(0, 1)
        up = ((elevation - low) / max(high - low, 1e-6)).clamp(0, 1) if high > low else torch.full_like(along, 0.5)
        windows = self.travel * torch.stack([along, up], dim=1) + self._rest(torch.full((len(along), 2), 0.5))
        return Viewpoints(
            self.cameras(torch.deg2rad(azimuths), torch.deg2rad(elevation), torch.zeros_like(azimuths)), windows
        )

    def cameras(self, azimuth: Tensor, elevation: Tensor, roll: Tensor) -> Cameras:
        """Returns cameras at angles (N,) in radians, with this prior's lens."""
        zero = torch.zeros_like(azimuth)
        return Cameras(
            azimuth, elevation, zero + self.distance, roll, zero + math.radians(self.field_of_view_deg), zero, zero
        )

    def _rest(self, numbers: Tensor) -> Tensor:
        """What of a window's place is not the camera's; where both ranges leave something over, it lies in the middle
        of the background."""
        return self.jitter * numbers + 0.5 * (1 - self.travel - self.jitter)


@dataclass
class Viewpoints:
    """A batch of viewpoints."""

    cameras: Cameras
    window: Tensor
    """(N, 2) where the background's window lies, from left to right and from bottom to top, each from 0 to 1."""

    def __len__(self) -> int:
        return len(self.window)

    def to(self, device: torch.device | str) -> Viewpoints:
        return Viewpoints(self.cameras.to(device), self.window.to(device))

    def __getitem__(self, index) -> Viewpoints:
        return Viewpoints(self.cameras[index], self.window[index])

    @staticmethod
    def concatenate(parts: list[Viewpoints]) -> Viewpoints:
        return Viewpoints(Cameras.concatenate([p.cameras for p in parts]), torch.cat([p.window for p in parts]))


def seen_background(background: Tensor, window: Tensor, factor: float, height: int, width: int) -> Tensor:
    """The part (N, C, H, W) of backgrounds (N, C, B, B') that the windows (N, 2) show.

    A window has 1 / ``factor`` of the background's width and height. Differentiable in the background.
    """
    side = 1 / factor
    x = (torch.arange(width, device=window.device, dtype=window.dtype) + 0.5) / width
    y = 1 - (torch.arange(height, device=window.device, dtype=window.dtype) + 0.5) / height
    start = window * (1 - side)
    u = (start[:, :1] + side * x)[:, None, :].expand(-1, height, -1)
    v = (start[:, 1:] + side * y)[:, :, None].expand(-1, -1, width)
    return sample_texture(background, torch.stack([u, v], dim=-1))
