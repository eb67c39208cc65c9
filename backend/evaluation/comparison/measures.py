# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured of a network on each picture that it is given, before any refinement.

Letters: P pictures, N batch, V vertices, F triangles, S side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ...common.measures import OTHER_VIEW, OWN_CAMERA, VIEW_CAMERA
from ...models.inverse_graphics import InverseGraphics
from ...render.camera import Cameras
from ...render.mesh_losses import silhouette_iou
from ...render.picture import HARD, Picture, render
from ...render.shading import Texture
from ...render.template import Template
from .. import metrics, voxels
from ..silhouettes import SIZE, Silhouettes, boxed
from .data import Mesh, Pictures

CHUNK = 16
POINTS = 4000
"""Samples of each surface."""
THRESHOLD = 0.05
"""Of the F-score, in the longest side of the object."""

Record = dict[str, float | str | None]
"""Of a picture: its file, and each measure by its name; None where there is nothing to measure."""


@dataclass
class Answer:
    """What a network says of N crops."""

    vertices: Tensor
    """(N, V, 3)."""
    texture: Tensor
    """(N, 3, T, T)."""
    light: Tensor
    """(N, 9, 3)."""
    cameras: Cameras
    """(N) of the crops."""


@dataclass
class ComparedNetwork:
    """A network under the name that it has in the table."""

    label: str
    source: str
    """The bundle or the run that it was read from."""
    network: InverseGraphics
    template: Template

    def __post_init__(self) -> None:
        self.device = next((p.device for p in self.network.parameters()), torch.device("cpu"))
        self.silhouettes = Silhouettes(self.template, self.device)

    @property
    def image_size(self) -> int:
        return self.network.config.image_size

    @torch.no_grad()
    def answer(self, crops: Tensor) -> Answer:
        """crops: (N, 4, S, S) of the network's own image size."""
        prediction = self.network(crops.to(self.device))
        return Answer(
            self.network.shape_decoder(prediction.shape_code),
            self.network.texture_decoder(prediction.texture_code),
            prediction.light,
            prediction.cameras(),
        )

    @torch.no_grad()
    def show(self, answer: Answer, cameras: Cameras, size: int) -> Picture:
        """The objects in the light that the network says, (N) at size x size pixels."""
        material = Texture(self.silhouettes.uv, answer.texture)
        return render(
            answer.vertices, self.silhouettes.triangles, material, answer.light, cameras, size, size, HARD
        )  # fmt: skip


@torch.no_grad()
def measure(network: ComparedNetwork, pictures: Pictures) -> list[Record]:
    """(P) records; :data:`.table.MEASURES` says what each entry is."""
    records: list[Record] = []
    true: _TrueShape | None = None
    with tqdm(total=len(pictures), desc=f"{network.label} on {pictures.label}", unit="picture") as bar:
        for numbers in torch.arange(len(pictures)).split(CHUNK):
            answer = network.answer(pictures.cut(numbers, network.image_size))
            found = _seen(network, pictures, numbers, answer) | _through_views(network, pictures, numbers, answer)
            for place, number in enumerate(numbers.tolist()):
                record: Record = {"picture": pictures.files[number]}
                record |= {name: _number(values[place]) for name, values in found.items()}
                of_object = int(pictures.object_of[number])
                if pictures.meshes and (true is None or true.number != of_object):
                    true = _TrueShape.of(of_object, pictures.meshes[of_object])
                if true is not None and true.known:
                    vertices = answer.vertices[place].double().cpu().numpy()
                    record |= shape_errors(vertices, network.template.triangles, true)
                records.append(record)
            bar.update(len(numbers))
    return records


def _seen(network: ComparedNetwork, pictures: Pictures, numbers: Tensor, answer: Answer) -> dict[str, Tensor]:
    """(N,) of what is compared with the picture itself, in the camera that the network predicts."""
    target = pictures.cut(numbers, SIZE).to(network.device)
    mask = (target[:, 3] > 0.5).float()
    picture = network.show(answer, answer.cameras, SIZE)
    return {
        OWN_CAMERA: silhouette_iou(picture.mask, mask),
        "colour_error": colour_error(picture.rgb, picture.mask * mask, target),
    }


def colour_error(rgb: Tensor, both: Tensor, target: Tensor) -> Tensor:
    """(N,) mean absolute difference of colours (N, 3, S, S) in sRGB where ``both`` masks (N, S, S) are 1.

    target: (N, 4, S, S), its colour multiplied by its mask. NaN where there is no such place.
    """
    colour = target[:, :3] / target[:, 3:].clamp(min=1e-3)
    return ((rgb - colour).abs().mean(dim=1) * both).sum(dim=(1, 2)) / both.sum(dim=(1, 2))


def _through_views(network: ComparedNetwork, pictures: Pictures, numbers: Tensor, answer: Answer) -> dict[str, Tensor]:
    """(N,) of what needs the views' cameras; nothing where they are not known."""
    if pictures.cameras is None:
        return {}
    views = pictures.cameras[numbers].to(network.device)
    azimuth = _angle_deg(answer.cameras.azimuth - views.azimuth)
    return {
        VIEW_CAMERA: _through(network, pictures, numbers, answer.vertices),
        OTHER_VIEW: _other_views(network, pictures, numbers, answer.vertices),
        "azimuth_error_deg": azimuth,
        "flips": (azimuth > 90).float(),
        "elevation_error_deg": _angle_deg(answer.cameras.elevation - views.elevation),
    }


def _through(network: ComparedNetwork, pictures: Pictures, numbers: Tensor, vertices: Tensor) -> Tensor:
    """(N,) IoU of shapes (N, V, 3), seen by the cameras of these pictures, with the pictures' masks."""
    assert pictures.cameras is not None
    views = boxed(pictures.cameras[numbers].to(network.device), vertices)
    mask = (pictures.cut(numbers, SIZE)[:, 3] > 0.5).float().to(network.device)
    return silhouette_iou(network.silhouettes(vertices, views), mask)


def _other_views(network: ComparedNetwork, pictures: Pictures, numbers: Tensor, vertices: Tensor) -> Tensor:
    """(N,) mean IoU in the object's pictures from a right angle away or more; NaN where there is none."""
    others = [pictures.apart(number) for number in numbers.tolist()]
    counts = torch.tensor([len(some) for some in others])
    rows = torch.repeat_interleave(torch.arange(len(numbers)), counts)
    sums = torch.zeros(len(numbers))
    for row, other in zip(rows.split(CHUNK), torch.cat(others).split(CHUNK), strict=True):
        if len(row):
            sums.index_add_(0, row, _through(network, pictures, other, vertices[row.to(network.device)]).cpu())
    return sums / counts


def _angle_deg(difference: Tensor) -> Tensor:
    """Degrees from 0 to 180 of differences in radians."""
    return torch.atan2(difference.sin(), difference.cos()).abs().rad2deg()


def _number(value: Tensor) -> float | None:
    return None if bool(value.isnan()) else round(float(value), 6)


@dataclass
class _TrueShape:
    """An object's mesh as it is compared: as it stands, and in its box."""

    number: int
    known: bool
    points: tuple[np.ndarray, ...] = ()
    solids: tuple[np.ndarray, ...] = ()

    @staticmethod
    def of(number: int, mesh: Callable[[], Mesh] | None) -> _TrueShape:
        if mesh is None:
            return _TrueShape(number, False)
        vertices, triangles = mesh()
        return _TrueShape(number, True, *_forms(vertices.astype(np.float64), triangles))


def shape_errors(vertices: np.ndarray, triangles: np.ndarray, true: _TrueShape) -> Record:
    """Chamfer distance, F-score and 3D IoU of a mesh, as it stands and ``boxed``; None where it has no area."""
    names = [f"{name}{form}" for form in ("", "_boxed") for name in ("chamfer", "f_score", "solid_iou")]
    try:
        points, solids = _forms(vertices, triangles)
    except ValueError:
        return dict.fromkeys(names)
    values: list[float] = []
    for found, filled, true_points, true_solid in zip(points, solids, true.points, true.solids, strict=True):
        surface = metrics.surface_distance(found, true_points, THRESHOLD)
        values += [surface.chamfer, surface.f_score, voxels.solid_iou(filled, true_solid)]
    return {name: round(value, 6) for name, value in zip(names, values, strict=True)}


def _forms(vertices: np.ndarray, triangles: np.ndarray) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Samples of the surface and the solid, of the mesh as it stands and boxed."""
    both = (vertices, voxels.boxed(vertices))
    # Single precision halves the time that distances take, and rounds them by less than 0.001.
    points = tuple(metrics.sample_surface(form, triangles, POINTS).astype(np.float32) for form in both)
    return points, tuple(voxels.solid(form, triangles) for form in both)
