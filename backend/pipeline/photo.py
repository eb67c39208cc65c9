# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a picture file of whatever kind into one plain form, or says in one sentence why it cannot be used."""

from __future__ import annotations

import io
import math
import stat
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from ..common.bit_depth import eight_bit
from ..common.pictures import FORMATS, LARGEST_FILE
from ..errors import PhotoError
from .exif import field_of_view

LONGEST_SIDE = 4096
"""Larger pictures are reduced to this while they are read: no texture is larger, and memory stays bounded."""

MAX_PIXELS = 130_000_000
"""A picture that claims more pixels than this is refused: a few bytes can claim any number."""

FEWEST_PIXELS_A_SIDE = 16
"""Below this nobody can tell what a picture shows."""

# What Pillow's decoders raise on damaged data, depending on where the damage is.
_DECODER_ERRORS = (
    OSError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, EOFError, RuntimeError,
    struct.error, zlib.error,
)  # fmt: skip


@dataclass
class Photo:
    """A picture, upright and in sRGB."""

    rgb: np.ndarray
    """(H, W, 3) uint8 sRGB; under transparent pixels whatever the file holds."""
    alpha: np.ndarray | None
    """(H, W) uint8; None where the file has no transparency or is opaque all over."""
    name: str
    """The file's name without folder and ending."""
    scale: float = 1.0
    """Pixels of ``rgb`` a pixel of the file."""
    field_of_view: float | None = None
    """Vertical, in radians, as the file says; None where it says nothing of the lens."""


def load_photo(path: str | Path) -> Photo:
    """Reads a picture file.

    Turned by its EXIF orientation, converted from its colour profile to sRGB, first frame of an animation, reduced to
    ``LONGEST_SIDE``.

    Raises:
        PhotoError: The file is missing, damaged, no picture, or of an unusable size.
    """
    path = Path(path)
    try:
        image, scale, view = _decode(_read(path), path)
    except (UnidentifiedImageError, SyntaxError) as error:
        raise PhotoError(f"{path.name} is not a picture (readable are JPEG, PNG, WebP, TIFF, BMP and GIF).") from error
    except _DECODER_ERRORS as error:
        raise PhotoError(f"{path.name} is damaged or incomplete: copy or export the picture again.") from error
    except MemoryError as error:
        raise PhotoError(f"{path.name} does not fit into memory: reduce the picture and try again.") from error
    rgb, alpha = _channels(image)
    if alpha is not None and not (alpha > 127).any():
        raise PhotoError(f"{path.name} is transparent all over: there is nothing in it to make an object from.")
    if alpha is not None and (alpha >= 250).all():
        alpha = None
    return Photo(rgb=rgb, alpha=alpha, name=path.stem, scale=scale, field_of_view=view)


def load_mask(path: str | Path, width: int, height: int) -> np.ndarray:
    """Reads a mask file, its alpha where it has one and otherwise its brightness, resized to the photo: (H, W) uint8.

    Raises:
        PhotoError: The file cannot be read, has another shape than the photo, or selects nothing.
    """
    mask = load_photo(path)
    values = mask.alpha if mask.alpha is not None else np.asarray(Image.fromarray(mask.rgb).convert("L"))
    name = Path(path).name
    mask_ratio, photo_ratio = values.shape[1] / values.shape[0], width / height
    if abs(mask_ratio / photo_ratio - 1) > 0.05:
        raise PhotoError(f"The mask {name} has another shape than the photo: draw it over the photo itself.")
    if not (values > 127).any():
        raise PhotoError(f"The mask {name} is black all over: paint the object white.")
    if values.shape != (height, width):
        values = np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR))
    return values


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise PhotoError(f"{path.name} is a folder, not a picture.")
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # a pipe would have its reader wait
            raise PhotoError(f"{path.name} is no file that can be read: choose a picture.")
        if about.st_size > LARGEST_FILE:
            raise PhotoError(f"{path.name} is too large ({about.st_size:,} bytes): export it smaller.")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise PhotoError(f"{path.name} was not found: it may have been moved or renamed.") from error
    except OSError as error:
        raise PhotoError(f"{path.name} cannot be opened: {error.strerror or error}.") from error
    if not data:
        raise PhotoError(f"{path.name} is empty.")
    return data


def _decode(data: bytes, path: Path) -> tuple[Image.Image, float, float | None]:
    """Pixels of the first frame, upright, in sRGB and not longer than ``LONGEST_SIDE``, in one of Pillow's modes; how
    many there are a pixel of the file; and the vertical field of view."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's warnings are about harmless oddities in metadata
        image = _open(data, path)
        # A JPEG can be decoded at a half, a quarter or an eighth; others pass this over.
        size = image.size
        image.draft(None, (LONGEST_SIDE, LONGEST_SIDE))
        image.load()
        view = field_of_view(image, *size)
        ImageOps.exif_transpose(image, in_place=True)
        image = _to_srgb(_reduced(image))
    return image, max(image.size) / max(size), view


def _open(data: bytes, path: Path) -> Image.Image:
    Image.init()
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # Pillow's own check is stricter and has other words
    try:
        image = Image.open(io.BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN])
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    width, height = image.size
    size = f"({width} x {height} pixels)"
    if width * height > MAX_PIXELS:
        raise PhotoError(f"{path.name} is too large {size}: reduce it to {LONGEST_SIDE} pixels a side.")
    if min(width, height) < FEWEST_PIXELS_A_SIDE:
        raise PhotoError(f"{path.name} is too small {size}: it needs at least {FEWEST_PIXELS_A_SIDE} pixels a side.")
    return image


def _reduced(image: Image.Image) -> Image.Image:
    """The picture with its longer side at most ``LONGEST_SIDE``."""
    scale = max(image.size) / LONGEST_SIDE
    if scale <= 1:
        return image
    width, height = (max(1, round(side / scale)) for side in image.size)
    strips = []
    # Strip by strip, because averaging under an alpha channel takes two more copies of what it works on.
    for top in range(0, height, 256):
        bottom = min(top + 256, height)
        first, last = top * image.height / height, bottom * image.height / height
        strip = _averageable(image.crop((0, math.floor(first), image.width, math.ceil(last))))
        box = (0.0, first - math.floor(first), float(image.width), last - math.floor(first))
        strips.append(strip.resize((width, bottom - top), Image.Resampling.BOX, box=box))
    smaller = Image.new(strips[0].mode, (width, height))
    for number, strip in enumerate(strips):
        smaller.paste(strip, (0, number * 256))
    smaller.info = image.info
    return smaller


def _averageable(image: Image.Image) -> Image.Image:
    """Palette indices and single bits as colours."""
    if image.mode not in ("P", "PA", "1"):
        return image
    return image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")


def _to_srgb(image: Image.Image) -> Image.Image:
    """Colours of the embedded profile as sRGB; a profile that cannot be understood is passed over."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image
        colours = image if alpha is None else image.convert("RGB")
        converted = ImageCms.profileToProfile(colours, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image
    assert converted is not None  # None is what a conversion in place returns
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _channels(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """(H, W, 3) uint8 and (H, W) uint8 or None, of a picture in any of Pillow's modes."""
    if image.mode.startswith("I") or image.mode == "F":
        grey = eight_bit(np.asarray(image))
        return np.repeat(grey[..., None], 3, axis=2), None
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        pixels = np.asarray(image.convert("RGBA"))
        return np.ascontiguousarray(pixels[..., :3]), np.ascontiguousarray(pixels[..., 3])
    return np.array(image.convert("RGB")), None
