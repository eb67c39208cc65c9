# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Examples to learn from, wherever they come from, and what makes each different every time it is shown.

Letters: N examples, S side of the picture, K numbers of a code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ...data.labelled_photographs import CROP_SCALE

BACKGROUND = 254
"""Index of the region where no object is."""
UNKNOWN_REGION = 255
"""Index where nothing is known of the region."""


@dataclass
class Examples:
    """Pictures with what is known of them."""

    rgb: Tensor
    """Colours (N, 3, S, S) in [0, 1], with whatever lies around the object."""
    mask: Tensor
    """Masks (N, 1, S, S) in [0, 1]."""
    coordinates: Tensor
    """Canonical coordinates (N, 3, S, S), 0 where unknown."""
    regions: Tensor
    """Regions (N, S, S) uint8: an index, ``BACKGROUND`` or ``UNKNOWN_REGION``."""
    known: Tensor
    """Whether coordinates are known (N, 1, S, S)."""
    azimuth: Tensor
    """Azimuths (N,) in radians."""
    azimuth_error: Tensor
    """Standard deviations (N,) in radians with which the azimuths are known."""
    pose: Tensor
    """Numbers (N, 3) as in ``parts_network.POSE``."""
    code: Tensor
    """Codes (N, K) of the shape space."""
    weight_pose: Tensor
    """Weights (N,) of the poses in the loss; 0 where they are not known."""
    weight_code: Tensor
    """Weights (N,) of the codes in the loss; 0 where they are not known."""
    photograph: Tensor
    """Whether each is a photograph (N,)."""

    def __len__(self) -> int:
        return len(self.azimuth)

    def part(self, chosen: Tensor) -> Examples:
        """Returns the examples of an index (n,)."""
        return Examples(**{f.name: getattr(self, f.name)[chosen] for f in fields(Examples)})

    @staticmethod
    def concatenate(parts: list[Examples]) -> Examples:
        """Returns the examples of all parts, one part after the other."""
        return Examples(**{f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Examples)})


@dataclass(frozen=True)
class VariationConfig:
    """How much examples vary; shares are probabilities."""

    scale: float = 0.10
    """Largest change of size, in parts of it."""
    shift: float = 0.05
    """Largest movement, in parts of the picture."""
    turn_deg: float = 3.0
    """Standard deviation of the turn in the picture's plane."""
    mirrored: float = 0.5
    """Share of pictures that are mirrored."""
    rough_outline: float = 0.7
    """Share of masks whose outline errs here and there."""
    no_outline: float = 0.12
    """Share of masks that are the whole picture: silhouettes alone shall not decide."""
    hole: float = 0.2
    """Share of pictures in which a box shows another picture or is missing from the mask."""
    neighbour: float = 0.1
    """Share of masks that hold a piece of another object."""
    spoiled: float = 0.25
    """Share of masks that hold some of the surroundings: ground below the object, or what is beside or behind it."""
    styled: float = 0.35
    """Share of drawn and rendered pictures that take on the broad light and colours of a photograph of the batch: its
    amplitudes of low frequencies, after Fourier domain adaptation (Yang and Soatto 2020)."""
    style_reach: float = 0.03
    """Greatest frequency that is taken from the photograph, in cycles a pixel."""
    grey: float = 0.08
    """Share of pictures without colours."""
    blurred: float = 0.3
    """Share of pictures that are blurred a little."""
    colour: float = 0.35
    """Strength of changes of exposure, contrast, colour and white balance."""


def varied(
    examples: Examples, size: int, config: VariationConfig, generator: torch.Generator
) -> tuple[Examples, Tensor]:
    """Returns examples of ``size`` pixels as they might have been seen, and the network's crops (N, 4, size, size)."""
    moved = _moved(_mirrored(examples, config.mirrored, generator), size, config, generator)
    given = _outline(moved.mask, config, generator)
    rgb = _recoloured(_styled(moved.rgb, moved.photograph, config, generator), config, generator)
    rgb, given = _covered(rgb, given, config, generator)
    return moved, torch.cat([rgb * given, given], dim=1)


def plain(examples: Examples, size: int) -> tuple[Examples, Tensor]:
    """Returns the same without any variation, cut out as the product does."""
    whole = _sampled(examples, _grid(examples.azimuth.new_zeros(len(examples), 4), size))
    return whole, torch.cat([whole.rgb * whole.mask, whole.mask], dim=1)


def _random(count: int, like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(count, device=like.device, generator=generator)


def _normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, device=like.device, generator=generator)


def _mirrored(examples: Examples, share: float, generator: torch.Generator) -> Examples:
    flip = _random(len(examples), examples.azimuth, generator) < share

    def turned(values: Tensor) -> Tensor:
        return torch.where(flip.view(-1, *[1] * (values.dim() - 1)), values.flip(-1), values)

    coordinates = turned(examples.coordinates)
    signs = torch.where(flip, -1.0, 1.0)
    coordinates = torch.cat([coordinates[:, :1] * signs[:, None, None, None], coordinates[:, 1:]], dim=1)
    pose = torch.cat([examples.pose[:, :2], examples.pose[:, 2:] * signs[:, None]], dim=1)
    return replace(
        examples,
        rgb=turned(examples.rgb), mask=turned(examples.mask), coordinates=coordinates, regions=turned(examples.regions),
        known=turned(examples.known), azimuth=examples.azimuth * signs, pose=pose,
    )  # fmt: skip


def _moved(examples: Examples, size: int, config: VariationConfig, generator: torch.Generator) -> Examples:
    count, like = len(examples), examples.azimuth
    noise = torch.rand(count, 3, device=like.device, generator=generator) * 2 - 1
    turn = _normal((count,), like, generator) * math.radians(config.turn_deg)
    change = torch.stack([config.scale * noise[:, 0], turn, config.shift * noise[:, 1], config.shift * noise[:, 2]], 1)
    moved = _sampled(examples, _grid(change, size))
    # What is turned counter-clockwise in the picture was seen by a camera turned clockwise.
    return replace(moved, pose=torch.cat([moved.pose[:, :2], moved.pose[:, 2:] - turn[:, None]], dim=1))


def _grid(change: Tensor, size: int) -> Tensor:
    """Sampling grids (N, size, size, 2) for changes (N, 4): of size (share), turn (counter-clockwise) and place."""
    scale, turn, x, y = change.unbind(dim=1)
    # Stored pictures hold more than the crop.
    step = (1 + scale) / CROP_SCALE
    cos, sin = turn.cos() * step, turn.sin() * step
    # Rows point down, so that a counter-clockwise turn of the content samples along a clockwise one.
    theta = torch.stack([torch.stack([cos, -sin, 2 * x], 1), torch.stack([sin, cos, 2 * y], 1)], dim=1)
    return F.affine_grid(theta, [len(change), 1, size, size], align_corners=False)


def _sampled(examples: Examples, grid: Tensor) -> Examples:
    def nearest(values: Tensor) -> Tensor:
        return F.grid_sample(values, grid, mode="nearest", padding_mode="zeros", align_corners=False)

    smooth = F.grid_sample(
        torch.cat([examples.rgb, examples.mask], dim=1), grid, padding_mode="zeros", align_corners=False
    )
    sharp = nearest(
        torch.cat([examples.coordinates, examples.known.float(), 1 + examples.regions[:, None].float()], dim=1)
    )
    regions = (sharp[:, 4] - 1).round()
    regions = torch.where(regions < 0, torch.full_like(regions, BACKGROUND), regions).to(torch.uint8)
    return replace(
        examples,
        rgb=smooth[:, :3],
        mask=smooth[:, 3:],
        coordinates=sharp[:, :3],
        known=sharp[:, 3:4] > 0.5,
        regions=regions,
    )


def _outline(mask: Tensor, config: VariationConfig, generator: torch.Generator) -> Tensor:
    """The masks (N, 1, S, S) that the network is given."""
    count = len(mask)
    coarse = F.interpolate(_normal((count, 1, 12, 12), mask, generator), mask.shape[-2:], mode="bicubic")
    shift = _normal((count, 1, 1, 1), mask, generator) * 0.12
    blurred = F.avg_pool2d(mask, 9, stride=1, padding=4, count_include_pad=False)
    rough = ((blurred - 0.5 + 0.16 * coarse + shift) * 12 + 0.5).clamp(0, 1)
    coin = _random(count, mask, generator)[:, None, None, None]
    given = torch.where(coin < config.rough_outline, rough, mask)
    other = torch.roll(mask.flip(-1), (1,), (0,))
    side = torch.where(_random(count, mask, generator) < 0.5, -1, 1)
    with_other = torch.maximum(given, _pushed(other, side, generator))
    coin = _random(count, mask, generator)[:, None, None, None]
    given = torch.where(coin < config.neighbour, with_other, given)
    if config.spoiled:
        coin = _random(count, mask, generator)[:, None, None, None]
        given = torch.where(coin < config.spoiled, _spoiled(given, generator), given)
        coin = _random(count, mask, generator)[:, None, None, None]
    return torch.where(coin > 1 - config.no_outline, torch.ones_like(given), given)


def _spoiled(mask: Tensor, generator: torch.Generator) -> Tensor:
    """Masks (N, 1, S, S) with lumps of what lies around them, as a cut-out takes kerbs, fences and pale walls along.

    Half of them get a strip below, whose lower edge is uneven; all get lumps within a sixth of the picture.
    """
    count, size = len(mask), mask.shape[-1]
    small = F.avg_pool2d(mask, max(1, size // 24))
    near = F.interpolate(F.max_pool2d(small, 9, 1, 4), mask.shape[-2:], mode="bilinear", align_corners=False)
    coarse = F.interpolate(_normal((count, 1, 6, 6), mask, generator), mask.shape[-2:], mode="bicubic")
    least = 0.5 + 1.0 * _random(count, mask, generator)[:, None, None, None]
    lumps = near * ((coarse - least) * 8).clamp(0, 1)
    depth = 0.02 + 0.1 * _random(count, mask, generator)
    theta = torch.zeros(count, 2, 3, device=mask.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1
    theta[:, 1, 2] = -2 * depth  # what is sampled further up appears further down
    lower = F.grid_sample(mask, F.affine_grid(theta, list(mask.shape), align_corners=False), align_corners=False)
    strip = lower * (coarse > -0.5) * (_random(count, mask, generator) < 0.5)[:, None, None, None]
    return torch.maximum(mask, torch.maximum(lumps, strip))


def _pushed(mask: Tensor, side: Tensor, generator: torch.Generator) -> Tensor:
    """Masks moved to one side, so that a part of them is left in the picture."""
    amount = side * (0.9 + 0.5 * _random(len(mask), mask, generator))
    theta = torch.zeros(len(mask), 2, 3, device=mask.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1
    theta[:, 0, 2] = amount
    grid = F.affine_grid(theta, list(mask.shape), align_corners=False)
    return F.grid_sample(mask, grid, align_corners=False)


def _styled(rgb: Tensor, photograph: Tensor, config: VariationConfig, generator: torch.Generator) -> Tensor:
    """Pictures (N, 3, S, S), of those that are no photographs some with a photograph's low frequencies."""
    if not config.styled:
        return rgb
    coin, picks = _random(len(rgb), rgb, generator), _random(len(rgb) ** 2, rgb, generator).view(len(rgb), -1)
    model = (picks * photograph).argmax(dim=1)
    spectrum = torch.fft.rfft2(rgb)
    rows = torch.fft.fftfreq(rgb.shape[-1], device=rgb.device)[:, None]
    columns = torch.fft.rfftfreq(rgb.shape[-1], device=rgb.device)[None]
    low = torch.maximum(rows.abs(), columns.abs()) <= config.style_reach
    turned = torch.polar(torch.where(low, spectrum[model].abs(), spectrum.abs()), spectrum.angle())
    styled = torch.fft.irfft2(turned, s=rgb.shape[-2:]).clamp(0, 1)
    chosen = (coin < config.styled) & ~photograph & photograph[model]
    return torch.where(chosen[:, None, None, None], styled, rgb)


def _recoloured(rgb: Tensor, config: VariationConfig, generator: torch.Generator) -> Tensor:
    count = len(rgb)

    def factor(strength: float, channels: int = 1) -> Tensor:
        return torch.exp(_normal((count, channels, 1, 1), rgb, generator) * strength)

    strength = config.colour
    changed = rgb.clamp(0.001, 1) ** factor(0.6 * strength)
    changed = changed * factor(0.5 * strength) * factor(0.15 * strength, 3)
    middle = changed.mean(dim=(2, 3), keepdim=True)
    changed = middle + (changed - middle) * factor(0.5 * strength)
    grey = changed.mean(dim=1, keepdim=True)
    saturation = factor(0.8 * strength)
    saturation = torch.where(
        _random(count, rgb, generator)[:, None, None, None] < config.grey, 0 * saturation, saturation
    )
    changed = grey + (changed - grey) * saturation
    soft = F.avg_pool2d(changed, 3, stride=1, padding=1, count_include_pad=False)
    blur = _random(count, rgb, generator)[:, None, None, None] < config.blurred
    changed = torch.where(blur, soft, changed)
    noise = _normal((count, 1, 1, 1), rgb, generator).abs() * 0.025
    return (changed + noise * _normal(tuple(changed.shape), rgb, generator)).clamp(0, 1)


def _covered(rgb: Tensor, given: Tensor, config: VariationConfig, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A box of some pictures shows a piece of another one, or is missing from the mask."""
    count, size = len(rgb), rgb.shape[-1]
    place = torch.rand(count, 4, device=rgb.device, generator=generator)
    centre, half = place[:, :2], 0.04 + 0.16 * place[:, 2:]
    axis = (torch.arange(size, device=rgb.device) + 0.5) / size
    inside_x = (axis[None] - centre[:, :1]).abs() < half[:, :1]
    inside_y = (axis[None] - centre[:, 1:]).abs() < half[:, 1:]
    box = (inside_y[:, :, None] & inside_x[:, None, :])[:, None]
    coin = _random(count, rgb, generator)[:, None, None, None]
    shown = box & (coin < config.hole / 2)
    missing = box & (coin > 1 - config.hole / 2)
    return torch.where(shown, rgb.roll(1, 0), rgb), torch.where(missing, torch.zeros_like(given), given)
