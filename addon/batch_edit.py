# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects and photos with values of handles to scene files and pictures, without a window: scripts/edit.py."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import (
    batch,
    batch_inputs,
    batch_run,
    choices,
    contact_sheet,
    edit_sources,
    edit_swaps,
    export,
    handle_tools,
    handles,
    job,
    named_handles,
    neural_render,
    parts,
    pixels,
    preferences,
    preview,
    proportions,
    repaint,
    scene,
    session,
    strips,
)
from .wire import protocol, records

LARGEST_SEED = 2**31 - 1

Asked = Generator[job.Task, Any, Any]
"""Part of an item's steps."""


@dataclass
class Edited:
    """An object that is being edited, in the open file."""

    owner: bpy.types.Object
    device: str
    """Where the networks run."""
    background: np.ndarray | None = None
    """(h, w, 4) uint8 behind it in neural renders; None: its own colour."""

    def request(self, owner: bpy.types.Object) -> records.NeuralRenderRequest:
        """Returns the request for a neural render of the object as it is now."""
        return neural_render.request_of(owner, self.background, self.device)


def parser(with_out: bool = True) -> batch_run.Parser:
    """Returns the options of the command; ``with_out``: --out has to be there."""
    result = batch_run.IntermixedParser(
        prog="edit",
        description="Moves the handles of objects that were made before, or of those in photos, and writes what comes "
        "of it. NAME=VALUE gives a handle a value, such as cabin=0.2, azimuth_deg=30 or paint=#a01020; --list tells "
        "which there are.",
    )
    result.add_argument(
        "words",
        nargs="+",
        metavar="OBJECT_OR_PHOTO | NAME=VALUE",
        help="scene files, SCENE.blend/OBJECT, photos, folders of these; values of handles",
    )
    batch_run.add_options(result, "object")
    next(action for action in result._actions if action.dest == "out").required = with_out
    result.add_argument("--list", action="store_true", help="print the objects' handles with values and ranges")
    result.add_argument(
        "--quality",
        default=choices.DEFAULT_QUALITY,
        choices=records.QUALITIES,
        help=f"how much work the object in a photo is worth (default: {choices.DEFAULT_QUALITY})",
    )
    result.add_argument(
        "--turntable",
        type=batch_run.whole_number(2, strips.MOST_FRAMES),
        default=0,
        metavar="N",
        help="also a picture of the object from N sides",
    )
    result.add_argument(
        "--strip",
        action="append",
        default=[],
        metavar="NAME=A..B:N",
        help="also a picture of the object at N positions of a handle, such as azimuth=-180..180:7; may be repeated",
    )
    result.add_argument(
        "--neural", action="store_true", help="also StyleGAN-R's pictures, of the object and of turntable and strips"
    )
    result.add_argument(
        "--swap",
        nargs="+",
        action="extend",
        default=[],
        metavar="KIND=FILE",
        help="shape, texture or background of another object or photo, such as shape=van.jpg texture=red/scene.blend",
    )
    result.add_argument("--randomise", action="store_true", help="draw shape and colours anew before values are set")
    result.add_argument(
        "--repaint",
        action="store_true",
        help="paint windows, doors and lamps anew for the edited shape; --randomise and --swap shape=FILE do so anyway",
    )
    result.add_argument(
        "--seed",
        type=batch_run.whole_number(0, LARGEST_SEED),
        default=0,
        metavar="S",
        help="what --randomise draws from: the same number gives the same object (default: 0)",
    )
    return result


def run(arguments: Sequence[str]) -> int:
    """Runs the command with its arguments; returns the exit code."""
    if "--list" in arguments:
        return _list(arguments)
    return batch_run.run(parser(), arguments, "objects", _items)


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the words that stand for objects and photos, and those that give a handle a value."""
    inputs = [word for word in words if "=" not in word or Path(word).expanduser().exists()]
    return inputs, [word for word in words if word not in inputs]


def _items(options: argparse.Namespace, out: Path) -> list[batch_run.Item]:
    inputs, values = split(options.words)
    if not inputs:
        raise ValueError("Name an object or a photo to edit beside the values of handles.")
    moved = [strips.parse(text) for text in options.strip]
    bundle, device = batch_run.bundle_and_device(options)
    swaps = edit_swaps.Swaps(edit_swaps.parse(options.swap), bundle, device, functools.partial(_made, options))
    sources = list(dict.fromkeys(source for text in inputs for source in edit_sources.sources_of(text)))
    if not sources:
        raise ValueError("There is no object and no picture in " + ", ".join(inputs) + ".")
    _check_handles(sources, values, moved, options)
    for source in sources:
        if source.path == out / source.name / edit_sources.SCENE:
            raise ValueError(f"{source.path} would be overwritten: choose another folder with --out.")
    options.values = values
    owners = [source.owner for source in sources]
    names = batch_inputs.folder_names(
        [source.place for source in sources], out, batch_run.reserved(options, out), owners
    )
    given = [source.path for source in swaps.sources.values()]
    return [
        batch_run.Item(
            source.name,
            str(source.path),
            {"input": str(source.path), "object": source.object},
            functools.partial(_steps, source, out / name, options, values, moved, swaps),
            (source.path, *given),
            name,
        )
        for source, name in zip(sources, names, strict=True)
    ]


def _check_handles(
    sources: Sequence[edit_sources.Source],
    values: Sequence[str],
    moved: Sequence[strips.Strip],
    options: argparse.Namespace,
) -> None:
    """Raises ValueError if no object has what is asked for; what one of several lacks is said when its turn comes."""
    sentence = ""
    for source in sources:
        try:
            known = _handles_of(source, options)
        except ValueError:
            return  # its own sentence comes with its turn
        try:
            named_handles.parse(values, known)
            for strip in moved:
                strips.handle_of(strip, known)
        except ValueError as error:
            sentence = sentence or str(error)
        else:
            return
    raise ValueError(sentence)


def _handles_of(source: edit_sources.Source, options: argparse.Namespace) -> list[named_handles.Handle]:
    if source.is_scene:
        return named_handles.of_object(edit_sources.open_scene(source))
    return named_handles.of_bundle(batch_run.bundle_and_device(options)[0])


def _steps(
    source: edit_sources.Source,
    folder: Path,
    options: argparse.Namespace,
    values: Sequence[str],
    moved: Sequence[strips.Strip],
    swaps: edit_swaps.Swaps,
    record: dict[str, Any],
    show: batch_run.Show,
) -> job.Steps:
    """Edits one object and writes its folder."""
    yield from swaps.prepare()
    edited = yield from _object_of(source, folder.name, options, record)
    owner = edited.owner
    known = named_handles.of_object(owner)
    wanted = named_handles.parse(values, known)
    for strip in moved:
        strips.handle_of(strip, known)
    reason = neural_render.refusal(owner) if options.neural else ""
    if reason:
        raise ValueError(f"{reason}.")
    swaps.apply(owner)
    if swaps.background is not None:
        edited.background = swaps.background
    if options.randomise:
        handle_tools.randomise(owner, options.seed)
    named_handles.apply(owner, wanted)
    if any(handle.where == "background" for handle in wanted):
        edited.background = None
    if options.repaint or options.randomise or swaps.gives_shape_alone():
        yield from _repaint(edited, options.repaint)
    record["handles"] = named_handles.as_json({one: named_handles.read(owner, one) for one in known})
    more = yield from _pictures(edited, options, moved, show)
    _write(folder, source, owner, options, more, record, show)
    return ""


def _repaint(edited: Edited, asked_for: bool) -> Asked:
    """Paints the markings of an object's shape. Raises ValueError where that was asked for and cannot be."""
    owner = edited.owner
    reason = repaint.refusal(owner)
    if reason and asked_for:
        raise ValueError(reason)
    if reason or not repaint.is_stale(owner):
        return
    request = repaint.request_of(owner, edited.device)
    result = yield session.request(request)
    repaint.apply(owner, request.code, result)


def _object_of(source: edit_sources.Source, name: str, options: argparse.Namespace, record: dict[str, Any]) -> Asked:
    """Opens the object of a scene file, or makes that of a photo in an empty one; returns it as :class:`Edited`."""
    if source.is_scene:
        return Edited(edit_sources.open_scene(source), batch_run.bundle_and_device(options)[1])
    return (yield from _made(options, source, name, record))


def _made(
    options: argparse.Namespace, source: edit_sources.Source, name: str, record: dict[str, Any] | None = None
) -> Asked:
    """Makes the object of a photo in an empty file; returns it as :class:`Edited`."""
    bundle, device = batch_run.bundle_and_device(options)
    result = yield session.request(
        records.ReconstructRequest(
            image_path=str(source.path),
            bundle=bundle,
            device=device,
            quality=options.quality,
            cutout_model=preferences.cutout_model(),
        )
    )
    path = result.photo_path or str(source.path)
    picture = yield session.request(protocol.PictureRequest(path), progress=records.Progress("Building the scene", 0.9))
    result.name = name
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    built = scene.build(bpy.context.scene, result, photo=picture.pixels, photo_path=path, materials=options.materials)
    if record is not None:
        record["timings"], record["warnings"] = result.timings, result.warnings
        record["silhouette_iou_own_mask"] = result.silhouette_iou
        record.update(batch.doubts(result, {}))
    return Edited(built.object, device, edit_sources.square_background(picture.pixels, result.mask))


def _pictures(
    edited: Edited, options: argparse.Namespace, moved: Sequence[strips.Strip], show: batch_run.Show
) -> Asked:
    """Returns the turntable, the strips and the neural renders by the names of their files without ending."""
    owner = edited.owner
    target = bpy.context.scene
    made: dict[str, np.ndarray] = {}
    ask = edited.request if options.neural else None
    if options.neural:
        answer = yield session.request(edited.request(owner))
        made["neural"], made["neural-drawn"] = answer.picture, answer.drawn
    wanted: dict[str, strips.Frames] = {}
    if options.turntable:
        show(records.Progress("Rendering the turntable", 0.92))
        with batch_run.quietly():
            wanted["turntable"] = strips.around(target, owner, options.turntable, ask)
    for strip in moved:
        show(records.Progress(f"Rendering the strip of {strip.name}", 0.93))
        if owner.unrender.camera is None:
            raise ValueError(f"The camera of {owner.name} was deleted, so there is no strip of what it sees.")
        view = edit_sources.view_of(owner)
        with batch_run.quietly():
            frames = strips.along(target, owner, view, strip, ask)
        wanted[_file_of(strip, wanted)] = frames
    for name, frames in wanted.items():
        below = []
        for request in frames.requests:
            answer = yield session.request(request)
            below.append(answer.picture)
        made[name] = strips.sheet(frames.pictures, below)
    return made


def _file_of(strip: strips.Strip, taken: dict[str, Any]) -> str:
    """Returns the name of a strip's file: that of its handle, with a number where it has several strips."""
    stem = f"strip-{named_handles.key_of(strip.name)}"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    return name


def _write(
    folder: Path,
    source: edit_sources.Source,
    owner: bpy.types.Object,
    options: argparse.Namespace,
    more: dict[str, np.ndarray],
    record: dict[str, Any],
    show: batch_run.Show,
) -> None:
    """Renders the preview and writes the folder of an object; fills in the record."""
    state, target = owner.unrender, bpy.context.scene
    if state.camera is None:
        raise ValueError(f"The camera of {owner.name} was deleted, and the preview looks through it.")
    texture, photo = handles.texture_of(owner), edit_sources.photo_of(owner)
    kept = {} if texture is None else {"texture": pixels.to_bytes(pixels.read(texture)[..., :3])}
    built = scene.Built(
        owner.users_collection[0], owner, state.camera, target.world, texture, tuple(parts.turning(owner))
    )
    view = edit_sources.view_of(owner)
    if photo is not None:
        beside = pixels.to_bytes(pixels.read(photo)[..., :3])
    else:
        beside = contact_sheet.texture_sheet(kept.get("texture", np.zeros((2, 2, 3), np.uint8)))
    show(records.Progress("Rendering the preview", 0.94))
    with batch_run.quietly():
        made = preview.make(target, built, view, beside)
    show(records.Progress("Writing", 0.98))
    with batch_run.quietly():
        camera = {**export.view_file(built, view, state.bundle), export.OWNER: source.owner}
        record["outputs"] = export.write_files(
            folder, built, folder.name, camera, {**kept, "preview": made.picture, **more}, options.formats
        )
    record.update(export.camera_record(view))
    record["real_size"] = round(proportions.code_of(owner)[1] if parts.has_parts(owner) else state.real_size, 4)


def _list(arguments: Sequence[str]) -> int:
    """Prints the handles of the objects that the arguments name; returns the exit code."""
    made = parser(with_out=False)
    try:
        options = made.parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    batch_run.prepare(options)
    failed = False
    try:
        for text in split(options.words)[0]:
            for source in edit_sources.sources_of(text):
                try:
                    edited = job.run_blocking(_object_of(source, source.name, options, {}))
                    print(f"{source.name} ({source.path})", flush=True)
                    print(table(edited.owner), flush=True)  # type: ignore[attr-defined]
                except job.EXPECTED_ERRORS as error:
                    failed = True
                    print(f"{source.path}: {error}", file=sys.stderr, flush=True)
    finally:
        session.end_worker()
    return 1 if failed else 0


def table(owner: bpy.types.Object) -> str:
    """Returns a line for each handle of an object: its name, its value and its range."""
    lines = []
    for handle in named_handles.of_object(owner):
        value = named_handles.read(owner, handle)
        shown = value if isinstance(value, str) else f"{value:.4g}"
        lines.append(f"  {handle.name:22} {shown:>10}   {handle.range}")
    return "\n".join(lines)
