# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibrates how sure a bundle's network for objects with parts is of a direction of view, on labelled photographs.

    python scripts/calibrate.py --data FOLDER [--data FOLDER ...] --bundle BUNDLE --cache CACHE.json [options]

Every photograph is cut out, read and refined as the product does it, nothing is painted. Right is an azimuth less than
45 degrees from the label. A regression of the evidence to that is written to the bundle's card, as
``parts_network.confidence``. ``--judge`` writes nothing and says how the card's confidence does on the photographs,
which then ought to be others than it was made of.

A folder holds ``labels.csv``, pictures and masks, as ``backend/data/labelled_photographs.py`` says; ``--part held-out``
takes the pictures that a training with ``photographs=FOLDER`` does not see. The cache keeps what was found of each
photograph, and a stopped run goes on from it; another network starts anew in it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line
import numpy as np

from backend.commands.entry import guarded, use_threads
from backend.commands.outputs import write_report
from backend.common.bundle_files import PARTS_NETWORK
from backend.common.records import QUALITIES

if TYPE_CHECKING:
    from backend.pipeline.photo import Photo
    from backend.weights.bundle import LoadedBundle
    from backend.weights.confidence import Confidence

PROGRAM = "calibrate.py"
HELD_OUT = 0.2
"""Share of the groups that ``train.py parts`` keeps for validation."""
RIGHT_DEG = 45.0
FOLDS = 5
SAVED_EVERY = 10


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Calibrates the confidence in directions of view.")
    parser.add_argument("--data", type=Path, action="append", required=True, help="labelled photographs; repeatable")
    parser.add_argument("--bundle", default="car", help="name or folder of the bundle whose card is written")
    parser.add_argument("--part", choices=("all", "held-out", "shown"), default="all")
    parser.add_argument("--count", type=int, default=0, help="take so many of each folder, evenly spread; 0: all")
    parser.add_argument("--given-masks", action="store_true", help="cut out by the given masks; default: by the bundle")
    parser.add_argument("--quality", choices=QUALITIES[1:], default="standard")
    parser.add_argument("--cache", type=Path, help="JSON that keeps what was found of each photograph")
    parser.add_argument("--penalty", type=float, default=1.0, help="weight of the squares of the regression's weights")
    parser.add_argument("--judge", action="store_true", help="write nothing: say how the card's confidence does")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--report", type=Path, help="also write the figures, and each photograph's, as JSON")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Calibrates, and prints the figures; returns the exit code."""
    options = parse(arguments)
    return guarded(PROGRAM, lambda: run(options), stopped=f"{PROGRAM}: stopped; --cache keeps what was found.")


def run(options: argparse.Namespace) -> int:
    """Calibrates as the options say. Raises UnrenderError, ValueError or OSError with one sentence."""
    from backend.weights.bundle import load_bundle, read_card, write_card
    from backend.weights.confidence import Evidence, fit_confidence
    from backend.weights.parts import PARTS_ENTRY

    use_threads(options.threads)
    folder = bundle_folder(options.bundle)
    bundle = load_bundle(str(folder))
    if bundle.parts is None:
        raise ValueError(f"The bundle '{options.bundle}' has no network for objects with parts; choose one that has.")
    known = bundle.parts.confidence
    if options.judge and known is None:
        raise ValueError(f"The card of '{options.bundle}' says nothing of confidence; run this without --judge first.")
    records = found_records(options, folder, bundle)
    numbers = np.array([Evidence(**record["evidence"]).numbers() for record in records])
    right = np.array([record["right"] for record in records])
    if options.judge:
        assert known is not None
        figures = judged(known.of_numbers(numbers), right, known.threshold)
    else:
        confidence = fit_confidence(numbers, right, options.penalty)
        figures = cross_validated(numbers, right, options.penalty)
        card = read_card(folder)
        card.setdefault(PARTS_ENTRY, {})["confidence"] = {
            **confidence.to_card(), "photographs": len(right), "right": int(right.sum()), "figures": figures,
        }  # fmt: skip
        write_card(folder, card)
        print(describe(confidence))
    print("  ".join(f"{name} {value:.4g}" for name, value in figures.items()), flush=True)
    if options.report is not None:
        write_report(options.report, {**figures, "photographs": records})
    return 0


def bundle_folder(name: str) -> Path:
    """Returns the folder of a bundle given by name or path. Raises ValueError where there is none."""
    from backend.weights.bundle import bundle_folders

    folders = bundle_folders(PARTS_NETWORK)
    folder = folders.get(name) or Path(name)
    if not (folder / PARTS_NETWORK).is_file():
        raise ValueError(
            f"No bundle '{name}' has a network for objects with parts; choose one of {', '.join(folders)}, or a folder."
        )
    return folder


def found_records(options: argparse.Namespace, folder: Path, bundle: LoadedBundle) -> list[dict[str, Any]]:
    """Returns what was found of each usable photograph, from the cache or anew: file, error in degrees, evidence."""
    kept = read_cache(options.cache)
    network = hashlib.sha256((folder / PARTS_NETWORK).read_bytes()).hexdigest()[:12]
    way = f"{network} {options.quality} {'given masks' if options.given_masks else 'cut out'}"
    records, fresh = [], 0
    for data in options.data:
        for name, azimuth, photo, mask in photographs(data, options.part, options.count):
            key = f"{way} {data.resolve().name}/{name}"
            if key not in kept:
                kept[key] = looked_at(photo, mask if options.given_masks else None, azimuth, options.quality, bundle)
                fresh += 1
                if options.cache is not None and fresh % SAVED_EVERY == 0:
                    write_report(options.cache, kept)
                    print(f"{fresh} photographs looked at", flush=True)
            if kept[key] is not None:
                records.append({"file": f"{data.name}/{name}", **kept[key]})
    if options.cache is not None and fresh:
        write_report(options.cache, kept)
    if not records:
        raise ValueError("In none of the photographs an object was found; give others, or --given-masks.")
    return records


def read_cache(file: Path | None) -> dict[str, Any]:
    """Returns the content of the cache; nothing where there is none. Raises ValueError where it is something else."""
    if file is None or not file.is_file():
        return {}
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(kept, dict):
            raise ValueError("it holds no records")
    except ValueError as error:
        raise ValueError(f"{file} is no cache of this program ({error}); give --cache another name.") from error
    return kept


def photographs(folder: Path, part: str, count: int) -> Iterator[tuple[str, float, Photo, np.ndarray]]:
    """Yields name, azimuth in radians, picture and given mask of the photographs of a part, evenly spread.

    Raises ValueError or OSError for what cannot be read.
    """
    from backend.data.labelled_photographs import load_labelled_photographs, read_photographs
    from backend.pipeline.photo import Photo

    every = load_labelled_photographs(folder, 8)
    if part != "all":
        shown, held_out = every.split(HELD_OUT)
        every = held_out if part == "held-out" else shown
    names = list(every.names)
    if count and count < len(names):
        names = [names[i] for i in np.linspace(0, len(names) - 1, count).round().astype(int)]
    azimuths = dict(zip(every.names, every.azimuths.tolist(), strict=True))
    wanted = set(names)
    for name, rgb, mask in read_photographs(folder):
        if name in wanted:
            yield name, azimuths[name], Photo(rgb, None, Path(name).stem), mask


def looked_at(
    photo: Photo, mask: np.ndarray | None, azimuth: float, quality: str, bundle: LoadedBundle
) -> dict[str, Any] | None:
    """Returns error in degrees, whether that is right, and the evidence; None where no object was found.

    mask: (H, W) uint8; None: cut out by the bundle.
    """
    from backend.common.records import ReconstructRequest
    from backend.errors import PhotoError
    from backend.models.crop import crop_around
    from backend.pipeline.course import Course
    from backend.pipeline.cut_out import cut_out
    from backend.pipeline.parts_photo import look_at

    assert bundle.parts is not None
    try:
        mask = cut_out(photo, bundle.segmenter, bundle.device).mask if mask is None else mask
    except PhotoError:
        return None
    course = Course(lambda progress: None, lambda: False)
    seen = look_at(
        photo,
        mask,
        crop_around(mask),
        ReconstructRequest("", quality=quality, bundle=bundle.name),
        bundle.parts,
        course,
    )
    apart = math.remainder(seen.hypotheses[0].camera.azimuth - azimuth, 2 * math.pi)
    error = abs(math.degrees(apart))
    evidence = {name: round(value, 5) for name, value in seen.evidence.as_dict().items()}
    return {"azimuth_error_deg": round(error, 2), "right": error < RIGHT_DEG, "evidence": evidence}


def cross_validated(numbers: np.ndarray, right: np.ndarray, penalty: float) -> dict[str, float]:
    """Returns the figures of confidences that were made without the photographs they are judged on."""
    from backend.weights.confidence import fit_confidence

    chance, below = np.zeros(len(right)), np.zeros(len(right), bool)
    for fold in range(FOLDS):
        judged_on = np.arange(len(right)) % FOLDS == fold
        rest = right[~judged_on]
        if rest.all() or not rest.any():
            raise ValueError(f"Of {len(right)} photographs {int(right.sum())} are read rightly: give more of them.")
        made = fit_confidence(numbers[~judged_on], rest, penalty)
        chance[judged_on] = made.of_numbers(numbers[judged_on])
        below[judged_on] = chance[judged_on] < made.threshold
    return judged(chance, right, below)


def judged(chance: np.ndarray, right: np.ndarray, below: float | np.ndarray) -> dict[str, float]:
    """Returns how well probabilities (N,) tell right from wrong (N,); ``below``: the threshold, or who is below it."""
    from backend.weights.confidence import ranking

    told = chance < below if isinstance(below, float) else below
    limited = np.clip(chance, 1e-6, 1 - 1e-6)
    both = right.any() and not right.all()
    return {
        "photographs": len(right),
        "right": float(right.mean()),
        "mean_confidence": float(chance.mean()),
        "log_loss": float(-np.where(right, np.log(limited), np.log(1 - limited)).mean()),
        "ranking": ranking(chance, right) if both else math.nan,
        "wrong_warned": float(told[~right].mean()) if not right.all() else math.nan,
        "right_warned": float(told[right].mean()) if right.any() else math.nan,
    }


def describe(confidence: Confidence) -> str:
    """Returns a line of the weights, per standard deviation of each number."""
    from dataclasses import fields

    from backend.weights.confidence import Evidence

    names = [field.name for field in fields(Evidence)]
    weights = "  ".join(f"{name} {weight:+.2f}" for name, weight in zip(names, confidence.weights, strict=True))
    return f"{weights}  bias {confidence.bias:+.2f}  threshold {confidence.threshold:.3f}"


if __name__ == "__main__":
    sys.exit(main(command_line.own_arguments(sys.argv)))
