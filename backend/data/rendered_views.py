# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered multi-view pictures, as ``scripts/render_dataset.py`` writes them, packed in memory and cut into crops.

Letters: K objects, M views of each, R picture side, N batch, S crop side.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..common import array_files
from ..common.json_files import read_object
from ..common.records import Camera
from ..models.crop import crop_around
from ..progress_bar import tracked
from ..render.camera import Cameras, focal_length_in_pixels
from .object_files import read_mesh, read_picture, read_record

UNKNOWN_REGION = 255
"""Number in the part maps where the material of a model tells no region."""


@dataclass
class RenderedViews:
    """All views of all objects."""

    rgba: np.ndarray
    """(K, M, R, R, 4) uint8; colour of the whole picture, alpha the object's mask."""
    cameras: Cameras
    """Every field (K * M,); view m of object k stands at k * M + m."""
    light: Tensor
    """(K * M, 9, 3)."""
    crops: Tensor
    """(K * M, 3): centre x, centre y and side of the crop around the mask, in pixels."""
    folders: list[Path]
    """(K,) where each object lies; ``mesh.npz`` and ``truth.npz`` beside the pictures where there are."""
    regions: tuple[str, ...] = ()
    """Names of the regions in the order of the part maps, whose numbers start at 1; empty without truth."""

    @property
    def number_of_objects(self) -> int:
        return self.rgba.shape[0]

    @property
    def number_of_views(self) -> int:
        return self.rgba.shape[1]

    def mesh(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """True vertices (V, 3) and triangles (F, 3) of an object, in the canonical frame."""
        return read_mesh(self.folders[index])

    def truth(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """What the views of an object show: canonical coordinates (M, R, R, 3) float32, NaN in the background, and
        regions (M, R, R) uint8: 0 background, position in ``regions`` plus one, ``UNKNOWN_REGION``.

        Raises FileNotFoundError where the dataset was rendered without.
        """
        file = self.folders[index] / "truth.npz"
        if not file.is_file():
            raise FileNotFoundError(f"{file} is missing; render the dataset with scripts/render_dataset.py --truth.")
        data = array_files.read(file, ("coordinates", "regions"))
        # Rows are stored as differences modulo 65536 of 1 + 4095 (c + 0.5); scripts/dataset/truth_file.py says why.
        planes, regions = np.cumsum(data["coordinates"], axis=-1, dtype=np.uint16), data["regions"]
        coordinates = (np.moveaxis(planes, 1, -1).astype(np.float32) - 1) / 4095 - 0.5
        coordinates[regions == 0] = np.nan
        return coordinates, regions


def load_views(folder: Path, limit: int | None = None, progress: bool = True) -> RenderedViews:
    """Reads the finished objects of a rendered dataset. Raises FileNotFoundError where there is none."""
    done = sorted(path.parent for path in Path(folder).glob("objects/*/object.json"))[:limit]
    if not done:
        raise FileNotFoundError(f"No rendered object lies in {folder}; make some with scripts/render_dataset.py.")
    rgba, cameras, light = [], [], []
    for path in tracked(done, "Reading views", unit="object", shown=progress, stay=False):
        record = read_record(path)
        try:
            rgba.append(np.stack([read_picture(path / view["file"], "RGBA") for view in record["views"]]))
            for view in record["views"]:
                cameras.append(Camera(**{f.name: float(view["camera"][f.name]) for f in fields(Camera)}))
                light.append(_light(view["light"]))
            if rgba[-1].shape != rgba[0].shape:
                raise ValueError(
                    f"its views are {rgba[-1].shape[:3]} and those of the first object {rgba[0].shape[:3]}"
                )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"The object in {path} is damaged: {error}; render it again.") from error
    packed = np.stack(rgba)
    masks = packed[..., 3].reshape(-1, *packed.shape[2:4])
    crops = crops_around(masks)
    lights = torch.tensor(light, dtype=torch.float32)
    return RenderedViews(packed, Cameras.batch(cameras), lights, crops, done, _regions(Path(folder)))


def _light(values: Any) -> list[list[float]]:
    """Coefficients of a light as ``object.json`` has them. Raises ValueError or TypeError."""
    numbers = np.asarray(values, np.float64)
    if numbers.shape != (9, 3) or not np.isfinite(numbers).all():
        raise ValueError("a light is not nine rows of three numbers")
    coefficients: list[list[float]] = numbers.tolist()
    return coefficients


def _regions(folder: Path) -> tuple[str, ...]:
    """The names of the regions that a dataset's description gives, if any."""
    index = folder / "dataset.json"
    return tuple(map(str, read_object(index).get("regions", ()))) if index.is_file() else ()


def crops_around(masks: np.ndarray) -> Tensor:
    """Centre x, centre y and side (N, 3) of the crops of masks (N, H, W) uint8, in pixels."""
    return torch.tensor([crop_around(mask) for mask in masks], dtype=torch.float32)


def jittered(crops: Tensor, generator: torch.Generator, scale: float = 0.09, shift: float = 0.05) -> Tensor:
    """Crops (N, 3) moved and scaled at random, as an imperfect mask would."""
    noise = torch.rand(len(crops), 3, generator=generator) * 2 - 1
    side = crops[:, 2] * (1 + 0.02 + scale * noise[:, 2])
    return torch.stack([crops[:, 0] + shift * noise[:, 0] * side, crops[:, 1] + shift * noise[:, 1] * side, side], 1)


def cut(rgba: Tensor, crops: Tensor, size: int) -> Tensor:
    """Crops (N, 4, S, S) in [0, 1] of pictures (N, R, R, 4) uint8, colour multiplied by the mask."""
    resolution = rgba.shape[1]
    pictures = rgba.permute(0, 3, 1, 2).float() / 255
    pictures = torch.cat([pictures[:, :3] * pictures[:, 3:], pictures[:, 3:]], dim=1)
    scale = crops[:, 2] / resolution
    offset = 2 * crops[:, :2] / resolution - 1
    theta = torch.zeros(len(crops), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    theta[:, :, 2] = offset
    grid = F.affine_grid(theta, [len(crops), 4, size, size], align_corners=False)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def cameras_of_crops(cameras: Cameras, crops: Tensor, resolution: int) -> Cameras:
    """The cameras (N) that see each crop as its whole picture; pictures are ``resolution`` square."""
    focal = focal_length_in_pixels(cameras, resolution)
    centre_x = resolution * (0.5 + cameras.shift_x)
    centre_y = resolution * (0.5 - cameras.shift_y)
    x, y, side = crops.unbind(dim=1)
    return Cameras(
        azimuth=cameras.azimuth,
        elevation=cameras.elevation,
        distance=cameras.distance,
        roll=cameras.roll,
        field_of_view=2 * torch.atan(0.5 * side / focal),
        shift_x=(centre_x - x) / side,
        shift_y=(y - centre_y) / side,
    )
