# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small generator of random weights whose pictures differ visibly, to project into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from backend.models.stylegan2 import Generator, GeneratorConfig

CONTENT = (4, 0, 24, 32)
"""Top, left, height, width of the pictures within 32 x 32 pixels."""
WIDTHS = GeneratorConfig(32, z_dim=24, w_dim=24, mapping_layers=3, channels=(24, 24, 16, 12))


@dataclass
class Loaded:
    """What a projection needs of a loaded generator."""

    generator: Generator
    content: tuple[int, int, int, int] = CONTENT


def loaded_generator() -> Loaded:
    """The same one at every call."""
    torch.manual_seed(0)
    generator = Generator(WIDTHS)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.1)
            if name.endswith("to_image.weight"):
                parameter.mul_(0.35)
    return Loaded(generator.eval().requires_grad_(False))


def codes(loaded: Loaded, samples: int, seed: int = 5) -> Tensor:
    """Random w (N, D)."""
    return loaded.generator.mapping(torch.randn(samples, 24, generator=torch.Generator().manual_seed(seed)))


def picture(loaded: Loaded, w: Tensor) -> np.ndarray:
    """(24, 32, 3) in [0, 1], of w (1, D) or (1, L, D) and the generator's own noise."""
    top, left, height, width = loaded.content
    image = loaded.generator.synthesize(loaded.generator.styles(w), "const")
    inner = image[0, :, top : top + height, left : left + width] * 0.5 + 0.5
    return inner.clamp(0, 1).permute(1, 2, 0).numpy().copy()
