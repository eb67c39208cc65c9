# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paper B's training at toy size (`train.py gan3d`): what it leaves, how it survives a kill, how processes share it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from backend.data.images import ImageSetConfig, load_images
from backend.data.solids import SolidsConfig, write_solids
from backend.evaluation.distributions import frechet_distance
from backend.models.shape_generator import ShapeGeneratorConfig, load_shape_generator
from backend.training.adaptive_augment import AugmentationConfig
from backend.training.gan3d.task import GENERATOR, GAN3DTask, GAN3DTraining, sized, train
from backend.training.stylegan2_evaluation import JudgeConfig
from tests.helpers.training_runs import kill_and_resume, train_alone_and_together

CPU = torch.device("cpu")
# So small that a step takes milliseconds; augmentation is quick to act, so that its state matters.
SETTINGS = [
    "discriminator.resolution=16", "images.resolution=16", "discriminator.channel_max=16",
    "discriminator.channel_base=128", "generator.maps.resolution=16", "generator.maps.channel_max=16",
    "generator.maps.channel_base=128", "generator.maps.mapping_layers=1", "generator.background.resolution=16",
    "generator.background.channel_max=8", "generator.background.mapping_layers=1", "generator.surface.cells=8",
    "batch=8", "augmentation.images_to_full=500", "augmentation.target=0.05", "judge.samples=0",
    "sheet_rows=2", "half=false", "r1_every=4",
    "evaluate_kimg=100", "viewpoints.roll_deg=5", "viewpoints.zoom=1.1",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("solids")
    write_solids(folder, SolidsConfig(pictures=48, resolution=16), progress=False)
    return folder


def miniature(**changes) -> GAN3DTraining:
    config = sized(
        16, 128, 16, 16, 1, 8, batch=8, kimg=0.024, tensorboard=False, half=False,
        augmentation=AugmentationConfig(images_to_full=500), judge=JudgeConfig(samples=0), sheet_rows=2,
    )  # fmt: skip
    return replace(config, **changes)


def task_of(config: GAN3DTraining, data: Path, tmp_path: Path) -> GAN3DTask:
    return GAN3DTask(config, load_images(data, config.images, tmp_path / "images.npy", progress=False), CPU)


def test_a_training_killed_and_resumed_gives_the_weights_of_one_that_was_not(data: Path, tmp_path: Path) -> None:
    settings = [*SETTINGS, "kimg=0.24", "log_kimg=0.08", "checkpoint_kimg=0.04"]
    kept = kill_and_resume("gan3d", data, tmp_path, settings, steps=30)
    assert float(kept["kept/augmentation"][0]) > 0


def test_two_processes_compute_what_one_does_with_the_whole_batch(data: Path, tmp_path: Path) -> None:
    settings = [*SETTINGS, "kimg=0.16", "log_kimg=0.008"]
    log = train_alone_and_together("gan3d", data, tmp_path, settings, {"generator", "discriminator", "r1"})
    assert max(record.get("augmentation", 0) for record in log) > 0.01


def test_a_run_leaves_a_generator_that_loads_and_sheets_as_in_the_paper(data: Path, tmp_path: Path) -> None:
    figures = train(miniature(judge=JudgeConfig(samples=20)), data, tmp_path, resume=False, device=CPU)
    assert 0 < figures["coverage"] < 1 and figures["encoder_frechet"] > 0
    generator = load_shape_generator(tmp_path / GENERATOR)
    scene = generator(torch.randn(2, generator.z_dim))
    assert scene.texture.shape == (2, 3, 16, 16) and scene.background.shape == (2, 3, 32, 32)
    # A random render, normals, texture, background and five views; three views of the interpolation.
    for name, columns in (("samples", 9), ("interpolation", 3)):
        (sheet,) = tmp_path.glob(f"{name}_*.png")
        assert Image.open(sheet).size == (columns * 18 - 2, 2 * 18 - 2)
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["viewpoints"]["azimuth_deg"] == 90.0


def test_pictures_come_near_to_the_photographs_in_fifty_steps(data: Path, tmp_path: Path) -> None:
    """On 4 x 4 pixels: colours of objects and backgrounds, and where the objects are."""
    config = miniature(learning_rate=0.005, r1_weight=0.05, average_kimg=0.05, judge=JudgeConfig(samples=96))
    task = task_of(config, data, tmp_path)

    def distance() -> float:
        made = torch.cat(list(task._judged_pictures([])))
        real = task.images.batch(0, len(task.images), 0, mirror=True)
        return frechet_distance(*(F.avg_pool2d(each, 4).flatten(1) for each in (real, made)))

    before = distance()
    for step in range(50):
        task.step(step)
    assert distance() < 0.1 * before


def test_both_networks_learn_and_the_viewpoint_is_drawn_anew_for_each_picture(data: Path, tmp_path: Path) -> None:
    task = task_of(miniature(), data, tmp_path)
    before = {name: value.clone() for name, value in task.model.named_parameters()}
    task.step(0)
    still = [name for name, value in task.model.named_parameters() if torch.equal(value, before[name])]
    assert still == []
    state = task.generator.get_state()
    drawn = task.config.viewpoints.draw(8, task.generator)
    task.generator.set_state(state)
    assert len(torch.unique(drawn[:, 0])) == 8


def test_a_background_from_the_objects_code_follows_it_and_one_of_its_own_does_not(data: Path, tmp_path: Path) -> None:
    for own in (True, False):
        config = miniature()
        background = replace(config.generator.background, z_dim=16)
        config = replace(config, generator=replace(config.generator, own_background=own, background=background))
        model = task_of(config, data, tmp_path).model
        z = torch.randn(1, model.z_dim)
        changed = z.clone()
        changed[:, :16] = torch.randn(1, 16)
        assert torch.equal(model(z).background, model(changed).background) == own
        assert not torch.equal(model(z).vertices, model(changed).vertices)


def test_sizes_that_do_not_go_together_are_refused_in_one_sentence(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one resolution"):
        train(miniature(images=ImageSetConfig(32)), data, tmp_path, resume=False, device=CPU)
    with pytest.raises(ValueError, match="same length"):
        ShapeGeneratorConfig(maps=miniature().generator.maps, own_background=False)
