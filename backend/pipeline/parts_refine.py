# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A code and a camera that explain a photograph: what the network says of it, made to agree with its pixels.

Several directions of view are kept side by side, each with a code, a camera and a frame of its own. Each is moved so
that its silhouette covers the mask, its surface shows the coordinates that the network read, and its markings the
regions. The best of them wins; the others are told, with how nearly they lost.

Letters: H hypotheses, K numbers of a code, R regions, S side of the picture, h side of the network's maps.
"""

from __future__ import annotations

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


@dataclass(frozen=True)
class PartsRefineConfig:
    """How hypotheses are moved, and what they are judged by."""

    hypotheses: int = 2
    """Directions of view that are tried, at most."""
    behind: float = 1.5
    """Logit added to directions from behind: the photographs that the network learned from are all but fronts. Chosen
    on labelled crops of Stanford Cars, where it takes flips of others than fronts from 17 % to 12 %, of fronts from
    2 % to 3 %."""
    least_probability: float = 0.06
    """A direction less likely than this is not tried."""
    coarse: tuple[int, float] = (64, 1500.0)
    """Side of the picture and ``sigma_inverse`` of the soft mask in the first half of the steps …"""
    fine: tuple[int, float] = (128, 20000.0)
    """… and in the second, in which regions count as well."""
    steps: int = 50
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
    lowest_elevation: float = -0.02
    """Cameras do not stand in the ground."""


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


class PartsRefiner:
    """All hypotheses of one photograph, moved as one batch."""

    def __init__(
        self, mask: Tensor, prediction: PartsPrediction, decoder: SpaceDecoder, template: Template,
        config: PartsRefineConfig = PartsRefineConfig(),
    ) -> None:  # fmt: skip
        """``mask`` (S, S) in [0, 1] of the crop that ``prediction``, of one picture, is about."""
        self.config, self.decoder, device = config, decoder, mask.device
        self.triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=device)
        self.sheet_uv = torch.as_tensor(template.triangle_markings_uv, device=device)
        azimuths, probabilities = (values[0] for values in prediction.azimuths(config.hypotheses, config.behind))
        likely = (probabilities >= config.least_probability) | (torch.arange(len(azimuths), device=device) == 0)
        self.azimuths, self.probabilities = azimuths[likely], probabilities[likely]
        count = len(self.azimuths)
        self.mask = mask[None, None]
        self.wanted_coordinates = prediction.coordinates.detach()
        self.certainty = 1 / (0.02 + prediction.spread.detach())
        self.wanted_regions = prediction.region_logits.detach().softmax(dim=1)
        self.given_code = prediction.code.detach().expand(count, -1)
        self.given_pose = prediction.pose.detach().expand(count, -1)
        self.code = self.given_code.clone().requires_grad_()
        self.turn = torch.zeros(count, device=device, requires_grad=True)
        self.pose = self.given_pose.clone().requires_grad_()
        self.frame = self._framed().requires_grad_()
        self.optimizer = torch.optim.Adam(
            [
                {"params": [self.code], "lr": config.code_rate},
                {"params": [self.turn, self.pose, self.frame], "lr": config.camera_rate},
            ],
            betas=(0.8, 0.95),
        )

    def cameras(self) -> Cameras:
        """The cameras (H) of the crop."""
        elevation, distance, roll = self.pose.unbind(dim=1)
        distance = distance.clamp(0.1, 2.5).exp()
        return camera_of_frame(self.azimuths + self.turn, elevation, distance, roll, self.frame)

    @torch.no_grad()
    def _framed(self) -> Tensor:
        """The frames (H, 3), logarithm of the scale and shift, in which the shape's box is that of the mask."""
        count, device = len(self.azimuths), self.code.device
        self.frame = torch.zeros(count, 3, device=device)
        return frame_in_boxes(project(self.cameras(), self.decoder.vertices(self.code), 1, 1), _box(self.mask[0, 0]))

    def run(self, steps: int = -1, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Moves all hypotheses; ``steps`` -1: as many as the config says, 0: none."""
        total = self.config.steps if steps < 0 else steps
        for step in range(total):
            fine = step >= total // 2
            self.optimizer.zero_grad()
            self.losses(fine).sum().backward()
            self.optimizer.step()
            progress(step + 1, total)

    def losses(self, fine: bool) -> Tensor:
        """(H,): how badly each hypothesis explains the photograph."""
        config = self.config
        size, sharpness = config.fine if fine else config.coarse
        cameras = self.cameras()
        distances = self.decoder.distances(self.code) if fine else None
        vertices = self.decoder.vertices(self.code, distances)
        screen = project(cameras, vertices, size, size)
        fragments = rasterize(screen, self.triangles, size, size)
        wanted = F.interpolate(self.mask, (size, size), mode="area")[:, 0]
        losses = config.mask * silhouette_loss(screen, self.triangles, fragments, wanted, sharpness)
        both = ((fragments.face_index >= 0) & (wanted > 0.5)).float()
        losses = losses + config.coordinates * self._coordinate_loss(fragments, vertices, both, size)
        if distances is not None:
            shares = part_map(fragments, self.sheet_uv, distances, self.decoder.space.markings, cameras)
            losses = losses + config.regions * self._region_loss(shares, both, size)
        return losses + self._prior()

    def _coordinate_loss(self, fragments: Fragments, vertices: Tensor, both: Tensor, size: int) -> Tensor:
        points = interpolate_vertices(fragments, vertices, self.triangles).permute(0, 3, 1, 2)
        wanted = _at(self.wanted_coordinates, size)
        weight = both * _at(self.certainty[:, None], size)[:, 0]
        error = (points - wanted).norm(dim=1)
        # In lengths of the object; what is far off, a mirrored half for instance, counts no more than so far.
        robust = error / (error + 0.15)
        return (robust * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1)

    def _region_loss(self, shares: Tensor, both: Tensor, size: int) -> Tensor:
        wanted = _at(self.wanted_regions, size)
        agreement = (shares * wanted).sum(dim=1).clamp(0, 1)
        return ((1 - agreement) * both).sum(dim=(1, 2)) / both.sum(dim=(1, 2)).clamp(min=1)

    def _prior(self) -> Tensor:
        config = self.config
        off = (self.pose - self.given_pose) / self.pose.new_tensor(config.pose_errors)
        buried = (config.lowest_elevation - self.pose[:, 0]).clamp(min=0) * 50
        squares = off.square().sum(dim=1) + (self.turn / 0.12).square() + buried**2
        of_code = (self.code - self.given_code).square().sum(dim=1) + 0.2 * self.code.square().sum(dim=1)
        return config.pose_prior * squares + config.code_prior * of_code

    @torch.no_grad()
    def hypotheses(self) -> list[Hypothesis]:
        """All of them, the best first."""
        losses = self.losses(fine=True) - self.config.azimuth_prior * self.probabilities.clamp(min=1e-4).log()
        size = self.config.fine[0]
        screen = project(self.cameras(), self.decoder.vertices(self.code), size, size)
        covered = rasterize(screen, self.triangles, size, size).face_index >= 0
        wanted = F.interpolate(self.mask, (size, size), mode="area")[:, 0] > 0.5
        iou = (covered & wanted).sum(dim=(1, 2)) / (covered | wanted).sum(dim=(1, 2)).clamp(min=1)
        cameras, codes = self.cameras().unbatch(), self.code.cpu().numpy().astype(np.float32)
        made = [
            Hypothesis(camera, code, float(probability), float(loss), float(overlap))
            for camera, code, probability, loss, overlap in zip(
                cameras, codes, self.probabilities, losses, iou, strict=True
            )
        ]
        return sorted(made, key=lambda one: one.loss)


def _at(maps: Tensor, size: int) -> Tensor:
    """The network's maps (N, C, h, h) at another size.

    They tell of the upper left of each two by two pixels of the crop, a quarter of a cell from the cell's middle.
    """
    theta = maps.new_tensor([[1, 0, 0.5 / maps.shape[-1]], [0, 1, 0.5 / maps.shape[-1]]])
    grid = F.affine_grid(theta.expand(len(maps), 2, 3), [len(maps), 1, size, size], align_corners=False)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _box(mask: Tensor) -> Tensor:
    """Left, top, right and bottom of a mask (S, S) in parts of its side; the crop's usual box for an empty one."""
    rows, columns = (mask.amax(dim=1) > 0.5).nonzero()[:, 0], (mask.amax(dim=0) > 0.5).nonzero()[:, 0]
    if not len(rows):
        edge = (1 - 1 / CROP_MARGIN) / 2
        return mask.new_tensor([edge, edge, 1 - edge, 1 - edge])
    return torch.stack([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / mask.shape[0]
