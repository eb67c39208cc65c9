# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds a generator's view codes: measures how many codes hold the view, then proposes a set of views.

Nothing is trained; it is a task of ``scripts/train.py`` because the inverse-graphics network cannot be trained on a
generator before. It leaves a view set (see ``common/view_set.py``) that a person may look through, with ``split.json``,
the table of the measurement, and ``candidates.png``, all views on one sheet.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from ..common.files import write_json
from ..common.view_set import FILE_NAME, View, ViewSet
from ..data.pictures import write_picture
from ..models.stylegan2 import Generator
from ..weights.run_folder import load_generator_or_run
from .objects import ObservedGenerator
from .proposals import Candidate, Candidates, ProposalConfig, choose, measure_candidates
from .reader_choice import NO_BUNDLE, reader_of
from .readings import Reader
from .ring import fitted_reader
from .split import SplitTable, measure_split
from .view_codes import ViewCodes, save_view_codes

SPLIT_FILE, SHEET_FILE = "split.json", "candidates.png"


@dataclass(frozen=True)
class ViewsTraining:
    """How view codes are looked for."""

    bundle: str = "car"
    """Name or folder of the bundle whose networks read the pictures; "none": ``segmenter`` finds the objects, and
    azimuths are guessed from outlines and brightness (:mod:`.ring`)."""
    segmenter: str = ""
    """Without a bundle: the segmenter, a bundle's or a run's folder, or a file."""
    ring_samples: int = 600
    """Without a bundle: number of samples that the guesses of azimuths are fitted to."""
    pairs: int = 48
    """Number of pairs of samples between which codes are swapped; 0: nothing is measured, and ``split`` is taken."""
    split: int = 0
    """Number of first codes that hold the view; 0: by the rule of the table."""
    split_truncation: float = 0.8
    """Truncation of the samples between which codes are swapped."""
    proposals: ProposalConfig = field(default_factory=ProposalConfig)
    shown: int = 4
    """Number of contents on a view's picture."""
    batch: int = 16
    """Number of pictures that are made and read at a time."""
    looks: int = 2
    """Number of looks of the segmenter at a picture: 2 with its mirror image, 1 without, at nearly twice the pace."""
    seed: int = 0


PRESETS: dict[str, ViewsTraining] = {
    "tiny": ViewsTraining(
        pairs=16, ring_samples=200, proposals=ProposalConfig(samples=0, candidates=60, contents=4, views=24)
    ),
    "small": ViewsTraining(),
    "medium": ViewsTraining(pairs=256, proposals=ProposalConfig(samples=20_000, contents=16), batch=64),
    "full": ViewsTraining(pairs=512, proposals=ProposalConfig(samples=60_000, contents=24), batch=64),
}
"""tiny and small: seconds and minutes on two CPU cores; medium and full: a GPU."""


def train(config: ViewsTraining, data: Path, out: Path, *, resume: bool, device: torch.device) -> dict[str, float]:
    """Looks for the view codes of the generator ``data``: a bundle's name or folder, a run's folder, or a file.

    Returns figures of the set. With ``resume`` a set that is there is left as it is.

    Raises:
        BundleError: The generator or the bundle cannot be used.
        FileExistsError: A view set lies in ``out``, perhaps with a person's work in it.
        ValueError: The networks do not find objects in the generator's pictures, or a setting does not fit it.
    """
    if (out / FILE_NAME).exists():
        if resume:
            return {}
        raise FileExistsError(f"A view set lies in {out} already; choose another folder.")
    loaded = load_generator_or_run(str(data), device)
    reader = reader_of(config.bundle, config.segmenter, device, config.batch, config.looks)
    observed = ObservedGenerator(loaded.generator, loaded.content, reader, device, config.batch)
    if config.bundle == NO_BUNDLE:
        observed = replace(observed, reader=guessing_reader(config, observed))
    return find_views(config, observed, out, name=str(data))


def guessing_reader(config: ViewsTraining, observed: ObservedGenerator) -> Reader:
    """A reader that guesses azimuths as well, fitted to samples of the generator. Raises ValueError."""
    generator = observed.generator
    random = torch.Generator().manual_seed(config.seed + 2)
    z = torch.randn(config.ring_samples, generator.config.z_dim, generator=random).to(observed.device)
    with torch.no_grad():
        w_plus = generator.map(z, config.proposals.view_truncation)
    return fitted_reader(observed.reader, observed.pictures(w_plus), config.proposals.min_area)


def find_views(
    config: ViewsTraining, observed: ObservedGenerator, out: Path, *, name: str, progress: bool = True
) -> dict[str, float]:
    """Measures, proposes, and writes the view set to ``out``, its list last; returns figures. Raises ValueError."""
    began = time.perf_counter()
    check(config, observed.generator)
    split, table = config.split, None
    if config.pairs:
        table = measure_split(
            observed, pairs=config.pairs, truncation=config.split_truncation, seed=config.seed, progress=progress
        )
        split = split or table.proposed()
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / SPLIT_FILE, table.record(split))
        print(table.text(split), flush=True)
    candidates = measure_candidates(observed, split, config.proposals, seed=config.seed + 1, progress=progress)
    chosen = choose(candidates.measured, config.proposals)
    if not chosen:
        best = max(candidate.consistency for candidate in candidates.measured)
        raise ValueError(
            f"None of {len(candidates.measured)} views is consistent (the best {best:.2f}, wanted "
            f"{config.proposals.min_consistency:g}): train the generator longer, or choose another split than "
            f"{split}."
        )
    pictures = observed.pictures(candidates.w_plus([c.number for c in chosen], config.shown))
    write_pictures(out, pictures.reshape(len(chosen), -1, *pictures.shape[1:]), chosen)
    write_set(out, candidates, chosen, name, split, max(observed.content[2:]))
    figures = summary(candidates, chosen, split, table)
    return {**figures, "seconds": time.perf_counter() - began}


def check(config: ViewsTraining, generator: Generator) -> None:
    """Raises ValueError where settings do not fit the generator or one another."""
    if not 0 <= config.split < generator.codes:
        raise ValueError(f"The split lies between 1 and {generator.codes - 1} for this generator, not {config.split}.")
    if not config.pairs and not config.split:
        raise ValueError("Without pairs to measure by, the split has to be given.")
    proposals = config.proposals
    drawn = proposals.samples or proposals.candidates
    if min(drawn, proposals.contents, proposals.views, config.shown, config.batch) < 1:
        raise ValueError("Numbers of candidates, contents, views and pictures are at least 1.")
    if config.shown > proposals.contents:
        raise ValueError(f"{config.shown} contents cannot be shown where there are {proposals.contents}.")


def summary(
    candidates: Candidates, chosen: Sequence[Candidate], split: int, table: SplitTable | None
) -> dict[str, float]:
    """Returns the figures of a set."""
    drawn = candidates.measured
    figures = {
        "split": float(split),
        "views": float(len(chosen)),
        "bins": float(len({candidate.bin for candidate in chosen})),
        "consistency": float(np.mean([candidate.consistency for candidate in chosen])),
        "consistency_of_all": float(np.mean([candidate.consistency for candidate in drawn])),
        "opposite": float(np.mean([candidate.opposite for candidate in chosen])),
        "mirrored": float(np.mean([candidate.mirrored for candidate in chosen])),
    }
    return figures if table is None else {**figures, "proposed": float(table.proposed())}


def write_set(
    out: Path, candidates: Candidates, chosen: Sequence[Candidate], name: str, split: int, resolution: int
) -> None:
    """Writes the list and its codes; bins follow from the guesses until a person has looked."""
    views = [
        View(
            identity,
            candidate.bin,
            guess_deg=round(candidate.azimuth_deg, 2) % 360,
            elevation_guess_deg=round(candidate.elevation_deg, 2),
            consistency=round(candidate.consistency, 4),
            more={"opposite": round(candidate.opposite, 4), "mirrored": round(candidate.mirrored, 4)},
        )
        for identity, candidate in enumerate(chosen)
    ]
    codes = candidates.codes[[candidate.number for candidate in chosen]]
    save_view_codes(ViewCodes(ViewSet(out, name, split, resolution, views), codes.cpu()))


def write_pictures(out: Path, pictures: np.ndarray, chosen: Sequence[Candidate]) -> None:
    """Writes a strip for each view from (M, shown, h, w, 3) uint8, and a sheet of all strips with their guesses."""
    folder = out / "candidates"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("[0-9][0-9][0-9].png"):
        old.unlink()
    strips = np.concatenate(list(pictures.swapaxes(0, 1)), axis=2)
    for identity, strip in enumerate(strips):
        write_picture(folder / f"{identity:03d}.png", strip)
    labels = [f"{i} {c.azimuth_deg:.0f} {c.elevation_deg:+.0f} ({c.consistency:.2f})" for i, c in enumerate(chosen)]
    write_picture(out / SHEET_FILE, sheet(strips, labels))


def sheet(strips: np.ndarray, labels: Sequence[str], columns: int = 3) -> np.ndarray:
    """(H, W, 3) uint8: strips (M, h, w, 3) under their labels."""
    label_height = 14
    cells = np.pad(strips, ((0, 0), (label_height, 2), (0, 6), (0, 0)), constant_values=255)
    for cell, label in zip(cells, labels, strict=True):
        cv2.putText(cell, label, (2, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (0, 0, 0), 1, cv2.LINE_AA)
    missing = -len(cells) % min(columns, len(cells))
    cells = np.concatenate([cells, np.full((missing, *cells.shape[1:]), 255, np.uint8)])
    columns = min(columns, len(strips))
    return np.concatenate([np.concatenate(list(cells[i : i + columns]), axis=1) for i in range(0, len(cells), columns)])
