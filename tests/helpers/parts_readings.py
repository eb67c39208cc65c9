# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drawn car whose truth is known, and what a network would say of it that reads it rightly, or nearly."""

from __future__ import annotations

import math

import torch

from backend.common.regions import REGIONS
from backend.models.parts_network import PartsPrediction, bin_centres
from backend.render.camera import Cameras
from backend.training.parts.drawn_cars import DrawnCars, DrawnConfig
from backend.training.parts.examples import BACKGROUND, Examples, plain
from backend.weights.parts import PartsModel

SIDE = 128


def drawn_car(model: PartsModel) -> Examples:
    """One drawn car, seen from the front left."""
    config = DrawnConfig(codes=2, elevation_deg=(10, 0), from_above=0)
    cars = DrawnCars(model.space, model.template, config, torch.device("cpu"), 3)
    generator = torch.Generator().manual_seed(5)
    truth, _ = plain(cars.draw(1, 147, torch.full((1, 3, 4, 4), 0.5), generator), SIDE)
    return truth


def told(truth: Examples, off_deg: float, flipped: float, code: torch.Tensor) -> PartsPrediction:
    """What a network says that reads all maps rightly, but turns the object by ``off_deg`` and believes with the
    probability ``flipped`` that it is seen from the other end."""
    bins = 36
    centres = bin_centres(bins)
    azimuth = truth.azimuth + math.radians(off_deg)
    logits = torch.full((1, bins), -12.0)
    offsets = torch.zeros(1, bins)
    for share, angle in ((1 - flipped, azimuth), (flipped, azimuth + math.pi)):
        apart = torch.remainder(angle - centres + math.pi, 2 * math.pi) - math.pi
        nearest = int(apart.abs().argmin())
        logits[0, nearest] = math.log(max(share, 1e-4))
        offsets[0, nearest] = apart[nearest]
    step = truth.rgb.shape[-1] // 64
    regions = truth.regions[:, ::step, ::step].long()
    known = regions != BACKGROUND
    shares = torch.nn.functional.one_hot(regions.where(known, 0), len(REGIONS)).permute(0, 3, 1, 2) * 8.0
    return PartsPrediction(
        azimuth_logits=logits,
        azimuth_offsets=offsets,
        pose=truth.pose + torch.tensor([0.03, 0.1, -0.01]),
        code=code,
        coordinates=truth.coordinates[:, :, ::step, ::step],
        spread=torch.full((1, 64, 64), 0.02),
        region_logits=shares,
        mask_logits=torch.where(known, 6.0, -6.0),
    )


def drawn_from(model: PartsModel, azimuths_deg: list[float], size: int = SIDE, which: int = 0) -> list[Examples]:
    """One drawn car in one paint, seen from several sides; ``which`` car it is."""
    cars = DrawnCars(model.space, model.template, DrawnConfig(codes=4), torch.device("cpu"), 3)
    count, zero = len(azimuths_deg), torch.zeros(len(azimuths_deg))
    azimuths = torch.tensor([math.radians(degrees) for degrees in azimuths_deg])
    poses = Cameras(azimuths, zero + 0.15, zero + 2.6, zero, zero + 0.4, zero, zero)
    codes, palettes = (values[which].expand(count, *values[which].shape) for values in (cars.codes, cars.palettes))
    grounds = torch.full((count, 3, 4, 4), 0.5)
    pictures = cars.pictures(codes, palettes, poses, size, grounds, torch.Generator().manual_seed(7))
    return [pictures.part(torch.tensor([place])) for place in range(count)]
