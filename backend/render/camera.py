# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras: the one place that states the conventions of the whole product.

World
    Right-handed, Z up. In the canonical frame an object has its bounding box centred at the origin and its longest
    side is 1; its front looks towards -Y, its left side towards +X.
Camera
    At ``distance`` from the origin, looking at it: azimuth 0 stands in front (-Y), azimuth 90 degrees at the object's
    left (+X), elevation goes up. Camera space: X right, Y up, looking along -Z, as in Blender and OpenGL. ``roll``
    turns the camera counter-clockwise about its own Z axis.
Picture
    Height H, width W, row 0 at the top, pixel centres at half-integers. ``field_of_view`` is vertical. The origin is
    seen at x = W / 2 + shift_x * max(W, H), y = H / 2 - shift_y * max(W, H).
    Screen coordinates are pixels, x to the right and y DOWN, so that they index the picture directly; their third
    component is the depth along the viewing direction, positive in front of the camera.

Angles are radians. Letters in the shapes: N batch, V vertices, H and W the picture's height and width.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from ..common.records import Camera


@dataclass
class Cameras:
    """A batch of cameras; every field has the shape (N,)."""

    azimuth: Tensor
    elevation: Tensor
    distance: Tensor
    roll: Tensor
    field_of_view: Tensor
    shift_x: Tensor
    shift_y: Tensor

    def __len__(self) -> int:
        return self.azimuth.shape[0]

    def __getitem__(self, index) -> Cameras:
        return Cameras(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def to(self, device: torch.device | str) -> Cameras:
        return Cameras(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def detach(self) -> Cameras:
        return Cameras(**{f.name: getattr(self, f.name).detach() for f in fields(self)})

    def mirrored(self) -> Cameras:
        """The cameras that see the left-right mirrored world as the mirrored picture."""
        return replace(self, azimuth=-self.azimuth, roll=-self.roll, shift_x=-self.shift_x)

    def unbatch(self) -> list[Camera]:
        columns = {f.name: getattr(self, f.name).detach().cpu().tolist() for f in fields(self)}
        return [Camera(**{name: values[i] for name, values in columns.items()}) for i in range(len(self))]

    @staticmethod
    def batch(cameras: list[Camera], device: torch.device | str = "cpu") -> Cameras:
        return Cameras(
            **{f.name: torch.tensor([getattr(c, f.name) for c in cameras], device=device) for f in fields(Cameras)}
        )

    @staticmethod
    def concatenate(parts: list[Cameras]) -> Cameras:
        return Cameras(**{f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Cameras)})


def world_to_camera_rotation(cameras: Cameras) -> Tensor:
    """Rotations (N, 3, 3) whose rows are the camera's right, up and backward axes in the world."""
    sin_a, cos_a = cameras.azimuth.sin(), cameras.azimuth.cos()
    sin_e, cos_e = cameras.elevation.sin(), cameras.elevation.cos()
    zero = torch.zeros_like(sin_a)
    right = torch.stack([cos_a, sin_a, zero], dim=-1)
    backward = torch.stack([sin_a * cos_e, -cos_a * cos_e, sin_e], dim=-1)
    up = torch.stack([-sin_a * sin_e, cos_a * sin_e, cos_e], dim=-1)
    sin_r, cos_r = cameras.roll.sin()[:, None], cameras.roll.cos()[:, None]
    return torch.stack([cos_r * right + sin_r * up, cos_r * up - sin_r * right, backward], dim=1)


def to_camera_space(cameras: Cameras, points: Tensor) -> Tensor:
    """World points (N, V, 3), or (V, 3) shared by the batch, in camera space: (N, V, 3)."""
    if points.dim() == 2:
        points = points.expand(len(cameras), -1, -1)
    rotated = points @ world_to_camera_rotation(cameras).transpose(1, 2)
    # The camera stands on its own backward axis, so that moving there is a step along Z alone.
    return torch.cat([rotated[..., :2], rotated[..., 2:] - cameras.distance[:, None, None]], dim=-1)


def focal_length_in_pixels(cameras: Cameras, height: int) -> Tensor:
    """(N,) focal lengths for a picture of the given height."""
    return 0.5 * height / torch.tan(0.5 * cameras.field_of_view)


def project(cameras: Cameras, points: Tensor, height: int, width: int) -> Tensor:
    """World points (N, V, 3) or (V, 3) on the screen: (N, V, 3) of x, y in pixels (y down) and depth.

    Points at or behind the camera keep their non-positive depth, and the rasteriser drops the faces that have one.
    """
    in_camera = to_camera_space(cameras, points)
    depth = -in_camera[..., 2]
    safe = torch.where(depth > 1e-6, depth, torch.ones_like(depth))
    focal = focal_length_in_pixels(cameras, height)[:, None]
    longer = max(width, height)
    x = 0.5 * width + cameras.shift_x[:, None] * longer + focal * in_camera[..., 0] / safe
    y = 0.5 * height - cameras.shift_y[:, None] * longer - focal * in_camera[..., 1] / safe
    return torch.stack([x, y, depth], dim=-1)


def camera_positions(cameras: Cameras) -> Tensor:
    """Camera centres in the world, (N, 3)."""
    return world_to_camera_rotation(cameras)[:, 2] * cameras.distance[:, None]
