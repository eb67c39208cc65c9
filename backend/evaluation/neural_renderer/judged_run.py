# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training's folder with all that measures it: the judge, the generator that it began with, pictures to ask for.

Letters: N pictures, R picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...common.bundle_files import NEURAL_RENDERER, STYLE_MAPPING
from ...data.described_pictures import DescribedPictures, load_rendered
from ...errors import BundleError
from ...models.picture_reader import PictureReader, crops_of, cut_out
from ...models.segmenter import load_segmenter
from ...models.style_mapping import load_style_mapping
from ...models.stylegan2 import Generator, load_generator
from ...render.template import Template
from ...weights.bundle import load_bundle
from ...weights.neural_renderer import NeuralRenderer
from ...weights.run_folder import Run, load_generator_or_run, load_network
from .cameras import Eye

MASKS, WARMED_UP = "masks.safetensors", "style_mapping_warm_up.safetensors"
"""Files of such a run: the segmenter of the generator's pictures, and the mapping networks after the warm-up."""


@dataclass(frozen=True)
class JudgedRun:
    """A run of ``train.py disentangle``, on the CPU."""

    base: Generator
    """The generator before any fine-tuning."""
    warmed_up: NeuralRenderer | None
    """That generator with the mapping networks of the warm-up; None where the run went on from another without one."""
    tuned: NeuralRenderer
    reader: PictureReader
    template: Template
    known: DescribedPictures
    """What is asked for: pictures that no training saw."""


def load_judged_run(folder: Path, data: Path) -> JudgedRun:
    """Reads all of it. Raises BundleError, ValueError or FileNotFoundError with one sentence."""
    config = Run.read(folder).config
    if "inverse_graphics" not in config:
        raise BundleError(f"{folder} is no run of train.py disentangle: its settings name no judge.")
    base = load_generator_or_run(config["generator"]).generator
    network, template = load_network(config["inverse_graphics"])
    tuned, warmed_up = load_style_mapping(folder / STYLE_MAPPING), None
    if (folder / WARMED_UP).is_file():
        warmed_up = NeuralRenderer(load_style_mapping(folder / WARMED_UP), base)
    reader = PictureReader(network, load_segmenter(folder / MASKS))
    known = load_rendered(data, tuned.config.shape_code, tuned.config)
    renderer = NeuralRenderer(tuned, load_generator(folder / NEURAL_RENDERER))
    return JudgedRun(base, warmed_up, renderer, reader, template, known)


def second_eye(bundle: str) -> Eye | None:
    """The azimuths that a bundle's network for objects with parts sees; None where it has none. Raises BundleError."""
    loaded = load_bundle(bundle)
    if loaded.parts is None:
        return None
    network = loaded.parts.network

    @torch.no_grad()
    def look(pictures: Tensor, masks: Tensor) -> Tensor:
        crops = cut_out(pictures, masks, crops_of(masks), network.config.image_size)
        return network(crops).azimuths(1)[0][:, 0]

    return look
