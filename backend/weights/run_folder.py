# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inverse-graphics network of a bundle, or of a training run, which has no card and no segmenter yet."""

from __future__ import annotations

from pathlib import Path

import torch

from ..errors import BundleError
from ..models.inverse_graphics import InverseGraphics
from ..render.template import Template
from .bundle import INVERSE_GRAPHICS, load_bundle, load_inverse_graphics

TEMPLATE = "template.npz"


def is_run(folder: Path) -> bool:
    """Whether a folder has a network with its template, as a training run leaves them and a bundle too."""
    return (folder / INVERSE_GRAPHICS).is_file() and (folder / TEMPLATE).is_file()


def load_bundle_or_run(name_or_path: str, device: torch.device | str = "cpu") -> tuple[InverseGraphics, Template]:
    """The network, in evaluation mode and without gradients, and its template.

    name_or_path: a run's folder, a bundle's folder or its name. Raises BundleError with one sentence where there is no
    such network.
    """
    folder = Path(name_or_path)
    if not is_run(folder):
        bundle = load_bundle(name_or_path, device)
        return bundle.inverse_graphics, bundle.template
    try:
        template = Template.load(folder / TEMPLATE)
        network = load_inverse_graphics(folder / INVERSE_GRAPHICS, template)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise BundleError(f"The network in {folder} cannot be used: {error}") from error
    return network.to(device), template
