# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a photo shows its object upside down or on its side: the network reads it more clearly once it is turned.

Networks have seen upright objects alone. One that stands on its roof is read as an upright one all the same, but with
coordinates and regions of which the network is less sure than of those that it finds in the turned picture.

Measured with the weights of cars. The limits were chosen on 200 photographs of cars with known upright pose; on 199
others a photo turned by half was told 83 % of the time, one turned by a quarter 94 %, and an upright one was called
turned 1.5 % of the time; of 200 photographs like those of the training 96, 99 and 0 %. That was without the first
limit, ``clear``, which only keeps more photos upright; with it they were not measured again.

Letters: S side of the crop, h side of the network's maps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.parts_network import PartsPrediction

UPSIDE_DOWN = "The object seems to be upside down in this photo: where it is, turn the photo and try again."
ON_ITS_SIDE = "The object seems to lie on its side in this photo: where it does, turn the photo upright and try again."


@dataclass(frozen=True)
class TurnedConfig:
    """When a photo is taken for a turned one."""

    clear: float = 12.5
    """Clearness from which on a photo is upright without further reading."""
    margin: float = 1.25
    """By how much a turned photo has to be clearer."""
    regions: float = 10.0
    """Weight of the regions' probability beside the logarithm of the expected error of coordinates."""


def clearness(prediction: PartsPrediction, mask: Tensor, config: TurnedConfig = TurnedConfig()) -> list[float]:
    """How sure the network is of what it reads in each of N pictures, whose masks are (N, S, S) in [0, 1]."""
    spread = prediction.spread
    inside = F.interpolate(mask[:, None], spread.shape[-2:], mode="area")[:, 0] > 0.5
    surest = prediction.region_logits.softmax(dim=1).amax(dim=1)
    found = []
    for own, error, chance in zip(inside, spread, surest, strict=True):
        if not bool(own.any()):
            found.append(-math.inf)
            continue
        error_mean = max(float(error[own].mean()), 1e-6)
        found.append(config.regions * float(chance[own].mean()) - math.log(error_mean))
    return found


@torch.no_grad()
def turned_warnings(
    rgba: Tensor, prediction: PartsPrediction, read: Callable[[Tensor], PartsPrediction],
    config: TurnedConfig = TurnedConfig(),
) -> list[str]:  # fmt: skip
    """A sentence where a crop (4, S, S), of which ``prediction`` was read, stands upright once it is turned."""
    (own,) = clearness(prediction, rgba[None, 3], config)
    if own >= config.clear:
        return []
    turns = torch.stack([rgba.rot90(quarters, (1, 2)) for quarters in (1, 2, 3)])
    others = clearness(read(turns), turns[:, 3], config)
    best = max(range(3), key=lambda index: others[index])
    if others[best] - own <= config.margin:
        return []
    return [UPSIDE_DOWN if best == 1 else ON_ITS_SIDE]
