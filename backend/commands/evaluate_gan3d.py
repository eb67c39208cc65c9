# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges generators of shapes, trained on photographs of solids, against the solids themselves.

    python -m backend.commands.evaluate_gan3d RUN... --data SOLIDS --report FILE [options]

``SOLIDS`` is a folder of ``photograph_solids.py``; what is compared are other solids of the same world. The report has,
for each run, the distance of its shapes to the nearest true ones and back, the correlation of their depths, and
statistics of pictures on our own encoder's features at the photographs' viewpoints and at unseen ones, 30° higher
(``unseen_...``). ``data`` and ``ball`` say what other solids of the world get, and a ball of their mean size.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from .entry import guarded, use_threads
from .outputs import write_picture, write_report

PROGRAM = "evaluate_gan3d.py"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Judges generators of shapes on solids that are known.")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a run of train.py gan3d")
    parser.add_argument("--data", type=Path, required=True, metavar="SOLIDS", help="folder of photograph_solids.py")
    parser.add_argument("--report", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="PNG of samples of the data and of each run")
    parser.add_argument("--shapes", type=int, default=48, help="how many shapes are compared")
    parser.add_argument("--pictures", type=int, default=400, help="how many pictures are compared; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    options = parser.parse_args(arguments)
    if options.shapes < 1 or 0 < options.pictures < 8 or options.pictures < 0:
        parser.error("at least 1 shape is needed, and at least 8 pictures or none")
    return options


def main(arguments: list[str]) -> int:
    """Judges, and prints a line for each figure; returns the exit code."""
    options = parse(arguments)
    return guarded(PROGRAM, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Judges as the options say. Raises UnrenderError, ValueError or OSError with one sentence."""
    from ..data.solids import read_config
    from ..evaluation.features import encoder_features
    from ..evaluation.shape_generators import SolidsJudge, ablation_sheet
    from ..models.shape_generator import load_shape_generator
    from ..training.gan3d.task import GENERATOR
    from ..weights.bundle import choose_device

    use_threads(options.threads)
    started = time.monotonic()
    device = choose_device(options.device)
    config = read_config(options.data)
    generators = {path: load_shape_generator(path / GENERATOR, device) for path in options.runs}
    judge = SolidsJudge(
        config, encoder_features(device) if options.pictures else None, options.shapes, options.pictures
    )
    columns = {path.name: judge.figures(generator, options.seed) for path, generator in generators.items()}
    references = judge.references()
    report = {
        "data": str(options.data), "shapes": options.shapes, "pictures": options.pictures,
        "runs": columns, "references": references, "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip
    write_report(options.report, report)
    if options.sheet:
        write_picture(options.sheet, ablation_sheet(list(generators.values()), config, seed=options.seed))
    columns |= references
    print(" " * 26 + "".join(f"{name[-14:]:>16}" for name in columns))
    for name in next(iter(columns.values())):
        print(f"{name:26}" + "".join(f"{figures.get(name, float('nan')):16.4f}" for figures in columns.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
