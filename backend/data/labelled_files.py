# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of labelled photographs, read one by one: labels, pictures and masks. Loads no torch.

A folder holds ``labels.csv`` and pictures and masks, each in a folder or a zip::

    labels.csv               the columns file, azimuth_deg and, where wanted, ok and group; others are ignored
    photos/ or photos.zip    the pictures
    masks/ or masks.zip      a mask of each, NAME.png, white on the object in the upright picture, of any size

Azimuths are those of ``render/camera.py``. An ``ok`` other than 1 leaves a picture out. Pictures of one ``group`` (a
model, an author) stand on one side of a split; without the column each picture is a group of its own.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import math
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .pictures import UNREADABLE, in_eight_bits, open_picture

LABELS = "labels.csv"
HELD_OUT = 0.2
"""Share of the groups that trainings keep for validation."""
_UNREADABLE = (*UNREADABLE, zipfile.BadZipFile)
"""Errors with which archives and Pillow's decoders refuse a picture."""

Reader = Callable[["Label"], tuple[np.ndarray, np.ndarray]]
"""From a label to the colours (H, W, 3) and the largest piece of the mask (H, W), uint8, in the picture's own size. The
mask may be empty. Raises ValueError in one sentence where the picture or the mask are missing or damaged."""


@dataclass(frozen=True)
class Label:
    """What the table says of a usable picture."""

    name: str
    """Name of the file."""
    azimuth: float
    """Radians."""
    group: str

    def is_held_out(self, share: float = HELD_OUT) -> bool:
        """Returns whether the picture is in the part that is held out of about ``share`` of the groups.

        It follows from the group's name alone, so that a larger set keeps the split.
        """
        return share_of(self.group) < share


def read_labels(folder: Path) -> list[Label]:
    """Returns the usable rows of a folder's table.

    Raises:
        FileNotFoundError: There is no table.
        ValueError: A row cannot be understood.
    """
    file = Path(folder) / LABELS
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
                labels.append(Label(name, azimuth, row.get("group") or name))
    except KeyError as error:
        raise ValueError(f"{file} has no column {error}; its first line names file and azimuth_deg.") from error
    except (ValueError, TypeError, csv.Error) as error:
        raise ValueError(f"Label {len(labels) + 1} of {file} cannot be read: {error}") from error
    return labels


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Reader]:
    """Yields what reads a folder's pictures. Raises FileNotFoundError or ValueError where archives cannot be used."""
    with _reader(Path(folder) / "photos") as picture_of, _reader(Path(folder) / "masks") as mask_of:

        def read(label: Label) -> tuple[np.ndarray, np.ndarray]:
            rgb = np.asarray(picture_of(label.name).convert("RGB"))
            mask = np.asarray(mask_of(str(PurePosixPath(label.name).with_suffix(".png"))).convert("L"))
            if mask.shape != rgb.shape[:2]:
                mask = cv2.resize(mask, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            return rgb, largest_piece(mask)

        yield read


def largest_piece(mask: np.ndarray) -> np.ndarray:
    """Returns the largest connected piece of a mask (H, W) uint8."""
    count, labels, statistics, _ = cv2.connectedComponentsWithStats((mask > 127).astype(np.uint8))
    if count < 2:
        return mask
    return np.where(labels == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax(), mask, 0).astype(np.uint8)


def share_of(group: str) -> float:
    """A number in [0, 1) that follows from a name."""
    return int.from_bytes(hashlib.sha256(group.encode("utf-8")).digest()[:4], "big") / 2**32


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
                picture = open_picture(data)
                return in_eight_bits(ImageOps.exif_transpose(picture))
            except _UNREADABLE as error:
                which = f"{name} of {base if archive is None else file}"
                raise ValueError(f"{which} {_reason(error)}; set its ok to 0 to leave it out.") from error

        yield read


def _reason(error: Exception) -> str:
    """What is wrong with a file, as the end of a sentence; Pillow names buffers, which tell a user nothing."""
    if isinstance(error, KeyError | FileNotFoundError):
        return "is missing"
    return "is no picture" if isinstance(error, UnidentifiedImageError) else f"cannot be read ({error})"
