# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A StyleGAN2 checkpoint becomes a bundle, with progress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..common.records import ImportedWeights, ImportWeightsRequest, Progress
from ..errors import Cancelled
from ..weights.generator_bundle import check_free
from ..weights.importers.stylegan2_import import bundle_name, default_name, read_generator, save_found


def import_weights(
    request: ImportWeightsRequest, report: Callable[[Progress], None], cancelled: Callable[[], bool]
) -> ImportedWeights:
    """Reads a checkpoint, tries its generator and writes the bundle.

    Raises CheckpointError or BundleError with one sentence, or Cancelled, and then has written nothing.
    """

    def say(stage: str, fraction: float) -> None:
        if cancelled():
            raise Cancelled("Cancelled.")
        report(Progress(stage, fraction))

    folder = Path(request.folder) / bundle_name(request.name or default_name(request.path))
    check_free(folder, replace=request.replace)
    say("Reading the checkpoint", 0.0)
    found = read_generator(request.path)
    if request.picture_height or request.picture_width:
        found.set_picture(request.picture_height, request.picture_width)
    save_found(found, folder, licence=request.licence, replace=request.replace, report=say)
    _, _, height, width = found.card.content
    return ImportedWeights(
        name=folder.name,
        folder=str(folder),
        description=found.describe(),
        width=width,
        height=height,
        licence=found.card.licence,
        notes=found.notes,
    )
