# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each measure of paper A's Table 1b bears one name, also in cards that were written under other ones."""

from __future__ import annotations

import json

import pytest

from backend.common.bundle_files import CARD
from backend.common.measures import OTHER_VIEW, OWN_CAMERA, VIEW_CAMERA, with_current_names
from backend.weights.bundle import bundle_folders, read_card


def test_old_names_become_current_ones_and_others_stay() -> None:
    old = {"step": 7, "iou_own_camera": 0.9, "iou_known_camera": 0.8, "iou_unseen_side": 0.7}
    assert with_current_names(old) == {"step": 7, OWN_CAMERA: 0.9, VIEW_CAMERA: 0.8, OTHER_VIEW: 0.7}


@pytest.mark.parametrize("name", ["car", "car-gan"])
def test_cards_that_were_shipped_are_read_with_todays_names(name: str) -> None:
    folder = bundle_folders()[name]
    written = json.loads((folder / CARD).read_text(encoding="utf-8"))["metrics"]
    read = read_card(folder)["metrics"]
    assert read.keys() >= {OWN_CAMERA, VIEW_CAMERA}
    assert list(read.values()) == list(written.values())
