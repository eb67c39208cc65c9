# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Training on shared views at toy size: cameras find their places, and every option does what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.data.multi_views import load_multi_views
from backend.errors import UnrenderError
from backend.models.storage import read_tensors
from backend.render.mesh_losses import silhouette_iou
from backend.render.picture import HARD, render
from backend.render.shading import Texture
from backend.training.averages import SETTLING_CROPS
from backend.training.inverse_graphics.evaluation import camera_figures
from backend.training.inverse_graphics.free_cameras import PRESETS, MultiViewTask, MultiViewTraining, make_task, train
from backend.training.inverse_graphics.view_cameras import ViewCameras, ViewCamerasConfig, read_cameras
from backend.training.loop import save_checkpoint
from backend.weights.bundle import load_inverse_graphics
from tests.helpers.shared_views import shaped, textured, write_gan_views, write_knowing_network, write_shared_views
from tests.helpers.synthetic import TEMPLATE

CPU = torch.device("cpu")
TINY = replace(PRESETS["tiny"], bfloat16=False, batch=4, render_batch=4, render_size=24)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write_gan_views(folder)
    return folder


def settings(steps: int, **changes) -> MultiViewTraining:
    loop = replace(TINY.loop, steps=steps, log_every=2, evaluate_every=1000, checkpoint_every=3)
    return replace(TINY, loop=loop, **{"cameras": ViewCamerasConfig(), **changes})


def same(a: torch.nn.Module, b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, b[name]) for name, value in a.state_dict().items())


def copied(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_cameras_fifteen_degrees_off_end_closer_to_the_truth(tmp_path: Path) -> None:
    """Bins, elevation 0 and one distance; the network knows objects of this kind, and goes on learning."""
    write_shared_views(tmp_path / "data", objects=6, views=6, variety=0.2, size=40)
    rng = np.random.default_rng(9)
    write_knowing_network(tmp_path / "start", shaped(rng, 0.0), textured(rng), TINY.network)
    config = settings(30, start=str(tmp_path / "start"), batch=6, render_batch=6, render_size=32)
    task = make_task(replace(config, cameras=ViewCamerasConfig(learning_rate=0.2)), tmp_path / "data", CPU)
    true = task.data.true_cameras
    before = camera_figures(task.cameras, true)
    network = copied(task.network)
    for step in range(30):
        task.step(step)
    after = camera_figures(task.cameras, true)
    print(before, after)
    assert before["camera_error_deg_now"] > 12 and before["camera_error_deg_now_uncorrected"] > 12
    assert after["camera_error_deg_now"] < 0.6 * before["camera_error_deg_now"]
    assert after["camera_error_deg_now_uncorrected"] < 0.6 * before["camera_error_deg_now_uncorrected"]
    assert not same(task.network, network)
    rolls = task.cameras.of_views().roll.rad2deg()
    assert rolls.abs().max() < 6


def test_fixed_cameras_do_not_move_and_framings_do(made: Path) -> None:
    task = make_task(settings(3, cameras=ViewCamerasConfig(fixed=True)), made, CPU)
    for step in range(3):
        task.step(step)
    assert (task.cameras.moved == 0).all() and (task.cameras.framing != 0).any()
    unframed = make_task(settings(3, cameras=ViewCamerasConfig(framing=False)), made, CPU)
    unframed.step(0)
    assert (unframed.cameras.framing == 0).all() and (unframed.cameras.moved != 0).any()


def test_cameras_and_network_wait_for_one_another_as_told(made: Path) -> None:
    task = make_task(settings(9, cameras=ViewCamerasConfig(wait=1)), made, CPU)
    weights = copied(task.network)["shape_decoder.basis"]
    task.step(0)
    assert (task.cameras.moved == 0).all() and not torch.equal(task.network.shape_decoder.basis, weights)
    task.step(1)
    assert (task.cameras.moved != 0).any()
    task = make_task(settings(9, network_wait=1), made, CPU)
    weights = task.network.shape_decoder.basis.detach().clone()
    task.step(0)
    assert (task.cameras.moved != 0).any() and torch.equal(task.network.shape_decoder.basis, weights)
    task.step(1)
    assert not torch.equal(task.network.shape_decoder.basis, weights)


def gradients(task: MultiViewTask, config: MultiViewTraining) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of one batch: the cameras' and framings' gradients, and the numbers of the pictures that judge."""
    batch = task.sample_batch()
    task.network.eval()
    prediction = task.network(batch.crops)
    texture = task.network.texture_decoder(prediction.texture_code[: config.render_batch])
    sum(task.losses(batch, prediction, texture, 0).values()).backward()
    return task.cameras.moved.grad, task.cameras.framing.grad, batch.pictures


@pytest.mark.parametrize("single_view", [False, True])
def test_gradients_reach_the_cameras_of_the_pictures_that_judge_alone(made: Path, single_view: bool) -> None:
    config = settings(1, batch=3, render_batch=2, single_view=single_view)
    task = make_task(config, made, CPU)
    moved, framing, judging = gradients(task, config)
    of_batch = torch.zeros(task.data.number_of_views, dtype=torch.bool)
    of_batch[task.data.view_of[judging]] = True
    assert (moved[of_batch] != 0).all() and (moved[~of_batch] == 0).all()
    shown = torch.zeros(len(task.data.rgba), dtype=torch.bool)
    shown[judging] = True
    assert (framing[shown] != 0).all() and (framing[~shown] == 0).all()


def test_with_a_single_view_nothing_but_the_picture_looked_at_judges(made: Path) -> None:
    both = make_task(settings(1, batch=40, render_batch=30), made, CPU).sample_batch()
    assert len(both.targets) == len(both.pictures) == len(both.target_cameras) == 60
    task = make_task(settings(1, batch=40, render_batch=30, single_view=True), made, CPU)
    batch = task.sample_batch()
    assert len(batch.targets) == len(batch.pictures) == len(batch.target_cameras) == 30
    assert torch.equal(batch.pictures, both.pictures[:30])
    # Pairs are two views of one object.
    object_of = torch.zeros(len(task.data.rgba), dtype=torch.int64)
    for number, pictures in enumerate(task.data.objects):
        object_of[pictures] = number
    first, second = both.pictures[:30], both.pictures[30:]
    assert torch.equal(object_of[first], object_of[second]) and (first != second).all()
    held_out = task.data.objects[-1]
    assert not torch.isin(both.pictures, held_out).any()
    assert torch.isfinite(task.step(0)["total"])


def test_an_object_with_one_view_is_seen_in_it_twice(made: Path) -> None:
    task = make_task(settings(1), made, CPU)
    task.counts[:] = 1
    pictures = task.sample_batch().pictures
    assert torch.equal(pictures[:4], pictures[4:])


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_mirrored_crop_is_the_mirrored_object_through_its_camera(tmp_path: Path, mirrored: bool) -> None:
    """Against a picture of the mirrored mesh, which is no symmetric one, from the camera that the crop is given."""
    cameras = write_shared_views(tmp_path, objects=2, views=6, variety=0.0)
    data = load_multi_views(tmp_path, progress=False)
    lopsided = shaped(np.random.default_rng(0), 0.0)
    lopsided[:, 2] += 0.35 * lopsided[:, 0] - 0.25 * lopsided[:, 1]
    rewrite(tmp_path, data, lopsided, cameras)
    task = make_task(settings(1), tmp_path, CPU)
    task.cameras = ViewCameras(data.true_cameras, len(data.rgba))
    pictures = torch.arange(6)
    crops, seen = task.crops(pictures, torch.full((6,), mirrored))
    triangles, sign = torch.as_tensor(TEMPLATE.triangles).long(), -1.0 if mirrored else 1.0

    def agreement(sign: float) -> torch.Tensor:
        vertices = torch.as_tensor(lopsided * [sign, 1, 1], dtype=torch.float32).expand(6, -1, -1)
        faces = triangles.flip(1) if sign < 0 else triangles
        grey = Texture(torch.as_tensor(TEMPLATE.triangle_uv), torch.full((6, 3, 2, 2), 0.5))
        size = crops.shape[-1]
        mask = render(vertices, faces, grey, None, seen.detach(), size, size, HARD).mask
        return silhouette_iou(mask, (crops[:, 3] > 0.5).float())

    assert agreement(sign).min() > 0.93
    assert agreement(-sign).mean() < 0.88


def rewrite(folder: Path, data, vertices: np.ndarray, cameras: list) -> None:
    """The first object's pictures made anew from another mesh."""
    from PIL import Image

    from tests.helpers.shared_views import pictures_of

    texture = textured(np.random.default_rng(0))
    for view, rgba in enumerate(pictures_of(vertices, texture, cameras, data.rgba.shape[1])):
        Image.fromarray(rgba, "RGBA").save(folder / "objects" / "000000" / f"view_{view:02d}.png")


def test_a_resumed_training_gives_the_same_weights_and_cameras_bit_for_bit(made: Path, tmp_path: Path) -> None:
    config = settings(6, perceptual_from=1)
    train(config, made, tmp_path / "whole", resume=False, device=CPU)
    # Stopped after three steps of a schedule of six, as a kill right after the checkpoint would leave it.
    task = make_task(config, made, CPU)
    for step in range(3):
        task.step(step)
    (tmp_path / "parts").mkdir()
    save_checkpoint(tmp_path / "parts" / "checkpoint.safetensors", task, 3)
    torch.rand(7)  # whatever else draws random numbers in between
    train(config, made, tmp_path / "parts", resume=True, device=CPU)
    whole, _ = read_tensors(tmp_path / "whole" / "checkpoint.safetensors")
    parts, _ = read_tensors(tmp_path / "parts" / "checkpoint.safetensors")
    assert whole.keys() == parts.keys() and all(torch.equal(whole[name], parts[name]) for name in whole)
    assert (whole["network/cameras/moved"] != 0).any() and (whole["network/cameras/framing"] != 0).any()
    cameras = [(tmp_path / run / "cameras.json").read_text() for run in ("whole", "parts")]
    assert cameras[0] == cameras[1]


def test_a_run_leaves_a_network_that_another_starts_from(made: Path, tmp_path: Path) -> None:
    figures = train(settings(2), made, tmp_path / "first", resume=False, device=CPU)
    assert 0 < figures["iou_view_camera"] <= 1 and "iou_other_view" in figures
    assert "camera_error_deg_now" not in figures, "nobody knows where a generator's cameras are"
    assert set(read_cameras(tmp_path / "first" / "cameras.json")) == {4, 7, 21}
    assert json.loads((tmp_path / "first" / "config.json").read_text())["weights"]["silhouette"] == 3.0
    assert (tmp_path / "first" / "samples_000002.png").exists()
    task = make_task(replace(settings(1), start=str(tmp_path / "first")), made, CPU)
    saved = load_inverse_graphics(tmp_path / "first" / "inverse_graphics.safetensors", task.template)
    assert same(task.network, saved.state_dict())
    with pytest.raises(UnrenderError, match="no weights bundle 'nowhere'"):
        make_task(replace(settings(1), start="nowhere"), made, CPU)


def test_the_average_is_judged_with_statistics_of_its_own_and_training_does_not_notice(
    made: Path, tmp_path: Path
) -> None:
    """Against statistics gathered layer by layer, as the mean over batches of what enters a norm."""
    tasks = [make_task(settings(4, average_decay=0.5), made, CPU) for _ in range(2)]
    for task in tasks:
        for step in range(2):
            task.step(step)
    judged, other = tasks
    judged.evaluate(2, tmp_path)
    seen: list[torch.Tensor] = []
    norm = judged.average.encoder.stages[1]
    kept = norm.running_mean.clone()
    hook = judged.average.encoder.stages[0].register_forward_hook(lambda _m, _i, out: seen.append(out.mean((0, 2, 3))))
    random = torch.Generator().manual_seed(0)
    state, judged.generator = judged.generator, random.set_state(judged.generator.get_state())
    for _ in range(SETTLING_CROPS // judged.config.batch):
        judged.average(judged.sample_batch().crops)
    hook.remove()
    judged.generator = state.set_state(other.generator.get_state())
    torch.testing.assert_close(kept, torch.stack(seen).mean(dim=0), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(other.average.encoder.stages[1].running_mean, kept, atol=1e-3)
    assert not judged.average.training
    for task in tasks:
        task.step(2)
    assert same(judged.network, other.network.state_dict()), "judging changed what was trained"


def test_further_data_are_trained_on_and_judged_beside_the_first(made: Path, tmp_path: Path) -> None:
    write_shared_views(tmp_path / "rendered", objects=3, views=6)
    config = settings(2, further=str(tmp_path / "rendered"), batch=40, render_batch=40, validation_share=0.3)
    task = make_task(config, made, CPU)
    pictures = task.sample_batch().pictures
    assert {bool(view >= 3) for view in task.data.view_of[pictures]} == {True, False}
    train(replace(config, batch=4, render_batch=4), made, tmp_path / "run", resume=False, device=CPU)
    assert len(read_cameras(tmp_path / "run" / "cameras.json")) == 9


def test_without_its_weight_the_perceptual_loss_is_not_computed(made: Path) -> None:
    weights = replace(TINY.weights, perceptual=0.0)
    assert "perceptual" not in make_task(settings(1, weights=weights, perceptual_from=0), made, CPU).step(0)
    assert "perceptual" in make_task(settings(1, perceptual_from=0), made, CPU).step(0)


def test_full_is_the_papers_recipe() -> None:
    full = PRESETS["full"]
    weights = full.weights
    paper = (weights.silhouette, weights.colour, weights.laplacian, weights.flatness, weights.movement)
    assert paper == (3, 20, 5, 5, 2.5) and weights.perceptual == 0.5 and full.perceptual_from == 3000
    assert full.learning_rate == 1e-4 and full.batch == full.render_batch == 16
    assert full.loop.steps == 200_000 and not full.cameras.fixed and not full.single_view
