# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether warnings and confidence can be believed: do wrong results warn, is what is called 80 % sure right so often?

Letters: N results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

BINS = 5


def warnings_shares(right: Sequence[bool], warned: Sequence[bool]) -> dict[str, Any]:
    """Returns which share of wrong results was warned of, and of right ones, None where there are none; both (N,)."""
    is_right, is_warned = np.asarray(right, bool), np.asarray(warned, bool)
    return {
        "wrong": int((~is_right).sum()),
        "wrong_warned": mean(is_warned[~is_right]),
        "right": int(is_right.sum()),
        "right_warned": mean(is_warned[is_right]),
    }


def reliability(confidence: Sequence[float], right: Sequence[bool], bins: int = BINS) -> list[dict[str, Any]]:
    """Returns a row for each of ``bins`` equal ranges of confidence (N,): how sure results are, and how many are right.

    A confidence on a border belongs to the range above it, 1 to the last. Raises ValueError for one outside [0, 1].
    """
    sure, is_right = np.asarray(confidence, np.float64), np.asarray(right, bool)
    if not ((sure >= 0) & (sure <= 1)).all():
        raise ValueError("A confidence is a probability, from 0 to 1.")
    borders = np.arange(bins + 1) / bins
    place = np.searchsorted(borders[1:-1], sure, side="right")
    return [
        {
            "from": round(float(borders[number]), 4),
            "to": round(float(borders[number + 1]), 4),
            "count": int((place == number).sum()),
            "confidence": mean(sure[place == number]),
            "right": mean(is_right[place == number]),
        }
        for number in range(bins)
    ]


def expected_calibration_error(rows: Sequence[dict[str, Any]]) -> float | None:
    """Returns the mean distance of confidence and share of right results over :func:`reliability`'s rows, by count."""
    filled = [row for row in rows if row["count"]]
    total = sum(row["count"] for row in filled)
    if not total:
        return None
    return sum(row["count"] * abs(row["confidence"] - row["right"]) for row in filled) / total


def mean(values: np.ndarray) -> float | None:
    """Returns the mean; None of nothing."""
    return float(values.mean()) if len(values) else None
