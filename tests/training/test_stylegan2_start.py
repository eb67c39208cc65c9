# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings of StyleGAN2 that start from weights: of the same sizes, of half the resolution, of a generator alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from backend.data.images import ImageSet, ImageSetConfig, load_images
from backend.models.storage import read_tensors, save_network
from backend.models.stylegan2 import Generator, GeneratorConfig, load_generator
from backend.models.stylegan2_discriminator import DiscriminatorConfig, load_discriminator
from backend.models.stylegan2_layers import Resampler
from backend.training.adaptive_augment import AugmentationConfig
from backend.training.stylegan2 import PRESETS, StyleGAN2Task, StyleGAN2Training, train
from backend.training.stylegan2_evaluation import JudgeConfig
from backend.weights.generator_bundle import GeneratorCard, load_generator_bundle, write_generator_bundle
from tests.helpers.synthetic import write_dataset

CPU = torch.device("cpu")
CHANNELS = (16, 12, 8)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("views"), objects=4, views=4)


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training at 8 px."""
    out = tmp_path_factory.mktemp("run")
    train(miniature(8), data, out, resume=False, device=CPU)
    return out


def miniature(resolution: int, **changes) -> StyleGAN2Training:
    channels = CHANNELS[: resolution.bit_length() - 2]
    config = StyleGAN2Training(
        generator=GeneratorConfig(resolution, 16, 16, 1, channels=channels),
        discriminator=DiscriminatorConfig(resolution, channels=channels), images=ImageSetConfig(resolution),
        batch=8, kimg=0.08, tensorboard=False, half=False, r1_every=4, path_length_every=2,
        augmentation=AugmentationConfig(images_to_full=500), judge=JudgeConfig(samples=0, grid=2),
    )  # fmt: skip
    return replace(config, **changes)


def task_of(config: StyleGAN2Training, data: Path, tmp_path: Path) -> StyleGAN2Task:
    return StyleGAN2Task(config, load_images(data, config.images, tmp_path / "images.npy", progress=False), CPU)


def pictures(generator: Generator, z: Tensor) -> Tensor:
    with torch.no_grad():
        return generator(z, noise="none")


def checkpoint(out: Path) -> dict[str, Tensor]:
    return read_tensors(out / "checkpoint.safetensors")[0]


def test_another_runs_networks_are_a_start(data: Path, run: Path, tmp_path: Path) -> None:
    config = miniature(8, start=str(run), kimg=0.008, learning_rate=0.0)
    train(config, data, tmp_path / "second", resume=False, device=CPU)
    first, second = checkpoint(run), checkpoint(tmp_path / "second")
    same = [name for name in first if name.startswith("network/discriminator")]
    assert same and all(torch.equal(first[name], second[name]) for name in same)


def test_a_run_of_half_the_resolution_gives_its_pictures_and_its_verdicts(
    data: Path, run: Path, tmp_path: Path
) -> None:
    task = task_of(miniature(16), data, tmp_path)
    assert task.start_from(str(run)) == ""
    z = torch.randn(6, 16, generator=torch.Generator().manual_seed(1))
    small = load_generator(run / "generator.safetensors")
    expected = Resampler().upsample(pictures(small, z))
    assert torch.allclose(pictures(task.average, z), expected, atol=1e-5)
    assert torch.equal(task.average.mapping.average, small.mapping.average) and small.mapping.average.any()
    assert torch.equal(task.model.blocks[1].conv0.weight, checkpoint(run)["network/generator/blocks.1.conv0.weight"])
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(2)) * 2 - 1
    judge = load_discriminator(run / "discriminator.safetensors")
    with torch.no_grad():
        assert torch.allclose(task.discriminator(images), judge(Resampler().downsample(images)), rtol=1e-3, atol=1e-4)


def test_all_of_what_is_new_learns(data: Path, run: Path, tmp_path: Path) -> None:
    task = task_of(miniature(16), data, tmp_path)
    task.start_from(str(run))
    before = {name: value.clone() for name, value in task.discriminator.state_dict().items()}
    z = torch.randn(8, 16)
    images = pictures(task.model, z)
    for step in range(3):
        task.step(step)
    after = task.discriminator.state_dict()
    assert all(
        (before[f"blocks.0.{name}.weight"] != after[f"blocks.0.{name}.weight"]).any()
        for name in ("conv0", "conv1", "skip")
    )
    assert not torch.equal(pictures(task.model, z), images)
    assert all(value.grad is not None and value.grad.any() for value in task.model.blocks[2].conv1.parameters())


def test_the_bundled_generators_pictures_are_the_same_at_twice_the_size() -> None:
    small = load_generator_bundle("car").generator
    side, table = 2 * small.config.resolution, small.config.channel_table
    config = StyleGAN2Training(
        generator=replace(small.config, resolution=side, channels=(*table, 32)),
        discriminator=DiscriminatorConfig(side, channels=(16,) * (len(table) + 1)),
        images=ImageSetConfig(side),
        path_length_weight=0.0,
    )
    task = StyleGAN2Task(config, ImageSet(np.zeros((1, side, side, 3), dtype=np.uint8), config.images), CPU)
    said = task.start_from("car")
    assert "holds a generator alone" in said and said.count(".") == 1
    z = torch.randn(4, small.config.z_dim, generator=torch.Generator().manual_seed(0))
    before = pictures(small, z)
    for network in (task.model, task.average):
        wide = pictures(network, z)
        assert wide.shape == (4, 3, side, side)
        # Halving by means softens a little what the upsampling filter has softened already.
        assert (F.avg_pool2d(wide.float(), 2) - before).abs().mean() < 0.03


def test_the_preset_of_128_pixels_fits_what_small_trains() -> None:
    small, wide = PRESETS["small"], PRESETS["small128"]
    assert wide.generator == replace(small.generator, resolution=128, channels=(*small.generator.channels, 32))
    assert wide.discriminator == replace(
        small.discriminator, resolution=128, channels=(*small.discriminator.channels, 32)
    )


@pytest.mark.parametrize("precision", ["half", "int8"])
def test_generators_in_any_precision_are_a_start(data: Path, run: Path, tmp_path: Path, precision: str) -> None:
    small = load_generator(run / "generator.safetensors")
    folder = tmp_path / "bundle"
    write_generator_bundle(folder, small, GeneratorCard(8, (0, 0, 8, 8)), half=True, replace=False)
    save_network(folder / "generator.safetensors", small, small.config, precision=precision)
    task = task_of(miniature(16), data, tmp_path)
    assert "begins fresh and learns beside the generator" in task.start_from(str(folder))
    z = torch.randn(4, 16)
    assert all(value.dtype == torch.float32 for value in task.model.state_dict().values())
    assert torch.allclose(pictures(task.model, z), Resampler().upsample(pictures(small, z)), atol=0.1)


def test_path_lengths_are_drawn_towards_those_of_the_start(data: Path, run: Path, tmp_path: Path) -> None:
    task = task_of(miniature(16), data, tmp_path)
    state = task.generator.get_state()
    task.start_from(str(run))
    begun = float(task.path_length_mean.value)
    assert begun > 0 and torch.equal(task.generator.get_state(), state)
    assert float(task._path_length_step()["path_length"]) / 2 == pytest.approx(begun, rel=0.5)


def test_alone_the_discriminator_learns_and_the_generator_stays_bit_for_bit(
    data: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generator = str(run / "generator.safetensors")
    config = miniature(16, start=generator, discriminator_kimg=0.04)
    assert config.steps_alone == 5
    train(replace(config, kimg=0.04), data, tmp_path / "alone", resume=False, device=CPU)
    assert "the discriminator begins fresh and learns alone for the first 0.04 kimg" in capsys.readouterr().out
    begun = task_of(config, data, tmp_path)
    begun.start_from(generator)
    after = checkpoint(tmp_path / "alone")
    for name, network in begun.networks.items():
        moved = [
            key for key, value in network.state_dict().items() if not torch.equal(value, after[f"network/{name}/{key}"])
        ]
        assert bool(moved) == (name == "discriminator"), (name, moved)
    # Resumed where the generator had not made a step yet, and well after that.
    whole = tmp_path / "whole"
    train(config, data, whole, resume=False, device=CPU)
    train(replace(config, kimg=0.064), data, tmp_path / "alone", resume=True, device=CPU)
    train(config, data, tmp_path / "alone", resume=True, device=CPU)
    first, second = checkpoint(whole), checkpoint(tmp_path / "alone")
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    assert not torch.equal(first["network/average/const"], after["network/average/const"])


def test_starts_that_do_not_fit_are_refused_in_one_sentence(data: Path, run: Path, tmp_path: Path) -> None:
    def refused(start: Path | str, resolution: int = 16, **changes) -> str:
        with pytest.raises(ValueError) as caught:
            task_of(miniature(resolution, **changes), data, tmp_path).start_from(str(start))
        return str(caught.value)

    narrow = GeneratorConfig(16, 16, 16, 1, channels=(16, 10, 8))
    assert "another configuration: blocks.1.conv0.weight is 12x16x3x3 there and 10x16x3x3 here" in refused(
        run, generator=narrow
    )
    assert "another configuration: only one of the two has mapping.layers.1" in refused(
        run, 8, generator=GeneratorConfig(8, 16, 16, 2, channels=CHANNELS[:2])
    )
    judge = DiscriminatorConfig(16, channels=(16, 12, 4))
    assert "6 or more channels first, not 4" in refused(run, discriminator=judge)
    assert "is of 8 px, but 4 px are started from 2 or 4 px" in refused(run, 4)
    assert "is no run with a checkpoint and no generator: There is no bundle" in refused(tmp_path / "nothing")
    shutil.copy(run / "generator.safetensors", tmp_path / "checkpoint.safetensors")
    assert "the run of another task" in refused(tmp_path)
