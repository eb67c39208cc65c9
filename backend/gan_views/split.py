# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many of a generator's first codes hold the view: measured by swapping codes between samples.

For pairs of samples A and B and every s, the image whose first s codes are A's and whose others are B's is read by
networks. In some pairs a property is then nearer to A's than to B's: their share, each pair counted by how far its
samples are apart, is what the first s codes carry of the property. Counting pairs bears readings that are now and then
all wrong, as an azimuth is where front and back are taken for one another; a mean of angles does not.

Letters: P pairs, L codes of an image, k the split.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..progress_bar import Bar
from .objects import ObservedGenerator
from .readings import Readings, angle_between

RULE = (
    "the first k whose share of the azimuth less the mean of its shares of shape and colour is within 0.02 of the "
    "largest"
)
_TIE = 0.02
Distance = Callable[[Readings, Readings], np.ndarray]


@dataclass(frozen=True)
class SplitRow:
    """What the first ``codes`` codes carry. Shares are 0 where the property is B's, 1 where it is A's."""

    codes: int
    """Number s of codes that are A's."""
    azimuth_deg: float
    """Median angle between the azimuth and A's, whose first codes these are."""
    azimuth_before_deg: float
    """Median angle to that with one code fewer: where it is small, the azimuth has stopped changing."""
    confidence: float
    """Mean confidence of the pose network in the mixed image."""
    azimuth: float
    axis: float
    """Share of the azimuth where front and back count as one."""
    elevation: float
    mask: float
    shape: float
    colour: float

    @property
    def gap(self) -> float:
        """Difference between the mean shares of the view and of the content."""
        return (self.azimuth + self.axis + self.elevation) / 3 - (self.shape + self.colour) / 2


@dataclass(frozen=True)
class SwapRow:
    """What changes where one code alone is another sample's: each as a share of how far two samples are apart."""

    code: int
    """Number of the code, from 0."""
    azimuth_deg: float
    """Median change of the azimuth."""
    azimuth: float
    axis: float
    elevation: float
    mask: float
    shape: float
    colour: float


@dataclass(frozen=True)
class SplitTable:
    """The measurement."""

    pairs: int
    """Number of pairs that could be read: an object was found in both samples."""
    drawn: int
    """Number of pairs that were drawn."""
    rows: list[SplitRow]
    """(L + 1) rows, for s from 0 to L."""
    swaps: list[SwapRow]
    """(L) rows, one for each code."""

    def proposed(self) -> int:
        """k by :data:`RULE`; from 1 to L - 1, so that both view and content have a code."""
        gaps = np.array([row.gap for row in self.rows[1:-1]])
        return 1 + int(np.flatnonzero(gaps >= gaps.max() - _TIE)[0])

    def record(self, split: int) -> dict[str, Any]:
        """Returns the content of ``split.json``."""
        return {
            "split": split,
            "proposed": self.proposed(),
            "rule": RULE,
            "pairs": self.pairs,
            "drawn": self.drawn,
            "first_codes": [{**asdict(row), "gap": row.gap} for row in self.rows],
            "single_codes": [asdict(row) for row in self.swaps],
        }

    def text(self, split: int) -> str:
        """Returns the table as text."""
        lines = [
            f"Codes swapped between {self.pairs} pairs of samples; an object was found in both, {self.drawn} drawn.",
            "first codes   azimuth to A   to s - 1   share of azimuth   axis  elevation  mask  shape  colour     gap",
        ]
        for row in self.rows:
            angles = f"{row.codes:11d} {row.azimuth_deg:11.1f} deg {row.azimuth_before_deg:6.1f} deg"
            mark = "  <- split" if row.codes == split else ""
            lines.append(f"{angles}{_columns(row, 19)} {row.gap:7.2f}{mark}")
        lines.append("one code      azimuth to A              share of azimuth   axis  elevation  mask  shape  colour")
        lines += [f"{row.code:11d} {row.azimuth_deg:11.1f} deg{_columns(row, 30)}" for row in self.swaps]
        return "\n".join(lines)


def _columns(row: SplitRow | SwapRow, width: int) -> str:
    content = f"{row.elevation:11.2f} {row.mask:5.2f} {row.shape:6.2f} {row.colour:7.2f}"
    return f"{row.azimuth:{width}.2f} {row.axis:6.2f}{content}"


def measure_split(
    observed: ObservedGenerator, *, pairs: int, truncation: float, seed: int, progress: bool = True
) -> SplitTable:
    """Swaps codes between ``pairs`` pairs of samples. Raises ValueError where an object is found in too few of them."""
    generator = observed.generator
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(2, pairs, generator.config.z_dim, generator=random).to(observed.device)
    with torch.no_grad():
        a, b = (generator.map(half, truncation) for half in z)
    codes = generator.codes
    with Bar("Measuring the split", 2 * codes + 1, unit="swap", shown=progress) as bar:

        def read(w_plus: Tensor) -> Readings:
            bar.update()
            return observed.read(w_plus)

        mixed = [read(torch.cat([a[:, :first], b[:, first:]], dim=1)) for first in range(codes + 1)]
        single = [read(_with_code(a, b, code)) for code in range(codes)]
    good = mixed[0].found & mixed[-1].found
    if good.sum() < max(2, pairs // 8):
        raise ValueError(
            f"An object was found in both samples of only {good.sum()} of {pairs} pairs: the generator does not yet "
            "show what the bundle's networks know."
        )
    mixed = [readings[good] for readings in mixed]
    rows = [_row(first, mixed) for first in range(codes + 1)]
    swaps = [_swap(code, readings[good], mixed[-1], mixed[0]) for code, readings in enumerate(single)]
    return SplitTable(int(good.sum()), pairs, rows, swaps)


def _with_code(a: Tensor, b: Tensor, code: int) -> Tensor:
    """A's codes (P, L, D) but for one, which is B's."""
    swapped = a.clone()
    swapped[:, code] = b[:, code]
    return swapped


def _row(first: int, mixed: list[Readings]) -> SplitRow:
    b, here, a = mixed[0], mixed[first], mixed[-1]
    shares = {
        name: _share(distance(here, a), distance(here, b), distance(a, b)) for name, distance in DISTANCES.items()
    }
    return SplitRow(
        first,
        _median_deg(angle_between(here.azimuth, a.azimuth)),
        _median_deg(angle_between(here.azimuth, mixed[max(first - 1, 0)].azimuth)),
        float(here.confidence.mean()),
        **shares,
    )


def _swap(code: int, here: Readings, a: Readings, b: Readings) -> SwapRow:
    changes = {
        name: float(distance(here, a).sum() / max(distance(b, a).sum(), 1e-9)) for name, distance in DISTANCES.items()
    }
    return SwapRow(code, _median_deg(angle_between(here.azimuth, a.azimuth)), **changes)


def _share(to_a: np.ndarray, to_b: np.ndarray, apart: np.ndarray) -> float:
    """Share of the pairs, weighted by the distance of their samples, that are nearer to A; ties count half."""
    nearer = (to_a < to_b) + 0.5 * (to_a == to_b)
    total = float(apart.sum())
    return float((apart * nearer).sum()) / total if total > 1e-9 else 0.5


def _median_deg(angles: np.ndarray) -> float:
    return math.degrees(float(np.median(angles)))


def _azimuth(one: Readings, other: Readings) -> np.ndarray:
    """Angles in radians; one that is not read with confidence counts little."""
    return angle_between(one.azimuth, other.azimuth) * np.minimum(one.confidence, other.confidence)


def _axis(one: Readings, other: Readings) -> np.ndarray:
    return angle_between(2 * one.azimuth, 2 * other.azimuth) * np.minimum(one.confidence, other.confidence)


def _elevation(one: Readings, other: Readings) -> np.ndarray:
    return np.abs(one.elevation - other.elevation)


def _mask(one: Readings, other: Readings) -> np.ndarray:
    """1 - intersection over union."""
    first, second = one.masks > 127, other.masks > 127
    union = (first | second).sum(axis=(1, 2))
    return 1 - (first & second).sum(axis=(1, 2)) / np.maximum(union, 1)


def _shape(one: Readings, other: Readings) -> np.ndarray:
    return np.linalg.norm(one.shape - other.shape, axis=1)


def _colour(one: Readings, other: Readings) -> np.ndarray:
    return np.linalg.norm(one.colour - other.colour, axis=1)


DISTANCES: dict[str, Distance] = {
    "azimuth": _azimuth,
    "axis": _axis,
    "elevation": _elevation,
    "mask": _mask,
    "shape": _shape,
    "colour": _colour,
}
"""Distances (P,) between readings of the same pairs, by property."""
