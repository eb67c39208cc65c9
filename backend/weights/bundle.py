# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles: folders with the networks of one category, their template and their card.

``bundle.json`` holds what a person and a program need to know; each network is one safetensors file with its config
in the metadata; ``template.npz`` is the category's mesh.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import BundleError
from ..models.inverse_graphics import InverseGraphics, InverseGraphicsConfig
from ..models.segmenter import Segmenter, load_segmenter
from ..models.storage import load_state, read_tensors, tuples
from ..render.template import Template

FORMAT = 1
BUNDLED = Path(__file__).parent / "bundles"
USER_FOLDERS_VARIABLE = "UNRENDER_BUNDLES"
"""Environment variable with further folders of bundles, separated like PATH; the add-on sets it for its worker."""


@dataclass
class LoadedBundle:
    """A bundle ready to use on a device."""

    name: str
    info: dict[str, Any]
    """The content of ``bundle.json``."""
    template: Template
    inverse_graphics: InverseGraphics
    segmenter: Segmenter
    device: torch.device


def bundle_folders() -> dict[str, Path]:
    """Name and folder of every bundle at hand; the user's own hide the bundled ones of the same name."""
    roots = [BUNDLED, *(Path(p) for p in os.environ.get(USER_FOLDERS_VARIABLE, "").split(os.pathsep) if p)]
    return {card.parent.name: card.parent for root in roots for card in sorted(root.glob("*/bundle.json"))}


def choose_device(name: str) -> torch.device:
    """The device called ``auto``, ``cpu``, ``cuda`` or ``mps``. Raises BundleError where it is not there."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if not available.get(name.partition(":")[0], False):
        raise BundleError(f"The device '{name}' is not available here; choose one of auto, cpu, cuda, mps.")
    return torch.device(name)


def load_bundle(name_or_path: str, device: torch.device | str = "cpu") -> LoadedBundle:
    """Loads a bundle by its name or folder. Raises BundleError with one sentence if that cannot be done."""
    folder = bundle_folders().get(name_or_path) or Path(name_or_path)
    card = folder / "bundle.json"
    if not card.is_file():
        known = ", ".join(bundle_folders()) or "none"
        raise BundleError(f"There is no weights bundle '{name_or_path}'; these are installed: {known}.")
    try:
        info = json.loads(card.read_text(encoding="utf-8"))
        if info.get("format") != FORMAT:
            raise ValueError(f"format {info.get('format')} is not {FORMAT}, update the extension or the bundle")
        template = Template.load(folder / "template.npz")
        network = load_inverse_graphics(folder / "inverse_graphics.safetensors", template)
        segmenter = load_segmenter(folder / "segmenter.safetensors", device)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise BundleError(f"The weights bundle in {folder} cannot be used: {error}") from error
    return LoadedBundle(
        info.get("name", folder.name), info, template, network.to(device), segmenter, torch.device(device)
    )


def load_inverse_graphics(path: Path, template: Template) -> InverseGraphics:
    """The network of a file, in evaluation mode, on the CPU, without gradients. Raises ValueError."""
    tensors, metadata = read_tensors(path)
    config = InverseGraphicsConfig(**tuples(json.loads(metadata.get("config", "{}"))))
    network = InverseGraphics(config, template)
    load_state(network, tensors, path)
    return network.eval().requires_grad_(False)
