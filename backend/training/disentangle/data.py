# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training of StyleGAN-R learns from: generated pictures, rendered ones, or both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...common.truth_codes import FILE_NAME as TRUTH_CODES
from ...data.described_pictures import DescribedPictures, load_rendered
from ...models.inverse_graphics import InverseGraphics
from ...models.style_mapping import StyleMappingConfig
from ...models.stylegan2 import Generator
from ..inverse_graphics.view_cameras import read_cameras
from .generated import load_generated

if TYPE_CHECKING:
    from .task import DisentangleTraining

CAMERAS = "cameras.json"


def load_examples(
    config: DisentangleTraining, data: Path, generator: Generator, network: InverseGraphics
) -> tuple[DescribedPictures, DescribedPictures | None]:
    """Reads generated pictures for the warm-up, and rendered ones for the fine-tuning where the settings name some.

    ``data`` may be rendered cars with their codes itself, where a training goes on and nothing is to be warmed up.
    Raises FileNotFoundError or ValueError with one sentence.
    """
    sizes = StyleMappingConfig(texture_size=config.texture_size, background_size=config.background_size)
    numbers = network.config.shape_code
    if (data / TRUTH_CODES).is_file():
        if config.warm_up or not config.start:
            raise ValueError(
                f"{data} has renders, which no codes of the generator made: they are enough for a training that goes "
                "on (start=BUNDLE warm_up=0), else they are given by rendered=, beside data of make_gan_views.py."
            )
        generated = load_rendered(data, numbers, sizes)
    else:
        found = Path(config.inverse_graphics) / CAMERAS
        cameras = read_cameras(found) if found.is_file() else None
        generated = load_generated(data, generator, network, cameras, sizes)
    rendered = load_rendered(Path(config.rendered), numbers, sizes) if config.rendered else None
    for examples, folder in ((generated, data), (rendered, config.rendered)):
        if examples is not None and examples.pictures.shape[2] != generator.config.resolution:
            raise ValueError(f"The pictures in {folder} have another size than those of the generator.")
    return generated, rendered


def parted(examples: DescribedPictures, share: float) -> tuple[Tensor, Tensor]:
    """Numbers of the pictures of objects to learn from and of those held out, the last ones. Raises ValueError."""
    count = len(examples.objects)
    training = count - max(1, round(count * share))
    if training < 2:
        raise ValueError("Two objects are too few: what is mixed has to come from two, and a third judges.")
    return torch.cat(examples.objects[:training]), torch.cat(examples.objects[training:])
