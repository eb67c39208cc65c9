# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures and pictures of the network for objects with parts on held-out examples."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...common.regions import Palette
from ...models.parts_network import PartsPrediction
from .examples import BACKGROUND, UNKNOWN_REGION, Examples

Seen = list[tuple[Examples, PartsPrediction, Tensor]]
"""Batches: the truth, what the network says, the crops."""


def azimuth_figures(seen: Seen) -> dict[str, float]:
    """Returns the median error in degrees, and the shares of flips (more than 90° off) and of errors above 60°.

    The share of flips is also given for fronts, whose azimuth is within 60° of 0, and for all others. ``second`` is the
    share of flips whose second hypothesis is right to 45°.
    """
    errors, truths, seconds = [], [], []
    for truth, prediction, _ in seen:
        found, _ = prediction.azimuths(2)
        apart = (torch.remainder(found - truth.azimuth[:, None] + math.pi, 2 * math.pi) - math.pi).abs()
        errors.append(apart[:, 0])
        seconds.append(apart[:, 1])
        truths.append(truth.azimuth)
    error, second = (torch.rad2deg(torch.cat(values)) for values in (errors, seconds))
    front = torch.cat(truths).abs() < math.radians(60)
    flipped = error > 90
    figures = {
        "azimuth_deg": float(error.median()),
        "flips": float(flipped.float().mean()),
        "off_60": float((error > 60).float().mean()),
    }
    for name, chosen in (("front", front), ("other", ~front)):
        if chosen.any():
            figures[f"flips_{name}"] = float(flipped[chosen].float().mean())
    if flipped.any():
        figures["second"] = float((second[flipped] < 45).float().mean())
    return figures


def map_figures(seen: Seen) -> dict[str, float]:
    """Returns the mean IoU of the masks.

    Where any pixel is known it also returns the mean error of coordinates in lengths of the object and the share of
    pixels in the right region.
    """
    coordinates, regions, overlaps = [], [], []
    for truth, prediction, _ in seen:
        step = truth.rgb.shape[-1] // prediction.mask_logits.shape[-1]
        known = truth.known[:, 0, ::step, ::step]
        error = (prediction.coordinates - truth.coordinates[:, :, ::step, ::step]).norm(dim=1)
        coordinates.append(error[known])
        true = truth.regions[:, ::step, ::step]
        judged = (true != BACKGROUND) & (true != UNKNOWN_REGION) & known
        regions.append((prediction.region_logits.argmax(dim=1) == true)[judged])
        found, mask = prediction.mask_logits > 0, F.avg_pool2d(truth.mask, step)[:, 0] > 0.5
        overlaps.append((found & mask).sum(dim=(1, 2)) / (found | mask).sum(dim=(1, 2)).clamp(min=1))
    figures = {"mask_iou": float(torch.cat(overlaps).mean())}
    if len(error := torch.cat(coordinates)):
        figures["coordinate_error"] = float(error.mean())
        figures["regions_right"] = float(torch.cat(regions).float().mean())
    return figures


def sheet(truth: Examples, prediction: PartsPrediction, crops: Tensor, count: int = 12) -> np.ndarray:
    """Returns a picture (5 h, count h, 3) uint8: crops, true and predicted coordinates, true and predicted regions."""
    size = prediction.mask_logits.shape[-1]
    step = truth.rgb.shape[-1] // size
    count = min(count, len(truth))
    colours = torch.as_tensor(np.vstack([Palette().array()[:, :3], np.zeros((3, 3), np.float32)])).to(crops)
    colours[0] = torch.tensor([0.8, 0.2, 0.2])
    inside = prediction.mask_logits[:count] > 0
    true_regions = truth.regions[:count, ::step, ::step].long()
    true_regions = torch.where(true_regions >= len(colours) - 3, len(colours) - 1, true_regions)
    found_regions = torch.where(inside, prediction.region_logits[:count].argmax(dim=1), len(colours) - 1)
    rows = [
        F.avg_pool2d(crops[:count, :3], step),
        (truth.coordinates[:count, :, ::step, ::step] + 0.5) * truth.known[:count, :, ::step, ::step],
        (prediction.coordinates[:count] + 0.5) * inside[:, None],
        colours[true_regions].permute(0, 3, 1, 2),
        colours[found_regions].permute(0, 3, 1, 2),
    ]
    picture = torch.cat([torch.cat(list(row.float()), dim=2) for row in rows], dim=1)
    return (picture.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
