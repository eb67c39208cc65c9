# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contact sheets: objects by views in one picture, for people; below each picture its truth where there is one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from .objects import is_done, object_folder
from .truth_file import UNKNOWN, unpack_truth

REGION_COLOURS = np.array(
    [
        (40, 40, 40),
        (205, 60, 50),
        (240, 150, 60),
        (90, 170, 230),
        (250, 220, 70),
        (90, 60, 120),
        (255, 255, 255),
        (255, 80, 170),
        (60, 220, 90),
        (170, 220, 220),
        (20, 20, 90),
        (150, 150, 170),
        (110, 80, 50),
        (30, 130, 80),
    ],
    dtype=np.uint8,
)
"""Colours of the background and of the regions in order; what is not known is magenta."""


def contact_sheet(
    dataset: Path, file: Path, objects: int, rows: int = 24, columns: int = 8, truth: bool = False
) -> None:
    """Write up to `rows` objects by `columns` views, each labelled with its number and the name of its style.

    With `truth`, a row each of coordinates and of regions as colours follows every row of pictures.
    """
    done = [index for index in range(objects) if is_done(dataset, index, truth)][:rows]
    lines = []
    for index in done:
        folder = object_folder(dataset, index)
        description = json.loads((folder / "object.json").read_text())
        pictures = [Image.open(folder / view["file"]) for view in description["views"][:columns]]
        line = np.concatenate([np.asarray(picture.convert("RGBA"))[..., :3] for picture in pictures], axis=1)
        labelled = Image.fromarray(line)
        ImageDraw.Draw(labelled).text((2, 1), f"{index} {description['body_style']}", fill=(255, 255, 0))
        lines.append(np.asarray(labelled))
        if truth:
            coordinates, regions = unpack_truth(folder / "truth.npz")
            shown = np.where(regions[..., None] > 0, (coordinates + 0.5) * 255, 0).astype(np.uint8)
            colours = REGION_COLOURS[np.minimum(regions, len(REGION_COLOURS) - 1)]
            colours[regions == UNKNOWN] = (255, 0, 255)
            lines += [np.concatenate(list(pictures[:columns]), axis=1) for pictures in (shown, colours)]
    if lines:
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.concatenate(lines, axis=0)).save(file)
