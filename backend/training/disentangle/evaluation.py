# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures and pictures of StyleGAN-R on objects that no step has seen, while it trains.

Letters: N pictures, R picture.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...models.framing import framed
from ...models.style_mapping import reduced
from ...render.camera import Cameras
from ..inverse_graphics.evaluation import angle_difference
from .draws import Asked, draw_mixed
from .losses import silhouette_loss

if TYPE_CHECKING:
    from .task import DisentangleTask

MIXTURES = 96
"""Pictures of held-out objects, as many known and as many mixed."""
SHOWN = 6
TURNS = 8
_CHUNK = 24


@torch.no_grad()
def figures_of(task: DisentangleTask) -> dict[str, float]:
    """How well the moving averages make what is asked of them, known pictures and mixed ones of held-out objects."""
    random = torch.Generator().manual_seed(1)
    known = task.held_out[torch.randperm(len(task.held_out), generator=random)[:MIXTURES]]
    values: dict[str, list[Tensor]] = {}
    for numbers in known.split(_CHUNK):
        asked = Asked.of(task.examples, numbers, numbers, numbers, numbers).to(task.device)
        wanted = task.examples.pictures[numbers].to(task.device).float() / 255
        made = task.made(task.average, task.mapping_average, asked)
        _note(values, "picture_l1", (made - wanted).abs().mean(dim=(1, 2, 3)))
    network = task.reader.network
    for _ in range(MIXTURES // _CHUNK):
        asked = draw_mixed(task.examples, task.held_out, _CHUNK, network, replace(task.config.draws, zoom=1.0), random)
        asked = asked.to(task.device)
        pictures = task.made(task.average, task.mapping_average, asked)
        reading = task.reader(pictures.clamp(0, 1))
        azimuth = angle_difference(reading.prediction.azimuth(), asked.cameras.azimuth).rad2deg()
        _note(values, "azimuth", azimuth)
        shape = network.shape_decoder(reading.prediction.shape_code) - network.shape_decoder(asked.shape_code)
        _note(values, "mixed_vertex_error", shape.norm(dim=-1).mean(dim=1))
        texture = reduced(reading.texture, asked.texture.shape[2]) - asked.texture
        _note(values, "mixed_texture_l1", texture.abs().mean(dim=(1, 2, 3)))
        iou = 1 - torch.stack([silhouette_loss(a[None], b[None]) for a, b in zip(
            (reading.masks > 0.5).float(), task.drawn(asked)[:, 3], strict=True)])  # fmt: skip
        _note(values, "mixed_silhouette_iou", iou)
    together = {name: torch.cat(parts) for name, parts in values.items()}
    azimuth = together.pop("azimuth")
    return {
        **{name: float(value.mean()) for name, value in together.items()},
        "mixed_azimuth_error_deg_median": float(azimuth.median()),
        "mixed_flips": float((azimuth > 90).float().mean()),
        "selection_entropy": float(task.mapping_average.entropy()),
    }


def _note(values: dict[str, list[Tensor]], name: str, value: Tensor) -> None:
    values.setdefault(name, []).append(value.cpu())


@torch.no_grad()
def sheets_of(task: DisentangleTask) -> dict[str, np.ndarray]:
    """Held-out objects turned around, a row each, over the same through the rasteriser; and swaps of one property."""
    per_object = [own[0] for own in task.examples.objects[-SHOWN:]]
    numbers = torch.stack(per_object)
    rows = []
    for number in numbers.split(1):
        asked = Asked.of(task.examples, *[number.expand(TURNS)] * 4)
        turned = replace(asked, cameras=around(task, asked)).to(task.device)
        made = task.made(task.average, task.mapping_average, turned)
        drawn = task.drawn(turned)
        shown = torch.cat([task.examples.pictures[number].to(task.device).float() / 255, made])
        blank = torch.ones_like(made[:1])
        rows += [shown, torch.cat([blank, drawn[:, :3] + 1 - drawn[:, 3:]])]
    return {"turned": _sheet(torch.stack(rows)), "swapped": _sheet(_swaps(task, numbers[:4]))}


def around(task: DisentangleTask, asked: Asked) -> Cameras:
    """Cameras all around the objects asked for (N), framed as pictures of the data are."""
    count = len(asked.shape_code)
    azimuth = asked.cameras.azimuth + torch.arange(count) * (2 * math.pi / count)
    vertices = task.reader.network.shape_decoder(asked.shape_code.to(task.device)).cpu()
    return framed(replace(asked.cameras, azimuth=azimuth), vertices, max(task.config.draws.framing))


def _swaps(task: DisentangleTask, numbers: Tensor) -> Tensor:
    """(rows, columns, 3, R, R): pictures, and below each what comes of giving it another's property, one a row."""
    others = numbers.roll(1)
    rows = [task.examples.pictures[numbers].to(task.device).float() / 255]
    for changed in (-1, 0, 1, 2, 3):
        chosen = [others if place == changed else numbers for place in range(4)]
        asked = Asked.of(task.examples, *chosen).to(task.device)
        rows.append(task.made(task.average, task.mapping_average, asked))
    return torch.stack(rows)


def _sheet(cells: Tensor) -> np.ndarray:
    """(H, W, 3) uint8 of cells (rows, columns, 3, R, R) in [0, 1]."""
    rows, columns, channels, side, _ = cells.shape
    whole = cells.permute(0, 3, 1, 4, 2).reshape(rows * side, columns * side, channels)
    return (whole.clamp(0, 1).cpu().numpy() * 255).astype(np.uint8)
