# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws cars of a bundle's shape space from known viewpoints, one picture of each, for ``train.py gan3d``.

    python -m backend.commands.draw_cars --out DIR [--cars 3000] [--resolution 64] [options]

Needs no Blender: 25 ms a car on one core. All are at one scale, which rendered and real photographs seldom are.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .entry import guarded, use_threads

PROGRAM = "draw_cars.py"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Draws cars of a shape space from known viewpoints.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--cars", type=int, default=3000, help="how many, one picture each")
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--azimuth", type=float, default=180.0, help="half of the range about the front, in degrees")
    parser.add_argument("--elevation", type=float, nargs=2, default=(0.0, 20.0), metavar=("LOW", "HIGH"))
    parser.add_argument("--frame", type=float, default=1.3, help="height that a picture shows, in lengths of a car")
    parser.add_argument("--meshes", type=int, default=200, help="how many cars have their mesh beside the picture")
    parser.add_argument("--bundle", default="car", help="name or folder of a bundle with a template with parts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    options = parser.parse_args(arguments)
    if options.cars < 1 or options.resolution < 4:
        parser.error("at least one car of 4 pixels is drawn")
    return options


def main(arguments: list[str]) -> int:
    """Writes the pictures; returns the exit code."""
    options = parse(arguments)
    return guarded(PROGRAM, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Draws as the options say. Raises BundleError, ValueError or OSError with one sentence."""
    from ..render.viewpoints import ViewpointPrior
    from ..training.gan3d.drawn_world import DrawnWorldConfig, write_drawn_world
    from ..weights.bundle import load_named_parts

    use_threads(options.threads)
    prior = ViewpointPrior(options.azimuth, tuple(options.elevation), frame=options.frame)
    config = DrawnWorldConfig(options.cars, options.resolution, options.seed, options.meshes, prior)
    write_drawn_world(options.out, load_named_parts(options.bundle), config)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
