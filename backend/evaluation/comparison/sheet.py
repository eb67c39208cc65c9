# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures to look at what is compared: an object a row, what networks were given and what they made of it.

Letters: N rows, S side of a cell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from ...render.camera import Cameras
from ..silhouettes import boxed
from .data import Pictures
from .measures import Answer, ComparedNetwork

SIDE = 128
"""Pixels of a cell."""
ROWS = 8
GROUND = 0.93
_LABEL = 18
_TURN = math.radians(140)
"""From which other side objects are shown where no other picture says one."""


@dataclass
class _Rows:
    """What a sheet shows: a picture of each of N objects, and another, from as far around as there is one."""

    seen: Tensor
    """(N,) numbers of pictures."""
    other: Tensor
    """(N,) numbers of pictures; the picture itself where the object has no other from another side."""


def sheet(networks: Sequence[ComparedNetwork], pictures: Pictures, rows: int = ROWS) -> np.ndarray:
    """(H, W, 3) uint8: the picture, what each network makes of it in its own camera, then the same from another side.

    The other side is that of another picture of the object, which is shown too, where the cameras of both are known;
    otherwise the networks' own cameras are turned.
    """
    shown = _rows(pictures, rows)
    columns = [("input", _cut_out(pictures, shown.seen))]
    others: list[tuple[str, Tensor]] = []
    if (shown.seen != shown.other).any():
        others.append(("another picture", _cut_out(pictures, shown.other)))
        others[0][1][shown.seen == shown.other] = GROUND
    for network in networks:
        answer = network.answer(pictures.cut(shown.seen, network.image_size))
        columns.append((network.label, _over_ground(network, answer, answer.cameras)))
        others.append(
            (f"{network.label}, other side", _over_ground(network, answer, _elsewhere(pictures, shown, answer)))
        )
    return _labelled(columns + others)


def _rows(pictures: Pictures, rows: int) -> _Rows:
    """The first objects, each from another of its pictures, so that a sheet shows all sides."""
    seen, other = [], []
    for row, number in enumerate(pictures.object_of.unique()[:rows].tolist()):
        of_object = (pictures.object_of == number).nonzero()[:, 0]
        seen.append(int(of_object[row % len(of_object)]))
        apart = pictures.apart(seen[-1])
        if len(apart):
            assert pictures.cameras is not None
            turned = (pictures.cameras.azimuth[apart] - pictures.cameras.azimuth[seen[-1]]).cos()
            other.append(int(apart[turned.argmin()]))
        else:
            other.append(seen[-1])
    return _Rows(torch.tensor(seen), torch.tensor(other))


def _elsewhere(pictures: Pictures, shown: _Rows, answer: Answer) -> Cameras:
    """(N) of the other pictures, framed as a crop is; where there is none, the own camera turned."""
    device = answer.vertices.device
    turned = boxed(replace(answer.cameras, azimuth=answer.cameras.azimuth + _TURN), answer.vertices)
    if pictures.cameras is None:
        return turned
    there = boxed(pictures.cameras[shown.other].to(device), answer.vertices)
    known = (shown.seen != shown.other).to(device)
    return Cameras(
        **{name: torch.where(known, value, getattr(turned, name)) for name, value in vars(there).items()}
    )  # fmt: skip


def _over_ground(network: ComparedNetwork, answer: Answer, cameras: Cameras) -> Tensor:
    """(N, 3, S, S)."""
    picture = network.show(answer, cameras, SIDE)
    return picture.over(torch.tensor(GROUND, device=picture.rgb.device)).cpu()


def _cut_out(pictures: Pictures, numbers: Tensor) -> Tensor:
    """(N, 3, S, S): the objects that networks were shown."""
    rgba = pictures.cut(numbers, SIDE)
    return rgba[:, :3] + (1 - rgba[:, 3:]) * GROUND


def _labelled(columns: Sequence[tuple[str, Tensor]]) -> np.ndarray:
    """Columns of cells (N, 3, S, S) under their names."""
    strips = []
    for name, cells in columns:
        pixels = (cells.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).flatten(0, 1).numpy()
        strip = np.pad(pixels, ((_LABEL, 0), (0, 2), (0, 0)), constant_values=255)
        cv2.putText(strip, name, (3, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
        strips.append(strip)
    return np.concatenate(strips, axis=1)
