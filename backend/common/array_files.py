# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one reader of .npz that others may have written: nothing is unpickled, sizes are bounded, errors one sentence.

A damaged archive meets a dozen kinds of errors in Python's and NumPy's readers, and a small one may claim arrays of
terabytes. NumPy alone.
"""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

MOST_BYTES = 4 * 2**30
"""Of all arrays together, unpacked."""
_MOST_MEMBERS = 10_000


class ArrayFileError(ValueError):
    """An .npz that cannot be used; the message is one sentence for the user, with the file's name and a remedy."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is damaged or of another kind: {reason}; copy or make it again.")
        self.reason = reason


def read(
    path: str | os.PathLike[str], needed: Iterable[str] = (), most_bytes: int = MOST_BYTES
) -> dict[str, np.ndarray]:
    """All arrays of an .npz by name.

    Raises ArrayFileError where it is damaged, too large or lacks a ``needed`` one, and FileNotFoundError,
    IsADirectoryError or PermissionError as they come.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode) and not path.is_dir():
            raise ValueError("it is no file")
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > _MOST_MEMBERS or sum(member.file_size for member in members) > most_bytes:
                raise ValueError(f"it unfolds to more than {most_bytes:,} bytes")
        with np.load(path, allow_pickle=False) as data:
            # What a member claims in its own header is no more than the archive says of it, or reading it fails.
            arrays = {name: _array(data, name) for name in data.files}
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:  # zipfile, zlib, ast and NumPy raise nearly every kind for damaged bytes
        raise ArrayFileError(path, _reason(error)) from error
    lacking = [name for name in needed if name not in arrays]
    if lacking:
        raise ArrayFileError(path, f"it has no {', '.join(lacking)}")
    return arrays


def _array(data: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    array = data[name]
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name} is no array")
    return array


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:160].rstrip(".") or "it cannot be read"


def check(
    array: np.ndarray, name: str, shape: tuple[int | None, ...], *, below: int | None = None, finite: bool = True
) -> None:
    """Raises ValueError where an array is not as it should be; the message is the end of a sentence.

    shape: None fits any length. below: the array holds indices, whole numbers from 0 to ``below`` - 1; else numbers.
    """
    fits = len(shape) == array.ndim and all(one in (None, found) for one, found in zip(shape, array.shape, strict=True))
    if not fits:
        wanted = " x ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(f"{name} has the shape {array.shape} instead of {wanted}")
    if array.dtype.kind not in ("iu" if below is not None else "iuf"):
        raise ValueError(f"{name} holds {array.dtype} where numbers belong")
    if below is not None and array.size and not (int(array.min()) >= 0 and int(array.max()) < below):
        raise ValueError(f"{name} points beyond the {below} there are")
    if finite and not np.isfinite(array).all():
        raise ValueError(f"{name} holds numbers that are not finite")
