# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sizes are measured with which renderer, and in which order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from tqdm import tqdm

from .renderer import PYTORCH3D, Figures, Settings, Size, measure, measure_apart

OURS = ("rasteriser", "with soft mask", "boundary renderer")
HEADLINE = Size(subdivisions=3, resolution=256, batch=1)
"""The sphere of the budget: 642 vertices, 1,280 faces."""
HEADLINE_RUNS = 20
BUDGET_MS = 10.0
"""For the headline's forward and backward pass together, on two CPU cores."""
PATIENCE_SECONDS = 10.0
"""PyTorch3D is not asked for sizes at which one run would take longer: on a CPU it tries every face at every pixel."""


@dataclass(frozen=True)
class Sizes:
    """All combinations are measured."""

    subdivisions: tuple[int, ...]
    resolutions: tuple[int, ...]
    batches: tuple[int, ...]

    def __iter__(self) -> Iterator[Size]:
        for values in itertools.product(self.subdivisions, self.resolutions, self.batches):
            yield Size(*values)

    def __len__(self) -> int:
        return len(self.subdivisions) * len(self.resolutions) * len(self.batches)


FULL = Sizes((3, 4, 5, 6), (64, 128, 256, 512, 1024), (1, 8))
QUICK = Sizes((3, 4), (64, 128, 256), (1,))

Row = dict[str, Figures]
"""Figures of one size by renderer."""


@dataclass
class Results:
    """All that was measured."""

    headline: Row
    table: list[Row] = field(default_factory=list)

    def column(self, renderer: str) -> list[Figures]:
        """Figures of one renderer in the table, without those that failed."""
        return [row[renderer] for row in self.table if renderer in row and not row[renderer].error]

    def everything(self) -> list[Figures]:
        """Headline and table in one list."""
        return [figures for row in (self.headline, *self.table) for figures in row.values()]


def run(
    sizes: Sizes,
    settings: Settings,
    *,
    with_pytorch3d: bool,
    after_headline: Callable[[Row], None],
    after_row: Callable[[Row], None],
) -> Results:
    """Measures the headline, then every size; calls back as soon as figures are there."""
    renderers = (*OURS, PYTORCH3D) if with_pytorch3d else OURS
    # A GPU counts its memory itself, and each process would have to start it anew.
    take = measure if settings.device == "cuda" else measure_apart
    with tqdm(total=len(renderers) * (1 + len(sizes)), desc="renderer", unit="case") as bar:

        def row_of(size: Size, how: Settings, asked: Sequence[str]) -> Row:
            row = {}
            for renderer in asked:
                bar.set_postfix_str(f"{renderer}, {size.faces} faces, {size.resolution}², batch {size.batch}")
                row[renderer] = take(renderer, size, how)
                bar.update()
            return row

        often = replace(settings, least_runs=max(settings.least_runs, HEADLINE_RUNS))
        results = Results(row_of(HEADLINE, often, renderers))
        after_headline(results.headline)
        for size in sizes:
            too_long = with_pytorch3d and _expected_seconds(results.everything(), size) > PATIENCE_SECONDS
            row = row_of(size, settings, OURS if too_long else renderers)
            if too_long:
                row[PYTORCH3D] = Figures(PYTORCH3D, size, error="one run would take too long")
                bar.update()
            results.table.append(row)
            after_row(row)
    return results


def _expected_seconds(measured: Sequence[Figures], size: Size) -> float:
    """What PyTorch3D would take, in proportion to faces times pixels from the largest size measured so far."""

    def product(of: Size) -> int:
        return of.batch * of.faces * of.resolution**2

    known = [figures for figures in measured if figures.renderer == PYTORCH3D and not figures.error]
    largest = max(known, key=lambda figures: product(figures.size), default=None)
    return largest.both_ms / 1000 * product(size) / product(largest.size) if largest else 0.0
