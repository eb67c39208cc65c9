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

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF", "JPEG2000")
"""Pillow's names of the formats that are read, whatever a file's name ends in. Left out are those that start other
programs (EPS) or are told by nothing (TGA)."""
LARGEST_FILE = 2**30
"""Bytes of a file that is taken for a picture; a larger one is something else."""


def is_picture(name: str | os.PathLike[str]) -> bool:
    """Whether a file's name ends as a picture's does, in upper or lower case."""
    return PurePath(name).suffix.lower() in ENDINGS
