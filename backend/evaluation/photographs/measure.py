# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One labelled photograph after the other: reconstructed, looked at, and compared with its label and its mask."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ...common.records import Reconstruction, ReconstructRequest
from ...data.labelled_files import Label, Reader
from ...data.pictures import write_picture
from ..light_in_paint import light_in_paint
from ..unseen_sides import FOLDERS, PHOTO_SIDE, PHOTOGRAPHS, RANDOM_SIDES
from . import sheet, sides
from .config import PHOTO, PhotographsConfig
from .records import Record, judge, judge_mask, new_record
from .stage import Shown, Stage

ROWS = "rows"
"""Folder of the sheet's rows."""
SILHOUETTE_SIDE = 320
"""Longer side in pixels at most of the pictures in which silhouettes are compared."""


def chosen(labels: Sequence[Label], part: str, count: int) -> list[Label]:
    """Returns the photographs of a part, ``all`` or ``held-out``; of those so many, evenly spread, 0: all of them."""
    kept = [label for label in labels if part == "all" or label.is_held_out()]
    if not count or count >= len(kept):
        return kept
    return [kept[place] for place in np.linspace(0, len(kept) - 1, count).round().astype(int)]


@dataclass(frozen=True)
class Measurer:
    """Measures photographs, and keeps their pictures for sheet and guard."""

    config: PhotographsConfig
    stage: Stage
    device: str
    pictures: Path
    """Folder of the pictures that are kept, so that a measuring can go on."""
    with_squares: bool
    """Whether squares for the guard of unseen sides are made."""

    def picture(self, kind: str, name: str) -> Path:
        """Returns the place of a photograph's picture; ``kind`` is :data:`ROWS` or one of the guard's folders."""
        return self.pictures / kind / f"{name.replace('/', '_')}.png"

    def squares(self, name: str) -> list[Path]:
        """Returns the places of a photograph's squares."""
        return [self.picture(kind, name) for kind in FOLDERS]

    def is_done(self, record: Record | None, with_row: bool) -> bool:
        """Returns whether a photograph has its record of a former run, and the pictures that are wanted now."""
        if record is None or record["error"]:
            return False
        row_is_there = not with_row or self.picture(ROWS, record["file"]).is_file()
        squares_are_there = not self.with_squares or all(path.is_file() for path in self.squares(record["file"]))
        return row_is_there and squares_are_there

    def measure(self, label: Label, read: Reader, with_row: bool) -> Record:
        """Returns the record of a photograph; whatever goes wrong becomes its sentence."""
        record = new_record(label.name, label.group, label.azimuth)
        for path in (self.picture(ROWS, label.name), *self.squares(label.name)):
            path.unlink(missing_ok=True)
        expected: tuple[type[Exception], ...] = (*self.stage.errors, ValueError, OSError)
        try:
            return self._measured(record, label, read, with_row)
        except expected as error:
            record["error"] = str(error)
        except Exception as error:
            # The others go on after a mistake of ours too: the traceback is for us, the sentence for the report.
            traceback.print_exc()
            said = " ".join(str(error).split())[:200]
            record["error"] = f"Unrender made a mistake ({type(error).__name__}: {said})."
        return {name: record[name] for name in new_record(label.name, label.group, label.azimuth)}

    def _measured(self, record: Record, label: Label, read: Reader, with_row: bool) -> Record:
        rgb, truth = read(label)
        if not (truth > 127).any():
            raise ValueError(f"The mask of {label.name} is empty: paint the object white, or set its ok to 0.")
        result = self._reconstructed(label, rgb, truth)
        longer = min(SILHOUETTE_SIDE, max(result.image_width, result.image_height))
        width, height = sides.fitted(result.image_width, result.image_height, longer, longer)
        around: list[np.ndarray] = []
        with self.stage.show(result) as shown:
            overlay = shown.through_own_camera(width, height)
            if with_row:
                cameras = sides.sheet_cameras(result.camera, self.config.views)
                around = [shown.from_side(camera, sheet.TILE_WIDTH, sheet.TILE_HEIGHT) for camera in cameras]
            if self.with_squares:
                self._keep_squares(label.name, shown, result, rgb, truth)
        silhouette = overlay[..., 3] > 0.5
        judge(record, result, label.azimuth, silhouette, sides.resized_mask(truth, width, height) > 127)
        record["light_in_paint"] = {key: round(value, 4) for key, value in light_in_paint(result, rgb, truth).items()}
        masks = [result.mask]
        record["own_mask_iou"] = None
        if self.config.input == PHOTO:
            masks.append(sides.resized_mask(truth, result.image_width, result.image_height))
            judge_mask(record, *masks)
        if with_row:
            row = sheet.row(record, rgb, masks, overlay, around)
            _keep(self.picture(ROWS, label.name), row)
        return record

    def _reconstructed(self, label: Label, rgb: np.ndarray, truth: np.ndarray) -> Reconstruction:
        """Gives the product the picture as a file, with or without the teacher's mask."""
        with tempfile.TemporaryDirectory(prefix="unrender-") as folder:
            path = Path(folder) / f"{PurePosixPath(label.name).stem}.png"
            write_picture(path, rgb if self.config.input == PHOTO else np.dstack([rgb, truth]))
            return self.stage.reconstruct(
                ReconstructRequest(
                    image_path=str(path),
                    bundle=self.config.bundle,
                    device=self.device,
                    quality=self.config.quality,
                    refine_steps=self.config.refine,
                    cutout_model=self.config.cutout_model,
                )
            )

    def _keep_squares(
        self, name: str, shown: Shown, result: Reconstruction, rgb: np.ndarray, truth: np.ndarray
    ) -> None:
        """Writes the photograph's crop and the result's from its own side and a random one, all on the same grey."""
        squares = {PHOTOGRAPHS: sides.square_on_grey(rgb.astype(np.float32) / 255, truth.astype(np.float32) / 255)}
        for kind, turn in ((PHOTO_SIDE, 0.0), (RANDOM_SIDES, sides.random_turn(name, self.config.seed))):
            seen = shown.from_side(sides.framed(result, turn), sides.RENDERED, sides.RENDERED)
            squares[kind] = sides.square_on_grey(seen[..., :3], seen[..., 3])
        for kind, square in squares.items():
            _keep(self.picture(kind, name), square)


def _keep(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, picture)
