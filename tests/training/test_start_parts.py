# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Training on pictures from a template with parts: shapes and cameras are found, and cars keep their wheels."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from backend.commands import build_bundle
from backend.commands import train as train_command
from backend.common.bundle_files import PARTS_TEMPLATE, RESEARCH
from backend.common.records import ReconstructRequest
from backend.evaluation.mesh_checks import open_edges
from backend.pipeline.reconstruct import reconstruct
from backend.render.mesh_losses import offset_loss
from backend.training.inverse_graphics import known_cameras
from backend.training.inverse_graphics.evaluation import camera_figures
from backend.training.inverse_graphics.free_cameras import PRESETS, MultiViewTraining, make_task, train
from backend.training.inverse_graphics.start_parts import start_parts
from backend.training.inverse_graphics.view_cameras import ViewCamerasConfig
from backend.training.loop import load_checkpoint, save_checkpoint
from backend.weights.bundle import bundle_folders, load_bundle
from backend.weights.run_folder import load_bundle_or_run, load_network
from tests.helpers.parts_views import CARS, MODEL, TEMPLATE
from tests.helpers.shared_views import cameras_in_bins, pictures_of, write_shared_views
from tests.helpers.synthetic import write_dataset

CPU = torch.device("cpu")
TINY = replace(PRESETS["tiny"], parts="car", bfloat16=False, batch=3, render_batch=3, render_size=24)
AT_HAND = ", ".join(bundle_folders(PARTS_TEMPLATE))
WHEELS = [name for name in TEMPLATE.parts.names if name.startswith("wheel")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write_shared_views(folder, objects=3, views=3, size=40, kind=CARS)
    return folder


@pytest.fixture(scope="module")
def run(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "cars"
    train(settings(2), made, folder, resume=False, device=CPU)
    return folder


def settings(steps: int, **changes) -> MultiViewTraining:
    loop = replace(TINY.loop, steps=steps, log_every=1, evaluate_every=1000, checkpoint_every=2)
    weights = replace(TINY.weights, perceptual=0.0)
    return replace(TINY, loop=loop, weights=weights, **{"cameras": ViewCamerasConfig(), **changes})


def parts_of(vertices: np.ndarray, names: list[str]) -> list[np.ndarray]:
    return [vertices[TEMPLATE.parts.vertices_of(name, TEMPLATE.quads)] for name in names]


def test_shapes_and_cameras_come_closer_to_the_truth(tmp_path: Path) -> None:
    """Cars higher than the mean, in views fifteen degrees from their bins' middles; nothing is known but the space."""
    write_shared_views(tmp_path, objects=5, views=6, variety=0.4, size=40, kind=CARS)
    cameras = ViewCamerasConfig(learning_rate=0.25)
    task = make_task(settings(40, cameras=cameras, batch=4, render_batch=4, render_size=32), tmp_path, CPU)
    rng = np.random.default_rng(0)
    cameras_in_bins(6, rng)  # drawn first, as the data's were
    true = np.stack([(CARS.shaped(rng, 0.4), CARS.textured(rng))[0] for _ in range(4)])
    crops = task.plain_crops(task.first_pictures(range(4)))

    def distance(network: torch.nn.Module) -> float:
        with torch.no_grad():
            shapes = network.shape_decoder(network(crops).shape_code).numpy()
        return float(np.linalg.norm(shapes - true, axis=2).mean())

    start, before = distance(task.average), camera_figures(task.cameras, task.data.true_cameras)
    silhouette = [float(task.step(step)["silhouette"]) for step in range(40)]
    after = camera_figures(task.cameras, task.data.true_cameras)
    end = distance(task.network.eval())
    print(start, end, before, after, np.mean(silhouette[:5]), np.mean(silhouette[-5:]))
    assert start > 0.035 and end < 0.75 * start
    assert before["camera_error_deg_now_uncorrected"] > 12
    assert after["camera_error_deg_now_uncorrected"] < 0.7 * before["camera_error_deg_now_uncorrected"]
    assert np.mean(silhouette[-5:]) < 0.85 * np.mean(silhouette[:5])


@pytest.mark.parametrize("numbers", [5, 100])
def test_it_begins_with_the_mean_and_the_first_directions_of_the_space(made: Path, numbers: int) -> None:
    """Against the space's own shapes; a space of 96 numbers has no more directions than that."""
    network = replace(TINY.network, shape_code=numbers)
    decoder = make_task(settings(1, network=network), made, CPU).network.shape_decoder
    code = np.random.default_rng(0).normal(size=5).astype(np.float32)
    whole = np.pad(code, (0, numbers - 5))
    shape = decoder(torch.as_tensor(whole)[None])[0].detach().numpy()
    plain = replace(MODEL.space, sink=None)
    np.testing.assert_allclose(shape, plain.vertices(code), atol=1e-6)
    np.testing.assert_allclose(decoder.mean.numpy(), plain.vertices(np.zeros(0)), atol=1e-7)
    assert (decoder.basis[MODEL.space.size :] == 0).all()


@pytest.mark.parametrize("rate", [0.0, 0.01])
def test_the_basis_is_fixed_unless_it_is_to_learn_at_a_rate_of_its_own(made: Path, rate: float) -> None:
    task = make_task(settings(2, basis_rate=rate, warm_up=0), made, CPU)
    basis, head = task.network.shape_decoder.basis.detach().clone(), task.network.shape_head[-1].weight.detach().clone()
    task.step(0)
    # Adam's first step is the rate itself, whatever the gradient.
    moved = (task.network.shape_decoder.basis.detach() - basis).abs().max()
    assert (task.network.shape_decoder.basis.grad is None) == (rate == 0), "what is fixed counts in no clipping"
    assert moved == 0 if rate == 0 else float(moved) == pytest.approx(rate * task.config.learning_rate, rel=0.05)
    assert (task.network.shape_head[-1].weight.detach() - head).abs().max() > 0.5 * task.config.learning_rate
    assert torch.equal(task.average.shape_decoder.basis, basis) == (rate == 0)


def test_what_is_creased_in_the_template_pulls_no_shape(made: Path) -> None:
    """Sills and rims are as they shall be: with nothing but regularisers the mean stays the best."""
    task = make_task(settings(1), made, CPU)
    batch = task.sample_batch()
    prediction, texture = task.predict(batch.crops, True)
    prediction.shape_code = torch.zeros_like(prediction.shape_code).requires_grad_()
    vertices, losses = task.picture_losses(batch, prediction, texture, 0)
    regular = losses["flatness"] + losses["laplacian"] + losses["movement"]
    (gradient,) = torch.autograd.grad(regular, prediction.shape_code)
    assert offset_loss(vertices - task.network.shape_decoder.mean) == 0
    assert regular < 1e-9 and gradient.abs().max() < 1e-5


def test_a_run_leaves_cars_whose_wheels_are_closed_and_round(run: Path) -> None:
    network, template = load_network(str(run))
    assert template.parts is not None and template.parts.names == TEMPLATE.parts.names
    assert template.parts.turning == tuple(WHEELS) and template.markings is not None
    code = torch.randn(1, network.config.shape_code, generator=torch.Generator().manual_seed(0))
    vertices = network.shape_decoder(code)[0].numpy()
    np.testing.assert_allclose(vertices[template.mirror] * [-1, 1, 1], vertices, atol=1e-6)
    assert open_edges(template.triangles) == 0
    of_part = template.parts.of_quad
    for name, wheel in zip(WHEELS, parts_of(vertices, WHEELS), strict=True):
        faces = template.triangles[of_part.repeat(2) == template.parts.names.index(name)]
        assert open_edges(faces) == 0 and len(np.unique(faces)) == len(wheel)
        width, along, height = np.ptp(wheel, axis=0)
        assert along == pytest.approx(height, rel=0.08) and width < 0.6 * height
    axles, _ = template.parts.axles(vertices, template.quads)
    assert (np.sign(axles[:, :2]) == [[1, -1], [-1, -1], [1, 1], [-1, 1]]).all(), "one at each corner"


def test_codes_of_a_fixed_basis_stay_those_of_the_space(run: Path, made: Path) -> None:
    """Others are written anew in the shapes of the training pictures."""
    _, basis = start_parts("car", TINY.network.shape_code)
    saved = load_file(run / "inverse_graphics.safetensors")["shape_decoder.basis"].float()
    np.testing.assert_allclose(saved.numpy(), basis, atol=1e-4)
    assert np.array_equal(load_network(str(run))[1].vertices, TEMPLATE.vertices)


def test_a_run_becomes_a_bundle_that_makes_an_object_with_the_templates_parts(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "from-pictures"
    assert build_bundle.main(["--inverse-graphics", str(run), "--segmenter", "car", "--out", str(folder)]) == 0
    assert json.loads((folder / "bundle.json").read_text())["training"]["parts"] == "car"
    rng = np.random.default_rng(5)
    (rgba,) = pictures_of(CARS.shaped(rng, 0.4), CARS.textured(rng), cameras_in_bins(1, rng), 160, TEMPLATE)
    Image.fromarray(rgba, "RGBA").save(tmp_path / "photo.png")
    request = ReconstructRequest(str(tmp_path / "photo.png"), refine_steps=6, texture_size=256, with_parts=False)
    for loaded in (load_bundle(str(folder)), load_bundle_or_run(str(run))):
        assert loaded.template.parts is not None and loaded.parts is None
    made = reconstruct(request, loaded)
    assert np.array_equal(made.quads, TEMPLATE.quads) and np.isfinite(made.vertices).all()
    assert made.silhouette_iou > 0.5
    assert made.texture.std() > 5


@pytest.mark.parametrize("rate", [0.0, 0.01])
def test_a_resumed_training_gives_the_same_weights_bit_for_bit(made: Path, tmp_path: Path, rate: float) -> None:
    config = settings(4, basis_rate=rate)
    checkpoint, ends = tmp_path / "checkpoint.safetensors", []
    task = make_task(config, made, CPU)
    for step in range(4):
        if step == 2:
            save_checkpoint(checkpoint, task, step)
        task.step(step)
    ends.append(task)
    torch.rand(7)  # whatever else draws random numbers in between
    task = make_task(config, made, CPU)
    for step in range(load_checkpoint(checkpoint, task)[0], 4):
        task.step(step)
    ends.append(task)
    for name in ("network", "average", "cameras"):
        whole, resumed = (task.networks[name].state_dict() for task in ends)
        assert all(torch.equal(value, resumed[key]) for key, value in whole.items()), name


def test_a_run_with_parts_is_gone_on_from_with_its_basis_fixed(run: Path, made: Path) -> None:
    task = make_task(settings(1, parts="", start=str(run)), made, CPU)
    basis = task.network.shape_decoder.basis.clone()
    task.step(0)
    assert task.template.parts is not None and torch.equal(task.network.shape_decoder.basis, basis)


def test_known_cameras_teach_cars_with_parts_from_pictures_alone(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", objects=2, views=2)  # with meshes, which are not looked at
    tiny = known_cameras.PRESETS["tiny"]
    config = replace(tiny, parts="car", bfloat16=False, batch=2, render_batch=2, render_size=24)
    task = known_cameras.make_task(config, data, tmp_path / "run", CPU)
    basis = torch.as_tensor(start_parts("car", tiny.network.shape_code)[1])
    losses = task.step(0)
    assert "shape_code" not in losses and torch.isfinite(losses["total"])
    assert task.template.parts is not None and not (tmp_path / "run" / "fitted.npz").exists()
    assert torch.equal(task.network.shape_decoder.basis, basis)
    assert torch.equal(task.average.shape_decoder.basis, basis)


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("nowhere", f"There is no weights bundle 'nowhere' with a template with parts; these have one: {AT_HAND}."),
        (str(RESEARCH / "car-gan"), f"The weights bundle in {RESEARCH / 'car-gan'} has no template with parts."),
    ],
)
def test_a_bundle_without_parts_is_one_sentence(made: Path, tmp_path: Path, capsys, name: str, sentence: str) -> None:
    command = ["inverse-graphics", "--data", str(made), "--out", str(tmp_path / "run"), "--preset", "tiny"]
    assert train_command.main([*command, "--device", "cpu", f"parts={name}"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"train.py: {sentence}"


def test_parts_and_a_network_to_start_from_exclude_each_other(made: Path) -> None:
    with pytest.raises(ValueError, match="leave one of them out"):
        make_task(settings(1, start="car-gan"), made, CPU)
