# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes multi-view data with an image generator: every sampled content from every view of a view set, masked.

    python -m backend.commands.make_gan_views VIEWS --out GANDATA --objects N [--generator BUNDLE_OR_FILE] [--seed S]
            [--truncation T] [--bundle car] [--bundle none --segmenter FILE --category chair]

VIEWS is a view set made by ``scripts/train.py views``. Pictures that show more than one object, too small a mask,
another view than their view code's, or another colour than the object's other pictures are left out; report.json
says how many for which reason, sheet.png shows objects by views. Run again it goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .entry import guarded, use_threads

PROGRAM = "make_gan_views.py"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Makes multi-view data with a generator.")
    parser.add_argument("views", type=Path, metavar="VIEWS", help="folder of a view set")
    parser.add_argument("--out", type=Path, required=True, metavar="GANDATA", help="folder to write to")
    parser.add_argument("--objects", type=int, required=True, help="contents to sample")
    parser.add_argument(
        "--generator", help="name or folder of a bundle, a run's folder, or a file; default: the view set's"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the contents")
    parser.add_argument("--truncation", type=float, default=0.7, help="of the contents; 1: none")
    parser.add_argument("--bundle", default="car", help="whose networks find masks and azimuths; none: see --segmenter")
    parser.add_argument(
        "--segmenter", default="", help="file, or folder of a run: finds masks in place of the bundle's own"
    )
    parser.add_argument("--category", help="what the pictures show; default: the bundle's")
    parser.add_argument(
        "--azimuth",
        type=float,
        default=60.0,
        metavar="DEG",
        help="how far a picture may be off its view; 180: no filter",
    )
    parser.add_argument("--colour", type=float, default=0.25, help="how far a colour may be off; 2: no filter")
    parser.add_argument("--batch", type=int, default=16, help="pictures made at a time")
    parser.add_argument(
        "--looks", type=int, choices=(1, 2), default=2, help="of the segmenter: 2 with the mirror image, 1 without"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    options = parser.parse_args(arguments)
    if options.objects < 1 or options.batch < 1 or options.seed < 0:
        parser.error("objects and batch are at least 1, and the seed is not negative")
    return options


def main(arguments: list[str]) -> int:
    """Makes the data, and prints what was left out; returns the exit code."""
    options = parse(arguments)
    return guarded(PROGRAM, lambda: run(options), stopped=f"{PROGRAM}: stopped; the same command goes on from here.")


def run(options: argparse.Namespace) -> int:
    """Makes the data as the options say. Raises UnrenderError, ValueError or OSError with one sentence."""
    use_threads(options.threads)
    print(summary(make(options)))
    return 0


def make(options: argparse.Namespace) -> dict[str, Any]:
    """Writes the data, and returns the report. Raises UnrenderError, ValueError or OSError."""
    from ..gan_views.dataset import write_gan_views
    from ..gan_views.objects import FilterConfig, GanViews, GanViewsConfig, ObservedGenerator
    from ..gan_views.reader_choice import reader_of
    from ..gan_views.view_codes import load_view_codes
    from ..weights.bundle import choose_device
    from ..weights.run_folder import load_generator_or_run

    device = choose_device(options.device)
    codes = load_view_codes(options.views)
    name = options.generator or codes.view_set.generator
    loaded = load_generator_or_run(name, device)
    reader = reader_of(options.bundle, options.segmenter, device, options.batch, options.looks)
    filters = FilterConfig(azimuth_deg=options.azimuth, colour=options.colour)
    source = GanViews(
        ObservedGenerator(loaded.generator, loaded.content, reader, device, options.batch),
        codes,
        GanViewsConfig(options.seed, options.truncation, filters),
    )
    category = options.category or category_of(options.bundle)
    return write_gan_views(options.out, source, options.objects, generator=name, category=category)


def category_of(bundle: str) -> str:
    """Returns the category of a bundle or run, or else its name. Raises BundleError."""
    from ..gan_views.reader_choice import NO_BUNDLE
    from ..weights.run_folder import load_bundle_or_run

    if bundle == NO_BUNDLE:
        return "object"
    loaded = load_bundle_or_run(bundle)
    return loaded.info.get("category", loaded.name)


def summary(report: dict[str, Any]) -> str:
    """Returns the report in a few lines."""
    lines = [
        f"{report['objects_kept']} of {report['objects']} objects, "
        f"{report['kept']} of {report['made']} pictures; left out:"
    ]
    lines += [f"  {reason.replace('_', ' '):16}{count:6d}" for reason, count in report["left_out"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
