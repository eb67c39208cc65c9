# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of StyleGAN-R at toy size: who learns when, what is asked for, exact resume."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.common.truth_codes import FILE_NAME
from backend.evaluation.neural_renderer.judged_run import WARMED_UP
from backend.models.framing import framed, reframed
from backend.render.camera import project
from backend.render.picture import HARD, render
from backend.render.shading import Texture
from backend.training.disentangle import task as disentangle
from backend.training.disentangle.critic import Critic
from backend.training.disentangle.data import load_examples, parted
from backend.training.disentangle.draws import DrawConfig, draw_known, draw_mixed
from backend.training.disentangle.losses import DisentangleWeights, silhouette_loss, style_losses
from backend.training.disentangle.start import explained, mapping_config, prepared_mapping, split_styles
from backend.training.disentangle.task import PRESETS, DisentangleTask, DisentangleTraining
from backend.training.loop import load_checkpoint, run, save_checkpoint
from backend.weights.neural_renderer import load_neural_renderer
from tests.helpers.described import SIDE, SPLIT, described, generator, judge
from tests.helpers.synthetic import TEMPLATE

CPU = torch.device("cpu")
MASKS, WARM_UP, STEPS = 2, 2, 6


def settings(**changes) -> DisentangleTraining:
    tiny = PRESETS["tiny"]
    loop = replace(tiny.loop, steps=STEPS, log_every=1, evaluate_every=1000, checkpoint_every=2)
    return replace(tiny, loop=loop, masks=MASKS, warm_up=WARM_UP, view_styles=8, validation_share=0.3, **changes)


def make(**changes) -> DisentangleTask:
    return DisentangleTask(settings(**changes), described(), None, generator(), judge(), TEMPLATE, CPU)


def weights_of(task: DisentangleTask, name: str) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in task.networks[name].parameters()]).clone()


def test_masks_are_learned_first_then_the_mapping_then_mapping_and_generator() -> None:
    task = make()
    judge_before = torch.cat([w.flatten() for w in task.reader.network.parameters()]).clone()
    changed = []
    for step in range(STEPS):
        before = {name: weights_of(task, name) for name in ("segmenter", "mapping", "generator")}
        task.step(step)
        changed.append({name for name, old in before.items() if not torch.equal(old, weights_of(task, name))})
    assert changed == [{"segmenter"}] * 2 + [{"mapping"}] * 2 + [{"mapping", "generator"}] * 2
    assert torch.equal(judge_before, torch.cat([w.flatten() for w in task.reader.network.parameters()]))


def test_what_the_warm_up_left_is_kept_beside_what_comes_after() -> None:
    task = make()
    for step in range(MASKS + WARM_UP):
        task.step(step)
    kept = weights_of(task, "mapping_average")
    task.step(MASKS + WARM_UP)
    assert torch.equal(weights_of(task, "warmed_up"), kept)
    assert not torch.equal(weights_of(task, "mapping_average"), kept)


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_run_goes_on_exactly_from_any_phase(stop: int, tmp_path: Path) -> None:
    whole = make()
    for step in range(STEPS):
        whole.step(step)
    first = make()
    for step in range(stop):
        first.step(step)
    save_checkpoint(tmp_path / "checkpoint.safetensors", first, stop)
    second = make()
    assert load_checkpoint(tmp_path / "checkpoint.safetensors", second)[0] == stop
    for step in range(stop, STEPS):
        second.step(step)
    for name in whole.networks:
        assert torch.equal(weights_of(whole, name), weights_of(second, name)), name


def test_a_run_leaves_what_the_neural_renderer_needs(tmp_path: Path) -> None:
    task = make()
    run(task, task.config.loop, tmp_path, resume=False, describe=task.config)
    assert {"style_mapping.safetensors", "neural_renderer.safetensors", "masks.safetensors"} <= {
        path.name for path in tmp_path.iterdir()
    }


def test_a_training_goes_on_from_what_another_left(tmp_path: Path) -> None:
    first = make()
    run(first, first.config.loop, tmp_path, resume=False, describe=first.config)
    second = make(start=str(tmp_path))
    left = torch.cat([weight.flatten() for weight in first.average.parameters()])
    np.testing.assert_allclose(weights_of(second, "generator").numpy(), left.detach().numpy(), rtol=2e-3)
    deviation = (second.mapping.selection - first.mapping_average.selection).abs().max()
    assert float(deviation.detach()) < 1e-2
    with pytest.raises(ValueError, match="other sizes"):
        make(start=str(tmp_path), texture_size=8)


def test_renders_alone_are_enough_to_go_on(tmp_path: Path) -> None:
    first = make()
    run(first, first.config.loop, tmp_path, resume=False, describe=first.config)
    going_on = settings(start=str(tmp_path))
    renders = described(with_codes=False)
    task = DisentangleTask(replace(going_on, warm_up=0), renders, None, generator(), judge(), TEMPLATE, CPU)
    before = weights_of(task, "generator")
    assert task.phase(MASKS) == "generator" and "picture" in task.step(MASKS)
    assert not torch.equal(before, weights_of(task, "generator"))
    task.export(tmp_path / "further")
    assert (tmp_path / WARMED_UP).is_file() and not (tmp_path / "further" / WARMED_UP).exists()


def test_renders_without_weights_to_go_on_from_are_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch()
    for refused in (settings(), settings(start="car")):
        with pytest.raises(ValueError, match="no codes of the generator"):
            load_examples(refused, tmp_path, generator(), judge())


def test_what_is_left_runs_in_single_precision_whatever_it_learned_in(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(disentangle, "computes_in_bfloat16", lambda device: True)
    task = make()
    assert task.student.config.half_from_resolution == 16
    assert make(bfloat16=False).student.config.half_from_resolution is None
    task.export(tmp_path)
    assert load_neural_renderer(tmp_path).generator.config.half_from_resolution is None


def test_the_papers_schedule_has_the_papers_losses_alone() -> None:
    full, paper = PRESETS["full"], {"styles", "entropy", "shape", "texture", "background", "same_background"}
    for field in fields(DisentangleWeights):
        assert (getattr(full.weights, field.name) > 0) == (field.name in paper), field.name
    assert full.known == 0 and full.warm_up == 700 and full.loop.steps - full.masks - full.warm_up == 2500
    assert full.generator_rate == full.mapping_rate == 1e-5 and full.batch == 16


def test_a_step_without_known_pictures_asks_for_mixed_ones_alone() -> None:
    losses = make(known=0).step(MASKS + WARM_UP)
    assert "picture" not in losses and "shape" in losses


def test_mixed_pictures_come_when_known_ones_have_taught() -> None:
    task = make(cycle_from=1)
    assert "shape" not in task.step(MASKS + WARM_UP)
    assert {"shape", "picture"} <= set(task.step(MASKS + WARM_UP + 1))


def test_a_discriminator_learns_beside_where_it_has_a_weight() -> None:
    task = make(weights=DisentangleWeights(adversarial=0.1))
    before = weights_of(task, "critic")
    losses = task.step(MASKS + WARM_UP)
    assert {"adversarial", "critic"} <= set(losses)
    assert not torch.equal(before, weights_of(task, "critic"))


def test_the_discriminators_real_pictures_are_framed_as_those_that_are_made() -> None:
    task = make(weights=DisentangleWeights(adversarial=0.1))
    _, wanted = task._asked(MASKS + WARM_UP)
    assert torch.equal(task._real(wanted), wanted)
    assert task._real(wanted[:0]).shape == (4, 3, SIDE, SIDE)


def test_a_discriminator_comes_to_tell_the_real_from_the_made() -> None:
    torch.manual_seed(0)
    critic = Critic(generator().config, 5e-3, CPU)
    real, made = torch.rand(8, 3, SIDE, SIDE) * 0.2 + 0.7, torch.rand(8, 3, SIDE, SIDE) * 0.2
    first = float(critic.learn(real, made, 1))
    for step in range(20):
        last = float(critic.learn(real, made, step + 1))
    assert last < 0.7 * first
    assert critic.judgement(made) > critic.judgement(real)


def test_known_pictures_show_what_is_asked_also_mirrored_zoomed_and_moved() -> None:
    known, network = described(objects=6, views=2), judge()
    random = torch.Generator().manual_seed(2)
    asked, wanted, masks = draw_known(known, torch.arange(12), DrawConfig(zoom=1.2, shift=0.05), random, True)
    triangles = torch.as_tensor(TEMPLATE.triangles).long()
    material = Texture(torch.as_tensor(TEMPLATE.triangle_uv), asked.texture)
    vertices = network.shape_decoder(asked.shape_code)
    drawn = render(vertices, triangles, material, None, asked.cameras, SIDE, SIDE, HARD)
    assert float(1 - silhouette_loss((masks > 0.5).float(), drawn.coverage)) > 0.9
    inside = (drawn.coverage > 0.5) & (masks > 0.99)
    assert float(((wanted - drawn.rgb).abs().mean(dim=1) * inside).sum() / inside.sum()) < 0.02


def test_pictures_are_mirrored_only_where_objects_are_symmetric() -> None:
    known, random = described(), torch.Generator().manual_seed(0)
    asked, wanted, _ = draw_known(known, torch.arange(12), DrawConfig(zoom=1.0, shift=0.0), random, False)
    assert torch.allclose(wanted, known.pictures.float() / 255, atol=1e-5)
    assert torch.allclose(asked.cameras.azimuth, known.cameras.azimuth)


def test_both_halves_of_mixed_pictures_have_the_same_backgrounds_and_other_objects() -> None:
    known, network = described(objects=6), judge()
    asked = draw_mixed(known, torch.arange(18), 8, network, DrawConfig(), torch.Generator().manual_seed(1))
    assert torch.equal(asked.background[:4], asked.background[4:])
    assert not torch.equal(asked.shape_code[:4], asked.shape_code[4:])


@pytest.mark.parametrize("share", [0.4, 0.9])
def test_framing_puts_the_objects_box_into_the_middle(share: float) -> None:
    cameras = described().cameras
    vertices = torch.as_tensor(TEMPLATE.vertices).expand(len(cameras), -1, -1)
    corners = project(framed(cameras, vertices, share), vertices, 100, 100)[..., :2]
    low, high = corners.amin(dim=1), corners.amax(dim=1)
    assert torch.allclose((high - low).amax(dim=1), torch.tensor(100 * share), rtol=0.02)
    assert torch.allclose((low + high) / 2, torch.tensor(50.0), atol=1.0)


def test_zooming_and_moving_a_camera_does_that_to_the_picture() -> None:
    cameras = described().cameras
    points = torch.as_tensor(TEMPLATE.vertices[:20]).expand(len(cameras), -1, -1)
    zoom, shift = torch.full((len(cameras),), 1.3), torch.tensor([0.1, -0.05]).expand(len(cameras), 2)
    before = project(cameras, points, 10, 10)[..., :2]
    after = project(reframed(cameras, zoom, shift), points, 10, 10)[..., :2]
    expected = (before - 5) * 1.3 + 5 + torch.tensor([1.0, 0.5])
    assert torch.allclose(after, expected, atol=1e-3)


def test_styles_that_follow_the_camera_are_told_from_those_that_do_not() -> None:
    random = torch.Generator().manual_seed(0)
    azimuth = 6.28 * torch.rand(200, generator=random)
    numbers = torch.stack([azimuth, *torch.randn(4, 200, generator=random)], dim=1)
    styles = torch.stack([azimuth.sin(), numbers[:, 1], torch.randn(200, generator=random)], dim=1)
    found = explained(styles, numbers)
    assert found[0] > 0.99 and found[1] > 0.99 and found[2] < 0.1


def test_the_mapping_begins_with_the_datas_styles() -> None:
    known, maker = described(), generator()
    config = mapping_config(settings(), maker, known)
    mapping = prepared_mapping(config, known, known, maker)
    styles = maker.flatten(maker.styles(known.codes))
    view, content = split_styles(maker, SPLIT)
    np.testing.assert_allclose(mapping.mean.numpy(), styles.mean(dim=0).detach().numpy(), atol=1e-5)
    assert set(mapping.view_index.tolist()) <= set(view.tolist())
    assert torch.equal(mapping.content_index, content)
    assert int(view.max()) < int(content.min())
    with pytest.raises(ValueError, match="fewer than 4000"):
        mapping_config(replace(settings(), view_styles=4000), maker, known)


def test_entropy_is_one_without_a_choice_and_falls_with_it() -> None:
    known, maker = described(), generator()
    mapping = prepared_mapping(mapping_config(settings(), maker, known), known, known, maker)
    assert float(mapping.entropy().detach()) == pytest.approx(1.0)
    with torch.no_grad():
        mapping.selection[0] += 8.0
    assert float(mapping.entropy().detach()) < 0.02


def test_right_styles_cost_nothing() -> None:
    known, maker = described(), generator()
    mapping = prepared_mapping(mapping_config(settings(), maker, known), known, known, maker)
    task = make()
    asked = disentangle.Asked.of(known, *[torch.arange(4)] * 4)
    styles = mapping(asked.cameras, asked.shape_code, asked.texture, asked.background).detach()
    assert float(style_losses(mapping, asked, styles)["styles"]) == pytest.approx(0.0, abs=1e-10)
    assert float(style_losses(mapping, asked, styles + task.mapping.deviation)["styles"]) == pytest.approx(1.0, rel=0.5)


def test_too_few_objects_and_odd_batches_are_refused() -> None:
    with pytest.raises(ValueError, match="Two objects are too few"):
        parted(described(objects=2), 0.5)
    with pytest.raises(ValueError, match="even number"):
        make(known=3)
    with pytest.raises(ValueError, match="which network judges"):
        disentangle.make_task(settings(), Path("nowhere"), CPU)
