# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that touch come apart, single ones stay whole, and a point says which is meant."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from backend.pipeline.instances import InstanceConfig, apart, at_point, most_alike, most_central
from tests.helpers.car_outlines import in_a_row

SIDE = 160


def blurred(*masks: np.ndarray) -> np.ndarray:
    """The probability of a segmenter that sees the masks, with soft edges."""
    whole = np.any(masks, axis=0).astype(np.float32)
    return cv2.GaussianBlur(whole, (0, 0), 0.8)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def middle(mask: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


@pytest.mark.parametrize("azimuths", [(90, 90), (90, -90), (0, 0), (40, -40), (180, 130), (0, 90)])
def test_each_of_two_cars_that_touch_is_found_at_its_middle(azimuths: tuple[float, float]) -> None:
    cars = in_a_row(*azimuths, height=SIDE, width=SIDE, size=80)
    probability = blurred(*cars)
    assert cv2.connectedComponents((probability > 0.5).astype(np.uint8))[0] == 2  # one piece, and what is around
    for car in cars:
        found = at_point(probability, *middle(car), 0)
        assert found is not None and iou(found, car) > 0.85


def test_a_car_between_two_others_is_found_alone() -> None:
    cars = in_a_row(30, 0, -30, height=SIDE, width=SIDE, size=60)
    found = at_point(blurred(*cars), *middle(cars[1]), 0)
    assert found is not None and iou(found, cars[1]) > 0.85


@pytest.mark.parametrize("azimuth", range(0, 360, 30))
def test_a_single_car_stays_whole_from_every_side(azimuth: int) -> None:
    (car,) = in_a_row(azimuth, height=SIDE, width=SIDE, size=110)
    probability = blurred(car)
    whole = most_central(probability)  # without mirrors that hang on nothing
    assert whole is not None and apart(probability, whole).max() == 1


def test_windows_do_not_cut_a_car() -> None:
    probability = np.zeros((SIDE, SIDE), np.float32)
    probability[50:110, 20:140] = 0.98
    probability[54:106, 76:84] = 0.2
    piece = probability > 0.5
    parts = apart(probability, piece)
    assert parts.max() == 1 and ((parts > 0) == piece).all()


def test_a_row_that_is_too_long_for_one_object_is_cut_at_a_wider_neck() -> None:
    probability = np.zeros((SIDE, SIDE), np.float32)
    probability[70:90, 5:155] = 1
    probability[70:74, 76:84] = 0  # a neck of 16 where both sides have 20
    whole = probability > 0.5
    assert apart(probability, whole).max() == 2
    assert apart(probability, whole, InstanceConfig(longest=99)).max() == 1


def test_where_the_segmenter_is_unsure_between_two_objects_they_come_apart() -> None:
    probability = np.full((SIDE, SIDE), 0.0, np.float32)
    probability[50:110, 20:140] = 0.98
    probability[50:110, 78:82] = 0.6
    piece = probability > 0.5
    assert apart(probability, piece).max() == 2
    assert apart(probability, piece, InstanceConfig(levels=(0.5,))).max() == 1


def test_a_point_beside_an_object_means_it_only_within_reach() -> None:
    probability = np.zeros((SIDE, SIDE), np.float32)
    probability[40:80, 40:80] = 1
    assert at_point(probability, 84.5, 60.5, 0.0) is None
    assert at_point(probability, 84.5, 60.5, 0.02) is None
    found = at_point(probability, 84.5, 60.5, 0.04)
    assert found is not None and (found == (probability > 0.5)).all()
    assert at_point(np.zeros((SIDE, SIDE), np.float32), 10, 10, 1.0) is None


def test_the_largest_central_piece_and_the_one_of_before() -> None:
    probability = np.zeros((SIDE, SIDE), np.float32)
    probability[60:100, 60:100] = 1
    probability[5:50, 5:50] = 1
    central = most_central(probability)
    assert central is not None and central[80, 80] and not central[20, 20]
    before = np.zeros((SIDE, SIDE), bool)
    before[30:65, 30:65] = True
    alike = most_alike(probability, before)
    assert alike is not None and alike[20, 20] and not alike[80, 80]
    assert most_alike(probability, np.zeros((SIDE, SIDE), bool)) is None
    assert most_central(np.zeros((SIDE, SIDE), np.float32)) is None
