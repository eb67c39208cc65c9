# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the mapping networks know before they learn: which styles follow the camera, and where styles are on average.

Letters: P pictures, S styles, v those of the view, M different views.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...data.described_pictures import DescribedPictures
from ...models.style_mapping import CAMERA_NUMBERS, StyleMapping, StyleMappingConfig, camera_numbers
from ...models.stylegan2 import Generator

if TYPE_CHECKING:
    from .task import DisentangleTraining

_CHUNK = 256
_SAMPLES = 1024
"""Random samples over which the spread of styles is measured."""


def mapping_config(
    config: DisentangleTraining, generator: Generator, examples: DescribedPictures
) -> StyleMappingConfig:
    """Sizes for a generator and what is known of its pictures.

    Raises ValueError where the camera is to write more styles than the layers that hold the view have.
    """
    view, content = split_styles(generator, _split_of(examples))
    if config.view_styles > len(view):
        raise ValueError(f"The layers that hold the view have {len(view)} styles, fewer than {config.view_styles}.")
    return StyleMappingConfig(
        styles=len(view) + len(content),
        view_styles=config.view_styles,
        content_styles=len(content),
        shape_code=examples.shape_code.shape[1],
        texture_size=config.texture_size,
        background_size=config.background_size,
    )


def split_styles(generator: Generator, split: int) -> tuple[Tensor, Tensor]:
    """Places in the styles (S,) that the first ``split`` codes write, and those that the others write."""
    owner = torch.cat([torch.full((layer.channels,), layer.w_index) for layer in generator.describe_layers()])
    return (owner < split).nonzero()[:, 0], (owner >= split).nonzero()[:, 0]


def _split_of(examples: DescribedPictures) -> int:
    """The number of first codes that the pictures of one object do not share."""
    codes = examples.codes[examples.objects[0]]
    differs = (codes != codes[:1]).flatten(2).any(dim=2).any(dim=0)
    return int(differs.nonzero().max()) + 1 if bool(differs.any()) else 1


@torch.no_grad()
def prepared_mapping(
    config: StyleMappingConfig, examples: DescribedPictures, known: DescribedPictures, generator: Generator
) -> StyleMapping:
    """Mapping networks at random, with the generated pictures' mean styles, their deviations, and those of all cameras.

    Deviations are those of any samples: view codes are averages, which differ less. Cameras may be as far afield as
    those of the pictures ``known`` in the fine-tuning.
    """
    mapping = StyleMapping(config)
    device = generator.const.device
    parts = [generator.flatten(generator.styles(codes.to(device))).cpu() for codes in examples.codes.split(_CHUNK)]
    styles = torch.cat(parts)
    view, content = split_styles(generator, _split_of(examples))
    numbers = camera_numbers(examples.cameras)
    mapping.mean.copy_(styles.mean(dim=0))
    mapping.deviation.copy_(_spread(generator).clamp(min=1e-4))
    mapping.view_index.copy_(view[explained(styles[:, view], numbers).topk(config.view_styles).indices].sort().values)
    mapping.content_index.copy_(content)
    rest = torch.cat([numbers, camera_numbers(known.cameras)])[:, 1:]
    mapping.camera_mean.copy_(rest.mean(dim=0))
    mapping.camera_scale.copy_(rest.std(dim=0).clamp(min=1e-3))
    low, high = camera_numbers(known.cameras)[:, 1:].quantile(torch.tensor([0.005, 0.995]), dim=0)
    # Sizes and places are drawn farther afield in the fine-tuning, directions are not.
    beyond = torch.tensor([0.0, 0.35, 0.1, 0.1])
    assert len(beyond) == CAMERA_NUMBERS - 1
    mapping.camera_low.copy_(low - beyond)
    mapping.camera_high.copy_(high + beyond)
    return mapping


def _spread(generator: Generator) -> Tensor:
    """(S,) standard deviations of the styles of random samples."""
    random = torch.Generator().manual_seed(0)
    z = torch.randn(_SAMPLES, generator.config.z_dim, generator=random)
    styles: Tensor = generator.flatten(generator.styles(generator.map(z.to(generator.const.device))))
    return styles.std(dim=0).cpu()


def explained(styles: Tensor, numbers: Tensor) -> Tensor:
    """(v,) how much of each style (P, v) a camera (P, 5) says: R squared of a linear fit to its sines and elevation."""
    azimuth = numbers[:, 0]
    known = torch.stack(
        [torch.ones_like(azimuth), azimuth.sin(), azimuth.cos(), (2 * azimuth).sin(), (2 * azimuth).cos(),
         numbers[:, 1]], dim=1
    ).double()  # fmt: skip
    values = styles.double() - styles.double().mean(dim=0)
    fit = known @ torch.linalg.lstsq(known, values).solution
    left: Tensor = (values - fit).square().sum(dim=0) / values.square().sum(dim=0).clamp(min=1e-12)
    return 1 - left.float()
