# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small generators, codes and slow filters that the tests of StyleGAN2's networks share."""

from __future__ import annotations

import torch
from torch import Tensor

from backend.models.stylegan2 import Generator, GeneratorConfig

TINY = GeneratorConfig(resolution=16, z_dim=6, w_dim=5, mapping_layers=2, channels=(6, 5, 4))
FILTER = torch.outer(torch.tensor([1.0, 3.0, 3.0, 1.0]), torch.tensor([1.0, 3.0, 3.0, 1.0])).double() / 64


def tiny_generator(config: GeneratorConfig = TINY, seed: int = 0) -> Generator:
    """A generator whose every parameter has a part in the image (noise and biases start at 0)."""
    torch.manual_seed(seed)
    generator = Generator(config)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith(("bias", "noise_strength")):
                parameter.add_(torch.randn_like(parameter) * 0.3)
        generator.mapping.average.normal_()
    return generator


def tiny_codes(generator: Generator, samples: int = 3) -> Tensor:
    """(N, L, D), with different codes for the layers."""
    seeded = torch.Generator().manual_seed(1)
    shape = samples, generator.codes, generator.config.w_dim
    return torch.randn(shape, generator=seeded, dtype=generator.const.dtype)


def correlated(picture: Tensor, kernel: Tensor) -> Tensor:
    """(H, W) with a kernel, "valid" places only, one by one."""
    height, width = picture.shape[0] - kernel.shape[0] + 1, picture.shape[1] - kernel.shape[1] + 1
    result = torch.zeros(height, width, dtype=picture.dtype)
    for row in range(height):
        for column in range(width):
            window = picture[row : row + kernel.shape[0], column : column + kernel.shape[1]]
            result[row, column] = (window * kernel).sum()
    return result
