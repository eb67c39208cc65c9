# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cars of a shape space, drawn from the viewpoints of a known prior: data for paper B's training that looks like cars.

Unlike rendered or real photographs all are at one scale, and shapes, viewpoints and backgrounds are independent. Light
and mirrored surroundings vary, which the generator, whose textures are unlit, can only paint. The folder is one of
rendered views, one a car; meshes lie beside the first ones, which are enough to be compared with.

Letters: N cars, S side of a picture.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...common.files import replacing, write_json
from ...data.solids import BACKGROUND_FACTOR, patterned_background
from ...progress_bar import tracked
from ...render.viewpoints import ViewpointPrior, seen_background
from ...weights.parts import PartsModel
from ..parts.drawn_cars import DrawnCars, DrawnConfig

_BATCH = 16


@dataclass(frozen=True)
class DrawnWorldConfig:
    """How many cars, and from where."""

    cars: int = 3000
    """One picture each."""
    resolution: int = 64
    seed: int = 0
    meshes: int = 200
    """Number of first cars that have their mesh beside the picture."""
    viewpoints: ViewpointPrior = field(default_factory=lambda: ViewpointPrior(180.0, (0.0, 20.0)))


def write_drawn_world(folder: Path, model: PartsModel, config: DrawnWorldConfig, *, progress: bool = True) -> None:
    """Writes ``objects/000000/view_00.png`` and following, with their mask in alpha, and meshes. Raises OSError."""
    cars = DrawnCars(model.space, model.template, DrawnConfig(codes=config.cars), torch.device("cpu"), config.seed)
    random = torch.Generator().manual_seed(config.seed)
    starts = range(0, config.cars, _BATCH)
    for first in tracked(starts, "Drawing cars", count=len(starts), unit="batch", shown=progress):
        chosen = slice(first, min(first + _BATCH, config.cars))
        codes = cars.codes[chosen]
        pictures = _drawn(cars, codes, cars.palettes[chosen], config, first, random)
        vertices = cars.decoder.vertices(codes).numpy()
        for number, picture in enumerate(pictures, first):
            target = folder / "objects" / f"{number:06d}"
            target.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture, "RGBA").save(target / "view_00.png")
            if number < config.meshes:
                with replacing(target / "mesh.npz") as partial, open(partial, "wb") as file:
                    faces = model.template.triangles.astype(np.int32)
                    np.savez_compressed(file, vertices=vertices[number - first], faces=faces)
    write_json(folder / "dataset.json", {"format": 1, "category": "car", **asdict(config)})


def _drawn(
    cars: DrawnCars, codes: Tensor, palettes: Tensor, config: DrawnWorldConfig, first: int, random: torch.Generator
) -> np.ndarray:
    """(N, S, S, 4) uint8 of cars number ``first`` and following."""
    side, count = config.resolution, len(codes)
    viewpoints = config.viewpoints.viewpoints(config.viewpoints.draw(count, random))
    numbers = range(first, first + count)
    patterns = [patterned_background(np.random.default_rng([config.seed, 1, number])) for number in numbers]
    grounds = seen_background(torch.stack(patterns), viewpoints.window, BACKGROUND_FACTOR, side, side) * 0.5 + 0.5
    with torch.no_grad():
        # Twice as fine and averaged, as photographs are.
        drawn = cars.pictures(codes, palettes, viewpoints.cameras, 2 * side, grounds, random, fitted=False)
    whole = torch.nn.functional.avg_pool2d(torch.cat([drawn.rgb, drawn.mask], dim=1), 2)
    return whole.permute(0, 2, 3, 1).mul(255).round().clamp(0, 255).byte().numpy()
