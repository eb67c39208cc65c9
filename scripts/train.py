# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains one of Unrender's networks, with or without Blender around it.

    blender -b -P scripts/train.py -- TASK --data PATH --out RUN [--preset small] [--resume] [key=value ...]
    python scripts/train.py TASK --data PATH --out RUN ...

``key=value`` changes one setting of the preset; dots reach inside (loop.steps=2000 weights.colour=10).
Inside Blender the training itself runs in a child process with an interpreter that has torch, because torch never
loads in Blender's process; $UNRENDER_PYTHON names that interpreter.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TASKS = {
    "inverse-graphics": "backend.training.inverse_graphics.known_cameras",
    "segmenter": "backend.training.segmenter",
    "stylegan2": "backend.training.stylegan2",
    "views": "backend.gan_views.search",
}
FREE_CAMERAS = "backend.training.inverse_graphics.free_cameras"
"""Takes inverse-graphics over where the data's cameras are not known."""


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="train.py", description="Trains one of Unrender's networks.")
    parser.add_argument("task", choices=TASKS, help="what to train")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder made by scripts/render_dataset.py; for stylegan2 also any folder or zip of images; for views a "
        "generator: a bundle's name or folder, or a file",
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
    parser.add_argument("settings", nargs="*", metavar="key=value", help="changes of the preset's settings")
    return parser.parse_intermixed_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    if "bpy" in sys.modules:
        return run_outside_blender(arguments)
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    import torch

    from backend.errors import UnrenderError
    from backend.training.settings import changed
    from backend.weights.bundle import choose_device

    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        presets, train = load_task(options.task, options.data)
        if options.preset not in presets:
            raise ValueError(f"{options.task} has no preset '{options.preset}'; choose one of {', '.join(presets)}.")
        config = presets[options.preset]
        for setting in options.settings:
            config = changed(config, setting)
        figures = train(config, options.data, options.out, resume=options.resume, device=choose_device(options.device))
    except (UnrenderError, ValueError, OSError, FloatingPointError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; --resume goes on from the last checkpoint.", file=sys.stderr)
        return 130
    print("  ".join(f"{name}={value:.4g}" for name, value in figures.items()))
    return 0


def load_task(name: str, data: Path) -> tuple[dict[str, Any], Any]:
    """Presets and training function of a task for its data; only that task's module is imported."""
    from backend.data.multi_views import KINDS, kind_of

    free = name == "inverse-graphics" and kind_of(data) in KINDS
    task = importlib.import_module(FREE_CAMERAS if free else TASKS[name])
    return task.PRESETS, task.train


def run_outside_blender(arguments: list[str]) -> int:
    """The same command in the interpreter that has torch; its progress goes to this terminal."""
    python = os.environ.get("UNRENDER_PYTHON") or next(
        (str(p) for p in (ROOT / ".venv/bin/python", ROOT / ".venv/Scripts/python.exe") if p.exists()), None
    )
    if python is None:
        print("train.py: no Python with torch was found; run scripts/setup.sh or set UNRENDER_PYTHON.", file=sys.stderr)
        return 1
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
    return subprocess.run([python, str(Path(__file__).resolve()), *arguments], env=environment, check=False).returncode


if __name__ == "__main__":
    own = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    sys.exit(main(own))
