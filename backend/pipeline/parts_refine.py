# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A code and a camera that explain a photograph: what the network says of it, made to agree with its pixels.

Several directions of view are kept side by side, each with a code, a camera and a frame of its own. Each is moved so
that its silhouette covers the mask, its surface shows the coordinates that the network read, and its markings the
regions. The best of them wins; the others are told, with how nearly they lost.

Letters: H hypotheses, K numbers of a code, R regions, S side of the picture, h side of the network's maps.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..common.records import Camera
from ..models.fit_parts import camera_of_frame, frame_in_boxes, silhouette_loss
from ..models.inverse_graphics import CROP_MARGIN
from ..models.parts_network import PartsPrediction
from ..models.shape_decoder import SpaceDecoder
from ..render.camera import Cameras, project
from ..render.fragments import Fragments, interpolate_vertices
from ..render.part_map import part_map
from ..render.rasterize import rasterize
from ..render.template import Template
from .adam import Adam
from .parts_camera import Starts, StartsConfig, starts_of
from .parts_offsets import OffsetsConfig
from .soft_outline import softened

BETAS = (0.8, 0.95)
"""Adam's memory of gradients and of their squares."""
_LOG_DISTANCES = (0.1, 3.0)
"""Logarithms of the smallest and largest distances."""


@dataclass(frozen=True)
class PartsRefineConfig:
    """How hypotheses are moved, and what they are judged by."""

    starts: StartsConfig = StartsConfig()
    coarse: tuple[int, float] = (64, 1500.0)
    """Side of the picture and ``sigma_inverse`` of the soft mask in the first half of the steps …"""
    fine: tuple[int, float] = (128, 20000.0)
    """… and in the second, in which regions count as well."""
    steps: int = 50
    """At most: …"""
    patience: int = 10
    """… where so many steps have made …"""
    least_gain: float = 0.002
    """… no hypothesis better than by this, each half of the steps ends before its time."""
    code_rate: float = 0.1
    camera_rate: float = 0.02
    mask: float = 1.25
    coordinates: float = 0.25
    regions: float = 0.15
    code_prior: float = 6e-4
    """Weight of the squared distance from the network's code."""
    pose_prior: float = 4e-3
    """Weight of the squared deviations of elevation, distance and roll from the network's, in units of their errors."""
    azimuth_prior: float = 0.15
    """Weight of a hypothesis's negative logarithmic probability in the choice between them."""
    pose_errors: tuple[float, float, float] = (0.06, 0.25, 0.03)
    """How far off the network's elevation, logarithmic distance and roll usually are."""
    lens: float = 0.05
    """Deviation of the logarithm of a focal length that the photograph's file tells."""
    lowest_elevation: float = -0.02
    """Cameras do not stand in the ground."""
    strangeness: float = 0.3
    """Weight of how far, in parts of it, a code is longer than all but a hundredth of real objects' codes, squared."""
    offsets: OffsetsConfig | None = None
    """How vertices are moved at last; None: they stay where the code has them."""


REFINEMENTS: dict[str, PartsRefineConfig] = {
    "draft": PartsRefineConfig(steps=0),
    "standard": PartsRefineConfig(),
    "fine": PartsRefineConfig(steps=110, patience=16, least_gain=0.001, offsets=OffsetsConfig()),
}
"""By the request's quality."""


@dataclass(frozen=True)
class Hypothesis:
    """One explanation of a photograph."""

    camera: Camera
    """Of the crop."""
    code: np.ndarray
    """(K,) float32."""
    probability: float
    """Of its direction of view, by the network alone."""
    loss: float
    iou: float
    """Of its silhouette and the mask, at the fine size."""
    agreement: float
    """Of its regions with those that the network read, where both show the object: 0 to 1."""
    place: int = 0
    """Its place among all of its photograph's, as they were moved."""


def descend(
    losses: Callable[[bool], Tensor], optimizer: Adam, config: PartsRefineConfig, steps: int = -1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:  # fmt: skip
    """Moves hypotheses, the first half of the steps by coarse ``losses(False)`` (H,), the second by fine ones.

    ``steps`` -1: as many as the config says, 0: none. Each half ends where nothing gets better any more.
    """
    total = config.steps if steps < 0 else steps
    halves = [(False, total // 2), (True, total - total // 2)]
    done = 0
    for fine, count in halves:
        best: list[Tensor] = []
        for step in range(count):
            now = losses(fine)
            optimizer.step(now.sum())
            progress(done + step + 1, total)
            best.append(torch.minimum(now.detach(), best[-1]) if best else now.detach())
            if len(best) > config.patience and _rests(best[-1 - config.patience], best[-1], config):
                break
        done += count
    if total:
        progress(total, total)


def _rests(before: Tensor, now: Tensor, config: PartsRefineConfig) -> bool:
    return bool((before - now < config.least_gain).all())


class PartsRefiner:
    """All hypotheses of one photograph, moved as one batch."""

    def __init__(
        self, mask: Tensor, prediction: PartsPrediction, decoder: SpaceDecoder, template: Template,
        config: PartsRefineConfig = PartsRefineConfig(), starts: Starts | None = None, focal: float | None = None,
    ) -> None:  # fmt: skip
        """``mask`` (S, S) in [0, 1] of the crop that ``prediction``, of one picture, is about.

        starts: what to begin with, by default what the network's head says; focal: the focal length in sides of the
        crop, where it is known.
        """
        self.config, self.decoder, device = config, decoder, mask.device
        self.triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=device)
        self.sheet_uv = torch.as_tensor(template.triangle_markings_uv, device=device)
        starts = starts_of(prediction, None, config=config.starts) if starts is None else starts
        self.azimuths, self.probabilities = starts.azimuths, starts.probabilities
        count = len(self.azimuths)
        self.mask = mask[None, None]
        self.outlines = [self._outline(*config.coarse), self._outline(*config.fine)]
        self.wanted_coordinates = prediction.coordinates.detach()
        self.certainty = 1 / (0.02 + prediction.spread.detach())
        self.wanted_regions = prediction.region_logits.detach().softmax(dim=1)
        self.given_code = prediction.code.detach().expand(count, -1)
        self.longest_code = _longest(decoder)
        self.code = self.given_code.clone().requires_grad_()
        self.turn = torch.zeros(count, device=device, requires_grad=True)
        self.pose = starts.poses.detach().clone()
        self.log_focal = None if focal is None else math.log(focal)
        self.frame = self._framed()
        self.given_pose = self.pose.clone()
        self.pose.requires_grad_()
        self.frame.requires_grad_()

    def with_code(self, places: list[int], code: Tensor) -> PartsRefiner:
        """Returns another refiner of the same photograph: hypotheses at these places (H,), with a code (H, K) each.

        The code is used as it is, so that refiners of several photographs of one object may share it. Each camera
        starts where it stands here, framed anew for its code.
        """
        other = copy.copy(self)
        rows = torch.as_tensor(places, device=self.code.device)
        for name in ("azimuths", "probabilities", "given_code", "given_pose", "turn", "pose"):
            setattr(other, name, getattr(self, name).detach()[rows].clone())
        other.code = code
        other.frame = other._framed()
        for moving in (other.turn, other.pose, other.frame):
            moving.requires_grad_()
        return other

    def camera_rates(self) -> list[tuple[Tensor, float]]:
        """What of the cameras moves, and by how much a step."""
        return [(moving, self.config.camera_rate) for moving in (self.turn, self.pose, self.frame)]

    def cameras(self) -> Cameras:
        """The cameras (H) of the crop."""
        elevation, distance, roll = self.pose.unbind(dim=1)
        distance = distance.clamp(*_LOG_DISTANCES).exp()
        return camera_of_frame(self.azimuths + self.turn, elevation, distance, roll, self.frame)

    def _outline(self, size: int, sharpness: float) -> tuple[Tensor, Tensor]:
        """The mask (1, size, size), and as soft as the silhouettes that are compared with it."""
        small = F.interpolate(self.mask, (size, size), mode="area")[0]
        return small, softened(small[0], sharpness)[None]

    @torch.no_grad()
    def _framed(self) -> Tensor:
        """The frames (H, 3), logarithm of the scale and shift, in which the shape's box is that of the mask.

        Where the focal length is known the distances become those at which the shape is as large as the mask.
        """
        vertices, box = self.decoder.vertices(self.code), _box(self.mask[0, 0])
        for _ in range(1 if self.log_focal is None else 4):
            self.frame = torch.zeros(len(self.azimuths), 3, device=self.code.device)
            frame = frame_in_boxes(project(self.cameras(), vertices, 1, 1), box)
            if self.log_focal is not None:
                self.pose[:, 1] = (self.log_focal - frame[:, 0]).clamp(*_LOG_DISTANCES)
        return frame

    def run(self, steps: int = -1, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Moves all hypotheses; ``steps`` -1: as many as the config says, 0: none."""
        optimizer = Adam([(self.code, self.config.code_rate), *self.camera_rates()], betas=BETAS)
        descend(self.losses, optimizer, self.config, steps, progress)

    def losses(self, fine: bool) -> Tensor:
        """(H,): how badly each hypothesis explains the photograph."""
        return self._judged(fine)[0]

    def _judged(self, fine: bool) -> tuple[Tensor, Tensor, Fragments]:
        """Losses (H,), how well the regions agree (H,), 0 where not ``fine``, and what is seen."""
        config = self.config
        size, sharpness = config.fine if fine else config.coarse
        cameras = self.cameras()
        distances = self.decoder.distances(self.code) if fine else None
        vertices = self.decoder.vertices(self.code, distances)
        screen = project(cameras, vertices, size, size)
        fragments = rasterize(screen, self.triangles, size, size)
        wanted, soft = self.outlines[fine]
        losses = config.mask * silhouette_loss(screen, self.triangles, fragments, soft, sharpness)
        both = ((fragments.face_index >= 0) & (wanted > 0.5)).float()
        losses = losses + config.coordinates * self._coordinate_loss(fragments, vertices, both, size)
        agreement = torch.zeros_like(losses)
        if distances is not None:
            shares = part_map(fragments, self.sheet_uv, distances, self.decoder.space.markings, cameras)
            agreement = self._agreement(shares, both, size)
            losses = losses + config.regions * (1 - agreement)
        return losses + self._prior(), agreement, fragments

    def _coordinate_loss(self, fragments: Fragments, vertices: Tensor, both: Tensor, size: int) -> Tensor:
        points = interpolate_vertices(fragments, vertices, self.triangles).permute(0, 3, 1, 2)
        wanted = _at(self.wanted_coordinates, size)
        weight = both * _at(self.certainty[:, None], size)[:, 0]
        error = (points - wanted).norm(dim=1)
        # In lengths of the object; what is far off, a mirrored half for instance, counts no more than so far.
        robust = error / (error + 0.15)
        return (robust * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1)

    def _agreement(self, shares: Tensor, both: Tensor, size: int) -> Tensor:
        agreement = (shares * _at(self.wanted_regions, size)).sum(dim=1).clamp(0, 1)
        return (agreement * both).sum(dim=(1, 2)) / both.sum(dim=(1, 2)).clamp(min=1)

    def _prior(self) -> Tensor:
        config = self.config
        off = (self.pose - self.given_pose) / self.pose.new_tensor(config.pose_errors)
        buried = (config.lowest_elevation - self.pose[:, 0]).clamp(min=0) * 50
        squares = off.square().sum(dim=1) + (self.turn / 0.12).square() + buried**2
        if self.log_focal is not None:
            squares = squares + ((self.pose[:, 1] + self.frame[:, 0] - self.log_focal) / config.lens).square()
        strange = (self.code.square().sum(dim=1).clamp(min=1e-6).sqrt() / self.longest_code - 1).clamp(min=0).square()
        of_code = (self.code - self.given_code).square().sum(dim=1) + 0.2 * self.code.square().sum(dim=1)
        return config.pose_prior * squares + config.code_prior * of_code + config.strangeness * strange

    def hypotheses(self) -> list[Hypothesis]:
        """All of them, the best first."""
        return sorted(self.explanations(), key=lambda one: one.loss)

    @torch.no_grad()
    def explanations(self) -> list[Hypothesis]:
        """All of them, in the order of their places."""
        judged, agreement, fragments = self._judged(fine=True)
        losses = judged - self.config.azimuth_prior * self.probabilities.clamp(min=1e-4).log()
        covered = fragments.face_index >= 0
        wanted = self.outlines[True][0] > 0.5
        iou = (covered & wanted).sum(dim=(1, 2)) / (covered | wanted).sum(dim=(1, 2)).clamp(min=1)
        codes = self.code.detach().cpu().numpy().astype(np.float32)
        rows = torch.stack([self.probabilities, losses, iou, agreement], dim=1).tolist()
        return [
            Hypothesis(camera, code, probability, loss, overlap, agreeing, place)
            for place, (camera, code, (probability, loss, overlap, agreeing)) in enumerate(
                zip(self.cameras().unbatch(), codes, rows, strict=True)
            )
        ]


def _at(maps: Tensor, size: int) -> Tensor:
    """The network's maps (N, C, h, h) at another size.

    They tell of the upper left of each two by two pixels of the crop, a quarter of a cell from the cell's middle.
    """
    theta = maps.new_tensor([[1, 0, 0.5 / maps.shape[-1]], [0, 1, 0.5 / maps.shape[-1]]])
    grid = F.affine_grid(theta.expand(len(maps), 2, 3), [len(maps), 1, size, size], align_corners=False)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _longest(decoder: SpaceDecoder) -> float:
    """The length of code that all but a hundredth of the space's examples keep below."""
    lengths = np.linalg.norm(decoder.space.examples.astype(np.float64), axis=1)
    return float(np.percentile(lengths, 99)) if len(lengths) else math.inf


def _box(mask: Tensor) -> Tensor:
    """Left, top, right and bottom of a mask (S, S) in parts of its side; the crop's usual box for an empty one."""
    rows, columns = (mask.amax(dim=1) > 0.5).nonzero()[:, 0], (mask.amax(dim=0) > 0.5).nonzero()[:, 0]
    if not len(rows):
        edge = (1 - 1 / CROP_MARGIN) / 2
        return mask.new_tensor([edge, edge, 1 - edge, 1 - edge])
    return torch.stack([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / mask.shape[0]
