# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that people look at, written as PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..common.files import replacing


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Writes (H, W), (H, W, 3) or (H, W, 4) uint8 as PNG in place of what was there. Raises OSError."""
    with replacing(path) as partial:
        Image.fromarray(np.ascontiguousarray(picture)).save(partial, format="PNG")
