# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every training of a generator against StyleGAN2's discriminator shares, whatever makes its pictures.

Every process draws the random numbers of the whole batch and works on its share, so that several processes compute
what one would. All draws come from one generator whose state is in the checkpoint; the place in the data follows from
the number of steps.

Letters: N batch, L w codes of an image, D length of a w code.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..data.images import ImageSet, ImageSetConfig, load_images
from ..models.precision import computes_in_bfloat16
from ..models.stylegan2 import Generator
from ..models.stylegan2_discriminator import Discriminator, DiscriminatorConfig, save_discriminator
from .adaptive_augment import AdaptiveAugmentation, AugmentationConfig
from .averages import update_average
from .distributed import ALONE, Processes, joined
from .gan_losses import discriminator_loss, generator_loss, r1_penalty
from .loop import LoopConfig, Progress, Task, run
from .memory import keep_freed_memory
from .stylegan2_evaluation import GeneratorJudge, JudgeConfig


@dataclass(frozen=True)
class AdversarialTraining:
    """How a generator is trained. Lengths of time are in thousands of images shown to the discriminator (kimg)."""

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

    @property
    def half_type(self) -> str:
        """The half precision that the generator's layers use."""
        return self.discriminator.half_type

    @property
    def regularised_every(self) -> int:
        """Number of steps between two of a regularisation of the generator; 0: there is none."""
        return 0


class AdversarialTask(Task):
    """Generator, discriminator, the generator's moving average, and their steps.

    A subclass says what the generator is (:meth:`make_generator`) and how it makes a batch (:meth:`_generated`).
    """

    model: nn.Module
    average: nn.Module

    def __init__(
        self, config: AdversarialTraining, images: ImageSet, device: torch.device, processes: Processes = ALONE
    ) -> None:
        self.config, self.images, self.device, self.processes = config, images, device, processes
        self.group = config.discriminator.minibatch_group if config.discriminator.minibatch_channels else 1
        processes.share(torch.empty(config.batch), self.group)  # says at once where a batch cannot be shared
        torch.manual_seed(config.seed)
        half = config.half_from if config.half and computes_in_bfloat16(device) else None
        # bfloat16 reaches as far as float32; float16 does not.
        clamp = 256.0 if half is not None and config.half_type == "float16" else None
        self.model = self.make_generator(half, clamp)
        self.discriminator = Discriminator(replace(config.discriminator, half_from_resolution=half, conv_clamp=clamp))
        self.average = self.make_generator(None, clamp).eval().requires_grad_(False)
        self.average.load_state_dict(self.model.state_dict())
        self.networks = {"generator": self.model, "discriminator": self.discriminator, "average": self.average}
        for network in self.networks.values():
            network.to(device)
        self.optimizers = {
            "generator": self._optimizer(self.model, config.regularised_every),
            "discriminator": self._optimizer(self.discriminator, config.r1_every),
        }
        self.generator = torch.Generator().manual_seed(config.seed)
        self.augmentation = AdaptiveAugmentation(config.augmentation)
        self.content = images.content_mask().to(device)
        self.judge = GeneratorJudge(config.judge, images, device, config.seed)

    @abstractmethod
    def make_generator(self, half: int | None, clamp: float | None) -> nn.Module:
        """Returns the generator with fresh weights; layers from ``half`` pixels on run in half precision."""

    @abstractmethod
    def _generated(self, track: bool = True) -> Tensor:
        """A batch's images (N, 3, R, R), this process's share of them; those that the discriminator's statistics take
        together stay in one process. With ``track`` averages of w follow the codes drawn here."""

    def _optimizer(self, network: nn.Module, every: int) -> torch.optim.Optimizer:
        """Adam, whose memory counts the steps of the lazy regularisation too (StyleGAN2, section 3.1)."""
        ratio = every / (every + 1) if every else 1.0
        return torch.optim.Adam(
            network.parameters(), self.config.learning_rate * ratio, betas=(0.0, 0.99**ratio), eps=1e-8
        )

    def step(self, step: int) -> dict[str, Tensor]:
        config = self.config
        real = self.images.batch(step * config.batch, config.batch, config.seed, config.mirror)
        real = self.processes.share(real, self.group).to(self.device, non_blocking=True)
        alone = step < config.steps_alone
        losses = {} if alone else self._generator_step()
        if not alone and config.regularised_every and step % config.regularised_every == 0:
            losses |= self._regularisation_step()
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

    def _regularisation_step(self) -> dict[str, Tensor]:
        """Every ``regularised_every`` steps, of the generator."""
        return {}

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

    def _codes_of(
        self, network: Generator, count: int, group: int, track: bool = True, z: Tensor | None = None
    ) -> Tensor:
        """w+ (N, L, D) of this process's share; some with codes of a second z from a random layer on. ``z`` (N, Z) is
        drawn where it is not given."""
        codes = network.codes
        first = network.mapping(self._drawn(count, group, network.config.z_dim) if z is None else z)
        mixed = network.spread(first)
        if self.config.mixing_probability:
            second = network.mapping(self._drawn(count, group, network.config.z_dim))
            cut = torch.randint(1, codes, (count, 1), generator=self.generator)
            mixes = torch.rand(count, 1, generator=self.generator) < self.config.mixing_probability
            is_second = mixes & (torch.arange(codes) >= cut)
            is_second = self.processes.share(is_second, group).to(self.device)[..., None]
            mixed = torch.where(is_second, second[:, None], first[:, None])
        if track:
            network.mapping.track(self.processes.mean(first.mean(dim=0, keepdim=True)))
        return mixed

    def _noise_of(self, network: Generator, count: int, group: int) -> list[Tensor]:
        drawn = network.draw_noise(count, self.generator)
        return [self.processes.share(layer, group).to(self.device, non_blocking=True) for layer in drawn]

    def _framed(self, images: Tensor) -> Tensor:
        """Images with bars as black as the data's, whatever the generator makes there; no gradient comes from them."""
        return images if self.config.images.aspect == 1 else torch.lerp(-torch.ones_like(images), images, self.content)

    def _augmented(self, images: Tensor) -> Tensor:
        return self.augmentation(images, self.generator, self.processes, self.group)

    def kept(self) -> dict[str, Tensor]:
        return {"augmentation": self.augmentation.state()}

    def restore(self, kept: dict[str, Tensor]) -> None:
        self.augmentation.restore(kept["augmentation"])

    def export(self, folder: Path) -> None:
        discriminator = copy.deepcopy(self.discriminator)
        discriminator.config = replace(discriminator.config, half_from_resolution=None)
        save_discriminator(folder / "discriminator.safetensors", discriminator)


Config = TypeVar("Config", bound=AdversarialTraining)


def train_on_images(
    config: Config,
    make_task: Callable[[Config, ImageSet, torch.device, Processes], AdversarialTask],
    data: Path,
    out: Path,
    *,
    resume: bool,
    device: torch.device,
    begin: Callable[[AdversarialTask], str] | None = None,
) -> dict[str, float]:
    """Trains the task of a config on the images in ``data``, a folder or a zip; returns the last figures.

    A folder of rendered views gives whole pictures, whatever their masks. ``begin`` is done with the task of a run
    that is not resumed, and returns a sentence for the user, or nothing. Raises as :func:`.stylegan2.train` does.
    """
    keep_freed_memory()
    if (data / "dataset.json").is_file() and config.images.alpha == "black":
        config = replace(config, images=replace(config.images, alpha="ignore"))
    with joined(device) as processes:
        out.mkdir(parents=True, exist_ok=True)
        packed = out / "images.npy"
        images = processes.in_turn(lambda: load_images(data, config.images, packed, progress=processes.first))
        task = make_task(config, images, processes.device(device), processes)
        if begin and not (out / "checkpoint.safetensors").exists():
            said = begin(task)
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
