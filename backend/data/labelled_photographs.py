# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs of single objects with masks and azimuth labels.

A folder holds ``labels.csv`` and pictures and masks, each in a folder or a zip::

    labels.csv               the columns file, azimuth_deg and, where wanted, ok and group; others are ignored
    photos/ or photos.zip    the pictures
    masks/ or masks.zip      a mask of each, NAME.png, white on the object in the upright picture, of any size

Azimuths are those of ``render/camera.py``. An ``ok`` other than 1 leaves a picture out. Pictures of one ``group`` (a
model, an author) stand on one side of a split; without the column each picture is a group of its own.

Letters: N pictures, S side of the crops.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..models.crop import Crop, crop_around, extract

CROP_SCALE = 1.15
"""Size of the crops in sizes of the product's own: training moves and turns what it cuts out of them."""
_UNREADABLE = (
    KeyError, OSError, SyntaxError, ValueError, zipfile.BadZipFile, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
"""Errors with which archives and Pillow's decoders refuse a picture."""


@dataclass(frozen=True)
class LabelledPhotographs:
    """Crops around the objects, with what is known of each."""

    rgb: np.ndarray
    """Colours (N, S, S, 3) uint8 of the picture itself, grey beyond its edges."""
    masks: np.ndarray
    """Masks (N, S, S) uint8."""
    azimuths: np.ndarray
    """Azimuths (N,) float32 in radians."""
    names: tuple[str, ...]
    """Names (N,) of the files."""
    groups: tuple[str, ...]
    """Names (N,) of the groups."""

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

    A mask's largest piece is taken; a picture whose mask is empty is left out.

    Raises:
        FileNotFoundError: The labels, or the folder or zip of pictures or masks, are missing.
        ValueError: A label, a picture or a mask is missing or damaged, or no picture is usable.
    """
    return _collected(folder, lambda rgb, mask: _cut(rgb, mask, size))


def load_whole_photographs(folder: Path, size: int) -> LabelledPhotographs:
    """Reads a folder's usable pictures whole, as squares of ``size`` pixels with grey bars; errors as above."""

    def whole(rgb: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = mask.shape
        return _cut(rgb, mask, size, Crop(width / 2, height / 2, float(max(height, width))))

    return _collected(folder, whole)


def read_photographs(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yields a folder's usable pictures in their own size: name, colours (H, W, 3) and mask (H, W), uint8.

    Errors as above, but that a folder without usable pictures yields none.
    """
    for label, rgb, mask in _pictures(folder):
        yield label.name, rgb, mask


@dataclass(frozen=True)
class _Label:
    name: str
    azimuth: float
    group: str


def _labels(file: Path) -> list[_Label]:
    """The usable rows of a table of labels."""
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing; write a line 'file,azimuth_deg,ok' for each photograph into it.")
    labels = []
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = csv.DictReader(lines)
            for row in rows:
                if row.get("ok", "1") != "1":
                    continue
                name, azimuth = row["file"], math.radians(float(row["azimuth_deg"]))
                if not name or not math.isfinite(azimuth):
                    raise ValueError("a file and an azimuth in degrees are needed")
                labels.append(_Label(name, azimuth, row.get("group") or name))
    except KeyError as error:
        raise ValueError(f"{file} has no column {error}; its first line names file and azimuth_deg.") from error
    except (ValueError, TypeError, csv.Error) as error:
        raise ValueError(f"Label {len(labels) + 1} of {file} cannot be read: {error}") from error
    return labels


def _collected(
    folder: Path, cut: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
) -> LabelledPhotographs:
    labels, crops, masks = [], [], []
    for label, rgb, mask in _pictures(folder):
        colour, alpha = cut(rgb, mask)
        crops.append(colour)
        masks.append(alpha)
        labels.append(label)
    if not crops:
        file = Path(folder) / "labels.csv"
        raise ValueError(f"{file} names no usable photograph; it needs one with ok 1 and a mask that is not empty.")
    azimuths = np.array([label.azimuth for label in labels], np.float32)
    names, groups = tuple(label.name for label in labels), tuple(label.group for label in labels)
    return LabelledPhotographs(np.stack(crops), np.stack(masks), azimuths, names, groups)


def _pictures(folder: Path) -> Iterator[tuple[_Label, np.ndarray, np.ndarray]]:
    """Usable pictures with the largest pieces of their masks, which are not empty."""
    table = _labels(Path(folder) / "labels.csv")
    with _reader(Path(folder) / "photos") as picture_of, _reader(Path(folder) / "masks") as mask_of:
        for label in table:
            rgb = np.asarray(picture_of(label.name).convert("RGB"))
            mask = np.asarray(mask_of(str(PurePosixPath(label.name).with_suffix(".png"))).convert("L"))
            if mask.shape != rgb.shape[:2]:
                mask = cv2.resize(mask, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            mask = largest_piece(mask)
            if (mask > 127).any():
                yield label, rgb, mask


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


@contextlib.contextmanager
def _reader(base: Path) -> Iterator[Callable[[str], Image.Image]]:
    """Yields what reads pictures of a folder, or of a zip beside which the folder would lie, by their names."""
    file = base.with_name(base.name + ".zip")
    if not file.is_file() and not base.is_dir():
        raise FileNotFoundError(f"Neither {base} nor {file.name} beside it is there; put the {base.name} there.")
    with contextlib.ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(file)) if file.is_file() else None
        except (OSError, zipfile.BadZipFile) as error:
            raise ValueError(f"{file} cannot be read: {error}") from error

        def read(name: str) -> Image.Image:
            try:
                data = archive.read(name) if archive is not None else (base / name).read_bytes()
                picture = Image.open(io.BytesIO(data))
                return ImageOps.exif_transpose(picture)
            except _UNREADABLE as error:
                which = f"{name} of {base if archive is None else file}"
                raise ValueError(f"{which} {_reason(error)}; set its ok to 0 to leave it out.") from error

        yield read


def _reason(error: Exception) -> str:
    """What is wrong with a file, as the end of a sentence; Pillow names buffers, which tell a user nothing."""
    if isinstance(error, KeyError | FileNotFoundError):
        return "is missing"
    return "is no picture" if isinstance(error, UnidentifiedImageError) else f"cannot be read ({error})"


def _share_of(group: str) -> float:
    """A number in [0, 1) that follows from a name."""
    return int.from_bytes(hashlib.sha256(group.encode("utf-8")).digest()[:4], "big") / 2**32
