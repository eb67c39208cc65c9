# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN-R in a folder: the mapping networks and the generator that was fine-tuned with them, of a bundle or a run.

Letters: N pictures, R picture, K shape code, T, B sides of texture and background.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..common.bundle_files import NEURAL_RENDERER, STYLE_MAPPING
from ..errors import BundleError
from ..models.style_mapping import StyleMapping, load_style_mapping, reduced
from ..models.stylegan2 import Generator, load_generator
from ..render.camera import Cameras


@dataclass(frozen=True)
class NeuralRenderer:
    """StyleGAN-R, ready to use on a device."""

    mapping: StyleMapping
    generator: Generator

    @property
    def resolution(self) -> int:
        """R."""
        return self.generator.config.resolution

    def __call__(self, cameras: Cameras, shape_code: Tensor, texture: Tensor, background: Tensor) -> Tensor:
        """Pictures (N, 3, R, R) in about [0, 1] as cameras (N) of square pictures see them.

        shape_code (N, at least K): the first K numbers count; texture (N, 3, t, t) and background (N, 4, b, b), of any
        sides, in [0, 1], the latter's colours 0 where its fourth channel is.
        """
        sizes = self.mapping.config
        texture, background = reduced(texture, sizes.texture_size), reduced(background, sizes.background_size)
        styles = self.mapping(cameras, shape_code[:, : sizes.shape_code], texture, background)
        return self.generator.synthesize(self.generator.unflatten(styles)) * 0.5 + 0.5


def load_neural_renderer(folder: Path, device: torch.device | str = "cpu") -> NeuralRenderer:
    """StyleGAN-R of a bundle's or a run's folder. Raises BundleError with one sentence where there is none."""
    files = [Path(folder) / name for name in (STYLE_MAPPING, NEURAL_RENDERER)]
    if not all(file.is_file() for file in files):
        raise BundleError(
            f"The weights in {folder} have no neural renderer: train one with scripts/train.py disentangle, or choose "
            "other weights."
        )
    try:
        renderer = NeuralRenderer(load_style_mapping(files[0], device), load_generator(files[1], device))
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError(f"The neural renderer in {folder} cannot be used: {error}") from error
    styles = sum(layer.channels for layer in renderer.generator.describe_layers())
    if styles != renderer.mapping.config.styles:
        raise BundleError(
            f"The neural renderer in {folder} cannot be used: its mapping networks give "
            f"{renderer.mapping.config.styles} styles, and its generator has {styles}."
        )
    return renderer


def kept_neural_renderer(folder: Path, device: torch.device) -> NeuralRenderer:
    """The same, from memory where its files have not changed since: a slider asks for it with every move."""
    changed = tuple(
        (folder / name).stat().st_mtime_ns if (folder / name).is_file() else 0
        for name in (STYLE_MAPPING, NEURAL_RENDERER)
    )
    return _kept(folder, device, changed)


@functools.lru_cache(maxsize=2)
def _kept(folder: Path, device: torch.device, _changed: tuple[int, ...]) -> NeuralRenderer:
    return load_neural_renderer(folder, device)
