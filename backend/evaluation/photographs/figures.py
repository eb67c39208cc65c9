# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures over the records of many photographs, or of many rendered objects. NumPy alone.

Shares are from 0 to 1; a figure of nothing is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..light_in_paint import CORRELATION, SLOPE
from .calibration import expected_calibration_error, mean, reliability, warnings_shares
from .records import Record

LOW_IOU = 0.8
"""IoUs below this are counted: such masks or silhouettes are visibly wrong."""


def summary(records: Sequence[Record]) -> dict[str, Any]:
    """Returns the figures of photographs' records, of those that have a result."""
    good = succeeded(records)
    fronts = [record for record in good if record["front"]]
    others = [record for record in good if not record["front"]]
    wrong = [record for record in good if not record["right"]]
    return {
        "photographs": len(records),
        "failed": len(records) - len(good),
        "fronts": len(fronts),
        "others": len(others),
        "azimuth_error_deg_median": median(column(good, "azimuth_error_deg")),
        "flips": mean(column(good, "flip")),
        "flips_front": mean(column(fronts, "flip")),
        "flips_other": mean(column(others, "flip")),
        "off_60": mean(column(good, "off_60")),
        **overlaps(good, "silhouette_iou_true"),
        **overlaps(good, "own_mask_iou"),
        **printed_light(good),
        "seconds_median": median(np.array([total_seconds(record) for record in good])),
        "alternatives_offered": mean(column(good, "alternatives") > 0),
        "alternative_right_of_wrong": mean(column(wrong, "alternative_right")),
        "calibration": calibration(good),
    }


def calibration(good: Sequence[Record]) -> dict[str, Any]:
    """Returns how far warnings and confidences of results can be believed; confidences where there are any."""
    known = [record for record in good if record["confidence"] is not None]
    rows = reliability([record["confidence"] for record in known], [record["right"] for record in known])
    return {
        **warnings_shares([record["right"] for record in good], [record["warned"] for record in good]),
        "confidences": len(known),
        "reliability": rows if known else None,
        "expected_calibration_error": expected_calibration_error(rows),
    }


def printed_light(records: Sequence[Record]) -> dict[str, float | None]:
    """Returns the means of :mod:`..light_in_paint` over the results that have paint to judge."""
    known = [record["light_in_paint"] for record in records if record.get("light_in_paint")]
    return {f"{name}_mean": mean(column(known, name)) for name in (CORRELATION, SLOPE)}


def overlaps(records: Sequence[Record], name: str) -> dict[str, float | None]:
    """Returns mean, median and the share below :data:`LOW_IOU` of those IoUs that are known."""
    values = column([record for record in records if record.get(name) is not None], name)
    return {
        f"{name}_mean": mean(values),
        f"{name}_median": median(values),
        f"{name}_below_{LOW_IOU}": mean(values < LOW_IOU),
    }


def succeeded(records: Sequence[Record]) -> list[Record]:
    """Returns the records that have a result."""
    return [record for record in records if not record["error"]]


def column(records: Sequence[Record], name: str) -> np.ndarray:
    """Returns one number of each record, float64."""
    return np.array([record[name] for record in records], np.float64)


def median(values: np.ndarray) -> float | None:
    """Returns the median; None of nothing."""
    return float(np.median(values)) if len(values) else None


def total_seconds(record: Record) -> float:
    """Returns how long the whole reconstruction took."""
    stages = record["seconds"]
    return stages.get("total", sum(stages.values()))
