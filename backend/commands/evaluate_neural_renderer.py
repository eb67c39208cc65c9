# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures StyleGAN-R, and draws the paper's figures of it.

    python -m backend.commands.evaluate_neural_renderer RUN --data RENDERS --report FILE [--pictures DIR]
            [--photos FILES] [--pairs 200]

RUN is a folder of ``train.py disentangle``; RENDERS rendered cars with codes (scripts/encode_cars.py) that no training
saw. What is asked of StyleGAN-R is compared with what the judge of its training reads in its pictures, before mapping
(plain style mixing), after the warm-up, and after the fine-tuning.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .entry import guarded, use_threads

if TYPE_CHECKING:
    import numpy as np

    from ..evaluation.neural_renderer.judged_run import JudgedRun

PROGRAM = "evaluate_neural_renderer.py"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Measures a neural renderer (StyleGAN-R).")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run of train.py disentangle")
    parser.add_argument("--data", type=Path, required=True, help="rendered cars with codes, unknown to the training")
    parser.add_argument("--report", type=Path, required=True, help="JSON file for the figures")
    parser.add_argument("--pictures", type=Path, help="folder for the paper's figures")
    parser.add_argument(
        "--photos", type=Path, nargs="*", default=[], help="real photographs to edit, in one more picture (two or more)"
    )
    parser.add_argument("--pairs", type=int, default=200, help="random pairs whose handles are swapped")
    parser.add_argument("--azimuths", type=int, default=180, help="cameras asked for all around")
    parser.add_argument("--bundle", default="car", help="whose network for objects with parts looks as a second eye")
    parser.add_argument("--seed", type=int, default=0, help="of pairs and cameras")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    options = parser.parse_args(arguments)
    if len(options.photos) == 1 or (options.photos and options.pictures is None):
        parser.error("--photos takes two or more, and --pictures says where their picture goes.")
    if options.pairs < 2 or options.azimuths < 2:
        parser.error("--pairs and --azimuths are at least 2.")
    return options


def main(arguments: list[str]) -> int:
    """Measures and writes; returns the exit code."""
    options = parse(arguments)
    return guarded(PROGRAM, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Measures as the options say. Raises UnrenderError, ValueError or OSError with one sentence."""
    from ..common.files import write_json
    from ..data.pictures import write_picture
    from ..evaluation.neural_renderer.judged_run import load_judged_run, second_eye
    from ..evaluation.neural_renderer.report import figures_of, pictures_of, table_text

    use_threads(options.threads)
    judged = load_judged_run(options.run, options.data)
    report: dict[str, Any] = {"run": str(options.run), "data": str(options.data), "pictures": len(judged.known)}
    eye = second_eye(options.bundle)
    report |= figures_of(judged, options.pairs, options.azimuths, options.seed, eye)
    write_json(options.report, report)
    print(table_text(report))
    if options.pictures is not None:
        options.pictures.mkdir(parents=True, exist_ok=True)
        for name, picture in pictures_of(judged, options.seed).items():
            write_picture(options.pictures / f"{name}.png", picture)
    if options.photos:
        borders = tuple(report["layers_before_mapping"].values())[1:]
        write_picture(options.pictures / "photographs.png", edited_photographs(options, judged, borders))
    return 0


def edited_photographs(options: argparse.Namespace, judged: JudgedRun, borders: tuple[int, int, int]) -> np.ndarray:
    """Returns the sheet (H, W, 3) uint8 of the photographs, found and edited. Raises UnrenderError or ValueError."""
    import cv2

    from ..evaluation.neural_renderer.pictures import ENLARGED
    from ..pipeline.photo_editing import editing_sheet, photo_object
    from ..pipeline.projection.projection import ProjectionConfig, project
    from ..weights.bundle import load_bundle
    from ..weights.run_folder import Run, load_generator_or_run

    bundle = replace(load_bundle(options.bundle), folder=options.run)
    loaded = load_generator_or_run(Run.read(options.run).config["generator"])
    objects = [photo_object(path, bundle, judged.tuned.resolution) for path in options.photos]

    def find(square: np.ndarray) -> np.ndarray:
        return project(square / 255.0, loaded, ProjectionConfig(), seed=options.seed).codes

    sheet = editing_sheet(objects, bundle, loaded.generator, find, borders)
    return cv2.resize(sheet, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
