# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds to scene files of new objects, without a window: scripts/generate.py."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import batch_inputs, batch_interpolate, batch_report, batch_run, choices, contact_sheet, job, session
from .wire import records

KIND = "objects"
"""Name of the report's list."""
NOT_BEGUN = 2
"""Exit code where nothing was made."""
LARGEST_SEED = 2**32 - 1
MAX_SEEDS = 100_000
"""Largest number of seeds in one run: more are a slip of the hand."""
LARGEST_TRUNCATION = 3.0


def parser() -> batch_run.Parser:
    """Returns the options of the command."""
    result = batch_run.Parser(prog="generate", description="Makes new objects, one from each seed.")
    result.add_argument("--seeds", required=True, metavar="LIST", help="such as 1-100 or 3,7,20-29")
    batch_run.add_options(result, "seed")
    result.add_argument(
        "--truncation",
        type=_truncation,
        default=0.9,
        metavar="T",
        help="how far objects are from the mean one: 0 makes that alone, 1 is as far as real ones (default: 0.9)",
    )
    result.add_argument(
        "--texture-size",
        type=batch_run.whole_number(16, batch_run.LARGEST_TEXTURE),
        default=0,
        metavar="N",
        help="side in texels (default: 1024 for objects with parts, else what the weights are worth)",
    )
    result.add_argument(
        "--shape",
        default=choices.SHAPES[0][0],
        choices=[name for name, _, _ in choices.SHAPES],
        help="of weights that have both: objects with parts, or surfaces of the generator of shapes (default: parts)",
    )
    result.add_argument(
        "--quick",
        action="store_true",
        help="no pictures by Blender: each preview is the small strip of five sides that is on the sheet too",
    )
    result.add_argument(
        "--interpolate",
        type=batch_run.whole_number(2, batch_interpolate.MOST_STEPS),
        default=0,
        metavar="N",
        help="from each seed to the next: N objects on the way, both ends among them, and one object that a shape key "
        "takes from one to the other, in place of the seeds' own objects",
    )
    return result


def run(arguments: Sequence[str]) -> int:
    """Runs the command with its arguments; returns the exit code."""
    known: list[tuple[argparse.Namespace, Path]] = []

    def items(options: argparse.Namespace, out: Path) -> list[batch_run.Item]:
        found = _items(options, out)
        known.append((options, out))
        return found

    # What is wrong with one seed is mostly wrong with all, such as a bundle that has no parts.
    code = batch_run.run(parser(), arguments, KIND, items, repeat_sentences=False, needs_backend=True)
    if not known or code == NOT_BEGUN:
        return code
    refusal = _write_sheet(*known[0])
    if refusal:
        print(f"generate: {batch_inputs.shown(refusal)}", file=sys.stderr, flush=True)
    return code or (1 if refusal else 0)


def parse_seeds(text: str) -> list[int]:
    """Returns the seeds of a list of numbers and ranges, each once, in its order. Raises ValueError."""
    seeds: list[int] = []
    for piece in text.split(","):
        ends = [end.strip() for end in piece.split("-")]
        if len(ends) > 2 or not all(end.isascii() and end.isdigit() and len(end) <= 10 for end in ends):
            raise ValueError(f"--seeds takes numbers and ranges such as 1-100 or 3,7,20-29, not '{text}'.")
        first, last = int(ends[0]), int(ends[-1])
        if last < first or last > LARGEST_SEED:
            raise ValueError(f"--seeds: '{piece.strip()}' is no range of seeds from 0 to {LARGEST_SEED}.")
        if last - first + len(seeds) >= MAX_SEEDS:
            raise ValueError(f"--seeds: one run makes {MAX_SEEDS} objects at most.")
        seeds += range(first, last + 1)
    return list(dict.fromkeys(seeds))


def _items(options: argparse.Namespace, out: Path) -> list[batch_run.Item]:
    seeds = parse_seeds(options.seeds)
    bundle, device = batch_run.bundle_and_device(options)
    shared = records.GenerateRequest(
        truncation=options.truncation,
        texture_size=options.texture_size,
        bundle=bundle,
        device=device,
        with_parts=options.shape == choices.SHAPES[0][0],
        sides=contact_sheet.SIDE,
    )
    if options.interpolate:
        return batch_interpolate.items_of(seeds, options.interpolate, out, shared, options)
    return [
        batch_run.Item(
            f"seed {seed}",
            f"seed {seed}",
            {"seed": seed, "truncation": options.truncation},
            functools.partial(_steps, replace(shared, seed=seed), out, options),
        )
        for seed in seeds
    ]


def _steps(
    request: records.GenerateRequest,
    out: Path,
    options: argparse.Namespace,
    record: dict[str, Any],
    show: batch_run.Show,
) -> job.Steps:
    """Makes one object and writes its folder."""
    result = yield session.request(request)
    owner = f"seed {request.seed}"
    folder = batch_interpolate.free_folder(out, result.name, owner)
    batch_interpolate.write(folder, result, options, record, show, owner)
    return ""


def _write_sheet(options: argparse.Namespace, out: Path) -> str:
    """Writes the sheet of all that is finished; returns why it cannot be, in one sentence, or nothing."""
    path = contact_sheet.place(out, options.shard)
    report = batch_report.path_of(batch_run.report_path(options, out), options.shard)
    try:
        count = contact_sheet.write(path, report, KIND)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        return f"The sheet {path} cannot be written: {' '.join(str(error).split())}"
    if count:
        print(f"{count} on the sheet: {path}", flush=True)
    return ""


def _truncation(text: str) -> float:
    value = float(text)
    if not 0 <= value <= LARGEST_TRUNCATION:
        raise argparse.ArgumentTypeError(f"{text} does not lie between 0 and {LARGEST_TRUNCATION:g}")
    return value
