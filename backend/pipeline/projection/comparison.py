# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How near a generated picture comes to a photograph, of which only a part may count.

Letters: N pictures, H, W a photo, h, w what the generator shows of it, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor, nn

from ...errors import PhotoError

FLOOR = 0.05
"""Least spread of a channel, over that of its whole layer: channels that hardly ever move do not count for much."""


@dataclass(frozen=True)
class ComparisonConfig:
    """What is compared at which size."""

    perceptual_weight: float = 1.0
    """Weight of the features' distance, which is about 1 between pictures that have nothing to do with one another."""
    pixel_weight: float = 2.0
    """Weight of the mean absolute difference of the colours, in 0..1."""
    feature_size: int = 256
    """Pictures with a longer side above this are reduced before features are taken."""
    pixel_size: int = 64
    """The same for the colours, so that fine texture in another place does not count."""


@dataclass
class Framed:
    """A photo as the generator would have to show it."""

    rgb: np.ndarray
    """(h, w, 3) float32 in [0, 1], 0 where the mask is 0."""
    mask: np.ndarray
    """(h, w) float32 in [0, 1]."""
    box: tuple[float, float, float, float]
    """Left, top, width and height of the frame within the photo, in the photo's pixels."""


def frame(photo: np.ndarray, mask: np.ndarray | None, height: int, width: int) -> Framed:
    """Cuts a photo (H, W, 3) in [0, 1] to an aspect ratio about its centre and resizes it, as training images are.

    The colour of pixels where the mask (H, W) in [0, 1] is 0 goes into nothing. Raises PhotoError if the mask is 0
    all over the frame, ValueError where shapes or numbers are not of this kind.
    """
    if photo.ndim != 3 or photo.shape[2] != 3 or 0 in photo.shape:
        raise ValueError(f"A photo is (H, W, 3), not {photo.shape}.")
    if mask is not None and mask.shape != photo.shape[:2]:
        raise ValueError(f"The mask is {mask.shape}, the photo {photo.shape[:2]}.")
    if not np.isfinite(photo).all() or (mask is not None and not np.isfinite(mask).all()):
        raise ValueError("The photo or its mask holds numbers that are not finite.")
    rows, columns = photo.shape[:2]
    used_width, used_height = min(columns, rows * width / height), min(rows, columns * height / width)
    box = ((columns - used_width) / 2, (rows - used_height) / 2, used_width, used_height)
    colours = np.moveaxis(np.clip(photo, 0, 1).astype(np.float32), 2, 0)
    if mask is None:
        fitted = [_fitted(channel, height, width, Image.Resampling.LANCZOS) for channel in colours]
        return Framed(np.stack(fitted, axis=2), np.ones((height, width), np.float32), box)
    # Multiplied by the mask and divided again, with a filter that has no negative weights.
    weight = np.clip(mask, 0, 1).astype(np.float32)
    small = _fitted(weight, height, width, Image.Resampling.BILINEAR)
    fitted = [_fitted(channel * weight, height, width, Image.Resampling.BILINEAR) for channel in colours]
    if small.sum() < 1:
        raise PhotoError("The mask selects nothing of the middle of the photo, which is all that the generator shows.")
    rgb = np.stack(fitted, axis=2) / np.maximum(small, 1e-3)[..., None]
    return Framed(np.clip(rgb, 0, 1), small, box)


def _fitted(values: np.ndarray, height: int, width: int, method: Image.Resampling) -> np.ndarray:
    """(H, W) float32 to (h, w), in [0, 1]."""
    return np.clip(np.asarray(ImageOps.fit(Image.fromarray(values), (width, height), method)), 0, 1)


class Comparison:
    """The distance of pictures from one photograph.

    Features of both are taken with what the mask hides painted black, and every channel counts in units of how much
    it differs among random pictures: whatever the features are, their distance has one scale.
    """

    def __init__(self, framed: Framed, features: nn.Module, config: ComparisonConfig, device: torch.device) -> None:
        self.config = config
        self.features = features
        self.target = torch.as_tensor(framed.rgb, device=device).permute(2, 0, 1)[None]
        self.mask = torch.as_tensor(framed.mask, device=device)[None, None]
        with torch.no_grad():
            self._seen = self._layers(self.target)
            self._colours = self._reduced(self.target * self.mask, config.pixel_size)
        self._weights = [self._share(layer.shape[-2:]) for layer in self._seen]
        self._pixel_weights = self._share(self._colours.shape[-2:])
        self._scales: list[Tensor] = [torch.ones_like(layer[:, :, :1, :1]) for layer in self._seen]

    @torch.no_grad()
    def scale_by(self, pictures: Tensor) -> None:
        """Measures the features' spread over random pictures (N, 3, h, w), N at least 2."""
        self._scales = []
        for layer, weight in zip(self._layers(pictures), self._weights, strict=True):
            # Of two pictures drawn at random; the mean absolute deviation would depend on how many were drawn.
            spread = ((layer - layer.roll(1, dims=0)).abs() * weight).sum(dim=(0, 2, 3), keepdim=True) / len(layer)
            self._scales.append(spread.clamp(min=max(FLOOR * float(spread.mean()), 1e-8)))

    def __call__(self, pictures: Tensor) -> Tensor:
        """Distance (N,) of pictures (N, 3, h, w) in [0, 1]: features and colours, by their weights."""
        result = self.config.pixel_weight * self.pixels(pictures)
        if self.config.perceptual_weight:
            result = result + self.config.perceptual_weight * self.perceptual(pictures)
        return result

    def perceptual(self, pictures: Tensor) -> Tensor:
        """(N,) mean absolute difference of the features, each in units of its spread."""
        rows = zip(self._layers(pictures), self._seen, self._weights, self._scales, strict=True)
        distances = [
            (((layer - seen).abs() / scale).mean(dim=1) * weight[:, 0]).sum(dim=(1, 2))
            for layer, seen, weight, scale in rows
        ]
        return torch.stack(distances).mean(dim=0)

    def pixels(self, pictures: Tensor) -> Tensor:
        """(N,) mean absolute difference of the reduced colours, in 0..1."""
        colours = self._reduced(pictures * self.mask, self.config.pixel_size)
        return ((colours - self._colours).abs().mean(dim=1) * self._pixel_weights[:, 0]).sum(dim=(1, 2))

    def _layers(self, pictures: Tensor) -> list[Tensor]:
        return self.features(self._reduced(pictures * self.mask, self.config.feature_size))

    def _share(self, size: tuple[int, ...]) -> Tensor:
        """(1, 1, *size): the part that each place has in a mean over the mask."""
        weight = F.interpolate(self.mask, size=size, mode="area")
        return weight / weight.sum()

    @staticmethod
    def _reduced(pictures: Tensor, longest: int) -> Tensor:
        scale = longest / max(pictures.shape[-2:])
        if scale >= 1:
            return pictures
        size = [max(1, round(side * scale)) for side in pictures.shape[-2:]]
        return F.interpolate(pictures, size=size, mode="area")
