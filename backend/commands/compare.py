# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares networks with one another on several data, before refinement and without Blender.

    python -m backend.commands.compare --bundle car --bundle gan=RUN --data generated=DIR --data renders=DIR
        --data photos=DIR --cameras RUN/cameras.json --report FILE --table TABLE.md --pictures FOLDER

``--bundle`` names bundles and the folders of training runs, and ``--data`` holds a generator's views
(make_gan_views), rendered views (render_dataset) or photographs, which the folder itself tells. Without ``--cameras``,
the ``cameras.json`` that a training on a generator's views leaves, those views are compared in the networks' own
cameras alone. Up to six views of each object are measured, see ``backend/evaluation/comparison/table.py``. The exit
code is 0, 1 where a photograph could not be used, and 2 where nothing was compared.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .entry import guarded
from .outputs import write_picture, write_report, write_text

PROGRAM = "evaluate.py"
NOTHING_COMPARED = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a comparison to a parser, those that ``scripts/evaluate.py`` shares with it among them."""
    parser.add_argument(
        "--bundle",
        action="append",
        metavar="[LABEL=]NAME",
        help="name or folder of the weights, or folder of a training run; default: car",
    )
    parser.add_argument(
        "--data",
        action="append",
        required=True,
        metavar="[LABEL=]FOLDER",
        help="made by scripts/render_dataset.py, in a comparison also by scripts/make_gan_views.py, or photographs",
    )
    parser.add_argument("--report", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--objects", type=int, default=0, help="how many objects; 0: all")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    comparison = parser.add_argument_group("comparison of networks")
    comparison.add_argument("--table", type=Path, metavar="FILE", help="also write the figures as a Markdown table")
    comparison.add_argument("--pictures", type=Path, metavar="FOLDER", help="also write a sheet for each data")
    comparison.add_argument("--cameras", type=Path, metavar="FILE", help="cameras.json: of the generator's views")
    comparison.add_argument("--segmenter", metavar="BUNDLE", help="cuts out photographs; default: car")


def main(arguments: list[str]) -> int:
    """Compares, and prints the table; returns the exit code."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Compares several networks on several data.")
    add_options(parser)
    options = parser.parse_args(arguments)
    options.bundle = options.bundle or ["car"]
    return guarded(PROGRAM, lambda: compare(options), failed=NOTHING_COMPARED)


def compare(options: argparse.Namespace) -> int:
    """Compares networks, and writes the report and what else is asked for; returns 0, or 1 where photographs failed.

    Raises UnrenderError, ValueError or OSError with one sentence.
    """
    from ..evaluation.comparison import comparison
    from ..evaluation.comparison.table import table
    from ..training.inverse_graphics.view_cameras import read_cameras
    from ..weights.bundle import choose_device

    asked = comparison.Comparison(
        [comparison.Labelled.of(text) for text in options.bundle],
        [comparison.Labelled.of(text) for text in options.data],
        None if options.cameras is None else read_cameras(options.cameras),
        options.segmenter or "car",
        options.objects,
    )
    report, sheets = comparison.compare(asked, choose_device(options.device), options.pictures is not None)
    report["cameras"] = None if options.cameras is None else str(options.cameras)
    write_report(options.report, report)
    if options.table is not None:
        write_text(options.table, table(report))
    for label, sheet in sheets.items():
        write_picture(options.pictures / f"{label}.png", sheet)
    print(table(report))
    failed = [sentence for data in report["data"] for sentence in data["failed"].values()]
    for sentence in failed:
        print(f"{PROGRAM}: {sentence}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
