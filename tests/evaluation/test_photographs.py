# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records, figures, calibration and sides of photographs, against slow loops over plain numbers."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.common import pinhole
from backend.common.records import Alternative, Camera
from backend.data.labelled_files import Label
from backend.evaluation.photographs import calibration, figures, records, sheet, sides
from backend.evaluation.photographs.measure import chosen
from backend.evaluation.photographs.rasteriser import Rasterised
from backend.pipeline.course import FACING
from tests.helpers import toy

results = st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.booleans()), max_size=40)


def record(azimuth: float, label: float, **changes: object) -> records.Record:
    """A record of angles in degrees, its masks without meaning."""
    made = toy.reconstruction(camera=Camera(math.radians(azimuth), 0.1, 3.0))
    for name, value in changes.items():
        setattr(made, name, value)
    found = records.new_record("a.jpg", "a.jpg", math.radians(label))
    half = np.zeros((2, 4), bool)
    half[:, :2] = True
    records.judge(found, made, math.radians(label), half, np.ones((2, 4), bool))
    return json.loads(json.dumps(found))


def test_a_record_says_what_a_result_is_worth() -> None:
    others = [Alternative(math.radians(angle), 0.3, np.zeros((1, 1, 4), np.uint8)) for angle in (90, 185)]
    found = record(30, -170, confidence=0.75, alternatives=others, warnings=[FACING, "Small."], mask_source="alpha")
    assert found["azimuth_error_deg"] == pytest.approx(160, abs=0.01) and found["azimuth_label_deg"] == -170
    assert (found["flip"], found["off_60"], found["right"], found["front"]) == (True, True, False, False)
    assert (found["alternatives"], found["alternative_right"], found["warned"]) == (2, True, True)
    assert found["silhouette_iou_true"] == 0.5 and found["silhouette_iou_own_mask"] == 0.9
    assert found["confidence"] == 0.75 and found["mask_source"] == "alpha" and found["seconds"] == {"network": 0.1}


def test_numbers_that_are_none_become_null_and_a_confidence_is_a_probability() -> None:
    evidence = {"margin": math.inf, "loss": math.nan, "agreement": np.float32(0.25)}
    assert record(0, 0, evidence=evidence)["evidence"] == {"margin": None, "loss": None, "agreement": 0.25}
    for wrong in (1.5, math.nan):
        with pytest.raises(ValueError, match="is no probability"):
            record(0, 0, confidence=wrong)


@pytest.mark.parametrize(
    ("azimuth", "label", "flip", "off_60", "right", "front"),
    [
        (0, 0, False, False, True, True),
        (350, 10, False, False, True, True),
        (359, 300.5, False, False, False, True),
        (100, 59, False, False, True, True),
        (100, -61, True, True, False, False),
        (-91, 0, True, True, False, True),
        (725, 5, False, False, True, True),
    ],
)
def test_angles_are_compared_around_the_circle(
    azimuth: float, label: float, flip: bool, off_60: bool, right: bool, front: bool
) -> None:
    found = record(azimuth, label)
    assert (found["flip"], found["off_60"], found["right"], found["front"]) == (flip, off_60, right, front)
    assert found["warned"] is False and found["confidence"] is None and found["alternatives"] == 0


def test_a_line_of_the_terminal_names_what_matters() -> None:
    found = record(30, -170, warnings=[FACING], confidence=0.4) | {"own_mask_iou": 0.91}
    assert records.line(found) == (
        "a.jpg  IoU 0.500  cut-out 0.910  azimuth 30 for -170 deg  confidence 0.40  0.1 s  FLIP  warned"
    )
    assert records.line({"file": "b.jpg", "error": "It is damaged."}) == "b.jpg: It is damaged."


@given(results)
def test_shares_of_warnings_are_those_of_a_loop(rows: list[tuple[float, bool, bool]]) -> None:
    found = calibration.warnings_shares([right for _, right, _ in rows], [warned for _, _, warned in rows])
    for name, wanted in (("right", True), ("wrong", False)):
        of_kind = [warned for _, right, warned in rows if right == wanted]
        assert found[name] == len(of_kind)
        share = sum(of_kind) / len(of_kind) if of_kind else None
        assert found[f"{name}_warned"] == (None if share is None else pytest.approx(share))


@given(results)
def test_reliability_and_its_error_are_those_of_a_loop(rows: list[tuple[float, bool, bool]]) -> None:
    table = calibration.reliability([sure for sure, _, _ in rows], [right for _, right, _ in rows])
    assert sum(row["count"] for row in table) == len(rows) and len(table) == 5
    total = 0.0
    for number, row in enumerate(table):
        low, high = number / 5, (number + 1) / 5
        inside = [(sure, right) for sure, right, _ in rows if low <= sure < high or (number == 4 and sure == 1)]
        assert row["count"] == len(inside) and (row["from"], row["to"]) == (low, high)
        if inside:
            sure, right = sum(s for s, _ in inside) / len(inside), sum(r for _, r in inside) / len(inside)
            assert (row["confidence"], row["right"]) == (pytest.approx(sure), pytest.approx(right))
            total += len(inside) / len(rows) * abs(sure - right)
        else:
            assert row["confidence"] is None and row["right"] is None
    error = calibration.expected_calibration_error(table)
    assert error == (pytest.approx(total) if rows else None)


def test_a_confidence_is_a_probability() -> None:
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="from 0 to 1"):
            calibration.reliability([wrong], [True])


@given(
    st.lists(
        st.tuples(
            st.floats(-180, 180), st.floats(-180, 180), st.floats(0, 1), st.none() | st.floats(0, 1), st.booleans()
        ),
        max_size=12,
    )
)
def test_the_summary_is_that_of_a_loop(rows: list[tuple[float, float, float, float | None, bool]]) -> None:
    made = []
    for azimuth, label, overlap, own, failed in rows:
        if failed:
            made.append(records.new_record("x", "x", math.radians(label)) | {"error": "Damaged."})
        else:
            made.append(record(azimuth, label) | {"silhouette_iou_true": overlap, "own_mask_iou": own})
    found = figures.summary(made)
    good = [one for one in made if not one["error"]]
    assert (found["photographs"], found["failed"]) == (len(rows), len(rows) - len(good))
    assert found["fronts"] + found["others"] == len(good)
    for name, kept in (
        ("flips", good), ("flips_front", [one for one in good if abs(one["azimuth_label_deg"]) < 60]),
        ("flips_other", [one for one in good if abs(one["azimuth_label_deg"]) >= 60]),
    ):  # fmt: skip
        flips = [one["azimuth_error_deg"] > 90 for one in kept]
        assert found[name] == (pytest.approx(sum(flips) / len(flips)) if flips else None)
    for name in ("silhouette_iou_true", "own_mask_iou"):
        known = sorted(one[name] for one in good if one[name] is not None)
        if not known:
            assert found[f"{name}_mean"] is None and found[f"{name}_below_0.8"] is None
            continue
        assert found[f"{name}_mean"] == pytest.approx(sum(known) / len(known))
        middle = (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2
        assert found[f"{name}_median"] == pytest.approx(middle)
        assert found[f"{name}_below_0.8"] == pytest.approx(sum(value < 0.8 for value in known) / len(known))
    json.dumps(found)


def test_light_in_the_paint_is_the_mean_of_results_that_have_paint_to_judge() -> None:
    light = [{"paint_correlation": 0.2, "paint_slope": 0.1}, {"paint_correlation": 0.6, "paint_slope": 0.0}, {}]
    made = [record(0, 0) | {"light_in_paint": one} for one in light] + [record(0, 0)]
    found = figures.summary(made)
    assert found["paint_correlation_mean"] == pytest.approx(0.4) and found["paint_slope_mean"] == pytest.approx(0.05)
    assert figures.summary(made[2:])["paint_correlation_mean"] is None


def test_alternatives_and_confidences_in_the_summary() -> None:
    other = [Alternative(0.0, 0.3, np.zeros((1, 1, 4), np.uint8))]
    rows = [
        record(0, 0, confidence=0.9), record(180, 10, confidence=0.7, alternatives=other, warnings=[FACING]),
        record(180, 100, alternatives=other),
    ]  # fmt: skip
    found = figures.summary(rows)
    assert found["alternatives_offered"] == pytest.approx(2 / 3) and found["alternative_right_of_wrong"] == 0.5
    trusted = found["calibration"]
    assert (trusted["wrong"], trusted["wrong_warned"], trusted["right_warned"]) == (2, 0.5, 0.0)
    assert trusted["confidences"] == 2 and trusted["expected_calibration_error"] == pytest.approx((0.1 + 0.7) / 2)
    assert figures.summary(rows[2:])["calibration"]["reliability"] is None


def test_photographs_are_chosen_by_part_and_evenly() -> None:
    labels = [Label(f"{number}.jpg", 0.0, f"{number}") for number in range(100)]
    held_out = chosen(labels, "held-out", 0)
    assert held_out == [label for label in labels if label.is_held_out()] and 5 < len(held_out) < 40
    assert chosen(labels, "all", 0) == chosen(labels, "all", 500) == labels
    assert [label.name for label in chosen(labels, "all", 4)] == ["0.jpg", "33.jpg", "66.jpg", "99.jpg"]


def test_a_framed_object_fills_its_square_and_stays_inside() -> None:
    result = toy.reconstruction(camera=Camera(0.7, 0.3, 1.4, roll=0.1, shift_x=0.2))
    for turn in (0.0, 1.0, 4.0):
        camera = sides.framed(result, turn)
        points = pinhole.project(camera, result.vertices.astype(np.float64), 100, 100)
        assert points.min() > 0 and points.max() < 100 and np.ptp(points, axis=0).max() > 45
        assert camera.azimuth == pytest.approx(0.7 + turn) and camera.shift_x == 0


def test_random_sides_follow_from_the_name_and_the_seed() -> None:
    turns = [sides.random_turn(f"{number}.jpg", 0) for number in range(200)]
    assert turns[7] == sides.random_turn("7.jpg", 0) != sides.random_turn("7.jpg", 1)
    histogram = np.histogram(turns, 4, (0, 2 * math.pi))[0]
    assert histogram.min() > 25


def test_objects_stand_alike_on_grey_wherever_and_however_large_they_are_in_the_picture() -> None:
    def picture(top: int, left: int, scale: int) -> np.ndarray:
        rgb, alpha = np.zeros((120, 200, 3), np.float32), np.zeros((120, 200), np.float32)
        alpha[top : top + 10 * scale, left : left + 20 * scale] = 1
        rgb[top : top + 10 * scale, left : left + 20 * scale] = (1, 0, 0)
        rgb[alpha == 0] = (0, 1, 0)  # what is around the object has no say
        return sides.square_on_grey(rgb, alpha, 44)

    small, large = picture(0, 0, 2), picture(60, 80, 6)
    assert small.shape == (44, 44, 3) and (small[22, 22] == (255, 0, 0)).all() and (small[2, 2] == 128).all()
    assert (small[..., 1] <= 128).all(), "no green"
    assert np.abs(small.astype(int) - large).mean() < 6
    assert (np.flatnonzero((large[..., 0] > 200).any(axis=0))[[0, -1]] == (2, 41)).all()
    with pytest.raises(ValueError, match="cannot be seen"):
        sides.square_on_grey(np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.float32))


def test_a_row_outlines_the_masks_and_lays_the_result_over_the_photo() -> None:
    photo = np.full((sheet.TILE_HEIGHT, sheet.TILE_WIDTH, 3), 100, np.uint8)
    own, truth = np.zeros(photo.shape[:2], np.uint8), np.zeros(photo.shape[:2], np.uint8)
    own[20:60, 20:60], truth[30:80, 30:80] = 255, 255
    overlay = np.zeros((*photo.shape[:2], 4), np.float32)
    overlay[40:50, 40:50] = (0, 0, 1, 1)
    side = np.zeros((sheet.TILE_HEIGHT, sheet.TILE_WIDTH, 4), np.float32)
    row = sheet.row(record(30, 20), photo, [own, truth], overlay, [side] * 4)
    assert row.shape == (
        sheet.CAPTION + sheet.TILE_HEIGHT + sheet.GAP,
        6 * (sheet.TILE_WIDTH + sheet.GAP) + sheet.GAP,
        3,
    )
    tile = row[sheet.CAPTION :, sheet.GAP :]
    assert (tile[20, 40] == sheet.OWN_COLOUR).all() and (tile[79, 50] == sheet.TRUE_COLOUR).all()
    assert (tile[5, 5] == 100).all()
    laid = row[sheet.CAPTION :, 2 * sheet.GAP + sheet.TILE_WIDTH :]
    assert (laid[45, 45] == (0, 0, 255)).all() and (laid[60, 60] == 100).all()
    empty = sheet.empty_row({"file": "é.jpg", "error": "It is damaged."}, 8)
    assert sheet.sheet([row, empty]).shape == (2 * row.shape[0], empty.shape[1], 3)


def test_our_own_renderer_shows_results_as_they_project() -> None:
    result = toy.reconstruction(width=96, height=64)
    shown = Rasterised(result)
    seen = shown.through_own_camera(96, 64)
    assert seen.shape == (64, 96, 4) and seen.dtype == np.float32
    rows, columns = np.nonzero(seen[..., 3] > 0.5)
    points = pinhole.project(result.camera, result.vertices.astype(np.float64), 64, 96)
    for found, true in ((columns, points[:, 0]), (rows, points[:, 1])):
        assert (found.min() + 0.5, found.max() + 0.5) == pytest.approx((true.min(), true.max()), abs=1.5)
    # The left side of the box is green, the right one red; see the texture of the toy.
    for azimuth, colour in ((math.pi / 2, 1), (-math.pi / 2, 0)):
        side = shown.from_side(Camera(azimuth, 0.0, 3.0), 32, 32)
        assert side[16, 16, :3].argmax() == colour and side[16, 16, 3] == 1 and side[0, 0, 3] == 0


def test_measuring_loads_no_torch(root: Path) -> None:
    code = "import sys, backend.evaluation.photographs.measure; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
