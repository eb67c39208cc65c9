# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render a dataset of objects with masks, cameras, light and meshes.

    blender -b -P scripts/render_dataset.py -- --out DIR --objects N --views M --resolution R [--seed S] [--meshes DIR]
    python scripts/render_dataset.py -- ...          where the bpy package is installed

Objects that are already there are kept, so a run that was stopped goes on where it was. The program imports `bpy` and
never torch; with --workers 2 it starts a second copy of itself.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
import command_line
from dataset import sheet
from dataset.imported import AXES, MeshFileError, find_meshes, import_mesh, skipped_models, turn
from dataset.objects import LOOKS, DatasetConfig, ObjectRenderer, is_done, refuse, source_of, write_index
from tqdm import tqdm


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> None:
        """Print the sentence and leave with code 2."""
        self.exit(2, f"render_dataset: {message}\n")


def joined_axes(arguments: list[str]) -> list[str]:
    """Return arguments with `--front -Y` written as `--front=-Y`, which argparse does not take for an option."""
    result: list[str] = []
    for argument in arguments:
        if result and result[-1] in ("--up", "--front"):
            result[-1] += f"={argument}"
        else:
            result.append(argument)
    return result


def make_parser() -> Parser:
    """Return the parser of this program's options."""
    parser = Parser(prog="render_dataset", description="Render objects with masks, cameras, light and meshes.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the dataset")
    parser.add_argument("--objects", type=int, help="number of objects (default: all files of --meshes)")
    parser.add_argument("--views", type=int, default=8, help="pictures of each object")
    parser.add_argument("--resolution", type=int, default=128, help="width and height of a picture")
    parser.add_argument("--seed", type=int, default=0, help="object k depends on the seed and k alone")
    parser.add_argument("--meshes", type=Path, help="folder of .glb, .gltf and .obj models to render instead of cars")
    parser.add_argument(
        "--up",
        choices=AXES,
        default="Z",
        type=str.upper,
        help="the axis that is up in the models, as Blender imports them (default Z)",
    )
    parser.add_argument(
        "--front",
        choices=AXES,
        type=str.upper,
        help="the axis that the models' fronts look along, as Blender imports them (default -Y)",
    )
    parser.add_argument(
        "--category",
        help="name in dataset.json, by which training chooses the shape it starts from "
        "(default: car, or object with --meshes)",
    )
    parser.add_argument("--samples", type=int, default=8, help="Cycles samples a pixel")
    parser.add_argument("--workers", type=int, default=0, help="processes (default: one a core, at most 8)")
    parser.add_argument("--contact-sheet", type=Path, help="also write a picture of objects by views")
    parser.add_argument(
        "--sheet-truth",
        action="store_true",
        help="below each picture of the contact sheet also coordinates and parts as colours",
    )
    parser.add_argument(
        "--shared-cameras",
        action="store_true",
        help="the same cameras for all objects, as view codes give them; from the seed",
    )
    parser.add_argument(
        "--look",
        choices=LOOKS,
        default="streets",
        help="streets with walls and parked cars, or a studio's plain backdrop and tame cameras",
    )
    parser.add_argument(
        "--truth",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also write the coordinate and the part that every pixel shows (truth.npz)",
    )
    parser.add_argument("--worker-index", type=int, default=None, help=argparse.SUPPRESS)
    return parser


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Return the checked command line; leaves the program on a wrong one."""
    parser = make_parser()
    options = parser.parse_args(joined_axes(arguments))
    if options.category is None:
        options.category = "car" if options.meshes is None else "object"
    if options.objects is None and options.meshes is None:
        parser.error("say how many cars to render with --objects N.")
    for name, low, high in (("objects", 1, 999_999), ("views", 1, 100), ("resolution", 16, 4096), ("samples", 1, 4096)):
        value = getattr(options, name)
        if value is not None and not low <= value <= high:
            parser.error(f"--{name} must lie between {low} and {high}, not {value}.")
    if options.seed < 0 or options.workers < 0:
        parser.error("--seed and --workers must not be negative.")
    if options.meshes is not None and not options.meshes.is_dir():
        parser.error(f"--meshes: there is no folder {options.meshes}.")
    try:
        turn(options.up, options.front)
    except ValueError as error:
        parser.error(f"--up, --front: {error}.")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        probe = options.out / f".writable_{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        parser.error(f"cannot write to {options.out}: {error.strerror}.")
    return options


def start_worker(arguments: list[str], index: int, workers: int) -> subprocess.Popen:
    """Start another copy of this program that renders every `workers`-th object."""
    program = [bpy.app.binary_path, "-b", "-P"] if bpy.app.binary_path else [sys.executable]
    extra = ["--workers", str(workers), "--worker-index", str(index)]
    return subprocess.Popen(
        [*program, str(Path(__file__).resolve()), "--", *arguments, *extra], stdout=subprocess.DEVNULL
    )


def render_share(config: DatasetConfig, indices: list[int], threads: int, files: list[Path]) -> list[str]:
    """Render the objects in `indices` that are missing; return one sentence for each that failed."""
    missing = [index for index in indices if not is_done(config.out, index, config.truth)]
    if not missing:
        return []
    renderer = ObjectRenderer(config, threads)
    failures = []
    for index in missing:
        if not files:
            renderer.render_car(index)
            continue
        try:
            model = import_mesh(files[index], turn(config.up, config.front))
        except MeshFileError as error:
            failures.append(str(error))
            refuse(config.out, index, files[index].name, str(error))
            continue
        renderer.render_model(index, model, files[index].name)
    return failures


def watch(config: DatasetConfig, total: int, start: Callable[[int], subprocess.Popen], count: int) -> int:
    """Run `count` workers to their end with a progress bar; return the largest exit code.

    A worker that a signal ended (out of memory, a fault inside the renderer) is started again, for what it had written
    stays; three such ends without an object in between, and the run has failed.
    """
    workers = [start(index) for index in range(count)]
    faults = 0
    waiting = [index for index in range(total) if not is_done(config.out, index, config.truth)]
    bar = tqdm(
        total=total * config.views,
        initial=(total - len(waiting)) * config.views,
        unit="image",
        mininterval=1.0,
        desc="render",
        smoothing=0.05,
    )
    try:
        while True:
            codes = [worker.poll() for worker in workers]
            still = [index for index in waiting if not is_done(config.out, index, config.truth)]
            bar.update((len(waiting) - len(still)) * config.views)
            faults = 0 if len(still) < len(waiting) else faults
            waiting = still
            for index, code in enumerate(codes):
                if code is not None and code < 0 and faults < 3:
                    faults += 1
                    print(
                        f"render_dataset: worker {index} was ended by signal {-code}; starting it again.",
                        file=sys.stderr,
                    )
                    workers[index], codes[index] = start(index), None
            if None not in codes:
                return max(abs(code) for code in codes)
            time.sleep(0.5)
    finally:
        bar.close()
        for worker in workers:
            if worker.poll() is None:
                worker.terminate()


def main() -> int:
    """Run the program; return its exit code."""
    arguments = command_line.own_arguments(sys.argv)
    options = parse_arguments(arguments)
    files = find_meshes(options.meshes) if options.meshes else []
    if options.meshes and options.worker_index is None and (skipped := skipped_models(options.meshes)):
        names = ", ".join(path.name for path in skipped)
        print(f"render_dataset: skipped what is no .glb, .gltf or .obj file: {names}.", file=sys.stderr)
    if options.meshes and not files:
        print(f"render_dataset: {options.meshes} holds no .glb, .gltf or .obj file.", file=sys.stderr)
        return 2
    total = min(options.objects or len(files), len(files)) if files else options.objects
    config = DatasetConfig(
        options.out,
        total,
        options.views,
        options.resolution,
        options.seed,
        options.samples,
        options.meshes,
        options.shared_cameras,
        options.look,
        options.truth,
        options.up,
        options.front,
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = min(options.workers or min(cores, 8), total)
    if options.worker_index is not None:
        if cores == options.workers and hasattr(os, "sched_setaffinity"):
            # The denoiser takes every core it may use, whatever Cycles is told; one core each keeps workers apart.
            os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[options.worker_index]})
        failures = render_share(config, list(range(total))[options.worker_index :: options.workers], 1, files)
        for sentence in failures:
            print(f"render_dataset: {sentence}", file=sys.stderr)
        return 1 if failures else 0
    for index, file in enumerate(files[:total]):
        if (source := source_of(config.out, index)) not in (None, file.name):
            print(
                f"render_dataset: {options.out} holds {source} where the models now give {file.name}; choose another "
                "--out.",
                file=sys.stderr,
            )
            return 2
    write_index(config, options.category)
    # One process with one thread for each core beats one process with many threads: small pictures spend much of
    # their time in Blender's own single-threaded bookkeeping.
    code = watch(config, total, lambda index: start_worker(arguments, index, count), count)
    write_index(config, options.category)
    if options.contact_sheet:
        sheet.contact_sheet(config.out, options.contact_sheet, total, truth=options.sheet_truth and config.truth)
    return min(code, 1)


if __name__ == "__main__":
    sys.exit(main())
