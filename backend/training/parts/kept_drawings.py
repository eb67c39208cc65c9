# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawn examples that are shown several times, each time varied anew: drawing costs a CPU more than learning.

Every step draws a few new ones, which take the place of the oldest. Which examples are at hand at a step follows from
the seed and the number of the step alone, so that a resumed training goes on with the same ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch

from .examples import Examples


class KeptDrawings:
    """The examples that are at hand at a step."""

    def __init__(
        self, draw: Callable[[int, torch.Generator], Examples], kept: int, fresh: int, seed: int, device: torch.device
    ) -> None:
        """``draw`` makes a number of examples; ``kept`` are at hand, of which every step replaces ``fresh``."""
        self.draw, self.fresh, self.seed, self.device = draw, fresh, seed, device
        self.chunks: deque[Examples] = deque(maxlen=max(1, kept // fresh))
        self.next = -1

    def examples(self, step: int, count: int, generator: torch.Generator) -> Examples:
        """Returns ``count`` of the examples at hand at a step."""
        last = step + (self.chunks.maxlen or 1)
        if not step <= self.next <= last:  # the first step of a training, or of a resumed one
            self.chunks.clear()
            self.next = step
        while self.next < last:
            own = torch.Generator(self.device).manual_seed(self.seed * 1_000_003 + self.next)
            self.chunks.append(self.draw(self.fresh, own))
            self.next += 1
        size = len(self.chunks) * self.fresh
        index = torch.randint(size, (count,), device=self.device, generator=generator).tolist()
        own_place = torch.arange(self.fresh, device=self.device)
        return Examples.concatenate([self.chunks[i // self.fresh].part(own_place[[i % self.fresh]]) for i in index])
