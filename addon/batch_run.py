# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands over many items share: their options, what is refused before the first item, and the run itself.

One item's failure is one sentence on standard error and in the report; the others go on. The exit code is 0 if every
item gave a scene, 1 if one did not or the run could not go on, 2 if nothing could be begun, and 128 and the signal's
number where a signal ended it.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import bpy
import numpy as np

from . import (
    batch_inputs,
    batch_lock,
    batch_loop,
    batch_report,
    bundle_check,
    choices,
    composite,
    environment,
    export,
    preferences,
    preview,
    scene,
    session,
)
from .batch_loop import Item, Show
from .wire import bundle_files, client, protocol, records, version

__all__ = ["Item", "Parser", "Show", "add_options", "run"]

LARGEST_TEXTURE = 8192
MOST_SHARDS = 100_000
NO_SETTINGS = {
    "out", "report", "device", "python", "inputs", "words", "seeds", "skipped", "resume", "shard", "list", "lenient"
}  # fmt: skip
"""Options that do not decide what comes of an item: which items, where they go, and what makes them."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Prints the sentence and leaves with code 2."""
        self.exit(2, f"{self.prog}: {message}\n")


class IntermixedParser(Parser):
    """Takes words and options in any order."""

    def parse_args(self, args=None, namespace=None):
        """As usual."""
        return self.parse_intermixed_args(args, namespace)


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
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave out what the report says was made of the same content with the same settings, and is still there",
    )
    parser.add_argument(
        "--lenient", action="store_true", help="end with code 0 though items failed: the report tells which, and why"
    )
    parser.add_argument(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="make part I of N alone, for N machines; its report is report-I-of-N.json, and join makes one of them",
    )
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
    needs_backend: bool = False,
) -> int:
    """Runs a command with its arguments while the add-on is registered; returns the exit code.

    ``kind`` is the name of the report's list of records. ``items_of`` makes the items of the options and the output's
    folder, and raises ValueError with a sentence where nothing can be begun. ``repeat_sentences``: whether what is
    wrong with several items in a row, in the same words, is said again for each. ``needs_backend``: no item can be
    made without the backend, so that nothing is begun where it does not start.
    """
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:
        # argparse has said what is wrong, or shown the help; ending the process is the caller's business.
        return int(stop.code or 0)
    begun = False
    try:
        with batch_loop.Signals() as signals:
            prepare(options)
            out = Path(options.out).expanduser().absolute()
            items = items_of(options, out)
            path = report_path(options, out)
            _refuse_what_cannot_work(options, out, path, items)
            with batch_lock.locked(out, options.shard):
                report, left = _begin(parser, options, kind, path, items)
                if left and needs_backend:
                    _refuse_device(options)
                report.write(batch_report.RUNNING)
                begun = True
                with batch_loop.writing_end(report):
                    batch_loop.run_all(left, report, signals, repeat_sentences)
            code = _tell(report, len(_part(items, options.shard)), len(left))
            return 0 if options.lenient else code
    except (ValueError, OSError, environment.NoEnvironment, client.WorkerError, batch_loop.Halted) as error:
        return _refuse(parser, batch_inputs.shown(error), 1 if begun else 2)
    except batch_loop.Stopped as stop:
        return _refuse(parser, "Stopped; --resume goes on." if begun else "Stopped.", stop.code)
    finally:
        preferences.use_interpreter("")
        session.end_worker()


def prepare(options: argparse.Namespace) -> None:
    """Makes the shared options ready to use. Raises ValueError with a sentence."""
    # The worker runs in another folder. A folder of results may have the name of a bundle.
    if os.path.isdir(options.bundle) and (
        os.path.dirname(options.bundle) or os.path.isfile(os.path.join(options.bundle, bundle_files.CARD))
    ):
        options.bundle = os.path.abspath(options.bundle)
    if options.python:
        path = Path(options.python).expanduser().absolute()
        if not path.exists():
            raise ValueError(f"There is no interpreter {path}: give --python a Python or a virtual environment.")
        preferences.use_interpreter(str(path))


def report_path(options: argparse.Namespace, out: Path) -> Path:
    """Returns where the report of the whole run lies; that of a shard lies beside it."""
    return Path(options.report).expanduser().absolute() if options.report else out / batch_report.NAME


def reserved(options: argparse.Namespace, out: Path) -> list[str]:
    """Returns the names in ``out`` that no result may have."""
    path = report_path(options, out)
    return [path.name, batch_report.path_of(path, options.shard).name] if path.parent == out else []


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """Returns what decides, beside an item's own files, what comes of it: options, and the hash of the weights."""
    settings = {name: value for name, value in vars(options).items() if name not in NO_SETTINGS}
    settings["bundle"] = bundle_and_device(options)[0]
    if "cutout_model" in settings:
        settings["cutout_model"] = settings["cutout_model"] or preferences.cutout_model()
    settings["weights_sha256"] = _hash_of_bundle(settings["bundle"])
    return json.loads(json.dumps(settings))


def _refuse_what_cannot_work(options: argparse.Namespace, out: Path, path: Path, items: Sequence[Item]) -> None:
    """Raises ValueError with a sentence before anything is made."""
    for format_name in options.formats:
        if export.lacks(format_name):
            raise ValueError(f"This Blender was built without the format {format_name}: leave it out of --formats.")
    inputs = [file for item in items for file in item.files]
    refusal = (
        batch_report.refusal(batch_report.path_of(path, options.shard), inputs)
        or batch_inputs.refusal_of_path(out, (item.folder for item in items))
        or export.refusal_to_write(out)
        or export.refusal_to_write(path.parent)
    )
    if refusal:
        raise ValueError(refusal)
    bundle = bundle_and_device(options)[0]
    if not os.path.isabs(bundle) and bundle not in (known := bundle_check.at_hand()):
        raise ValueError(f"There is no weights bundle '{bundle}'; these are installed: {', '.join(sorted(known))}.")


def _part(items: Sequence[Item], shard: batch_lock.Shard | None) -> list[tuple[int, Item]]:
    """Returns the items of a shard, every N-th one, with their positions in the list of all, from 1."""
    numbered = list(enumerate(items, 1))
    return numbered if shard is None else numbered[shard[0] - 1 :: shard[1]]


def _begin(
    parser: Parser, options: argparse.Namespace, kind: str, path: Path, items: Sequence[Item]
) -> tuple[batch_report.Report, list[tuple[int, Item]]]:
    """Returns the report, with what is finished already, and what is left to do."""
    bundle, device = bundle_and_device(options)
    settings = settings_of(options)
    heading = {
        "command": parser.prog,
        "version": version.VERSION,
        "blender": bpy.app.version_string,
        "bundle": bundle,
        "device": device,
        "kind": kind,
        "settings": settings,
        "shard": "" if options.shard is None else "{}/{}".format(*options.shard),
        "items": len(items),
        "skipped": [{"path": str(file), "kind": kind_of} for file, kind_of in getattr(options, "skipped", [])],
    }
    report = batch_report.Report(batch_report.path_of(path, options.shard), kind, heading)
    wanted = _part(items, options.shard)
    if not options.resume:
        return report, wanted
    done = batch_report.finished(path, kind, settings)
    left = []
    for position, item in wanted:
        fitting = [one for one in done if all(one.get(key) == value for key, value in item.record.items())]
        content = batch_report.digest(item.files) if fitting else ""
        made = next((one for one in fitting if one.get("sha256") == content and (content or not item.files)), None)
        if made is None:
            left.append((position, item))
        else:
            report.keep(position, made)
    print(f"{len(wanted) - len(left)} of {len(wanted)} are done already", flush=True)
    return report, left


def start_backend() -> protocol.Ready:
    """Starts the worker; returns its handshake. Raises NoEnvironment or WorkerError with one sentence."""
    task = session.ReadyTask(session.worker())
    while not task.done:
        if not task.poll():
            time.sleep(client.IDLE_SECONDS)
    return task.outcome()


def _refuse_device(options: argparse.Namespace) -> None:
    """Starts the worker. Raises ValueError, NoEnvironment or WorkerError with a sentence."""
    ready = start_backend()
    device = bundle_and_device(options)[1]
    if device != "auto" and ready.devices and device not in {name.partition(":")[0] for name in ready.devices}:
        have = ", ".join(["auto", *ready.devices])
        raise ValueError(f"The device {device} is not available here: give --device one of {have}.")


def _tell(report: batch_report.Report, wanted: int, made: int) -> int:
    failed = report.failed
    print(f"{wanted - failed} of {wanted} done; report: {report.path}", flush=True)
    if made:
        print(f"{report.per_minute:.1f} a minute", flush=True)
    return 1 if failed else 0


def _hash_of_bundle(name: str) -> str:
    """Returns one hash of a bundle's networks and templates; empty where there is no such bundle."""
    folder = Path(name) if os.path.isabs(name) else bundle_check.at_hand().get(name)
    files = sorted(file for file in folder.glob("*.*") if file.suffix in (".safetensors", ".npz")) if folder else []
    return hashlib.sha256("".join(batch_report.digest([file]) for file in files).encode()).hexdigest() if files else ""


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
    owner: str,
    **settings: Any,
) -> preview.Preview:
    """Builds a result in an empty file and writes its folder; fills in the record. Returns the preview.

    ``picture`` (h, w, 3) uint8 stands first in the preview; ``owner`` is what camera.json says the folder was made
    from; ``settings`` go to :func:`scene.build`.
    """
    # The factory's empty file, so that a user's own start-up file has no say in what a batch makes.
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    target = bpy.context.scene
    built = scene.build(target, result, materials=options.materials, **settings)
    show(records.Progress("Rendering the preview", 0.94))
    more = {}
    with quietly(), preview.samples(getattr(options, "preview_samples", preview.SAMPLES)):
        made = preview.make(target, built, result, picture)
        if getattr(options, "composite", False):
            composite.add_ground(built)
            more["composite"] = composite.picture(target, built, result, picture)
    show(records.Progress("Writing", 0.98))
    with quietly():
        record["outputs"] = export.write_folder(
            folder, target, built, result, made.picture, options.formats, more, owner
        )
    record.update(export.camera_record(result))
    record["timings"] = result.timings
    record["warnings"] = result.warnings
    return made


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """What Blender itself prints while this is open, a line for every sample, is dropped: the progress lines remain.

    A signal waits for its end, see :func:`batch_loop.held`.
    """
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # a Blender on Windows without a console
        with batch_loop.held():
            yield
        return
    try:
        with open(os.devnull, "wb") as nothing, batch_loop.held():
            os.dup2(nothing.fileno(), 1)
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _refuse(parser: Parser, sentence: str, code: int) -> int:
    print(f"{parser.prog}: {sentence}", file=sys.stderr, flush=True)
    return code


def _shard(text: str) -> batch_lock.Shard:
    """Type of an option: a part and how many there are."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    part = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= part[0] <= part[1] <= MOST_SHARDS:
        raise argparse.ArgumentTypeError(f"{text!r} is no part of a run: give two numbers, such as 2/4")
    return part


def _formats(text: str) -> list[str]:
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in export.FORMATS]
    if unknown or not names:
        known = ", ".join(export.FORMATS)
        raise argparse.ArgumentTypeError(f"unknown format {', '.join(unknown) or 'of no name'}; known: {known}")
    return names
