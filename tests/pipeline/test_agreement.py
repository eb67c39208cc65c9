# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of places on which the segmenter and a salient-object network do not agree."""

from __future__ import annotations

import numpy as np

from backend.pipeline.agreement import agreed

SIDE = 100


def box(top: int, left: int, bottom: int, right: int, value: float = 0.97) -> np.ndarray:
    """(SIDE, SIDE) float32: a value in a box, and 0.02 around it."""
    made = np.full((SIDE, SIDE), 0.02, np.float32)
    made[top:bottom, left:right] = value
    return made


def both(salient: np.ndarray, own: np.ndarray) -> np.ndarray:
    found = agreed(salient, own)
    assert found.shape == (SIDE, SIDE) and found.dtype == np.float32 and 0 <= found.min() <= found.max() <= 1
    return found > 0.5


def test_the_network_draws_the_outline_where_both_see_the_object() -> None:
    salient, own = box(30, 20, 70, 80), box(31, 19, 71, 79)
    assert (both(salient, own) == (salient > 0.5)).all()


def test_where_the_network_is_undecided_the_segmenter_decides() -> None:
    salient = np.maximum(box(30, 20, 70, 80), box(30, 80, 70, 86, 0.6))
    assert (both(salient, box(30, 20, 70, 80)) == (box(30, 20, 70, 80) > 0.5)).all()
    assert (both(salient, box(30, 20, 70, 86)) == (salient > 0.5)).all()


def test_something_else_that_touches_the_object_is_cut_off() -> None:
    own = box(30, 20, 70, 60)
    salient = np.maximum(own, box(40, 60, 70, 80))
    assert (both(salient, own) == (own > 0.5)).all()


def test_what_the_segmenter_is_unsure_of_stays() -> None:
    salient = np.maximum(box(30, 20, 70, 60), box(40, 60, 70, 80))
    own = np.maximum(box(30, 20, 70, 60), box(40, 60, 70, 80, 0.35))
    assert (both(salient, own) == (salient > 0.5)).all()


def test_a_rim_that_the_segmenter_does_not_see_stays() -> None:
    salient, own = box(30, 20, 70, 80), box(31, 21, 69, 79)
    assert (both(salient, own) == (salient > 0.5)).all()


def test_a_segmenter_that_took_in_a_wall_cuts_nothing_off_the_object() -> None:
    own = np.maximum(box(30, 20, 70, 45), box(5, 20, 30, 90))  # half of the object, and a wall behind it
    salient = box(30, 20, 70, 80)
    assert (both(salient, own) == (salient > 0.5)).all()


def test_a_part_that_the_network_loses_stays_where_the_segmenter_is_surer() -> None:
    own = box(30, 20, 70, 80)
    salient = np.maximum(box(30, 20, 70, 55), box(30, 55, 70, 80, 0.1))
    assert (both(salient, own) == (own > 0.5)).all()
    own[30:70, 55:80] = 0.8
    assert (both(salient, own) == (salient > 0.5)).all()


def test_a_network_that_looks_at_something_else_has_no_say() -> None:
    own, salient = box(30, 20, 70, 60), box(5, 70, 40, 95)
    assert (both(salient, own) == (own > 0.5)).all()
    assert (both(np.zeros_like(own), own) == (own > 0.5)).all()


def test_salient_pieces_beside_the_object_are_left_out() -> None:
    own = box(30, 20, 70, 60)
    salient = np.maximum(own, box(30, 70, 70, 95))
    assert (both(salient, own) == (own > 0.5)).all()
