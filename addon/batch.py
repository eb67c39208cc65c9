# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos and folders of photos to scene files, without a window: the command and scripts/image_to_3d.py."""

from __future__ import annotations

import argparse
import functools
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import batch_inputs, batch_run, choices, export, job, preferences, preview, session
from .wire import protocol, records

MOST_STEPS = 100_000
MOST_SAMPLES = 4096
SIZES = (0.001, 100_000.0)
"""Real sizes that Blender's scenes can hold, in metres."""


def parser() -> batch_run.Parser:
    """Returns the options of the command."""
    result = batch_run.Parser(
        prog="image-to-3d", description="Makes a textured mesh, its camera and its light from each photo."
    )
    result.add_argument("inputs", nargs="+", metavar="PHOTO_OR_FOLDER", help="pictures, and folders of pictures")
    batch_run.add_options(result, "photo")
    result.add_argument(
        "--quality",
        default=choices.DEFAULT_QUALITY,
        choices=records.QUALITIES,
        help=f"how much work an object is worth (default: {choices.DEFAULT_QUALITY})",
    )
    result.add_argument(
        "--refine",
        type=batch_run.whole_number(0, MOST_STEPS),
        default=-1,
        metavar="STEPS",
        help="steps of optimisation against the photo; 0: none (default: as the quality says)",
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
    result.add_argument(
        "--together", action="store_true", help="all pictures show one object: make one, with a camera for each"
    )
    result.add_argument(
        "--look",
        default=choices.LOOKS[0],
        choices=choices.LOOKS,
        help="of objects with parts: paint in the scene's light, or the photo's own pixels where it shows the object; "
        "it can be changed in the scene (default: paint)",
    )
    result.add_argument("--mask", default="", metavar="FILE", help="mask to use, for a single photo")
    result.add_argument(
        "--cutout-model",
        default="",
        metavar="FILE",
        help=f"ONNX file of a network that cuts out, or {records.OWN_CUT_OUT}: the bundle's segmenter "
        "(default: as in the preferences, else a file in $U2NET_HOME or ~/.u2net)",
    )
    result.add_argument(
        "--point",
        type=_point,
        default=[],
        metavar="X,Y",
        help="place on the object in pixels of the upright photo from its upper left, for a single photo",
    )
    result.add_argument(
        "--azimuth",
        type=_finite,
        metavar="DEGREES",
        help="direction that the object is seen from, for a single photo: 0 its front, 90 its left side",
    )
    result.add_argument(
        "--preview-samples",
        type=batch_run.whole_number(1, MOST_SAMPLES),
        default=preview.SAMPLES,
        metavar="N",
        help="samples a pixel of the preview, which takes most of a draft's time without a graphics card "
        f"(default: {preview.SAMPLES})",
    )
    result.add_argument(
        "--composite",
        action="store_true",
        help="also write the photo with the object and its shadow rendered over it; the scene gets the ground for it",
    )
    result.add_argument(
        "--real-size",
        type=_size,
        default=0.0,
        metavar="METRES",
        help="longest side of the object (default: as the weights say)",
    )
    return result


def run(arguments: Sequence[str]) -> int:
    """Runs the command with its arguments; returns the exit code."""
    return batch_run.run(parser(), arguments, "photos", _items, needs_backend=True)


def _items(options: argparse.Namespace, out: Path) -> list[batch_run.Item]:
    found = batch_inputs.find(options.inputs)
    photos, options.skipped = found.photos, found.skipped
    for sentence in batch_inputs.skipped_sentences(found.skipped):
        print(f"image-to-3d: {batch_inputs.shown(sentence)}", file=sys.stderr, flush=True)
    for name, given in (("mask", options.mask), ("point", options.point), ("azimuth", options.azimuth is not None)):
        if given and (options.together or len(photos) != 1):
            raise ValueError(f"--{name} belongs to a single photo.")
    if options.mask and options.point:
        raise ValueError("--point says what to cut out, and --mask what was: give one of them.")
    if options.cutout_model not in ("", records.OWN_CUT_OUT):
        # The worker runs in another folder.
        options.cutout_model = str(Path(options.cutout_model).expanduser().absolute())
        if not Path(options.cutout_model).is_file():
            raise ValueError(f"There is no cut-out model {options.cutout_model}: name an ONNX file that is there.")
    if options.look == "photo" and options.materials == "parts":
        raise ValueError("--look photo needs the material with maps: leave --materials parts out.")
    if not photos:
        raise ValueError("There is no picture in " + ", ".join(options.inputs) + ".")
    if options.together:
        return [_item_of_all(photos, out, options)]
    names = batch_inputs.folder_names(photos, out, batch_run.reserved(options, out))
    return [_item(photo, (), out / name, options) for photo, name in zip(photos, names, strict=True)]


def _item(photo: Path, further: Sequence[Path], folder: Path, options: argparse.Namespace) -> batch_run.Item:
    record: dict[str, Any] = {"input": str(photo)}
    if further:
        record["inputs"] = [str(one) for one in (photo, *further)]
    mask = [Path(options.mask).expanduser().absolute()] if options.mask else []
    steps = functools.partial(_steps, photo, folder, options, further=further)
    return batch_run.Item(photo.name, str(photo), record, steps, (photo, *further, *mask), folder.name)


def _item_of_all(photos: Sequence[Path], out: Path, options: argparse.Namespace) -> batch_run.Item:
    """The one object that all photos show, of the name of the first. Raises ValueError with a sentence."""
    if len(photos) < 2:
        raise ValueError("--together makes one object of several photos: name two at least, or leave it out.")
    if options.shape != choices.SHAPES[0][0]:
        raise ValueError("--together makes an object with parts: leave out --shape surface.")
    (name,) = batch_inputs.folder_names(photos[:1], out, batch_run.reserved(options, out))
    return _item(photos[0], photos[1:], out / name, options)


def _steps(
    photo: Path,
    folder: Path,
    options: argparse.Namespace,
    record: dict[str, Any],
    show: batch_run.Show,
    further: Sequence[Path] = (),
) -> job.Steps:
    """Reconstructs one photo, or one object of further ones too, and writes its folder."""
    bundle, device = batch_run.bundle_and_device(options)
    request = records.ReconstructRequest(
        image_path=str(photo),
        mask_path=str(Path(options.mask).expanduser().absolute()) if options.mask else "",
        bundle=bundle,
        device=device,
        quality=options.quality,
        refine_steps=options.refine,
        cutout_model=options.cutout_model or preferences.cutout_model(),
        point=options.point,
        azimuth=None if options.azimuth is None else math.radians(options.azimuth),
        texture_size=options.texture_size,
        with_parts=options.shape == choices.SHAPES[0][0],
        further_paths=[str(path) for path in further],
    )
    result = yield session.request(request)
    used = [result.photo_path or request.image_path, *(one.path for one in result.further)]
    pictures_used = []
    for path in used:
        picture = yield session.request(
            protocol.PictureRequest(path), progress=records.Progress("Building the scene", 0.92)
        )
        pictures_used.append(picture.pixels)
    result.name = folder.name
    made = batch_run.write_scene(
        folder,
        result,
        pictures_used[0],
        options,
        record,
        show,
        str(photo),
        photo=pictures_used[0],
        photo_path=used[0],
        real_size=options.real_size,
        look=options.look,
        further_photos=pictures_used[1:],
    )
    # With the product's own mask, onto which refinement bends the shape: no measure of truth. The shorter name is for
    # readers of older reports.
    record["silhouette_iou_own_mask"] = record["silhouette_iou"] = result.silhouette_iou
    record["silhouette_iou_in_blender"] = round(preview.silhouette_iou(made.overlay, result.mask), 4)
    record.update(doubts(result, record["outputs"]))
    if further:
        record["photos"] = _photos(result, used[0])
    return ""


def _photos(result: records.Reconstruction, path: str) -> list[dict[str, Any]]:
    """Returns what a record says of each photo that an object was made from, of which the first lies at ``path``."""
    first = records.FurtherPhoto(
        result.name, path, result.image_width, result.image_height, result.camera, result.mask, result.silhouette_iou
    )
    return [
        {"input": one.path, **export.camera_record(one), "silhouette_iou_own_mask": one.silhouette_iou}
        for one in (first, *result.further)
    ]


def doubts(result: records.Reconstruction, outputs: dict[str, str]) -> dict[str, Any]:
    """Returns what a record says of the mask's origin and of how sure the direction is, with paths of pictures."""
    return {
        "mask_source": result.mask_source,
        "azimuth_deg": math.degrees(result.camera.azimuth),
        "provenance": result.provenance,
        "confidence": result.confidence,
        "evidence": result.evidence,
        "alternatives": [
            {
                "azimuth_deg": math.degrees(other.azimuth),
                "probability": other.probability,
                "picture": outputs.get(export.direction_key(number), ""),
            }
            for number, other in enumerate(result.alternatives, export.FIRST_ALTERNATIVE)
        ],
    }


def _point(text: str) -> list[float]:
    """Type of an option: two numbers with a comma between them."""
    point = [_finite(part) for part in text.split(",")]
    if len(point) != 2 or min(point) < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no place: give two numbers, such as 320,200")
    return point


def _finite(text: str) -> float:
    """Type of an option: a number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return value


def _size(text: str) -> float:
    """Type of an option: a length in metres."""
    value = _finite(text)
    if not SIZES[0] <= value <= SIZES[1]:
        raise argparse.ArgumentTypeError(f"{text} does not lie between {SIZES[0]:g} and {SIZES[1]:g} metres")
    return value
