# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands over many items share: their options, one scene and one sentence an item, and the report.

One item's failure is one sentence on standard error and in the report; the others go on. The exit code is 0 if every
item gave a scene, 1 if one did not, 2 if nothing could be begun.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import bpy
import numpy as np

from . import choices, composite, export, job, preferences, preview, scene, session
from .environment import INTERPRETER_VARIABLE
from .wire import files, records

REPORT_FORMAT = 1
LARGEST_TEXTURE = 8192
EXPORTERS = {"obj": "obj_export", "usd": "usd_export"}
"""Formats that a Blender may have been built without, and their operators in ``bpy.ops.wm``."""

Show = Callable[[records.Progress], None]


@dataclass(frozen=True)
class Item:
    """One thing to make a scene of."""

    title: str
    """Name of the item in progress lines."""
    source: str
    """Words that sentences about the item begin with."""
    record: dict[str, Any]
    """First fields of the item's record in the report."""
    steps: Callable[[dict[str, Any], Show], job.Steps]
    """Function that makes and writes the item, and fills in the record as far as it comes."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Prints the sentence and leaves with code 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def add_options(parser: Parser, item: str) -> None:
    """Adds the options that the commands share; ``item`` is what each folder of the output is for."""
    parser.add_argument("--out", required=True, metavar="DIR", help=f"gets a folder for each {item}")
    parser.add_argument("--bundle", default="", metavar="NAME", help="weights: a name or a folder (default: car)")
    parser.add_argument(
        "--formats",
        default="blend,glb",
        type=_formats,
        metavar="LIST",
        help=f"of {','.join(export.FORMATS)}, with commas (default: blend,glb)",
    )
    parser.add_argument("--device", default="", choices=("auto", "cpu", "cuda", "mps"), help="where the networks run")
    parser.add_argument(
        "--materials",
        default=choices.MATERIALS[0][0],
        choices=[name for name, _, _ in choices.MATERIALS],
        help="of objects with parts: one material with a texture and maps of roughness and metallic, or a "
        "plain one for each of paint, glass and so on; others have the texture either way (default: maps)",
    )
    parser.add_argument("--report", default="", metavar="FILE", help="the report (default: DIR/report.json)")
    parser.add_argument("--python", default="", metavar="PATH", help="interpreter with torch for the backend")


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Returns a type of options: whole numbers from ``least`` on."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        if most is not None and value > most:
            raise argparse.ArgumentTypeError(f"{value} is more than {most}")
        return value

    return number


def run(
    parser: Parser,
    arguments: Sequence[str],
    kind: str,
    items_of: Callable[[argparse.Namespace, Path], list[Item]],
    repeat_sentences: bool = True,
) -> int:
    """Runs a command with its arguments while the add-on is registered; returns the exit code.

    ``kind`` is the name of the report's list of records. ``items_of`` makes the items of the options and the output's
    folder, and raises ValueError with a sentence where nothing can be begun. ``repeat_sentences``: whether what is
    wrong with several items in a row, in the same words, is said again for each.
    """
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:
        # argparse has said what is wrong, or shown the help; ending the process is the caller's business.
        return int(stop.code or 0)
    prepare(options)
    out = Path(options.out).expanduser().absolute()
    report_path = Path(options.report).expanduser().absolute() if options.report else out / "report.json"
    try:
        items = items_of(options, out)
        for format_name in options.formats:
            if format_name in EXPORTERS and EXPORTERS[format_name] not in dir(bpy.ops.wm):
                raise ValueError(f"This Blender was built without the format {format_name}: leave it out of --formats.")
        refusal = export.refusal_to_write(out) or export.refusal_to_write(report_path.parent)
        if refusal:
            raise ValueError(refusal)
        report = _run_all(items, kind, options, report_path, repeat_sentences)
    except ValueError as error:
        return _refuse(parser, str(error), 2)
    except KeyboardInterrupt:
        return _refuse(parser, "Stopped.", 130)
    finally:
        session.end_worker()
    failed = sum(1 for record in report[kind] if record["error"])
    print(f"{len(items) - failed} of {len(items)} done; report: {report_path}", flush=True)
    return 1 if failed else 0


def prepare(options: argparse.Namespace) -> None:
    """Makes the shared options ready to use."""
    if os.path.isdir(options.bundle):  # the worker runs in another folder
        options.bundle = os.path.abspath(options.bundle)
    if options.python:
        os.environ[INTERPRETER_VARIABLE] = options.python


def bundle_and_device(options: argparse.Namespace) -> tuple[str, str]:
    """Returns the bundle and the device that the options stand for."""
    return preferences.bundle(options.bundle or choices.DEFAULT), preferences.device(options.device or choices.DEFAULT)


def write_scene(
    folder: Path,
    result: records.Reconstruction,
    picture: np.ndarray,
    options: argparse.Namespace,
    record: dict[str, Any],
    show: Show,
    **settings: Any,
) -> preview.Preview:
    """Builds a result in an empty file and writes its folder; fills in the record. Returns the preview.

    ``picture`` (h, w, 3) uint8 stands first in the preview; ``settings`` go to :func:`scene.build`.
    """
    # The factory's empty file, so that a user's own start-up file has no say in what a batch makes.
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    target = bpy.context.scene
    built = scene.build(target, result, materials=options.materials, **settings)
    show(records.Progress("Rendering the preview", 0.94))
    more = {}
    with quietly():
        made = preview.make(target, built, result, picture)
        if getattr(options, "composite", False):
            composite.add_ground(built)
            more["composite"] = composite.picture(target, built, result, picture)
    show(records.Progress("Writing", 0.98))
    with quietly():
        record["outputs"] = export.write_folder(folder, target, built, result, made.picture, options.formats, more)
    record.update(export.camera_record(result))
    record["timings"] = result.timings
    record["warnings"] = result.warnings
    return made


def _run_all(
    items: list[Item], kind: str, options: argparse.Namespace, report_path: Path, repeat_sentences: bool
) -> dict[str, Any]:
    """Makes all items; the report is written after each, so that one of a run that was stopped tells what was done."""
    bundle, device = bundle_and_device(options)
    report: dict[str, Any] = {
        "format": REPORT_FORMAT,
        "blender": bpy.app.version_string,
        "bundle": bundle,
        "device": device,
        kind: [],
    }
    said = ""
    for number, item in enumerate(items, 1):
        label = f"[{number}/{len(items)}] {item.title}"
        record: dict[str, Any] = {**item.record, "outputs": {}, "error": None}
        began = time.perf_counter()
        try:
            _run_one(item, record, label)
        except job.EXPECTED_ERRORS as error:
            record["error"] = str(error)
        except RuntimeError as error:  # how Blender's own operators fail, such as an exporter
            record["error"] = f"Blender could not write the result: {str(error).strip().splitlines()[-1]}"
        except Exception as error:
            # The others go on after a mistake of ours too: Blender would end such a run with exit code 0.
            traceback.print_exc()
            summary = " ".join(str(error).split())[:200]
            record["error"] = f"Unrender made a mistake ({type(error).__name__}: {summary})."
        if record["error"] and (repeat_sentences or record["error"] != said):
            print(f"{item.source}: {record['error']}", file=sys.stderr, flush=True)
        said = record["error"] or ""
        record["seconds"] = round(time.perf_counter() - began, 3)
        report[kind].append(record)
        try:
            files.write_json(report_path, report)
        except OSError as error:
            raise ValueError(f"The report {report_path} cannot be written: {error.strerror or error}.") from error
    return report


def _run_one(item: Item, record: dict[str, Any], label: str) -> None:
    print(label, flush=True)
    shown = [""]

    def show(progress: records.Progress) -> None:
        if progress.stage != shown[0]:
            shown[0] = progress.stage
            print(f"{label}  {100 * progress.fraction:3.0f} %  {progress.stage}", flush=True)

    job.run_blocking(item.steps(record, show), show)


@contextmanager
def quietly() -> Iterator[None]:
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


def _refuse(parser: Parser, sentence: str, code: int) -> int:
    print(f"{parser.prog}: {sentence}", file=sys.stderr, flush=True)
    return code


def _formats(text: str) -> list[str]:
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in export.FORMATS]
    if unknown or not names:
        known = ", ".join(export.FORMATS)
        raise argparse.ArgumentTypeError(f"unknown format {', '.join(unknown) or 'of no name'}; known: {known}")
    return names
