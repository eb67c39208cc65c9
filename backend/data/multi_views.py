# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of many objects in a few views that all objects share: made by a generator from view codes, or rendered.

Such data does not say where a view's camera stands, only roughly on which side of the object (its azimuth's bin).
Rendered data (``scripts/render_dataset.py --shared-cameras``) does know, and keeps the truth apart to judge by.

Letters: K objects, M views, P pictures at hand (filters leave gaps: P <= K * M), R picture side, N batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ..common import view_set
from ..common.json_files import read_object
from ..common.records import Camera
from ..common.view_set import View, bin_of
from ..progress_bar import tracked
from ..render.camera import Cameras
from .object_files import read_picture, read_record
from .rendered_views import crops_around, cut, load_views

GAN_VIEWS = "gan-views"
SHARED_VIEWS = "shared-views"
KINDS = (GAN_VIEWS, SHARED_VIEWS)
"""Of ``dataset.json`` where views are shared and their cameras not given."""


@dataclass
class MultiViews:
    """All pictures in memory."""

    rgba: np.ndarray
    """(P, R, R, 4) uint8; colour of the whole picture, alpha the object's mask."""
    crops: Tensor
    """(P, 3): centre x, centre y and side of the crop around the mask, in pixels."""
    view_of: Tensor
    """(P,) int64 position in ``views`` of each picture."""
    objects: list[Tensor]
    """(K) int64 numbers of each object's pictures, one a view, in the order of the views."""
    views: list[View]
    """(M) those in use."""
    folders: list[Path]
    """(K) where each object lies."""
    true_cameras: Cameras | None = None
    """(M) in rendered data."""

    @property
    def number_of_objects(self) -> int:
        return len(self.objects)

    @property
    def number_of_views(self) -> int:
        return len(self.views)

    def cut(self, pictures: Tensor, crops: Tensor, size: int) -> Tensor:
        """(N, 4, size, size) in [0, 1], colour multiplied by the mask: crops (N, 3) of the numbered pictures (N,)."""
        return cut(torch.from_numpy(self.rgba[pictures.numpy()]), crops, size)


def kind_of(folder: Path) -> str:
    """``kind`` of a dataset's ``dataset.json``; empty where there is none."""
    try:
        return str(read_object(Path(folder) / "dataset.json").get("kind", ""))
    except (OSError, ValueError):
        return ""


def load_multi_views(folder: Path, limit: int | None = None, progress: bool = True) -> MultiViews:
    """Reads a dataset of shared views, ``limit`` objects at most.

    Raises FileNotFoundError where there is none, ValueError in one sentence where it is damaged.
    """
    folder, kind = Path(folder), kind_of(folder)
    readers: dict[str, Callable[[Path, int | None, bool], MultiViews]] = {
        GAN_VIEWS: _load_gan_views,
        SHARED_VIEWS: _load_shared_views,
    }
    if kind not in readers:
        raise FileNotFoundError(
            f"No dataset of shared views lies in {folder}: its dataset.json should say of which kind it is."
        )
    try:
        return readers[kind](folder, limit, progress)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"The dataset in {folder} is damaged: {error!r}.") from error


def joined(parts: Sequence[MultiViews]) -> MultiViews:
    """Several datasets as one: their views beside one another, numbered on after the first's, their objects mixed.

    Objects are mixed evenly, so that those at the end, by which training is judged, are of all datasets. Pictures are
    brought to the smallest side among them. True cameras are kept where all parts have them.
    """
    side = min(part.rgba.shape[1] for part in parts)
    # The place of every object, as a share of its dataset.
    order = sorted(
        ((number + 0.5) / part.number_of_objects, place, number)
        for place, part in enumerate(parts)
        for number in range(part.number_of_objects)
    )
    views: list[View] = []
    first_view: list[int] = []
    for part in parts:
        first_view.append(len(views))
        after = 1 + max((view.identity for view in views), default=-1)
        views += [replace(view, identity=after + view.identity) for view in part.views]
    rgba: list[np.ndarray] = []
    crops, view_of, objects = [], [], []
    count = 0
    for _, place, number in order:
        part = parts[place]
        pictures = part.objects[number]
        rgba += [resized(picture, side) for picture in part.rgba[pictures.numpy()]]
        crops.append(part.crops[pictures] * (side / part.rgba.shape[1]))
        view_of.append(part.view_of[pictures] + first_view[place])
        objects.append(torch.arange(count, count + len(pictures)))
        count += len(pictures)
    known = [part.true_cameras for part in parts if part.true_cameras is not None]
    return MultiViews(
        np.stack(rgba),
        torch.cat(crops),
        torch.cat(view_of),
        objects,
        views,
        [parts[place].folders[number] for _, place, number in order],
        Cameras.concatenate(known) if len(known) == len(parts) else None,
    )


def resized(rgba: np.ndarray, side: int) -> np.ndarray:
    """(side, side, 4) uint8 of a picture (R, R, 4) that is not smaller."""
    return cv2.resize(rgba, (side, side), interpolation=cv2.INTER_AREA) if rgba.shape[0] != side else rgba


def _load_gan_views(folder: Path, limit: int | None, progress: bool) -> MultiViews:
    """Pictures that a generator made and a segmenter masked; some are missing."""
    views = [view for view in view_set.read(folder).views if not view.dropped]
    position = {view.identity: place for place, view in enumerate(views)}
    done = sorted(path.parent for path in folder.glob("objects/*/object.json"))[:limit]
    rgba: list[np.ndarray] = []
    view_of: list[int] = []
    objects: list[Tensor] = []
    folders: list[Path] = []
    for path in tracked(done, "Reading views", unit="object", shown=progress, stay=False):
        record = read_record(path)
        # A view that was dropped after its pictures were made is left out with them.
        shown = sorted((position[v["view"]], v["file"]) for v in record["views"] if v["view"] in position)
        if not shown:
            continue
        objects.append(torch.arange(len(rgba), len(rgba) + len(shown)))
        folders.append(path)
        rgba += [_square(path / file) for _, file in shown]
        view_of += [place for place, _ in shown]
    if not objects:
        raise FileNotFoundError(f"No object with a view that is in use lies in {folder}.")
    if len({picture.shape for picture in rgba}) > 1:
        raise ValueError(f"The pictures in {folder} are not all of one size.")
    packed = np.stack(rgba)
    return MultiViews(packed, crops_around(packed[..., 3]), torch.tensor(view_of), objects, views, folders)


def _square(path: Path) -> np.ndarray:
    """(R, R, 4) uint8 of a picture, in the middle of a square that is empty around it."""
    picture = read_picture(path, "RGBA")
    height, width = picture.shape[:2]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    around = ((top, side - height - top), (left, side - width - left), (0, 0))
    return np.pad(picture, around) if height != width else picture


def _load_shared_views(folder: Path, limit: int | None, progress: bool) -> MultiViews:
    """Rendered pictures whose cameras are shared by all objects: their bins are given, their cameras kept apart."""
    rendered = load_views(folder, limit, progress)
    count, views = rendered.number_of_objects, rendered.number_of_views
    for field in fields(Camera):
        values = getattr(rendered.cameras, field.name).view(count, views)
        if not torch.allclose(values, values[:1].expand_as(values), atol=1e-6):
            raise ValueError(f"The objects in {folder} do not share their cameras: {field.name} differs.")
    true = rendered.cameras[torch.arange(views)]
    return MultiViews(
        rgba=rendered.rgba.reshape(count * views, *rendered.rgba.shape[2:]),
        crops=rendered.crops,
        view_of=torch.arange(views).repeat(count),
        objects=list(torch.arange(count * views).view(count, views)),
        views=[View(number, bin_of(float(azimuth.rad2deg()))) for number, azimuth in enumerate(true.azimuth)],
        folders=rendered.folders,
        true_cameras=true,
    )
