# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the uncompressed OpenEXR files that Blender writes: the quickest way to float passes in a script."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

_TYPES: dict[int, np.dtype] = {0: np.dtype("<u4"), 1: np.dtype("<f2"), 2: np.dtype("<f4")}


def read_exr(path: Path) -> dict[str, np.ndarray]:
    """Return channel name -> (H, W) float32 of a single-part, scan-line, uncompressed file; ValueError otherwise."""
    data = path.read_bytes()
    magic, version = struct.unpack_from("<II", data)
    if magic != 20000630 or version & 0x1A00:
        raise ValueError(f"{path} is not a plain scan-line OpenEXR file.")
    attributes, position = _header(data, 8)
    if attributes["compression"][0] != 0:
        raise ValueError(f"{path} is compressed; save it with codec NONE.")
    x0, y0, x1, y1 = struct.unpack("<4i", attributes["dataWindow"])
    width, height = x1 - x0 + 1, y1 - y0 + 1
    channels = _channels(attributes["channels"])
    row_type = np.dtype([("y", "<i4"), ("size", "<i4")] + [(name, kind, (width,)) for name, kind in channels])
    rows = np.frombuffer(data, row_type, count=height, offset=position + 8 * height)
    return {name: rows[name].astype(np.float32) for name, _ in channels}


def _header(data: bytes, position: int) -> tuple[dict[str, bytes], int]:
    """Return attribute name -> value, and the offset behind the header."""
    attributes = {}
    while data[position]:
        name, position = _text(data, position)
        _, position = _text(data, position)
        size = struct.unpack_from("<i", data, position)[0]
        attributes[name] = data[position + 4 : position + 4 + size]
        position += 4 + size
    return attributes, position + 1


def _channels(value: bytes) -> list[tuple[str, np.dtype]]:
    """Return the names and number types of the channels, in file order."""
    channels: list[tuple[str, np.dtype]] = []
    position = 0
    while value[position]:
        name, position = _text(value, position)
        channels.append((name, _TYPES[struct.unpack_from("<i", value, position)[0]]))
        position += 16
    return channels


def _text(data: bytes, position: int) -> tuple[str, int]:
    end = data.index(b"\0", position)
    return data[position:end].decode(), end + 1
