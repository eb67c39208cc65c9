# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adaptive discriminator augmentation (Karras et al., NeurIPS 2020), its geometry and its colours.

The discriminator never sees an image as it is: every image, real or generated, is moved, turned, scaled and recoloured
at random, each transformation with probability p. p rises while the discriminator is too sure of the real images and
falls otherwise. As long as p stays below about 0.8 the generator does not learn the transformations.

Letters: N batch, C channels, H, W image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .distributed import ALONE, Processes


@dataclass(frozen=True)
class AugmentationConfig:
    """Which transformations there are, how strong they are, and how their probability follows the discriminator."""

    target: float = 0.6
    """Value of r_t, the mean sign of the discriminator's output on real images, towards which p is moved; 0 leaves p as
    it is."""
    images_to_full: float = 500_000
    """Number of images shown while p rises from 0 to 1, if it never falls."""
    update_every: int = 4
    """Number of batches between two changes of p."""
    maximum: float = 0.85
    """Value that p does not exceed."""
    mirror: bool = True
    """Whether images are mirrored."""
    quarter_turns: bool = True
    """Whether images are turned by multiples of 90 degrees."""
    integer_shift: float = 0.125
    """Largest shift by whole pixels, as a fraction of the image's side; shifts are uniform."""
    scale_spread: float = 0.2
    """Standard deviation of log2 of the scale, and of the ratio of the sides."""
    rotation: float = 1.0
    """Largest rotation as a fraction of half a turn; rotations are uniform."""
    shift_spread: float = 0.125
    """Standard deviation of the shift, as a fraction of the image's side."""
    brightness_spread: float = 0.2
    """Standard deviation of what is added to all channels, which are in [-1, 1]."""
    contrast_spread: float = 0.5
    """Standard deviation of log2 of the contrast."""
    hue: float = 1.0
    """Largest rotation about the grey axis as a fraction of half a turn; rotations are uniform."""
    luma_flip: bool = True
    """Whether brightness is inverted, hue and saturation left as they are."""
    saturation_spread: float = 1.0
    """Standard deviation of log2 of the saturation."""


class AdaptiveAugmentation:
    """The transformations and their probability; its state goes into a checkpoint."""

    def __init__(self, config: AugmentationConfig, probability: float = 0.0) -> None:
        self.config = config
        self.probability = probability
        self._signs: Tensor | float = 0.0
        self._counted = 0
        self._batches = 0

    def __call__(
        self, images: Tensor, generator: torch.Generator, processes: Processes = ALONE, group: int = 1
    ) -> Tensor:
        """(N, C, H, W) in [-1, 1], each image transformed in its own way; twice differentiable in the images.

        The draws come from a generator on the CPU, so that a run is the same on every device and can be resumed.
        Where the images are one of several processes' share of a batch, every process draws for the whole batch.
        """
        if self.probability <= 0:
            return images
        count = images.shape[0] * processes.count
        inverse = processes.share(self._inverse_geometry(count, images.shape[2:], generator), group)
        colour = processes.share(self._colour(count, generator), group)
        images = _warped(images, inverse.to(images.device, images.dtype))
        if images.shape[1] != 3:
            return images
        colour = colour.to(images.device, images.dtype)
        rows = colour[:, :3, :3] @ images.flatten(2) + colour[:, :3, 3:]
        return rows.view_as(images)

    def observe(self, mean_sign: Tensor, count: int) -> None:
        """Takes note of the mean sign of the discriminator's outputs on ``count`` real images; every so often p moves.

        Only then the device is waited for.
        """
        self._signs = self._signs + mean_sign.detach() * count
        self._counted += count
        self._batches += 1
        if self.config.target <= 0 or self._batches < self.config.update_every:
            return
        overfitting = float(self._signs) / self._counted
        step = self._counted / self.config.images_to_full
        moved = self.probability + math.copysign(step, overfitting - self.config.target)
        self.probability = min(max(moved, 0.0), self.config.maximum)
        self._signs, self._counted, self._batches = 0.0, 0, 0

    def state(self) -> Tensor:
        """(4,) float64: all that has to be kept for an exact resume."""
        return torch.tensor([self.probability, float(self._signs), self._counted, self._batches], dtype=torch.float64)

    def restore(self, state: Tensor) -> None:
        probability, signs, counted, batches = state.tolist()
        self.probability, self._signs = probability, signs
        self._counted, self._batches = int(counted), int(batches)

    def _inverse_geometry(self, count: int, size: torch.Size, generator: torch.Generator) -> Tensor:
        """(N, 3, 3): from places in the transformed image to places in the image, in pixels about its centre."""
        config, height, width = self.config, size[0], size[1]
        draw = _Draws(count, self.probability, generator)
        side = torch.tensor([float(width), float(height)], dtype=torch.float64)
        whole = torch.eye(3, dtype=torch.float64).expand(count, 3, 3)
        if config.mirror:
            whole = whole @ _scaling(1 - 2 * draw.choice(2), draw.none())
        if config.quarter_turns:
            whole = whole @ _rotation(draw.choice(4) * (math.pi / 2))
        if config.integer_shift > 0:
            whole = whole @ _translation((draw.uniform(2) * config.integer_shift * side).round())
        if config.scale_spread > 0:
            both = torch.exp2(draw.normal() * config.scale_spread)
            whole = whole @ _scaling(both, both)
        if config.rotation > 0:
            # Before and after the uneven scaling, so that its axes lie anyhow; together as probable as one alone.
            apart = 1 - math.sqrt(1 - self.probability)
            whole = whole @ _rotation(draw.uniform(1, apart)[:, 0] * math.pi * config.rotation)
        if config.scale_spread > 0:
            ratio = torch.exp2(draw.normal() * config.scale_spread)
            whole = whole @ _scaling(ratio, 1 / ratio)
        if config.rotation > 0:
            whole = whole @ _rotation(draw.uniform(1, apart)[:, 0] * math.pi * config.rotation)
        if config.shift_spread > 0:
            whole = whole @ _translation(draw.normal(2) * config.shift_spread * side)
        return whole

    def _colour(self, count: int, generator: torch.Generator) -> Tensor:
        """(N, 4, 4) homogeneous transformations of RGB in [-1, 1]."""
        config = self.config
        draw = _Draws(count, self.probability, generator)
        grey = torch.full((3,), 1 / math.sqrt(3), dtype=torch.float64)
        along = torch.zeros(4, 4, dtype=torch.float64)
        along[:3, :3] = torch.outer(grey, grey)
        one = torch.eye(4, dtype=torch.float64)
        whole = one.expand(count, 4, 4).clone()
        whole[:, :3, 3] = (draw.normal() * config.brightness_spread)[:, None]
        contrast = torch.exp2(draw.normal() * config.contrast_spread)
        whole = torch.diag_embed(torch.stack([contrast, contrast, contrast, torch.ones_like(contrast)], dim=1)) @ whole
        if config.luma_flip:
            whole = (one - 2 * along * draw.choice(2)[:, None, None]) @ whole
        if config.hue > 0:
            whole = _turn_about(grey, draw.uniform(1)[:, 0] * math.pi * config.hue) @ whole
        if config.saturation_spread > 0:
            strength = torch.exp2(draw.normal() * config.saturation_spread)[:, None, None]
            whole = (along + (one - along) * strength) @ whole
        # Saturation scales what is not grey; the homogeneous one stays one.
        whole[:, 3] = one[3]
        return whole


class _Draws:
    """Random numbers of which each image gets its own with probability p and the neutral one (0) otherwise."""

    def __init__(self, count: int, probability: float, generator: torch.Generator) -> None:
        self.count, self.probability, self.generator = count, probability, generator

    def _happens(self, probability: float | None = None) -> Tensor:
        chance = torch.rand(self.count, 1, dtype=torch.float64, generator=self.generator)
        return (chance < (self.probability if probability is None else probability)).double()

    def none(self) -> Tensor:
        return torch.ones(self.count, dtype=torch.float64)

    def choice(self, number: int) -> Tensor:
        """(N,) one of 0 … number - 1."""
        drawn = torch.randint(number, (self.count, 1), generator=self.generator)
        return (drawn * self._happens())[:, 0]

    def uniform(self, dimensions: int, probability: float | None = None) -> Tensor:
        """(N, D) in [-1, 1]."""
        drawn = 2 * torch.rand(self.count, dimensions, dtype=torch.float64, generator=self.generator) - 1
        return drawn * self._happens(probability)

    def normal(self, dimensions: int = 1) -> Tensor:
        """(N,), or (N, D) for more than one dimension."""
        drawn = torch.randn(self.count, dimensions, dtype=torch.float64, generator=self.generator) * self._happens()
        return drawn[:, 0] if dimensions == 1 else drawn


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], dim=1))


def _translation(shift: Tensor) -> Tensor:
    matrix = torch.eye(3, dtype=shift.dtype).repeat(len(shift), 1, 1)
    matrix[:, :2, 2] = shift
    return matrix


def _rotation(angle: Tensor) -> Tensor:
    matrix = torch.eye(3, dtype=angle.dtype).repeat(len(angle), 1, 1)
    matrix[:, 0, 0] = matrix[:, 1, 1] = angle.cos()
    matrix[:, 0, 1], matrix[:, 1, 0] = -angle.sin(), angle.sin()
    return matrix


def _turn_about(axis: Tensor, angle: Tensor) -> Tensor:
    """(N, 4, 4) rotations of 3D colours about a unit axis (Rodrigues)."""
    cross = torch.zeros(3, 3, dtype=axis.dtype)
    cross[0, 1], cross[0, 2], cross[1, 2] = -axis[2], axis[1], -axis[0]
    cross = cross - cross.t()
    matrix = torch.eye(4, dtype=axis.dtype).repeat(len(angle), 1, 1)
    sine, rest = angle.sin()[:, None, None], (1 - angle.cos())[:, None, None]
    matrix[:, :3, :3] += sine * cross + rest * (cross @ cross)
    return matrix


def _warped(images: Tensor, inverse: Tensor) -> Tensor:
    """Images (N, C, H, W) seen through (N, 3, 3) of :meth:`AdaptiveAugmentation._inverse_geometry`.

    Sampled at twice the resolution and averaged, so that shrinking does not alias much; mirrored beyond the border.
    """
    height, width = images.shape[2:]
    fine_y = (torch.arange(2 * height, device=images.device, dtype=images.dtype) + 0.5) / 2 - height / 2
    fine_x = (torch.arange(2 * width, device=images.device, dtype=images.dtype) + 0.5) / 2 - width / 2
    y, x = torch.meshgrid(fine_y, fine_x, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)]).flatten(1)
    found = (inverse @ places)[:, :2] / places.new_tensor([width / 2, height / 2])[:, None]
    grid = found.transpose(1, 2).reshape(len(images), 2 * height, 2 * width, 2)
    sampled: Tensor = _GridSample.apply(images, grid)  # type: ignore[no-untyped-call]
    return F.avg_pool2d(sampled, 2)


class _GridSample(torch.autograd.Function):
    """Bilinear sampling at fixed places. It is linear in the images, so its gradient's gradient is itself: torch's own
    has no second derivative, which the R1 penalty needs."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = images.shape
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _GridSampleTransposed.apply(gradient, grid, ctx.shape), None  # type: ignore[no-untyped-call]


class _GridSampleTransposed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        images = gradient.new_empty(shape)
        bilinear, reflection = 0, 2
        of_images, _ = torch.ops.aten.grid_sampler_2d_backward(
            gradient, images, grid, bilinear, reflection, False, [True, False]
        )
        result: Tensor = of_images
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _GridSample.apply(gradient, grid), None, None  # type: ignore[no-untyped-call]
