# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throughput of StyleGAN2: images made, and images trained with, a second; and what a step's time goes to."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from tqdm import tqdm

from backend.data.images import ImageSet
from backend.training.memory import keep_freed_memory
from backend.training.stylegan2 import PRESETS, StyleGAN2Task

PRESETS_BY_DEVICE = {"cpu": ("tiny", "small"), "cuda": ("small", "medium")}


def measure(device: str, threads: int | None, repeat: int, presets: tuple[str, ...] = ()) -> dict[str, float]:
    """Figures of ``presets``, or of those that fit the device; medians of ``repeat`` runs after a first."""
    keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)
    figures: dict[str, float] = {}
    for preset in tqdm(presets or PRESETS_BY_DEVICE[device], desc="stylegan2", unit="preset"):
        figures |= measure_preset(preset, torch.device(device), repeat)
    return figures


def measure_preset(preset: str, device: torch.device, repeat: int) -> dict[str, float]:
    """Images a second by part of a step, and of a whole step with its regularisations in proportion."""
    config = PRESETS[preset]
    side = config.images.resolution
    pictures = np.random.default_rng(0).integers(0, 256, (64, side, side, 3), dtype=np.uint8)
    task = StyleGAN2Task(config, ImageSet(pictures, config.images), device)
    real = task.images.batch(0, config.batch, 0, config.mirror).to(device)
    z = torch.randn(config.batch, config.generator.z_dim, device=device)

    def sample() -> None:
        with torch.no_grad():
            task.average(z, noise="const")

    def seconds(action: Callable[[], object]) -> float:
        return median_seconds(action, repeat, device)

    parts = {
        "generator's step": seconds(task._generator_step),
        "discriminator's step": seconds(lambda: task._discriminator_step(real)),
        "path lengths": seconds(task._path_length_step) / config.path_length_every if config.path_length_weight else 0,
        "R1": seconds(lambda: task._r1_step(real)) / config.r1_every,
    }
    step = sum(parts.values())
    named = {f"{preset}: share of {name} [%]": 100 * value / step for name, value in parts.items()}
    flops = multiplications(task)
    return {
        f"{preset}: made, float32 [images/s]": config.batch / seconds(sample),
        f"{preset}: trained with [images/s]": config.batch / step,
        f"{preset}: arithmetic in convolutions [GFLOP/s]": flops * config.batch / step / 1e9,
        **named,
    }


def multiplications(task: StyleGAN2Task) -> float:
    """Floating-point operations of the convolutions for one image of a step, two a multiplication and addition.

    A step makes two images, one with and one without a backward pass (three times a forward pass's work), and the
    discriminator sees three, one of them without gradients of its weights (twice the work).
    """
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as making:
        images = task.model(torch.zeros(1, task.config.generator.z_dim, device=task.device), noise="const")
    with torch.no_grad(), FlopCounterMode(display=False) as judging:
        task.discriminator(images)
    return (1 + 3) * making.get_total_flops() + (2 + 3 + 3) * judging.get_total_flops()


def median_seconds(action: Callable[[], object], repeat: int, device: torch.device) -> float:
    """Median of ``repeat`` runs, until the device is done."""

    def once() -> float:
        started = time.perf_counter()
        action()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    once()
    return float(np.median([once() for _ in range(repeat)]))
