# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a photograph may have been taken from: what the network's head says, and what follows from its coordinates.

The map of coordinates says which point of the object each pixel shows; a camera that sees those points there is a
second opinion (see ``pinhole_cameras.py``), and where it is about the same a better start.

Letters: H hypotheses, S side of the crop, h side of the network's maps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..common.records import Camera
from ..models.crop import Crop
from ..models.parts_network import PartsPrediction, bin_centres
from .azimuths import angle_between
from .photo import Photo
from .pinhole_cameras import FoundCamera, PinholeConfig, find_camera


@dataclass(frozen=True)
class StartsConfig:
    """Which directions of view are tried, and how much the coordinates' camera counts."""

    hypotheses: int = 2
    """Directions of the head that are tried, at most."""
    behind: float = 0.0
    """Logit added to directions from behind, as the network's card wants it."""
    least_probability: float = 0.06
    """A direction less likely than this is not tried."""
    pinhole: PinholeConfig = PinholeConfig()
    pixels: int = 400
    """Pixels whose coordinates the camera is found from, at most."""
    surest: float = 0.6
    """They are spread over this share of the object, where the network is surest."""
    near: float = math.radians(30)
    """A direction of the head that the coordinates' camera is no farther from starts at that camera."""
    own_agreement: float = 0.6
    """Share of the pixels that must agree with a camera far from all directions of the head for it to be tried …"""
    own_probability: float = 0.03
    """… and probability of its direction by the head, at least."""


@dataclass(frozen=True)
class Starts:
    """Hypotheses to begin with."""

    azimuths: Tensor
    """(H,) radians."""
    probabilities: Tensor
    """(H,) by the head alone."""
    poses: Tensor
    """(H, 3) as in ``parts_network.POSE``."""


def focal_in_crop(photo: Photo, crop: Crop) -> float | None:
    """The focal length that the photo's file tells, in sides of the crop, for a camera that looks at the crop."""
    if photo.field_of_view is None:
        return None
    height, width = photo.rgb.shape[:2]
    focal = 0.5 * height / math.tan(0.5 * photo.field_of_view)
    # The way to the picture's plane is longer beside its middle.
    aside = math.hypot(crop.center_x - width / 2, crop.center_y - height / 2)
    return math.hypot(focal, aside) / crop.side


@torch.no_grad()
def camera_of_maps(
    prediction: PartsPrediction, mask: Tensor, focal: float | None = None, config: StartsConfig = StartsConfig()
) -> FoundCamera | None:
    """The camera of the crop by the coordinates of one picture; None where they allow none.

    mask: (S, S) in [0, 1]; focal: the focal length in sides of the crop, where it is known.
    """
    spread = prediction.spread[0]
    size = spread.shape[-1]
    inside = F.interpolate(mask[None, None], (size, size), mode="area")[0, 0] > 0.5
    inside &= prediction.mask_logits[0] > 0
    rows, columns = (places.cpu().numpy() for places in inside.nonzero(as_tuple=True))
    if not len(rows):
        return None
    errors = spread.cpu().numpy()[rows, columns]
    sure = np.flatnonzero(errors <= np.quantile(errors, config.surest))
    chosen = sure[np.unique(np.linspace(0, len(sure) - 1, min(config.pixels, len(sure))).round().astype(int))]
    rows, columns, errors = rows[chosen], columns[chosen], errors[chosen]
    points = prediction.coordinates[0].permute(1, 2, 0).cpu().numpy()[rows, columns].astype(np.float64)
    # Maps tell of the upper left of each two by two pixels of the crop.
    places = (np.stack([columns, rows], axis=1) + 0.25) / size
    return find_camera(points, places, 1 / (0.02 + errors.astype(np.float64)), focal, config.pinhole)


def starts_of(
    prediction: PartsPrediction, found: FoundCamera | None, azimuth: float | None = None,
    config: StartsConfig = StartsConfig(),
) -> Starts:  # fmt: skip
    """Hypotheses by the head and the coordinates' camera; the given azimuth alone where the direction is known."""
    device = prediction.pose.device
    if azimuth is None:
        azimuths, probabilities = (values[0].cpu() for values in prediction.azimuths(config.hypotheses, config.behind))
        likely = probabilities >= config.least_probability
        likely[0] = True
        azimuths, probabilities = azimuths[likely], probabilities[likely]
    else:
        azimuths, probabilities = torch.tensor([azimuth]), torch.ones(1)
    poses = prediction.pose[0].cpu().expand(len(azimuths), -1).clone()
    if found is not None:
        camera = found.camera
        pose = torch.tensor([camera.elevation, math.log(camera.distance), camera.roll])
        apart = [angle_between(float(one), camera.azimuth) for one in azimuths]
        nearest = int(np.argmin(apart))
        if apart[nearest] <= config.near:
            poses[nearest] = pose
            if azimuth is None:
                azimuths = azimuths.clone()
                azimuths[nearest] = camera.azimuth
        elif azimuth is None and (chance := _own_chance(prediction, found, config)) is not None:
            azimuths = torch.cat([azimuths, torch.tensor([camera.azimuth])])
            probabilities = torch.cat([probabilities, torch.tensor([chance])])
            poses = torch.cat([poses, pose[None]])
    return Starts(azimuths.to(device), probabilities.to(device), poses.to(device))


def _own_chance(prediction: PartsPrediction, found: FoundCamera, config: StartsConfig) -> float | None:
    """The head's probability of the found camera's direction; None where the camera is not worth a try."""
    chance = probability_of(prediction, found.camera.azimuth, config)
    if found.agreeing < config.own_agreement or chance < config.own_probability or found.camera.elevation < -0.1:
        return None
    return chance


def probability_of(prediction: PartsPrediction, azimuth: float, config: StartsConfig = StartsConfig()) -> float:
    """The head's probability of about an azimuth: that of its bin and of the bins on both sides."""
    centres = bin_centres(prediction.azimuth_logits.shape[1]).to(prediction.azimuth_logits)
    chances = (prediction.azimuth_logits[0] + config.behind * (centres.abs() > math.pi / 2)).softmax(dim=0)
    apart = torch.remainder(centres - azimuth + math.pi, 2 * math.pi).sub(math.pi).abs()
    return float(chances[apart < 1.51 * 2 * math.pi / len(centres)].sum())


def disagreement(found: FoundCamera | None, camera: Camera) -> float:
    """Radians between the coordinates' camera and another; half a turn where there is none."""
    return math.pi if found is None else angle_between(found.camera.azimuth, camera.azimuth)
