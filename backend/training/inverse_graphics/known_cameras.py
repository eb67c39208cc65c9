# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the inverse-graphics network on multi-view pictures (paper A, section A.2 and equations 1 and 2).

One picture of an object goes in; the shape and texture it gives are rendered into that view and into another, whose
cameras are known, and compared with both pictures. Where the data has meshes, the shape decoder starts from their
principal components and the codes are taught by them as well; without meshes pictures alone teach the shape.

Letters: N batch, M views, S crop side.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ...data.augment import AugmentConfig, augment
from ...data.rendered_views import RenderedViews, cameras_of_crops, cut, jittered, load_views
from ...models.inverse_graphics import InverseGraphics, InverseGraphicsConfig, Prediction, apparent_size_of
from ...models.perceptual import perceptual_features, perceptual_loss
from ...models.precision import computes_in_bfloat16
from ...models.storage import save_network
from ...render.camera import Cameras
from ...render.light import mirrored_light
from ...render.mesh_losses import MeshTopology, flatness_loss, laplacian_loss, offset_loss, silhouette_loss
from ...render.picture import Picture, RenderConfig, render
from ...render.shading import Texture
from ...render.soft_mask import SoftMaskConfig
from ...render.template import Template, TemplateConfig, make_template
from ...weights.bundle import INVERSE_GRAPHICS
from ..averages import settle, update_average
from ..loop import LoopConfig, Task, cosine_rate, run
from .evaluation import evaluate, finished, first_views, save_pictures
from .shape_basis import ShapeBasis, fit_meshes, principal_shapes
from .start_box import CUBE, SMALL_CUBE, start_box


@dataclass(frozen=True)
class LossWeights:
    """Paper A's weights, then those of what the renders let us know."""

    silhouette: float = 3.0
    colour: float = 20.0
    laplacian: float = 5.0
    flatness: float = 5.0
    movement: float = 2.5
    perceptual: float = 0.5
    shape_code: float = 1.0
    """Distance to the code of the template fitted to the true mesh; 0 learns shapes from pictures alone."""
    vertices: float = 60.0
    azimuth: float = 1.0
    pose: float = 1.0
    light: float = 0.5


@dataclass(frozen=True)
class InverseGraphicsTraining:
    """Everything that decides a training run."""

    network: InverseGraphicsConfig = InverseGraphicsConfig()
    category: str = ""
    """What the data show; empty: what their ``dataset.json`` says. See :func:`start_box`."""
    template: TemplateConfig = CUBE
    loop: LoopConfig = LoopConfig()
    weights: LossWeights = LossWeights()
    augment: AugmentConfig = AugmentConfig()
    renderer: RenderConfig = RenderConfig(soft=SoftMaskConfig(sigma_inverse=3000.0, box_length=0.05))
    batch: int = 16
    """Objects a step that teach camera, light and codes."""
    render_batch: int = 16
    """How many of them are rendered too, in two views each: rendering costs more than the network on a CPU."""
    render_size: int = 64
    learning_rate: float = 1e-3
    warm_up: int = 200
    perceptual_from: int = 500
    """Step at which the perceptual loss begins."""
    average_decay: float = 0.998
    validation_share: float = 0.06
    bfloat16: bool = True
    """Network in bfloat16 where the device computes in it (rendering stays in single precision)."""
    use_meshes: bool = True
    vgg_weights: str = ""
    """A safetensors file of VGG-16; empty: features that need none."""
    seed: int = 0


PRESETS: dict[str, InverseGraphicsTraining] = {
    "tiny": InverseGraphicsTraining(
        network=InverseGraphicsConfig(
            image_size=64, widths=(16, 24, 32, 48), shape_code=8, texture_code=16, texture_size=32,
            texture_widths=(32, 24, 16),
        ),
        template=SMALL_CUBE,
        loop=LoopConfig(steps=60, log_every=20, evaluate_every=60, checkpoint_every=20, tensorboard=False),
        batch=4, render_batch=4, render_size=32, warm_up=10, perceptual_from=20,
    ),
    "small": InverseGraphicsTraining(
        loop=LoopConfig(steps=6000, evaluate_every=1000, checkpoint_every=200), batch=40, render_batch=12,
    ),
    "medium": InverseGraphicsTraining(
        loop=LoopConfig(steps=40_000, evaluate_every=2000, checkpoint_every=1000), batch=64, render_batch=64,
        render_size=128,
    ),
    "full": InverseGraphicsTraining(
        loop=LoopConfig(steps=200_000, evaluate_every=5000, checkpoint_every=2000), batch=16, render_size=128,
        learning_rate=1e-4, perceptual_from=3000,
    ),
}  # fmt: skip


@dataclass
class Batch:
    """Objects seen twice: view i goes into the network, views i and j judge what comes out."""

    crops: Tensor
    """(N, 4, S, S) input, augmented."""
    cameras: Cameras
    """(N) of views i."""
    light: Tensor
    """(N, 9, 3) in views i."""
    targets: Tensor
    """(2n, 4, s, s) what renders are compared with: n views i, then n views j of the first n objects."""
    target_cameras: Cameras
    """(2n)."""
    target_light: Tensor
    """(2n, 9, 3)."""
    objects: Tensor
    """(N,) indices."""


@dataclass
class InverseGraphicsTask(Task):
    """The network, its moving average and one training step."""

    config: InverseGraphicsTraining
    views: RenderedViews
    template: Template
    codes: Tensor | None
    """(K, S) shape codes of the fitted meshes, where there are meshes."""
    device: torch.device

    def __post_init__(self) -> None:
        torch.manual_seed(self.config.seed)
        self.generator = torch.Generator().manual_seed(self.config.seed)
        network = InverseGraphics(self.config.network, self.template).to(self.device)
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.networks = {"network": self.network, "average": self.average}
        self.optimizer = torch.optim.AdamW(self.network.parameters(), self.config.learning_rate, weight_decay=1e-3)
        self.optimizers = {"network": self.optimizer}
        self.topology = MeshTopology.of(
            self.template.edges, self.template.triangles, len(self.template.vertices), self.device
        )
        self.triangles = torch.as_tensor(self.template.triangles, dtype=torch.int64, device=self.device)
        self.triangle_uv = torch.as_tensor(self.template.triangle_uv, device=self.device)
        self.features = perceptual_features(Path(self.config.vgg_weights) if self.config.vgg_weights else None)
        self.features = self.features.to(self.device)
        held_out = max(1, round(self.views.number_of_objects * self.config.validation_share))
        self.training_objects = self.views.number_of_objects - held_out

    def start_from(self, basis: Tensor) -> None:
        """Gives the shape decoder its basis and the pose head its scale, before the first step."""
        pose = pose_targets(cameras_of_crops(self.views.cameras, self.views.crops, self.views.rgba.shape[2]))
        for network in (self.network, self.average):
            network.shape_decoder.basis.data.copy_(basis)
            network.pose_mean.copy_(pose.mean(dim=0))
            network.pose_scale.copy_(pose.std(dim=0).clamp(min=0.02))

    def step(self, step: int) -> dict[str, Tensor]:
        rate = cosine_rate(step, self.config.loop.steps, self.config.learning_rate, self.config.warm_up)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batch = self.sample_batch()
        self.network.train()
        half = self.config.bfloat16 and computes_in_bfloat16(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            prediction = self.network(batch.crops.contiguous(memory_format=torch.channels_last))
            texture = self.network.texture_decoder(prediction.texture_code[: self.config.render_batch])
        prediction = Prediction(**{name: value.float() for name, value in vars(prediction).items()})
        losses = self.losses(batch, prediction, texture.float(), step)
        weights = self.config.weights
        total = sum(getattr(weights, name) * value for name, value in losses.items())
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        # A short memory at first, so that the average forgets the random start.
        update_average(self.average, self.network, min(self.config.average_decay, (step + 1) / (step + 10)))
        return {"total": total.detach(), **{name: value.detach() for name, value in losses.items()}}

    def losses(self, batch: Batch, prediction: Prediction, texture: Tensor, step: int) -> dict[str, Tensor]:
        """Every loss term by the name of its weight, unweighted."""
        vertices = self.network.shape_decoder(prediction.shape_code)
        twice = vertices[: self.config.render_batch].repeat(2, 1, 1)
        size = self.config.render_size
        picture = render(
            twice, self.triangles, Texture(self.triangle_uv, texture.repeat(2, 1, 1, 1)), batch.target_light,
            batch.target_cameras, size, size, self.config.renderer,
        )  # fmt: skip
        features = self.features if step >= self.config.perceptual_from else None
        mean = self.network.shape_decoder.mean
        losses = paper_losses(picture, batch.targets, vertices, mean, self.topology, features)
        if self.codes is not None:
            true_code = self.codes[batch.objects]
            losses["shape_code"] = F.smooth_l1_loss(prediction.shape_code, true_code, beta=1.0)
            losses["vertices"] = (vertices - self.network.shape_decoder(true_code)).abs().mean()
        losses["azimuth"] = azimuth_loss(prediction, batch.cameras.azimuth)
        scale = self.network.pose_scale
        losses["pose"] = F.smooth_l1_loss(prediction.pose / scale, pose_targets(batch.cameras) / scale)
        losses["light"] = F.smooth_l1_loss(prediction.light, batch.light, beta=0.3)
        return losses

    def sample_batch(self) -> Batch:
        """Random training objects, two views of those that are rendered, half of the symmetric ones mirrored."""
        count, rendered, views = self.config.batch, self.config.render_batch, self.views.number_of_views
        objects = torch.randint(self.training_objects, (count,), generator=self.generator)
        first = torch.randint(views, (count,), generator=self.generator)
        second = (first + 1 + torch.randint(max(1, views - 1), (count,), generator=self.generator)) % views
        pictures = torch.cat([objects * views + first, (objects * views + second)[:rendered]])
        # The mirror image of what has a left and a right is another object, with another code.
        mirrored = (torch.rand(count, generator=self.generator) < 0.5) & self.config.network.symmetric
        cut_out, cameras, light = self._cut(pictures, torch.cat([mirrored, mirrored[:rendered]]))

        shown = torch.cat([torch.arange(rendered), torch.arange(count, count + rendered)])
        side = self.config.render_size
        targets = F.interpolate(cut_out[shown], size=(side, side), mode="bilinear", antialias=True, align_corners=False)
        return Batch(
            crops=augment(cut_out[:count], self.config.augment, self.generator).to(self.device),
            cameras=cameras[:count].to(self.device),
            light=light[:count].to(self.device),
            targets=targets.to(self.device),
            target_cameras=cameras[shown].to(self.device),
            target_light=light[shown].to(self.device),
            objects=objects.to(self.device),
        )

    def _cut(self, pictures: Tensor, mirrored: Tensor) -> tuple[Tensor, Cameras, Tensor]:
        """Jittered crops (P, 4, S, S) of the numbered pictures (P,), their cameras and light; some mirrored."""
        rgba = torch.from_numpy(self.views.rgba.reshape(-1, *self.views.rgba.shape[2:])[pictures.numpy()])
        crops = jittered(self.views.crops[pictures], self.generator)
        cameras = cameras_of_crops(self.views.cameras[pictures], crops, rgba.shape[1])
        cut_out = cut(rgba, crops, self.config.network.image_size)
        light = self.views.light[pictures]
        cut_out = torch.where(mirrored[:, None, None, None], cut_out.flip(3), cut_out)
        light = torch.where(mirrored[:, None, None], mirrored_light(light), light)
        flipped = cameras.mirrored()
        cameras = Cameras(
            **{name: torch.where(mirrored, getattr(flipped, name), value) for name, value in vars(cameras).items()}
        )
        return cut_out, cameras, light

    def evaluate(self, step: int, folder: Path) -> dict[str, float]:
        settle(self.average, lambda: self.sample_batch().crops, self.config.batch, self.generator)
        held_out = range(self.training_objects, self.views.number_of_objects)
        save_pictures(self.average, self.views, self.template, held_out, folder / f"samples_{step:06d}.png")
        return evaluate(self.average, self.views, self.template, held_out, self.codes)

    def export(self, folder: Path) -> None:
        crops = first_views(self.views, self.training_objects, self.config.network.image_size)
        network = finished(self.average, crops, codes_are_standard=self.codes is not None)
        save_network(folder / INVERSE_GRAPHICS, network, self.config.network, precision="half")


def paper_losses(
    picture: Picture,
    targets: Tensor,
    vertices: Tensor,
    mean: Tensor,
    topology: MeshTopology,
    features: torch.nn.Module | None,
) -> dict[str, Tensor]:
    """Equation 1's terms, unweighted: of rendered pictures (P) against ``targets`` (P, 4, s, s) with their masks, and
    of the shapes (N, V, 3) against the template's mean (V, 3). The perceptual one only with ``features``."""
    target, mask = targets[:, :3], targets[:, 3]
    offsets = vertices - mean
    losses = {
        "silhouette": silhouette_loss(picture.mask, mask),
        "colour": ((picture.rgb - target).abs().mean(dim=1) * mask).mean(),
        "laplacian": laplacian_loss(offsets, topology) / vertices.shape[1],
        "flatness": flatness_loss(vertices, topology),
        "movement": offset_loss(offsets),
    }
    if features is not None:
        losses["perceptual"] = perceptual_loss(features, picture.rgb, target, mask)
    return losses


def pose_targets(cameras: Cameras) -> Tensor:
    """(N, 6) in the order of :attr:`Prediction.pose`."""
    size = apparent_size_of(cameras.field_of_view, cameras.distance)
    return torch.stack(
        [cameras.elevation, cameras.roll, cameras.distance.log(), size.log(), cameras.shift_x, cameras.shift_y], dim=1
    )


def azimuth_loss(prediction: Prediction, azimuth: Tensor) -> Tensor:
    """Cross entropy with the two nearest bins sharing the truth, plus the residual's error in those bins."""
    bins = prediction.azimuth_logits.shape[1]
    width = 2 * math.pi / bins
    centres = torch.arange(bins, device=azimuth.device) * width
    difference = torch.remainder(azimuth[:, None] - centres + math.pi, 2 * math.pi) - math.pi
    share = (1 - difference.abs() / width).clamp(min=0)
    classification = -(share * F.log_softmax(prediction.azimuth_logits, dim=1)).sum(dim=1).mean()
    residual = (share * (prediction.azimuth_residual - difference).abs()).sum(dim=1).mean()
    return classification + 2 * residual


def make_task(config: InverseGraphicsTraining, data: Path, out: Path, device: torch.device) -> InverseGraphicsTask:
    """Reads the data, lays the template over its meshes where it has them, and builds the task."""
    views = load_views(data)
    config = replace(config, template=start_box(config.template, config.category, data))
    template = make_template(config.template)
    codes, basis = None, None
    if config.use_meshes and all((folder / "mesh.npz").exists() for folder in views.folders):
        fitted = fit_meshes(views.folders, template, out / "fitted.npz", config.network.symmetric)
        kept = out / "shape_basis.npz"
        # Kept from the run's first start, so that data which has grown since then does not change what codes mean.
        shapes = ShapeBasis.load(kept) if kept.exists() else principal_shapes(fitted, config.network.shape_code)
        shapes.save(kept)
        template = template.with_vertices(shapes.mean)
        codes, basis = (torch.as_tensor(a, device=device) for a in (shapes.codes(fitted), shapes.basis))
    task = InverseGraphicsTask(config, views, template, codes, device)
    task.start_from(basis if basis is not None else task.network.shape_decoder.basis.data)
    return task


def train(
    config: InverseGraphicsTraining, data: Path, out: Path, *, resume: bool, device: torch.device
) -> dict[str, float]:
    """Trains, and leaves the network and its template in ``out``. Returns the last figures on held-out objects."""
    out.mkdir(parents=True, exist_ok=True)
    task = make_task(config, data, out, device)
    task.template.save(out / "template.npz")
    return run(task, config.loop, out, resume=resume, describe=task.config)
