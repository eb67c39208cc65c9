# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos and folders of photos to scene files, without a window: the command and scripts/image_to_3d.py."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import batch_run, choices, job, preview, session
from .wire import pictures, protocol, records


def parser() -> batch_run.Parser:
    """Returns the options of the command."""
    result = batch_run.Parser(
        prog="image-to-3d", description="Makes a textured mesh, its camera and its light from each photo."
    )
    result.add_argument("inputs", nargs="+", metavar="PHOTO_OR_FOLDER", help="pictures, and folders of pictures")
    batch_run.add_options(result, "photo")
    result.add_argument(
        "--refine",
        type=batch_run.whole_number(0),
        default=-1,
        metavar="STEPS",
        help="steps of optimisation against the photo; 0: none",
    )
    result.add_argument(
        "--texture-size",
        type=batch_run.whole_number(16, batch_run.LARGEST_TEXTURE),
        default=0,
        metavar="N",
        help="side in texels (default: follows the photo)",
    )
    result.add_argument(
        "--shape",
        default=choices.SHAPES[0][0],
        choices=[name for name, _, _ in choices.SHAPES],
        help="an object with parts where the weights know of such, or one surface (default: parts)",
    )
    result.add_argument("--mask", default="", metavar="FILE", help="mask to use, for a single photo")
    result.add_argument("--real-size", type=float, default=0.0, metavar="METRES", help="longest side of the object")
    return result


def run(arguments: Sequence[str]) -> int:
    """Runs the command with its arguments; returns the exit code."""
    return batch_run.run(parser(), arguments, "photos", _items)


def find_photos(inputs: Sequence[str]) -> list[Path]:
    """Returns the photos that files and folders stand for, each once, folders in the order of names."""
    photos: list[Path] = []
    for text in inputs:
        path = Path(text).expanduser().absolute()
        if path.is_dir():
            photos += sorted(entry for entry in path.iterdir() if pictures.is_picture(entry) and entry.is_file())
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


def _items(options: argparse.Namespace, out: Path) -> list[batch_run.Item]:
    photos = find_photos(options.inputs)
    if options.mask and len(photos) != 1:
        raise ValueError("--mask belongs to a single photo.")
    if not photos:
        raise ValueError("There is no picture in " + ", ".join(options.inputs) + ".")
    return [
        batch_run.Item(
            photo.name, str(photo), {"input": str(photo)}, functools.partial(_steps, photo, out / name, options)
        )
        for photo, name in zip(photos, folder_names(photos), strict=True)
    ]


def _steps(
    photo: Path, folder: Path, options: argparse.Namespace, record: dict[str, Any], show: batch_run.Show
) -> job.Steps:
    """Reconstructs one photo and writes its folder."""
    bundle, device = batch_run.bundle_and_device(options)
    request = records.ReconstructRequest(
        image_path=str(photo),
        mask_path=str(Path(options.mask).expanduser().absolute()) if options.mask else "",
        bundle=bundle,
        device=device,
        refine_steps=options.refine,
        texture_size=options.texture_size,
        with_parts=options.shape == choices.SHAPES[0][0],
    )
    result = yield session.request(request)
    picture = yield session.request(
        protocol.PictureRequest(request.image_path), progress=records.Progress("Building the scene", 0.92)
    )
    result.name = folder.name
    made = batch_run.write_scene(
        folder,
        result,
        picture.pixels,
        options,
        record,
        show,
        photo=picture.pixels,
        photo_path=request.image_path,
        real_size=options.real_size,
    )
    # With the product's own mask, onto which refinement bends the shape: no measure of truth. The shorter name is for
    # readers of older reports.
    record["silhouette_iou_own_mask"] = record["silhouette_iou"] = result.silhouette_iou
    record["silhouette_iou_in_blender"] = round(preview.silhouette_iou(made.overlay, result.mask), 4)
    return ""
