# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The content of a square: the picture in its middle, without the black bars that fill the rest."""

from __future__ import annotations

Content = tuple[int, int, int, int]
"""Top, left, height and width of the picture within the square, in pixels."""


def of_aspect(resolution: int, aspect: float) -> Content:
    """Returns the largest picture of an aspect (width over height) in the middle of a square of ``resolution`` px."""
    width = resolution if aspect >= 1 else round(resolution * aspect)
    height = resolution if aspect <= 1 else round(resolution / aspect)
    return (resolution - height) // 2, (resolution - width) // 2, height, width
