# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds to surfaces through a generator of shapes: what Blender gets looks as the network sees it."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from backend.common.bundle_files import FOLDERS_VARIABLE, SHAPE_GENERATOR
from backend.common.records import GenerateRequest, Reconstruction
from backend.data.images import ImageSetConfig
from backend.errors import BundleError, Cancelled, UnrenderError
from backend.ipc import client as ipc
from backend.models.scene_pictures import shown
from backend.models.surface_maps import SurfaceConfig
from backend.pipeline.generate_choice import load_maker, shape_generator_folder
from backend.pipeline.generate_sides import SIDES_DEG
from backend.pipeline.generate_surface import code_of, codes_of, generate_surface
from backend.render.camera import Cameras
from backend.render.picture import RenderConfig, render
from backend.render.shading import Texture
from backend.render.viewpoints import ViewpointPrior
from backend.weights.shape_generator_bundle import LoadedShapeGenerator, Pictures, load_shape_generator_bundle
from tests.helpers.parts_samples import write_parts_bundle
from tests.helpers.shape_samples import RESOLUTION, shape_generator, write_shape_bundle, write_shape_run

PRIOR = ViewpointPrior(azimuth_deg=120, elevation_deg=(-2, 16), field_of_view_deg=9)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shape_run(tmp_path_factory.mktemp("runs") / "shapes", viewpoints=PRIOR)


@pytest.fixture(scope="module")
def weights(run: Path) -> LoadedShapeGenerator:
    return load_shape_generator_bundle(run)


@pytest.fixture(scope="module")
def seven(weights: LoadedShapeGenerator) -> Reconstruction:
    return generate_surface(GenerateRequest(7, truncation=0.8), weights)


def scene_of(weights: LoadedShapeGenerator, request: GenerateRequest):
    return weights.generator.scene(*codes_of(code_of(request, weights.generator), weights.generator))


def seen_by_its_camera(made: Reconstruction, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The result's own arrays through its own camera, as Blender cuts its quads: colours in [0, 1] and coverage."""
    cut = [[0, 1, 2], [0, 2, 3]] if made.quads.shape[1] == 4 else [[0, 1, 2]]
    triangles = np.concatenate([made.quads[:, corners] for corners in cut])
    uv = np.concatenate([made.uv[:, corners] for corners in cut])
    image = torch.from_numpy(made.texture).permute(2, 0, 1)[None].float() / 255
    picture = render(
        torch.from_numpy(made.vertices)[None], torch.from_numpy(triangles).long(),
        Texture(torch.from_numpy(uv), image), None, Cameras.batch([made.camera]), height, width,
        RenderConfig(renderer="boundary", margin=0.0),
    )  # fmt: skip
    return picture.rgb[0], picture.coverage[0]


def test_its_camera_sees_the_networks_own_picture(weights: LoadedShapeGenerator, seven: Reconstruction) -> None:
    request = GenerateRequest(7, truncation=0.8)
    hard = RenderConfig(renderer="boundary", margin=0.0)
    at = PRIOR.at([0.0])
    side = 128
    theirs = (shown(weights.generator.mesh, scene_of(weights, request), at, side, hard)[0] + 1) / 2
    rgb, coverage = seen_by_its_camera(seven, side, side)
    # The background's middle, as large as the frame.
    factor = seven.background_factor
    whole = torch.from_numpy(seven.background).permute(2, 0, 1)[None].float() / 255
    place = (torch.arange(side) + 0.5) / side
    place = (0.5 + (place - 0.5) / factor) * 2 - 1
    grid = torch.stack(torch.meshgrid(place, place, indexing="xy"), dim=-1)
    behind = F.grid_sample(whole, grid[None], align_corners=False, padding_mode="border")[0]
    ours = rgb + (1 - coverage) * behind
    assert 0.15 < coverage.mean() < 0.7 and theirs.std() > 0.1
    difference = (ours - theirs.clamp(0, 1)).abs()
    assert difference.mean() < 0.004 and (difference.amax(dim=0) > 0.05).float().mean() < 0.003


def test_the_mesh_is_closed_and_of_length_one_with_its_front_to_the_camera(seven: Reconstruction) -> None:
    edges = Counter(tuple(sorted((int(face[i]), int(face[(i + 1) % 4])))) for face in seven.quads for i in range(4))
    assert set(edges.values()) == {2} and seven.quads.shape[1] == 4
    assert np.ptp(seven.vertices, axis=0).max() == pytest.approx(1)
    vertices, triangles = seven.vertices, np.concatenate([seven.quads[:, [0, 1, 2]], seven.quads[:, [0, 2, 3]]])
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() > 0, "counter-clockwise from outside"
    # The chart's middle is the front, its right side +X and its upper half +Z.
    middle = np.abs(seven.uv - 0.5).max(axis=(1, 2)) < 0.1
    assert vertices[seven.quads[middle]][..., 1].mean() < -0.1
    for axis, uv in ((0, 0), (2, 1)):
        right = (seven.uv[..., uv] > 0.6).all(axis=1)
        left = (seven.uv[..., uv] < 0.4).all(axis=1)
        assert vertices[seven.quads[right]][..., axis].mean() > vertices[seven.quads[left]][..., axis].mean() + 0.1
    assert seven.camera.azimuth == 0 and np.degrees(seven.camera.elevation) == pytest.approx(7)
    assert np.degrees(seven.camera.field_of_view) == pytest.approx(9)


def test_no_face_reaches_across_the_chart_and_nothing_bleeds_in_over_its_rim(seven: Reconstruction) -> None:
    across, up = np.moveaxis(seven.uv - np.roll(seven.uv, 1, axis=1), -1, 0)
    turns = across * np.roll(up, -1, axis=1) - up * np.roll(across, -1, axis=1)
    assert (turns.sum(axis=1) > 0).all(), "one that went the other way around the back would be turned over"
    side = len(seven.texture)
    # Where the diagonal meets the rim, as rows and columns from the upper left corner.
    rim = int((0.5 - 0.5 * np.sqrt(0.5)) * side) + 1
    seen = seven.texture.astype(int)
    assert np.abs(seen[:rim:8, :rim:8].diagonal() - seen[rim, rim][:, None]).max() <= 4
    assert np.ptp(seen.reshape(-1, 3), axis=0).max() > 60


def test_a_sheet_cut_to_a_disc_comes_in_triangles(weights: LoadedShapeGenerator) -> None:
    for circular, corners in ((True, 3), (False, 4)):
        generator = shape_generator(SurfaceConfig("sheet", cells=8, circular=circular))
        made = generate_surface(GenerateRequest(1), replace(weights, generator=generator))
        assert made.quads.shape[1] == corners == made.uv.shape[1]


def test_a_seed_always_makes_the_same_and_truncation_draws_to_the_mean(weights: LoadedShapeGenerator) -> None:
    one, again, other = (generate_surface(GenerateRequest(seed), weights) for seed in (1, 1, 2))
    for field in fields(one):
        value = getattr(one, field.name)
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, getattr(again, field.name), err_msg=field.name)
    assert np.abs(one.vertices - other.vertices).max() > 0.05
    assert np.abs(one.texture.astype(int) - other.texture).mean() > 5
    assert np.abs(one.background.astype(int) - other.background).mean() > 5
    mean = [generate_surface(GenerateRequest(seed, truncation=0), weights) for seed in (1, 2)]
    np.testing.assert_allclose(mean[0].vertices, mean[1].vertices, atol=1e-5)


def test_a_code_that_came_with_an_object_makes_it_again(weights: LoadedShapeGenerator, seven: Reconstruction) -> None:
    made = generate_surface(GenerateRequest(1, code=seven.shape_code), weights)
    np.testing.assert_allclose(made.vertices, seven.vertices, atol=1e-6)


def test_steps_go_from_one_seed_to_the_other_on_one_mesh(weights: LoadedShapeGenerator) -> None:
    ends = [generate_surface(GenerateRequest(seed), weights) for seed in (3, 9)]
    way = [generate_surface(GenerateRequest(3, towards=9, step=step), weights) for step in (0.0, 0.5, 1.0)]
    for end, step in ((ends[0], way[0]), (ends[1], way[2])):
        np.testing.assert_allclose(step.vertices, end.vertices, atol=1e-5)
        assert np.abs(step.texture.astype(int) - end.texture).max() <= 1
    np.testing.assert_array_equal(way[1].quads, ends[0].quads)
    np.testing.assert_allclose(way[1].shape_code, (ends[0].shape_code + ends[1].shape_code) / 2, atol=1e-6)


def test_five_sides_are_the_networks_own_pictures(weights: LoadedShapeGenerator) -> None:
    request = GenerateRequest(5, sides=48)
    made = generate_surface(request, weights)
    assert made.sides.shape == (5, 48, 48, 3)
    at = PRIOR.at(list(SIDES_DEG))
    theirs = (shown(weights.generator.mesh, scene_of(weights, request).repeated(5), at, 48) + 1) / 2
    difference = theirs.clamp(0, 1).permute(0, 2, 3, 1).numpy() - made.sides / 255
    assert np.abs(difference).max() < 0.01


def test_bars_of_the_photographs_are_left_out_of_the_picture(weights: LoadedShapeGenerator) -> None:
    wide = replace(weights, pictures=Pictures(RESOLUTION, 1.6))
    made = generate_surface(GenerateRequest(7, truncation=0.8), wide)
    assert (made.image_width, made.image_height) == (512, 320)
    square = generate_surface(GenerateRequest(7, truncation=0.8), weights)
    _, whole = seen_by_its_camera(square, 160, 160)
    _, inner = seen_by_its_camera(made, 100, 160)
    assert (whole[30:130] - inner).abs().mean() < 0.003


def test_texture_sizes_are_multiples_of_the_networks_or_as_asked(weights: LoadedShapeGenerator) -> None:
    for asked, given in ((0, 256), (100, 100)):
        assert generate_surface(GenerateRequest(1, texture_size=asked), weights).texture.shape == (given, given, 3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": -1}, "seed is 0 or more"),
        ({"truncation": float("nan")}, "truncation lies between"),
        ({"code": np.zeros(3, np.float32)}, "has 24 numbers"),
        ({"towards": 2, "step": 1.5}, "step towards another object"),
        ({"sides": 5}, "Pictures of sides have"),
        ({"texture_size": 7}, "texels a side"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(weights: LoadedShapeGenerator, changes: dict, words: str) -> None:
    with pytest.raises(UnrenderError, match=words) as caught:
        generate_surface(replace(GenerateRequest(1), **changes), weights)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_a_shape_of_no_numbers_is_one_sentence(weights: LoadedShapeGenerator) -> None:
    generator = shape_generator()
    for block in generator.maps.synthesis_blocks():
        block.to_image.bias.fill_(float("nan"))
    with pytest.raises(UnrenderError, match="makes no shape"):
        generate_surface(GenerateRequest(1), replace(weights, generator=generator))


def test_a_bundle_says_the_same_of_its_pictures_as_the_run(run: Path, tmp_path: Path, capsys) -> None:
    folder = write_shape_bundle(tmp_path / "blobs", run)
    loaded = load_shape_generator_bundle(folder)
    assert (loaded.viewpoints, loaded.pictures) == (PRIOR, Pictures(RESOLUTION))
    assert (loaded.category, loaded.real_size, loaded.name) == ("blob", 2.0, "blobs")
    made = generate_surface(GenerateRequest(4, bundle=str(folder)), loaded)
    assert made.name == "blob-000004" and made.real_size == 2 and made.bundle == str(folder)


def test_the_bundle_decides_and_parts_come_first_where_it_has_both(run: Path, tmp_path: Path, monkeypatch) -> None:
    blobs = write_shape_bundle(tmp_path / "user" / "blobs", run)
    both = write_parts_bundle(tmp_path / "user" / "both")
    write_shape_bundle(both, run)
    write_parts_bundle(tmp_path / "user" / "parts")
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path / "user"))
    for bundle, preferred, plain in (("blobs", blobs, blobs), ("both", None, both), ("parts", None, None)):
        assert (shape_generator_folder(bundle, True), shape_generator_folder(bundle, False)) == (preferred, plain)
    assert shape_generator_folder(str(run), True) == run
    kinds = []
    for with_parts in (True, False):
        request = GenerateRequest(1, texture_size=32, bundle="both", with_parts=with_parts)
        kinds.append(load_maker(request)(request, lambda progress: None, lambda: False).parts is not None)
    assert kinds == [True, False]


def test_damaged_weights_are_one_sentence(run: Path, tmp_path: Path) -> None:
    def broken(name: str) -> Path:
        return write_shape_run(tmp_path / name)

    torn = broken("torn")
    (torn / SHAPE_GENERATOR).write_bytes(b"torn")
    other = broken("other")
    (other / "config.json").write_text('{"images": {"resolution": 32}}')
    unsaid = write_shape_bundle(tmp_path / "unsaid", run)
    (unsaid / SHAPE_GENERATOR).write_bytes((run / SHAPE_GENERATOR).read_bytes())
    for folder, words in ((torn, "cannot be loaded"), (other, "usable run"), (unsaid, "does not say")):
        with pytest.raises(BundleError, match=words) as caught:
            load_shape_generator_bundle(folder)
        assert "\n" not in str(caught.value)


def test_the_worker_makes_it_and_stops_when_asked(root: Path, run: Path, seven: Reconstruction, tmp_path: Path) -> None:
    client = ipc.WorkerClient(ipc.WorkerCommand([sys.executable, "-m", "backend.worker"], root, tmp_path / "log"))
    try:
        request = GenerateRequest(7, truncation=0.8, bundle=str(run), device="cpu")
        made = client.wait(client.submit(request))
        np.testing.assert_allclose(made.vertices, seven.vertices, atol=1e-6)
        np.testing.assert_array_equal(made.background, seven.background)
    finally:
        client.close()
    maker = load_maker(request)
    with pytest.raises(Cancelled):
        maker(request, lambda progress: None, lambda: True)


def test_a_run_of_wide_photographs_says_so(tmp_path: Path) -> None:
    run = write_shape_run(tmp_path / "wide", images=ImageSetConfig(RESOLUTION, aspect=1.5))
    assert load_shape_generator_bundle(run).pictures.aspect == 1.5
