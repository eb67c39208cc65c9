# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a bundle's weights makes an object without a photo: its template with parts, or its generator of shapes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..common.bundle_files import PARTS_TEMPLATE, SHAPE_GENERATOR
from ..common.records import GenerateRequest, Progress, Reconstruction
from ..weights.bundle import bundle_folders, choose_device
from ..weights.shape_generator_bundle import load_shape_generator_bundle
from . import generate as with_parts
from .generate_surface import generate_surface

Maker = Callable[[GenerateRequest, Callable[[Progress], None], Callable[[], bool]], Reconstruction]
"""Takes a request, a function that takes progress and one that says whether to stop; returns the object."""


def shape_generator_folder(bundle: str, prefer_parts: bool) -> Path | None:
    """The folder of the generator of shapes that makes the objects of a bundle or a run, by its name or path.

    None where parts do, because it has no generator, or has both and they are preferred.
    """
    folder = bundle_folders(SHAPE_GENERATOR).get(bundle) or Path(bundle)
    if not (folder / SHAPE_GENERATOR).is_file():
        return None
    has_parts = bundle in bundle_folders(PARTS_TEMPLATE) or (folder / PARTS_TEMPLATE).is_file()
    return None if prefer_parts and has_parts else folder


def load_maker(request: GenerateRequest) -> Maker:
    """What makes the objects of requests for the same weights, kind and device as this one. Raises BundleError."""
    folder = shape_generator_folder(request.bundle, request.with_parts)
    if folder is not None:
        weights = load_shape_generator_bundle(folder, choose_device(request.device))
        return lambda asked, report, cancelled: generate_surface(asked, weights, report, cancelled)
    model, category = with_parts.load_generator(request.bundle)
    return lambda asked, report, cancelled: with_parts.generate(asked, model, category, report, cancelled)
