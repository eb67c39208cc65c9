# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projections as safetensors files: codes and noise as tensors, everything else in the metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...common.json_files import parse_object
from ...errors import OutputError, UnrenderError
from ...models.storage import read_tensors, write_tensors
from .projection import Projection

FORMAT = 1
_FIGURES = ("distance", "pixel_error", "start_distance", "seconds")


class ProjectionError(UnrenderError):
    """A projection's file that cannot be used."""


def figures(projection: Projection) -> dict[str, float]:
    """The numbers of a projection that a report states."""
    return {name: float(getattr(projection, name)) for name in _FIGURES}


def save_projection(path: Path, projection: Projection, about: dict[str, Any] | None = None) -> None:
    """Writes codes, noise, image, target and losses; ``about`` (JSON) says which photo and generator they are of.

    Raises OutputError with one sentence if the file cannot be written.
    """
    arrays = {"codes": projection.codes, "image": projection.image, "target": projection.target}
    arrays |= {"losses": projection.losses}
    arrays |= {f"noise.{name}": values for name, values in projection.noise.items()}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in arrays.items()}
    card = {"format": FORMAT, "space": projection.space, "box": projection.box, **figures(projection)}
    metadata = {"projection": json.dumps(card), "about": json.dumps(about or {})}
    try:
        write_tensors(path, tensors, metadata)
    except OSError as error:
        raise OutputError(f"The projection cannot be written to {path}: {error.strerror or error}.") from error


def load_projection(path: Path) -> tuple[Projection, dict[str, Any]]:
    """A projection and what was said about it. Raises ProjectionError with one sentence."""
    try:
        tensors, metadata = read_tensors(path)
        card = parse_object(metadata["projection"], "its description")
        if card.pop("format") != FORMAT:
            raise ValueError("its format is that of another version")
        arrays = {name: value.numpy() for name, value in tensors.items()}
        noise = {name: arrays.pop(name) for name in list(arrays) if name.startswith("noise.")}
        values: dict[str, Any] = {**card, **arrays, "box": tuple(card["box"])}
        values["noise"] = {name.removeprefix("noise."): map for name, map in noise.items()}
        return Projection(**values), parse_object(metadata["about"], "its description")
    except (ValueError, KeyError, TypeError) as error:
        raise ProjectionError(f"{path} is no projection that can be used: {error}.") from error
