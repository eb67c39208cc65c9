# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one object of a dataset, which may come from a stranger: ``object.json``, pictures and ``mesh.npz``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..common import array_files
from ..common.json_files import read_object
from .pictures import UNREADABLE, open_picture

OBJECT = "object.json"


def read_record(folder: Path) -> dict[str, Any]:
    """What ``object.json`` says; its ``views`` each name a ``file`` that lies in the same folder.

    Raises ValueError with one sentence where it is damaged, OSError as it comes.
    """
    path = Path(folder) / OBJECT
    record = read_object(path)
    views = record.get("views")
    if not isinstance(views, list) or not all(isinstance(view, dict) and _is_name(view.get("file")) for view in views):
        raise ValueError(f"{path} is damaged: it has no list of views with a file each; make the object again.")
    return record


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value not in ("", ".", "..") and not set(value) & set("/\\:\0")


def read_picture(path: Path, mode: str | None = None) -> np.ndarray:
    """Pixels of a picture, in Pillow's ``mode`` where one is named. Raises ValueError with one sentence."""
    try:
        with open_picture(Path(path)) as opened:
            return np.asarray(opened if mode is None else opened.convert(mode))
    except UNREADABLE as error:
        raise ValueError(f"{path} is damaged or no picture ({error}): make the object again.") from error


def read_mesh(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) float32 and triangles (F, 3) int64 of ``mesh.npz``. Raises ValueError with one sentence."""
    path = Path(folder) / "mesh.npz"
    arrays = array_files.read(path, ("vertices", "faces"))
    vertices, faces = arrays["vertices"], arrays["faces"]
    try:
        array_files.check(vertices, "vertices", (None, 3))
        array_files.check(faces, "faces", (None, 3), below=len(vertices))
    except ValueError as error:
        raise array_files.ArrayFileError(path, str(error)) from error
    return vertices.astype(np.float32), faces.astype(np.int64)
