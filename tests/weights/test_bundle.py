# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles that share a segmenter, networks in 8 bits, and the script that puts trained networks of Image to 3D in."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from backend.commands import build_bundle
from backend.common.bundle_files import (
    BUNDLED,
    CARD,
    FOLDERS_VARIABLE,
    GENERATOR,
    PARTS_NETWORK,
    SEGMENTER,
    SHAPE_GENERATOR,
)
from backend.common.records import DEFAULT_BUNDLE, ReconstructRequest
from backend.errors import BundleError
from backend.models.parts_network import PartsNetwork, PartsNetworkConfig, load_parts_network, save_parts_network
from backend.models.segmenter import Segmenter, SegmenterConfig, save_segmenter
from backend.models.storage import read_tensors, save_network
from backend.training.inverse_graphics.free_cameras import PRESETS, train
from backend.training.inverse_graphics.view_cameras import read_cameras
from backend.weights.bundle import load_bundle, read_card, segmenter_file
from backend.weights.generator_bundle import load_generator_bundle
from tests.helpers.shape_samples import shape_generator
from tests.helpers.shared_views import write_gan_views
from tests.helpers.stylegan2_samples import tiny_generator

CAR = BUNDLED / "car"


@pytest.fixture
def user(tmp_path: Path, monkeypatch) -> Path:
    """The user's folder of bundles."""
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setenv(FOLDERS_VARIABLE, str(folder))
    return folder


def without_segmenter(folder: Path, **card) -> Path:
    """The networks of the bundled cars but the segmenter, under such a card."""
    folder.mkdir()
    for path in CAR.iterdir():
        if path.name not in (CARD, SEGMENTER, GENERATOR):
            (folder / path.name).symlink_to(path)
    (folder / CARD).write_text(json.dumps({"format": 1, "name": folder.name, "category": "car", **card}))
    return folder


def small_segmenter(path: Path) -> None:
    torch.manual_seed(0)
    save_segmenter(path, Segmenter(SegmenterConfig(resolution=64, channels=(8, 8, 8, 8), blocks=(1, 1, 1, 1))))


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(value, b.state_dict()[name]) for name, value in a.state_dict().items())


# Shared segmenters


def test_a_bundle_uses_the_segmenter_of_the_one_that_its_card_names(user: Path) -> None:
    folder = without_segmenter(user / "car-gan", segmenter="car")
    car = load_bundle("car")
    for source in ("car-gan", str(folder)):
        loaded = load_bundle(source)
        assert loaded.name == "car-gan" and same(loaded.segmenter, car.segmenter)


def test_its_own_segmenter_comes_first(user: Path) -> None:
    folder = without_segmenter(user / "car-gan", segmenter="car")
    small_segmenter(folder / SEGMENTER)
    assert load_bundle("car-gan").segmenter.config.channels == (8, 8, 8, 8)


def test_the_named_bundle_may_be_one_of_the_user_with_nothing_else(user: Path) -> None:
    (user / "cutter").mkdir()
    (user / "cutter" / CARD).write_text('{"format": 1}')
    small_segmenter(user / "cutter" / SEGMENTER)
    without_segmenter(user / "car-gan", segmenter="cutter")
    assert load_bundle("car-gan").segmenter.config.resolution == 64


@pytest.mark.parametrize(
    "name", ["chair", "", "../car", str(CAR), "car/../car", ".", ["car"], {"car": 1}, 7, "car-gan"]
)
def test_a_segmenter_that_is_not_at_hand_is_one_sentence(user: Path, name) -> None:
    folder = without_segmenter(user / "car-gan", segmenter=name)
    with pytest.raises(BundleError, match="shares the segmenter of a bundle .* those that have one are car") as caught:
        load_bundle(str(folder))
    assert "\n" not in str(caught.value)


def test_references_are_not_followed_from_bundle_to_bundle(user: Path) -> None:
    without_segmenter(user / "middle", segmenter="car")
    without_segmenter(user / "end", segmenter="middle")
    assert load_bundle("middle").segmenter is not None
    with pytest.raises(BundleError, match="segmenter of a bundle 'middle'"):
        load_bundle("end")


def test_a_bundle_without_any_segmenter_is_one_sentence(user: Path) -> None:
    without_segmenter(user / "chair")
    with pytest.raises(BundleError, match=r"chair cannot be used: .*segmenter.safetensors cannot be read"):
        load_bundle("chair")


def test_the_default_bundle_is_the_one_of_cars() -> None:
    assert ReconstructRequest("photo.jpg").bundle == DEFAULT_BUNDLE == "car" and (CAR / CARD).exists()


# build_bundle.py


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of training on views whose cameras nobody measured, of a few steps."""
    folder = tmp_path_factory.mktemp("runs")
    write_gan_views(folder / "data")
    tiny = PRESETS["tiny"]
    loop = replace(tiny.loop, steps=2, log_every=1, evaluate_every=2, checkpoint_every=2, tensorboard=False)
    config = replace(tiny, loop=loop, bfloat16=False, batch=4, render_batch=4, render_size=24)
    train(config, folder / "data", folder / "first", resume=False, device=torch.device("cpu"))
    return folder / "first"


def build(run: Path, out: Path, *further: str) -> dict:
    assert build_bundle.main(["--inverse-graphics", str(run), "--out", str(out), *further]) == 0
    return json.loads((out / CARD).read_text())


def test_a_run_on_unknown_cameras_becomes_a_bundle(run: Path, user: Path) -> None:
    texts = ["--title", "Cars, learned from pictures", "--description", "No renders", "--data-note", "made pictures"]
    card = build(run, user / "car-gan", "--segmenter", "car", *texts)
    assert {path.name for path in (user / "car-gan").iterdir()} == {
        CARD, "inverse_graphics.safetensors", "template.npz",
    }  # fmt: skip
    assert (card["title"], card["description"], card["data"]) == (texts[1], texts[3], "made pictures")
    assert card["segmenter"] == "car" and card["training"]["steps"] == 2 and card["metrics"]["step"] == 2
    cameras = card["training"]["cameras"]
    assert cameras["views"] == len(read_cameras(run / "cameras.json")) == 3 and cameras["mean_change_deg"] >= 0
    loaded = load_bundle("car-gan")
    trained = load_file(run / "inverse_graphics.safetensors")
    for name, value in loaded.inverse_graphics.state_dict().items():
        assert torch.equal(value, trained[name].to(value.dtype)), name


def test_a_segmenters_file_is_copied(run: Path, tmp_path: Path) -> None:
    small_segmenter(tmp_path / "mine.safetensors")
    card = build(run, tmp_path / "box", "--segmenter", str(tmp_path / "mine.safetensors"))
    assert "segmenter" not in card
    assert (tmp_path / "box" / SEGMENTER).read_bytes() == (tmp_path / "mine.safetensors").read_bytes()


def test_building_again_keeps_what_is_not_named(run: Path, user: Path) -> None:
    out = user / "car-gan"
    first = build(run, out, "--segmenter", "car", "--title", "A", "--notes", "old")
    shutil.copy(CAR / GENERATOR, out)
    generator = json.loads((CAR / CARD).read_text())["generator"]
    (out / CARD).write_text(json.dumps({**first, "generator": generator}))
    second = build(run, out, "--description", "B")
    assert second == {**first, "description": "B", "generator": generator, "notes": ""}
    assert load_generator_bundle("car-gan").generator is not None


def test_a_network_is_built_and_stored_anew_in_8_bits(run: Path, user: Path, capsys) -> None:
    card = build(run, user / "half", "--segmenter", "car")
    small = build(run, user / "small", "--segmenter", "car", "--precision", "int8")
    assert build_bundle.main(["--out", str(user / "half"), "--precision", "int8"]) == 0
    assert "became" in capsys.readouterr().out
    file = "inverse_graphics.safetensors"
    anew, built = load_file(user / "half" / file), load_file(user / "small" / file)
    assert torch.int8 in {value.dtype for value in anew.values()} and anew.keys() == built.keys()
    # One comes from half precision and the other from the checkpoint: now and then they round to either side.
    assert all((a.double() - built[name].double()).abs().max() <= 1 for name, a in anew.items())
    assert json.loads((user / "half" / CARD).read_text()) == card == {**small, "name": "half"}
    assert load_bundle("half").inverse_graphics is not None


@pytest.fixture
def copied(user: Path) -> Path:
    """A copy of the bundled cars under the user's folder."""
    return Path(shutil.copytree(CAR, user / "mine"))


def small_parts_network(path: Path, code_size: int = 96) -> None:
    torch.manual_seed(0)
    config = PartsNetworkConfig(64, channels=(8, 16, 16), blocks=(1, 1, 1), hidden=80, code_size=code_size)
    save_parts_network(path, PartsNetwork(config))


def test_every_network_of_a_bundle_is_stored_anew_and_one_in_8_bits_already_stays(copied: Path, capsys) -> None:
    save_network(copied / GENERATOR, small := tiny_generator(), small.config, precision="half")
    small_segmenter(copied / SEGMENTER)
    small_parts_network(copied / PARTS_NETWORK)
    shapes = shape_generator()
    save_network(copied / SHAPE_GENERATOR, shapes, shapes.config, precision="half", more={"pictures": "kept"})
    before = {path.name: path.read_bytes() for path in copied.iterdir()}
    assert build_bundle.main(["--out", str(copied), "--precision", "int8"]) == 0
    out = capsys.readouterr().out
    assert all(f"{Path(name).stem}: " in out for name in build_bundle.STORED_ANEW)
    after = {path.name: path.read_bytes() for path in copied.iterdir()}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {GENERATOR, SEGMENTER, PARTS_NETWORK, SHAPE_GENERATOR}
    assert read_tensors(copied / SHAPE_GENERATOR)[1]["pictures"] == "kept"
    assert all(read_tensors(copied / name)[1]["precision"] == "int8" for name in build_bundle.STORED_ANEW)


def test_a_network_for_objects_with_parts_is_put_beside_their_template_in_8_bits(copied: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    small_parts_network(run / PARTS_NETWORK)
    (run / "config.json").write_text('{"drawn": 6, "rendered": 4, "photographed": 2, "domain": 0.6, "seed": 3}')
    log = [{"step": 20, "seconds": 9.0}, {"step": 20, "validation/street_flips": 0.25}]
    (run / "log.jsonl").write_text("\n".join(map(json.dumps, log)))
    before = read_card(copied)
    texts = ["--data-note", "drawn cars", "--notes", "a note", "--licence", "CC0-1.0"]
    assert build_bundle.main(["--parts", str(run), "--out", str(copied), *texts]) == 0
    card = read_card(copied)
    assert card.pop("parts_network") == {
        "data": "drawn cars",
        "licence": "CC0-1.0",
        "training": {"steps": 20, "seconds": 9, "drawn": 6, "rendered": 4, "photographed": 2, "domain": 0.6, "seed": 3},
        "metrics": {"step": 20, "street_flips": 0.25},
        "notes": "a note",
    }
    assert card == {name: value for name, value in before.items() if name != "parts_network"}
    crops = torch.rand(2, 4, 64, 64, generator=torch.Generator().manual_seed(1))
    stored, given = (load_parts_network(folder / PARTS_NETWORK)(crops) for folder in (copied, run))
    assert read_tensors(copied / PARTS_NETWORK)[1]["precision"] == "int8"
    assert 0 < (stored.azimuth_logits - given.azimuth_logits).abs().max() < 0.05


def test_a_network_for_objects_with_parts_needs_their_template_and_its_codes(
    copied: Path, tmp_path: Path, capsys
) -> None:
    before = {path.name: path.read_bytes() for path in copied.iterdir()}
    small_parts_network(tmp_path / "short.safetensors", code_size=12)
    small_parts_network(tmp_path / "fits.safetensors")
    (tmp_path / "bare").mkdir()
    shutil.copy(CAR / CARD, tmp_path / "bare")
    for source, out, message in (
        (tmp_path / "short.safetensors", copied, "codes have 96 numbers and not 12: train it with this bundle"),
        (copied / SEGMENTER, copied, "segmenter.safetensors holds no network for objects with parts"),
        (tmp_path / "fits.safetensors", tmp_path / "bare", "has no template with parts: make it first"),
    ):
        assert build_bundle.main(["--parts", str(source), "--out", str(out)]) == 1
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == before
    assert [path.name for path in (tmp_path / "bare").iterdir()] == [CARD]


def test_a_segmenter_alone_replaces_that_of_a_bundle_and_a_shared_one(user: Path, tmp_path: Path) -> None:
    folder = without_segmenter(user / "car-gan", segmenter="car", data="renders")
    small_segmenter(tmp_path / "mine.safetensors")
    command = ["--segmenter", str(tmp_path / "mine.safetensors"), "--out", str(folder), "--data-note", "photographs"]
    assert build_bundle.main(command) == 0
    card = read_card(folder)
    assert "segmenter" not in card and card["data"] == "renders"
    assert card["segmenter_network"]["data"] == "photographs"
    assert load_bundle("car-gan").segmenter.config.resolution == 64


def test_a_new_network_for_image_to_3d_keeps_what_the_card_says_of_the_others(run: Path, copied: Path) -> None:
    blocks = {name: {"data": name} for name in ("generator", "parts", "parts_network", "segmenter_network")}
    (copied / CARD).write_text(json.dumps({**read_card(copied), **blocks}))
    card = build(run, copied, "--data-note", "new")
    assert card["data"] == "new" and card.items() >= blocks.items()


def test_texts_alone_can_be_changed(tmp_path: Path) -> None:
    out = tmp_path / "car"
    out.mkdir()
    shutil.copy(CAR / CARD, out)
    before = read_card(out)
    assert build_bundle.main(["--out", str(out), "--title", "Cars", "--description", "Rendered ones"]) == 0
    after = json.loads((out / CARD).read_text())
    assert after == {**before, "title": "Cars", "description": "Rendered ones"}
    assert list(after).index("title") == list(after).index("name") + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--segmenter", "nothing"], "no file and no bundle with a segmenter 'nothing'"),
        (["--segmenter", "../car"], "no file and no bundle with a segmenter '../car'"),
        (["--segmenter", str(CAR / "template.npz")], "template.npz holds no segmenter"),
        (["--segmenter", str(CAR / "inverse_graphics.safetensors")], "holds no segmenter"),
    ],
)
def test_a_segmenter_that_is_none_leaves_no_bundle(run: Path, tmp_path: Path, capsys, arguments, message) -> None:
    out = tmp_path / "out"
    assert build_bundle.main(["--inverse-graphics", str(run), "--out", str(out), *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not out.exists()


def test_a_segmenter_in_the_way_of_a_shared_one_is_named(run: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "box"
    small_segmenter(out / SEGMENTER)
    assert build_bundle.main(["--inverse-graphics", str(run), "--out", str(out), "--segmenter", "car"]) == 1
    assert "has a segmenter of its own" in capsys.readouterr().err and not (out / CARD).exists()
    assert segmenter_file(out, {"segmenter": "car"}) == out / SEGMENTER


def test_what_cannot_be_stored_anew_is_one_sentence(tmp_path: Path, capsys) -> None:
    for further in (["--precision", "int8"], ["--title", "A"]):
        assert build_bundle.main(["--out", str(tmp_path / "none"), *further]) == 1
        assert "cannot be used" in capsys.readouterr().err
    shutil.copy(CAR / CARD, tmp_path)
    assert build_bundle.main(["--out", str(tmp_path), "--precision", "int8"]) == 1
    assert "cannot be stored anew" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        build_bundle.main(["--out", str(tmp_path), "--segmenter", "car"])
