# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs of single objects with masks and azimuth labels.

A folder holds ``labels.csv`` and pictures and masks, each in a folder or a zip::

    labels.csv    file,azimuth_deg,elevation_class,style,ok[,group]
    photos/ or photos.zip    the pictures
    masks/ or masks.zip      of each a mask, NAME.png, white on the object

Azimuths are those of ``render/camera.py``. ``ok`` 0 leaves a picture out. ``group``: pictures of one group (a model, an
author) stand on one side of a split; without the column each picture is a group of its own.

Letters: N pictures, S side of the crops.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from ..models.crop import Crop, crop_around, extract

CROP_SCALE = 1.15
"""Crops are larger than those of the product by this, so that training can move and turn what it cuts out of them."""


@dataclass(frozen=True)
class LabelledPhotographs:
    """Crops around the objects, with what is known of each."""

    rgb: np.ndarray
    """(N, S, S, 3) uint8: the picture itself, grey beyond its edges."""
    masks: np.ndarray
    """(N, S, S) uint8."""
    azimuths: np.ndarray
    """(N,) float32, radians."""
    names: tuple[str, ...]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def part(self, chosen: np.ndarray) -> LabelledPhotographs:
        """Returns the pictures of an index or a bool array (N,)."""
        where = np.arange(len(self))[chosen]
        names, groups = (tuple(texts[i] for i in where) for texts in (self.names, self.groups))
        return LabelledPhotographs(self.rgb[where], self.masks[where], self.azimuths[where], names, groups)

    def split(self, held_out: float) -> tuple[LabelledPhotographs, LabelledPhotographs]:
        """Returns the pictures to train with, and those of about ``held_out`` of the groups.

        Which groups are held out follows from their names alone, so that a larger set keeps the split.
        """
        if not held_out:
            return self, self.part(np.zeros(len(self), bool))
        kept = np.array([_share_of(group) >= held_out for group in self.groups], bool)
        return self.part(kept), self.part(~kept)


def load_labelled_photographs(folder: Path, size: int) -> LabelledPhotographs:
    """Reads a folder's usable pictures as crops of ``size`` pixels.

    A mask's largest piece is taken. Raises FileNotFoundError where labels, pictures or masks are missing, ValueError
    with one sentence for what cannot be read.
    """
    return _collected(folder, lambda rgb, mask: _cut(rgb, mask, size))


def load_whole_photographs(folder: Path, size: int) -> LabelledPhotographs:
    """Reads a folder's usable pictures whole, as squares of ``size`` pixels with grey bars; errors as above."""

    def whole(rgb: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = mask.shape
        return _cut(rgb, mask, size, Crop(width / 2, height / 2, float(max(height, width))))

    return _collected(folder, whole)


def _collected(
    folder: Path, cut: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
) -> LabelledPhotographs:
    labels = Path(folder) / "labels.csv"
    if not labels.is_file():
        raise FileNotFoundError(f"{labels} is missing: a line 'file,azimuth_deg,ok' for each photograph.")
    with labels.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("ok", "1") == "1"]
    picture_of, mask_of = (_reader(Path(folder) / kind) for kind in ("photos", "masks"))
    crops, masks, azimuths, names, groups = [], [], [], [], []
    for row in rows:
        name = row["file"]
        rgb = np.asarray(picture_of(name).convert("RGB"))
        mask = np.asarray(mask_of(str(PurePosixPath(name).with_suffix(".png"))).convert("L"))
        if mask.shape != rgb.shape[:2]:
            mask = cv2.resize(mask, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        mask = largest_piece(mask)
        if not (mask > 127).any():
            continue
        colour, alpha = cut(rgb, mask)
        crops.append(colour)
        masks.append(alpha)
        azimuths.append(math.radians(float(row["azimuth_deg"])))
        names.append(name)
        groups.append(row.get("group") or name)
    if not crops:
        raise ValueError(f"{labels} names no usable photograph.")
    return LabelledPhotographs(
        np.stack(crops), np.stack(masks), np.array(azimuths, np.float32), tuple(names), tuple(groups)
    )


def largest_piece(mask: np.ndarray) -> np.ndarray:
    """Returns the largest connected piece of a mask (H, W) uint8."""
    count, labels, statistics, _ = cv2.connectedComponentsWithStats((mask > 127).astype(np.uint8))
    if count < 2:
        return mask
    return np.where(labels == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax(), mask, 0).astype(np.uint8)


def _cut(rgb: np.ndarray, mask: np.ndarray, size: int, crop: Crop | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Colour (S, S, 3) and mask (S, S) uint8 of a crop; None: a little more than the product's own."""
    if crop is None:
        crop = crop_around(mask)
        crop = Crop(crop.center_x, crop.center_y, CROP_SCALE * crop.side)
    whole = extract(rgb, np.full_like(mask, 255), crop, size)
    colour = whole[..., :3] + 0.5 * (1 - whole[..., 3:])
    alpha = extract(rgb, mask, crop, size)[..., 3]
    return tuple((values.clip(0, 1) * 255).round().astype(np.uint8) for values in (colour, alpha))  # type: ignore[return-value]


def _reader(base: Path) -> Callable[[str], Image.Image]:
    """Reads pictures of a folder, or of a zip beside which the folder would lie, by their names."""
    archive = zipfile.ZipFile(base.with_suffix(".zip")) if base.with_suffix(".zip").is_file() else None
    if archive is None and not base.is_dir():
        raise FileNotFoundError(f"Neither {base} nor {base}.zip is there.")

    def read(name: str) -> Image.Image:
        try:
            data = archive.read(name) if archive is not None else (base / name).read_bytes()
            picture = Image.open(io.BytesIO(data))
            picture.load()
            return picture
        except (KeyError, OSError, UnidentifiedImageError) as error:
            raise ValueError(f"{name} of {base} cannot be read: {error}") from error

    return read


def _share_of(group: str) -> float:
    """A number in [0, 1) that follows from a name."""
    return int.from_bytes(hashlib.sha256(group.encode("utf-8")).digest()[:4], "big") / 2**32
