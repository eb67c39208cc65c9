# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the inverse-graphics network on multi-view pictures (paper A, section A.2 and equations 1 and 2).

One picture of an object goes in; the shape and texture it gives are rendered into that view and into another, whose
cameras are known, and compared with both pictures. Where the data has meshes, the shape decoder starts from their
principal components and the codes are taught by them as well; without meshes pictures alone teach the shape.

Letters: N batch, K objects, M views, P pictures, S crop side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ...common import truth_codes
from ...data.augment import augment
from ...data.rendered_views import RenderedViews, cameras_of_crops, cut, jittered, load_views
from ...models.inverse_graphics import InverseGraphics, Prediction
from ...render.camera import Cameras
from ...render.light import mirrored_light
from ...render.template import Template, make_template
from ..loop import LoopConfig
from .evaluation import evaluate_rendered_views, rendered_crops
from .losses import PaperWeights, pose_targets
from .shape_basis import ShapeBasis, fit_meshes, principal_shapes
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
    train_task,
)


@dataclass(frozen=True)
class LossWeights(PaperWeights):
    """Weights of the losses, with those of what true meshes teach."""

    shape_code: float = 1.0
    """Weight of the distance to the code of the template fitted to the true mesh."""
    vertices: float = 60.0
    """Weight of the mean distance to the vertices that this code gives."""
    texture: float = 4.0
    """Weight of the difference from the true texture, where it is known."""


@dataclass(frozen=True)
class InverseGraphicsTraining(SharedSettings):
    """Everything that decides a training run on views with known cameras."""

    weights: LossWeights = LossWeights()
    use_meshes: bool = True
    """Whether true meshes teach the shape where all objects have one; else pictures alone do. With ``parts`` the codes
    and textures that ``scripts/encode_cars.py`` wrote teach, where it did."""


PRESETS: dict[str, InverseGraphicsTraining] = {
    "tiny": InverseGraphicsTraining(
        network=TINY_NETWORK, template=SMALL_CUBE, loop=TINY_LOOP, batch=4, render_batch=4, render_size=32, warm_up=10,
        perceptual_from=20,
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


@dataclass(kw_only=True)
class RenderedBatch(Batch):
    """Objects seen twice in rendered pictures, of which light and number are known."""

    light: Tensor
    """(N, 9, 3) light in the input."""
    objects: Tensor
    """(N,) numbers of the objects."""


class KnownCamerasTask(InverseGraphicsTask[RenderedBatch]):
    """Training on rendered views. ``codes`` (K, C) are the shape codes of the fitted meshes or of the shape space,
    ``textures`` (K, 3, T, T) uint8 the true ones; each where it is known."""

    config: InverseGraphicsTraining

    def __init__(
        self,
        config: InverseGraphicsTraining,
        views: RenderedViews,
        template: Template,
        codes: Tensor | None,
        device: torch.device,
        textures: Tensor | None = None,
    ) -> None:
        torch.manual_seed(config.seed)
        super().__init__(config, template, InverseGraphics(config.network, template), views.number_of_objects, device)
        self.views, self.codes, self.textures = views, codes, textures

    @property
    def renders(self) -> bool:
        """Whether pictures judge at all: where true codes and textures teach, a CPU has better things to do."""
        weights = self.config.weights
        return any((weights.silhouette, weights.colour, weights.perceptual))

    def start_from(self, basis: Tensor) -> None:
        """Gives the shape decoder its basis and the pose head its scale, before the first step."""
        pose = pose_targets(cameras_of_crops(self.views.cameras, self.views.crops, self.views.rgba.shape[2]))
        for network in (self.network, self.average):
            network.shape_decoder.basis.data.copy_(basis)
            network.pose_mean.copy_(pose.mean(dim=0))
            network.pose_scale.copy_(pose.std(dim=0).clamp(min=0.02))

    def losses(self, batch: RenderedBatch, prediction: Prediction, texture: Tensor, step: int) -> dict[str, Tensor]:
        if self.renders:
            vertices, losses = self.picture_losses(batch, prediction, texture, step)
        else:
            vertices, losses = self.network.shape_decoder(prediction.shape_code), {}
        if self.codes is not None:
            true_code = self.codes[batch.objects]
            losses["shape_code"] = F.smooth_l1_loss(prediction.shape_code, true_code, beta=1.0)
            losses["vertices"] = (vertices - self.network.shape_decoder(true_code)).abs().mean()
        if self.textures is not None:
            true = self.textures[batch.objects[: len(texture)].cpu()].to(self.device).float() / 255
            losses["texture"] = (texture - F.interpolate(true, texture.shape[2:], mode="area")).abs().mean()
        losses |= self.camera_losses(batch, prediction)
        losses["light"] = F.smooth_l1_loss(prediction.light, batch.light, beta=0.3)
        return losses

    def sample_batch(self) -> RenderedBatch:
        """Draws training objects at random, and two views of those that are rendered."""
        count, rendered, views = self.config.batch, self.config.render_batch, self.views.number_of_views
        objects = torch.randint(self.training_objects, (count,), generator=self.generator)
        first = torch.randint(views, (count,), generator=self.generator)
        second = (first + 1 + torch.randint(max(1, views - 1), (count,), generator=self.generator)) % views
        pictures = torch.cat([objects * views + first, (objects * views + second)[:rendered]])
        mirrored = self.draw_mirrored(count)
        cut_out, cameras, light = self._cut(pictures, torch.cat([mirrored, mirrored[:rendered]]))
        judging = in_first_and_further(rendered, count, len(pictures))
        return RenderedBatch(
            crops=augment(cut_out[:count], self.config.augment, self.generator).to(self.device),
            cameras=cameras[:count].to(self.device),
            light=light[:count].to(self.device),
            targets=self.targets(cut_out[judging]),
            target_cameras=cameras[judging].to(self.device),
            target_light=light[judging].to(self.device),
            objects=objects.to(self.device),
        )

    def _cut(self, pictures: Tensor, mirrored: Tensor) -> tuple[Tensor, Cameras, Tensor]:
        """Jittered crops (P, 4, S, S) of the numbered pictures (P,), their cameras and light; some mirrored."""
        rgba = torch.from_numpy(self.views.rgba.reshape(-1, *self.views.rgba.shape[2:])[pictures.numpy()])
        crops = jittered(self.views.crops[pictures], self.generator)
        cameras = cameras_of_crops(self.views.cameras[pictures], crops, rgba.shape[1])
        cut_out, cameras = mirrored_where(mirrored, cut(rgba, crops, self.config.network.image_size), cameras)
        light = self.views.light[pictures]
        return cut_out, cameras, torch.where(mirrored[:, None, None], mirrored_light(light), light)

    def first_pictures(self, objects: range) -> Tensor:
        return torch.tensor(objects) * self.views.number_of_views

    def plain_crops(self, pictures: Tensor) -> Tensor:
        return rendered_crops(self.views, pictures, self.config.network.image_size)[0]

    def judge(self, objects: range) -> dict[str, float]:
        return evaluate_rendered_views(self.average, self.views, self.template, objects, self.codes)

    @property
    def codes_are_standard(self) -> bool:
        return self.codes is not None or super().codes_are_standard


def make_task(config: InverseGraphicsTraining, data: Path, out: Path, device: torch.device) -> KnownCamerasTask:
    """Reads the data, lays the template over its meshes where it has them, and builds the task.

    Raises FileNotFoundError where no rendered object lies in ``data``, ValueError where there is but one, BundleError
    where ``config.parts`` has no template with parts.
    """
    views = load_views(data)
    config = replace(config, template=start_box(config.template, config.category, data))
    template = make_template(config.template)
    codes, basis, textures = None, None, None
    if config.parts:
        template, directions = start_parts(config.parts, config.network.shape_code)
        basis = torch.as_tensor(directions, device=device)
        if (data / truth_codes.FILE_NAME).is_file():
            true = truth_codes.read_truth_codes(data, [folder.name for folder in views.folders])
            codes = torch.as_tensor(true.codes[:, : len(directions)], device=device)
            textures = torch.from_numpy(true.textures).permute(0, 3, 1, 2)
    elif config.use_meshes and all((folder / "mesh.npz").exists() for folder in views.folders):
        fitted = fit_meshes(views.folders, template, out / "fitted.npz", config.network.symmetric)
        kept = out / "shape_basis.npz"
        # Kept from the run's first start, so that data which has grown since then does not change what codes mean.
        shapes = ShapeBasis.load(kept) if kept.exists() else principal_shapes(fitted, config.network.shape_code)
        shapes.save(kept)
        template = template.with_vertices(shapes.mean)
        codes, basis = (torch.as_tensor(a, device=device) for a in (shapes.codes(fitted), shapes.basis))
    task = KnownCamerasTask(config, views, template, codes, device, textures)
    task.start_from(basis if basis is not None else task.network.shape_decoder.basis.data)
    return task


def train(
    config: InverseGraphicsTraining, data: Path, out: Path, *, resume: bool, device: torch.device
) -> dict[str, float]:
    """Trains, and leaves the network and its template in ``out``. Returns the last figures on held-out objects."""
    out.mkdir(parents=True, exist_ok=True)
    return train_task(make_task(config, data, out, device), out, resume=resume)
