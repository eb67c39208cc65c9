# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several inverse-graphics networks on several data: paper A's Table 1, for whatever networks and data are at hand.

Networks alone are measured, before any refinement. Each is given the same crops, at its own size.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...common.records import Camera
from ...data.multi_views import GAN_VIEWS
from ...weights.bundle import load_bundle
from ...weights.run_folder import load_network
from ..silhouettes import SIZE
from . import sheet as comparison_sheet
from .data import PHOTOGRAPHS, Pictures, kind_of_data, read_gan_views, read_photographs, read_rendered_views
from .measures import ComparedNetwork, measure
from .table import MEASURES, figures_of

FORMAT = 1


@dataclass(frozen=True)
class Labelled:
    """``LABEL=WHAT`` of a command line: a network or data, under the name that the table gives it."""

    label: str
    what: str

    @staticmethod
    def of(text: str) -> Labelled:
        """Without a label it is the last part of the name or path. Raises ValueError for a label that is none."""
        before, sign, after = text.partition("=")
        if not sign or "/" in before or "\\" in before or Path(text).exists():
            before, after = Path(text).name or text, text
        if not before.strip() or not after or set(before) & set("|/\\\n"):
            raise ValueError(f"'{text}' names nothing: write LABEL=PATH, or a path alone.")
        return Labelled(before.strip(), after)


@dataclass(frozen=True)
class Comparison:
    """Everything that decides a comparison."""

    networks: Sequence[Labelled]
    """Bundles, or runs of a training."""
    data: Sequence[Labelled]
    """Folders."""
    cameras: Mapping[int, Camera] | None = None
    """Of the generator's views, by their number."""
    segmenter: str = "car"
    """The bundle whose segmenter cuts out photographs."""
    objects: int = 0
    """Of each data, at most; 0: all."""

    def __post_init__(self) -> None:
        for kind, named in (("networks", self.networks), ("data", self.data)):
            labels = [one.label for one in named]
            if not labels:
                raise ValueError(f"A comparison needs {kind}.")
            twice = next((label for label in labels if labels.count(label) > 1), None)
            if twice is not None:
                raise ValueError(f"Two {kind} are called '{twice}': give each a label of its own with LABEL=PATH.")


def compare(
    comparison: Comparison, device: torch.device, pictures: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The report, which is plain JSON, and where ``pictures`` are wanted a sheet (H, W, 3) uint8 by the data's label.

    Raises UnrenderError, ValueError or OSError in one sentence where a network or data cannot be used at all.
    """
    start = time.perf_counter()
    kinds = [kind_of_data(Path(data.what)) for data in comparison.data]
    networks = [ComparedNetwork(one.label, one.what, *load_network(one.what, device)) for one in comparison.networks]
    report: dict[str, Any] = {
        "format": FORMAT,
        "networks": [{"label": n.label, "source": n.source, "image_size": n.image_size} for n in networks],
        "cameras": comparison.cameras is not None,
        "segmenter": comparison.segmenter if PHOTOGRAPHS in kinds else None,
        "silhouette_size": SIZE,
        "measures": {measure.name: f"{measure.title}: {measure.note}" for measure in MEASURES},
        "data": [],
    }
    sheets: dict[str, Any] = {}
    everything = [_read(comparison, data, kind, networks) for data, kind in zip(comparison.data, kinds, strict=True)]
    for data in everything:
        report["data"].append(_measured(networks, data))
        if pictures:
            sheets[data.label] = comparison_sheet.sheet(networks, data)
    report["seconds"] = round(time.perf_counter() - start, 1)
    return report, sheets


def _read(comparison: Comparison, data: Labelled, kind: str, networks: Sequence[ComparedNetwork]) -> Pictures:
    folder, limit = Path(data.what), comparison.objects or None
    if kind == GAN_VIEWS:
        return read_gan_views(data.label, folder, comparison.cameras, limit)
    if kind == PHOTOGRAPHS:
        device = networks[0].device
        segmenter = load_bundle(comparison.segmenter, device).segmenter
        sizes = {SIZE, comparison_sheet.SIDE, *(network.image_size for network in networks)}
        return read_photographs(data.label, folder, segmenter, device, sizes, limit)
    return read_rendered_views(data.label, folder, limit)


def _measured(networks: Sequence[ComparedNetwork], data: Pictures) -> dict[str, Any]:
    """The report of one set of data: how much there is of it, and every network's figures and records."""
    by_network = {}
    for network in networks:
        start = time.perf_counter()
        records = measure(network, data)
        seconds = round(time.perf_counter() - start, 2)
        figures = figures_of(records, data.kind)
        by_network[network.label] = {"figures": figures, "seconds": seconds, "records": records}
    return {
        "label": data.label,
        "kind": data.kind,
        "folder": str(data.folder),
        "objects": data.number_of_objects,
        "pictures": len(data),
        "failed": data.failed,
        "networks": by_network,
    }
