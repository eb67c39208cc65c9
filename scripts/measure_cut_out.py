# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the product's cut-out against given masks of photographs: intersection over union, and time.

    python scripts/measure_cut_out.py --data FOLDER [--data FOLDER ...] [--segmenter FILE] [options]

A folder holds ``labels.csv``, pictures and masks, as ``backend/data/labelled_photographs.py`` says; of each mask the
largest piece is the truth. ``--part held-out`` measures the pictures that a training with ``photographs=FOLDER`` does
not see, ``--part shown`` those that it sees. ``key=value`` changes a setting of the cut-out, looks=1 for instance.
The segmenter works alone unless ``--cutout-model FILE`` names a salient-object network that works beside it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line
import numpy as np

from backend.commands.entry import guarded, use_threads
from backend.commands.outputs import write_report
from backend.common.bundle_files import SEGMENTER
from backend.common.records import OWN_CUT_OUT

if TYPE_CHECKING:
    from backend.models.segmenter import Segmenter
    from backend.pipeline.cut_out import CutOutConfig

PROGRAM = "measure_cut_out.py"
HELD_OUT = 0.2
"""Share of the groups that ``train.py segmenter`` keeps for validation."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Measures the cut-out against given masks.")
    parser.add_argument("--data", type=Path, action="append", required=True, help="labelled photographs; repeatable")
    parser.add_argument("--segmenter", type=Path, help="safetensors; default: that of --bundle")
    parser.add_argument("--bundle", default="car")
    parser.add_argument(
        "--cutout-model", default=OWN_CUT_OUT, metavar="FILE", help="ONNX file of a salient-object network"
    )
    parser.add_argument("--part", choices=("all", "held-out", "shown"), default="all")
    parser.add_argument("--count", type=int, default=0, help="measure so many, evenly spread; 0: all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--report", type=Path, help="also write the figures, and each photograph's, as JSON")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="changes of the cut-out's settings")
    return parser.parse_intermixed_args(arguments)


def main(arguments: list[str]) -> int:
    """Measures, and prints a line for each folder; returns the exit code."""
    options = parse(arguments)
    return guarded(PROGRAM, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Measures as the options say. Raises UnrenderError, ValueError or OSError with one sentence."""
    from backend.models.segmenter import load_segmenter
    from backend.pipeline.cut_out import CutOutConfig
    from backend.training.settings import changed
    from backend.weights.bundle import bundle_folders

    use_threads(options.threads)
    config = CutOutConfig()
    for setting in options.settings:
        config = changed(config, setting)
    file = options.segmenter
    if file is None:
        folders = bundle_folders(SEGMENTER)
        if options.bundle not in folders:
            raise ValueError(f"No bundle '{options.bundle}' has a segmenter; choose one of {', '.join(folders)}.")
        file = folders[options.bundle] / SEGMENTER
    segmenter = load_segmenter(file)
    report: dict[str, Any] = {}
    for folder in options.data:
        records = measured(folder, options.part, options.count, segmenter, config, options.cutout_model)
        figures = summary(records)
        report[str(folder)] = {**figures, "photographs": records}
        print(f"{folder}: " + "  ".join(f"{name} {value:.4g}" for name, value in figures.items()), flush=True)
    if options.report is not None:
        write_report(options.report, report)
    return 0


def measured(
    folder: Path, part: str, count: int, segmenter: Segmenter, config: CutOutConfig, cutout_model: str = OWN_CUT_OUT
) -> list[dict[str, Any]]:
    """Returns name, IoU and seconds of each photograph; the IoU is 0 where no object was found.

    Raises ValueError or OSError for what cannot be read, CutOutModelError for a model that cannot be used.
    """
    import torch

    from backend.data.labelled_photographs import load_labelled_photographs, read_photographs
    from backend.errors import PhotoError
    from backend.evaluation.metrics import silhouette_iou
    from backend.pipeline.cut_out import cut_out
    from backend.pipeline.photo import Photo

    chosen = None
    if part != "all":
        shown, held_out = load_labelled_photographs(folder, 8).split(HELD_OUT)
        chosen = set((held_out if part == "held-out" else shown).names)
    photographs = [one for one in read_photographs(folder) if chosen is None or one[0] in chosen]
    if count and count < len(photographs):
        photographs = [photographs[i] for i in np.linspace(0, len(photographs) - 1, count).round().astype(int)]
    if not photographs:
        raise ValueError(f"{folder} holds no usable photograph of the part '{part}'; look at its labels and masks.")
    records = []
    for name, rgb, mask in photographs:
        start = time.perf_counter()
        try:
            photo = Photo(rgb, None, name)
            found = cut_out(photo, segmenter, torch.device("cpu"), config=config, cutout_model=cutout_model).mask > 127
        except PhotoError:
            found = np.zeros(mask.shape, bool)
        seconds = time.perf_counter() - start
        records.append({"file": name, "iou": silhouette_iou(found, mask > 127), "seconds": round(seconds, 4)})
    return records


def summary(records: list[dict[str, Any]]) -> dict[str, float]:
    """Returns the number of photographs, mean and median IoU, the share below 0.8, and the median of seconds."""
    overlaps, seconds = (np.array([record[name] for record in records]) for name in ("iou", "seconds"))
    return {
        "count": len(records),
        "iou_mean": float(overlaps.mean()),
        "iou_median": float(np.median(overlaps)),
        "iou_below_0.8": float((overlaps < 0.8).mean()),
        "seconds_median": float(np.median(seconds)),
    }


if __name__ == "__main__":
    sys.exit(main(command_line.own_arguments(sys.argv)))
