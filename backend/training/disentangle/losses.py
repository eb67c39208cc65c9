# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses of StyleGAN-R: paper A's equations 5 and 6, and what helps them where pictures are few and small.

Letters: N pictures, R picture, S styles.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...models.inverse_graphics import InverseGraphics, Prediction
from ...models.perceptual import perceptual_loss
from ...models.picture_reader import Reading
from ...models.style_mapping import StyleMapping, reduced, without_object
from ...render.camera import Cameras
from ..inverse_graphics.losses import azimuth_loss, pose_targets
from .draws import Asked


@dataclass(frozen=True)
class DisentangleWeights:
    """Weights of the losses; the paper has no others than the first six, and gives no numbers for them."""

    styles: float = 1.0
    """Equation 5: distance of the styles, in their deviations."""
    entropy: float = 0.05
    """Equation 5: of the selection among shape, texture and background."""
    shape: float = 20.0
    """Equation 6: distance of vertices, in lengths of the object."""
    texture: float = 4.0
    """Equation 6: difference of texture maps."""
    background: float = 1.0
    """Equation 6: distance of the backgrounds' codes."""
    same_background: float = 1.0
    """Equation 6: distance of the codes of two pictures with one background."""
    camera: float = 0.1
    """How far the camera read in a picture is from the one asked for."""
    silhouette: float = 1.0
    """How far the object's mask in a picture is from the silhouette of the shape asked for."""
    picture: float = 8.0
    """Difference from the picture that is wanted, where it is known."""
    perceptual: float = 8.0
    """Difference of its features."""
    adversarial: float = 0.0
    """Of a discriminator that tells pictures of the data from those made; 0: there is none."""


def style_losses(mapping: StyleMapping, asked: Asked, styles: Tensor) -> dict[str, Tensor]:
    """Equation 5 for pictures whose styles (N, S) are known."""
    found = mapping(asked.cameras, asked.shape_code, asked.texture, asked.background)
    ruled = torch.cat([mapping.view_index, mapping.content_index])
    distance = ((found - styles) / mapping.deviation)[:, ruled]
    return {"styles": distance.square().mean(), "entropy": mapping.entropy()}


def cycle_losses(
    mapping: StyleMapping, network: InverseGraphics, asked: Asked, pictures: Tensor, reading: Reading
) -> dict[str, Tensor]:
    """Equation 6 for pictures (N, 3, R, R), and the camera's; both halves have the same backgrounds."""
    shape = network.shape_decoder(reading.prediction.shape_code)
    wanted = network.shape_decoder(asked.shape_code)
    texture = reduced(reading.texture, asked.texture.shape[2])
    emptied = without_object(pictures, reading.masks.detach(), asked.background.shape[2])
    codes, target = mapping.background_part(emptied), mapping.background_part(asked.background).detach()
    first, second = codes.chunk(2)
    return {
        "shape": (shape - wanted).square().sum(dim=-1).add(1e-8).sqrt().mean(),
        "texture": (texture - asked.texture).abs().mean(),
        "background": (codes - target).square().mean(),
        "same_background": (first - second).square().mean(),
        "camera": camera_loss(reading, asked.cameras, network.pose_scale),
    }


def camera_loss(reading: Reading, cameras: Cameras, pose_scale: Tensor) -> Tensor:
    """How far the network's camera is from the one (N) asked for, both of the crop around the object.

    The crop follows the object, so that its size and place are left to the silhouette.
    """
    prediction: Prediction = reading.prediction
    elevation = (prediction.pose[:, 0] - pose_targets(cameras)[:, 0]) / pose_scale[0]
    return azimuth_loss(prediction, cameras.azimuth) + F.smooth_l1_loss(elevation, torch.zeros_like(elevation))


def silhouette_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """1 - IoU of masks (N, R, R), soft ones."""
    overlap = (found * wanted).sum(dim=(1, 2))
    union = (found + wanted - found * wanted).sum(dim=(1, 2)).clamp(min=1.0)
    return (1 - overlap / union).mean()


def picture_losses(found: Tensor, wanted: Tensor, features: torch.nn.Module) -> dict[str, Tensor]:
    """Difference of pictures (N, 3, R, R) in [0, 1], and of their features."""
    everywhere = torch.ones_like(wanted[:, 0])
    return {
        "picture": (found - wanted).abs().mean(),
        "perceptual": perceptual_loss(features, found, wanted, everywhere),
    }
