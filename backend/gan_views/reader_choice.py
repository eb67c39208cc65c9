# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which networks read generated pictures: those of a bundle, or for a new category a segmenter alone."""

from __future__ import annotations

import torch

from ..common.bundle_files import SEGMENTER, network_file
from ..errors import BundleError
from ..models.segmenter import load_segmenter
from ..weights.run_folder import load_bundle_or_run
from .readings import NetworkReader, OutlineReader, Reader

NO_BUNDLE = "none"
"""Stands for no bundle."""


def reader_of(bundle: str, segmenter: str, device: torch.device, batch: int, looks: int) -> Reader:
    """The reader of a bundle or run by its name or folder, or with ``none`` that of a segmenter alone.

    ``segmenter`` is a bundle's name, the folder of a bundle or run, or a file; with a bundle it takes the place of the
    bundle's own where it is given. Raises BundleError with one sentence.
    """
    if bundle == NO_BUNDLE and not segmenter:
        raise BundleError("Without a bundle a segmenter has to find the objects: name its file, or a run's folder.")
    own = None
    if segmenter:
        try:
            own = load_segmenter(network_file(segmenter, SEGMENTER), device)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BundleError(f"{segmenter} holds no segmenter that can be used: {error}") from error
    if bundle == NO_BUNDLE:
        assert own is not None
        return OutlineReader(own, device, batch, looks)
    loaded = load_bundle_or_run(bundle, device)
    return NetworkReader(loaded.inverse_graphics, own or loaded.segmenter, device, batch, looks)
