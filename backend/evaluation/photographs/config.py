# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What decides how the product is measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ...common.records import DEFAULT_BUNDLE, OWN_CUT_OUT

CUT_OUT, PHOTO = "cut-out", "photo"
INPUTS = (CUT_OUT, PHOTO)
"""What the product is given: the picture with the teacher's mask as its alpha, or the picture alone."""


@dataclass(frozen=True)
class PhotographsConfig:
    """Everything that decides the records; a measuring goes on only with the same."""

    bundle: str = DEFAULT_BUNDLE
    input: str = CUT_OUT
    quality: str = "standard"
    refine: int = -1
    """Steps; 0: none; -1: as the quality says."""
    cutout_model: str = OWN_CUT_OUT
    silhouettes: str = "scene"
    """Who draws the results: Blender's ``scene``, or our own ``rasteriser``."""
    views: str = "four"
    """The sheet's sides, a key of :data:`.sides.VIEWS`."""
    seed: int = 0
    """Draws the random sides."""

    @property
    def feed_forward(self) -> bool:
        """Whether results are the networks' own, not refined."""
        return self.refine == 0 or (self.refine < 0 and self.quality == "draft")

    def report(self) -> dict[str, Any]:
        """Returns the part of the report that says how was measured."""
        return {**asdict(self), "feed_forward": self.feed_forward}
