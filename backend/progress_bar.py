# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bar of a stage of work: drawn on the terminal, or lines of JSON inside :func:`.common.progress.json_lines`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import TypeVar, cast

from tqdm import tqdm

from .common.progress import line_writer

Item = TypeVar("Item")


class Bar:
    """Shows how far one stage is; a context manager, which closes it.

    ``scale`` units are shown for each step: thousands of images for steps of a batch, say. ``shown=False`` shows
    nothing in either way. A bar that does not ``stay`` is wiped from the terminal at its end.
    """

    def __init__(
        self,
        stage: str,
        steps: int,
        *,
        unit: str = "step",
        first: int = 0,
        scale: float = 1.0,
        shown: bool = True,
        stay: bool = True,
    ) -> None:
        self.stage, self.steps, self.done, self.scale = stage, steps, first, scale
        self.figures: dict[str, float] = {}
        self.writer = line_writer() if shown else None
        counts = f"{{n:.{0 if scale >= 1 else 1}f}}/{{total:.{0 if scale >= 1 else 1}f}} {unit}"
        self.bar = tqdm(
            total=steps * scale,
            initial=first * scale,
            desc=stage,
            unit=unit,
            disable=not shown or self.writer is not None,
            leave=stay,
            smoothing=0.1,
            bar_format=f"{{l_bar}}{{bar}}| {counts} [{{elapsed}}<{{remaining}}, {{rate_fmt}}{{postfix}}]",
        )
        self._write()

    def update(self, steps: int = 1) -> None:
        """Says that so many further steps are done."""
        self.done = min(self.done + steps, self.steps)
        # Not added up: a sum of fractions ends above the total, of which tqdm warns.
        self.bar.n = self.done * self.scale
        self.bar.update(0)
        self._write()

    def show(self, figures: Mapping[str, float]) -> None:
        """Sets measurements that are shown from now on: the first four beside the bar, all in the lines."""
        self.figures |= figures
        self.bar.set_postfix({name: f"{value:.3f}" for name, value in list(self.figures.items())[:4]})
        self._write()

    def _write(self) -> None:
        if self.writer is not None:
            self.writer.write(self.stage, self.done, self.steps, self.figures)

    def close(self) -> None:
        """Ends the stage."""
        self.bar.close()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def tracked(
    items: Iterable[Item],
    stage: str,
    *,
    count: int | None = None,
    unit: str = "item",
    shown: bool = True,
    stay: bool = True,
) -> Iterator[Item]:
    """Goes through the items beneath a bar; an item counts as done when the next one is asked for.

    ``count`` says how many there are where the items have no length.
    """
    with Bar(stage, len(cast(Sized, items)) if count is None else count, unit=unit, shown=shown, stay=stay) as bar:
        for item in items:
            yield item
            bar.update()
