# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which box training starts from: a car's where the data show cars, else a cube."""

from __future__ import annotations

from pathlib import Path

from ...common.json_files import read
from ...render.template import CAR_BOX, TemplateConfig

CAR = "car"
CUBE = TemplateConfig()
SMALL_CUBE = TemplateConfig(cells_x=8, cells_y=7, cells_z=7)
SMALL_CAR_BOX = TemplateConfig(cells_x=6, cells_y=14, cells_z=4, proportions=CAR_BOX.proportions)
_OF_CARS = {CUBE: CAR_BOX, SMALL_CUBE: SMALL_CAR_BOX}
"""For each box that a preset names, one of about as many vertices for cars."""


def start_box(config: TemplateConfig, category: str, data: Path) -> TemplateConfig:
    """The box that the settings ``template`` and ``category`` stand for.

    A category that is not given is that of the data. Only a preset's own box gives way to a car's: one of which
    anything was set is taken as it is.
    """
    of_cars = (category or category_of(data)).strip().casefold() == CAR
    return _OF_CARS.get(config, config) if of_cars else config


def category_of(data: Path) -> str:
    """``category`` of a dataset's ``dataset.json``; empty where nothing says it."""
    try:
        index = read(Path(data) / "dataset.json")
    except (OSError, ValueError):
        return ""
    category = index.get("category", "") if isinstance(index, dict) else ""
    return category if isinstance(category, str) else ""
