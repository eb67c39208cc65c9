# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files are taken for pictures where a folder is given or a file is chosen."""

from __future__ import annotations

import os
from pathlib import PurePath

ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".avif", ".jp2",
)  # fmt: skip
"""Endings in lower case of what Pillow reads."""


def is_picture(name: str | os.PathLike[str]) -> bool:
    """Whether a file's name ends as a picture's does, in upper or lower case."""
    return PurePath(name).suffix.lower() in ENDINGS
