# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that people look at, written as PNG files; and pictures of others in eight bits."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from ..common.bit_depth import eight_bit
from ..common.files import replacing
from ..common.pictures import FORMATS

UNREADABLE = (
    OSError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, EOFError, SyntaxError, MemoryError,
    RuntimeError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow's decoders raise on damaged data, depending on where the damage is."""


def open_picture(source: Path | bytes) -> Image.Image:
    """Opens a picture of one of the formats that photographs come in, by its content alone: others start programs.

    Raises one of :data:`UNREADABLE`, here or when its pixels are read.
    """
    Image.init()
    if not source:
        raise ValueError("it is empty or cannot be read")
    if isinstance(source, Path) and not source.is_file():  # a pipe would have its reader wait
        raise ValueError("it is no file")
    names = [name for name in FORMATS if name in Image.OPEN]
    return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=names)


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Writes (H, W), (H, W, 3) or (H, W, 4) uint8 as PNG in place of what was there. Raises OSError."""
    with replacing(path) as partial:
        Image.fromarray(np.ascontiguousarray(picture)).save(partial, format="PNG")


def in_eight_bits(image: Image.Image) -> Image.Image:
    """Returns an opened picture in a mode of Pillow's that converts rightly: grey ones of 16 bits or more and of floats
    would become white or black."""
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(eight_bit(np.asarray(image)))
    return image
