# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All figures of a StyleGAN-R in one dictionary, as a table, and the paper's pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..features import encoder_features, features_of, judged
from .cameras import Eye, camera_control
from .judged_run import JudgedRun
from .painters import BATCH, HANDLES, LayerPainter, MappedPainter, drawn_codes
from .pictures import Figures
from .swaps import best_borders, draw_pairs, swap_table

STAGES = ("before", "warm_up", "fine_tuned")
BASE_TRUNCATION = 0.9
SEARCH_PAIRS = 24
"""Largest number of pairs on which the runs of layers are chosen that give plain style mixing its best chance."""


def figures_of(run: JudgedRun, pairs: int, azimuths: int, seed: int, eye: Eye | None) -> dict[str, Any]:
    """Swaps before mapping, after the warm-up and after the fine-tuning, camera control, and distances of pictures."""
    first, second = draw_pairs(pairs, run.known.object_of.tolist(), seed)
    codes = drawn_codes(run.base, 2 * pairs, BASE_TRUNCATION, seed + 1)
    borders = chosen_borders(run, min(pairs, SEARCH_PAIRS), seed)
    halves = (torch.arange(pairs), torch.arange(pairs, 2 * pairs))
    tables = {"before": swap_table(LayerPainter(run.base, codes, borders), run.reader, run.template, halves)}
    for stage, renderer in (("warm_up", run.warmed_up), ("fine_tuned", run.tuned)):
        if renderer is not None:
            painter = MappedPainter(renderer, run.known)
            tables[stage] = swap_table(painter, run.reader, run.template, (first, second))
    control = camera_control(run.tuned, run.reader, run.template, run.known, azimuths, seed, eye)
    weights = run.tuned.mapping.weights().amax(dim=0)
    return {
        "pairs": pairs,
        "layers_before_mapping": dict(zip(HANDLES, (0, *borders), strict=True)),
        "swaps": tables,
        "camera_control": {"azimuths": azimuths, **control},
        "distances": picture_distances(run, seed),
        "selection": {
            "entropy": float(run.tuned.mapping.entropy()),
            "chosen_by_more_than_half": float((weights > 0.5).float().mean()),
        },
    }


def chosen_borders(run: JudgedRun, pairs: int, seed: int) -> tuple[int, int, int]:
    """Where shape, texture and background begin among the codes, so that plain style mixing does best; camera from 0.

    Found on other samples than those that are measured.
    """
    codes = drawn_codes(run.base, 2 * pairs, BASE_TRUNCATION, seed + 1000)
    halves = (torch.arange(pairs), torch.arange(pairs, 2 * pairs))
    last = run.base.codes
    tried = [
        (view, texture, background)
        for view in (2,)
        for texture in range(view + 1, last - 1)
        for background in (texture + 1, last - 1)
        if background > texture
    ]
    made = [LayerPainter(run.base, codes, borders) for borders in tried]
    return tried[best_borders(made, run.reader, run.template, halves)]


def picture_distances(run: JudgedRun, seed: int) -> dict[str, float]:
    """Distances of pictures from the known ones, on our own features: of the base generator, and of StyleGAN-R asked
    for those very pictures and for mixtures of them."""
    network = encoder_features()
    known = run.known.pictures.float() / 127.5 - 1
    count = len(known)
    real = features_of(network, known.split(BATCH))
    codes = drawn_codes(run.base, count, BASE_TRUNCATION, seed + 2)
    with torch.no_grad():
        before = [run.base.synthesize(run.base.styles(some)) for some in codes.split(BATCH)]
    random = np.random.default_rng(seed)
    same = [torch.arange(count)] * 4
    mixed = [torch.from_numpy(random.permutation(count)) for _ in range(4)]
    painter = MappedPainter(run.tuned, run.known)
    distances = {"before": judged(network, real, features_of(network, before))}
    for name, numbers in (("same", same), ("mixed", mixed)):
        made = painter(numbers) * 2 - 1
        distances[name] = judged(network, real, features_of(network, made.split(BATCH)))
    return {f"{key}_{name}": value for key, part in distances.items() for name, value in part.items()}


def table_text(report: dict[str, Any]) -> str:
    """The swaps as lines: what moved, in parts of the pairs' whole difference, and what arrived."""
    lines = ["stage       swapped      " + "".join(f"{name:>12}" for name in HANDLES) + "     arrived        leak"]
    for stage in (one for one in STAGES if one in report["swaps"]):
        for handle in HANDLES:
            row = report["swaps"][stage][handle]
            cells = "".join(f"{row[name]:12.3f}" for name in (*HANDLES, "arrived", "leak"))
            lines.append(f"{stage:12}{handle:13}{cells}")
    lines += [f"{name} {value:.4g}" for name, value in report["camera_control"].items()]
    lines += [f"{name} {value:.4g}" for name, value in report["distances"].items()]
    return "\n".join(lines)


def pictures_of(run: JudgedRun, seed: int) -> dict[str, np.ndarray]:
    """The paper's figures by name: both renderers, strips of the camera, swaps."""
    random = np.random.default_rng(seed)
    objects = random.permutation(len(run.known.objects))
    numbers = torch.stack([run.known.objects[k][int(random.integers(len(run.known.objects[k])))] for k in objects[:6]])
    figures = Figures(run.tuned, run.reader, run.template, run.known)
    return {
        "dual": figures.dual(numbers[:4]),
        "strips": figures.strips(numbers[-1:]),
        "swaps": figures.swaps(numbers[:3]),
    }
