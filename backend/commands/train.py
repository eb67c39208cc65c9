# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains one of Unrender's networks.

    python -m backend.commands.train TASK --data PATH --out RUN [--preset small] [--resume] [key=value ...]

``key=value`` changes one setting of the preset; dots reach inside (loop.steps=2000 weights.colour=10).
"""

from __future__ import annotations

import argparse
import importlib
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ..common.progress import json_lines
from .entry import guarded, use_threads

PROGRAM = "train.py"
TASKS = {
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
        type=Path,
        required=True,
        help="folder made by scripts/render_dataset.py; for stylegan2 and gan3d also any folder or zip of images; for "
        "views a generator: a bundle's name or folder, a run's folder, or a file; for parts also -, for no renders",
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
        "--progress", choices=("bar", "json"), default="bar", help="a bar, or lines of JSON for another program"
    )
    parser.add_argument("settings", nargs="*", metavar="key=value", help="changes of the preset's settings")
    return parser.parse_intermixed_args(arguments)


def main(arguments: list[str]) -> int:
    """Trains, and prints the last figures; returns the exit code."""
    options = parse(arguments)
    return guarded(
        PROGRAM,
        lambda: run(options),
        errors=(FloatingPointError,),
        stopped="Stopped; --resume goes on from the last checkpoint.",
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
    for setting in options.settings:
        config = changed(config, setting)
    device = choose_device(options.device)
    with json_lines(sys.stdout) if options.progress == "json" else nullcontext():
        figures = train(config, options.data, options.out, resume=options.resume, device=device)
    print("  ".join(f"{name}={value:.4g}" for name, value in figures.items()))
    return 0


def load_task(name: str, data: Path) -> tuple[dict[str, Any], Any]:
    """Returns presets and training function of a task for its data; only that task's module is imported."""
    from ..data.multi_views import KINDS, kind_of

    free = name == "inverse-graphics" and kind_of(data) in KINDS
    task = importlib.import_module(f"..{FREE_CAMERAS if free else TASKS[name]}", __package__)
    return task.PRESETS, task.train


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
