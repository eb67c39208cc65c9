# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the inverse-graphics network at toy size: what it reads, what it learns, how it resumes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.data.rendered_views import cameras_of_crops, cut, jittered, load_views
from backend.models.inverse_graphics import apparent_size_of, field_of_view_of
from backend.models.storage import read_tensors
from backend.render.camera import project
from backend.training.inverse_graphics.known_cameras import PRESETS, make_task, train
from backend.training.inverse_graphics.shape_basis import TemplateFitter, principal_shapes, visible_surface
from backend.training.loop import LoopConfig, save_checkpoint
from backend.weights.bundle import load_inverse_graphics
from tests.helpers.synthetic import TEMPLATE, stretched, write_dataset

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")
TINY = replace(PRESETS["tiny"], bfloat16=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("views"))


def with_steps(steps: int, **changes):
    loop = LoopConfig(steps=TINY.loop.steps, log_every=5, evaluate_every=1000, checkpoint_every=5, tensorboard=False)
    return replace(TINY, loop=replace(loop, steps=steps), **changes)


def test_a_crops_camera_sees_the_object_where_the_crop_shows_it(data: Path) -> None:
    views = load_views(data, progress=False)
    crops = jittered(views.crops, torch.Generator().manual_seed(0))
    cameras = cameras_of_crops(views.cameras, crops, 64)
    rgba = torch.from_numpy(views.rgba.reshape(-1, 64, 64, 4))
    shown = cut(rgba, crops, 96)[:, 3] > 0.5
    for index in range(len(crops)):
        vertices = torch.from_numpy(views.mesh(index // views.number_of_views)[0])
        x, y, _ = project(cameras[index : index + 1], vertices, 96, 96)[0].T
        rows, columns = torch.where(shown[index].any(1))[0], torch.where(shown[index].any(0))[0]
        box = [columns[0], columns[-1] + 1, rows[0], rows[-1] + 1]
        expected = [v.clamp(0, 96) for v in (x.min(), x.max(), y.min(), y.max())]
        np.testing.assert_allclose(box, expected, atol=2.5)


def test_apparent_size_and_field_of_view_are_inverse() -> None:
    size, distance = torch.tensor([0.7, 1.1]), torch.tensor([2.0, 5.0])
    assert torch.allclose(apparent_size_of(field_of_view_of(size, distance), distance), size)


def test_the_template_is_laid_over_a_mesh_it_did_not_come_from() -> None:
    true = stretched(TEMPLATE, np.random.default_rng(3))
    points, normals = visible_surface(true, TEMPLATE.triangles)
    fitted = TemplateFitter(TEMPLATE).fit(points, normals)
    distance = np.linalg.norm(points[::7, None] - fitted[None], axis=2).min(axis=1)
    assert distance.mean() < 0.03  # half an edge of this coarse template
    np.testing.assert_allclose(fitted[TEMPLATE.mirror] * [-1, 1, 1], fitted, atol=1e-6)


def test_principal_shapes_rebuild_the_meshes_they_came_from() -> None:
    rng = np.random.default_rng(0)
    meshes = np.stack([stretched(TEMPLATE, rng) for _ in range(12)])
    basis = principal_shapes(meshes, 11)
    codes = basis.codes(meshes)
    rebuilt = basis.mean + np.einsum("ks,svd->kvd", codes, basis.basis)
    np.testing.assert_allclose(rebuilt, meshes, atol=1e-4)
    np.testing.assert_allclose(codes[:, :3].std(axis=0), 1, atol=1e-3)


def test_training_lowers_the_loss_and_leaves_a_network_that_loads(data: Path, tmp_path: Path) -> None:
    train(with_steps(40), data, tmp_path, resume=False, device=CPU)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    losses = [record["total"] for record in log if "total" in record]
    assert losses[-1] < 0.8 * losses[0]
    task = make_task(TINY, data, tmp_path, CPU)
    network = load_inverse_graphics(tmp_path / "inverse_graphics.safetensors", task.template)
    assert not network.training
    prediction = network(torch.zeros(2, 4, 64, 64))
    assert network.texture_decoder(prediction.texture_code).shape == (2, 3, 32, 32)


def test_a_resumed_training_gives_the_same_weights_bit_for_bit(data: Path, tmp_path: Path) -> None:
    train(with_steps(10), data, tmp_path / "whole", resume=False, device=CPU)
    # Stopped after five steps of a schedule of ten, as a kill right after the checkpoint would leave it.
    task = make_task(with_steps(10), data, tmp_path / "parts", CPU)
    for step in range(5):
        task.step(step)
    save_checkpoint(tmp_path / "parts" / "checkpoint.safetensors", task, 5)
    torch.rand(7)  # whatever else draws random numbers in between
    train(with_steps(10), data, tmp_path / "parts", resume=True, device=CPU)
    whole, _ = read_tensors(tmp_path / "whole" / "checkpoint.safetensors")
    parts, _ = read_tensors(tmp_path / "parts" / "checkpoint.safetensors")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_pictures_alone_teach_where_there_are_no_meshes(data: Path, tmp_path: Path) -> None:
    task = make_task(with_steps(10, use_meshes=False), data, tmp_path, CPU)
    assert task.codes is None
    losses = task.step(0)
    assert "shape_code" not in losses and torch.isfinite(losses["total"])
    assert task.network.shape_decoder.basis.grad.abs().sum() > 0


def test_a_run_is_not_overwritten_unasked(data: Path, tmp_path: Path) -> None:
    train(with_steps(1), data, tmp_path, resume=False, device=CPU)
    with pytest.raises(FileExistsError, match="--resume"):
        train(with_steps(1), data, tmp_path, resume=False, device=CPU)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["inverse-graphics", "colour=3"], "There is no setting 'colour'"),
        (["inverse-graphics", "loop.steps=many"], "does not fit loop.steps"),
        (["inverse-graphics", "--preset", "huge"], "no preset 'huge'"),
        (["inverse-graphics"], "No rendered object lies in"),
    ],
)
def test_bad_commands_end_in_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts/train.py"), *arguments, "--data", str(tmp_path / "none")]
    result = subprocess.run([*command, "--out", str(tmp_path / "run")], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert sentence in result.stderr and "Traceback" not in result.stderr
