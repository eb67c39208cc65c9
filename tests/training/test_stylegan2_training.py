# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of StyleGAN2 at toy size: what it learns, how it survives a kill, how processes share it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from backend.data.images import ImageSetConfig, load_images
from backend.models.stylegan2 import Generator, load_generator
from backend.training.adaptive_augment import AugmentationConfig
from backend.training.stylegan2 import PRESETS, StyleGAN2Task, StyleGAN2Training, sized, train
from backend.training.stylegan2_evaluation import GeneratorJudge, JudgeConfig
from tests.helpers.synthetic import write_dataset
from tests.helpers.training_runs import kill_and_resume, train_alone_and_together

CPU = torch.device("cpu")
# So small that a step takes milliseconds; augmentation is quick to act, so that its state matters.
SETTINGS = [
    "generator.resolution=16", "discriminator.resolution=16", "images.resolution=16",
    "generator.channel_max=16", "discriminator.channel_max=16",
    "generator.channel_base=128", "discriminator.channel_base=128", "generator.mapping_layers=1", "batch=8",
    "augmentation.images_to_full=500", "judge.samples=0", "judge.grid=2", "half=false", "path_length_every=2",
    "r1_every=4", "evaluate_kimg=100",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("views"), objects=40, views=4)


def miniature(**changes) -> StyleGAN2Training:
    config = sized(
        16, 128, 16, 16, 1, batch=8, kimg=0.08, tensorboard=False, half=False,
        augmentation=AugmentationConfig(images_to_full=500), judge=JudgeConfig(samples=0, grid=2),
    )  # fmt: skip
    return replace(config, **changes)


def task_of(config: StyleGAN2Training, data: Path, tmp_path: Path) -> StyleGAN2Task:
    return StyleGAN2Task(config, load_images(data, config.images, tmp_path / "images.npy", progress=False), CPU)


def test_tiny_learns_from_rendered_views_and_leaves_networks_that_load(data: Path, tmp_path: Path) -> None:
    config = replace(PRESETS["tiny"], kimg=2.0, evaluate_kimg=2.0, images=ImageSetConfig(32))
    config = replace(config, judge=replace(config.judge, samples=160))
    images = load_images(data, replace(config.images, alpha="ignore"), tmp_path / "images.npy", progress=False)
    torch.manual_seed(config.seed)
    before = GeneratorJudge(config.judge, images, CPU, config.seed).figures(Generator(config.generator))
    after = train(config, data, tmp_path / "run", resume=False, device=CPU)
    assert after["encoder_frechet"] < 0.1 * before["encoder_frechet"]
    assert after["encoder_kernel"] < 0.1 * before["encoder_kernel"]
    generator = load_generator(tmp_path / "run" / "generator.safetensors")
    assert generator(torch.zeros(1, 64)).shape == (1, 3, 32, 32)
    side = 6 * 32 + 5 * 2
    (grid,) = (tmp_path / "run").glob("samples_*.png")
    assert Image.open(grid).size == (side, side)


def test_a_training_killed_and_resumed_gives_the_weights_of_one_that_was_not(data: Path, tmp_path: Path) -> None:
    settings = [*SETTINGS, "kimg=0.8", "log_kimg=0.08", "checkpoint_kimg=0.2"]
    kept = kill_and_resume("stylegan2", data, tmp_path, settings, steps=100)
    assert float(kept["kept/augmentation"][0]) > 0


def test_two_processes_compute_what_one_does_with_the_whole_batch(data: Path, tmp_path: Path) -> None:
    settings = [*SETTINGS, "kimg=0.16", "log_kimg=0.008"]
    losses = {"generator", "discriminator", "r1", "path_length"}
    log = train_alone_and_together("stylegan2", data, tmp_path, settings, losses)
    assert max(record.get("augmentation", 0) for record in log) > 0.01


def test_bars_teach_nothing(data: Path, tmp_path: Path) -> None:
    wide = miniature(images=ImageSetConfig(16, aspect=2.0))
    task = task_of(wide, data, tmp_path)
    images = torch.randn(2, 3, 16, 16).requires_grad_()
    framed = task._framed(images)
    assert (framed[:, :, :4] == -1).all() and torch.equal(framed[:, :, 4:12], images[:, :, 4:12])
    framed.square().sum().backward()
    assert (images.grad[:, :, :4] == 0).all() and (images.grad[:, :, 12:] == 0).all()
    assert (images.grad[:, :, 4:12] != 0).all()


def test_codes_are_mixed_from_two_drawn_ones_at_one_layer(data: Path, tmp_path: Path) -> None:
    for probability, expected in ((0.0, {1}), (1.0, {2})):
        task = task_of(miniature(mixing_probability=probability), data, tmp_path)
        codes = task._codes(16, group=1)
        assert {len(torch.unique(sample, dim=0)) for sample in codes} == expected
        changes = (codes[:, 1:] != codes[:, :-1]).any(dim=2).sum(dim=1)
        assert set(changes.tolist()) == {len(expected - {1})}


def test_the_average_follows_the_weights_at_its_half_life(data: Path, tmp_path: Path) -> None:
    config = miniature(average_kimg=0.008, average_ramp=100.0)  # the half-life is one batch
    task = task_of(config, data, tmp_path)
    before = task.average.const.clone()
    task.step(0)
    assert torch.allclose(task.average.const, (before + task.model.const) / 2, atol=1e-7)


def test_tensorboard_is_given_losses_figures_and_sample_grids(data: Path, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(miniature(tensorboard=True, log_kimg=0.016), data, tmp_path, resume=False, device=CPU)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {"generator", "discriminator", "r1", "augmentation", "validation/kimg"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("generator")] == [2, 4, 6, 8, 10]
    (grid,) = events.Images("samples")
    assert (grid.step, grid.width, grid.height) == (10, 34, 34)


def test_sizes_that_do_not_go_together_are_refused_in_one_sentence(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one resolution"):
        train(miniature(images=ImageSetConfig(32)), data, tmp_path, resume=False, device=CPU)
