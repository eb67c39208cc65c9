# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles: folders with the networks of one category, their template and their card.

``bundle.json`` holds what a person and a program need to know; each network is one safetensors file with its config
in the metadata; ``template.npz`` is the category's mesh. A bundle may hold the networks of Image to 3D, an image
generator (see ``generator_bundle.py``), or both. Several bundles of one category may share a segmenter: it lies in one
of them, and the cards of the others name that one under ``segmenter``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..common.bundle_files import (
    BUNDLED,
    CARD,
    INVERSE_GRAPHICS,
    PARTS_TEMPLATE,
    RESEARCH,
    SEGMENTER,
    TEMPLATE,
    bundles_in,
    named_folders,
)
from ..common.files import write_json
from ..common.json_files import read_object
from ..common.measures import with_current_names
from ..errors import BundleError
from ..models.inverse_graphics import InverseGraphics, InverseGraphicsConfig
from ..models.network_files import build, config_of
from ..models.segmenter import Segmenter, load_segmenter
from ..models.storage import read_tensors
from ..render.template import Template
from .parts import PartsModel, PartsReader, load_parts, load_parts_reader

FORMAT = 1
_TEXTS = ("name", "title", "category", "licence", "data", "description", "date")
LARGEST_SIZE = 1e6
"""Metres of an object's longest side, and less."""
ALONE = {"generator": "an image generator", "shape_generator": "a generator of shapes"}
"""Blocks of a card about networks that may be a bundle's only ones."""


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
    parts: PartsReader | None = None
    """What finds objects with parts; None where the bundle knows of none."""
    folder: Path | None = None
    """Where its files lie."""


def bundle_folders(network: str = "") -> dict[str, Path]:
    """Name and folder of every bundle at hand that holds the file ``network``, of every bundle where it is empty.

    The user's own hide the bundled ones of the same name; one that lacks the network hides none that has it.
    """
    return bundles_in([BUNDLED, RESEARCH, *named_folders()], network)


def load_named_parts(name_or_path: str) -> PartsModel:
    """The template with parts and the shape space of a bundle, by its name or folder. Raises BundleError."""
    at_hand = bundle_folders(PARTS_TEMPLATE)
    folder = at_hand.get(name_or_path) or Path(name_or_path)
    if not folder.is_dir():
        raise BundleError(
            f"There is no weights bundle '{name_or_path}' with a template with parts; these have one: "
            f"{', '.join(at_hand) or 'none'}."
        )
    return load_parts(folder)


def read_card(folder: Path) -> dict[str, Any]:
    """The content of a bundle's card. Raises BundleError with one sentence if it is damaged or of another format."""
    try:
        info = read_object(folder / CARD)
        if info.get("format") != FORMAT:
            raise ValueError(f"format {info.get('format')!r:.40} is not {FORMAT}, update the extension or the bundle")
        _check_types(info)
    except (ValueError, OSError) as error:
        raise BundleError(f"The weights bundle in {folder} cannot be used: {error}") from error
    if isinstance(info.get("metrics"), dict):
        info["metrics"] = with_current_names(info["metrics"])
    return info


def _check_types(info: dict[str, Any]) -> None:
    """Raises ValueError where an entry of a card that programs go by is of another type than they take it for."""
    for name in _TEXTS:
        if name in info and not isinstance(info[name], str):
            raise ValueError(f"{name} in {CARD} is {info[name]!r:.40} and no text, correct it or copy the bundle again")
    size = info.get("real_size", 1.0)
    if type(size) not in (int, float) or not 0 < size < LARGEST_SIZE:
        raise ValueError(f"real_size in {CARD} is {size!r:.40} and no length in metres, correct it")


def write_card(folder: Path, info: dict[str, Any]) -> None:
    """Replaces a bundle's card. Raises OSError."""
    write_json(folder / CARD, info)


def segmenter_file(folder: Path, info: dict[str, Any]) -> Path:
    """The segmenter that a bundle uses: its own file, else that of the bundle that its card names.

    The named bundle is one of those at hand and has a file of its own: what its card names is not followed. Raises
    BundleError where it is not so. A bundle that names none ought to have its own, whether it is there or not.
    """
    own, name = folder / SEGMENTER, info.get("segmenter")
    if own.exists() or name is None:
        return own
    at_hand = bundle_folders(SEGMENTER)
    if name not in list(at_hand):  # a list, because what a card holds may be no text
        known = ", ".join(at_hand) or "none"
        raise BundleError(
            f"The weights bundle in {folder} cannot be used: it shares the segmenter of a bundle {name!r}, and those "
            f"that have one are {known}."
        )
    return at_hand[name] / SEGMENTER


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
    folder = bundle_folders(INVERSE_GRAPHICS).get(name_or_path) or bundle_folders().get(name_or_path)
    folder = folder or Path(name_or_path)
    known = ", ".join(bundle_folders(INVERSE_GRAPHICS)) or "none"
    if not (folder / CARD).is_file():
        raise BundleError(f"There is no weights bundle '{name_or_path}'; these are installed: {known}.")
    info = read_card(folder)
    alone = next((what for block, what in ALONE.items() if block in info), "")
    if alone and not (folder / INVERSE_GRAPHICS).exists():
        raise BundleError(
            f"The weights bundle '{folder.name}' holds {alone} alone: for Image to 3D choose one of {known}."
        )
    try:
        template = Template.load(folder / TEMPLATE)
        network = load_inverse_graphics(folder / INVERSE_GRAPHICS, template)
        segmenter = load_segmenter(segmenter_file(folder, info), device)
    except (ValueError, OSError, MemoryError) as error:
        reason = str(error) or "there is not enough memory"
        raise BundleError(f"The weights bundle in {folder} cannot be used: {reason}") from error
    return LoadedBundle(
        info.get("name", folder.name),
        info,
        template,
        network.to(device),
        segmenter,
        torch.device(device),
        load_parts_reader(folder, device, info),
        folder,
    )


def load_inverse_graphics(path: Path, template: Template) -> InverseGraphics:
    """The network of a file, in evaluation mode, on the CPU, without gradients. Raises ValueError."""
    tensors, metadata = read_tensors(path)
    config = config_of(path, metadata, InverseGraphicsConfig)
    return build(path, tensors, lambda: InverseGraphics(config, template), "cpu")
