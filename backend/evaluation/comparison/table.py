# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a comparison from its records, and the table of them in Markdown: measures by data, a column a network."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...common.measures import OTHER_VIEW, OWN_CAMERA, VIEW_CAMERA
from ...data.multi_views import GAN_VIEWS
from .data import PHOTOGRAPHS, RENDERED_VIEWS
from .measures import Record

VIEWS_OF_OBJECTS = (GAN_VIEWS, RENDERED_VIEWS)
EVERYTHING = (*VIEWS_OF_OBJECTS, PHOTOGRAPHS)
UNKNOWN = "–"


@dataclass(frozen=True)
class Measure:
    """A row of the table."""

    name: str
    """Of the entry in records."""
    title: str
    form: str
    """How a figure is written."""
    kinds: tuple[str, ...]
    """Of data that have it."""
    note: str
    """What it is, in one sentence."""
    of: Callable[[Sequence[float]], float] = statistics.fmean


_CANONICAL = "Both meshes as they stand in the canonical frame."
_BOXED = "Each mesh is first moved and scaled until its box is centred and has a longest side of 1; nothing is turned."
MEASURES = (
    Measure(OWN_CAMERA, "silhouette IoU, own camera", "{:.3f}", EVERYTHING,
            "In the picture that the network sees, through the camera that it predicts."),
    Measure(VIEW_CAMERA, "silhouette IoU, view's camera", "{:.3f}", VIEWS_OF_OBJECTS,
            "Through the view's camera (of rendered views the true one), shifted and scaled until the object's box is "
            "the mask's."),
    Measure(OTHER_VIEW, "silhouette IoU, other views", "{:.3f}", VIEWS_OF_OBJECTS,
            "The same in the object's other pictures whose azimuth is 90° or more from the one seen; their mean."),
    Measure("azimuth_error_deg", "azimuth error, median", "{:.1f}°", VIEWS_OF_OBJECTS,
            "Between the camera predicted and the view's.", statistics.median),
    Measure("flips", "front/rear flips", "{:.1%}", VIEWS_OF_OBJECTS, "Azimuth errors above 90°."),
    Measure("elevation_error_deg", "elevation error, median", "{:.1f}°", VIEWS_OF_OBJECTS,
            "Between the camera predicted and the view's.", statistics.median),
    Measure("colour_error", "colour error", "{:.3f}", EVERYTHING,
            "Mean absolute difference in sRGB, 0 to 1, where both silhouettes are, through the own camera, in the "
            "light that the network predicts."),
    Measure("chamfer", "Chamfer distance", "{:.4f}", (RENDERED_VIEWS,), _CANONICAL),
    Measure("f_score", "F-score at 5 %", "{:.3f}", (RENDERED_VIEWS,), _CANONICAL),
    Measure("solid_iou", "3D IoU", "{:.3f}", (RENDERED_VIEWS,), _CANONICAL),
    Measure("chamfer_boxed", "Chamfer distance, boxed", "{:.4f}", (RENDERED_VIEWS,), _BOXED),
    Measure("f_score_boxed", "F-score at 5 %, boxed", "{:.3f}", (RENDERED_VIEWS,), _BOXED),
    Measure("solid_iou_boxed", "3D IoU, boxed", "{:.3f}", (RENDERED_VIEWS,), _BOXED),
)  # fmt: skip
"""In the order of the table. Means over pictures unless the title says otherwise."""


def figures_of(records: Sequence[Record], kind: str) -> dict[str, dict[str, Any]]:
    """``value`` and ``count`` of every measure of such data, the value None where no picture has the measure."""
    figures: dict[str, dict[str, Any]] = {}
    for measure in MEASURES:
        if kind in measure.kinds:
            found = [value for record in records if isinstance(value := record.get(measure.name), int | float)]
            value = round(measure.of(found), 6) if found else None
            figures[measure.name] = {"value": value, "count": len(found)}
    return figures


def table(report: Mapping[str, Any]) -> str:
    """The table of a report of :func:`.comparison.compare`, and what its rows mean below it."""
    labels = [network["label"] for network in report["networks"]]
    lines = [_row(["", *labels]), _row(["---", *["---:"] * len(labels)])]
    used: dict[str, list[str]] = {}
    for data in report["data"]:
        lines.append(_row([f"**{data['label']}**: {_counted(data)}", *[""] * len(labels)]))
        for measure in MEASURES:
            if data["kind"] in measure.kinds:
                figures = [data["networks"][label]["figures"][measure.name]["value"] for label in labels]
                lines.append(_row([measure.title, *(_written(measure, figure) for figure in figures)]))
                titles = used.setdefault(measure.note, [])
                titles += [measure.title] if measure.title not in titles else []
    lines += ["", "Networks alone, before refinement; silhouettes at 96 pixels inside the crop.", ""]
    return "\n".join([*lines, *(f"- {'; '.join(titles)}: {note}" for note, titles in used.items())]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _written(measure: Measure, figure: float | None) -> str:
    return UNKNOWN if figure is None else measure.form.format(figure).replace("%", " %")


def _counted(data: Mapping[str, Any]) -> str:
    """How many objects and pictures there are."""
    pictures, objects = data["pictures"], data["objects"]
    if data["kind"] == PHOTOGRAPHS:
        lost = f", {len(data['failed'])} more could not be used" if data["failed"] else ""
        return f"{_count(pictures, 'photograph')}{lost}"
    made = "generated" if data["kind"] == GAN_VIEWS else "rendered"
    return f"{_count(objects, 'object')}, {pictures} {made} {'picture' if pictures == 1 else 'pictures'}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
