# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds to scene files of new objects with parts, without a window: scripts/generate.py."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import batch_inputs, batch_run, job, session
from .preview import BACKGROUND
from .wire import records

LARGEST_SEED = 2**32 - 1
MAX_SEEDS = 100_000
"""Largest number of seeds in one run: more are a slip of the hand."""
LARGEST_TRUNCATION = 3.0


def parser() -> batch_run.Parser:
    """Returns the options of the command."""
    result = batch_run.Parser(prog="generate", description="Makes new objects with parts, one from each seed.")
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
        default=1024,
        metavar="N",
        help="side in texels (default: 1024)",
    )
    return result


def run(arguments: Sequence[str]) -> int:
    """Runs the command with its arguments; returns the exit code."""
    # What is wrong with one seed is mostly wrong with all, such as a bundle that has no parts.
    return batch_run.run(parser(), arguments, "objects", _items, repeat_sentences=False, needs_backend=True)


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


def texture_sheet(texture: np.ndarray) -> np.ndarray:
    """Returns a texture (T, T, 3) in the middle of a picture of the preview's shape."""
    side = len(texture)
    sheet = np.full((side, side * 3 // 2, 3), round(255 * BACKGROUND), np.uint8)
    sheet[:, side // 4 : side // 4 + side] = texture
    return sheet


def _items(options: argparse.Namespace, out: Path) -> list[batch_run.Item]:
    return [
        batch_run.Item(
            f"seed {seed}",
            f"seed {seed}",
            {"seed": seed, "truncation": options.truncation},
            functools.partial(_steps, seed, out, options),
        )
        for seed in parse_seeds(options.seeds)
    ]


def _steps(
    seed: int, out: Path, options: argparse.Namespace, record: dict[str, Any], show: batch_run.Show
) -> job.Steps:
    """Makes one object and writes its folder."""
    bundle, device = batch_run.bundle_and_device(options)
    result = yield session.request(
        records.GenerateRequest(
            seed=seed,
            truncation=options.truncation,
            texture_size=options.texture_size,
            bundle=bundle,
            device=device,
        )
    )
    owner = f"seed {seed}"
    if not batch_inputs.is_free(out / result.name, owner):
        raise ValueError(f"{out / result.name} holds something else: choose another folder with --out.")
    batch_run.write_scene(out / result.name, result, texture_sheet(result.texture), options, record, show, owner)
    record["real_size"] = round(result.real_size, 4)
    return ""


def _truncation(text: str) -> float:
    value = float(text)
    if not 0 <= value <= LARGEST_TRUNCATION:
        raise argparse.ArgumentTypeError(f"{text} does not lie between 0 and {LARGEST_TRUNCATION:g}")
    return value
