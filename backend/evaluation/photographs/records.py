# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is noted of each photograph: how far the result is from the label and from the teacher's mask. NumPy alone.

Letters: H, W the picture in which masks are compared.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...common.records import Reconstruction
from .. import metrics

Record = dict[str, Any]
"""Plain JSON. ``error`` is None, or the sentence that says why there is no result; the figures are missing then."""

FRONT_DEG = 60.0
"""A label within so much of the front is a front view."""
OFF_DEG = 60.0
"""An azimuth error above this is far off."""
RIGHT_DEG = 45.0
"""An azimuth error up to this is right: what confidence and warnings are judged by."""
FACING_WORDS = "which way the object faces"
"""What every warning says that doubts the direction of view."""


def new_record(name: str, group: str, label: float) -> Record:
    """Returns what is known before there is a result; ``label`` is the true azimuth in radians."""
    degrees = whole_turn_deg(label)
    return {
        "file": name,
        "group": group,
        "azimuth_label_deg": round(degrees, 2),
        "front": abs(degrees) < FRONT_DEG,
        "error": None,
    }


def judge(record: Record, result: Reconstruction, label: float, silhouette: np.ndarray, truth: np.ndarray) -> None:
    """Fills in what a result is worth.

    Args:
        record: From :func:`new_record`.
        label: True azimuth in radians.
        silhouette: (H, W) bool, the result through its own camera.
        truth: (H, W) bool, the teacher's mask.

    Raises:
        ValueError: The result's confidence is no probability.
    """
    if result.confidence is not None and not 0 <= result.confidence <= 1:
        raise ValueError(f"The confidence of {record['file']} is {result.confidence}, which is no probability.")
    error = metrics.angle_error_deg(result.camera.azimuth, label)
    others = [metrics.angle_error_deg(other.azimuth, label) for other in result.alternatives]
    record |= {
        "azimuth_deg": round(whole_turn_deg(result.camera.azimuth), 2),
        "azimuth_error_deg": round(error, 2),
        "flip": metrics.is_flip(result.camera.azimuth, label),
        "off_60": error > OFF_DEG,
        "right": error <= RIGHT_DEG,
        "silhouette_iou_true": round(metrics.silhouette_iou(silhouette, truth), 4),
        "silhouette_iou_own_mask": round(float(result.silhouette_iou), 4),
        "mask_source": result.mask_source,
        "confidence": None if result.confidence is None else round(float(result.confidence), 4),
        "evidence": {name: _number(value) for name, value in result.evidence.items()},
        "warned": any(FACING_WORDS in sentence for sentence in result.warnings),
        "warnings": list(result.warnings),
        "alternatives": len(others),
        "alternative_right": any(apart <= RIGHT_DEG for apart in others),
        "seconds": {stage: round(float(seconds), 3) for stage, seconds in result.timings.items()},
    }


def judge_mask(record: Record, mask: np.ndarray, truth: np.ndarray) -> None:
    """Fills in how well the product cut out: its mask and the teacher's (H, W) uint8, of one size."""
    record["own_mask_iou"] = round(metrics.silhouette_iou(mask > 127, truth > 127), 4)


def _number(value: float) -> float | None:
    """A number as JSON has it; None for infinity and for what is none."""
    return round(float(value), 5) if math.isfinite(value) else None


def whole_turn_deg(angle: float) -> float:
    """Returns an angle in radians as degrees from -180 to 180."""
    return math.degrees(math.remainder(angle, 2 * math.pi))


def line(record: Record) -> str:
    """Returns what is printed of a photograph."""
    if record["error"]:
        return f"{record['file']}: {record['error']}"
    marks = [word for word, is_so in (("FLIP", record["flip"]), ("warned", record["warned"])) if is_so]
    cut_out = record.get("own_mask_iou")
    return "  ".join(
        [
            record["file"],
            f"IoU {record['silhouette_iou_true']:.3f}",
            *([] if cut_out is None else [f"cut-out {cut_out:.3f}"]),
            f"azimuth {record['azimuth_deg']:.0f} for {record['azimuth_label_deg']:.0f} deg",
            *([] if record["confidence"] is None else [f"confidence {record['confidence']:.2f}"]),
            f"{record['seconds'].get('total', sum(record['seconds'].values())):.1f} s",
            *marks,
        ]
    )
