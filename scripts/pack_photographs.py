# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs labelled photographs small, in the one layout that the trainings read (backend/data/labelled_photographs.py).

    python scripts/pack_photographs.py --labels labels.csv --photos photos.zip --masks masks.zip --out DIR [--size 256]

``--photos`` and ``--masks`` are folders or zips; the labels name a picture by its path (column ``file``) or by its stem
(column ``id``). ``--sources CSV`` gives each picture a group from the column ``--group``.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import zipfile
from pathlib import Path, PurePosixPath

from PIL import Image


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit code."""
    parser = argparse.ArgumentParser(prog="pack_photographs.py", description="Packs labelled photographs small.")
    parser.add_argument("--labels", type=Path, required=True, help="CSV: file or id, azimuth_deg, ...")
    parser.add_argument("--photos", type=Path, required=True, help="folder or zip of pictures")
    parser.add_argument("--masks", type=Path, required=True, help="folder or zip of masks")
    parser.add_argument("--out", type=Path, required=True, help="the packed folder")
    parser.add_argument("--sources", type=Path, help="CSV with the columns file and that of --group")
    parser.add_argument(
        "--group", default="article", help="column of --sources that tells which pictures belong together"
    )
    parser.add_argument("--size", type=int, default=256, help="longer side in pixels")
    parser.add_argument("--quality", type=int, default=85, help="of the JPEG files")
    options = parser.parse_args(arguments)
    groups = {}
    if options.sources is not None:
        with options.sources.open(newline="", encoding="utf-8") as file:
            groups = {row["file"]: row[options.group] for row in csv.DictReader(file)}
    photos, masks = (_Pictures(path) for path in (options.photos, options.masks))
    options.out.mkdir(parents=True, exist_ok=True)
    with options.labels.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kept = []
    with (
        zipfile.ZipFile(options.out / "photos.zip", "w", zipfile.ZIP_STORED) as packed_photos,
        zipfile.ZipFile(options.out / "masks.zip", "w", zipfile.ZIP_STORED) as packed_masks,
    ):
        for row in rows:
            stem = PurePosixPath(row.get("file") or row["id"]).stem
            photo, mask = photos.get(stem), masks.get(stem)
            if photo is None or mask is None:
                continue
            photo.thumbnail((options.size, options.size), Image.Resampling.LANCZOS)
            name = f"{stem}.jpg"
            packed_photos.writestr(name, _encoded(photo.convert("RGB"), "JPEG", quality=options.quality))
            small = mask.convert("L").resize(photo.size, Image.Resampling.BOX).quantize(16).convert("L")
            packed_masks.writestr(f"{stem}.png", _encoded(small, "PNG", optimize=True))
            group = groups.get(row.get("file", ""), photos.folder_of(stem))
            kept.append({**{k: v for k, v in row.items() if k not in ("id", "file")}, "file": name, "group": group})
    with (options.out / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(kept[0]))
        writer.writeheader()
        writer.writerows(kept)
    print(f"{options.out}: {len(kept)} photographs of {len(rows)} labels")
    return 0


def _encoded(picture: Image.Image, kind: str, **settings: int | bool) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return file.getvalue()


class _Pictures:
    """The pictures of a folder or a zip, by the stems of their names."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path) if path.is_file() else None
        names = self.archive.namelist() if self.archive else [str(p) for p in sorted(path.rglob("*")) if p.is_file()]
        endings = (".jpg", ".jpeg", ".png", ".webp")
        # Of two pictures with one stem the one nearer to the root counts: masks may lie in a folder inside.
        ordered = sorted((name for name in names if name.lower().endswith(endings)), key=lambda name: -name.count("/"))
        self.names = {Path(name).stem: name for name in ordered}

    def get(self, stem: str) -> Image.Image | None:
        """Returns the picture of a stem, None where there is none."""
        name = self.names.get(stem)
        if name is None:
            return None
        picture = Image.open(io.BytesIO(self.archive.read(name)) if self.archive else name)
        picture.load()
        return picture

    def folder_of(self, stem: str) -> str:
        """Returns the folder that a picture lies in, or its stem where it lies in none."""
        return Path(self.names[stem]).parent.name or stem


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
