# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of a bundle are called, and where bundles lie. What is in them is the business of ``weights``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

CARD = "bundle.json"
INVERSE_GRAPHICS = "inverse_graphics.safetensors"
"""The network without which a bundle is of no use for Image to 3D."""
GENERATOR = "generator.safetensors"
STYLE_MAPPING = "style_mapping.safetensors"
"""The networks from camera, shape, texture and background to the generator's code: StyleGAN-R."""
NEURAL_RENDERER = "neural_renderer.safetensors"
"""The generator that was fine-tuned with these networks: StyleGAN-R's other half."""
SHAPE_GENERATOR = "shape_generator.safetensors"
"""The network that makes shape, texture and background from a seed: paper B's."""
SEGMENTER = "segmenter.safetensors"
TEMPLATE = "template.npz"
PARTS_TEMPLATE = "parts_template.npz"
SHAPE_SPACE = "shape_space.npz"
PARTS_NETWORK = "parts_network.safetensors"
"""The network that reads photographs for objects with parts; a bundle without it has none."""
WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
BUNDLED = WEIGHTS / "bundles"
"""The bundles that ship with the product."""
RESEARCH = WEIGHTS / "research"
"""Bundles in the repository whose terms are not the product's own; the extension's zip leaves them out."""
FOLDERS_VARIABLE = "UNRENDER_BUNDLES"
"""Environment variable with further folders of bundles, separated like PATH; the add-on sets it for its worker."""


def named_folders() -> list[Path]:
    """The folders of bundles that the environment variable names, in its order; they need not exist."""
    named = os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)
    return [Path(text).expanduser().absolute() for text in named if text]


def network_file(start: str, network: str) -> Path:
    """The file ``network`` that a training starts from: of a bundled bundle's name, of a folder, or a file itself."""
    path = Path(start) if Path(start).exists() else BUNDLED / start
    return path / network if path.is_dir() else path


def bundles_in(roots: Iterable[Path], network: str = "") -> dict[str, Path]:
    """Name and folder of every bundle in ``roots`` that holds the file ``network``; of every one where it is empty.

    Later roots hide bundles of the same name in earlier ones; one that lacks the network hides none that has it.
    """
    folders = [card.parent for root in roots for card in sorted(root.glob(f"*/{CARD}"))]
    return {folder.name: folder for folder in folders if (folder / network).exists()}
