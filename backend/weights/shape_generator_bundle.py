# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generators of shapes (paper B) in bundles and runs: ``shape_generator.safetensors``, the average weights alone.

A bundle's file says in its metadata, beside the network's config, what pictures the network knows: ``viewpoints``, the
prior that it was trained with, and ``pictures``, their resolution and aspect. Of a run ``config.json`` says it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from ..common.bundle_files import CARD, SHAPE_GENERATOR
from ..common.json_files import parse_object
from ..errors import BundleError
from ..models.network_files import config_from
from ..models.shape_generator import ShapeGenerator, load_shape_generator
from ..models.storage import Precision, read_metadata, save_network, tuples
from ..render.viewpoints import ViewpointPrior
from .bundle import FORMAT, read_card, write_card
from .generator_bundle import fits_half, reason
from .run_folder import Run, usable

BLOCK = "shape_generator"
"""What a card says of this network."""
VIEWPOINTS, PICTURES = "viewpoints", "pictures"
"""Entries of the file's metadata."""
UNKNOWN_SIZE = 1.0
"""Metres of the longest side where nobody said: of a run's objects."""


@dataclass(frozen=True)
class Pictures:
    """What the pictures of a training were like."""

    resolution: int
    """Side of the square in pixels."""
    aspect: float = 1.0
    """Width by height of what is a picture in it; the rest are bars."""

    def __post_init__(self) -> None:
        if self.resolution < 1 or not 0.01 < self.aspect < 100:
            raise ValueError(f"No picture has {self.resolution} pixels and an aspect of {self.aspect}.")


@dataclass(frozen=True)
class LoadedShapeGenerator:
    """A generator of shapes, ready to use on a device."""

    name: str
    category: str
    real_size: float
    """Metres of the longest side of such an object."""
    generator: ShapeGenerator
    viewpoints: ViewpointPrior
    pictures: Pictures

    @property
    def device(self) -> torch.device:
        return self.generator.start.device


def load_shape_generator_bundle(folder: Path, device: torch.device | str = "cpu") -> LoadedShapeGenerator:
    """The generator of shapes of a bundle's or a run's folder. Raises BundleError with one sentence."""
    is_bundle = (folder / CARD).is_file()
    card = read_card(folder) if is_bundle else {}
    viewpoints, pictures = _of_bundle(folder) if is_bundle else of_run(folder)
    try:
        generator = load_shape_generator(folder / SHAPE_GENERATOR, device)
        real_size = float(card.get("real_size", UNKNOWN_SIZE))
    except (ValueError, TypeError, RuntimeError, MemoryError) as error:
        sentence = " ".join(str(error).split())[:300] or "There is not enough memory."
        raise BundleError(f"The generator of shapes in {folder} cannot be loaded: {sentence}") from error
    if not 0 < real_size < 1e6:
        raise BundleError(f"The weights bundle in {folder} cannot be used: its objects are {real_size:g} metres long.")
    name = folder.resolve().name
    category = str(card.get("category") or name)
    return LoadedShapeGenerator(str(card.get("name", name)), category, real_size, generator, viewpoints, pictures)


def of_run(folder: Path) -> tuple[ViewpointPrior, Pictures]:
    """What a run of ``train.py gan3d`` says of its pictures. Raises BundleError with one sentence."""
    run = Run.read(folder)
    with usable(folder):
        images = run.images()
        return _prior(run.config[VIEWPOINTS]), Pictures(int(images["resolution"]), float(images["aspect"]))


def add_shape_generator(
    folder: Path, run: Path, block: Mapping[str, Any], *, category: str, real_size: float, precision: Precision
) -> int:
    """Puts the generator of a run's folder into a bundle's, new or not, whose other networks stay.

    block: what the card says of it. ``category`` and ``real_size`` in metres are said of a bundle that has no card yet.
    Weights too large for half precision are stored in float32. Returns the resolution of its pictures. Raises
    BundleError.
    """
    viewpoints, pictures = of_run(run)
    about: dict[str, Any] = {"format": FORMAT, "name": folder.name, "category": category, "real_size": real_size}
    info = read_card(folder) if (folder / CARD).exists() else about
    try:
        generator = load_shape_generator(run / SHAPE_GENERATOR)
        if precision == "half" and not fits_half(generator):
            precision = "float32"
        more = {VIEWPOINTS: json.dumps(asdict(viewpoints)), PICTURES: json.dumps(asdict(pictures))}
        save_network(folder / SHAPE_GENERATOR, generator, generator.config, precision=precision, more=more)
        about_it = {"resolution": pictures.resolution, **block}
        write_card(folder, {"date": date.today().isoformat(), **info, BLOCK: about_it})
    except (OSError, ValueError, SafetensorError) as error:
        raise BundleError(f"The weights bundle {folder} cannot be written: {reason(error)}.") from error
    return pictures.resolution


def _of_bundle(folder: Path) -> tuple[ViewpointPrior, Pictures]:
    try:
        metadata = read_metadata(folder / SHAPE_GENERATOR)
        return (
            config_from(parse_object(metadata[VIEWPOINTS], VIEWPOINTS), ViewpointPrior),
            config_from(parse_object(metadata[PICTURES], PICTURES), Pictures),
        )
    except KeyError as error:
        raise BundleError(
            f"The generator of shapes in {folder} does not say what its pictures were like: put it in with "
            "scripts/build_bundle.py --shape-generator."
        ) from error
    except (ValueError, TypeError) as error:
        raise BundleError(f"The generator of shapes in {folder} cannot be used: {error}") from error


def _prior(values: dict[str, Any]) -> ViewpointPrior:
    return ViewpointPrior(**tuples(values))
