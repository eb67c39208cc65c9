# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs labelled photographs small, in the one layout that the trainings read (backend/data/labelled_photographs.py).

    python scripts/pack_photographs.py --labels labels.csv --photos photos.zip --masks masks.zip --out DIR [--size 256]

``--photos`` and ``--masks`` are folders or zips; a label, a picture and a mask belong together by the stem of their
names. The labels name a picture in the column ``file`` or ``id``. Without ``--sources`` the pictures of one folder make
a group; with it a CSV gives each ``file`` a group in the column ``--group``.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import zipfile
from pathlib import Path, PurePosixPath

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line
from PIL import Image, ImageOps

from backend.commands.entry import guarded
from backend.common.files import replacing, write_text
from backend.common.pictures import is_picture
from backend.progress_bar import tracked

PROGRAM = "pack_photographs.py"
_MASK_LEVELS = 16
"""Number of greys of a packed mask: a soft outline, and a third of the bytes."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Packs labelled photographs small.")
    parser.add_argument("--labels", type=Path, required=True, help="CSV: file or id, azimuth_deg, ...")
    parser.add_argument("--photos", type=Path, required=True, help="folder or zip of pictures")
    parser.add_argument("--masks", type=Path, required=True, help="folder or zip of masks of the upright pictures")
    parser.add_argument("--out", type=Path, required=True, help="the packed folder")
    parser.add_argument("--sources", type=Path, help="CSV with the columns file and that of --group")
    parser.add_argument(
        "--group", default="article", help="column of --sources that tells which pictures belong together"
    )
    parser.add_argument("--size", type=int, default=256, help="longer side in pixels")
    parser.add_argument("--quality", type=int, default=85, help="of the JPEG files")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Packs; returns the exit code."""
    options = parse(arguments)
    return guarded(PROGRAM, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Packs as the options say. Raises ValueError or OSError with one sentence; an old pack is replaced whole."""
    rows = _rows(options.labels, "azimuth_deg")
    groups = {}
    if options.sources is not None:
        groups = {row["file"]: row[options.group] for row in _rows(options.sources, "file", options.group)}
    photos, masks = _Pictures(options.photos), _Pictures(options.masks)
    options.out.mkdir(parents=True, exist_ok=True)
    kept: list[dict[str, str]] = []
    with (
        replacing(options.out / "photos.zip") as photos_file,
        replacing(options.out / "masks.zip") as masks_file,
        zipfile.ZipFile(photos_file, "w", zipfile.ZIP_STORED) as packed_photos,
        zipfile.ZipFile(masks_file, "w", zipfile.ZIP_STORED) as packed_masks,
    ):
        for row in tracked(rows, "Packing", unit="photo"):
            named = row.get("file") or row.get("id") or ""
            stem = PurePosixPath(named).stem
            photo, mask = photos.get(stem), masks.get(stem)
            if photo is None or mask is None:
                continue
            photo.thumbnail((options.size, options.size), Image.Resampling.LANCZOS)
            packed_photos.writestr(f"{stem}.jpg", _encoded(photo.convert("RGB"), "JPEG", quality=options.quality))
            small = mask.convert("L").resize(photo.size, Image.Resampling.BOX).quantize(_MASK_LEVELS).convert("L")
            packed_masks.writestr(f"{stem}.png", _encoded(small, "PNG", optimize=True))
            other = {column: value for column, value in row.items() if column not in ("id", "file", "group")}
            group = groups.get(named) or row.get("group") or photos.folder_of(stem)
            kept.append({**other, "file": f"{stem}.jpg", "group": group})
        if not kept:
            raise ValueError(
                f"{options.labels} names no picture that has a photo and a mask; compare the files' names."
            )
        _write_rows(options.out / "labels.csv", kept)
    print(f"{options.out}: {len(kept)} photographs of {len(rows)} labels")
    return 0


def _rows(file: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a CSV that has the columns."""
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            table = csv.DictReader(lines)
            missing = sorted(set(columns) - set(table.fieldnames or ()))
            rows = list(table)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{file} is no table in UTF-8: {error}") from error
    if missing:
        raise ValueError(f"{file} has no column {missing[0]}; its first line names the columns.")
    return rows


def _write_rows(file: Path, rows: list[dict[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(file, text.getvalue())


def _encoded(picture: Image.Image, kind: str, **settings: int | bool) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return file.getvalue()


class _Pictures:
    """The pictures of a folder or a zip, by the stems of their names."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing; name a folder or a zip of pictures.")
        self.path = path
        try:
            self.archive = zipfile.ZipFile(path) if path.is_file() else None
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path} is neither a folder nor a zip: {error}") from error
        if self.archive is not None:
            names = self.archive.namelist()
        else:
            names = [str(PurePosixPath(p.relative_to(path))) for p in sorted(path.rglob("*")) if p.is_file()]
        # Of two pictures with one stem the one nearer to the root counts: masks may lie in a folder inside.
        ordered = sorted(filter(is_picture, names), key=lambda name: -name.count("/"))
        self.names = {PurePosixPath(name).stem: name for name in ordered}

    def get(self, stem: str) -> Image.Image | None:
        """Returns the upright picture of a stem, None where there is none. Raises ValueError for a damaged one."""
        name = self.names.get(stem)
        if name is None:
            return None
        try:
            data = self.archive.read(name) if self.archive is not None else (self.path / name).read_bytes()
            picture = Image.open(io.BytesIO(data))
            picture.load()
        except (OSError, SyntaxError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"{name} of {self.path} cannot be read: {error}; take it out of the labels.") from error
        return ImageOps.exif_transpose(picture)

    def folder_of(self, stem: str) -> str:
        """Returns the folder that a picture lies in, or its stem where it lies at the root."""
        return PurePosixPath(self.names[stem]).parent.name or stem


if __name__ == "__main__":
    sys.exit(main(command_line.own_arguments(sys.argv)))
