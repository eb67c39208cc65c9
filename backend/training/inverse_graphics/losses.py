# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses of the inverse-graphics network: paper A's equation 1, and what known or found cameras teach its pose head.

Letters: N batch, P rendered pictures, V vertices, s side of a rendered picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...models.inverse_graphics import Prediction, apparent_size_of
from ...models.perceptual import perceptual_loss
from ...render.camera import Cameras
from ...render.mesh_losses import MeshTopology, flatness_loss, laplacian_loss, offset_loss, silhouette_loss
from ...render.picture import Picture


@dataclass(frozen=True)
class PaperWeights:
    """Weights of the losses: the first six are paper A's, the rest belong to what cameras teach."""

    silhouette: float = 3.0
    colour: float = 20.0
    laplacian: float = 5.0
    flatness: float = 5.0
    movement: float = 2.5
    perceptual: float = 0.5
    """Weight of the perceptual loss; 0 leaves its features out altogether."""
    azimuth: float = 1.0
    pose: float = 1.0
    light: float = 0.5


def paper_losses(
    picture: Picture,
    targets: Tensor,
    vertices: Tensor,
    mean: Tensor,
    topology: MeshTopology,
    features: torch.nn.Module | None,
    creased: bool = False,
) -> dict[str, Tensor]:
    """Equation 1's terms by the names of their weights, unweighted.

    Rendered pictures (P) are compared with ``targets`` (P, 4, s, s), whose fourth channel is the mask; shapes
    ``vertices`` (N, V, 3) are compared with the template's ``mean`` (V, 3). The perceptual term needs ``features``.
    A template is flat but for its bends, which cost something, unless it is ``creased``: then what is flat costs as
    much as what is bent more. Without that, a car's sills and rims would pull its shape far from any car.
    """
    target, mask = targets[:, :3], targets[:, 3]
    offsets = vertices - mean
    losses = {
        "silhouette": silhouette_loss(picture.mask, mask),
        "colour": ((picture.rgb - target).abs().mean(dim=1) * mask).mean(),
        "laplacian": laplacian_loss(offsets, topology) / vertices.shape[1],
        "flatness": flatness_loss(vertices, topology, mean if creased else None),
        "movement": offset_loss(offsets),
    }
    if features is not None:
        losses["perceptual"] = perceptual_loss(features, picture.rgb, target, mask)
    return losses


def camera_losses(prediction: Prediction, cameras: Cameras, pose_scale: Tensor) -> dict[str, Tensor]:
    """Errors of the pose head against cameras (N), unweighted; ``pose_scale`` (6,) makes its numbers comparable."""
    pose = F.smooth_l1_loss(prediction.pose / pose_scale, pose_targets(cameras) / pose_scale)
    return {"azimuth": azimuth_loss(prediction, cameras.azimuth), "pose": pose}


def pose_targets(cameras: Cameras) -> Tensor:
    """(N, 6) numbers of cameras (N) in the order of :attr:`Prediction.pose`."""
    size = apparent_size_of(cameras.field_of_view, cameras.distance)
    return torch.stack(
        [cameras.elevation, cameras.roll, cameras.distance.log(), size.log(), cameras.shift_x, cameras.shift_y], dim=1
    )


def azimuth_loss(prediction: Prediction, azimuth: Tensor) -> Tensor:
    """Cross entropy with the two nearest bins sharing the truth (N,), plus the residual's error in those bins."""
    bins = prediction.azimuth_logits.shape[1]
    width = 2 * math.pi / bins
    centres = torch.arange(bins, device=azimuth.device) * width
    difference = torch.remainder(azimuth[:, None] - centres + math.pi, 2 * math.pi) - math.pi
    share = (1 - difference.abs() / width).clamp(min=0)
    classification = -(share * F.log_softmax(prediction.azimuth_logits, dim=1)).sum(dim=1).mean()
    residual = (share * (prediction.azimuth_residual - difference).abs()).sum(dim=1).mean()
    return classification + 2 * residual
