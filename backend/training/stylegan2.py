# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains StyleGAN2 on a folder or zip of images (Karras et al. 2020, with adaptive augmentation).

Letters: N batch, L w codes of an image, D length of a w code.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..data.images import ImageSet, ImageSetConfig
from ..models.stylegan2 import Generator, GeneratorConfig, save_generator
from ..models.stylegan2_discriminator import DiscriminatorConfig
from .adversarial import AdversarialTask, AdversarialTraining, train_on_images
from .distributed import ALONE, Processes
from .gan_losses import PathLengthMean, path_lengths
from .stylegan2_evaluation import JudgeConfig
from .stylegan2_start import give_weights, mean_path_length


@dataclass(frozen=True)
class StyleGAN2Training(AdversarialTraining):
    """How StyleGAN2 is trained."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    path_length_weight: float = 2.0
    """Weight of the path length regularisation; 0 switches it off."""
    path_length_every: int = 8
    """Number of steps between two of the path length regularisation."""
    path_length_share: float = 0.5
    """Fraction of the batch on whose codes path lengths are measured."""
    start: str = ""
    """Run's folder, or a generator (a bundle by name or folder, or a file), whose weights this training starts from.
    It has the same sizes, or half the resolution: then the new block begins as one that changes nothing
    (:mod:`.stylegan2_start`)."""

    @property
    def half_type(self) -> str:
        return self.generator.half_type

    @property
    def regularised_every(self) -> int:
        return self.path_length_every if self.path_length_weight else 0


def sized(resolution: int, base: int, maximum: int, codes: int, layers: int, **others) -> StyleGAN2Training:
    """A training with networks and images of one size; the discriminator as wide as the generator."""
    return StyleGAN2Training(
        generator=GeneratorConfig(resolution, codes, codes, layers, channel_base=base, channel_max=maximum),
        discriminator=DiscriminatorConfig(resolution, base, maximum),
        images=ImageSetConfig(resolution),
        **others,
    )


PRESETS: dict[str, StyleGAN2Training] = {
    "tiny": sized(
        32, 1024, 64, 64, 2, kimg=4.0, log_kimg=0.5, evaluate_kimg=2.0, checkpoint_kimg=2.0, tensorboard=False,
        average_kimg=0.5, r1_weight=0.025, judge=JudgeConfig(samples=400, grid=6),
    ),
    "small": replace(
        sized(64, 4096, 192, 192, 4),
        generator=GeneratorConfig(64, 192, 192, 4, channels=(192, 192, 192, 128, 64)),
        discriminator=DiscriminatorConfig(64, channels=(256, 256, 256, 128, 64)),
    ),
    # One block wider than "small", whose weights it is begun from. Of pictures as they are, with ground and shadow:
    #   train.py stylegan2 --data RENDERS --out RUNS/studio128 --preset small128 start=car discriminator_kimg=2
    #       images.alpha=ignore
    # With 0.6 kimg alone for the discriminator, cars fell apart in the generator's first kimg; with 2 they stayed.
    # A run of "small" in place of "car" gives its discriminator too, which then needs little time alone or none.
    # A kimg takes 1.4 times as long as one of "small": 20 to 32 an hour on one core, 300 in half a day.
    "small128": replace(
        sized(128, 4096, 192, 192, 4, kimg=300.0, learning_rate=0.003, r1_weight=0.4, average_ramp=0.1),
        generator=GeneratorConfig(128, 192, 192, 4, channels=(192, 192, 192, 128, 64, 32)),
        discriminator=DiscriminatorConfig(128, channels=(256, 256, 256, 128, 64, 32)),
    ),
    "medium": sized(
        128, 16384, 256, 256, 8, kimg=2000.0, log_kimg=4.0, evaluate_kimg=100.0, checkpoint_kimg=50.0, batch=32,
        learning_rate=0.0025, r1_weight=0.1, path_length_every=4, average_kimg=10.0, judge=JudgeConfig(samples=5000),
    ),
    "full": sized(
        512, 32768, 512, 512, 8, kimg=25000.0, log_kimg=16.0, evaluate_kimg=500.0, checkpoint_kimg=200.0, batch=32,
        learning_rate=0.002, r1_weight=10.0, path_length_every=4, average_kimg=10.0, half_from=64,
        judge=JudgeConfig(samples=10000),
    ),
}  # fmt: skip
"""tiny: minutes on a CPU; small: hours on two cores; small128: half a day of them, from small's weights; medium: a GPU;
full: NVIDIA's "config-f" for 512 px cars."""


class StyleGAN2Task(AdversarialTask):
    """StyleGAN2's generator, discriminator and moving average, and the path length regularisation."""

    config: StyleGAN2Training
    model: Generator
    average: Generator

    def __init__(
        self, config: StyleGAN2Training, images: ImageSet, device: torch.device, processes: Processes = ALONE
    ) -> None:
        super().__init__(config, images, device, processes)
        self.path_length_mean = PathLengthMean()

    def make_generator(self, half: int | None, clamp: float | None) -> Generator:
        return Generator(replace(self.config.generator, half_from_resolution=half, conv_clamp=clamp))

    def start_from(self, start: str) -> str:
        """Takes the weights of a run or of a generator; returns a sentence where the discriminator begins fresh.

        Raises ValueError where there is nothing to start from, or nothing that fits.
        """
        config = self.config
        with_discriminator = give_weights(start, (self.model, self.average), self.discriminator)
        if config.path_length_weight:
            # Lengths drawn towards a mean that begins at 0 would undo for a while what was learned.
            self.path_length_mean.value = mean_path_length(self.model, config.batch, config.seed, self.device)
        if with_discriminator:
            return ""
        alone = config.discriminator_kimg
        first = f"and learns alone for the first {alone:g} kimg" if alone else "and learns beside the generator at once"
        return f"The start {start} holds a generator alone: the discriminator begins fresh {first}."

    def _regularisation_step(self) -> dict[str, Tensor]:
        return self._path_length_step()

    def _path_length_step(self) -> dict[str, Tensor]:
        """Weighted by its interval, as it is left out of all other steps."""
        config = self.config
        self._learns("generator")
        each = round(config.batch * config.path_length_share / self.processes.count)
        count = max(each, 1) * self.processes.count
        codes = self._codes(count, group=1)
        images = self._framed(self.model.synthesize(self.model.styles(codes), self._noise(count, group=1)))
        noise = self._drawn(count, 1, *images.shape[1:])
        lengths = path_lengths(images, codes, noise)
        mean = self.processes.mean(lengths.mean())
        penalty = self.path_length_mean.penalty(lengths, mean)
        self._descend("generator", penalty * (config.path_length_weight * config.path_length_every))
        # A loss is the mean over all steps of an interval.
        return {"path_length": mean * config.path_length_every, "path_penalty": penalty * config.path_length_every}

    def _codes(self, count: int, group: int, track: bool = True) -> Tensor:
        return self._codes_of(self.model, count, group, track)

    def _noise(self, count: int, group: int) -> list[Tensor]:
        return self._noise_of(self.model, count, group)

    def _generated(self, track: bool = True) -> Tensor:
        codes = self._codes(self.config.batch, self.group, track)
        return self._framed(self.model.synthesize(self.model.styles(codes), self._noise(self.config.batch, self.group)))

    def evaluate(self, step: int, folder: Path) -> dict[str, float]:
        return {"kimg": step * self.config.batch / 1000, **self.judge.figures(self.average)}

    def sheets(self) -> dict[str, np.ndarray]:
        return {"samples": self.judge.grid(self.average)}

    def kept(self) -> dict[str, Tensor]:
        return {**super().kept(), "path_length_mean": self.path_length_mean.value}

    def restore(self, kept: dict[str, Tensor]) -> None:
        super().restore(kept)
        self.path_length_mean.value = kept["path_length_mean"].to(self.device)

    def export(self, folder: Path) -> None:
        save_generator(folder / "generator.safetensors", self.average)
        super().export(folder)


def train(config: StyleGAN2Training, data: Path, out: Path, *, resume: bool, device: torch.device) -> dict[str, float]:
    """Trains on the images in ``data``, a folder or a zip; leaves ``generator.safetensors`` in ``out``.

    A folder of rendered views gives whole pictures, whatever their masks. Returns the last figures.

    Raises:
        ImageSetError: No usable image lies in ``data``.
        FileExistsError: A run lies in ``out`` that was not asked to be resumed.
        ValueError: Sizes that do not go together, a start that does not fit, or a damaged checkpoint.
    """
    resolutions = {config.generator.resolution, config.discriminator.resolution, config.images.resolution}
    if len(resolutions) > 1:
        raise ValueError(f"Generator, discriminator and images are of one resolution, not {sorted(resolutions)}.")
    begin = (lambda task: task.start_from(config.start)) if config.start else None
    return train_on_images(config, StyleGAN2Task, data, out, resume=resume, device=device, begin=begin)
