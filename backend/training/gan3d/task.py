# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains a generator of textured shapes on photographs alone (Szabó et al. 2019): no masks, cameras or templates.

The generator makes a scene, the renderer shows it from a viewpoint that is drawn independently of it, and the
discriminator, which is never told the viewpoint, tells the pictures from photographs:
min_G max_D E[log D(x)] + E[log(1 - D(R(G(z), v)))]. All but the pictures' making is StyleGAN2's training.

Letters: N batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...data.images import ImageSetConfig
from ...evaluation.grids import BATCH
from ...evaluation.scene_sheets import draw_scenes, interpolation_sheet, sample_sheet
from ...models.scene_pictures import CLEARANCE, picture_of, shown
from ...models.shape_generator import ShapeGenerator, ShapeGeneratorConfig, save_shape_generator
from ...models.stylegan2 import GeneratorConfig
from ...models.stylegan2_discriminator import DiscriminatorConfig
from ...models.surface_maps import SurfaceConfig
from ...render.picture import RenderConfig
from ...render.viewpoints import ViewpointPrior
from ..adversarial import AdversarialTask, AdversarialTraining, train_on_images
from ..stylegan2_evaluation import JudgeConfig

GENERATOR = "shape_generator.safetensors"
"""Name of the generator's file in a run's folder."""


@dataclass(frozen=True)
class GAN3DTraining(AdversarialTraining):
    """How a generator of shapes is trained."""

    generator: ShapeGeneratorConfig = field(default_factory=ShapeGeneratorConfig)
    viewpoints: ViewpointPrior = field(default_factory=ViewpointPrior)
    """Where the photographs are thought to be taken from."""
    margin: float = 1.0
    """Pixels within which a picture changes as an edge passes (the soft renderer); 0: the crisp renderer."""
    clearance: float = CLEARANCE
    """How near margins are measured (:func:`backend.render.boundary.rasterize_boundary`); the paper's renderer has the
    camera's distance here, 9.3 at 8°."""
    supersampling: int = 1
    """Samples along each side of a pixel."""
    sheet_rows: int = 8
    """Number of samples in the sheets, and of steps of the interpolation."""

    @property
    def half_type(self) -> str:
        return self.generator.maps.half_type

    @property
    def renderer(self) -> RenderConfig:
        """The boundary renderer with these settings; back faces are not drawn."""
        return RenderConfig(
            renderer="boundary", margin=self.margin, clearance=self.clearance, supersampling=self.supersampling
        )


def sized(resolution: int, base: int, maximum: int, codes: int, layers: int, cells: int, **others) -> GAN3DTraining:
    """A training with networks and images of one size; the background, seen half at a time, has half the channels."""
    maps = GeneratorConfig(resolution, codes, codes, layers, channel_base=base, channel_max=maximum)
    background = GeneratorConfig(
        2 * resolution, codes // 2, codes // 2, layers, channel_base=base // 2, channel_max=max(maximum // 2, 8)
    )
    return GAN3DTraining(
        generator=ShapeGeneratorConfig(maps, background, surface=SurfaceConfig(cells=cells)),
        discriminator=DiscriminatorConfig(resolution, base, maximum),
        images=ImageSetConfig(resolution),
        **others,
    )


PRESETS: dict[str, GAN3DTraining] = {
    "tiny": sized(
        32, 1024, 64, 64, 2, 16, kimg=20.0, log_kimg=0.5, evaluate_kimg=5.0, checkpoint_kimg=2.0, tensorboard=False,
        average_kimg=0.5, r1_weight=0.1, learning_rate=0.004, judge=JudgeConfig(samples=400), sheet_rows=6,
    ),
    "small": sized(
        64, 4096, 192, 192, 4, 24, kimg=300.0, r1_weight=0.4, learning_rate=0.003, average_ramp=0.1,
    ),
    "medium": sized(
        128, 8192, 256, 256, 4, 32, kimg=3000.0, log_kimg=4.0, evaluate_kimg=100.0, checkpoint_kimg=50.0, batch=32,
        learning_rate=0.0025, r1_weight=1.0, average_kimg=10.0, judge=JudgeConfig(samples=5000),
    ),
    "full": sized(
        128, 32768, 512, 512, 8, 64, kimg=12000.0, log_kimg=16.0, evaluate_kimg=500.0, checkpoint_kimg=200.0, batch=64,
        learning_rate=0.0015, r1_weight=10.0, average_kimg=10.0, judge=JudgeConfig(samples=10000),
    ),
}  # fmt: skip
"""tiny: 32 px, minutes on a CPU (20 s a kimg on one core); small: 64 px, half a day (142 s); medium: a GPU; full: the
paper's 128 px, with StyleGAN's penalty and a schedule as long."""


class GAN3DTask(AdversarialTask):
    """The generator of scenes and its pictures; all else is what StyleGAN2's training does."""

    config: GAN3DTraining
    model: ShapeGenerator
    average: ShapeGenerator

    def make_generator(self, half: int | None, clamp: float | None) -> ShapeGenerator:
        config = self.config.generator
        networks = {
            name: replace(getattr(config, name), half_from_resolution=half, conv_clamp=clamp)
            for name in ("maps", "background")
        }
        return ShapeGenerator(replace(config, **networks))

    def _generated(self, track: bool = True) -> Tensor:
        config, model, batch = self.config, self.model, self.config.batch
        own = config.generator.own_background
        z = None if own else self._drawn(batch, self.group, config.generator.maps.z_dim)
        of_maps = self._codes_of(model.maps, batch, self.group, track, z)
        of_background = self._codes_of(model.background, batch, self.group, track, z)
        scene = model.scene(
            of_maps,
            of_background,
            self._noise_of(model.maps, batch, self.group),
            self._noise_of(model.background, batch, self.group),
        )
        numbers = config.viewpoints.draw(batch, self.generator)
        numbers = self.processes.share(numbers, self.group).to(self.device, non_blocking=True)
        viewpoints = config.viewpoints.viewpoints(numbers)
        return self._framed(shown(model.mesh, scene, viewpoints, config.images.resolution, config.renderer))

    def evaluate(self, step: int, folder: Path) -> dict[str, float]:
        config = self.config
        figures = {"kimg": step * config.batch / 1000}
        with torch.no_grad():
            coverages: list[Tensor] = []
            figures |= self.judge.compared(self._judged_pictures(coverages))
        if coverages:
            figures["coverage"] = float(torch.cat(coverages).mean())
        return figures

    def _judged_pictures(self, coverages: list[Tensor]) -> Iterator[Tensor]:
        """Pictures (n, 3, R, R) of always the same codes and viewpoints; adds how much of each the object covers."""
        config, side = self.config, self.config.images.resolution
        random = torch.Generator().manual_seed(config.seed)
        numbers = config.viewpoints.draw(config.judge.samples, random)
        for first in range(0, config.judge.samples, BATCH):
            some = numbers[first : first + BATCH]
            scene = draw_scenes(self.average, len(some), config.seed, first)
            viewpoints = config.viewpoints.viewpoints(some).to(self.device)
            seen = self.average.mesh, scene, viewpoints, side, config.renderer
            coverages.append(picture_of(*seen).coverage.mean(dim=(1, 2)))
            yield self._framed(shown(*seen))

    def sheets(self) -> dict[str, np.ndarray]:
        config = self.config
        settings = self.average, config.viewpoints, config.images.resolution, config.sheet_rows, config.seed
        return {"samples": sample_sheet(*settings), "interpolation": interpolation_sheet(*settings)}

    def export(self, folder: Path) -> None:
        save_shape_generator(folder / GENERATOR, self.average)
        super().export(folder)


def train(config: GAN3DTraining, data: Path, out: Path, *, resume: bool, device: torch.device) -> dict[str, float]:
    """Trains on the photographs in ``data``, a folder or a zip; leaves ``shape_generator.safetensors`` in ``out``.

    A folder of rendered views gives whole pictures; their masks, cameras and meshes are not looked at. Returns the last
    figures. Raises as :func:`backend.training.stylegan2.train` does.
    """
    resolutions = {config.discriminator.resolution, config.images.resolution}
    if len(resolutions) > 1:
        raise ValueError(f"Discriminator and images are of one resolution, not {sorted(resolutions)}.")
    return train_on_images(config, GAN3DTask, data, out, resume=resume, device=device)
