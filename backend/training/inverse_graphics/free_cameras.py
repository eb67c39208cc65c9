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

import copy
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...data.augment import AugmentConfig, augment
from ...data.multi_views import MultiViews, joined, load_multi_views
from ...data.rendered_views import cameras_of_crops, jittered
from ...models.inverse_graphics import InverseGraphics, InverseGraphicsConfig, Prediction
from ...models.perceptual import perceptual_features
from ...models.precision import computes_in_bfloat16
from ...models.storage import save_network
from ...render.camera import Cameras
from ...render.light import uniform_light
from ...render.mesh_losses import MeshTopology
from ...render.picture import RenderConfig, render
from ...render.shading import Texture
from ...render.soft_mask import SoftMaskConfig
from ...render.template import Template, TemplateConfig, make_template
from ...weights.bundle import INVERSE_GRAPHICS
from ...weights.run_folder import load_network
from ..averages import settle, update_average
from ..loop import LoopConfig, Task, cosine_rate, run
from .evaluation import finished, sheet_of
from .free_camera_evaluation import camera_figures, evaluate_views, view_crops
from .known_cameras import azimuth_loss, paper_losses, pose_targets
from .start_box import CUBE, SMALL_CUBE, start_box
from .view_cameras import ViewCameras, ViewCamerasConfig, save_cameras, start_cameras


@dataclass(frozen=True)
class MultiViewWeights:
    """Paper A's weights, then those of what the cameras teach and of what a picture's own framing costs."""

    silhouette: float = 3.0
    colour: float = 20.0
    laplacian: float = 5.0
    flatness: float = 5.0
    movement: float = 2.5
    perceptual: float = 0.5
    """0 leaves perceptual features out altogether."""
    azimuth: float = 1.0
    pose: float = 1.0
    light: float = 0.5
    framing: float = 0.05


@dataclass(frozen=True)
class MultiViewTraining:
    """Everything that decides a training run on shared views."""

    network: InverseGraphicsConfig = InverseGraphicsConfig()
    category: str = ""
    """What the data show; empty: what their ``dataset.json`` says. See :func:`start_box`."""
    template: TemplateConfig = CUBE
    loop: LoopConfig = LoopConfig()
    weights: MultiViewWeights = MultiViewWeights()
    cameras: ViewCamerasConfig = ViewCamerasConfig()
    augment: AugmentConfig = AugmentConfig()
    renderer: RenderConfig = RenderConfig(soft=SoftMaskConfig(sigma_inverse=3000.0, box_length=0.05))
    start: str = ""
    """A bundle, or a run's folder, whose network and template training starts from; they replace ``network``,
    ``category`` and ``template``. Empty: from scratch."""
    further: str = ""
    """Further folders of shared views, separated like PATH, whose objects and views are added to the first's: rendered
    ones beside generated ones, say. Their cameras are found like any other."""
    single_view: bool = False
    """Only the view that the network sees judges what it says: the paper's ablation without equation 2."""
    batch: int = 16
    """Pictures a step that teach the camera head."""
    render_batch: int = 16
    """How many of them are rendered too, in two views each."""
    render_size: int = 64
    learning_rate: float = 1e-3
    network_wait: int = 0
    """Steps before the network learns: one that knows the category lets cameras find their places first."""
    warm_up: int = 200
    perceptual_from: int = 500
    average_decay: float = 0.998
    validation_share: float = 0.06
    bfloat16: bool = True
    """Network in bfloat16 where the device computes in it (rendering stays in single precision)."""
    vgg_weights: str = ""
    """A safetensors file of VGG-16; empty: features that need none."""
    seed: int = 0


PRESETS: dict[str, MultiViewTraining] = {
    "tiny": MultiViewTraining(
        network=InverseGraphicsConfig(
            image_size=64, widths=(16, 24, 32, 48), shape_code=8, texture_code=16, texture_size=32,
            texture_widths=(32, 24, 16),
        ),
        template=SMALL_CUBE,
        loop=LoopConfig(steps=60, log_every=20, evaluate_every=60, checkpoint_every=20, tensorboard=False),
        cameras=ViewCamerasConfig(wait=10), batch=6, render_batch=6, render_size=32, warm_up=10, perceptual_from=20,
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


@dataclass
class Batch:
    """Views i of N objects, then views j of the first n of them: what is looked at and what judges."""

    crops: Tensor
    """(N, 4, S, S) input, augmented: views i."""
    cameras: Cameras
    """(N) of those crops; without gradient."""
    targets: Tensor
    """(P, 4, s, s): n views i, then n views j (none with a single view)."""
    target_cameras: Cameras
    """(P), which lead back to the views' cameras."""
    pictures: Tensor
    """(P,) numbers of the pictures that judge."""


@dataclass
class MultiViewTask(Task):
    """The network, its moving average, the cameras and one training step."""

    config: MultiViewTraining
    data: MultiViews
    template: Template
    network: InverseGraphics
    device: torch.device

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.config.seed)
        network = self.network.to(self.device).requires_grad_(True)
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        usual = torch.as_tensor(self.template.vertices)
        start = start_cameras(self.data, usual, self.config.cameras)
        self.cameras = ViewCameras(start, len(self.data.rgba)).to(self.device)
        self.cameras.moved.requires_grad_(not self.config.cameras.fixed)
        self.cameras.framing.requires_grad_(self.config.cameras.framing)
        self.networks = {"network": self.network, "average": self.average, "cameras": self.cameras}
        self.optimizer = torch.optim.AdamW(self.network.parameters(), self.config.learning_rate, weight_decay=1e-3)
        # A shorter memory of gradients' sizes than usual: they fall quickly once shapes are about right.
        self.camera_optimizer = torch.optim.Adam(
            self.cameras.parameters(), self.config.cameras.learning_rate, (0.9, 0.98)
        )
        self.optimizers = {"network": self.optimizer, "cameras": self.camera_optimizer}
        self.topology = MeshTopology.of(
            self.template.edges, self.template.triangles, len(self.template.vertices), self.device
        )
        self.triangles = torch.as_tensor(self.template.triangles, dtype=torch.int64, device=self.device)
        self.triangle_uv = torch.as_tensor(self.template.triangle_uv, device=self.device)
        self.features = perceptual_features(Path(self.config.vgg_weights) if self.config.vgg_weights else None)
        self.features = self.features.to(self.device)
        held_out = max(1, round(self.data.number_of_objects * self.config.validation_share))
        self.training_objects = self.data.number_of_objects - held_out
        if self.training_objects < 1:
            raise ValueError("One object is too few: training needs one to learn from and one to be judged by.")
        self.counts = torch.tensor([len(pictures) for pictures in self.data.objects])
        self.first_picture = self.counts.cumsum(0) - self.counts

    def step(self, step: int) -> dict[str, Tensor]:
        self._set_rates(step)
        batch = self.sample_batch()
        self.network.train()
        learns = step >= self.config.network_wait
        half = self.config.bfloat16 and computes_in_bfloat16(self.device)
        with torch.set_grad_enabled(learns), torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            prediction = self.network(batch.crops.contiguous(memory_format=torch.channels_last))
            texture = self.network.texture_decoder(prediction.texture_code[: self.config.render_batch])
        prediction = Prediction(**{name: value.float() for name, value in vars(prediction).items()})
        losses = self.losses(batch, prediction, texture.float(), step)
        total = sum(getattr(self.config.weights, name) * value for name, value in losses.items())
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        total.backward()
        if learns:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
            self.optimizer.step()
        if step >= self.config.cameras.wait:
            self.camera_optimizer.step()
            self.cameras.keep_in_range()
        # A short memory at first, so that the average forgets the random start.
        update_average(self.average, self.network, min(self.config.average_decay, (step + 1) / (step + 10)))
        return {"total": total.detach(), **{name: value.detach() for name, value in losses.items()}}

    def _set_rates(self, step: int) -> None:
        config = self.config

        def since(wait: int, peak: float, warm_up: int) -> float:
            return cosine_rate(max(0, step - wait), config.loop.steps - wait, peak, warm_up)

        rate = since(config.network_wait, config.learning_rate, config.warm_up)
        camera_rate = since(config.cameras.wait, config.cameras.learning_rate, 1)
        for optimizer, value in ((self.optimizer, rate), (self.camera_optimizer, camera_rate)):
            for group in optimizer.param_groups:
                group["lr"] = value

    def losses(self, batch: Batch, prediction: Prediction, texture: Tensor, step: int) -> dict[str, Tensor]:
        """Every loss term by the name of its weight, unweighted."""
        config = self.config
        vertices = self.network.shape_decoder(prediction.shape_code)
        times, size = len(batch.targets) // len(texture), config.render_size
        material = Texture(self.triangle_uv, texture.repeat(times, 1, 1, 1))
        shown = vertices[: config.render_batch].repeat(times, 1, 1)
        picture = render(
            shown, self.triangles, material, None, batch.target_cameras, size, size, config.renderer
        )  # fmt: skip
        features = self.features if config.weights.perceptual and step >= config.perceptual_from else None
        mean = self.network.shape_decoder.mean
        losses = paper_losses(picture, batch.targets, vertices, mean, self.topology, features)
        losses["azimuth"] = azimuth_loss(prediction, batch.cameras.azimuth)
        scale = self.network.pose_scale
        losses["pose"] = F.smooth_l1_loss(prediction.pose / scale, pose_targets(batch.cameras) / scale)
        even = uniform_light(len(prediction.light), self.device)
        losses["light"] = F.smooth_l1_loss(prediction.light, even, beta=0.3)
        losses["framing"] = self.cameras.framing_loss(batch.pictures.to(self.device))
        return losses

    def sample_batch(self) -> Batch:
        """Random training objects in two of their views; an object of one view in that twice.

        Half of them are mirrored where objects are symmetric.
        """
        count, rendered = self.config.batch, min(self.config.batch, self.config.render_batch)
        objects = torch.randint(self.training_objects, (count,), generator=self.generator)
        views = self.counts[objects]
        first = (torch.rand(count, generator=self.generator) * views).long()
        further = 1 + (torch.rand(count, generator=self.generator) * (views - 1)).long()
        second = (first + further) % views
        # The mirror image of what has a left and a right is another object, and perhaps none of its kind.
        mirrored = (torch.rand(count, generator=self.generator) < 0.5) & self.config.network.symmetric
        pictures = self.first_picture[objects] + first
        judging = pictures[:rendered]
        if not self.config.single_view:
            pictures = torch.cat([pictures, (self.first_picture[objects] + second)[:rendered]])
            judging = torch.cat([judging, pictures[count:]])
            mirrored = torch.cat([mirrored, mirrored[:rendered]])
        cut_out, cameras = self.crops(pictures, mirrored)
        shown = torch.cat([torch.arange(rendered), torch.arange(count, len(pictures))])
        side = self.config.render_size
        targets = F.interpolate(cut_out[shown], size=(side, side), mode="bilinear", antialias=True, align_corners=False)
        return Batch(
            crops=augment(cut_out[:count], self.config.augment, self.generator).to(self.device),
            cameras=cameras[:count].detach(),
            targets=targets.to(self.device),
            target_cameras=cameras[shown.to(self.device)],
            pictures=judging,
        )

    def crops(self, pictures: Tensor, mirrored: Tensor) -> tuple[Tensor, Cameras]:
        """Jittered crops (P, 4, S, S) of the numbered pictures (P,) and their cameras; some mirrored, both alike."""
        crops = jittered(self.data.crops[pictures], self.generator)
        cut_out = self.data.cut(pictures, crops, self.config.network.image_size)
        cut_out = torch.where(mirrored[:, None, None, None], cut_out.flip(3), cut_out)
        views = self.data.view_of[pictures]
        whole = self.cameras.of_pictures(views.to(self.device), pictures.to(self.device))
        cameras = cameras_of_crops(whole, crops.to(self.device), self.data.rgba.shape[1])
        flipped, there = cameras.mirrored(), mirrored.to(self.device)
        cameras = Cameras(
            **{name: torch.where(there, getattr(flipped, name), value) for name, value in vars(cameras).items()}
        )
        return cut_out, cameras

    def evaluate(self, step: int, folder: Path) -> dict[str, float]:
        settle(self.average, lambda: self.sample_batch().crops, self.config.batch, self.generator)
        held_out = range(self.training_objects, self.data.number_of_objects)
        figures = evaluate_views(self.average, self.cameras, self.data, self.template, held_out)
        return figures | camera_figures(self.cameras, self.data.true_cameras)

    def _unspoiled(self, pictures: Tensor) -> Tensor:
        return view_crops(self.data, self.cameras, pictures, self.config.network.image_size)[0]

    def sheets(self) -> dict[str, np.ndarray]:
        crops = self._unspoiled(self.first_picture[self.training_objects :][:8])
        return {"samples": sheet_of(self.average, crops, self.template)}

    def export(self, folder: Path) -> None:
        firsts = self.first_picture[: min(self.training_objects, 256)].split(16)
        network = finished(self.average, [self._unspoiled(chunk) for chunk in firsts])
        save_network(folder / INVERSE_GRAPHICS, network, self.network.config, precision="half")
        save_cameras(folder / "cameras.json", self.cameras, self.data.views)


def start_network(config: MultiViewTraining) -> tuple[InverseGraphics, Template]:
    """The network that training begins with and its template.

    Raises BundleError where ``config.start`` holds none.
    """
    torch.manual_seed(config.seed)
    if not config.start:
        template = make_template(config.template)
        return InverseGraphics(config.network, template), template
    return load_network(config.start)


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
    task = make_task(config, data, device)
    out.mkdir(parents=True, exist_ok=True)
    task.template.save(out / "template.npz")
    return run(task, config.loop, out, resume=resume, describe=task.config)
