# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contact sheets: objects by views in one picture, for people."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from .objects import is_done, object_folder


def contact_sheet(dataset: Path, file: Path, objects: int, rows: int = 24, columns: int = 8) -> None:
    """Write up to `rows` objects by `columns` views, each picture beside nothing but its style's name."""
    done = [index for index in range(objects) if is_done(dataset, index)][:rows]
    lines = []
    for index in done:
        folder = object_folder(dataset, index)
        description = json.loads((folder / "object.json").read_text())
        pictures = [Image.open(folder / view["file"]) for view in description["views"][:columns]]
        line = np.concatenate([np.asarray(picture.convert("RGBA"))[..., :3] for picture in pictures], axis=1)
        labelled = Image.fromarray(line)
        ImageDraw.Draw(labelled).text((2, 1), f"{index} {description['body_style']}", fill=(255, 255, 0))
        lines.append(np.asarray(labelled))
    if lines:
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.concatenate(lines, axis=0)).save(file)
