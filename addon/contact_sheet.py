# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One picture of all that a run generated: for each object its name and its strip of five sides, row by row.

The strips are read from the objects' folders, so that a sheet also shows what an earlier run has finished.
"""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np

from . import batch_report, pixels
from .wire import json_files

KIND = "sides"
"""Name of an object's strip among its outputs."""
SIDE = 96
"""Pixels of a picture in a strip."""
MOST = 400
"""Objects on a sheet; further ones are left out."""
GAP, LABEL = 6, 14
"""Pixels between strips, and above each of them for its name."""
GROUND, INK = 255, 60
TEXTURE_GROUND = 219
"""Brightness beside a texture: that of the previews."""
_SCALE = 2
"""Pixels of a dot of a letter."""
_LETTERS = {
    "0": "75557", "1": "22222", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71111",
    "8": "75757", "9": "75717", "-": "00700", " ": "00000", ".": "00002",
}  # fmt: skip
"""Rows of three dots from the top, each an octal digit."""


def strip(sides: np.ndarray) -> np.ndarray:
    """Returns pictures (n, h, h, 3) side by side, (h, n h, 3)."""
    return np.concatenate(list(sides), axis=1)


def texture_sheet(texture: np.ndarray) -> np.ndarray:
    """Returns a texture (T, T, 3) in the middle of a picture of the preview's shape."""
    side = len(texture)
    picture = np.full((side, side * 3 // 2, 3), TEXTURE_GROUND, np.uint8)
    picture[:, side // 4 : side // 4 + side] = texture
    return picture


def write(path: Path, report: Path, kind: str) -> int:
    """Writes the sheet of the records of a report; returns how many objects are on it. Raises OSError or ValueError.

    None is written where no record has a strip. ``kind`` is the name of the list of records.
    """
    records = json_files.read_object(report)[kind]
    shown = [(label_of(one), Path(one["outputs"][KIND])) for one in records if KIND in one.get("outputs", {})]
    cells = [_cell(label, file) for label, file in shown[:MOST] if file.is_file()]
    if cells:
        pixels.write_png(path, sheet(cells))
    return len(cells)


def label_of(record: dict) -> str:
    """Returns what stands above an object's strip: its seed, or both of its seeds, and how far it is from the first."""
    if "to_seed" not in record:
        return str(record["seed"])
    step = "" if record.get("step") is None else f"  {record['step']:.2f}"
    return f"{record['seed']}-{record['to_seed']}{step}"


def sheet(cells: list[np.ndarray]) -> np.ndarray:
    """Returns cells (h, w, 3), which may differ in size, in rows from the upper left: about as wide as it is high."""
    height, width = (max(cell.shape[axis] for cell in cells) for axis in (0, 1))
    columns = max(1, round(math.sqrt(len(cells) * (height + GAP) / (width + GAP))))
    rows = -(-len(cells) // columns)
    canvas = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), GROUND, np.uint8)
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
        canvas[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    return canvas


def lettered(text: str) -> np.ndarray:
    """Returns (LABEL, w, 3) uint8 with digits, dots and dashes; other letters are left blank."""
    dots = np.zeros((5, 4 * max(len(text), 1)), bool)
    for number, letter in enumerate(text):
        for row, digit in enumerate(_LETTERS.get(letter, _LETTERS[" "])):
            dots[row, 4 * number : 4 * number + 3] = [int(digit, 8) & bit > 0 for bit in (4, 2, 1)]
    large = dots.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)
    picture = np.full((LABEL, large.shape[1], 3), GROUND, np.uint8)
    picture[1 : 1 + len(large)][large] = INK
    return picture


def place(out: Path, shard: tuple[int, int] | None) -> Path:
    """Returns where a run's sheet lies, that of a part of a run beside those of the others."""
    return batch_report.path_of(out / "sheet.json", shard).with_suffix(".png")


def _cell(label: str, file: Path) -> np.ndarray:
    image = bpy.data.images.load(str(file))
    try:
        picture = pixels.to_bytes(pixels.read(image)[..., :3])
    finally:
        bpy.data.images.remove(image)
    name = lettered(label)[:, : picture.shape[1]]
    above = np.full((LABEL, picture.shape[1], 3), GROUND, np.uint8)
    above[:, : name.shape[1]] = name
    return np.concatenate([above, picture])
