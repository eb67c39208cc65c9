# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generators of shapes that were never trained, small but lively, as runs and bundles."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import torch

from backend.commands import build_bundle
from backend.common.bundle_files import SHAPE_GENERATOR
from backend.models.shape_generator import ShapeGenerator, ShapeGeneratorConfig, save_shape_generator
from backend.models.stylegan2 import GeneratorConfig
from backend.models.surface_maps import SurfaceConfig
from backend.training.gan3d.task import sized

CELLS = 12
RESOLUTION = 32
BALL = SurfaceConfig(cells=CELLS)


def shape_generator(surface: SurfaceConfig = BALL, seed: int = 0) -> ShapeGenerator:
    """A generator whose seeds make shapes, textures and backgrounds that are easily told apart."""
    torch.manual_seed(seed)
    maps = GeneratorConfig(RESOLUTION, 16, 16, 1, channel_base=256, channel_max=16)
    background = GeneratorConfig(2 * RESOLUTION, 8, 8, 1, channel_base=128, channel_max=8)
    config = ShapeGeneratorConfig(maps, background, surface=surface, shape_gain=0.12, shape_start=1.0)
    return ShapeGenerator(config).eval().requires_grad_(False)


def write_shape_run(folder: Path, generator: ShapeGenerator | None = None, **changes) -> Path:
    """A run's folder as ``train.py gan3d`` leaves it, with some of its settings changed."""
    generator = shape_generator() if generator is None else generator
    folder.mkdir(parents=True)
    save_shape_generator(folder / SHAPE_GENERATOR, generator)
    settings = sized(RESOLUTION, 256, 16, 16, 1, CELLS, batch=8)
    settings = replace(settings, generator=generator.config, **changes)
    (folder / "config.json").write_text(json.dumps(asdict(settings), default=str))
    lines = [{"step": 500, "validation/coverage": 0.4}, {"step": 1000, "seconds": 7.0, "validation/coverage": 0.5}]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def write_shape_bundle(folder: Path, run: Path, *further: str) -> Path:
    """A bundle of a run, made by the command."""
    texts = ["--data-note", "made up", "--licence", "CC0-1.0", "--category", "blob", "--real-size", "2"]
    assert build_bundle.main(["--shape-generator", str(run), "--out", str(folder), *texts, *further]) == 0
    return folder
