# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the inverse-graphics network on views whose cameras nobody measured (paper A, section A.2).

All that is known of a view is its azimuth's bin. Every view has one free camera, shared by all objects, which is
found together with the network: the shape and texture that one picture gives are rendered through the cameras of that
picture's view and of another's, and compared with both pictures (equation 2). The cameras teach the network's own
camera head, so that a photograph can be placed.

Light is left out as in the paper: textures keep the shading they have in the pictures, and the light head learns to
say that light is even, so that such objects look right in a scene that is lit by what the network says.

Letters: N batch, P rendered pictures, M views, S crop side.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ...data.augment import augment
from ...data.multi_views import MultiViews, joined, load_multi_views
from ...data.rendered_views import cameras_of_crops, jittered
from ...models.inverse_graphics import InverseGraphics, Prediction
from ...render.camera import Cameras
from ...render.light import uniform_light
from ...render.template import Template, make_template
from ...weights.run_folder import load_network
from ..loop import LoopConfig, cosine_rate
from .evaluation import camera_figures, evaluate_shared_views, shared_crops
from .losses import PaperWeights
from .start_box import SMALL_CUBE, start_box
from .start_parts import start_parts
from .task import (
    TINY_LOOP,
    TINY_NETWORK,
    Batch,
    InverseGraphicsTask,
    SharedSettings,
    in_first_and_further,
    mirrored_where,
    set_rate,
    train_task,
)
from .view_cameras import ViewCameras, ViewCamerasConfig, save_cameras, start_cameras


@dataclass(frozen=True)
class MultiViewWeights(PaperWeights):
    """Weights of the losses, with that of a picture's own framing."""

    framing: float = 0.05
    """Weight of the squared framing of the pictures, in its deviations."""


@dataclass(frozen=True)
class MultiViewTraining(SharedSettings):
    """Everything that decides a training run on shared views."""

    weights: MultiViewWeights = MultiViewWeights()
    cameras: ViewCamerasConfig = ViewCamerasConfig()
    start: str = ""
    """Bundle, or folder of a run, whose network and template training starts from; they replace ``network``,
    ``category`` and ``template``, and ``parts`` must be empty. Empty: from scratch."""
    further: str = ""
    """Further folders of shared views, separated like PATH. Their objects and views are added to the first folder's,
    rendered ones beside generated ones, say; their cameras are found like any other."""
    single_view: bool = False
    """Whether only the view that the network sees judges what it says: the paper's ablation without equation 2."""
    network_wait: int = 0
    """Steps before the network learns: one that knows the category lets cameras find their places first."""


PRESETS: dict[str, MultiViewTraining] = {
    "tiny": MultiViewTraining(
        network=TINY_NETWORK, template=SMALL_CUBE, loop=TINY_LOOP, cameras=ViewCamerasConfig(wait=10), batch=6,
        render_batch=6, render_size=32, warm_up=10, perceptual_from=20,
    ),
    "small": MultiViewTraining(
        loop=LoopConfig(steps=4000, evaluate_every=500, checkpoint_every=100), cameras=ViewCamerasConfig(wait=100),
        batch=24, render_batch=10,
    ),
    "medium": MultiViewTraining(
        loop=LoopConfig(steps=40_000, evaluate_every=2000, checkpoint_every=1000), cameras=ViewCamerasConfig(wait=200),
        batch=64, render_batch=64, render_size=128,
    ),
    "full": MultiViewTraining(
        loop=LoopConfig(steps=200_000, evaluate_every=5000, checkpoint_every=2000), render_size=128,
        cameras=ViewCamerasConfig(wait=1000), learning_rate=1e-4, perceptual_from=3000,
    ),
}  # fmt: skip


@dataclass(kw_only=True)
class SharedBatch(Batch):
    """Views i of N objects, then views j of the first n of them (none with a single view).

    The targets' cameras lead back to the views' cameras.
    """

    pictures: Tensor
    """(P,) numbers of the pictures that judge."""


class MultiViewTask(InverseGraphicsTask[SharedBatch]):
    """Training on shared views, in which every view's camera is found together with the network."""

    config: MultiViewTraining

    def __init__(
        self,
        config: MultiViewTraining,
        data: MultiViews,
        template: Template,
        network: InverseGraphics,
        device: torch.device,
    ) -> None:
        super().__init__(config, template, network, data.number_of_objects, device)
        self.data = data
        start = start_cameras(data, torch.as_tensor(template.vertices), config.cameras)
        self.cameras = ViewCameras(start, len(data.rgba)).to(device)
        self.cameras.moved.requires_grad_(not config.cameras.fixed)
        self.cameras.framing.requires_grad_(config.cameras.framing)
        # A shorter memory of gradients' sizes than usual: they fall quickly once shapes are about right.
        self.camera_optimizer = torch.optim.Adam(self.cameras.parameters(), config.cameras.learning_rate, (0.9, 0.98))
        self.networks["cameras"] = self.cameras
        self.optimizers["cameras"] = self.camera_optimizer
        self.counts = torch.tensor([len(pictures) for pictures in data.objects])
        self.first_picture = self.counts.cumsum(0) - self.counts

    def learns(self, step: int) -> bool:
        return step >= self.config.network_wait

    def set_rates(self, step: int) -> None:
        config = self.config

        def since(wait: int, peak: float, warm_up: int) -> float:
            return cosine_rate(max(0, step - wait), config.loop.steps - wait, peak, warm_up)

        set_rate(self.optimizer, since(config.network_wait, config.learning_rate, config.warm_up))
        set_rate(self.camera_optimizer, since(config.cameras.wait, config.cameras.learning_rate, 1))

    def descend(self, step: int) -> None:
        if self.learns(step):
            super().descend(step)
        if step >= self.config.cameras.wait:
            self.camera_optimizer.step()
            self.cameras.keep_in_range()

    def losses(self, batch: SharedBatch, prediction: Prediction, texture: Tensor, step: int) -> dict[str, Tensor]:
        _, losses = self.picture_losses(batch, prediction, texture, step)
        losses |= self.camera_losses(batch, prediction)
        even = uniform_light(len(prediction.light), self.device)
        losses["light"] = F.smooth_l1_loss(prediction.light, even, beta=0.3)
        losses["framing"] = self.cameras.framing_loss(batch.pictures.to(self.device))
        return losses

    def sample_batch(self) -> SharedBatch:
        """Draws training objects at random in two of their views; an object of one view in that twice."""
        count, rendered = self.config.batch, min(self.config.batch, self.config.render_batch)
        objects = torch.randint(self.training_objects, (count,), generator=self.generator)
        views = self.counts[objects]
        first = (torch.rand(count, generator=self.generator) * views).long()
        further = 1 + (torch.rand(count, generator=self.generator) * (views - 1)).long()
        second = (first + further) % views
        mirrored = self.draw_mirrored(count)
        pictures = self.first_picture[objects] + first
        if not self.config.single_view:
            pictures = torch.cat([pictures, (self.first_picture[objects] + second)[:rendered]])
            mirrored = torch.cat([mirrored, mirrored[:rendered]])
        cut_out, cameras = self.crops(pictures, mirrored)
        judging = in_first_and_further(rendered, count, len(pictures))
        return SharedBatch(
            crops=augment(cut_out[:count], self.config.augment, self.generator).to(self.device),
            cameras=cameras[:count].detach(),
            targets=self.targets(cut_out[judging]),
            target_cameras=cameras[judging.to(self.device)],
            pictures=pictures[judging],
        )

    def crops(self, pictures: Tensor, mirrored: Tensor) -> tuple[Tensor, Cameras]:
        """Jittered crops (P, 4, S, S) of the numbered pictures (P,) and their cameras; some mirrored, both alike."""
        crops = jittered(self.data.crops[pictures], self.generator)
        views = self.data.view_of[pictures]
        whole = self.cameras.of_pictures(views.to(self.device), pictures.to(self.device))
        cameras = cameras_of_crops(whole, crops.to(self.device), self.data.rgba.shape[1])
        return mirrored_where(mirrored, self.data.cut(pictures, crops, self.config.network.image_size), cameras)

    def first_pictures(self, objects: range) -> Tensor:
        return self.first_picture[objects.start : objects.stop]

    def plain_crops(self, pictures: Tensor) -> Tensor:
        return shared_crops(self.data, self.cameras, pictures, self.config.network.image_size)[0]

    def judge(self, objects: range) -> dict[str, float]:
        figures = evaluate_shared_views(self.average, self.cameras, self.data, self.template, objects)
        return figures | camera_figures(self.cameras, self.data.true_cameras)

    def export(self, folder: Path) -> None:
        super().export(folder)
        save_cameras(folder / "cameras.json", self.cameras, self.data.views)


def start_network(config: MultiViewTraining) -> tuple[InverseGraphics, Template]:
    """The network that training begins with and its template.

    Raises BundleError where ``config.start`` or ``config.parts`` holds none, ValueError where both are set.
    """
    if config.start and config.parts:
        raise ValueError("Both start and parts say what shapes begin with: leave one of them out.")
    torch.manual_seed(config.seed)
    if config.start:
        return load_network(config.start)
    if not config.parts:
        template = make_template(config.template)
        return InverseGraphics(config.network, template), template
    template, basis = start_parts(config.parts, config.network.shape_code)
    network = InverseGraphics(config.network, template)
    network.shape_decoder.basis.data.copy_(torch.as_tensor(basis))
    return network, template


def make_task(config: MultiViewTraining, data: Path, device: torch.device) -> MultiViewTask:
    """Reads the data and the network to start from, and builds the task."""
    config = replace(config, template=start_box(config.template, config.category, data))
    network, template = start_network(config)
    config = replace(config, network=network.config)
    folders = [data, *(Path(folder) for folder in config.further.split(os.pathsep) if folder)]
    parts = [load_multi_views(folder) for folder in folders]
    return MultiViewTask(config, parts[0] if len(parts) == 1 else joined(parts), template, network, device)


def train(config: MultiViewTraining, data: Path, out: Path, *, resume: bool, device: torch.device) -> dict[str, float]:
    """Trains; leaves the network, its template and ``cameras.json`` in ``out``. Returns the last figures."""
    return train_task(make_task(config, data, device), out, resume=resume)
