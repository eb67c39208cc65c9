# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The losses of the network for objects with parts.

Letters: N batch, B bins, K numbers of a code, h side of the maps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...models.parts_network import PartsPrediction, bin_centres
from .examples import BACKGROUND, UNKNOWN_REGION, Examples


@dataclass(frozen=True)
class PartsWeights:
    """Weights of the losses, by their names."""

    azimuth: float = 1.0
    offset: float = 1.0
    pose: float = 0.5
    code: float = 1.0
    coordinates: float = 0.5
    regions: float = 0.5
    mask: float = 0.5
    photographs_dense: float = 0.4
    """Factor of the losses of coordinates and regions for photographs, whose truth is a fit."""


def parts_losses(
    prediction: PartsPrediction,
    truth: Examples,
    code_scale: Tensor,
    weights: PartsWeights,
    photographs_prior: Tensor | None = None,
) -> dict[str, Tensor]:
    """Returns the losses by name, weighted.

    ``code_scale`` (K,) says how far one unit of each number of a code moves the shape. ``photographs_prior`` (B,) are
    logarithms of how often the photographs' azimuths fall into each bin; without it none is likelier than another.
    """
    logits = prediction.azimuth_logits
    if photographs_prior is not None:
        logits = logits + truth.photograph[:, None] * photographs_prior
    size = prediction.mask_logits.shape[-1]
    dense = torch.where(truth.photograph, weights.photographs_dense, 1.0)
    known, coordinates, regions, mask = _at(truth, size)
    return {
        "azimuth": weights.azimuth * azimuth_loss(logits, truth),
        "offset": weights.offset * offset_loss(prediction.azimuth_offsets, truth),
        "pose": weights.pose * _mean(_pose_loss(prediction.pose, truth), truth.weight_pose),
        "code": weights.code * _mean(((prediction.code - truth.code).abs() * code_scale).sum(1), truth.weight_code),
        "coordinates": weights.coordinates * coordinate_loss(prediction, coordinates, known, dense),
        "regions": weights.regions * region_loss(prediction.region_logits, regions, dense),
        "mask": weights.mask * F.binary_cross_entropy_with_logits(prediction.mask_logits, mask),
    }


def azimuth_loss(logits: Tensor, truth: Examples) -> Tensor:
    """Returns the cross-entropy with a distribution over the bins that is as wide as the azimuth is uncertain."""
    apart = _apart(truth.azimuth, logits.shape[1])
    width = truth.azimuth_error.clamp(min=math.pi / logits.shape[1])[:, None]
    wanted = torch.softmax((apart.cos() - 1) / width**2, dim=1)
    return -(wanted * logits.log_softmax(dim=1)).sum(dim=1).mean()


def log_prior(azimuths: Tensor, bins: int, spread: float, floor: float = 0.05) -> Tensor:
    """Returns the logarithms (B,) of how often azimuths (N,) and their mirror images fall into each bin.

    Photographs of one kind, all but fronts for instance, teach a network that photographs show fronts. Added to the
    logits in training alone, this prior explains that away, and what the network itself says is as for azimuths that
    are all equally likely (logit adjustment, Menon and others 2021). ``spread`` is the standard deviation in radians
    that each azimuth is smeared by, ``floor`` the share that is spread over all bins evenly.
    """
    apart = _apart(torch.cat([azimuths, -azimuths]), bins)
    share = torch.softmax((apart.cos() - 1) / spread**2, dim=1).mean(dim=0)
    prior: Tensor = ((1 - floor) * share + floor / bins).log()
    return prior


def offset_loss(offsets: Tensor, truth: Examples) -> Tensor:
    """Returns how far off the azimuth is in the bins near the true one, in fifths of a radian; surer labels count
    more."""
    apart = _apart(truth.azimuth, offsets.shape[1])
    near = (apart.abs() < 2.2 * math.pi / offsets.shape[1]) * (0.05 / truth.azimuth_error.clamp(min=0.05))[:, None]
    return ((offsets - apart).abs() * near).sum() / near.sum().clamp(min=1) * 5


def coordinate_loss(prediction: PartsPrediction, coordinates: Tensor, known: Tensor, weight: Tensor) -> Tensor:
    """Returns the negative log-likelihood of the coordinates' errors, but for a constant.

    They are taken to be Laplacian with the predicted spread. ``coordinates`` (N, 3, h, h), ``known`` (N, h, h) and
    ``weight`` (N,): the truth, where it is known, and how much each picture counts.
    """
    error = (prediction.coordinates.float() - coordinates).abs().sum(dim=1)
    spread = prediction.spread
    loss = error / spread + 3 * spread.log() + 3 * math.log(100)
    return _mean((loss * known).sum(dim=(1, 2)) / known.sum(dim=(1, 2)).clamp(min=1), weight * known.any(2).any(1))


def region_loss(logits: Tensor, regions: Tensor, weight: Tensor) -> Tensor:
    """Returns the cross-entropy of the regions where they are known."""
    ignored = (regions == UNKNOWN_REGION) | (regions == BACKGROUND)
    each = F.cross_entropy(logits, regions.long().masked_fill(ignored, -100), reduction="none", ignore_index=-100)
    count = (~ignored).sum(dim=(1, 2))
    return _mean(each.sum(dim=(1, 2)) / count.clamp(min=1), weight * (count > 0))


def _pose_loss(pose: Tensor, truth: Examples) -> Tensor:
    # Radians of elevation and roll, and the logarithm of the distance, which matters less.
    return ((pose - truth.pose).abs() * pose.new_tensor([4.0, 0.5, 4.0])).sum(dim=1)


def _apart(azimuth: Tensor, bins: int) -> Tensor:
    """(N, B) radians from each bin's centre to the azimuth, the short way."""
    centres = bin_centres(bins).to(azimuth)
    return torch.remainder(azimuth[:, None] - centres + math.pi, 2 * math.pi) - math.pi


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1e-3)


def _at(truth: Examples, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Known (N, h, h), coordinates, regions and mask of the truth at the size of the maps."""
    step = truth.rgb.shape[-1] // size
    # Every second pixel: averages of coordinates over an edge would be points of neither surface.
    known = truth.known[:, 0, ::step, ::step]
    mask = F.avg_pool2d(truth.mask, step)[:, 0]
    return known, truth.coordinates[:, :, ::step, ::step], truth.regions[:, ::step, ::step], mask
