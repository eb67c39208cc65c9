# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of the measures of paper A's Table 1b, the same in logs, cards, reports and comparisons.

All three are the intersection over union of two silhouettes: that of the shape which the network says of one picture,
and the mask of a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

OWN_CAMERA = "iou_own_camera"
"""In the picture that the network sees, through the camera that it predicts."""
VIEW_CAMERA = "iou_view_camera"
"""In the same picture, through the view's camera: the true one, or the one that training found."""
OTHER_VIEW = "iou_other_view"
"""In pictures of the object from other sides, each through its view's camera."""

_OLD_NAMES = {"iou_known_camera": VIEW_CAMERA, "iou_unseen_side": OTHER_VIEW}
"""Names in cards and logs that were written before each measure had one."""

Figure = TypeVar("Figure")


def with_current_names(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Figures in which a measure that bears an old name has its current one."""
    return {_OLD_NAMES.get(name, name): figure for name, figure in figures.items()}
