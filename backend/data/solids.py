# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small world whose truth is known: painted solids before patterned backgrounds, photographed by our own rasteriser.

It is what paper B's theorem assumes and photographs are not: every picture is R(m, v), m from a known family, v from a
known prior and independent of m. A solid is a rounded body of varied proportions with a nose in front, below the
middle, and a hump on top, so that front and rear, up and down and the depth of every point are told apart; its paint
has eyes in front, a belt around it and a darker rear.

Letters: N solids, V vertices, T side of a texture, B side of a background.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..common.files import replacing, write_json
from ..common.json_files import read_object
from ..models.scene_pictures import picture_of
from ..models.shape_generator import Scene, SceneMesh
from ..models.storage import tuples
from ..models.surface_maps import SurfaceConfig, make_surface
from ..progress_bar import tracked
from ..render.picture import RenderConfig
from ..render.viewpoints import ViewpointPrior, seen_background

TRUTH = "truth.npz"
"""Name of the file with shapes and viewpoints, beside the pictures; no training reads it."""
_SURFACE = make_surface(SurfaceConfig("sphere", 24))
BACKGROUND_FACTOR = 2.0
"""How much wider and higher than the frame backgrounds are."""
_TEXTURE_SIDE, _BACKGROUND_SIDE, _BATCH = 96, 96, 16


@dataclass(frozen=True)
class SolidsConfig:
    """How many pictures, and what of."""

    pictures: int = 2000
    """One a solid."""
    resolution: int = 32
    seed: int = 0
    viewpoints: ViewpointPrior = field(default_factory=ViewpointPrior)


def solids_mesh() -> SceneMesh:
    """What all solids share."""
    return SceneMesh(torch.from_numpy(_SURFACE.triangles), torch.from_numpy(_SURFACE.triangle_uv), BACKGROUND_FACTOR)


def make_solids(count: int, seed: int, first: int = 0) -> Scene:
    """Solids number ``first`` and following of a seed; textures and backgrounds are in [-1, 1]."""
    made = [_solid(np.random.default_rng([seed, number])) for number in range(first, first + count)]
    return Scene(*(torch.stack(parts) for parts in zip(*made, strict=True)))


def photographed(solids: Scene, config: SolidsConfig, numbers: Tensor) -> Tensor:
    """Pictures (N, 3, R, R) in [-1, 1] of solids at the viewpoints that numbers of the prior stand for."""
    return photographed_with_masks(solids, config, numbers)[:, :3]


def photographed_with_masks(solids: Scene, config: SolidsConfig, numbers: Tensor) -> Tensor:
    """The same with the solids' masks (N, 4, R, R), which are in [-1, 1] too."""
    sharp = RenderConfig(renderer="boundary", margin=0.0, supersampling=3)
    viewpoints = config.viewpoints.viewpoints(numbers)
    side = config.resolution
    background = seen_background(solids.background, viewpoints.window, BACKGROUND_FACTOR, side, side)
    drawn = picture_of(solids_mesh(), solids, viewpoints, side, sharp)
    return torch.cat([drawn.over(background), 2 * drawn.mask.reshape(-1, 1, side, side) - 1], dim=1).clamp(-1, 1)


def write_solids(folder: Path, config: SolidsConfig, *, alpha: bool = False, progress: bool = True) -> None:
    """Writes ``pictures/000000.png`` and following, and the truth beside them. Raises OSError.

    With ``alpha`` the pictures are transparent where there is no solid.
    """
    numbers = config.viewpoints.draw(config.pictures, torch.Generator().manual_seed(config.seed))
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    vertices = []
    starts = range(0, config.pictures, _BATCH)
    for first in tracked(starts, "Photographing solids", count=len(starts), unit="batch", shown=progress):
        some = numbers[first : first + _BATCH]
        solids = make_solids(len(some), config.seed, first)
        vertices.append(solids.vertices.numpy())
        drawn = photographed_with_masks(solids, config, some)[:, : 4 if alpha else 3]
        pictures = drawn.permute(0, 2, 3, 1).add(1).mul(127.5).round().byte().numpy()
        for number, picture in enumerate(pictures, first):
            Image.fromarray(picture).save(folder / "pictures" / f"{number:06d}.png")
    with replacing(folder / TRUTH) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, vertices=np.concatenate(vertices), viewpoints=numbers.numpy())
    write_json(folder / "solids.json", asdict(config))


def read_config(folder: Path) -> SolidsConfig:
    """The config of a folder of :func:`write_solids`. Raises ValueError where it is none."""
    try:
        values = read_object(folder / "solids.json")
        prior = tuples(values.pop("viewpoints"))
        return SolidsConfig(**values, viewpoints=ViewpointPrior(**prior))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder} is no folder of rendered solids: {error}") from error


def _solid(rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    directions = _SURFACE.start.astype(np.float64)
    proportions = rng.uniform([0.2, 0.26, 0.22], [0.34, 0.42, 0.36])
    exponent = rng.uniform(2.0, 4.0)
    points = directions / (np.abs(directions) ** exponent).sum(axis=1, keepdims=True) ** (1 / exponent) * proportions
    nose = np.exp(-((directions - _unit([0, -1, rng.uniform(-0.45, -0.15)])) ** 2).sum(axis=1) / 0.12)
    hump = np.exp(-((directions - _unit([0, rng.uniform(-0.2, 0.5), 1])) ** 2).sum(axis=1) / 0.25)
    points += np.outer(nose, [0, -rng.uniform(0.06, 0.2), 0]) + np.outer(hump, [0, 0, rng.uniform(0.02, 0.12)])
    points -= (points.max(axis=0) + points.min(axis=0)) / 2
    points /= np.ptp(points, axis=0).max()  # the canonical frame: longest side 1
    return torch.from_numpy(points.astype(np.float32)), _paint(rng), patterned_background(rng)


def _unit(vector: list[float]) -> np.ndarray:
    return np.array(vector) / np.linalg.norm(vector)


def _paint(rng: np.random.Generator) -> Tensor:
    """(3, T, T) over the chart of a sphere."""
    line = (np.arange(_TEXTURE_SIDE) + 0.5) / _TEXTURE_SIDE * 2 - 1
    u, v = np.meshgrid(line, -line)
    radius = np.hypot(u, v)
    angle = np.pi * np.minimum(radius, 1)
    height = np.where(radius > 0, np.sin(angle) * v / np.maximum(radius, 1e-9), 0)
    colour, belt = rng.uniform(-0.3, 0.9, 3), rng.uniform(-0.9, 0.9, 3)
    image = np.broadcast_to(colour, (*u.shape, 3)).copy()
    image[np.abs(height + 0.25) < 0.12] = belt
    image[angle > 0.75 * np.pi] = 0.4 * colour - 0.5
    for side in (-1, 1):
        distance = np.hypot(u - side * 0.16, v - 0.12)
        image[distance < 0.1] = 0.95
        image[distance < 0.055] = -0.9
    image += 0.25 * height[..., None]  # as if lit from above, and the same from every side
    return torch.from_numpy(image.clip(-1, 1).transpose(2, 0, 1).astype(np.float32))


def patterned_background(rng: np.random.Generator) -> Tensor:
    """(3, B, B) in [-1, 1]: patches of two muted colours."""
    patches = rng.random((1, 1, 7, 7)).astype(np.float32)
    mixed = F.interpolate(torch.from_numpy(patches), (_BACKGROUND_SIDE,) * 2, mode="bicubic").clamp(0, 1)[0]
    colours = torch.from_numpy(rng.uniform(-0.8, 0.6, (2, 3, 1, 1)).astype(np.float32))
    return torch.lerp(colours[0], colours[1], mixed)
