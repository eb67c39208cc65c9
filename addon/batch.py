# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos and folders of photos to scene files, without a window: the command and scripts/image_to_3d.py.

One photo's failure is one sentence on standard error and in the report; the others go on. The exit code is 0 if every
photo gave a scene, 1 if one did not, 2 if nothing could be begun.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy

from . import export, job, preferences, preview, registered, scene, session
from .environment import INTERPRETER_VARIABLE
from .properties import DEFAULT, MATERIALS
from .wire import protocol, records

PICTURE_EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".avif"}
)
"""What is taken from a folder; a file that is named itself is tried whatever its name."""
REPORT_FORMAT = 1


def parser() -> argparse.ArgumentParser:
    """Returns the options of the command."""
    result = argparse.ArgumentParser(
        prog="image-to-3d", description="Makes a textured mesh, its camera and its light from each photo."
    )
    result.add_argument("inputs", nargs="+", metavar="PHOTO_OR_FOLDER", help="pictures, and folders of pictures")
    result.add_argument("--out", required=True, metavar="DIR", help="gets a folder for each photo")
    result.add_argument("--bundle", default="", metavar="NAME", help="weights: a name or a folder (default: car)")
    result.add_argument(
        "--formats",
        default="blend,glb",
        type=_formats,
        metavar="LIST",
        help=f"of {','.join(export.FORMATS)}, with commas (default: blend,glb)",
    )
    result.add_argument("--device", default="", choices=("auto", "cpu", "cuda", "mps"), help="where the networks run")
    result.add_argument(
        "--refine",
        type=_at_least(0),
        default=-1,
        metavar="STEPS",
        help="steps of optimisation against the photo; 0: none",
    )
    result.add_argument(
        "--texture-size", type=_at_least(16), default=0, metavar="N", help="side in texels (default: follows the photo)"
    )
    result.add_argument(
        "--materials",
        default=MATERIALS[0][0],
        choices=[name for name, _, _ in MATERIALS],
        help="of objects with parts: one material with the photo's texture and maps of roughness and metallic, or a "
        "plain one for each of paint, glass and so on; others have the texture either way (default: maps)",
    )
    result.add_argument("--mask", default="", metavar="FILE", help="mask to use, for a single photo")
    result.add_argument("--real-size", type=float, default=0.0, metavar="METRES", help="longest side of the object")
    result.add_argument("--report", default="", metavar="FILE", help="the report (default: DIR/report.json)")
    result.add_argument("--python", default="", metavar="PATH", help="interpreter with torch for the backend")
    return result


def run(arguments: Sequence[str]) -> int:
    """Runs the command with its arguments; returns the exit code."""
    try:
        options = parser().parse_args(arguments)
    except SystemExit as stop:
        # argparse has said what is wrong, or shown the help; ending the process is the caller's business.
        return int(stop.code or 0)
    if os.path.isdir(options.bundle):  # the worker runs in another folder
        options.bundle = os.path.abspath(options.bundle)
    if options.python:
        os.environ[INTERPRETER_VARIABLE] = options.python
    photos = find_photos(options.inputs)
    if options.mask and len(photos) != 1:
        return _refuse("--mask belongs to a single photo.")
    if not photos:
        return _refuse("There is no picture in " + ", ".join(options.inputs) + ".")
    out = Path(options.out).expanduser().absolute()
    report_path = Path(options.report).expanduser().absolute() if options.report else out / "report.json"
    refusal = export.refusal_to_write(out) or export.refusal_to_write(report_path.parent)
    if refusal:
        return _refuse(refusal)
    try:
        with registered():
            report = _run_all(photos, out, options)
    except KeyboardInterrupt:
        return _refuse("Stopped.", 130)
    export.write_beside(report_path, lambda path: path.write_text(json.dumps(report, indent=1) + "\n", "utf-8"))
    failed = sum(1 for record in report["photos"] if record["error"])
    print(f"{len(photos) - failed} of {len(photos)} done; report: {report_path}", flush=True)
    return 1 if failed else 0


def find_photos(inputs: Sequence[str]) -> list[Path]:
    """Returns the photos that files and folders stand for, each once, folders in the order of names."""
    photos: list[Path] = []
    for text in inputs:
        path = Path(text).expanduser().absolute()
        if path.is_dir():
            photos += sorted(
                entry for entry in path.iterdir() if entry.suffix.lower() in PICTURE_EXTENSIONS and entry.is_file()
            )
        else:
            photos.append(path)
    return list(dict.fromkeys(photos))


def folder_names(photos: Sequence[Path]) -> list[str]:
    """Returns a name for each photo's folder: its own, with a number where two photos have the same."""
    taken: set[str] = set()
    names = []
    for photo in photos:
        stem = photo.stem.strip(". ") or "photo"
        name, number = stem, 2
        while name.casefold() in taken:  # two names that differ in case alone are one on many disks
            name, number = f"{stem}-{number}", number + 1
        taken.add(name.casefold())
        names.append(name)
    return names


def _run_all(photos: list[Path], out: Path, options: argparse.Namespace) -> dict[str, Any]:
    report: dict[str, Any] = {
        "format": REPORT_FORMAT,
        "blender": bpy.app.version_string,
        "bundle": preferences.bundle(options.bundle or DEFAULT),
        "device": preferences.device(options.device or DEFAULT),
        "photos": [],
    }
    for number, (photo, name) in enumerate(zip(photos, folder_names(photos), strict=True), 1):
        label = f"[{number}/{len(photos)}] {photo.name}"
        record: dict[str, Any] = {"input": str(photo), "outputs": {}, "error": None}
        began = time.perf_counter()
        try:
            _run_one(photo, out / name, options, record, label)
        except job.EXPECTED_ERRORS as error:
            record["error"] = str(error)
            print(f"{photo}: {error}", file=sys.stderr, flush=True)
        except RuntimeError as error:  # how Blender's own operators fail, such as an exporter
            record["error"] = f"Blender could not write the result: {str(error).strip().splitlines()[-1]}"
            print(f"{photo}: {record['error']}", file=sys.stderr, flush=True)
        record["seconds"] = round(time.perf_counter() - began, 3)
        report["photos"].append(record)
    return report


def _run_one(photo: Path, folder: Path, options: argparse.Namespace, record: dict[str, Any], label: str) -> None:
    """Reconstructs one photo and writes its folder; fills in its record as far as it comes."""
    print(label, flush=True)
    shown = [""]

    def show(progress: records.Progress) -> None:
        if progress.stage != shown[0]:
            shown[0] = progress.stage
            print(f"{label}  {100 * progress.fraction:3.0f} %  {progress.stage}", flush=True)

    request = records.ReconstructRequest(
        image_path=str(photo),
        mask_path=str(Path(options.mask).expanduser().absolute()) if options.mask else "",
        bundle=preferences.bundle(options.bundle or DEFAULT),
        device=preferences.device(options.device or DEFAULT),
        refine_steps=options.refine,
        texture_size=options.texture_size,
    )
    steps = _steps(request, folder, options, record, show)
    job.run_blocking(steps, show)


def _steps(
    request: records.ReconstructRequest, folder: Path, options: argparse.Namespace, record: dict[str, Any], show: Any
) -> job.Steps:
    result = yield session.request(request)
    picture = yield session.request(
        protocol.PictureRequest(request.image_path), progress=records.Progress("Building the scene", 0.92)
    )
    result.name = folder.name
    # The factory's empty file, so that a user's own start-up file has no say in what a batch makes.
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    target = bpy.context.scene
    built = scene.build(
        target, result, picture.pixels, request.image_path, options.real_size, materials=options.materials
    )
    show(records.Progress("Rendering the preview", 0.94))
    with _quietly():
        made = preview.make(target, built, result, picture.pixels)
    show(records.Progress("Writing", 0.98))
    with _quietly():
        record["outputs"] = export.write_folder(folder, target, built, result, made.picture, options.formats)
    record.update(export.camera_record(result))
    record["silhouette_iou"] = result.silhouette_iou
    record["silhouette_iou_in_blender"] = round(preview.silhouette_iou(made.overlay, result.mask), 4)
    record["timings"] = result.timings
    record["warnings"] = result.warnings
    return ""


@contextmanager
def _quietly() -> Iterator[None]:
    """What Blender itself prints while this is open, a line for every sample, is dropped: the progress lines remain."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # a Blender on Windows without a console
        yield
        return
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _refuse(sentence: str, code: int = 2) -> int:
    print(f"image-to-3d: {sentence}", file=sys.stderr, flush=True)
    return code


def _formats(text: str) -> list[str]:
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in export.FORMATS]
    if unknown or not names:
        known = ", ".join(export.FORMATS)
        raise argparse.ArgumentTypeError(f"unknown format {', '.join(unknown) or 'of no name'}; known: {known}")
    return names


def _at_least(least: int) -> Any:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return number
