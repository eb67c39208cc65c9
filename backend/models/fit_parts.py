# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shape space laid over outlines: the code and the cameras that explain masks, by code and camera alone.

No network, no colours, no free offsets: a code that is a car whatever the mask, and cameras whose azimuth is known
roughly. Several starts (elevations, roof open or closed) run side by side; the one that explains the mask best for its
likelihood wins.

Letters: O objects, N views of one object, C starts of all objects, B = C * N pictures, K numbers of a code, V vertices,
S the picture's side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..common.records import Camera
from ..common.shape_space import ShapeSpace
from ..render.camera import Cameras, project
from ..render.fragments import Fragments
from ..render.rasterize import rasterize
from ..render.searches import soft_mask
from ..render.soft_mask import SoftMaskConfig
from ..render.template import Template
from .shape_decoder import SpaceDecoder


@dataclass(frozen=True)
class FitConfig:
    """How the fit is done, and what is likely before a mask is seen."""

    stages: tuple[tuple[int, int, float], ...] = ((64, 40, 1500.0), (128, 50, 5000.0), (128, 30, 20000.0))
    """Side of the picture, steps, and ``sigma_inverse`` of the soft mask, one stage after the other. The last is
    sharp: a soft outline reaches beyond the hard one, and a shape that fits it is too small by as much."""
    components: int = 48
    """Number of the code's components that move, counted from the first, which change most."""
    code_rate: float = 0.08
    camera_rate: float = 0.02
    elevations_deg: tuple[float, ...] = (3.0, 11.0, 24.0)
    """Elevations that the fit starts from."""
    elevation_deg: tuple[float, float] = (8.0, 9.0)
    """Mean and deviation of cameras' elevations."""
    azimuth_deg: float = 8.0
    """Deviation of the given azimuths."""
    distance: tuple[float, float] = (2.4, 0.35)
    """Mean in lengths of the object, and deviation of its logarithm."""
    roll_deg: float = 2.5
    """Deviation; larger rolls are rare but happen: their cost grows with the logarithm alone."""
    tilted_deg: float = 12.0
    """An outline whose longer axis is tilted by more than this is also tried with the camera rolled as much."""
    likelihood_weight: float = 2e-3
    """Weight of the squares of the code and of the camera's deviations (twice the negative logarithm of their
    likelihood) beside the mask's intersection over union."""
    with_open_top: bool = True
    """Whether open cars are tried too."""
    open_top: float = 0.06
    """Share of open cars: what an open top costs follows from it."""
    lowest_elevation_deg: float = -1.0
    """Cameras do not stand in the ground: below this they cost much."""


@dataclass(frozen=True)
class FittedParts:
    """The best of the starts."""

    code: np.ndarray
    """(K,) float32."""
    cameras: list[Camera]
    """The cameras of the square crops that the masks were cut to."""
    iou: list[float]
    """Hard silhouettes' intersection over union with each mask, at the last stage's size."""
    loss: float


def fit_parts(
    masks: np.ndarray,
    azimuths: list[float],
    space: ShapeSpace,
    template: Template,
    config: FitConfig = FitConfig(),
    cameras: list[Camera] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FittedParts:
    """Finds a code and cameras for masks of one object.

    masks: (N, S, S) float in [0, 1], square crops around the object; azimuths: (N,) radians; cameras: where they are
    known they stay as they are, but for the place and size of the object in the picture.
    """
    search = _Search(masks[None], [azimuths], space, template, config, cameras)
    return _searched(search, progress)[0]


def fit_objects(
    masks: np.ndarray,
    azimuths: list[float],
    space: ShapeSpace,
    template: Template,
    config: FitConfig = FitConfig(),
    device: torch.device | str = "cpu",
) -> list[FittedParts]:
    """Finds a code and a camera for each of many objects, all at once: made for a GPU.

    masks: (O, S, S) float in [0, 1], a square crop of each object; azimuths: (O,) radians.
    """
    search = _Search(masks[:, None], [[azimuth] for azimuth in azimuths], space, template, config, None, device)
    return _searched(search, lambda done, total: None)


def _searched(search: _Search, progress: Callable[[int, int], None]) -> list[FittedParts]:
    total = sum(steps for _, steps, _ in search.config.stages)
    done = 0
    for size, steps, sharpness in search.config.stages:
        for _ in range(steps):
            search.step(size, sharpness)
            done += 1
            progress(done, total)
    return search.best()


class _Search:
    """All starts of all objects' fits, as one batch: the starts of an object follow one another."""

    def __init__(
        self, masks: np.ndarray, azimuths: list[list[float]], space: ShapeSpace, template: Template, config: FitConfig,
        known: list[Camera] | None, device: torch.device | str = "cpu",
    ) -> None:  # fmt: skip
        self.config, self.template, self.known = config, template, known
        self.decoder = SpaceDecoder(space).to(device)
        self.triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=device)
        elevations = config.elevations_deg if known is None else (0.0,)
        tops = (0.0, space.fold.end + 0.3) if config.with_open_top and space.fold is not None else (0.0,)
        starts = [(elevation, top, 0.0) for top in tops for elevation in elevations]
        self.objects, self.views = masks.shape[:2]
        whole = torch.as_tensor(np.asarray(masks, np.float32))
        tilts = torch.tensor([[_tilt(mask) for mask in views] for views in whole])
        if known is None and float(tilts.abs().max()) > math.radians(config.tilted_deg):
            starts += [(elevation, top, 1.0) for elevation, top, _ in starts]
        self.starts = len(starts)
        every = torch.tensor(starts).repeat(self.objects, 1).to(device)
        self.tilts = tilts.to(device).repeat_interleave(self.starts, dim=0) * every[:, 2:]
        self.masks = whole.to(device).repeat_interleave(self.starts, dim=0).flatten(0, 1)
        moving = min(config.components, space.size - (space.fold is not None))
        self.code = torch.zeros(len(every), moving, requires_grad=True, device=device)
        self.top = every[:, 1]
        boxes = torch.stack([_box(mask) for mask in whole.flatten(0, 1)]).unflatten(0, (self.objects, self.views))
        self.boxes = boxes.to(device).repeat_interleave(self.starts, dim=0).flatten(0, 1)
        self._set_cameras(every[:, 0], torch.tensor(azimuths, device=device).repeat_interleave(self.starts, dim=0))
        self._open_cost = 2 * math.log((1 - config.open_top) / config.open_top)
        rates = [([self.code], config.code_rate), (list(self.free), config.camera_rate), ([self.frame], 0.01)]
        self.optimizer = torch.optim.Adam([{"params": p, "lr": r} for p, r in rates if p], betas=(0.8, 0.95))

    def _set_cameras(self, elevations: Tensor, azimuths: Tensor) -> None:
        """Cameras as deviations from what is likely, in its units: azimuth, elevation, distance, roll; (C, N) each."""
        config, shape, device = self.config, azimuths.shape, azimuths.device
        self.given = azimuths
        mean, deviation = config.elevation_deg
        start = elevations[:, None].expand(shape)
        self.free: tuple[Tensor, ...] = ()
        if self.known is None:
            azimuth, distance = (torch.zeros(shape, requires_grad=True, device=device) for _ in range(2))
            # A camera that is turned counter-clockwise sees the object turned clockwise.
            roll = (-self.tilts / math.radians(config.roll_deg)).clone().requires_grad_()
            elevation = ((start - mean) / deviation).clone().requires_grad_()
            self.free = (azimuth, elevation, distance, roll)
        # Where the middle of the box is seen and how large: logarithm of the scale, x and y in parts of the picture.
        self.frame = torch.zeros(3, *shape, device=device)
        self.frame = self._framed().requires_grad_()

    def _pose(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Azimuth, elevation, distance and roll; (B,) each."""
        config = self.config
        if self.known is not None:
            cameras = Cameras.batch(self.known * self.starts, self.given.device)
            return cameras.azimuth, cameras.elevation, cameras.distance, cameras.roll
        azimuth, elevation, distance, roll = (values.flatten() for values in self.free)
        return (
            self.given.flatten() + azimuth * math.radians(config.azimuth_deg),
            (elevation * config.elevation_deg[1] + config.elevation_deg[0]) * (math.pi / 180),
            config.distance[0] * torch.exp(distance * config.distance[1]),
            roll * math.radians(config.roll_deg),
        )

    def _cameras(self) -> Cameras:
        azimuth, elevation, distance, roll = self._pose()
        return camera_of_frame(azimuth, elevation, distance, roll, self.frame.flatten(1).t())

    @torch.no_grad()
    def _framed(self) -> Tensor:
        """The frame (3, C, N) in which the mean shape's box on the screen is that of the mask."""
        vertices = self.decoder.vertices(self._whole_code()).repeat_interleave(self.views, dim=0)
        frame = frame_in_boxes(project(self._cameras(), vertices, 1, 1), self.boxes)
        return frame.t().reshape(3, -1, self.views)

    def _whole_code(self) -> Tensor:
        top = [] if self.decoder.space.fold is None else [self.top[:, None]]
        missing = self.decoder.size - self.code.shape[1] - len(top)
        return torch.cat([self.code, self.code.new_zeros(len(self.code), missing), *top], dim=1)

    def _screen(self, size: int) -> Tensor:
        vertices = self.decoder.vertices(self._whole_code()).repeat_interleave(self.views, dim=0)
        return project(self._cameras(), vertices, size, size)

    def _wanted(self, size: int) -> Tensor:
        """(B, size, size): the masks at that size."""
        return torch.nn.functional.interpolate(self.masks[:, None], (size, size), mode="area")[:, 0]

    def step(self, size: int, sharpness: float) -> None:
        """One step of all starts."""
        self.optimizer.zero_grad()
        self._losses(size, sharpness).sum().backward()
        self.optimizer.step()

    def _losses(self, size: int, sharpness: float) -> Tensor:
        """(C,)."""
        config = self.config
        screen = self._screen(size)
        with torch.no_grad():
            fragments = rasterize(screen, self.triangles, size, size)
        apart = silhouette_loss(screen, self.triangles, fragments, self._wanted(size), sharpness)
        losses: Tensor = apart.view(-1, self.views).mean(dim=1)
        squares = self.code.square().sum(dim=1) + self._open_cost * (self.top > 0)
        if self.free:
            azimuth, elevation, distance, roll = self.free
            mean, deviation = config.elevation_deg
            buried = (config.lowest_elevation_deg - mean - elevation * deviation).clamp(min=0)
            of_cameras = azimuth**2 + elevation**2 + distance**2 + 2 * torch.log1p(roll**2 / 2) + buried**2
            squares = squares + of_cameras.sum(dim=1)
        losses = losses + config.likelihood_weight * squares
        return losses

    @torch.no_grad()
    def best(self) -> list[FittedParts]:
        """The best start of every object."""
        size, _, sharpness = self.config.stages[-1]
        losses = self._losses(size, sharpness).view(self.objects, self.starts)
        chosen = (losses.argmin(dim=1) + torch.arange(self.objects, device=losses.device) * self.starts).tolist()
        covered = rasterize(self._screen(size), self.triangles, size, size).face_index >= 0
        wanted = self._wanted(size) > 0.5
        overlap = (covered & wanted).sum(dim=(1, 2)) / (covered | wanted).sum(dim=(1, 2)).clamp(min=1)
        ious, codes, cameras = overlap.tolist(), self._whole_code().cpu().numpy(), self._cameras().unbatch()
        found = []
        for start, loss in zip(chosen, losses.amin(dim=1).tolist(), strict=True):
            mine = slice(start * self.views, (start + 1) * self.views)
            found.append(FittedParts(codes[start], cameras[mine], ious[mine], loss))
        return found


def camera_of_frame(azimuth: Tensor, elevation: Tensor, distance: Tensor, roll: Tensor, frame: Tensor) -> Cameras:
    """Returns the cameras of poses (B,) and frames (B, 3): the logarithm of the scale, and the shift."""
    scale, x, y = frame.unbind(dim=1)
    # At half-tangent 1/2 an object of length 1 at distance 1 would fill the picture.
    field_of_view = 2 * torch.atan(0.5 / (distance * torch.exp(scale)))
    return Cameras(azimuth, elevation, distance, roll, field_of_view, x, y)


def frame_in_boxes(screen: Tensor, boxes: Tensor) -> Tensor:
    """Returns the frames (B, 3) in which shapes fill boxes.

    screen: (B, V, 2 or 3) vertices in a picture of side 1 as cameras of frame 0 see them; boxes: (B, 4) or (4,) left,
    top, right and bottom in parts of the picture.
    """
    low, high = screen[..., :2].amin(dim=1), screen[..., :2].amax(dim=1)
    wanted, center = boxes[..., 2:] - boxes[..., :2], (boxes[..., 2:] + boxes[..., :2]) / 2
    scale = (wanted / (high - low)).log().mean(dim=1)
    middle = ((low + high) / 2 - 0.5) * scale.exp()[:, None]
    shift = (center - 0.5 - middle) * scale.new_tensor([1.0, -1.0])
    return torch.cat([scale[:, None], shift], dim=1)


def silhouette_loss(
    screen: Tensor, triangles: Tensor, fragments: Fragments, wanted: Tensor, sharpness: float
) -> Tensor:
    """Returns 1 minus the intersection over union (B,) of soft silhouettes and masks ``wanted`` (B or 1, S, S)."""
    length = math.sqrt(4.6 / sharpness)  # where the influence has fallen to a hundredth
    soft = soft_mask(screen, triangles, fragments, SoftMaskConfig(sharpness, length, front_faces_only=True))
    both = (soft * wanted).sum(dim=(1, 2))
    return 1 - both / (soft + wanted - soft * wanted).sum(dim=(1, 2)).clamp(min=1)


def _box(mask: Tensor) -> Tensor:
    """Left, top, right and bottom of a mask (S, S) in parts of its side."""
    size = mask.shape[0]
    rows, columns = (mask.amax(dim=1) > 0.5).nonzero()[:, 0], (mask.amax(dim=0) > 0.5).nonzero()[:, 0]
    if not len(rows):
        raise ValueError("A mask that selects nothing cannot be fitted.")
    return torch.tensor([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / size


def _tilt(mask: Tensor) -> float:
    """How far the longer axis of a mask (S, S) is turned counter-clockwise from the horizontal, -pi/2 to pi/2; 0 for
    one that is hardly longer than wide."""
    rows, columns = (mask > 0.5).nonzero().to(torch.float64).unbind(1)
    x, y = columns - columns.mean(), rows.mean() - rows
    xx, yy, xy = (float((a * b).mean()) for a, b in ((x, x), (y, y), (x, y)))
    spread = math.hypot((xx - yy) / 2, xy)
    if spread < 0.35 * (xx + yy) / 2:
        return 0.0
    return 0.5 * math.atan2(2 * xy, xx - yy)
