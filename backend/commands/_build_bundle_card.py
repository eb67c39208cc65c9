# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``build_bundle.py`` writes into a bundle's card."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import BundleError

TEXTS = ("title", "description")
"""Of a card: how the add-on shows the bundle."""
SEGMENTER_BLOCK, PARTS_BLOCK, RENDERER_BLOCK = "segmenter_network", "parts_network", "neural_renderer"
"""Blocks of a card about networks that came from somewhere else than its network for Image to 3D."""
KEPT = ("generator", "shape_generator", "parts", PARTS_BLOCK, RENDERER_BLOCK)
"""Blocks of a card that a new network for Image to 3D leaves as they are."""


def put_block(options: argparse.Namespace, name: str, folder: Path) -> None:
    """Writes a network's block of the card, with what its run's folder says where it is one. Raises BundleError.

    The card's name for a shared segmenter goes where the bundle gets its own.
    """
    from ..weights import run_folder
    from ..weights.bundle import read_card, write_card

    card = read_card(options.out)
    block: dict[str, Any] = {"data": options.data_note, "licence": options.licence}
    if (folder / run_folder.CONFIG).is_file():
        run = run_folder.Run.read(folder)
        named = ("batch", "known", "drawn", "rendered", "photographed", "domain", "learning_rate", "seed")
        with run_folder.usable(folder):
            progress = run.progress()
            # Numbers alone: a folder's path says nothing to whoever reads the card elsewhere.
            settings = {key: run.config[key] for key in named if isinstance(run.config.get(key), int | float)}
            training = {**progress, **settings}
            block |= {"training": training, "metrics": run.last_figures(progress["steps"])}
    if name == SEGMENTER_BLOCK:
        card.pop("segmenter", None)
    write_card(options.out, {**card, name: {**block, "notes": options.notes}})


def put_texts(options: argparse.Namespace) -> None:
    """Writes title and description into the card, where they are given. Raises BundleError."""
    from ..weights.bundle import read_card, write_card

    texts = {name: text for name in TEXTS if (text := getattr(options, name)) is not None}
    if texts:
        card = read_card(options.out)
        head = {name: card.pop(name) for name in ("date", "format", "name") if name in card}
        texts = {name: card.pop(name) for name in TEXTS if name in card} | texts
        try:
            write_card(options.out, head | texts | card)
        except OSError as error:
            raise BundleError(f"The card in {options.out} cannot be written: {error}") from error
