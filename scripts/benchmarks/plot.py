# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table as a picture; the one part that needs matplotlib."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from .renderer import Figures
from .suite import BUDGET_MS, HEADLINE, Results

FORMATS = (".png", ".svg", ".pdf")
_INK, _FAINT, _BUDGET = "#2b2b2b", "#d9d9d9", "#c8442d"


def is_available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def write(results: Results, path: Path, subtitle: str) -> None:
    """Time of forward and backward against faces for the smallest batch: a panel a renderer, a line a resolution.

    Raises OSError where the file cannot be written.
    """
    from matplotlib.figure import Figure

    panels = {}
    for name in results.headline:
        column = results.column(name)
        least = min((figures.size.batch for figures in column), default=1)
        if column:
            panels[name] = [figures for figures in column if figures.size.batch == least]
    figure = Figure(figsize=(1.0 + 3.9 * max(len(panels), 1), 4.9), layout="constrained", facecolor="white")
    if panels:
        rows = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)
        for axes, (name, column) in zip(rows[0], panels.items(), strict=True):
            _draw_panel(axes, name, column)
        rows[0, 0].set_ylabel("forward + backward [ms]", color=_INK)
        _name_lines(figure, rows[0, 0])
    figure.suptitle(f"Sphere, from its vertices to their gradient\n{subtitle}", fontsize=11, color=_INK)
    figure.savefig(path, dpi=160)


def _draw_panel(axes: Any, name: str, column: list[Figures]) -> None:
    import matplotlib
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    resolutions = sorted({figures.size.resolution for figures in column})
    colours = matplotlib.colormaps["viridis"].resampled(256)
    for i, resolution in enumerate(resolutions):
        line = sorted(
            (figures for figures in column if figures.size.resolution == resolution),
            key=lambda figures: figures.size.faces,
        )
        axes.plot(
            [figures.size.faces for figures in line], [figures.both_ms for figures in line], "o-", markersize=4.5,
            linewidth=1.8, color=colours(0.85 - 0.8 * i / max(len(resolutions) - 1, 1)),
            label=f"{resolution} x {resolution}",
        )  # fmt: skip
    axes.plot(
        [HEADLINE.faces], [BUDGET_MS], "D", markersize=8, markerfacecolor="none", markeredgewidth=1.6, color=_BUDGET,
        label=f"budget at {HEADLINE.resolution} x {HEADLINE.resolution}: {BUDGET_MS:g} ms", zorder=5,
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    faces = sorted({figures.size.faces for figures in column} | {HEADLINE.faces})
    axes.set_xticks(faces, [f"{number / 1000:.3g}k" for number in faces])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.tick_params(which="minor", bottom=False, left=False)
    axes.tick_params(colors=_INK, labelsize=9)
    axes.set_title(name, fontsize=10.5, color=_INK)
    batch = column[0].size.batch
    axes.set_xlabel("faces" if batch == 1 else f"faces of each of {batch} pictures", color=_INK)
    axes.grid(which="major", color=_FAINT, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)


def _name_lines(figure: Any, axes: Any) -> None:
    """One legend for all panels, its lines in the order of the curves: the slowest on top."""
    handles, labels = axes.get_legend_handles_labels()
    order = [*reversed(range(len(handles) - 1)), len(handles) - 1]
    figure.legend(
        [handles[i] for i in order], [labels[i] for i in order], loc="outside right center", frameon=False, fontsize=9,
        title="picture", title_fontsize=9,
    )  # fmt: skip
