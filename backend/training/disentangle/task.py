# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of StyleGAN-R (paper A, section A.3): first a small segmenter of the generator's pictures, then the mapping
networks with the generator frozen (equation 5), then both together under the cycle losses (equation 6).

The inverse-graphics network that ``scripts/train.py inverse-graphics`` left never learns here: it is the judge. The
segmenter is ours: crops around the object have to be found in every step, and a small network for pictures on which
it has seen the masks does it in a twentieth of the time of the bundle's.

Letters: N pictures, R picture, S styles, M views.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...common.bundle_files import NEURAL_RENDERER, STYLE_MAPPING
from ...data.described_pictures import DescribedPictures
from ...evaluation.neural_renderer.judged_run import MASKS, WARMED_UP
from ...models.inverse_graphics import InverseGraphics
from ...models.perceptual import perceptual_features
from ...models.picture_reader import PictureReader
from ...models.precision import computes_in_bfloat16
from ...models.segmenter import Segmenter, SegmenterConfig, save_segmenter
from ...models.style_mapping import StyleMapping, save_style_mapping
from ...models.stylegan2 import Generator, save_generator
from ...render.picture import HARD, render
from ...render.shading import Texture
from ...render.template import Template
from ...weights.bundle import bundle_folders
from ...weights.neural_renderer import load_neural_renderer
from ...weights.run_folder import load_generator_or_run, load_network
from ..averages import update_average
from ..inverse_graphics.task import set_rate
from ..loop import LoopConfig, Task, cosine_rate, run
from .critic import Critic
from .data import load_examples, parted
from .draws import Asked, DrawConfig, draw_known, draw_mixed
from .evaluation import figures_of, sheets_of
from .losses import DisentangleWeights, cycle_losses, picture_losses, silhouette_loss, style_losses
from .start import mapping_config, prepared_mapping

SELECTION_RATE = 5.0
"""Learning rate of the selection among shape, texture and background, over that of the networks."""
HALF_FROM = 16
"""Resolution from which the generator learns in bfloat16: below it saves nothing."""


@dataclass(frozen=True)
class DisentangleTraining:
    """Everything that decides a training of StyleGAN-R."""

    generator: str = "car"
    """Bundle, run or file whose generator made the data."""
    inverse_graphics: str = ""
    """Folder of the run of ``inverse-graphics`` that judges. Where it was trained on the same data, ``cameras.json`` in
    it says where the views' cameras are; else it reads every picture's camera."""
    rendered: str = ""
    """Folder of rendered cars with their codes (``scripts/encode_cars.py``), of the shape space that the judge knows.
    They replace the generated pictures in the fine-tuning: a small generator's cars may look alike from both ends, and
    what it never showed it cannot be asked for. Empty: generated pictures alone, as in the paper."""
    start: str = ""
    """Bundle or run whose StyleGAN-R training goes on from, with new phases: ``warm_up=0`` goes straight on to the
    fine-tuning, for which rendered cars with their codes are enough as data. Empty: from the generator itself."""
    view_styles: int = 144
    """Number of styles that the camera writes."""
    texture_size: int = 64
    background_size: int = 32
    loop: LoopConfig = LoopConfig()
    masks: int = 500
    """First steps, in which the segmenter learns the masks of the data."""
    masks_batch: int = 32
    warm_up: int = 700
    """Steps after these, in which the mapping networks learn alone."""
    warm_up_batch: int = 64
    batch: int = 16
    """Pictures of a step of fine-tuning."""
    known: int = 8
    """How many of them are known ones, the rest being mixed, as all are in the paper."""
    cycle_from: int = 0
    """Step of the fine-tuning from which pictures are mixed; before it the known ones teach alone. What the judge reads
    in pictures that are no objects yet leads nowhere, and drowns what known ones say."""
    learning_rate: float = 1e-3
    """Highest learning rate of mapping networks and segmenter before the fine-tuning."""
    mapping_rate: float = 5e-4
    """Highest learning rate of the mapping networks in the fine-tuning."""
    generator_rate: float = 1.5e-3
    """Highest learning rate of the generator in the fine-tuning."""
    bfloat16: bool = True
    """Whether the generator's layers from 16 pixels on run in bfloat16 in the fine-tuning, where the device computes in
    it. What it leaves behind runs in single precision."""
    critic_rate: float = 1e-3
    """Learning rate of the discriminator, where there is one."""
    weights: DisentangleWeights = DisentangleWeights()
    draws: DrawConfig = DrawConfig()
    segmenter: SegmenterConfig = SegmenterConfig(resolution=64, channels=(16, 32, 64, 96), blocks=(1, 1, 1, 2))
    average_decay: float = 0.995
    validation_share: float = 0.06
    """Share of the objects that are held out, the last of the data, as in ``inverse-graphics``."""
    vgg_weights: str = ""
    """Path of a safetensors file of VGG-16 for the perceptual loss; empty: features that need no weights."""
    seed: int = 0


PRESETS: dict[str, DisentangleTraining] = {
    "tiny": DisentangleTraining(
        loop=LoopConfig(steps=30, log_every=5, evaluate_every=30, checkpoint_every=10, tensorboard=False),
        masks=8, masks_batch=8, warm_up=10, warm_up_batch=8, batch=4, known=2, view_styles=24, texture_size=16,
        background_size=16, segmenter=SegmenterConfig(resolution=32, channels=(8, 12, 16, 16), blocks=(1, 1, 1, 1)),
    ),
    "small": DisentangleTraining(
        masks=200, warm_up=350, loop=LoopConfig(steps=8000, evaluate_every=500, checkpoint_every=50), batch=12, known=8,
        view_styles=576, cycle_from=6000,
    ),
    "medium": DisentangleTraining(
        masks=1000, warm_up=5000, loop=LoopConfig(steps=16_000, evaluate_every=2000, checkpoint_every=500), batch=64,
        known=40, cycle_from=5000,
    ),
    "full": DisentangleTraining(
        masks=1000, warm_up=700, loop=LoopConfig(steps=4200, evaluate_every=500, checkpoint_every=250),
        learning_rate=1e-5, mapping_rate=1e-5, generator_rate=1e-5, known=0,
        weights=DisentangleWeights(camera=0.0, silhouette=0.0, picture=0.0, perceptual=0.0),
    ),
}  # fmt: skip
"""``full`` is the paper's schedule and its losses alone; ``small`` is two CPU cores for an hour and a half."""


class DisentangleTask(Task):
    """The three phases as one loop, so that a run goes on exactly from any step."""

    def __init__(
        self,
        config: DisentangleTraining,
        generated: DescribedPictures,
        rendered: DescribedPictures | None,
        generator: Generator,
        network: InverseGraphics,
        template: Template,
        device: torch.device,
    ) -> None:
        self.config, self.device = config, device
        self.generated, self.examples = generated, rendered or generated
        self.generator = torch.Generator().manual_seed(config.seed)
        torch.manual_seed(config.seed)
        self.teacher = generator.to(device).eval().requires_grad_(False)
        self.student = copy.deepcopy(self.teacher).requires_grad_(True)
        if config.start:
            self.mapping = self._go_on_from(config.start)
        else:
            sizes = mapping_config(config, generator, generated)
            self.mapping = prepared_mapping(sizes, generated, self.examples, generator)
        self.mapping.to(device)
        self.student.mapping.requires_grad_(False)
        self.segmenter = Segmenter(config.segmenter).eval()
        self.segmenter.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.reader = PictureReader(network.to(device).eval().requires_grad_(False), self.segmenter)
        self.average = copy.deepcopy(self.student).requires_grad_(False)
        if config.bfloat16 and computes_in_bfloat16(device):
            self.student.config = replace(self.student.config, half_from_resolution=HALF_FROM)
        self.mapping_average = copy.deepcopy(self.mapping).requires_grad_(False)
        self.warmed_up = copy.deepcopy(self.mapping_average)
        self.networks = {
            "generator": self.student, "generator_average": self.average, "mapping": self.mapping,
            "mapping_average": self.mapping_average, "segmenter": self.segmenter, "warmed_up": self.warmed_up,
        }  # fmt: skip
        learned = [weight for weight in self.student.parameters() if weight.requires_grad]
        self.optimizers = {
            "generator": torch.optim.Adam(learned, config.generator_rate, (0.5, 0.99)),
            "mapping": torch.optim.Adam(_groups(self.mapping), config.learning_rate, (0.9, 0.99)),
            "segmenter": torch.optim.AdamW(self.segmenter.parameters(), config.learning_rate, weight_decay=1e-3),
        }
        self.critic: Critic | None = None
        if config.weights.adversarial:
            self.critic = Critic(self.student.config, config.critic_rate, device)
            self.networks["critic"], self.optimizers["critic"] = self.critic.network, self.critic.optimizer
        self.template = template
        self.triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=device)
        self.triangle_uv = torch.as_tensor(template.triangle_uv, device=device)
        self.features = perceptual_features(Path(config.vgg_weights) if config.vgg_weights else None).to(device)
        if not 0 <= config.known < config.batch or (config.batch - config.known) % 2:
            raise ValueError("An even number of the batch's pictures are mixed ones, two at least: change known.")
        self.shown, self.held_out = parted(self.examples, config.validation_share)
        self.taught = parted(generated, config.validation_share)[0]

    def _go_on_from(self, start: str) -> StyleMapping:
        """Takes over a generator and returns its mapping networks. Raises BundleError where there are none, ValueError
        at other sizes."""
        config = self.config
        before = load_neural_renderer(bundle_folders(NEURAL_RENDERER).get(start) or Path(start), self.device)
        wanted = (config.view_styles, self.examples.shape_code.shape[1], config.texture_size, config.background_size)
        sizes = before.mapping.config
        found = (sizes.view_styles, sizes.shape_code, sizes.texture_size, sizes.background_size)
        if found != wanted or before.generator.config != self.student.config:
            raise ValueError(f"The neural renderer of {start} has other sizes than these settings and data.")
        self.student.load_state_dict(before.generator.state_dict())
        return before.mapping.train().requires_grad_(True)

    def phase(self, step: int) -> str:
        """Which network learns in a step: ``segmenter``, ``mapping``, or both ``generator`` and mapping."""
        if step < self.config.masks:
            return "segmenter"
        return "mapping" if step < self.config.masks + self.config.warm_up else "generator"

    def step(self, step: int) -> dict[str, Tensor]:
        phase = self.phase(step)
        if phase == "segmenter":
            return self._learn_masks(step)
        return self._warm_up(step) if phase == "mapping" else self._fine_tune(step)

    def _learn_masks(self, step: int) -> dict[str, Tensor]:
        """One step of the segmenter on pictures of the data, zoomed, moved and mirrored."""
        config = self.config
        _, pictures, masks = draw_known(
            self.examples, self._drawn(config.masks_batch), config.draws, self.generator, True
        )
        set_rate(self.optimizers["segmenter"], cosine_rate(step, config.masks, config.learning_rate, 20))
        self.segmenter.train()
        side = config.segmenter.resolution
        small = F.interpolate(torch.cat([pictures, masks[:, None]], 1).to(self.device), (side, side), mode="bilinear")
        logits = self.segmenter(small[:, :3].contiguous(memory_format=torch.channels_last))
        loss = F.binary_cross_entropy_with_logits(logits, small[:, 3])
        loss = loss + silhouette_loss(logits.sigmoid(), small[:, 3])
        self._descend("segmenter", loss, list(self.segmenter.parameters()))
        self.segmenter.eval()
        return {"masks": loss.detach()}

    def _warm_up(self, step: int) -> dict[str, Tensor]:
        """One step of equation 5: the mapping networks learn the styles of pictures of the data."""
        config = self.config
        pictures = self._drawn(config.warm_up_batch, self.taught)
        others = self._other_views(pictures)
        asked = Asked.of(self.generated, pictures, others, others, pictures).to(self.device)
        with torch.no_grad():
            styles = self.teacher.flatten(self.teacher.styles(self.generated.codes[pictures].to(self.device)))
        rate = cosine_rate(step - config.masks, config.warm_up, config.learning_rate, 50)
        set_rate(self.optimizers["mapping"], rate)
        losses = style_losses(self.mapping, asked, styles)
        self._descend("mapping", self._total(losses), list(self.mapping.parameters()))
        decay = min(config.average_decay, (step - config.masks + 1) / (step - config.masks + 10))
        update_average(self.mapping_average, self.mapping, decay)
        if self.phase(step + 1) == "generator":
            self.warmed_up.load_state_dict(self.mapping_average.state_dict())
        return {name: value.detach() for name, value in losses.items()}

    def _fine_tune(self, step: int) -> dict[str, Tensor]:
        """One step of generator and mapping networks together."""
        config = self.config
        first = config.masks + config.warm_up
        for name, peak in (("generator", config.generator_rate), ("mapping", config.mapping_rate)):
            set_rate(self.optimizers[name], cosine_rate(step - first, config.loop.steps - first, peak, 50))
        asked, wanted = self._asked(step - first)
        known = len(wanted)
        pictures = self.made(self.student, self.mapping, asked)
        losses = {"entropy": self.mapping.entropy()}
        if len(pictures) > known:
            losses |= self._cycle(asked.part(known), pictures[known:])
        if known and config.weights.picture:
            losses |= picture_losses(pictures[:known], wanted, self.features)
        if self.critic is not None:
            losses["adversarial"] = self.critic.judgement(pictures)
        learned = [*self.student.parameters(), *self.mapping.parameters()]
        self._descend("generator", self._total(losses), learned, also="mapping")
        if self.critic is not None:
            losses["critic"] = self.critic.learn(self._real(wanted), pictures.detach(), step)
        decay = min(config.average_decay, (step - first + 1) / (step - first + 10))
        update_average(self.average, self.student, decay)
        update_average(self.mapping_average, self.mapping, config.average_decay)
        return {name: value.detach() for name, value in losses.items()}

    def _asked(self, step: int) -> tuple[Asked, Tensor]:
        """What a step of the fine-tuning asks for, the known pictures first, and these (n, 3, R, R)."""
        config, network = self.config, self.reader.network
        parts, wanted = [], torch.zeros(0)
        if config.known:
            shown, wanted, _ = draw_known(
                self.examples, self._drawn(config.known), config.draws, self.generator, network.config.symmetric
            )
            parts.append(shown)
        if step >= config.cycle_from or not parts:
            mixed = config.batch - config.known
            parts.append(draw_mixed(self.examples, self.shown, mixed, network, config.draws, self.generator))
        asked = parts[0] if len(parts) == 1 else Asked.joined(*parts)
        return asked.to(self.device), wanted.to(self.device)

    def _real(self, wanted: Tensor) -> Tensor:
        """Pictures (N, 3, R, R) of the data for the discriminator: those wanted, (N, 3, R, R), or any where none are.

        The wanted ones are zoomed and moved as the made ones are, and are not told from them by that.
        """
        if len(wanted):
            return wanted
        return self.examples.pictures[self._drawn(self.config.batch)].to(self.device).float() / 255

    def _cycle(self, mixed: Asked, pictures: Tensor) -> dict[str, Tensor]:
        """Equation 6 and the silhouette, of mixed pictures."""
        reading = self.reader(pictures)
        losses = cycle_losses(self.mapping, self.reader.network, mixed, pictures, reading)
        if self.config.weights.silhouette:
            losses["silhouette"] = silhouette_loss(reading.masks, self.drawn(mixed)[:, 3])
        return losses

    def made(self, generator: Generator, mapping: StyleMapping, asked: Asked) -> Tensor:
        """Pictures (N, 3, R, R) in about [0, 1] of what is asked."""
        styles = mapping(asked.cameras, asked.shape_code, asked.texture, asked.background)
        return generator.synthesize(generator.unflatten(styles)) * 0.5 + 0.5

    @torch.no_grad()
    def drawn(self, asked: Asked) -> Tensor:
        """(N, 4, R, R): the same shapes and textures through the rasteriser; the fourth channel is the silhouette."""
        vertices = self.reader.network.shape_decoder(asked.shape_code)
        side = self.examples.pictures.shape[2]
        material = Texture(self.triangle_uv, asked.texture)
        picture = render(vertices, self.triangles, material, None, asked.cameras, side, side, HARD)
        return torch.cat([picture.rgb, picture.coverage[:, None]], dim=1)

    def _total(self, losses: dict[str, Tensor]) -> Tensor:
        weighted = [getattr(self.config.weights, name) * value for name, value in losses.items()]
        return torch.stack(weighted).sum()

    def _descend(self, name: str, loss: Tensor, weights: list[torch.nn.Parameter], also: str = "") -> None:
        chosen = [self.optimizers[key] for key in (name, also) if key]
        for optimizer in chosen:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 5.0)
        for optimizer in chosen:
            optimizer.step()

    def _drawn(self, count: int, among: Tensor | None = None) -> Tensor:
        among = self.shown if among is None else among
        return among[torch.randint(len(among), (count,), generator=self.generator)]

    def _other_views(self, pictures: Tensor) -> Tensor:
        """(N,) generated pictures of the same objects, in any of their views."""
        others = []
        for number in self.generated.object_of[pictures].tolist():
            own = self.generated.objects[number]
            others.append(own[torch.randint(len(own), (), generator=self.generator)])
        return torch.stack(others)

    @torch.no_grad()
    def evaluate(self, step: int, folder: Path) -> dict[str, float]:
        if self.phase(step - 1) == "segmenter":
            return {}
        return figures_of(self)

    def sheets(self) -> dict[str, np.ndarray]:
        return sheets_of(self)

    def export(self, folder: Path) -> None:
        save_segmenter(folder / MASKS, self.segmenter)
        save_style_mapping(folder / STYLE_MAPPING, self.mapping_average)
        if self.config.warm_up:
            save_style_mapping(folder / WARMED_UP, self.warmed_up)
        save_generator(folder / NEURAL_RENDERER, self.average, half=True)


def _groups(mapping: StyleMapping) -> list[dict[str, Any]]:
    """The weights of the mapping networks for their optimiser: what selects has far to go, in few steps."""
    others = [weight for name, weight in mapping.named_parameters() if name != "selection"]
    return [{"params": [mapping.selection], "share": SELECTION_RATE}, {"params": others}]


def make_task(config: DisentangleTraining, data: Path, device: torch.device) -> DisentangleTask:
    """Reads data, generator and judge, and builds the task. Raises ValueError, FileNotFoundError or BundleError."""
    if not config.inverse_graphics:
        raise ValueError("Say which network judges: inverse_graphics=RUN, a run of inverse-graphics on the same data.")
    generator = load_generator_or_run(config.generator, device).generator
    network, template = load_network(config.inverse_graphics, device)
    generated, rendered = load_examples(config, data, generator, network)
    return DisentangleTask(config, generated, rendered, generator, network, template, device)


def train(
    config: DisentangleTraining, data: Path, out: Path, *, resume: bool, device: torch.device
) -> dict[str, float]:
    """Trains on a folder of ``make_gan_views.py``; leaves StyleGAN-R in ``out``. Returns the last figures."""
    task = make_task(config, data, device)
    out.mkdir(parents=True, exist_ok=True)
    task.template.save(out / "template.npz")
    return run(task, config.loop, out, resume=resume, describe=config)
