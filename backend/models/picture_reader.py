# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What frozen networks read in a generator's pictures, with gradients to the pixels: paper A's cycle (section A.3).

A small segmenter finds the object, the crop around it goes into the inverse-graphics network, and what that says comes
back as shape, texture and the camera of the whole picture. The crop's place has no gradient.

Letters: N batch, R picture, K shape code, T texture, V vertices.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..render.camera import Cameras, focal_length_in_pixels
from .crop import crop_around
from .inverse_graphics import InverseGraphics, Prediction
from .segmenter import Segmenter


@dataclass
class Reading:
    """What is seen in N pictures."""

    masks: Tensor
    """(N, R, R) probability of the object, with gradient to the picture."""
    crops: Tensor
    """(N, 3): centre x, centre y and side of the crop around the object, in pixels."""
    prediction: Prediction
    """Of the crops."""
    texture: Tensor
    """(N, 3, T, T)."""


@dataclass(frozen=True)
class PictureReader:
    """The networks that read; none of them learns."""

    network: InverseGraphics
    segmenter: Segmenter

    def __call__(self, pictures: Tensor) -> Reading:
        """Reads pictures (N, 3, R, R) in [0, 1]."""
        masks = self.masks(pictures)
        return self.read(pictures, masks)

    def masks(self, pictures: Tensor) -> Tensor:
        """(N, R, R) probability of the object."""
        side = self.segmenter.config.resolution
        shown = pictures if pictures.shape[2] == side else F.interpolate(pictures, (side, side), mode="bilinear")
        probability: Tensor = self.segmenter(shown.contiguous(memory_format=torch.channels_last)).sigmoid()
        if side == pictures.shape[2]:
            return probability
        return F.interpolate(probability[:, None], pictures.shape[2:], mode="bilinear")[:, 0]

    def read(self, pictures: Tensor, masks: Tensor) -> Reading:
        """Reads pictures (N, 3, R, R) whose masks (N, R, R) are known."""
        crops = crops_of(masks)
        seen = cut_out(pictures, masks.detach(), crops, self.network.config.image_size)
        prediction = self.network(seen.contiguous(memory_format=torch.channels_last))
        return Reading(masks, crops, prediction, self.network.texture_decoder(prediction.texture_code))


def crops_of(masks: Tensor) -> Tensor:
    """(N, 3) crops around masks (N, R, R) in [0, 1], as training made them."""
    bytes_ = (masks.detach() * 255).round().to(torch.uint8).cpu().numpy()
    return torch.tensor([crop_around(mask) for mask in bytes_], dtype=torch.float32, device=masks.device)


def cut_out(pictures: Tensor, masks: Tensor, crops: Tensor, size: int) -> Tensor:
    """Crops (N, 4, size, size) of pictures (N, 3, R, R), colour multiplied by the mask (N, R, R), the fourth channel.

    With gradient to the pictures.
    """
    resolution = pictures.shape[2]
    alpha = masks[:, None]
    theta = torch.zeros(len(crops), 2, 3, device=pictures.device)
    theta[:, 0, 0] = theta[:, 1, 1] = crops[:, 2] / resolution
    theta[:, :, 2] = 2 * crops[:, :2] / resolution - 1
    grid = F.affine_grid(theta, [len(crops), 4, size, size], align_corners=False)
    whole = torch.cat([pictures * alpha, alpha], dim=1)
    return F.grid_sample(whole, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def cameras_of_pictures(cameras: Cameras, crops: Tensor, resolution: int) -> Cameras:
    """The cameras (N) of whole square pictures, of those of their crops (N, 3)."""
    x, y, side = crops.unbind(dim=1)
    focal = focal_length_in_pixels(cameras, 1) * side
    return Cameras(
        azimuth=cameras.azimuth,
        elevation=cameras.elevation,
        distance=cameras.distance,
        roll=cameras.roll,
        field_of_view=2 * torch.atan(0.5 * resolution / focal),
        shift_x=(x + cameras.shift_x * side) / resolution - 0.5,
        shift_y=0.5 - (y - cameras.shift_y * side) / resolution,
    )
