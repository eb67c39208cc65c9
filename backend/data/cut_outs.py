# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs with their masks as squares of one size: what segmenter and image generator of a category learn from.

    dataset.json                    what was made of what, and what was left out
    objects/NNNNNN/view_00.png      RGBA; the whole photograph, its border's colours continued; alpha is the mask
    objects/NNNNNN/object.json      the photograph's name

Letters: K photographs, R picture side, M views of an object.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from PIL import Image, ImageOps

from ..common.files import write_json
from ..errors import OutputError, UnrenderError
from ..progress_bar import tracked
from .images import ImageSetConfig, fitted, read_images
from .labelled_files import largest_piece
from .multi_views import KINDS, kind_of, load_multi_views
from .object_files import read_record
from .pictures import UNREADABLE, in_eight_bits, open_picture
from .rendered_views import load_views

CUT_OUTS = "cut-outs"
"""Kind of these data in ``dataset.json``."""
SMALLEST, LARGEST = 0.02, 0.97
"""Shares of a picture between which a mask is believed."""
DAMAGED, NO_MASK, EMPTY, FULL = "damaged", "no_mask", "empty_mask", "mask_of_everything"
UNFINISHED = ".unfinished"

MaskOf = Callable[[str, np.ndarray], np.ndarray | None]
"""From a photograph's name and its colours (H, W, 3) uint8, upright, to its mask (h, w) uint8, None where it has none.
Raises UnrenderError, OSError or ValueError for one that cannot be read."""


class NoMasks(UnrenderError):
    """Photographs without masks."""


def masks_in(folder: Path) -> MaskOf:
    """Masks from a folder: NAME.png for NAME.jpg, white on the object. Raises NoMasks where there is no such folder."""
    if not folder.is_dir():
        raise NoMasks(f"There is no folder of masks {folder}.")

    def mask_of(name: str, rgb: np.ndarray) -> np.ndarray | None:
        place = PurePosixPath(name).with_suffix(".png")
        path = next((path for path in (folder / place, folder / place.name) if path.is_file()), None)
        if path is None:
            return None
        with open_picture(path) as picture:
            mask = np.asarray(in_eight_bits(ImageOps.exif_transpose(picture)).convert("L"))
        # A mask of another shape belongs to another picture.
        if abs(mask.shape[0] * rgb.shape[1] - mask.shape[1] * rgb.shape[0]) > 0.02 * mask.size**0.5 * max(rgb.shape):
            raise ValueError(f"{path.name} has another shape than its photograph")
        return mask

    return mask_of


def write_cut_outs(
    source: Path, folder: Path, resolution: int, mask_of: MaskOf | None, category: str, *, progress: bool = True
) -> dict[str, int]:
    """Writes the photographs of a folder or zip with their masks; returns how many were kept and left out, by reason.

    A photograph's own transparency comes before ``mask_of``. Raises ImageSetError where no photograph lies in
    ``source``, NoMasks where none has a mask, OutputError where the folder cannot be written.
    """
    objects, unfinished = folder / "objects", folder / UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    counts: Counter[str] = Counter()
    first_reason = ""
    names, pictures = read_images(source)
    try:
        unfinished.mkdir(parents=True)
        for name, data in tracked(pictures, "Cutting out photographs", count=len(names), unit="photo", shown=progress):
            rgba, reason = cut_out(name, data, resolution, mask_of)
            if rgba is None:
                first_reason = first_reason or f"{name}: {reason}"
                counts[reason.partition(":")[0]] += 1
                continue
            _write(unfinished / f"{counts['kept']:06d}", rgba, name)
            counts["kept"] += 1
        if not counts["kept"]:
            raise NoMasks(_why_none(len(names), counts, first_reason))
        shutil.rmtree(objects, ignore_errors=True)
        unfinished.rename(objects)
        card = {"format": 1, "kind": CUT_OUTS, "category": category, "resolution": resolution, "photographs": counts}
        write_json(folder / "dataset.json", card)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error.strerror}).") from error
    return dict(counts)


def _why_none(count: int, counts: Counter[str], first: str) -> str:
    if counts[NO_MASK] < count:
        return f"None of {count} photographs can be used; the first, {first}."
    return (
        f"None of {count} photographs has a mask: use pictures with a transparent ground, or give --masks with a "
        "folder of masks, or --cutout-model with an ONNX file of U2-Net, IS-Net or BiRefNet."
    )


def _write(folder: Path, rgba: np.ndarray, name: str) -> None:
    folder.mkdir()
    Image.fromarray(rgba, "RGBA").save(folder / "view_00.png")
    write_json(folder / "object.json", {"photograph": name, "views": [{"file": "view_00.png"}]})


def cut_out(name: str, data: bytes, resolution: int, mask_of: MaskOf | None) -> tuple[np.ndarray | None, str]:
    """One encoded photograph as (R, R, 4) uint8, or why it is left out."""
    config = ImageSetConfig(resolution, fit="pad", alpha="plain")
    try:
        rgb = fitted(data, config)
        with open_picture(data) as opened:
            picture = in_eight_bits(ImageOps.exif_transpose(opened))
            mask = own_mask(picture)
            if mask is None and mask_of is not None:
                mask = mask_of(name, np.asarray(picture.convert("RGB")))
    except (*UNREADABLE, UnrenderError) as error:
        return None, f"{DAMAGED}: {error}"
    if mask is None:
        return None, NO_MASK
    square = largest_piece(_padded(mask, resolution))
    share = float((square > 127).mean())
    if share < SMALLEST:
        return None, EMPTY
    if share > LARGEST * float((_padded(np.full_like(mask, 255), resolution) > 127).mean()):
        return None, FULL
    return np.dstack([rgb, square]), ""


def own_mask(picture: Image.Image) -> np.ndarray | None:
    """A picture's transparency (H, W) uint8; None where it has none, or where nothing is transparent."""
    if picture.mode not in ("RGBA", "LA", "PA") and "transparency" not in picture.info:
        return None
    alpha = np.asarray(picture.convert("RGBA").getchannel("A"))
    return alpha if alpha.min() < 128 else None


def _padded(mask: np.ndarray, side: int) -> np.ndarray:
    """A mask in the middle of an empty square, as :func:`.images.fitted` puts the picture."""
    whole = np.asarray(ImageOps.contain(Image.fromarray(mask), (side, side), Image.Resampling.BILINEAR))
    rest_y, rest_x = side - whole.shape[0], side - whole.shape[1]
    return np.pad(whole, ((rest_y // 2, rest_y - rest_y // 2), (rest_x // 2, rest_x - rest_x // 2)))


def load_rgba(folder: Path) -> np.ndarray:
    """Pictures with masks (K, M, R, R, 4) uint8: renders, cut-outs, or shared views, which count one by one.

    Raises FileNotFoundError where there are none, ValueError where they are damaged.
    """
    kind = kind_of(folder)
    if kind in KINDS:
        return load_multi_views(folder).rgba[:, None]
    if kind != CUT_OUTS:
        return load_views(folder).rgba
    paths = list(_written(folder))
    if not paths:
        raise FileNotFoundError(f"No photograph lies in {folder}: cut them out again.")
    return np.stack([_read(path) for path in paths])[:, None]


def _written(folder: Path) -> Iterator[Path]:
    for record in sorted(folder.glob("objects/*/object.json")):
        for view in read_record(record.parent)["views"]:
            yield record.parent / view["file"]


def _read(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.shape[2:] != (4,):
        raise ValueError(f"{path} is damaged: cut the photographs out again.")
    return cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA)
