# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The renderer's figures as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .renderer import PYTORCH3D, Figures, Size
from .suite import BUDGET_MS, OURS, Results, Row

PUBLISHED = {642: 254.0, 2562: 926.0}
"""Milliseconds of PyTorch3D 0.7.9 by the sphere's vertices: its forward pass alone, at 256x256."""
_GROUP = 30
_SIZE = "{:>7} {:>7} {:>5}"


def headline(row: Row, device: str) -> str:
    """A paragraph on the sphere of the budget."""
    size = _size_of(row)
    covered = max(figures.covered_pixels for figures in row.values())
    lines = [
        f"A sphere of {size.vertices:,} vertices and {size.faces:,} faces at {size.resolution}x{size.resolution}, "
        f"{covered:,} pixels covered; medians in ms",
        f"{'':20}{'forward':>10}{'+ backward':>12}{'MB':>8}   budget {BUDGET_MS:g} ms for both, on two CPU cores",
    ]
    for name, figures in row.items():
        if figures.error:
            lines.append(f"{name:20}  failed: {figures.error}")
            continue
        # The budget is the rasteriser's; soft edges come on top of it.
        verdict = _verdict(figures) if name == OURS[0] and device == "cpu" else ""
        lines.append(
            f"{name:20}{figures.forward_ms:10.2f}{figures.both_ms:12.2f}{_number(figures.both_mb, 8)}   {verdict}"
        )
    crisp, other = row[OURS[0]], row.get(PYTORCH3D)
    if other is None:
        lines.append(without_pytorch3d())
    elif not (crisp.error or other.error):
        lines.append(
            f"The rasteriser is {other.forward_ms / crisp.forward_ms:.1f} times as fast as PyTorch3D forward, "
            f"{other.both_ms / crisp.both_ms:.1f} times forward and backward."
        )
    return "\n".join(lines)


def _verdict(figures: Figures) -> str:
    share = f"{100 * figures.both_ms / BUDGET_MS:.0f} %"
    return f"kept ({share})" if figures.both_ms <= BUDGET_MS else f"MISSED ({share})"


def without_pytorch3d() -> str:
    """What there is to say where it cannot be measured."""
    figures = ", ".join(f"{ms:g} ms for {vertices:,} vertices" for vertices, ms in PUBLISHED.items())
    return (
        "PyTorch3D is not installed, so it was not measured.\nPublished for such a machine, and NOT measured here: "
        f"PyTorch3D 0.7.9 at 256x256, forward alone, {figures}."
    )


def table_head(renderers: Sequence[str]) -> str:
    """Explanation and head of the table."""
    columns = f"{'forward':>8} {'+ back':>8} {'MB':>6} {'ns':>5}"
    return "\n".join(
        [
            "Medians in ms, of the forward pass and of forward and backward together. MB: peak memory beyond inputs.",
            "ns: time of both over (covered pixels + faces) of all pictures.",
            " " * len(_SIZE.format("", "", "")) + "".join(f" |{name:^{_GROUP}}" for name in renderers),
            _SIZE.format("faces", "picture", "batch") + "".join(f" |{columns:^{_GROUP}}" for _ in renderers),
        ]
    )


def table_row(row: Row) -> str:
    """One size."""
    cells = [_size(row)]
    for figures in row.values():
        if figures.error:
            cells.append(f" |{_shortened(figures.error):^{_GROUP}}")
            continue
        milliseconds = f"{_milliseconds(figures.forward_ms)} {_milliseconds(figures.both_ms)}"
        cell = f"{milliseconds} {_number(figures.both_mb, 6)} {_number(figures.nanoseconds_per_work, 5)}"
        cells.append(f" |{cell:^{_GROUP}}")
    return "".join(cells)


def growth(results: Results, renderers: Sequence[str]) -> str:
    """Time over work where pixels and faces grow alike, the longest such rows of sizes, and how it grows."""
    lines = ["ns per (covered pixel + face), forward and backward, where both grow alike:"]
    lines.append(_SIZE.format("faces", "picture", "batch") + "".join(f"{name:>20}" for name in renderers))
    for chain in longest_chains(results.table):
        for row in chain:
            values = [row[name].nanoseconds_per_work if name in row else math.nan for name in renderers]
            lines.append(_size(row) + "".join(_number(value, 20) for value in values))
        powers = [growth_power([row[name] for row in chain if name in row]) for name in renderers]
        cells = "".join(f"{'-' if power is None else f'{power:.2f}':>20}" for power in powers)
        lines.append(f"{'time ~ number to the':21}" + cells)
    lines.append(
        "1 is linear. The soft mask weighs every face at every uncovered pixel in its enlarged box (DIB-R): near the\n"
        "outline these pairs grow as faces times pixels, faster than either."
    )
    return "\n".join(lines)


def longest_chains(table: Sequence[Row]) -> list[list[Row]]:
    """Rows of equally many pixels a face, by their work; the longest of such chains, more than one where they tie.

    A face costs more than a pixel, so that time over (pixels + faces) says little between sizes that mix them
    differently.
    """
    chains: dict[float, list[Row]] = {}
    for row in table:
        size = _size_of(row)
        chains.setdefault(size.resolution**2 / size.faces, []).append(row)
    longest = max((len(chain) for chain in chains.values()), default=0)
    return [
        sorted(chain, key=lambda row: _size_of(row).batch * _size_of(row).faces)
        for _, chain in sorted(chains.items())
        if len(chain) == longest > 1
    ]


def growth_powers(results: Results, renderers: Sequence[str]) -> dict[str, float | None]:
    """The greatest of the powers of :func:`growth` by renderer."""
    powers: dict[str, float | None] = {}
    for name in renderers:
        found = [growth_power([row[name] for row in chain if name in row]) for chain in longest_chains(results.table)]
        powers[name] = max((power for power in found if power is not None), default=None)
    return powers


def growth_power(column: Sequence[Figures]) -> float | None:
    """p of the fit time = constant * work^p over the larger half of the sizes; None where that is one size alone.

    1 is linear. In the smaller half the time of a call without work would make p look better than it is.
    """
    column = sorted((figures for figures in column if not figures.error), key=lambda figures: figures.work)
    column = column[max(min(len(column) // 2, len(column) - 2), 0) :]
    work = np.log([figures.work for figures in column])
    if len(column) < 2 or np.ptp(work) < 1e-6:
        return None
    return float(np.polyfit(work, np.log([figures.both_ms for figures in column]), 1)[0])


def _size_of(row: Row) -> Size:
    return next(iter(row.values())).size


def _size(row: Row) -> str:
    size = _size_of(row)
    return _SIZE.format(size.faces, f"{size.resolution}²", size.batch)


def _milliseconds(value: float) -> str:
    return f"{value:8.2f}" if value < 1000 else f"{value:8.0f}"


def _number(value: float, width: int) -> str:
    return f"{'-':>{width}}" if math.isnan(value) else f"{value:{width}.0f}"


def _shortened(text: str) -> str:
    return text if len(text) < _GROUP else text[: _GROUP - 4] + "..."
