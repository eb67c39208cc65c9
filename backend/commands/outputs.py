# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports and pictures that commands write: into folders that are made for them, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common import files

if TYPE_CHECKING:
    import numpy as np


def write_report(path: Path, content: Any) -> None:
    """Writes JSON. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(path, content)


def write_text(path: Path, text: str) -> None:
    """Writes a text in UTF-8. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(path, text)


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Writes (H, W, 3) uint8 as PNG. Raises OSError."""
    from ..data import pictures

    path.parent.mkdir(parents=True, exist_ok=True)
    pictures.write_picture(path, picture)
