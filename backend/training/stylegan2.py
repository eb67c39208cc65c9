# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains StyleGAN2 on a folder or zip of images (Karras et al. 2020, with adaptive augmentation).

Every process draws the random numbers of the whole batch and works on its share, so that several processes compute
what one would. All draws come from one generator whose state is in the checkpoint; the place in the data follows from
the number of steps.

Letters: N batch, L w codes of an image, D length of a w code.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..data.images import ImageSet, ImageSetConfig, load_images
from ..models.precision import computes_in_bfloat16
from ..models.stylegan2 import Generator, GeneratorConfig, save_generator
from ..models.stylegan2_discriminator import Discriminator, DiscriminatorConfig, save_discriminator
from .adaptive_augment import AdaptiveAugmentation, AugmentationConfig
from .averages import update_average
from .distributed import ALONE, Processes, joined
from .gan_losses import PathLengthMean, discriminator_loss, generator_loss, path_lengths, r1_penalty
from .loop import LoopConfig, Progress, Task, run
from .memory import keep_freed_memory
from .stylegan2_evaluation import GeneratorJudge, JudgeConfig
from .stylegan2_start import give_weights, mean_path_length


@dataclass(frozen=True)
class StyleGAN2Training:
    """How a generator is trained. Lengths of time are in thousands of images shown to the discriminator (kimg)."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    images: ImageSetConfig = field(default_factory=ImageSetConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    judge: JudgeConfig = field(default_factory=JudgeConfig)
    kimg: float = 200.0
    """Length of the training."""
    log_kimg: float = 0.5
    """Time between two entries of losses in the log."""
    evaluate_kimg: float = 10.0
    """Time between two evaluations."""
    checkpoint_kimg: float = 5.0
    """Time between two checkpoints."""
    tensorboard: bool = True
    """Whether a log for TensorBoard is written where that is installed."""
    batch: int = 8
    """Number of images of a step, over all processes."""
    learning_rate: float = 0.006
    """Learning rate of Adam for both networks."""
    mirror: bool = True
    """Whether every image is also shown left-right mirrored."""
    r1_weight: float = 0.1
    """Weight gamma of the R1 penalty; StyleGAN2-ADA's rule of thumb is 0.0002 resolution² / batch."""
    r1_every: int = 16
    """Number of steps between two of the R1 penalty."""
    path_length_weight: float = 2.0
    """Weight of the path length regularisation; 0 switches it off."""
    path_length_every: int = 8
    """Number of steps between two of the path length regularisation."""
    path_length_share: float = 0.5
    """Fraction of the batch on whose codes path lengths are measured."""
    mixing_probability: float = 0.9
    """Probability that an image has the codes of a second z from a random layer on."""
    average_kimg: float = 5.0
    """Half-life of the moving average of the weights."""
    average_ramp: float = 0.05
    """Upper limit of that half-life as a fraction of the images shown so far, so that the start is forgotten."""
    half: bool = True
    """Whether layers from ``half_from`` pixels on run in half precision, where the device computes in it."""
    half_from: int = 8
    """Smallest resolution of the layers that run in half precision."""
    start: str = ""
    """Run's folder, or a generator (a bundle by name or folder, or a file), whose weights this training starts from.
    It has the same sizes, or half the resolution: then the new block begins as one that changes nothing
    (:mod:`.stylegan2_start`)."""
    discriminator_kimg: float = 0.0
    """Time in which the discriminator learns alone: a fresh one would teach a trained generator nonsense."""
    seed: int = 0

    @property
    def steps_alone(self) -> int:
        """Number of first steps in which only the discriminator learns."""
        return round(self.discriminator_kimg * 1000 / self.batch)

    @property
    def loop(self) -> LoopConfig:
        """The same lengths of time, in steps."""

        def steps(kimg: float) -> int:
            return max(1, round(kimg * 1000 / self.batch))

        return LoopConfig(
            steps(self.kimg),
            steps(self.log_kimg),
            steps(self.evaluate_kimg),
            steps(self.checkpoint_kimg),
            self.tensorboard,
        )


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


class StyleGAN2Task(Task):
    """Generator, discriminator, the generator's moving average, and their steps."""

    def __init__(
        self, config: StyleGAN2Training, images: ImageSet, device: torch.device, processes: Processes = ALONE
    ) -> None:
        self.config, self.images, self.device, self.processes = config, images, device, processes
        self.group = config.discriminator.minibatch_group if config.discriminator.minibatch_channels else 1
        processes.share(torch.empty(config.batch), self.group)  # says at once where a batch cannot be shared
        torch.manual_seed(config.seed)
        half = config.half_from if config.half and computes_in_bfloat16(device) else None
        # bfloat16 reaches as far as float32; float16 does not.
        clamp = 256.0 if half is not None and config.generator.half_type == "float16" else None
        self.model = Generator(replace(config.generator, half_from_resolution=half, conv_clamp=clamp))
        self.discriminator = Discriminator(replace(config.discriminator, half_from_resolution=half, conv_clamp=clamp))
        self.average = Generator(replace(config.generator, conv_clamp=clamp)).eval().requires_grad_(False)
        self.average.load_state_dict(self.model.state_dict())
        self.networks = {"generator": self.model, "discriminator": self.discriminator, "average": self.average}
        for network in self.networks.values():
            network.to(device)
        self.optimizers = {
            "generator": self._optimizer(self.model, config.path_length_every if config.path_length_weight else 0),
            "discriminator": self._optimizer(self.discriminator, config.r1_every),
        }
        self.generator = torch.Generator().manual_seed(config.seed)
        self.augmentation = AdaptiveAugmentation(config.augmentation)
        self.path_length_mean = PathLengthMean()
        self.content = images.content_mask().to(device)
        self.judge = GeneratorJudge(config.judge, images, device, config.seed)

    def _optimizer(self, network: nn.Module, every: int) -> torch.optim.Optimizer:
        """Adam, whose memory counts the steps of the lazy regularisation too (StyleGAN2, section 3.1)."""
        ratio = every / (every + 1) if every else 1.0
        return torch.optim.Adam(
            network.parameters(), self.config.learning_rate * ratio, betas=(0.0, 0.99**ratio), eps=1e-8
        )

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

    def step(self, step: int) -> dict[str, Tensor]:
        config = self.config
        real = self.images.batch(step * config.batch, config.batch, config.seed, config.mirror)
        real = self.processes.share(real, self.group).to(self.device, non_blocking=True)
        alone = step < config.steps_alone
        losses = {} if alone else self._generator_step()
        if not alone and config.path_length_weight and step % config.path_length_every == 0:
            losses |= self._path_length_step()
        losses |= self._discriminator_step(real, track=not alone)
        if config.r1_weight and step % config.r1_every == 0:
            losses |= self._r1_step(real)
        shown = (step + 1) * config.batch
        if not alone:
            half_life = min(config.average_kimg * 1000, shown * config.average_ramp)
            update_average(self.average, self.model, 0.5 ** (config.batch / half_life))
        return {name: self.processes.mean(value) for name, value in losses.items()}

    def _generator_step(self) -> dict[str, Tensor]:
        self._learns("generator")
        logits = self.discriminator(self._augmented(self._generated()))
        loss = generator_loss(logits)
        self._descend("generator", loss)
        return {"generator": loss}

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

    def _discriminator_step(self, real: Tensor, track: bool = True) -> dict[str, Tensor]:
        """Makes one step; with ``track`` the mapping's average of w follows the codes drawn here."""
        self._learns("discriminator")
        with torch.no_grad():
            generated = self._generated(track)
        fake_logits = self.discriminator(self._augmented(generated))
        real_logits = self.discriminator(self._augmented(real))
        loss = discriminator_loss(real_logits, fake_logits)
        self._descend("discriminator", loss)
        sign = self.processes.mean(real_logits.sign().mean())
        self.augmentation.observe(sign, self.config.batch)
        augmented = torch.tensor(self.augmentation.probability, device=self.device)
        return {"discriminator": loss, "real_sign": sign, "augmentation": augmented}

    def _r1_step(self, real: Tensor) -> dict[str, Tensor]:
        config = self.config
        self._learns("discriminator")
        images = real.clone().requires_grad_(True)
        penalty = r1_penalty(self.discriminator(self._augmented(images)), images)
        self._descend("discriminator", penalty * (config.r1_weight / 2 * config.r1_every))
        return {"r1": penalty * config.r1_every}

    def _learns(self, name: str) -> None:
        """Spares the other network the gradients of its weights."""
        for other in ("generator", "discriminator"):
            self.networks[other].requires_grad_(other == name)

    def _descend(self, name: str, loss: Tensor) -> None:
        optimizer = self.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        parameters = [p for p in self.networks[name].parameters() if p.grad is not None]
        self.processes.average_gradients(parameters)
        optimizer.step()

    def _drawn(self, count: int, group: int, *shape: int) -> Tensor:
        """This process's share of standard normal numbers (count, ...) that all processes draw alike."""
        drawn = torch.randn(count, *shape, generator=self.generator)
        return self.processes.share(drawn, group).to(self.device, non_blocking=True)

    def _codes(self, count: int, group: int, track: bool = True) -> Tensor:
        """w+ (N, L, D) of this process's share; some with codes of a second z from a random layer on."""
        codes = self.model.codes
        first = self.model.mapping(self._drawn(count, group, self.config.generator.z_dim))
        mixed = self.model.spread(first)
        if self.config.mixing_probability:
            second = self.model.mapping(self._drawn(count, group, self.config.generator.z_dim))
            cut = torch.randint(1, codes, (count, 1), generator=self.generator)
            mixes = torch.rand(count, 1, generator=self.generator) < self.config.mixing_probability
            is_second = mixes & (torch.arange(codes) >= cut)
            is_second = self.processes.share(is_second, group).to(self.device)[..., None]
            mixed = torch.where(is_second, second[:, None], first[:, None])
        if track:
            self.model.mapping.track(self.processes.mean(first.mean(dim=0, keepdim=True)))
        return mixed

    def _noise(self, count: int, group: int) -> list[Tensor]:
        drawn = self.model.draw_noise(count, self.generator)
        return [self.processes.share(layer, group).to(self.device, non_blocking=True) for layer in drawn]

    def _generated(self, track: bool = True) -> Tensor:
        """A batch's images; those that the discriminator's statistics take together stay in one process."""
        codes = self._codes(self.config.batch, self.group, track)
        return self._framed(self.model.synthesize(self.model.styles(codes), self._noise(self.config.batch, self.group)))

    def _framed(self, images: Tensor) -> Tensor:
        """Images with bars as black as the data's, whatever the generator makes there; no gradient comes from them."""
        return images if self.config.images.aspect == 1 else torch.lerp(-torch.ones_like(images), images, self.content)

    def _augmented(self, images: Tensor) -> Tensor:
        return self.augmentation(images, self.generator, self.processes, self.group)

    def evaluate(self, step: int, folder: Path) -> dict[str, float]:
        return {"kimg": step * self.config.batch / 1000, **self.judge.figures(self.average)}

    def sheets(self) -> dict[str, np.ndarray]:
        return {"samples": self.judge.grid(self.average)}

    def kept(self) -> dict[str, Tensor]:
        return {"augmentation": self.augmentation.state(), "path_length_mean": self.path_length_mean.value}

    def restore(self, kept: dict[str, Tensor]) -> None:
        self.augmentation.restore(kept["augmentation"])
        self.path_length_mean.value = kept["path_length_mean"].to(self.device)

    def export(self, folder: Path) -> None:
        save_generator(folder / "generator.safetensors", self.average)
        discriminator = copy.deepcopy(self.discriminator)
        discriminator.config = replace(discriminator.config, half_from_resolution=None)
        save_discriminator(folder / "discriminator.safetensors", discriminator)


def train(config: StyleGAN2Training, data: Path, out: Path, *, resume: bool, device: torch.device) -> dict[str, float]:
    """Trains on the images in ``data``, a folder or a zip; leaves ``generator.safetensors`` in ``out``.

    A folder of rendered views gives whole pictures, whatever their masks. Returns the last figures.

    Raises:
        ImageSetError: No usable image lies in ``data``.
        FileExistsError: A run lies in ``out`` that was not asked to be resumed.
        ValueError: Sizes that do not go together, a start that does not fit, or a damaged checkpoint.
    """
    keep_freed_memory()
    resolutions = {config.generator.resolution, config.discriminator.resolution, config.images.resolution}
    if len(resolutions) > 1:
        raise ValueError(f"Generator, discriminator and images are of one resolution, not {sorted(resolutions)}.")
    if (data / "dataset.json").is_file() and config.images.alpha == "black":
        config = replace(config, images=replace(config.images, alpha="ignore"))
    with joined(device) as processes:
        out.mkdir(parents=True, exist_ok=True)
        packed = out / "images.npy"
        images = processes.in_turn(lambda: load_images(data, config.images, packed, progress=processes.first))
        task = StyleGAN2Task(config, images, processes.device(device), processes)
        if config.start and not (out / "checkpoint.safetensors").exists():
            said = task.start_from(config.start)
            if said and processes.first:
                print(said, flush=True)
        return run(
            task,
            config.loop,
            out,
            resume=resume,
            describe=config,
            progress=Progress("kimg", config.batch / 1000),
            writes=processes.first,
        )
