# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From where a photo may have been taken: the network's opinion, and the silhouette's ambiguities."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..models.inverse_graphics import Prediction


def starting_azimuths(prediction: Prediction, count: int) -> Tensor:
    """(count,) azimuths to try: the likeliest, those that its silhouette may be mistaken for, then the next likeliest.

    A left-right symmetric object seen from far away at the azimuth a has the very silhouette that it has at pi - a; at
    a + pi it has the mirror image of it.
    """
    first = float(prediction.azimuth()[0])
    chosen = [first]
    bins = prediction.azimuth_logits.shape[1]
    ranked = [float(prediction.azimuth(rank)[0]) for rank in range(bins)]
    spacing = 2 * math.pi / bins * 1.5
    for candidate in [math.pi - first, *ranked[1:4], first + math.pi, *ranked[4:]]:
        if len(chosen) < count and all(angle_between(candidate, other) > spacing for other in chosen):
            chosen.append(candidate)
    return torch.tensor(chosen, device=prediction.pose.device)


def angle_between(a: float, b: float) -> float:
    """The smaller angle between two directions, 0 to pi."""
    return abs((a - b + math.pi) % (2 * math.pi) - math.pi)


def azimuth_log_likelihood(prediction: Prediction, azimuth: Tensor) -> Tensor:
    """(N,) logarithm of the network's probability of about an azimuth (N,): that of the three bins around it."""
    probability = prediction.azimuth_logits[0].softmax(dim=0)
    around = probability + probability.roll(1) + probability.roll(-1)
    bins = len(probability)
    index = torch.round(azimuth * bins / (2 * math.pi)).long() % bins
    # A network is never as sure as it says, least of all of pictures of another kind than it learned from.
    return torch.log(around[index].clamp(max=1.0) * 0.99 + 0.01)
