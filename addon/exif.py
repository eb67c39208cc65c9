# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a picture's file says that it is to be turned: Blender shows pictures as they are stored, the backend upright.

Standard library and NumPy alone.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

AS_STORED = 1
"""The orientation of a picture that is upright already."""
_ORIENTATION_TAG, _SHORT = 274, 3
_MOST_ENTRIES = 1000
"""Entries of a directory beyond which it is damaged."""


def orientation(path: str | os.PathLike[str]) -> int:
    """Returns the orientation, from 1 to 8, of a JPEG, PNG, WebP or TIFF file; 1 where the file says nothing of it.

    Raises OSError where there is no such file.
    """
    with open(path, "rb") as file:
        try:
            return _orientation_at(file, _directory_of(file))
        except (struct.error, OverflowError):  # the file ends where more should be
            return AS_STORED


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Returns pixels (h, w, C), as the file stores them, turned and mirrored as an orientation says."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _directory_of(file: BinaryIO) -> int | None:
    """Returns where in a file its EXIF data begins, which have the form of a TIFF file; None where it has none."""
    start = file.read(12)
    if start[:2] == b"\xff\xd8":
        return next((place for kind, place in _jpeg_segments(file) if kind == b"Exif\0\0"), None)
    if start[:8] == b"\x89PNG\r\n\x1a\n":
        return next((place for kind, place in _chunks(file, 8, "big") if kind == b"eXIf"), None)
    if start[:4] == b"RIFF" and start[8:] == b"WEBP":
        place = next((place for kind, place in _chunks(file, 12, "little") if kind == b"EXIF"), None)
        if place is None:
            return None
        file.seek(place)
        return place + 6 if file.read(6) == b"Exif\0\0" else place  # some programs put JPEG's mark in front
    return 0 if start[:4] in (b"II*\0", b"MM\0*") else None


def _jpeg_segments(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yields of each segment for programs (APP1) its mark, and where what follows the mark begins."""
    place = 2
    while True:
        file.seek(place)
        mark, kind, length = struct.unpack(">BBH", file.read(4))
        if mark != 0xFF or kind == 0xDA:  # damage, or the pixels begin
            return
        if kind == 0xFF:  # a byte that only fills
            place += 1
            continue
        if kind == 0xE1:
            yield file.read(6), place + 10
        place += 2 + length


def _chunks(file: BinaryIO, place: int, order: str) -> Iterator[tuple[bytes, int]]:
    """Yields of each chunk of a PNG (big-endian) or RIFF (little-endian) file its name and where its content begins."""
    while True:
        file.seek(place)
        if order == "big":
            length, name = struct.unpack(">I4s", file.read(8))
            following = place + 12 + length
        else:
            name, length = struct.unpack("<4sI", file.read(8))
            following = place + 8 + length + length % 2
        yield name, place + 8
        place = following


def _orientation_at(file: BinaryIO, start: int | None) -> int:
    """Returns what the first directory says that begins at ``start``; 1 where that makes no sense."""
    if start is None:
        return AS_STORED
    file.seek(start)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(file.read(4))
    if order is None:
        return AS_STORED
    (offset,) = struct.unpack(f"{order}I", file.read(4))
    file.seek(start + offset)
    (count,) = struct.unpack(f"{order}H", file.read(2))
    for _ in range(min(count, _MOST_ENTRIES)):
        tag, kind, _number, value = struct.unpack(f"{order}HHIHxx", file.read(12))
        if tag == _ORIENTATION_TAG:
            return value if kind == _SHORT and 1 <= value <= 8 else AS_STORED
    return AS_STORED
