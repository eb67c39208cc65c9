# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays with row 0 at the top to Blender's images and back, and to PNG files.

Blender keeps pixels as RGBA from the bottom row up.
"""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import bpy
import numpy as np

from .wire import files

_NO_FILE_NAME = re.compile(r'[\\/:*?"<>|]')


def to_blender(pixels: np.ndarray) -> np.ndarray:
    """Returns flat float32 RGBA for ``Image.pixels`` from (H, W, 1 | 3 | 4) or (H, W), uint8 or float."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    height, width, channels = pixels.shape
    result = np.ones((height, width, 4), np.float32)
    colours = pixels[::-1].astype(np.float32)
    if pixels.dtype == np.uint8:
        colours *= np.float32(1 / 255)
    result[..., :3] = colours[..., :3]
    if channels == 4:
        result[..., 3] = colours[..., 3]
    return result.reshape(-1)


def new_image(name: str, pixels: np.ndarray) -> bpy.types.Image:
    """Returns a packed image; float arrays become a float image in linear light, uint8 an sRGB image."""
    height, width = pixels.shape[:2]
    is_float = pixels.dtype != np.uint8
    has_alpha = pixels.ndim == 3 and pixels.shape[2] == 4
    image = bpy.data.images.new(name, width, height, alpha=has_alpha, float_buffer=is_float)
    write(image, pixels)
    image.pack()
    if not is_float:
        name_file(image)
    return image


def write(image: bpy.types.Image, pixels: np.ndarray) -> None:
    """Replaces an image's pixels by an array of the same size; the image is not packed again."""
    image.pixels.foreach_set(to_blender(pixels))
    image.update()


def read(image: bpy.types.Image) -> np.ndarray:
    """Returns an image's pixels (H, W, 4) as float32 with row 0 at the top, or raises ValueError if it has none."""
    width, height = image.size
    if width * height == 0:
        raise ValueError(f"The image {image.name} has no pixels; open its file again.")
    flat = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(flat)
    pixels = flat.reshape(height, width, image.channels)[::-1]
    if image.channels == 4:
        return pixels
    result = np.ones((height, width, 4), np.float32)
    result[..., :3] = pixels[..., :3]
    return result


def to_bytes(pixels: np.ndarray) -> np.ndarray:
    """Returns uint8 from floats between 0 and 1."""
    return (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)


def new_map(name: str, pixels: np.ndarray) -> bpy.types.Image:
    """Returns a packed image of (H, W, 3) uint8 for a material's node.

    Blender reads it when it is first looked at: several times faster than :func:`new_image`, which writes the pixels
    into memory, and has them compressed for the file.
    """
    data = png(pixels, level=1)
    image = bpy.data.images.new(name, 1, 1)
    image.source = "FILE"
    name_file(image)
    image.pack(data=data, data_len=len(data))
    return image


def name_file(image: bpy.types.Image) -> None:
    """Says which file an image would be, beside the .blend file: unpacking and exporters go by that name.

    Without one the exporter of FBX takes all images of a material for the same. The exporter of USD calls an image that
    was packed again by its name in Blender, so the file has that name too.
    """
    image.filepath_raw = path = f"//{_NO_FILE_NAME.sub('_', image.name)}.png"
    for packed in image.packed_files:
        packed.filepath = path


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Writes (H, W), (H, W, 3) or (H, W, 4) uint8 as a PNG file. Raises OSError."""
    files.write_bytes(path, png(pixels))


def png(pixels: np.ndarray, level: int = 4) -> bytes:
    """Returns the content of a PNG file of (H, W), (H, W, 3) or (H, W, 4) uint8; ``level`` of compression is 0 to 9."""
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    values = pixels.reshape(height, -1)
    rows = np.zeros((height, 1 + width * channels), np.uint8)
    rows[1:, 0] = 2  # each row starts with its filter, 2: what is above was subtracted
    rows[:1, 1:] = values[:1]
    np.subtract(values[1:], values[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), level)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n"
    for kind, content in chunks:
        data += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return data


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns (height, width, C) float32: interpolated where it grows, averaged where it shrinks."""
    return _resized_rows(_resized_rows(pixels, height).swapaxes(0, 1), width).swapaxes(0, 1)


def _resized_rows(pixels: np.ndarray, count: int) -> np.ndarray:
    source = pixels.shape[0]
    pixels = pixels.astype(np.float32)
    if count < source:
        edges = np.linspace(0, source, count + 1)
        summed = np.concatenate([np.zeros_like(pixels[:1]), np.cumsum(pixels, axis=0, dtype=np.float64)])
        lower = np.minimum(edges.astype(int), source - 1)
        part = (edges - lower)[:, None, None]
        at_edges = summed[lower] * (1 - part) + summed[lower + 1] * part
        return (np.diff(at_edges, axis=0) * (count / source)).astype(np.float32)
    position = np.clip((np.arange(count) + 0.5) * source / count - 0.5, 0, source - 1)
    lower = np.minimum(position.astype(int), max(source - 2, 0))
    part = (position - lower).astype(np.float32)[:, None, None]
    upper = np.minimum(lower + 1, source - 1)
    return pixels[lower] * (1 - part) + pixels[upper] * part
