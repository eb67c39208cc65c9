# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains one of Unrender's networks.

    python -m backend.commands.train TASK --data PATH --out RUN [--preset small] [--resume] [key=value ...]
    python -m backend.commands.train category --photos DIR --out RUN [--masks DIR] [--cutout-model FILE] [--resume]

``key=value`` changes one setting of the preset; dots reach inside (loop.steps=2000 weights.colour=10). What was asked
for, which process does it and how it ended stand in the run's ``run.json``; a file ``stop`` there has it save and stop.
The exit code is 3 where a person has to do something before the run can go on.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from ..common import processes, run_files
from ..common.progress import json_lines
from .entry import guarded, use_threads

PROGRAM = "train.py"
PERSON_NEEDED = 3
"""The exit code of a run that waits for a person."""
CATEGORY = "category"
TASKS = {
    CATEGORY: "training.category.task",
    "disentangle": "training.disentangle.task",
    "gan3d": "training.gan3d.task",
    "inverse-graphics": "training.inverse_graphics.known_cameras",
    "parts": "training.parts.task",
    "segmenter": "training.segmenter",
    "stylegan2": "training.stylegan2",
    "views": "gan_views.search",
}
"""Modules of the backend with ``PRESETS`` and ``train``, by the task's name on the command line."""
FREE_CAMERAS = "training.inverse_graphics.free_cameras"
"""Takes inverse-graphics over where the data's cameras are not known."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Trains one of Unrender's networks.")
    parser.add_argument("task", choices=TASKS, help="what to train")
    parser.add_argument(
        "--data",
        "--photos",
        type=Path,
        required=True,
        help="folder made by scripts/render_dataset.py; for stylegan2 and gan3d also any folder or zip of images; for "
        "views a generator: a bundle's name or folder, a run's folder, or a file; for parts also -, for no renders; "
        "for category photographs",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: checkpoints, logs, pictures")
    parser.add_argument(
        "--preset",
        default="small",
        help="tiny, small (two CPU cores), medium (a GPU) or full; "
        "for stylegan2 also small128, begun from small's weights",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    parser.add_argument(
        "--progress",
        choices=("bar", "json", "file"),
        default="bar",
        help="a bar, lines of JSON for another program, or progress.json in the run's folder",
    )
    parser.add_argument("--while-runs", type=int, default=0, metavar="PID", help="save and stop when that process ends")
    parser.add_argument("--masks", type=Path, metavar="DIR", help="category: a mask NAME.png for each photograph")
    parser.add_argument("--cutout-model", type=Path, metavar="FILE", help="category: ONNX network that makes the masks")
    parser.add_argument(
        "--accept-guesses", action="store_true", help="category: go on with guessed sides instead of asking a person"
    )
    parser.add_argument("settings", nargs="*", metavar="key=value", help="changes of the preset's settings")
    options = parser.parse_intermixed_args(arguments)
    if options.task != CATEGORY and (options.masks or options.cutout_model or options.accept_guesses):
        parser.error(f"--masks, --cutout-model and --accept-guesses are for {CATEGORY} alone")
    return options


def main(arguments: list[str]) -> int:
    """Trains, and prints the last figures; returns the exit code."""
    options = parse(arguments)
    return guarded(
        PROGRAM,
        lambda: run(options),
        errors=(FloatingPointError,),
        stopped="Stopped; --resume goes on from the last checkpoint.",
        waiting=PERSON_NEEDED,
    )


def run(options: argparse.Namespace) -> int:
    """Trains as the options say. Raises UnrenderError, ValueError, OSError or FloatingPointError with one sentence."""
    from ..training.settings import changed
    from ..weights.bundle import choose_device

    use_threads(options.threads)
    presets, train = load_task(options.task, options.data)
    if options.preset not in presets:
        raise ValueError(f"{options.task} has no preset '{options.preset}'; choose one of {', '.join(presets)}.")
    config = presets[options.preset]
    for setting in [*of_category(options), *options.settings]:
        config = changed(config, setting)
    device = choose_device(options.device)
    with kept_record(options), watched(options), shown(options):
        figures = train(config, options.data, options.out, resume=options.resume, device=device)
    print("  ".join(f"{name}={value:.4g}" for name, value in figures.items()))
    return 0


def of_category(options: argparse.Namespace) -> list[str]:
    """Returns the options of a category as settings."""
    named = {"masks": options.masks, "cutout_model": options.cutout_model}
    settings = [f"{name}={Path(path).absolute()}" for name, path in named.items() if path]
    return settings + (["accept_guesses=true"] if options.accept_guesses else [])


def kept_record(options: argparse.Namespace) -> AbstractContextManager[None]:
    """Keeps the run's record while it is open; of several processes that train together the first alone does."""
    if int(os.environ.get("RANK", "0")):
        return nullcontext()
    record = run_files.RunRecord(
        options.task,
        str(options.data.absolute() if options.data.exists() else options.data),  # a bundle's name, or - for none
        options.preset,
        tuple(options.settings),
        tuple(words_of_category(options)),
        options.device,
    )
    return run_files.recorded(options.out, record)


def words_of_category(options: argparse.Namespace) -> list[str]:
    """Returns the options of a category as words of a command line."""
    named = {"--masks": options.masks, "--cutout-model": options.cutout_model}
    words = [word for name, path in named.items() if path for word in (name, str(Path(path).absolute()))]
    return words + (["--accept-guesses"] if options.accept_guesses else [])


def watched(options: argparse.Namespace) -> AbstractContextManager[None]:
    """While it is open, the run stops when its folder or the process that it belongs to says so."""
    birth = processes.birth_of(options.while_runs) if options.while_runs else ""
    owner = run_files.Owner(options.while_runs, birth) if options.while_runs else None
    return run_files.watched(options.out, owner)


def shown(options: argparse.Namespace) -> AbstractContextManager[None]:
    """Shows progress in the chosen way while it is open."""
    if options.progress == "file":
        return run_files.progress_file(options.out)
    return json_lines(sys.stdout) if options.progress == "json" else nullcontext()


def load_task(name: str, data: Path) -> tuple[dict[str, Any], Any]:
    """Returns presets and training function of a task for its data; only that task's module is imported."""
    from ..data.multi_views import KINDS, kind_of

    free = name == "inverse-graphics" and kind_of(data) in KINDS
    task = importlib.import_module(f"..{FREE_CAMERAS if free else TASKS[name]}", __package__)
    return task.PRESETS, task.train


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
