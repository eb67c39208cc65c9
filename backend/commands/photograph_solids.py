# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs a small world whose truth is known: painted solids, one picture of each, for ``train.py gan3d``.

    python -m backend.commands.photograph_solids --out DIR [--pictures 3000] [--resolution 32] [options]

Needs no Blender. Beside the pictures lie the shapes and the viewpoints, which no training reads.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .entry import guarded, use_threads

PROGRAM = "photograph_solids.py"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Photographs painted solids whose truth is known.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--pictures", type=int, default=3000, help="how many, one a solid")
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--azimuth", type=float, default=90.0, help="half of the range about the front, in degrees")
    parser.add_argument("--elevation", type=float, nargs=2, default=(-5.0, 15.0), metavar=("LOW", "HIGH"))
    parser.add_argument("--alpha", action="store_true", help="transparent where there is no solid")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    options = parser.parse_args(arguments)
    if options.pictures < 1 or options.resolution < 4:
        parser.error("at least one picture of 4 pixels is made")
    return options


def main(arguments: list[str]) -> int:
    """Writes the pictures; returns the exit code."""
    options = parse(arguments)
    return guarded(PROGRAM, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Photographs as the options say. Raises ValueError or OSError with one sentence."""
    from ..data.solids import SolidsConfig, write_solids
    from ..render.viewpoints import ViewpointPrior

    use_threads(options.threads)
    prior = ViewpointPrior(options.azimuth, tuple(options.elevation))
    write_solids(
        options.out, SolidsConfig(options.pictures, options.resolution, options.seed, prior), alpha=options.alpha
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
