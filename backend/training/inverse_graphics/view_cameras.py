# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One free camera for each view that all objects share (paper A, section A.2), found together with the network.

A view begins in the middle of its azimuth bin, at elevation 0 and one distance. How large and where in the picture it
shows an object is read off its masks, which needs no annotation: paper A's fixed scale, for pictures of any framing.

What is shared and what is not: a generator's view code fixes direction, distance and, nearly, framing; the same code
with another content moves the object by a pixel or two. So a picture's camera is its view's, and a small shift and
scale of the picture's own, which a prior holds near 0 and within three of its deviations. Whatever all pictures of a
view have in common goes into the view's camera, which no prior holds. The crop around a picture's mask is exact
geometry after that (:func:`cameras_of_crops`).

Letters: M views, P pictures, N batch, V vertices.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ...common.files import write_json
from ...common.json_files import read_object
from ...common.records import Camera
from ...common.view_set import View, azimuth_deg_of
from ...data.multi_views import MultiViews
from ...models.inverse_graphics import CROP_MARGIN, apparent_size_of, field_of_view_of
from ...render.camera import Cameras, project, world_to_camera_rotation

FIELDS = ("azimuth", "elevation", "roll", "log_distance", "log_size", "shift_x", "shift_y")
"""Columns of a view's numbers. The size is that of one length at the object, in picture sides: unlike the field of
view it does not change when the distance, which then bends the perspective alone, does."""
_UNITS = (math.radians(10), math.radians(10), math.radians(0.7), 0.1, 0.05, 0.02, 0.02)
"""Usual movement of each column: in these units one learning rate fits all."""
_TURN, _ZOOM, _SHIFT = math.radians(45), 0.7, 0.4
_LOWEST, _HIGHEST, _ROLL = math.radians(-10), math.radians(75), math.radians(8)
_NEAREST, _FARTHEST = 1.4, 10.0
FRAMING = (0.02, 0.02, 0.03)
"""Standard deviations of a picture's own shift_x, shift_y (picture sides) and log size from its view's."""


@dataclass(frozen=True)
class ViewCamerasConfig:
    """How cameras start and move."""

    fixed: bool = False
    """Whether cameras stay where they start (paper A's ablation); a picture's own framing is still found."""
    guesses: bool = False
    """Whether cameras start at the guesses of azimuth and elevation where the data has them, instead of at the bins."""
    distance: float = 3.0
    """Distance of the cameras at the start, in the longest side of the object."""
    learning_rate: float = 0.03
    """Highest learning rate, in units of 10 degrees of azimuth and elevation a step."""
    wait: int = 0
    """Number of steps before cameras move: against shapes that are nothing yet they would run anywhere."""
    framing: bool = True
    """Whether pictures have a shift and scale of their own."""


class ViewCameras(nn.Module):
    """Cameras of views (M) and framings of pictures (P), as parameters in comparable units."""

    start: Tensor
    units: Tensor
    lowest: Tensor
    highest: Tensor
    framing_units: Tensor

    def __init__(self, start: Cameras, pictures: int) -> None:
        super().__init__()
        size = apparent_size_of(start.field_of_view, start.distance)
        columns = (
            start.azimuth, start.elevation, start.roll, start.distance.log(), size.log(), start.shift_x, start.shift_y
        )  # fmt: skip
        first = torch.stack(columns, dim=1)
        units = torch.tensor(_UNITS)
        low = (-_TURN, _LOWEST, -_ROLL, math.log(_NEAREST), -_ZOOM, -_SHIFT, -_SHIFT)
        high = (_TURN, _HIGHEST, _ROLL, math.log(_FARTHEST), _ZOOM, _SHIFT, _SHIFT)
        # Azimuth and size keep near where they started, the rest within what a camera does at all.
        around = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]) * first
        self.register_buffer("start", first)
        self.register_buffer("units", units)
        self.register_buffer("lowest", torch.minimum((torch.tensor(low) + around - first) / units, torch.tensor(0.0)))
        self.register_buffer("highest", torch.maximum((torch.tensor(high) + around - first) / units, torch.tensor(0.0)))
        self.register_buffer("framing_units", torch.tensor(FRAMING))
        self.moved = nn.Parameter(torch.zeros_like(first))
        self.framing = nn.Parameter(torch.zeros(pictures, 3))

    def of_views(self, views: Tensor | None = None) -> Cameras:
        """The cameras of the numbered views (N,), of all views without: they see whole pictures."""
        values = self.start + self.units * self.moved
        return _cameras(values if views is None else values[views])

    def of_pictures(self, views: Tensor, pictures: Tensor) -> Cameras:
        """The cameras of pictures (N,) that belong to views (N,), with the pictures' own framing."""
        values = (self.start + self.units * self.moved)[views]
        own = self.framing_units * self.framing[pictures]
        return _cameras(torch.cat([values[:, :4], values[:, 4:5] + own[:, 2:], values[:, 5:] + own[:, :2]], dim=1))

    def framing_loss(self, pictures: Tensor) -> Tensor:
        """Mean of the squared framing of pictures (N,), in its deviations."""
        return (self.framing[pictures] ** 2).mean()

    @torch.no_grad()
    def keep_in_range(self) -> None:
        """Brings back what the last step moved too far."""
        self.moved.copy_(torch.minimum(torch.maximum(self.moved, self.lowest), self.highest))
        self.framing.clamp_(-3, 3)

    def at_start(self) -> Cameras:
        """The cameras (M) from which the search began."""
        return _cameras(self.start)


def _cameras(values: Tensor) -> Cameras:
    azimuth, elevation, roll, log_distance, log_size, shift_x, shift_y = values.unbind(dim=1)
    distance = log_distance.exp()
    return Cameras(
        azimuth, elevation, distance, roll, field_of_view_of(log_size.exp(), distance), shift_x, shift_y
    )  # fmt: skip


def start_direction_deg(view: View, guessed: bool) -> tuple[float, float]:
    """Azimuth and elevation from which a view is sought: its bin's middle at 0, or with ``guessed`` the guess.

    Raises ValueError where nothing is known.
    """
    if view.guess_deg is not None and (guessed or view.bin is None):
        return float(view.guess_deg), float(view.elevation_guess_deg or 0.0) if guessed else 0.0
    if view.bin is None:
        raise ValueError(f"View {view.identity} has no azimuth bin; say from which side it is seen, or drop it.")
    return azimuth_deg_of(view.bin), 0.0


@torch.no_grad()
def start_cameras(data: MultiViews, vertices: Tensor, config: ViewCamerasConfig) -> Cameras:
    """(M) cameras of the views before training; ``vertices`` (V, 3) are those of an ordinary object.

    Raises ValueError for a view of which nobody has said where its camera stands.
    """
    count = data.number_of_views
    directions = torch.tensor([start_direction_deg(view, config.guesses) for view in data.views]).deg2rad()
    zero = torch.zeros(count)
    distance = torch.full((count,), config.distance)
    cameras = Cameras(
        azimuth=directions[:, 0],
        elevation=directions[:, 1],
        distance=distance,
        roll=zero,
        field_of_view=field_of_view_of(torch.ones(count), distance),
        shift_x=zero,
        shift_y=zero,
    )
    # In a picture of side 1 around the origin: the box of the object, and the one that most masks of the view have.
    corners = project(cameras, vertices, 1, 1)[..., :2] - 0.5
    low, high = corners.amin(dim=1), corners.amax(dim=1)
    boxes = torch.stack([_usual_box(data, view) for view in range(count)])
    size = boxes[:, 2] / (high - low).amax(dim=1)
    shift = boxes[:, :2] - size[:, None] * (low + high) / 2
    return replace(
        cameras, field_of_view=field_of_view_of(size, distance), shift_x=shift[:, 0], shift_y=-shift[:, 1]
    )  # fmt: skip


def _usual_box(data: MultiViews, view: int) -> Tensor:
    """(3,) medians of the centre (from the picture's) and the longer side of a view's masks, in picture sides."""
    crops = data.crops[data.view_of == view]
    if len(crops) == 0:
        return torch.tensor([0.0, 0.0, 0.75])
    x, y, side = (crops / data.rgba.shape[1]).median(dim=0).values
    return torch.stack([x - 0.5, y - 0.5, side / CROP_MARGIN])


def direction_changes_deg(a: Cameras, b: Cameras) -> Tensor:
    """(M,) angles between the axes along which two sets of cameras look at the origin."""
    first, second = world_to_camera_rotation(a)[:, 2], world_to_camera_rotation(b)[:, 2]
    return torch.atan2(torch.linalg.cross(first, second).norm(dim=1), (first * second).sum(dim=1)).rad2deg()


def common_rotation(found: Cameras, true: Cameras) -> Tensor:
    """(3, 3) the rotation of the world that brings the found cameras nearest to the true ones.

    Objects and cameras can turn together without any picture changing, so that no data says what it is.
    """
    moment = world_to_camera_rotation(true).transpose(1, 2) @ world_to_camera_rotation(found)
    left, _, right = torch.linalg.svd(moment.sum(dim=0))
    proper = torch.ones(3, device=left.device)
    proper[2] = torch.sign(torch.linalg.det(left @ right))
    return left @ torch.diag(proper) @ right


def rotation_errors_deg(found: Cameras, true: Cameras, common: bool = True) -> Tensor:
    """(M,) angles between the cameras' orientations; the ``common`` rotation of all is taken out first."""
    turned = world_to_camera_rotation(found)
    if common:
        turned = turned @ common_rotation(found, true).T
    difference = turned @ world_to_camera_rotation(true).transpose(1, 2)
    # From sine and cosine: the cosine alone is blind to small angles in single precision.
    axis = torch.stack([
        difference[:, 2, 1] - difference[:, 1, 2],
        difference[:, 0, 2] - difference[:, 2, 0],
        difference[:, 1, 0] - difference[:, 0, 1],
    ], dim=1)  # fmt: skip
    trace = difference.diagonal(dim1=1, dim2=2).sum(dim=1)
    return torch.atan2(axis.norm(dim=1), trace - 1).rad2deg()


def save_cameras(path: Path, cameras: ViewCameras, views: list[View]) -> None:
    """Writes where every view's camera began and where it is now, in degrees and lengths of the object."""
    start, end = cameras.at_start(), cameras.of_views().detach()
    change = direction_changes_deg(start, end)
    records = [
        {"id": view.identity, "bin": view.bin, "start": _in_degrees(first), "end": _in_degrees(last),
         "change_deg": round(float(turned), 4)}
        for view, first, last, turned in zip(views, start.unbatch(), end.unbatch(), change, strict=True)
    ]  # fmt: skip
    whole = {"format": 1, "mean_change_deg": round(float(change.mean()), 4), "views": records}
    write_json(path, whole)


def read_cameras(path: Path) -> dict[int, Camera]:
    """The cameras found, by the id of their view. Raises ValueError in one sentence for a file that is no such."""
    try:
        records = read_object(path)["views"]
        cameras = {int(record["id"]): _in_radians(record["end"]) for record in records}
        if not all(math.isfinite(value) for camera in cameras.values() for value in asdict(camera).values()):
            raise ValueError("a camera has numbers that are not finite")
        return cameras
    except (OSError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"{path} does not hold the cameras of a training run: {error}") from error


_ANGLES = ("azimuth", "elevation", "roll", "field_of_view")


def _in_degrees(camera: Camera) -> dict[str, float]:
    values = asdict(camera)
    angles = {f"{name}_deg": math.degrees(values.pop(name)) for name in _ANGLES}
    # Azimuths as people count them, whatever turns the optimiser made of them.
    angles["azimuth_deg"] %= 360
    return {name: round(value, 5) for name, value in (angles | values).items()}


def _in_radians(record: dict[str, float]) -> Camera:
    angles = {name: math.radians(record[f"{name}_deg"]) for name in _ANGLES}
    return Camera(**angles, **{name: float(record[name]) for name in ("distance", "shift_x", "shift_y")})
