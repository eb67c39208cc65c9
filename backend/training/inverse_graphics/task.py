# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both trainings of the inverse-graphics network share: settings, the network, one step, what they leave.

One picture of an object goes in. The shape and texture that the network says are rendered into that view and into
others, and compared with the pictures of those views. Where the views' cameras come from, and what else is known of an
object, is what the trainings differ in.

Letters: N batch, n rendered objects, P rendered pictures, S crop side, s side of a rendered picture.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...data.augment import AugmentConfig
from ...models.inverse_graphics import InverseGraphics, InverseGraphicsConfig, Prediction
from ...models.perceptual import perceptual_features
from ...models.precision import computes_in_bfloat16
from ...models.storage import save_network
from ...render.camera import Cameras
from ...render.mesh_losses import MeshTopology
from ...render.picture import RenderConfig, render
from ...render.shading import Texture
from ...render.soft_mask import SoftMaskConfig
from ...render.template import Template, TemplateConfig
from ...weights.bundle import INVERSE_GRAPHICS
from ..averages import settle, update_average
from ..loop import LoopConfig, Task, cosine_rate, run
from .codes import finished
from .evaluation import CHUNK, sheet_of
from .losses import PaperWeights, camera_losses, paper_losses
from .start_box import CUBE

CODE_CROPS = 256
"""Training objects over which the codes of an exported network are made standard."""
SHEET_OBJECTS = 8
"""Held-out objects that are shown with every evaluation."""
TINY_NETWORK = InverseGraphicsConfig(
    image_size=64, widths=(16, 24, 32, 48), shape_code=8, texture_code=16, texture_size=32, texture_widths=(32, 24, 16)
)
TINY_LOOP = LoopConfig(steps=60, log_every=20, evaluate_every=60, checkpoint_every=20, tensorboard=False)


@dataclass(frozen=True)
class SharedSettings:
    """Settings of both trainings."""

    network: InverseGraphicsConfig = InverseGraphicsConfig()
    category: str = ""
    """Category that the data show; empty: the one in their ``dataset.json``. See :func:`start_box`."""
    template: TemplateConfig = CUBE
    parts: str = ""
    """Bundle whose template with parts and shape space training starts from, by its name or folder; they replace
    ``category`` and ``template``. Empty: a box."""
    basis_rate: float = 0.0
    """Share of the learning rate at which the basis that came with ``parts`` learns; that of a box learns at the full
    rate. 0, the default, leaves it fixed: its directions are those of true cars, in units in which codes are standard
    normal, and outlines say little of where one part ends and the next begins. At the full rate a third of the faces
    had turned over after forty steps."""
    loop: LoopConfig = LoopConfig()
    weights: PaperWeights = PaperWeights()
    augment: AugmentConfig = AugmentConfig()
    renderer: RenderConfig = RenderConfig(soft=SoftMaskConfig(sigma_inverse=3000.0, box_length=0.05))
    batch: int = 16
    """Pictures of a step that go into the network and teach its pose head."""
    render_batch: int = 16
    """Number of them that are rendered too, each in two views: on a CPU rendering costs more than the network."""
    render_size: int = 64
    """Side of the rendered pictures in pixels."""
    learning_rate: float = 1e-3
    """Highest learning rate of the network."""
    warm_up: int = 200
    """Steps in which the learning rate rises."""
    perceptual_from: int = 500
    """Step at which the perceptual loss begins."""
    average_decay: float = 0.998
    """Share of the moving average of the weights that each step keeps."""
    validation_share: float = 0.06
    """Share of the objects that are held out for evaluation, the last of the data; at least one is."""
    bfloat16: bool = True
    """Whether the network runs in bfloat16 where the device computes in it; rendering stays in single precision."""
    vgg_weights: str = ""
    """Path of a safetensors file of VGG-16 for the perceptual loss; empty: features that need no weights."""
    seed: int = 0


@dataclass(kw_only=True)
class Batch:
    """What one step looks at, and what judges it."""

    crops: Tensor
    """(N, 4, S, S) input, augmented."""
    cameras: Cameras
    """(N) cameras of those crops, without gradient."""
    targets: Tensor
    """(P, 4, s, s) pictures that renders are compared with: the first n views of the input, then further ones of
    the same n objects."""
    target_cameras: Cameras
    """(P) cameras of the targets."""
    target_light: Tensor | None = None
    """(P, 9, 3) light in the targets; None where textures keep the shading."""


AnyBatch = TypeVar("AnyBatch", bound=Batch)


class InverseGraphicsTask(Task, Generic[AnyBatch]):
    """The network, its moving average and one training step on pictures of which ``objects`` are there."""

    config: SharedSettings

    def __init__(
        self, config: SharedSettings, template: Template, network: InverseGraphics, objects: int, device: torch.device
    ) -> None:
        self.config, self.template, self.device = config, template, device
        self.generator = torch.Generator().manual_seed(config.seed)
        self.basis_is_fixed = template.parts is not None and config.basis_rate == 0
        network = network.to(device).requires_grad_(True)
        network.shape_decoder.basis.requires_grad_(not self.basis_is_fixed)
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.networks = {"network": self.network, "average": self.average}
        groups = _groups(self.network, 1.0 if template.parts is None else config.basis_rate)
        self.optimizer = torch.optim.AdamW(groups, config.learning_rate, weight_decay=1e-3)
        self.optimizers = {"network": self.optimizer}
        self.topology = MeshTopology.of(template.edges, template.triangles, len(template.vertices), device)
        self.triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=device)
        self.triangle_uv = torch.as_tensor(template.triangle_uv, device=device)
        self.features = perceptual_features(Path(config.vgg_weights) if config.vgg_weights else None).to(device)
        self.objects = objects
        self.training_objects = objects - max(1, round(objects * config.validation_share))
        if self.training_objects < 1:
            raise ValueError("One object is too few: training needs one to learn from and one to be judged by.")

    @abstractmethod
    def sample_batch(self) -> AnyBatch:
        """Draws training objects at random, half of the symmetric ones mirrored."""

    @abstractmethod
    def losses(self, batch: AnyBatch, prediction: Prediction, texture: Tensor, step: int) -> dict[str, Tensor]:
        """Every loss term by the name of its weight, unweighted; ``texture`` is that of the n rendered objects."""

    @abstractmethod
    def first_pictures(self, objects: range) -> Tensor:
        """The number of the first picture of each object."""

    @abstractmethod
    def plain_crops(self, pictures: Tensor) -> Tensor:
        """(N, 4, S, S) crops of the numbered pictures (N,), neither jittered nor augmented."""

    @abstractmethod
    def judge(self, objects: range) -> dict[str, float]:
        """Figures of the moving average on objects that no step has seen."""

    @property
    def codes_are_standard(self) -> bool:
        """Whether shape codes are in units of true shapes' deviations already, as those of a shape space are."""
        return self.basis_is_fixed

    def step(self, step: int) -> dict[str, Tensor]:
        self.set_rates(step)
        batch = self.sample_batch()
        prediction, texture = self.predict(batch.crops, self.learns(step))
        losses = self.losses(batch, prediction, texture, step)
        total = sum(getattr(self.config.weights, name) * value for name, value in losses.items())
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        total.backward()
        self.descend(step)
        # A short memory at first, so that the average forgets the random start.
        update_average(self.average, self.network, min(self.config.average_decay, (step + 1) / (step + 10)))
        return {"total": total.detach(), **{name: value.detach() for name, value in losses.items()}}

    def learns(self, step: int) -> bool:
        """Whether the network's weights change in this step."""
        return True

    def set_rates(self, step: int) -> None:
        """Sets the learning rates of this step."""
        config = self.config
        set_rate(self.optimizer, cosine_rate(step, config.loop.steps, config.learning_rate, config.warm_up))

    def descend(self, step: int) -> None:
        """Moves what learns along the gradients that the step has left."""
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()

    def predict(self, crops: Tensor, with_gradient: bool) -> tuple[Prediction, Tensor]:
        """What the network says of crops (N, 4, S, S), and the textures (n, 3, T, T) of those that are rendered."""
        self.network.train()
        half = self.config.bfloat16 and computes_in_bfloat16(self.device)
        with torch.set_grad_enabled(with_gradient), torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            prediction = self.network(crops.contiguous(memory_format=torch.channels_last))
            texture = self.network.texture_decoder(prediction.texture_code[: self.config.render_batch])
        return Prediction(**{name: value.float() for name, value in vars(prediction).items()}), texture.float()

    def picture_losses(
        self, batch: Batch, prediction: Prediction, texture: Tensor, step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The shapes (N, V, 3), and equation 1's terms of their renders through the targets' cameras."""
        config = self.config
        vertices = self.network.shape_decoder(prediction.shape_code)
        times, size = len(batch.targets) // len(texture), config.render_size
        material = Texture(self.triangle_uv, texture.repeat(times, 1, 1, 1))
        shown = vertices[: config.render_batch].repeat(times, 1, 1)
        picture = render(
            shown, self.triangles, material, batch.target_light, batch.target_cameras, size, size, config.renderer
        )
        features = self.features if config.weights.perceptual and step >= config.perceptual_from else None
        mean, creased = self.network.shape_decoder.mean, self.template.parts is not None
        return vertices, paper_losses(picture, batch.targets, vertices, mean, self.topology, features, creased)

    def camera_losses(self, batch: Batch, prediction: Prediction) -> dict[str, Tensor]:
        """Errors of the pose head against the cameras of the input."""
        return camera_losses(prediction, batch.cameras, self.network.pose_scale)

    def draw_mirrored(self, count: int) -> Tensor:
        """(count,) bool: which pictures are mirrored."""
        # The mirror image of what has a left and a right is another object, and perhaps none of its kind.
        return (torch.rand(count, generator=self.generator) < 0.5) & self.config.network.symmetric

    def targets(self, cut_out: Tensor) -> Tensor:
        """(P, 4, s, s) on the device, of crops (P, 4, S, S)."""
        side = (self.config.render_size, self.config.render_size)
        return F.interpolate(cut_out, size=side, mode="bilinear", antialias=True, align_corners=False).to(self.device)

    @property
    def held_out(self) -> range:
        """Objects that no step sees."""
        return range(self.training_objects, self.objects)

    def evaluate(self, step: int, folder: Path) -> dict[str, float]:
        settle(self.average, lambda: self.sample_batch().crops, self.config.batch, self.generator)
        return self.judge(self.held_out)

    def sheets(self) -> dict[str, np.ndarray]:
        crops = self.plain_crops(self.first_pictures(self.held_out[:SHEET_OBJECTS]))
        return {"samples": sheet_of(self.average, crops, self.template)}

    def export(self, folder: Path) -> None:
        pictures = self.first_pictures(range(min(self.training_objects, CODE_CROPS)))
        crops = [self.plain_crops(chunk) for chunk in pictures.split(CHUNK)]
        network = finished(self.average, crops, self.codes_are_standard)
        save_network(folder / INVERSE_GRAPHICS, network, self.network.config, precision="half")


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Sets the learning rate of all that an optimiser moves; groups may have a ``share`` of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("share", 1.0)


def _groups(network: InverseGraphics, basis_share: float) -> list[dict[str, Any]]:
    """The weights of a network for its optimiser; a basis that learns at another rate is in a group of its own."""
    basis = network.shape_decoder.basis
    if basis_share == 1:
        return [{"params": list(network.parameters())}]
    others = [weight for weight in network.parameters() if weight is not basis]
    return [{"params": others}, {"params": [basis], "share": basis_share}]


def mirrored_where(mirrored: Tensor, cut_out: Tensor, cameras: Cameras) -> tuple[Tensor, Cameras]:
    """Crops (P, 4, S, S) and their cameras (P), those mirrored for which ``mirrored`` (P,) is true."""
    flipped, there = cameras.mirrored(), mirrored.to(cameras.azimuth.device)
    chosen = {name: torch.where(there, getattr(flipped, name), value) for name, value in vars(cameras).items()}
    return torch.where(mirrored[:, None, None, None], cut_out.flip(3), cut_out), Cameras(**chosen)


def in_first_and_further(rendered: int, count: int, pictures: int) -> Tensor:
    """Which of a batch's pictures judge: the first ``rendered`` of ``count`` inputs, and all that come after these."""
    return torch.cat([torch.arange(rendered), torch.arange(count, pictures)])


def train_task(task: InverseGraphicsTask, out: Path, *, resume: bool) -> dict[str, float]:
    """Runs a task; leaves the network and its template in ``out``. Returns the last figures on held-out objects."""
    out.mkdir(parents=True, exist_ok=True)
    task.template.save(out / "template.npz")
    return run(task, task.config.loop, out, resume=resume, describe=task.config)
