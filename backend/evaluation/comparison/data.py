# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What networks are compared on, in one form: a generator's views, rendered views with their truth, photographs.

Letters: K objects, P pictures, N batch, S crop side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from ...common.pictures import is_picture
from ...common.records import Camera
from ...data.multi_views import GAN_VIEWS, kind_of, load_multi_views
from ...data.rendered_views import cameras_of_crops, cut, load_views
from ...errors import PhotoError
from ...models.crop import crop_around, extract
from ...models.segmenter import Segmenter
from ...pipeline.cut_out import cut_out
from ...pipeline.photo import Photo, load_photo
from ...pipeline.reconstruct import ReconstructConfig
from ...render.camera import Cameras

RENDERED_VIEWS = "rendered-views"
PHOTOGRAPHS = "photographs"
KINDS = (GAN_VIEWS, RENDERED_VIEWS, PHOTOGRAPHS)
VIEWS = 6
"""Pictures of an object that are looked at, spread over the azimuth."""

Mesh = tuple[np.ndarray, np.ndarray]
"""Vertices (V, 3) in the canonical frame and triangles (F, 3)."""


@dataclass
class Pictures:
    """Pictures that networks are given, and what is known of them."""

    label: str
    kind: str
    folder: Path
    files: list[str]
    """(P,) relative to the folder."""
    object_of: Tensor
    """(P,) int64, rising: pictures of one object follow one another."""
    cut: Callable[[Tensor, int], Tensor]
    """Numbers (N,) and S to unspoiled crops (N, 4, S, S) in [0, 1], the colour multiplied by the mask."""
    cameras: Cameras | None = None
    """(P) of the crops: a view's found by training, or the true one; None where nobody knows."""
    meshes: list[Callable[[], Mesh] | None] = field(default_factory=list)
    """(K,) the true ones; empty where none is known."""
    failed: dict[str, str] = field(default_factory=dict)
    """Files that could not be used, and why."""

    def __len__(self) -> int:
        return len(self.files)

    @property
    def number_of_objects(self) -> int:
        return len(self.object_of.unique())

    def apart(self, number: int) -> Tensor:
        """Numbers of the same object's pictures whose view is a right angle of azimuth or more from this one's."""
        if self.cameras is None:
            return torch.zeros(0, dtype=torch.int64)
        turned = (self.cameras.azimuth - self.cameras.azimuth[number]).cos() < 1e-6
        return (turned & (self.object_of == self.object_of[number])).nonzero()[:, 0]


def kind_of_data(folder: Path) -> str:
    """One of :data:`KINDS`. Raises FileNotFoundError in one sentence where a folder holds nothing to be compared on."""
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    if kind_of(folder) == GAN_VIEWS:
        return GAN_VIEWS
    if next(folder.glob("objects/*/object.json"), None) is not None:
        return RENDERED_VIEWS
    if photographs_in(folder):
        return PHOTOGRAPHS
    raise FileNotFoundError(f"Neither views of objects nor photographs lie in {folder}.")


def photographs_in(folder: Path) -> list[Path]:
    """Pictures that lie in a folder itself, in one order on every machine."""
    return sorted(path for path in folder.iterdir() if is_picture(path))


def spread(places: Sequence[float], count: int = VIEWS) -> list[int]:
    """Which of the pictures at these azimuths are looked at: up to ``count``, evenly among them in their order."""
    order = sorted(range(len(places)), key=lambda number: places[number])
    count = min(count, len(order))
    return [order[math.floor(step * len(order) / count)] for step in range(count)]


def read_gan_views(
    label: str, folder: Path, cameras: Mapping[int, Camera] | None, limit: int | None, views: int = VIEWS
) -> Pictures:
    """Views that a generator made; ``cameras`` are those of its views, by their number.

    Raises FileNotFoundError or ValueError in one sentence where data or a view's camera are missing.
    """
    data = load_multi_views(folder, limit)
    identities = [view.identity for view in data.views]
    of_views = None
    if cameras is not None:
        missing = [str(identity) for identity in identities if identity not in cameras]
        if missing:
            raise ValueError(f"The cameras given are of other views than {folder} has: {', '.join(missing)} lack one.")
        of_views = Cameras.batch([cameras[identity] for identity in identities])
        azimuths = torch.remainder(of_views.azimuth, 2 * math.pi).tolist()
    else:
        azimuths = [float(view.likely_bin or 0) for view in data.views]
    seen_from = [azimuths[int(view)] for view in data.view_of]
    chosen = _chosen(data.objects, seen_from, views)
    side = data.rgba.shape[1]
    whole = None if of_views is None else of_views[data.view_of[chosen]]
    numbers = data.view_of[chosen].tolist()
    object_of = _object_of(data.objects)[chosen]
    return Pictures(
        label=label,
        kind=GAN_VIEWS,
        folder=folder,
        files=[
            f"objects/{data.folders[int(k)].name} view {identities[v]}" for k, v in zip(object_of, numbers, strict=True)
        ],
        object_of=object_of,
        cut=lambda some, size: data.cut(chosen[some], data.crops[chosen[some]], size),
        cameras=None if whole is None else cameras_of_crops(whole, data.crops[chosen], side),
    )


def read_rendered_views(label: str, folder: Path, limit: int | None, views: int = VIEWS) -> Pictures:
    """Rendered views with their cameras and meshes. Raises FileNotFoundError or ValueError in one sentence."""
    try:
        data = load_views(folder, limit)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"The rendered views in {folder} are damaged: {error!r}.") from error
    count = data.number_of_views
    rgba = data.rgba.reshape(-1, *data.rgba.shape[2:])
    objects = list(torch.arange(len(rgba)).view(-1, count))
    chosen = _chosen(objects, torch.remainder(data.cameras.azimuth, 2 * math.pi).tolist(), views)
    crops = data.crops[chosen]

    def mesh_of(number: int) -> Callable[[], Mesh] | None:
        return (lambda: data.mesh(number)) if (data.folders[number] / "mesh.npz").is_file() else None

    return Pictures(
        label=label,
        kind=RENDERED_VIEWS,
        folder=folder,
        files=[f"objects/{data.folders[int(p) // count].name} view {int(p) % count}" for p in chosen],
        object_of=torch.div(chosen, count, rounding_mode="floor"),
        cut=lambda some, size: cut(torch.from_numpy(rgba[chosen[some].numpy()]), crops[some], size),
        cameras=cameras_of_crops(data.cameras[chosen], crops, rgba.shape[1]),
        meshes=[mesh_of(number) for number in range(data.number_of_objects)],
    )


def read_photographs(
    label: str, folder: Path, segmenter: Segmenter, device: torch.device, sizes: Iterable[int], limit: int | None
) -> Pictures:
    """Photographs, cut out as the product does; crops can be had at ``sizes`` alone.

    One that cannot be used is noted in ``failed``. Raises FileNotFoundError where none can.
    """
    kept: dict[int, list[Tensor]] = {size: [] for size in sizes}
    files: list[str] = []
    failed: dict[str, str] = {}
    for path in tqdm(photographs_in(folder)[:limit], desc=f"Cutting out {label}", unit="photo"):
        try:
            photo = load_photo(path)
            mask = cut_out(photo, segmenter, device).mask
        except PhotoError as error:
            failed[path.name] = str(error)
            continue
        for size, crops in kept.items():
            crops.append(_crop_of(photo, mask, size))
        files.append(path.name)
    if not files:
        reason = next(iter(failed.values()), "there is none.")
        raise FileNotFoundError(f"No photograph in {folder} can be used: {reason}")
    together = {size: torch.stack(crops) for size, crops in kept.items()}
    return Pictures(
        label, PHOTOGRAPHS, folder, files, torch.arange(len(files)), lambda some, size: together[size][some],
        failed=failed,
    )  # fmt: skip


def _crop_of(photo: Photo, mask: np.ndarray, side: int) -> Tensor:
    """(4, side, side) as the pipeline shows it to its network."""
    size = max(side, ReconstructConfig().refine.fine_size)
    rgba = torch.as_tensor(extract(photo.rgb, mask, crop_around(mask), size)).permute(2, 0, 1)
    return rgba if size == side else F.interpolate(rgba[None], (side, side), mode="area")[0]


def _chosen(objects: list[Tensor], azimuths: Sequence[float], views: int) -> Tensor:
    """(P,) numbers of the pictures that are looked at, object by object."""
    places = [[azimuths[int(picture)] for picture in pictures] for pictures in objects]
    return torch.cat([pictures[spread(place, views)] for pictures, place in zip(objects, places, strict=True)])


def _object_of(objects: list[Tensor]) -> Tensor:
    """(all pictures,) int64; pictures are numbered object by object."""
    return torch.cat([torch.full_like(pictures, number) for number, pictures in enumerate(objects)])
