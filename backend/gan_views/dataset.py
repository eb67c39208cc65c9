# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views made by a generator, on the disk: ``dataset.json``, the view set, a folder an object, ``report.json``.

    dataset.json                what was made with what
    views.json views.safetensors        the view set, as it was
    objects/NNNNNN/object.json  seed and pictures of the object
    objects/NNNNNN/view_MM.png  RGBA; alpha is the mask by the segmenter
    filters.jsonl               the verdict on every picture, a line an object, also those of which nothing is left
    report.json sheet.png       numbers per filter; objects by views

A run that was stopped goes on where it was: objects come into their place whole, and what is in the list is not made
again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from ..common.files import replacing, write_json, write_text
from ..common.json_files import parse_object, read_object
from ..common.run_files import stop_if_asked
from ..common.view_set import FILE_NAME
from ..data.multi_views import GAN_VIEWS
from ..data.object_files import read_picture, read_record
from ..data.pictures import write_picture
from ..errors import OutputError
from ..progress_bar import tracked
from .objects import GanObject, GanViews, expected_azimuth, tally
from .view_codes import CODES_FILE, ViewCodes

FORMAT = 1
DATASET, LIST, REPORT, SHEET = "dataset.json", "filters.jsonl", "report.json", "sheet.png"
SHEET_OBJECTS = 12
_UNFINISHED = ".unfinished"


def write_gan_views(
    folder: Path, source: GanViews, objects: int, *, generator: str, category: str, progress: bool = True
) -> dict[str, Any]:
    """Makes objects 0 to ``objects`` unless they are there; returns the report.

    Raises Stopped between two objects after a stop was asked for, and OutputError with one sentence where other data
    lie in the folder or nothing passes the filters.
    """
    began = time.perf_counter()
    folder = Path(folder)
    _begin(folder, source, objects, generator, category)
    known = _read_list(folder / LIST)
    missing = [n for n in range(objects) if n not in known or not _is_there(folder, n, known[n])]
    made = 0
    with (folder / LIST).open("a", encoding="utf-8") as listed:
        for number in tracked(missing, "Making views", unit="object", shown=progress):
            stop_if_asked()
            record = _record(source.object(number), source.codes, folder)
            listed.write(json.dumps(record) + "\n")
            listed.flush()
            known[number] = record
            made += 1
    report = _report(source, [known[number] for number in range(objects)])
    report |= {"generator": generator, "filters": asdict(source.config.filters)}
    report |= {"made_now": made, "seconds_now": round(time.perf_counter() - began, 1)}
    write_json(folder / REPORT, report)
    if not report["objects_kept"]:
        raise OutputError(f"None of the {objects} objects passed the filters; {folder / REPORT} has the numbers.")
    write_picture(folder / SHEET, contact_sheet(folder, source.codes))
    return report


def _begin(folder: Path, source: GanViews, objects: int, generator: str, category: str) -> None:
    """Writes ``dataset.json`` and the view set; raises OutputError where the folder holds something else."""
    _, _, height, width = source.observed.content
    card = {
        "format": FORMAT,
        "kind": GAN_VIEWS,
        "category": category,
        "resolution": max(height, width),
        "generator": generator,
        "seed": source.config.seed,
        "objects": objects,
        "truncation": source.config.truncation,
        "filters": asdict(source.config.filters),
        "fingerprint": fingerprint(source),
    }
    path = folder / DATASET
    if path.exists():
        try:
            old = read_object(path)
            # Data made before have other names for minimums.
            filters = {name.replace("least_", "min_", 1): value for name, value in old.get("filters", {}).items()}
            old["filters"] = filters
            others = [name for name in card if name != "objects" and old.get(name) != card[name]]
        except (ValueError, AttributeError, OSError) as error:
            raise OutputError(f"{path} is damaged: choose another folder.") from error
        if others:
            raise OutputError(f"Other data lie in {folder} (not the same {', '.join(others)}): choose another folder.")
        card["objects"] = max(objects, int(old.get("objects", 0)))
    elif folder.exists() and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty and holds no data of this kind: choose another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / _UNFINISHED, ignore_errors=True)
        for name in (FILE_NAME, CODES_FILE):
            with replacing(folder / name) as partial:
                shutil.copyfile(source.codes.view_set.folder / name, partial)
        write_json(path, card)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error.strerror}).") from error


def fingerprint(source: GanViews) -> str:
    """Tells pictures apart that were made with other weights, other view codes, or judged by other azimuths.

    Bins that a person changes alone do not count: they change no picture.
    """
    digest = hashlib.sha256(source.codes.codes.contiguous().numpy().tobytes())
    for _, tensor in sorted(source.observed.generator.state_dict().items()):
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    guesses = [(source.codes.views[p].identity, source.codes.views[p].guess_deg) for p in source.positions]
    digest.update(json.dumps([guesses, source.observed.content]).encode())
    return digest.hexdigest()[:16]


def _record(made: GanObject, codes: ViewCodes, folder: Path) -> dict[str, Any]:
    """Writes an object, if anything of it is left; returns its line for the list."""
    identity = {position: codes.views[position].identity for position in made.verdicts}
    if made.views:
        files = [f"view_{identity[position]:02d}.png" for position in made.views]
        unfinished = folder / _UNFINISHED / f"{made.number:06d}"
        unfinished.mkdir(parents=True)
        for file, rgba in zip(files, made.rgba, strict=True):
            Image.fromarray(rgba, "RGBA").save(unfinished / file)
        views = [{"file": f, "view": identity[p]} for f, p in zip(files, made.views, strict=True)]
        write_json(unfinished / "object.json", {"seed": made.seed, "views": views})
        place = object_folder(folder, made.number)
        place.parent.mkdir(exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        os.replace(unfinished, place)
    judged = {str(identity[position]): reason for position, reason in made.verdicts.items()}
    return {"object": made.number, "seed": made.seed, "kept": len(made.views), "views": judged}


def object_folder(folder: Path, number: int) -> Path:
    """Where an object lies."""
    return folder / "objects" / f"{number:06d}"


def _is_there(folder: Path, number: int, record: dict[str, Any]) -> bool:
    return not record["kept"] or (object_folder(folder, number) / "object.json").is_file()


def _read_list(path: Path) -> dict[int, dict[str, Any]]:
    """Records by object; a line that a kill cut off is dropped from the file."""
    records: dict[int, dict[str, Any]] = {}
    if not path.exists():
        return records
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = parse_object(line, str(path))
            records[int(record["object"])] = {**record, "kept": int(record["kept"]), "views": dict(record["views"])}
        except (ValueError, KeyError, TypeError):
            continue
    write_text(path, "".join(json.dumps(record) + "\n" for record in records.values()))
    return records


def _report(source: GanViews, records: list[dict[str, Any]]) -> dict[str, Any]:
    position = {str(view.identity): place for place, view in enumerate(source.codes.views)}
    judged = [{position[identity]: reason for identity, reason in r["views"].items()} for r in records]
    return tally(judged, source.codes.views)


def contact_sheet(folder: Path, codes: ViewCodes, rows: int = SHEET_OBJECTS) -> np.ndarray:
    """(H, W, 3) uint8: the first objects by all views in use, in the order of azimuth, each outlined by its mask.

    What was left out is empty.
    """
    views = sorted(
        (codes.views[p] for p in codes.used()), key=lambda view: np.nan_to_num(expected_azimuth(view), nan=9)
    )
    column = {view.identity: number for number, view in enumerate(views)}
    lines = []
    for path in sorted(folder.glob("objects/*/object.json"))[:rows]:
        shown = read_record(path.parent)["views"]
        cells = {column[v["view"]]: outlined(read_picture(path.parent / v["file"], "RGBA")) for v in shown}
        height, width = next(iter(cells.values())).shape[:2]
        line = np.full((height, len(views) * (width + 1), 3), 255, np.uint8)
        for number, cell in cells.items():
            line[:, number * (width + 1) : (number + 1) * (width + 1) - 1] = cell
        lines.append(np.pad(line, ((0, 1), (0, 0), (0, 0)), constant_values=255))
    return np.concatenate(lines)


def outlined(rgba: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8: a picture with its mask's outline in green."""
    mask = (rgba[..., 3] > 127).astype(np.uint8)
    outline = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
    return np.where(outline[..., None] > 0, np.array([0, 255, 0], np.uint8), rgba[..., :3])
