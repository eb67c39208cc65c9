# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a generator of shapes is worth where the truth is known: against solids, or against rendered objects.

Pictures of solids are compared at the photographs' own viewpoints and at higher ones that no photograph showed: a
generator that paints well and knows no shape is good at the first alone. Of rendered objects there are no others.

Letters: N samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..data.images import ImageSet
from ..data.solids import SolidsConfig, make_solids, photographed, solids_mesh
from ..models.scene_pictures import SOFT, normal_colours, shown
from ..models.shape_generator import ShapeGenerator, root_mean_square_radius
from ..render.viewpoints import ViewpointPrior
from .features import FeatureNetwork, features_of, judged
from .generated_shapes import Shapes, ball, compare_scenes, compare_shapes, shapes_of, shapes_of_meshes, unseen
from .grids import BATCH, GAP, GROUND, tiled, to_bytes
from .scene_sheets import draw_scenes

_TRUTH_SEED = 90_001
"""Of the solids that are compared with: never those of a training's data, whose seeds are small."""
_VIEW_SEED = 90_002


@dataclass(frozen=True)
class SolidsJudge:
    """Compares generators with always the same solids and pictures of them."""

    config: SolidsConfig
    """The data's: resolution and viewpoints. Its seed does not matter."""
    network: FeatureNetwork | None
    """On whose features pictures are compared; None: they are not."""
    shapes: int = 48
    """Number of shapes on either side."""
    pictures: int = 400
    """Number of pictures on either side."""

    def figures(self, generator: ShapeGenerator, seed: int = 0) -> dict[str, float]:
        """Returns all figures of a generator; those of pictures at unseen viewpoints begin with ``unseen_``."""
        with torch.no_grad():
            true = shapes_of(solids_mesh(), make_solids(self.shapes, _TRUTH_SEED), self.config.viewpoints)
            scene = draw_scenes(generator, self.shapes, seed)
            figures = compare_scenes(generator.mesh, scene, true, self.config.viewpoints)
        for prefix, config in self._worlds():
            if self.network:
                real = features_of(self.network, self._true_pictures(config, _TRUTH_SEED))
                found = features_of(self.network, self._made_pictures(generator, config, seed))
                figures |= {prefix + name: value for name, value in judged(self.network, real, found).items()}
        return figures

    def references(self) -> dict[str, dict[str, float]]:
        """Returns the same figures of other solids of the world (``data``), and those of shapes of a ``ball`` of the
        solids' mean size."""
        solids = make_solids(self.shapes, _TRUTH_SEED)
        true = shapes_of(solids_mesh(), solids, self.config.viewpoints)
        others = make_solids(self.shapes, _TRUTH_SEED, first=1_000_000)
        data = compare_shapes(shapes_of(solids_mesh(), others, self.config.viewpoints), true)
        for prefix, config in self._worlds():
            if self.network:
                sides = (self._true_pictures(config, _TRUTH_SEED, first) for first in (0, 1_000_000))
                one, other = (features_of(self.network, side) for side in sides)
                data |= {prefix + name: value for name, value in judged(self.network, one, other).items()}
        radius = float(root_mean_square_radius(solids.vertices).mean())
        mesh, scene = ball(radius)
        return {"data": data, "ball": compare_shapes(shapes_of(mesh, scene, self.config.viewpoints), true)}

    def _worlds(self) -> list[tuple[str, SolidsConfig]]:
        return [("", self.config), ("unseen_", replace(self.config, viewpoints=unseen(self.config.viewpoints)))]

    def _numbers(self, config: SolidsConfig) -> Tensor:
        return config.viewpoints.draw(self.pictures, torch.Generator().manual_seed(_VIEW_SEED))

    def _true_pictures(self, config: SolidsConfig, seed: int, first: int = 0) -> Iterator[Tensor]:
        for start, numbers in enumerate(self._numbers(config).split(BATCH)):
            yield photographed(make_solids(len(numbers), seed, first + start * BATCH), config, numbers)

    @torch.no_grad()
    def _made_pictures(self, generator: ShapeGenerator, config: SolidsConfig, seed: int) -> Iterator[Tensor]:
        for start, numbers in enumerate(self._numbers(config).split(BATCH)):
            scene = draw_scenes(generator, len(numbers), seed, start * BATCH)
            viewpoints = config.viewpoints.viewpoints(numbers).to(generator.start.device)
            yield shown(generator.mesh, scene, viewpoints, config.resolution, SOFT)


@dataclass(frozen=True)
class RenderedJudge:
    """Compares a generator with the objects of a folder of ``render_dataset.py`` and their pictures."""

    images: ImageSet
    """The folder's pictures, packed as for the training."""
    meshes: Sequence[Path]
    """Files ``mesh.npz`` of the objects, two at least."""
    viewpoints: ViewpointPrior
    """The training's."""
    network: FeatureNetwork | None
    shapes: int = 48
    pictures: int = 400

    def figures(self, generator: ShapeGenerator, seed: int = 0) -> dict[str, float]:
        """Returns all figures of a generator."""
        with torch.no_grad():
            true = self._true(self.meshes[: self.shapes])
            figures = compare_scenes(generator.mesh, draw_scenes(generator, self.shapes, seed), true, self.viewpoints)
        if self.network:
            real = features_of(self.network, self._real_pictures(0, min(self.pictures, len(self.images))))
            found = features_of(self.network, self._made_pictures(generator, seed))
            figures |= judged(self.network, real, found)
        return figures

    def references(self) -> dict[str, dict[str, float]]:
        """Returns the figures of one half of the objects and pictures against the other (``data``), and those of shapes
        of a ``ball`` of the objects' mean size."""
        half = min(len(self.meshes) // 2, self.shapes)
        one, other = self._true(self.meshes[:half]), self._true(self.meshes[half : 2 * half])
        data = compare_shapes(other, one)
        if self.network:
            count = min(len(self.images) // 2, self.pictures)
            halves = [features_of(self.network, self._real_pictures(first, count)) for first in (0, count)]
            data |= judged(self.network, halves[0], halves[1])
        radius = float(root_mean_square_radius(one.points).mean())
        return {"data": data, "ball": compare_shapes(shapes_of(*ball(radius), self.viewpoints), one)}

    def _true(self, paths: Sequence[Path]) -> Shapes:
        return shapes_of_meshes(map(_read_mesh, paths), self.viewpoints)

    def _real_pictures(self, first: int, count: int) -> Iterator[Tensor]:
        for start in range(first, first + count, BATCH):
            yield self.images.batch(start, min(BATCH, first + count - start), _VIEW_SEED, mirror=False)

    @torch.no_grad()
    def _made_pictures(self, generator: ShapeGenerator, seed: int) -> Iterator[Tensor]:
        numbers = self.viewpoints.draw(self.pictures, torch.Generator().manual_seed(_VIEW_SEED))
        for start, some in enumerate(numbers.split(BATCH)):
            scene = draw_scenes(generator, len(some), seed, start * BATCH)
            viewpoints = self.viewpoints.viewpoints(some).to(generator.start.device)
            yield shown(generator.mesh, scene, viewpoints, self.images.config.resolution, SOFT)


def _read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as data:
        return data["vertices"], data["faces"]


@torch.no_grad()
def ablation_sheet(
    generators: Sequence[ShapeGenerator],
    prior: ViewpointPrior,
    *,
    solids: bool,
    columns: int = 8,
    resolution: int = 64,
    seed: int = 0,
) -> np.ndarray:
    """Paper B's figure 3: two rows a generator, samples from random viewpoints and, below, their normals from the same;
    before them the ``solids`` themselves."""
    numbers = prior.draw(columns, torch.Generator().manual_seed(_VIEW_SEED))
    viewpoints = prior.viewpoints(numbers)
    blocks = [(solids_mesh(), make_solids(columns, _TRUTH_SEED))] if solids else []
    blocks += [(generator.mesh, draw_scenes(generator, columns, seed)) for generator in generators]
    strips = []
    for mesh, scene in blocks:
        at = viewpoints.to(scene.vertices.device)
        pictures = torch.cat([draw(mesh, scene, at, resolution) for draw in (shown, normal_colours)])
        strips.append(tiled(to_bytes(pictures), columns))
    gap = np.full((4 * GAP, strips[0].shape[1], 3), GROUND, np.uint8)
    return np.concatenate([part for strip in strips for part in (strip, gap)][:-1])
