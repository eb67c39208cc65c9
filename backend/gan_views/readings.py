# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a picture of one object shows, measured by networks: mask, azimuth, elevation, shape and colour.

Generated pictures come without truth; the segmenter and the inverse-graphics network of a bundle stand in for it.
Angles are averaged on the circle.

Letters: N pictures, h, w picture, S length of a description of the shape, B azimuth bins of the network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.rendered_views import crops_around, cut
from ..models.inverse_graphics import InverseGraphics, Prediction
from ..models.segmenter import Segmenter

NEIGHBOURHOOD = math.radians(45)
"""Largest difference between an azimuth and a vote for it, in radians."""
_PAPER = 1.15
"""Side of the square that the segmenter sees over the picture's longer side: it knows objects with room around them."""
_OUTLINE_SIDE = 16
"""Side of the small masks that stand for shapes where no network reads shapes."""
_PART = 0.02
"""Share of the largest part below which a part is a speck."""


@dataclass
class Readings:
    """Measures of N pictures; angles in radians."""

    masks: np.ndarray
    """(N, h, w) uint8: the largest thing found, with a soft edge."""
    area: np.ndarray
    """(N,) share of the picture that the mask covers; 0 where nothing was found."""
    second: np.ndarray
    """(N,) area of the second largest thing over that of the largest: a second object, where it is not small."""
    azimuth: np.ndarray
    """(N,) likeliest azimuths."""
    confidence: np.ndarray
    """(N,) from 0 to 1: how much the network's probability agrees on one direction; 0 where nothing was found."""
    elevation: np.ndarray
    """(N,) elevations."""
    shape: np.ndarray
    """(N, S) numbers whose Euclidean distance tells shapes apart whatever the view."""
    colour: np.ndarray
    """(N, 3) mean sRGB of the object in [0, 1]."""

    def __len__(self) -> int:
        return len(self.area)

    def __getitem__(self, chosen: slice | np.ndarray) -> Readings:
        return Readings(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    @property
    def found(self) -> np.ndarray:
        """(N,) bool: whether there is an object."""
        return self.area > 0

    @staticmethod
    def concatenate(parts: Sequence[Readings]) -> Readings:
        """All of them, one after the other."""
        return Readings(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Readings)})


class Reader(Protocol):
    """Measures pictures."""

    def __call__(self, pictures: np.ndarray) -> Readings:
        """Readings of (N, h, w, 3) uint8 sRGB."""


class OutlineReader:
    """A :class:`Reader` made of a segmenter alone: it knows masks and colours, and of no picture from where it is seen.

    So azimuths and elevations are 0, with the confidence 0. The shape is that of the mask in its crop.
    """

    def __init__(self, segmenter: Segmenter, device: torch.device | str, batch: int = 16, looks: int = 2) -> None:
        """``looks`` is 2 where the segmenter sees mirror images too, 1 where twice the pace is worth more."""
        # Channels last is twice as fast on the CPU.
        self.segmenter = segmenter.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = torch.device(device)
        self.batch = batch
        self.looks = looks

    @torch.no_grad()
    def __call__(self, pictures: np.ndarray) -> Readings:
        starts = range(0, len(pictures), self.batch)
        return Readings.concatenate([self._read(pictures[start : start + self.batch]) for start in starts])

    def _read(self, pictures: np.ndarray) -> Readings:
        parts = [largest_part(probability) for probability in self._probabilities(pictures)]
        masks, second = np.stack([mask for mask, _ in parts]), np.array([share for _, share in parts])
        weights = masks.astype(np.float64)[..., None] / 255
        unknown = np.zeros(len(masks))
        outlines = seen_crops(pictures, masks, _OUTLINE_SIDE)[:, 3].flatten(1)
        return Readings(
            masks,
            area=(masks > 127).mean(axis=(1, 2)),
            second=second,
            azimuth=unknown,
            confidence=unknown.copy(),
            elevation=unknown.copy(),
            shape=_numbers(outlines) / _OUTLINE_SIDE,
            colour=(pictures * weights).sum(axis=(1, 2)) / np.maximum(weights.sum(axis=(1, 2)), 1e-6) / 255,
        )

    def _probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """(N, h, w) float32 of the object; of two looks the mean of the picture's and of its mirror image's."""
        height, width = pictures.shape[1:3]
        side = round(_PAPER * max(height, width))
        left, top = (side - width) // 2, (side - height) // 2
        around = left, side - width - left, top, side - height - top
        x = torch.from_numpy(np.ascontiguousarray(pictures)).to(self.device).permute(0, 3, 1, 2).float() / 255
        x = _resized(F.pad(x, around, mode="replicate"), self.segmenter.config.resolution)
        shown = torch.cat([x, x.flip(3)]) if self.looks == 2 else x
        found = self.segmenter(shown.contiguous(memory_format=torch.channels_last)).sigmoid()
        if self.looks == 2:
            plain, mirrored = found.chunk(2)
            found = 0.5 * (plain + mirrored.flip(2))
        probability = _resized(found[:, None], side)[:, 0]
        return probability[:, top : top + height, left : left + width].cpu().numpy()


class NetworkReader(OutlineReader):
    """The :class:`Reader` made of a bundle's segmenter and inverse-graphics network."""

    def __init__(
        self,
        inverse_graphics: InverseGraphics,
        segmenter: Segmenter,
        device: torch.device | str,
        batch: int = 16,
        looks: int = 2,
    ) -> None:
        """As an :class:`OutlineReader`."""
        super().__init__(segmenter, device, batch, looks)
        self.network = inverse_graphics.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _read(self, pictures: np.ndarray) -> Readings:
        known = super()._read(pictures)
        seen = seen_crops(pictures, known.masks, self.network.config.image_size)
        prediction = self.network(seen.to(self.device).contiguous(memory_format=torch.channels_last))
        shape = self.network.shape_decoder(prediction.shape_code).flatten(1)
        return replace(
            known,
            azimuth=_numbers(prediction.azimuth()),
            confidence=np.where(known.area > 0, _confidence(prediction), 0.0),
            elevation=_numbers(prediction.pose[:, 0]),
            shape=_numbers(shape) / math.sqrt(shape.shape[1] / 3),
        )


def seen_crops(pictures: np.ndarray, masks: np.ndarray, side: int) -> Tensor:
    """Crops (N, 4, side, side) in [0, 1] about the masks (N, h, w) of pictures (N, h, w, 3) uint8, as networks see."""
    rgba = torch.from_numpy(np.concatenate([pictures, masks[..., None]], axis=3))
    return cut(_squared(rgba), _moved(crops_around(masks), *pictures.shape[1:3]), side)


def largest_part(probability: np.ndarray) -> tuple[np.ndarray, float]:
    """The mask (h, w) uint8 of the largest thing in (h, w) probabilities, and the second's area over its own.

    Where nothing is probable the mask is empty and the share 0.
    """
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(
        (probability > 0.5).astype(np.uint8), connectivity=4
    )
    if count < 2:
        return np.zeros(probability.shape, np.uint8), 0.0
    areas = statistics[1:, cv2.CC_STAT_AREA]
    largest = int(areas.argmax())
    second = float(np.partition(areas, -2)[-2] / areas[largest]) if count > 2 else 0.0
    part = (labels == largest + 1).astype(np.uint8)
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(part), outlines, -1, (1,), cv2.FILLED)
    near = cv2.dilate(filled, np.ones((3, 3), np.uint8))
    soft = np.where(filled > 0, np.maximum(probability, 0.502), np.minimum(probability, 0.498) * near)
    inner = cv2.erode(filled, np.ones((3, 3), np.uint8))  # a hole within it is a window that was missed
    return (np.where(inner > 0, 1.0, soft) * 255 + 0.5).astype(np.uint8), second if second > _PART else 0.0


def _squared(rgba: Tensor) -> Tensor:
    """Pictures (N, h, w, 4) in the middle of empty squares."""
    height, width = rgba.shape[1:3]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return F.pad(rgba, (0, 0, left, side - width - left, top, side - height - top))


def _moved(crops: Tensor, height: int, width: int) -> Tensor:
    """Crops of pictures, as crops of the squares that :func:`_squared` makes of them."""
    side = max(height, width)
    return crops + torch.tensor([(side - width) // 2, (side - height) // 2, 0.0])


def _resized(x: Tensor, side: int) -> Tensor:
    return F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False, antialias=side < x.shape[-1])


def _confidence(prediction: Prediction) -> np.ndarray:
    bins = prediction.azimuth_logits.shape[1]
    centres = torch.arange(bins, device=prediction.pose.device) * (2 * math.pi / bins)
    angles = centres + prediction.azimuth_residual
    probability = prediction.azimuth_logits.softmax(dim=1)
    return _numbers(torch.hypot((probability * angles.cos()).sum(dim=1), (probability * angles.sin()).sum(dim=1)))


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy().astype(np.float64)


def angle_between(a: np.ndarray | float, b: np.ndarray | float) -> np.ndarray:
    """The smaller angle between directions, 0 to pi."""
    return np.abs((np.asarray(a) - np.asarray(b) + math.pi) % (2 * math.pi) - math.pi)


def circular_mean(angles: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Direction in (-pi, pi] of the sum of vectors of these angles and lengths, and that sum's length."""
    total = complex((np.asarray(weights) * np.exp(1j * np.asarray(angles))).sum())
    return math.atan2(total.imag, total.real), abs(total)


@dataclass(frozen=True)
class Vote:
    """What several contents say of one view's azimuth."""

    azimuth: float
    """Radians in [0, 2 pi): the middle of what most votes are near to."""
    agreement: float
    """0 to 1: the length of the mean of all votes as vectors; a content without an object counts as no vote."""
    opposite: float
    """Share of the votes within 45 degrees of the back of ``azimuth``: front and back taken for one another."""
    mirrored: float
    """Share of the votes within 45 degrees of pi - ``azimuth``, and not of ``azimuth``: the same silhouette."""


def vote(azimuths: np.ndarray, confidence: np.ndarray) -> Vote:
    """Lets contents (N,) vote, each with the weight of its confidence.

    The mean of votes for the front and for the back is a side that nobody has seen; hence the winner is where votes
    are densest, and only those near to it are averaged.
    """
    azimuths, confidence = np.asarray(azimuths, np.float64), np.asarray(confidence, np.float64)
    tried = np.arange(360) * (math.pi / 180)
    sharpness = 1 / math.radians(15) ** 2
    density = np.exp(sharpness * (np.cos(tried[:, None] - azimuths[None]) - 1)) @ confidence
    densest = tried[int(density.argmax())]
    near = angle_between(azimuths, densest) <= NEIGHBOURHOOD
    azimuth, _ = circular_mean(azimuths, confidence * near)
    _, length = circular_mean(azimuths, confidence)
    total = max(float(confidence.sum()), 1e-9)
    same = angle_between(azimuths, azimuth) <= NEIGHBOURHOOD
    opposite = angle_between(azimuths, azimuth + math.pi) <= NEIGHBOURHOOD
    mirrored = (angle_between(azimuths, math.pi - azimuth) <= NEIGHBOURHOOD) & ~same
    return Vote(
        azimuth % (2 * math.pi) % (2 * math.pi),  # a hair below 0 is rounded to a whole turn by the first
        length / max(len(azimuths), 1),
        float(confidence[opposite].sum()) / total,
        float(confidence[mirrored].sum()) / total,
    )
