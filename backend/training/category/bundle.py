# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundle at the end of a category's chain: its network for Image to 3D, and its own segmenter."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from ...common.bundle_files import INVERSE_GRAPHICS, SEGMENTER, TEMPLATE
from ...common.files import replacing
from ...models.storage import save_network
from ...weights.bundle import FORMAT, write_card
from ...weights.run_folder import Run, usable


def write_bundle(
    folder: Path, shapes: Path, segmenter: Path, *, category: str, real_size: float, licence: str, note: str
) -> None:
    """Writes a bundle of a run of ``inverse-graphics`` and a segmenter's file. Raises BundleError or OSError."""
    run = Run.read(shapes)
    with usable(run.folder):
        network, template = run.network()
        progress, metrics = run.progress(), run.last_figures()
    folder.mkdir(parents=True, exist_ok=True)
    save_network(folder / INVERSE_GRAPHICS, network, network.config, precision="half")
    template.save(folder / TEMPLATE)
    with replacing(folder / SEGMENTER) as partial:
        shutil.copyfile(segmenter, partial)
    # The card comes last: a folder without one is no bundle.
    write_card(
        folder,
        {
            "format": FORMAT,
            "name": category,
            "title": category.replace("-", " ").capitalize(),
            "category": category,
            "resolution": network.config.image_size,
            "real_size": real_size,
            "data": note,
            "licence": licence,
            "training": {"task": "category", **progress},
            "metrics": metrics,
            "date": date.today().isoformat(),
        },
    )
