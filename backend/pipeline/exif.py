# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a picture's file says of the lens: how wide the camera saw."""

from __future__ import annotations

import math
from typing import Any

from PIL import ExifTags, Image

_DIAGONAL_OF_FILM = 43.27
"""Millimetres: equivalent focal lengths are those that see the same angle over the diagonal."""
_FOCAL_LENGTHS = (7.0, 1500.0)
"""Equivalent focal lengths in mm that lenses have; others are slips."""
_SHAPES = (4 / 3, 3 / 2, 16 / 9, 1.9)
"""Longer side over shorter of pictures as cameras take them. Another shape was cut out of one, nobody knows where."""
_SLACK = 0.02
_TELLING_ZOOM = 1.1
"""Digital zoom beyond which an equivalent focal length is not believed: some cameras count it in, others do not."""
_MILLIMETRES = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
"""Of the units in which the resolution on the sensor is given."""
_UPRIGHT_BY_A_QUARTER = (5, 6, 7, 8)
"""Orientations that exchange width and height."""


def field_of_view(image: Image.Image, width: int, height: int) -> float | None:
    """The vertical field of view, in radians, of a picture turned upright.

    image: as it was opened, before it is turned; width, height: of the file, before anything reduced it. None where
    the file says nothing of the lens, or what cannot be true.
    """
    try:
        exif = image.getexif()
        tags = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    except Exception:  # what a damaged directory raises depends on where the damage is
        return None
    longer, shorter = max(width, height), min(width, height)
    if not any(abs(longer / shorter / shape - 1) < _SLACK for shape in _SHAPES):
        return None
    focal = _focal_length(tags, longer, shorter)
    if focal is None:
        return None
    upright = width if tags.get(ExifTags.Base.Orientation) in _UPRIGHT_BY_A_QUARTER else height
    return 2 * math.atan(0.5 * upright / focal)


def _focal_length(tags: dict[int, Any], longer: int, shorter: int) -> float | None:
    """In pixels of the file; None where it is not known."""
    # Wide pictures are strips of a sensor whose own shape is 3:2 at the widest.
    diagonal = math.hypot(longer, max(shorter, longer / 1.5))
    zoom = _number(tags, ExifTags.Base.DigitalZoomRatio) or 1.0
    equivalent = _number(tags, ExifTags.Base.FocalLengthIn35mmFilm)
    if equivalent is not None and zoom < _TELLING_ZOOM:
        return _plausible(equivalent / _DIAGONAL_OF_FILM * diagonal, diagonal)
    length = _number(tags, ExifTags.Base.FocalLength)
    resolution = _number(tags, ExifTags.Base.FocalPlaneXResolution)
    unit = _MILLIMETRES.get(tags.get(ExifTags.Base.FocalPlaneResolutionUnit, 2))
    if length is None or resolution is None or unit is None:
        return None
    # The resolution is that of the picture as it was taken, which may have been reduced since.
    taken = max(_number(tags, ExifTags.Base.ExifImageWidth) or 0, _number(tags, ExifTags.Base.ExifImageHeight) or 0)
    reduced = longer / taken if taken else 1.0
    return _plausible(length * resolution / unit * reduced * max(zoom, 1.0), diagonal)


def _plausible(focal: float, diagonal: float) -> float | None:
    low, high = (length / _DIAGONAL_OF_FILM * diagonal for length in _FOCAL_LENGTHS)
    return focal if low <= focal <= high else None


def _number(tags: dict[int, Any], tag: int) -> float | None:
    """A positive finite number of a tag; None where there is none, or something else."""
    try:
        value = float(tags[tag])
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return value if math.isfinite(value) and value > 0 else None
