# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle holds for objects with parts: their template, their shape space, the network that reads photographs."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..common.bundle_files import PARTS_NETWORK, PARTS_TEMPLATE, SHAPE_SPACE
from ..common.shape_space import ShapeSpace
from ..errors import BundleError
from ..models.parts_network import PartsNetwork, load_parts_network
from ..models.shape_decoder import SpaceDecoder
from ..render.template import Template
from .confidence import Confidence

PARTS_ENTRY = "parts_network"
"""What the card of a bundle says of its network for objects with parts; ``confidence`` in it is a
:class:`~backend.weights.confidence.Confidence`, and ``behind`` the number of :class:`PartsReader`."""


@dataclass(frozen=True)
class PartsModel:
    """The template and the shape space of objects with parts."""

    template: Template
    space: ShapeSpace


@dataclass(frozen=True)
class PartsReader:
    """What finds objects with parts in photographs, on a device."""

    model: PartsModel
    network: PartsNetwork
    decoder: SpaceDecoder
    confidence: Confidence | None = None
    """How sure a direction of view is; None where the bundle's card does not say."""
    behind: float = 0.0
    """Logit to add to directions of view from behind: a network that learned from photographs of little but fronts
    finds rears too seldom."""


def load_parts(folder: Path) -> PartsModel:
    """The template with parts and the shape space of a bundle's folder. Raises BundleError with one sentence."""
    try:
        model = PartsModel(Template.load(folder / PARTS_TEMPLATE), ShapeSpace.load(folder / SHAPE_SPACE))
    except FileNotFoundError as error:
        raise BundleError(f"The weights bundle in {folder} has no template with parts.") from error
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise BundleError(f"The template with parts in {folder} cannot be used: {error}") from error
    if len(model.template.vertices) != len(model.space.kept) or model.template.parts is None:
        raise BundleError(f"The template with parts in {folder} cannot be used: it does not fit its shape space.")
    return model


def load_parts_reader(
    folder: Path, device: torch.device | str = "cpu", card: dict[str, Any] | None = None
) -> PartsReader | None:
    """What a bundle's folder, and its card, hold to find objects with parts; None where it has no such network.

    Raises BundleError with one sentence where it has one that cannot be used.
    """
    file = folder / PARTS_NETWORK
    if not file.is_file():
        return None
    model = load_parts(folder)
    try:
        network = load_parts_network(file, device)
        entry = (card or {}).get(PARTS_ENTRY, {})
        confidence = Confidence.of_card(entry["confidence"]) if "confidence" in entry else None
        behind = float(entry.get("behind", 0.0))
    except (ValueError, TypeError, AttributeError) as error:
        raise BundleError(f"The network for objects with parts in {folder} cannot be used: {error}") from error
    if network.config.code_size != model.space.size:
        raise BundleError(
            f"The network for objects with parts in {folder} cannot be used: it gives codes of "
            f"{network.config.code_size} numbers, and the shape space has {model.space.size}."
        )
    return PartsReader(model, network, SpaceDecoder(model.space).to(device), confidence, behind)
