# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls the network's first answer onto the photograph, by optimisation through the differentiable renderer.

First a few starting azimuths at once on small pictures, because a car's silhouette leaves front and rear open; then
the best of them alone on a larger picture, with small offsets of the vertices and the light as well.
Everything moves in units of how far the network is trusted, so that one step size suits all.

Letters: N starts, S shape code, V vertices, R side of a picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..common.records import Camera
from ..models.inverse_graphics import InverseGraphics, Prediction, field_of_view_of
from ..render.camera import Cameras
from ..render.light import srgb_decode, srgb_encode
from ..render.mesh_losses import MeshTopology, laplacian_loss, offset_loss
from ..render.picture import Picture, RenderConfig, render
from ..render.shading import Texture
from ..render.soft_mask import SoftMaskConfig
from ..render.template import Template
from .azimuths import angle_between, azimuth_log_likelihood, starting_azimuths
from .smoothing import neighbour_table, smoothed


@dataclass(frozen=True)
class RefineConfig:
    """How the photograph pulls and how the network's answer holds."""

    steps: int = 80
    """Steps in all, unless the request says otherwise."""
    coarse_share: float = 0.45
    """Part of the steps in which all starts run."""
    starts: int = 4
    coarse_size: int = 48
    fine_size: int = 128
    """Sides of the compared pictures."""
    coarse_reach: float = 0.8
    fine_reach: float = 1.0
    """Width of the soft silhouette in pixels: how far it feels the mask's outline."""
    step_size: float = 0.25
    """First step, in units of trust; it falls to a tenth."""

    azimuth_trust: float = 0.12
    pose_trust: tuple[float, ...] = (0.06, 0.04, 0.12, 0.15, 0.05, 0.05)
    """Elevation, roll, log distance, log apparent size, shift_x, shift_y: standard deviations of the network's error
    (radians, or fractions of the crop). What the silhouette tells well is trusted little."""
    code_trust: float = 0.4
    offset_trust: float = 0.01
    light_trust: float = 0.1

    colour_weight: float = 0.5
    pose_weight: float = 0.0015
    code_weight: float = 0.0006
    """Weight of each squared deviation from the prediction, in units of trust."""
    typical_weight: float = 0.0002
    """Weight of the shape code's squared length: codes are standard normal."""
    light_weight: float = 0.0005
    offset_weight: float = 20.0
    laplacian_weight: float = 2.0
    likelihood_weight: float = 0.01
    """Weight of the logarithm of the network's probability of an azimuth, when the best start is chosen."""
    smoothing: int = 12
    """Number of times that the offsets are averaged with their neighbours'."""


@dataclass
class Refined:
    """One object after refinement; the camera is that of the crop."""

    camera: Camera
    shape_code: Tensor
    """(S,)."""
    offsets: Tensor
    """(V, 3), symmetric where the network is."""
    vertices: Tensor
    """(V, 3): decoded shape code plus offsets."""
    texture: Tensor
    """(3, T, T) the network's texture in the photo's colours."""
    light: Tensor
    """(9, 3)."""
    margin: float
    """Difference of loss between the best start and the best that looks from elsewhere; infinite with one start."""


@dataclass
class _Target:
    """The photograph at one size."""

    rgb: Tensor
    """(3, R, R), 0 outside the mask."""
    alpha: Tensor
    """(R, R) in 0..1."""
    soft: Tensor
    """(R, R) the mask with the soft outline that the renderer would give it."""
    softness: SoftMaskConfig


@dataclass
class _Scene:
    """What stays fixed."""

    mean: Tensor
    """(V, 3)."""
    basis: Tensor
    """(S, V, 3)."""
    mirror: Tensor | None
    """(V,); None where left and right may differ."""
    triangles: Tensor
    triangle_uv: Tensor
    topology: MeshTopology
    neighbours: Tensor
    config: RefineConfig

    def decode(self, code: Tensor) -> Tensor:
        """(N, S) to vertices (N, V, 3), as the network's decoder does."""
        return self.mean + (code @ self.basis.flatten(1)).view(len(code), *self.mean.shape)


@dataclass
class _Unknowns:
    """What is optimised: starting values, and how far each has moved from them in units of trust."""

    azimuth: Tensor
    pose: Tensor
    code: Tensor
    light: Tensor
    texture: Tensor
    moved_camera: Tensor
    """(N, 7): azimuth, then the pose."""
    moved_code: Tensor
    moved_light: Tensor
    """(N, 9, 1): its colour stays."""
    offsets: Tensor
    """(N, V, 3), before smoothing."""

    @staticmethod
    def at(azimuth: Tensor, prediction: Prediction, texture: Tensor, vertices: int) -> _Unknowns:
        """The prediction (of one picture) seen from each of the azimuths (N,)."""
        n = len(azimuth)
        pose, code, light, texture = (
            value.detach().expand(n, *value.shape[1:])
            for value in (prediction.pose, prediction.shape_code, prediction.light, texture)
        )
        moved = (code.new_zeros(n, 7), torch.zeros_like(code), torch.zeros_like(light[..., :1]))
        return _Unknowns(azimuth, pose, code, light, texture, *moved, offsets=code.new_zeros(n, vertices, 3))

    def one(self, index: int) -> _Unknowns:
        return _Unknowns(**{name: value[index : index + 1].detach().clone() for name, value in vars(self).items()})

    def cameras(self, config: RefineConfig) -> Cameras:
        pose = self.pose + self.moved_camera[:, 1:] * self.pose.new_tensor(config.pose_trust)
        elevation, roll, log_distance, log_size, shift_x, shift_y = pose.unbind(dim=1)
        distance = log_distance.exp().clamp(1.2, 20.0)
        return Cameras(
            azimuth=self.azimuth + self.moved_camera[:, 0] * config.azimuth_trust,
            elevation=elevation.clamp(-0.5, 1.5),
            distance=distance,
            roll=roll,
            field_of_view=field_of_view_of(log_size.exp(), distance),
            shift_x=shift_x,
            shift_y=shift_y,
        )

    def shape_code(self, config: RefineConfig) -> Tensor:
        return self.code + self.moved_code * config.code_trust

    def lights(self, config: RefineConfig) -> Tensor:
        return self.light + self.moved_light * config.light_trust


def refine(
    rgba: Tensor,
    prediction: Prediction,
    network: InverseGraphics,
    template: Template,
    config: RefineConfig = RefineConfig(),
    steps: int = -1,
    step_done: Callable[[int, int], None] = lambda done, total: None,
) -> Refined:
    """Fits camera, shape and light to a cut-out crop.

    rgba: (4, R, R), colour 0 outside the mask; prediction: of this one crop (N = 1); steps: 0 returns the prediction
    as it is, negative takes the config's number; step_done: called after each step with how many are done and the
    total, and may raise to stop.
    """
    steps = config.steps if steps < 0 else steps
    device = rgba.device
    topology = MeshTopology.of(template.edges, template.triangles, len(template.vertices), device)
    decoder = network.shape_decoder
    scene = _Scene(
        decoder.mean,
        decoder.symmetric_basis().detach(),
        decoder.mirror if network.config.symmetric else None,
        torch.as_tensor(template.triangles, dtype=torch.int64, device=device),
        torch.as_tensor(template.triangle_uv, device=device),
        topology,
        torch.as_tensor(neighbour_table(template.edges, len(template.vertices)), device=device),
        config,
    )
    with torch.no_grad():
        texture = network.texture_decoder(prediction.texture_code)
    coarse_steps = round(steps * config.coarse_share) if config.starts > 1 else 0
    azimuth = starting_azimuths(prediction, config.starts) if coarse_steps else prediction.azimuth()
    unknowns = _Unknowns.at(azimuth.detach(), prediction, texture, len(template.vertices))
    margin = math.inf
    if coarse_steps:
        target = _target(rgba, config.coarse_size, config.coarse_reach)
        losses = _descend(unknowns, scene, target, coarse_steps, False, lambda done: step_done(done, steps))
        best, margin = _choose(unknowns, losses, prediction, config)
        unknowns = unknowns.one(best)
    if steps - coarse_steps > 0:
        target = _target(rgba, config.fine_size, config.fine_reach)
        unknowns = _in_the_photos_colours(unknowns, scene, target)
        _descend(
            unknowns, scene, target, steps - coarse_steps, True, lambda done: step_done(coarse_steps + done, steps)
        )
    return _result(unknowns, scene, margin)


def hard_iou(mask: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boolean masks of one shape; 0 if both are empty."""
    return float((mask & other).sum() / max(int((mask | other).sum()), 1))


def _target(rgba: Tensor, size: int, reach: float) -> _Target:
    """The crop reduced to ``size``, its outline softened as the renderer's is."""
    small = F.interpolate(rgba[None], size=(size, size), mode="area")[0]
    alpha = small[3]
    # Averaged colour is that of the object and of the black around it: divided by the mask it is the object's alone.
    rgb = (small[:3] / alpha.clamp(min=0.05)).clamp(0, 1) * (alpha > 0.5)
    sigma_inverse = (0.5 * size / reach) ** 2
    outside = (alpha < 0.5).cpu().numpy().astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) - 0.5
    faces = 3  # about as many are within reach of a pixel beside the outline
    squared = torch.as_tensor(np.maximum(distance, 0) / (0.5 * size), device=rgba.device) ** 2
    soft = 1 - (1 - torch.exp(-sigma_inverse * squared)) ** faces
    return _Target(rgb, alpha, soft, SoftMaskConfig(sigma_inverse, 1.8 * reach / (0.5 * size)))


def _render(unknowns: _Unknowns, scene: _Scene, target: _Target, vertices: Tensor) -> Picture:
    size = target.alpha.shape[0]
    texture = unknowns.texture
    if size <= texture.shape[2] // 2:
        texture = F.avg_pool2d(texture, 2)
    lights, cameras = unknowns.lights(scene.config), unknowns.cameras(scene.config)
    material, config = Texture(scene.triangle_uv, texture), RenderConfig(soft=target.softness)
    return render(vertices, scene.triangles, material, lights, cameras, size, size, config)


def _offsets(unknowns: _Unknowns, scene: _Scene) -> Tensor:
    """(N, V, 3) smooth offsets, left-right symmetric where the network is."""
    field = unknowns.offsets * scene.config.offset_trust
    if scene.mirror is not None:
        mirrored = field[:, scene.mirror] * field.new_tensor([-1.0, 1.0, 1.0])
        field = 0.5 * (field + mirrored)
    return smoothed(field, scene.neighbours, scene.config.smoothing)


def _losses(unknowns: _Unknowns, scene: _Scene, target: _Target, fine: bool) -> Tensor:
    """(N,) what each start is worth; smaller is better."""
    config = scene.config
    code = unknowns.shape_code(config)
    vertices = scene.decode(code)
    regular = code.new_zeros(())
    if fine:
        offsets = _offsets(unknowns, scene)
        vertices = vertices + offsets
        regular = config.offset_weight * offset_loss(offsets) + config.laplacian_weight * laplacian_loss(
            offsets, scene.topology
        )
    picture = _render(unknowns, scene, target, vertices)
    area = target.alpha.sum().clamp(min=1.0)
    silhouette = ((picture.mask - target.soft) ** 2).sum(dim=(1, 2)) / area

    both = (picture.fragments.face_index >= 0) & (target.alpha > 0.5)
    rgb = picture.rgb if fine else _colour_matched(picture.rgb, target.rgb, both)
    colour = ((rgb - target.rgb).abs().mean(dim=1) * both).sum(dim=(1, 2)) / area
    prior = (
        config.pose_weight * (unknowns.moved_camera**2).sum(dim=1)
        + config.code_weight * (unknowns.moved_code**2).sum(dim=1)
        + config.typical_weight * (code**2).sum(dim=1)
        + config.light_weight * (unknowns.moved_light**2).sum(dim=(1, 2))
    )
    return silhouette + config.colour_weight * colour + prior + regular


@torch.no_grad()
def _gain_and_offset(rgb: Tensor, goal: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 3, 1, 1) each: the line through the colours (N, 3, R, R) that is nearest to the goal (3, R, R) there."""
    weight = where[:, None].to(rgb.dtype)
    count = weight.sum(dim=(2, 3), keepdim=True).clamp(min=1.0)
    mean = (rgb * weight).sum(dim=(2, 3), keepdim=True) / count
    goal_mean = (goal * weight).sum(dim=(2, 3), keepdim=True) / count
    covariance = ((rgb - mean) * (goal - goal_mean) * weight).sum(dim=(2, 3), keepdim=True) / count
    variance = ((rgb - mean) ** 2 * weight).sum(dim=(2, 3), keepdim=True) / count
    gain = (covariance / (variance + 1e-3)).clamp(0.5, 2.0)
    return gain, goal_mean - gain * mean


def _colour_matched(rgb: Tensor, goal: Tensor, where: Tensor) -> Tensor:
    """The rendered colours with the photo's brightness and contrast: pattern is compared, not paint."""
    gain, offset = _gain_and_offset(rgb, goal, where)
    return rgb * gain + offset


@torch.no_grad()
def _in_the_photos_colours(unknowns: _Unknowns, scene: _Scene, target: _Target) -> _Unknowns:
    """The texture given the photo's hue, and texture and light together its brightness."""
    picture = _render(unknowns, scene, target, scene.decode(unknowns.shape_code(scene.config)))
    both = (picture.fragments.face_index[0] >= 0) & (target.alpha > 0.5)
    if int(both.sum()) < 16:
        return unknowns
    # The mean of displayed colours, which are near what the eye sees: neither highlights nor black wheels decide.
    seen, goal = picture.rgb[0][:, both].mean(dim=1), target.rgb[:, both].mean(dim=1)
    gain = ((goal + 0.02) / (seen + 0.02)) ** 2.2
    # Paint is coloured more often than light is: the light takes half of the brightness and none of the hue.
    of_light = gain.log().mean().mul(0.5).exp().clamp(0.5, 2.0)
    of_paint = (gain / of_light).clamp(0.1, 6.0)[:, None, None]
    return replace(
        unknowns,
        light=unknowns.light * of_light,
        texture=srgb_encode(srgb_decode(unknowns.texture) * of_paint),
    )


def _descend(
    unknowns: _Unknowns, scene: _Scene, target: _Target, steps: int, fine: bool, step_done: Callable[[int], None]
) -> Tensor:
    """Adam on the unknowns, in place. Returns the last losses (N,)."""
    config = scene.config
    moving = [unknowns.moved_camera, unknowns.moved_code]
    moving += [unknowns.moved_light, unknowns.offsets] if fine else []
    for value in moving:
        value.requires_grad_(True)
    step_size = config.step_size * (0.5 if fine else 1.0)
    optimiser = torch.optim.Adam(moving, lr=step_size, betas=(0.8, 0.95))
    losses = torch.zeros(len(unknowns.azimuth))
    for step in range(steps):
        fall = 0.5 * (1 + math.cos(math.pi * step / steps))
        optimiser.param_groups[0]["lr"] = step_size * (0.1 + 0.9 * fall)
        optimiser.zero_grad(set_to_none=True)
        losses = _losses(unknowns, scene, target, fine)
        losses.sum().backward()
        for value in moving:
            if value.grad is not None:
                value.grad.nan_to_num_(0.0, 0.0, 0.0)
        optimiser.step()
        step_done(step + 1)
    for value in moving:
        value.requires_grad_(False)
    return losses.detach()


def _choose(unknowns: _Unknowns, losses: Tensor, prediction: Prediction, config: RefineConfig) -> tuple[int, float]:
    """The best start, and by how much it beat the best of those that look from elsewhere."""
    azimuth = unknowns.cameras(config).azimuth
    scores = losses - config.likelihood_weight * azimuth_log_likelihood(prediction, azimuth)
    best = int(scores.argmin())
    apart = [
        float(score - scores[best])
        for score, angle in zip(scores, azimuth.tolist(), strict=True)
        if angle_between(angle, float(azimuth[best])) > math.radians(45)
    ]
    return best, min(apart, default=math.inf)


@torch.no_grad()
def _result(unknowns: _Unknowns, scene: _Scene, margin: float) -> Refined:
    offsets = _offsets(unknowns, scene)[0]
    code = unknowns.shape_code(scene.config)
    camera = unknowns.cameras(scene.config).unbatch()[0]
    azimuth = (camera.azimuth + math.pi) % (2 * math.pi) - math.pi
    return Refined(
        camera=replace(camera, azimuth=azimuth),
        shape_code=code[0],
        offsets=offsets,
        vertices=scene.decode(code)[0] + offsets,
        texture=unknowns.texture[0],
        light=unknowns.lights(scene.config)[0],
        margin=margin,
    )
