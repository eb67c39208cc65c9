# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How sure a direction of view is: a probability from what speaks for and against it, calibrated on photographs.

A logistic regression of a few numbers. It belongs to a network, and stands on the card of its bundle, under
``parts_network.confidence``; ``scripts/calibrate.py`` finds it. NumPy alone.

Letters: N photographs, E numbers of evidence.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

NO_RIVAL = 0.3
"""Margin of a hypothesis that has no rival, and the largest that counts."""


@dataclass(frozen=True)
class Evidence:
    """What speaks for and against the chosen direction of view of one photograph."""

    probability: float
    """Of the chosen direction, by the network's head."""
    margin: float
    """How much worse the best hypothesis more than 45 degrees away explains the photograph; at most ``NO_RIVAL``."""
    disagreement: float
    """Radians between the chosen camera and the one that follows from the coordinates, 0 to pi."""
    region_agreement: float
    """Of the object's regions with those that the network read, 0 to 1."""
    mask_agreement: float
    """Intersection over union of the given mask and of that which the network drew itself."""
    silhouette_iou: float
    """Intersection over union of the object and the mask."""

    def numbers(self) -> np.ndarray:
        """(E,) float64: as they are weighed, probabilities as logits."""
        values = np.array([getattr(self, field.name) for field in fields(self)], np.float64)
        chance = float(np.clip(values[0], 0.01, 0.995))
        values[0] = math.log(chance / (1 - chance))
        values[1] = np.clip(values[1], -NO_RIVAL, NO_RIVAL)
        return values

    def as_dict(self) -> dict[str, float]:
        """The numbers by their names."""
        return {name: float(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Confidence:
    """A calibrated logistic regression."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    """Mean and standard deviation (E,) of the numbers, by which they are made comparable."""
    weights: tuple[float, ...]
    """(E,)."""
    bias: float
    threshold: float
    """Probability below which the user is told of the doubt."""

    def of(self, evidence: Evidence) -> float:
        """The probability that the direction is right."""
        return float(self.of_numbers(evidence.numbers()[None])[0])

    def of_numbers(self, numbers: np.ndarray) -> np.ndarray:
        """Probabilities (N,) of rows (N, E) of :meth:`Evidence.numbers`."""
        return _sigmoid((numbers - self.mean) / self.scale @ np.array(self.weights) + self.bias)

    def to_card(self) -> dict[str, Any]:
        """As it stands on a bundle's card."""
        rounded = {
            name: [round(one, 5) for one in value] if isinstance(value, tuple) else round(value, 5)
            for name, value in asdict(self).items()
        }
        return {"evidence": [field.name for field in fields(Evidence)], **rounded}

    @staticmethod
    def of_card(entry: Any) -> Confidence:
        """Inverse of :meth:`to_card`. Raises ValueError with one sentence where the entry is none."""
        names = [field.name for field in fields(Evidence)]
        try:
            if entry["evidence"] != names:
                raise ValueError(f"it weighs {entry['evidence']}, and this version {names}")
            lists = [tuple(float(one) for one in entry[name]) for name in ("mean", "scale", "weights")]
            numbers = [float(entry[name]) for name in ("bias", "threshold")]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the card's confidence cannot be understood: {error}") from error
        every = np.array([*(one for values in lists for one in values), *numbers])
        if any(len(values) != len(names) for values in lists) or not np.isfinite(every).all() or min(lists[1]) <= 0:
            raise ValueError("the card's confidence cannot be understood: its numbers do not fit")
        return Confidence(lists[0], lists[1], lists[2], *numbers)


def fit_confidence(numbers: np.ndarray, right: np.ndarray, penalty: float = 1.0) -> Confidence:
    """The regression of rows (N, E) of numbers to whether each direction was right, (N,) bool.

    penalty: weight of the squared weights beside the negative logarithmic likelihood. The threshold is where the share
    of wrong ones that are told exceeds that of right ones the most. Raises ValueError where all are right, or none is.
    """
    right = np.asarray(right, bool)
    if right.all() or not right.any():
        raise ValueError("A confidence needs photographs read rightly and others read wrongly: give more of them.")
    mean, scale = numbers.mean(axis=0), numbers.std(axis=0)
    # A number that is always the same says nothing, and should not shout where it is another one day.
    scale = np.where(scale > 1e-3, scale, 1.0)
    rows = np.concatenate([(numbers - mean) / scale, np.ones((len(numbers), 1))], axis=1)
    damping = np.diag([*[penalty] * numbers.shape[1], 1e-6])
    weights = np.zeros(rows.shape[1])
    for _ in range(100):
        chance = _sigmoid(rows @ weights)
        slope = rows.T @ (chance - right) + damping @ weights
        curvature = (rows * (chance * (1 - chance))[:, None]).T @ rows + damping
        step = np.linalg.solve(curvature, slope)
        # A whole step of Newton's may overshoot where few are wrong.
        weights -= step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    chance = _sigmoid(rows @ weights)
    return Confidence(
        tuple(mean.tolist()), tuple(scale.tolist()), tuple(weights[:-1].tolist()), float(weights[-1]),
        best_threshold(chance, right),
    )  # fmt: skip


def best_threshold(chance: np.ndarray, right: np.ndarray) -> float:
    """The probability below which the most of the wrong ones and the fewest of the right ones are, in their shares."""
    ordered = np.unique(chance)
    between = (ordered[1:] + ordered[:-1]) / 2 if len(ordered) > 1 else ordered
    of_wrong, of_right = (
        np.searchsorted(np.sort(some), between) / len(some) for some in (chance[~right], chance[right])
    )
    return float(between[int(np.argmax(of_wrong - of_right))])


def ranking(chance: np.ndarray, right: np.ndarray) -> float:
    """How often one that is right has a higher probability than one that is wrong: the area under the curve."""
    wrong = np.sort(chance[~right])
    below, not_above = (np.searchsorted(wrong, chance[right], side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(wrong)))


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -60, 60)))
