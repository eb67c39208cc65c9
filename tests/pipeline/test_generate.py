# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds to objects with parts: the same ones every time, from the bundle's template alone, or one sentence."""

from __future__ import annotations

import json
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from backend import worker
from backend.common.bundle_files import FOLDERS_VARIABLE, PARTS_TEMPLATE, SHAPE_SPACE
from backend.common.paints import PAINTS
from backend.common.records import GenerateRequest, Reconstruction
from backend.common.regions import REGIONS, Palette, random_palette
from backend.errors import BundleError, Cancelled, UnrenderError
from backend.ipc import client as ipc
from backend.pipeline import generate as pipeline
from backend.weights import bundle as weights
from tests.helpers.parts_samples import CODE, write_parts_bundle
from tests.helpers.toy import WHEELS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parts_bundle(tmp_path_factory.mktemp("bundles") / "small")


@pytest.fixture
def make(folder: Path):
    """Returns a function that makes an object with some of the request's fields changed."""
    model, category = pipeline.load_generator(str(folder))

    def made(**changes) -> Reconstruction:
        request = GenerateRequest(texture_size=64, bundle=str(folder))
        return pipeline.generate(replace(request, **changes), model, category)

    return made


def assert_same(one: Reconstruction, other: Reconstruction) -> None:
    for field in fields(one):
        value = getattr(one, field.name)
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, getattr(other, field.name), err_msg=field.name)
    np.testing.assert_array_equal(one.parts.palette, other.parts.palette)


def test_a_seed_always_makes_the_same_object_and_another_another(make) -> None:
    seven = make(seed=7)
    assert_same(seven, make(seed=7))
    eight = make(seed=8)
    assert np.abs(seven.vertices - eight.vertices).max() > 1e-3
    assert not np.array_equal(seven.parts.palette, eight.parts.palette)
    assert seven.name == "car-000007" and seven.parts.names[2:] == list(WHEELS)
    assert seven.texture.shape == (64, 64, 3) and len(np.unique(seven.texture.reshape(-1, 3), axis=0)) >= 4
    paint = np.round(seven.parts.palette[REGIONS.index("paint"), :3] * 255)
    assert (np.abs(seven.texture - paint).max(axis=2) <= 1).mean() > 0.05, "the texture is in the palette's colours"
    assert seven.light.shape == (9, 3) and seven.mask.shape == (seven.image_height, seven.image_width)


def test_truncation_draws_towards_the_mean_object_and_keeps_the_colours(make) -> None:
    mean, near, far = (make(seed=5, truncation=t) for t in (0, 0.5, 1))
    assert not mean.shape_code.any()
    np.testing.assert_allclose(near.shape_code, 0.5 * far.shape_code, rtol=1e-5)
    np.testing.assert_array_equal(mean.parts.palette, far.parts.palette)


def test_a_code_and_a_palette_that_are_given_are_taken(make) -> None:
    code = np.linspace(-1, 1, CODE).astype(np.float32)
    given = make(seed=7, code=code, palette=Palette().array())
    np.testing.assert_array_equal(given.shape_code, code)
    np.testing.assert_array_equal(given.parts.palette, Palette().array())
    np.testing.assert_array_equal(make(seed=7, code=code).parts.palette, make(seed=7).parts.palette)
    assert_same(make(seed=1, code=make(seed=7).shape_code, palette=make(seed=7).parts.palette), make(seed=7))


def test_steps_go_from_one_seed_to_the_other_in_shape_and_colours(make) -> None:
    one, other = make(seed=7), make(seed=8)
    assert_same(make(seed=7, towards=8, step=0), one)
    assert_same(make(seed=7, towards=8, step=1), other)
    middle = make(seed=7, towards=8, step=0.5)
    np.testing.assert_allclose(middle.shape_code, (one.shape_code + other.shape_code) / 2, atol=1e-6)
    np.testing.assert_allclose(middle.parts.palette, (one.parts.palette + other.parts.palette) / 2, atol=1e-6)


def test_five_sides_show_the_object_from_the_right_to_the_left(make) -> None:
    assert make(seed=7).sides.size == 0
    sides = make(seed=7, sides=40).sides
    assert sides.shape == (5, 40, 40, 3) and sides.dtype == np.uint8
    shown = np.abs(sides.astype(int) - sides[:, :1, :1]).max(axis=3) > 12
    width = shown.any(axis=1).sum(axis=1)
    assert width[0] > 1.2 * width[2] < width[4], "long from the side, narrow from the front"
    nose, tail = sides[2].astype(int), sides[0].astype(int)
    assert np.abs(nose - tail).mean() > 3
    np.testing.assert_allclose(width[0], width[4], atol=2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": -1}, "seed is 0 or more"),
        ({"truncation": float("nan")}, "truncation lies between"),
        ({"truncation": 99.0}, "truncation lies between"),
        ({"texture_size": 10**6}, "texels a side"),
        ({"device": "abacus"}, "device 'abacus' is not available"),
        ({"code": np.zeros(CODE + 1, np.float32)}, f"has {CODE} numbers"),
        ({"code": np.full(CODE, np.nan, np.float32)}, "all of them finite"),
        ({"step": -0.5}, "step towards another object"),
        ({"sides": 1}, "Pictures of sides have"),
        ({"palette": np.zeros((2, 5), np.float32)}, "rows of 5 numbers"),
        ({"palette": np.full((len(REGIONS), 5), 2, np.float32)}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(make, changes: dict, words: str) -> None:
    with pytest.raises(UnrenderError, match=words) as caught:
        make(**changes)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_bundles_without_parts_are_refused_in_a_sentence(folder: Path, tmp_path: Path, monkeypatch) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "bundle.json").write_text(json.dumps({"format": 1, "category": "car"}))
    monkeypatch.setenv(FOLDERS_VARIABLE, f"{folder.parent}")
    for named in (str(plain), "plain"):
        if named == "plain":
            monkeypatch.setenv(FOLDERS_VARIABLE, f"{folder.parent}:{tmp_path}")
        with pytest.raises(BundleError, match="'plain' has no template with parts.*small"):
            pipeline.load_generator(named)
    with pytest.raises(BundleError, match="no weights bundle 'of nothing'.*small"):
        pipeline.load_generator("of nothing")
    half = write_parts_bundle(tmp_path / "half")
    (half / SHAPE_SPACE).unlink()
    with pytest.raises(BundleError, match="has no template with parts"):
        pipeline.load_generator("half")
    (half / PARTS_TEMPLATE).write_bytes(b"torn")
    with pytest.raises(BundleError, match="cannot be used"):
        pipeline.load_generator("half")


def test_a_cards_category_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    folder = write_parts_bundle(tmp_path / "odd", category="../a b")
    assert pipeline.load_generator(str(folder))[1] == "---a-b"


def test_the_worker_loads_no_network_and_the_template_once(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(weights, "load_bundle", None)
    loads = []
    load = pipeline.load_generator
    monkeypatch.setattr(pipeline, "load_generator", lambda name: loads.append(name) or load(name))
    handler = worker.Pipeline().handlers()[GenerateRequest]
    stages = []
    for seed in (1, 2):
        request = GenerateRequest(seed, texture_size=32, bundle=str(folder))
        handler(request, lambda progress: stages.append(progress.stage), lambda: False)
    assert loads == [str(folder)] and stages.count("Loading the weights") == 1
    assert stages.count("Painting the texture") == 2
    with pytest.raises(Cancelled):
        handler(request, lambda progress: None, lambda: True)


def test_a_request_goes_through_the_workers_process(root: Path, folder: Path, tmp_path: Path, make) -> None:
    command = ipc.WorkerCommand([sys.executable, "-m", "backend.worker"], root, tmp_path / "worker.log")
    client = ipc.WorkerClient(command)
    try:
        request = GenerateRequest(7, texture_size=64, bundle=str(folder))
        assert_same(client.wait(client.submit(request)), make(seed=7))
        with pytest.raises(ipc.WorkerError, match="no weights bundle 'of nothing'"):
            client.wait(client.submit(replace(request, bundle="of nothing")))
    finally:
        client.close()


def test_paints_are_those_of_the_street() -> None:
    palettes = [random_palette(np.random.default_rng(seed)) for seed in range(600)]
    values = np.stack([palette.array() for palette in palettes])
    assert values.min() >= 0 and values.max() <= 1
    paint = values[:, REGIONS.index("paint"), :3]
    saturation = 1 - paint.min(axis=1) / paint.max(axis=1)
    colourless = (saturation < 0.25).mean()
    shares = {name: paint.share for name, paint in PAINTS.items()}
    expected = sum(shares[name] for name in ("white", "black", "silver", "grey")) / sum(shares.values())
    assert abs(colourless - expected) < 0.08
    white, red = (paint.min(axis=1) > 0.78).mean(), ((saturation > 0.6) & (paint[:, 0] > 2 * paint[:, 2])).mean()
    assert 0.15 < white < 0.3 and 0.06 < red < 0.2
    second = values[:, REGIONS.index("two_tone"), :3]
    assert 0.08 < (np.abs(second - paint).max(axis=1) > 0).mean() < 0.25
