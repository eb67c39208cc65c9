# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step of StyleGAN-R's fine-tuning asks the generator for.

Two kinds of pictures. *Known* ones: the generator before its fine-tuning made the same object from that view, so that
the wanted picture is at hand; it may be mirrored, zoomed and moved, and camera and background with it. *Mixed* ones:
camera, shape, texture and background of four pictures; only what is read in them afterwards can be judged. Of the mixed
ones the first half and the second have the same backgrounds.

Letters: N pictures, R picture, K shape code, T, B sides of texture and background, V vertices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ...data.described_pictures import DescribedPictures
from ...models.framing import framed, reframed
from ...models.inverse_graphics import InverseGraphics
from ...models.style_mapping import without_object
from ...render.camera import Cameras


@dataclass(frozen=True)
class DrawConfig:
    """How far pictures are taken from those of the data."""

    zoom: float = 1.15
    """Largest factor by which pictures are enlarged or reduced."""
    shift: float = 0.04
    """Largest way by which they are moved, in picture sides."""
    framing: tuple[float, ...] = (0.6, 0.95)
    """Least and largest longer side of the object's box in mixed pictures before they are zoomed, in picture sides."""


@dataclass
class Asked:
    """What the mapping networks see, N pictures."""

    cameras: Cameras
    shape_code: Tensor
    """(N, K)."""
    texture: Tensor
    """(N, 3, T, T) in [0, 1]."""
    background: Tensor
    """(N, 4, B, B) in [0, 1]."""

    def to(self, device: torch.device) -> Asked:
        """The same on a device."""
        return Asked(
            self.cameras.to(device), self.shape_code.to(device), self.texture.to(device), self.background.to(device)
        )

    def part(self, first: int) -> Asked:
        """What is asked from the ``first``-th picture on."""
        rest = torch.arange(first, len(self.shape_code), device=self.shape_code.device)
        return Asked(self.cameras[rest], self.shape_code[rest], self.texture[rest], self.background[rest])

    @staticmethod
    def of(examples: DescribedPictures, view: Tensor, shape: Tensor, texture: Tensor, background: Tensor) -> Asked:
        """The camera, shape, texture and background of numbered pictures (N,) each."""
        return Asked(
            examples.cameras[view],
            examples.shape_code[shape],
            examples.texture[texture].float() / 255,
            examples.background[background].float() / 255,
        )

    @staticmethod
    def joined(first: Asked, second: Asked) -> Asked:
        """Those of the first, then those of the second."""
        return Asked(
            Cameras.concatenate([first.cameras, second.cameras]),
            torch.cat([first.shape_code, second.shape_code]),
            torch.cat([first.texture, second.texture]),
            torch.cat([first.background, second.background]),
        )


def draw_known(
    examples: DescribedPictures, pictures: Tensor, config: DrawConfig, random: torch.Generator, mirror: bool
) -> tuple[Asked, Tensor, Tensor]:
    """What shows the numbered pictures (N,) changed at random: what to ask, the pictures (N, 3, R, R), their masks.

    Shape and texture are those read in another view of the same object.
    """
    others = torch.stack([_one_of(examples.objects[int(examples.object_of[number])], random) for number in pictures])
    asked = Asked.of(examples, pictures, others, others, pictures)
    wanted = examples.pictures[pictures].float() / 255
    masks = examples.masks[pictures].float() / 255
    flipped = (torch.rand(len(pictures), generator=random) < 0.5) & mirror
    wanted = torch.where(flipped[:, None, None, None], wanted.flip(3), wanted)
    masks = torch.where(flipped[:, None, None], masks.flip(2), masks)
    turned = {
        name: torch.where(flipped, getattr(asked.cameras.mirrored(), name), value)
        for name, value in vars(asked.cameras).items()
    }
    zoom, shift = _draw_framing(len(pictures), config, random)
    wanted, masks = _moved(wanted, masks, zoom, shift)
    cameras = reframed(Cameras(**turned), zoom, shift)
    background = without_object(wanted, masks, examples.background.shape[2])
    return replace(asked, cameras=cameras, background=background), wanted, masks


def draw_mixed(
    examples: DescribedPictures,
    among: Tensor,
    count: int,
    network: InverseGraphics,
    config: DrawConfig,
    random: torch.Generator,
) -> Asked:
    """``count`` mixtures of the numbered pictures ``among``, seen from anywhere around; ``count`` is even."""
    drawn = [among[torch.randint(len(among), (count,), generator=random)] for _ in range(4)]
    drawn[3] = drawn[3][: count // 2].repeat(2)
    asked = Asked.of(examples, *drawn)
    azimuth = torch.rand(count, generator=random) * (2 * math.pi)
    device = next(network.parameters()).device
    vertices = network.shape_decoder(asked.shape_code.to(device)).detach().cpu()
    low, high = config.framing
    share = low + (high - low) * torch.rand(count, generator=random)
    cameras = framed(replace(asked.cameras, azimuth=azimuth), vertices, share)
    return replace(asked, cameras=reframed(cameras, *_draw_framing(count, config, random)))


def _draw_framing(count: int, config: DrawConfig, random: torch.Generator) -> tuple[Tensor, Tensor]:
    zoom = (math.log(config.zoom) * (2 * torch.rand(count, generator=random) - 1)).exp()
    shift = config.shift * (2 * torch.rand(count, 2, generator=random) - 1)
    return zoom, shift


def _moved(pictures: Tensor, masks: Tensor, zoom: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures (N, 3, R, R) and masks (N, R, R) under :func:`reframed`; what comes in from outside repeats the edge."""
    theta = torch.zeros(len(zoom), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = 1 / zoom
    theta[:, 0, 2], theta[:, 1, 2] = -2 * shift[:, 0] / zoom, 2 * shift[:, 1] / zoom
    grid = F.affine_grid(theta, list(pictures.shape), align_corners=False)
    moved = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    return moved, F.grid_sample(masks[:, None], grid, padding_mode="zeros", align_corners=False)[:, 0]


def _one_of(numbers: Tensor, random: torch.Generator) -> Tensor:
    return numbers[torch.randint(len(numbers), (), generator=random)]
