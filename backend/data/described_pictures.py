# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of which camera, shape, texture and background are known: what StyleGAN-R learns from and is judged by.

Letters: P pictures, K objects, L codes of an image, D length of a code, R picture, N numbers of a shape code, T side of
the texture, B of the background.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..common.truth_codes import read_truth_codes
from ..models.style_mapping import StyleMappingConfig, reduced, without_object
from ..render.camera import Cameras
from .rendered_views import load_views


@dataclass
class DescribedPictures:
    """P pictures with all that is known of them."""

    pictures: Tensor
    """(P, 3, R, R) uint8."""
    masks: Tensor
    """(P, R, R) uint8."""
    codes: Tensor
    """(P, L, D) w+ of generated pictures; empty for rendered ones."""
    cameras: Cameras
    """(P) cameras of the whole pictures."""
    shape_code: Tensor
    """(P, N)."""
    texture: Tensor
    """(P, 3, T, T) uint8."""
    background: Tensor
    """(P, 4, B, B) uint8: the picture without its object."""
    objects: list[Tensor]
    """(K) numbers of each object's pictures."""
    object_of: Tensor
    """(P,) object that a picture shows."""

    def __len__(self) -> int:
        return len(self.pictures)


def load_rendered(data: Path, numbers: int, sizes: StyleMappingConfig, progress: bool = True) -> DescribedPictures:
    """Reads rendered cars of which ``scripts/encode_cars.py`` wrote the codes, of which the first ``numbers`` count.

    Raises FileNotFoundError or ValueError with one sentence where data or codes are missing or damaged.
    """
    views = load_views(data, progress=progress)
    true = read_truth_codes(data, [folder.name for folder in views.folders])
    count, each = views.number_of_objects, views.number_of_views
    rgba = torch.from_numpy(views.rgba.reshape(count * each, *views.rgba.shape[2:])).permute(0, 3, 1, 2)
    textures = torch.from_numpy(true.textures).permute(0, 3, 1, 2)
    background = [
        to_bytes(without_object(some[:, :3].float() / 255, some[:, 3].float() / 255, sizes.background_size))
        for some in rgba.split(256)
    ]
    object_of = torch.arange(count).repeat_interleave(each)
    return DescribedPictures(
        pictures=rgba[:, :3].contiguous(),
        masks=rgba[:, 3].contiguous(),
        codes=torch.zeros(0),
        cameras=views.cameras,
        shape_code=torch.from_numpy(true.codes[:, :numbers])[object_of],
        texture=to_bytes(reduced(textures.float() / 255, sizes.texture_size))[object_of],
        background=torch.cat(background),
        objects=list(torch.arange(count * each).view(count, each)),
        object_of=object_of,
    )


def to_bytes(values: Tensor) -> Tensor:
    """Values in about [0, 1] as uint8 on the CPU."""
    return (values.clamp(0, 1) * 255).round().to(torch.uint8).cpu()
