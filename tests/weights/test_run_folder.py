# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of training are read like bundles: their networks, their settings, and how far they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.common.bundle_files import BUNDLED, CARD, GENERATOR, INVERSE_GRAPHICS
from backend.errors import BundleError
from backend.models.storage import write_tensors
from backend.models.stylegan2 import Generator, GeneratorConfig, save_generator
from backend.training.inverse_graphics.free_cameras import PRESETS
from backend.weights.bundle import load_bundle
from backend.weights.generator_bundle import whole
from backend.weights.run_folder import (
    CHECKPOINT,
    CONFIG,
    LOG,
    Run,
    checkpoint_networks,
    load_bundle_or_run,
    load_generator_or_run,
    load_network,
)
from tests.helpers.shared_views import shaped, textured, write_knowing_network

WIDE = {"resolution": 16, "aspect": 2.0, "alpha": "plain"}


@pytest.fixture(scope="module")
def network_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("runs") / "wagons"
    torch.manual_seed(0)
    write_knowing_network(folder, shaped(rng), textured(rng), PRESETS["tiny"].network)
    (folder / CONFIG).write_text(json.dumps({"category": "wagon", "batch": 4}))
    return folder


@pytest.fixture
def generator_run(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    folder = tmp_path / "pictures"
    folder.mkdir()
    network = Generator(GeneratorConfig(resolution=16, z_dim=6, w_dim=5, mapping_layers=2, channels=(6, 5, 4)))
    save_generator(folder / GENERATOR, network)
    (folder / CONFIG).write_text(json.dumps({"batch": 8, "images": WIDE}))
    return folder


def test_a_run_is_taken_for_a_bundle_with_the_default_bundles_segmenter(network_run: Path) -> None:
    loaded = load_bundle_or_run(str(network_run))
    network, template = load_network(str(network_run))
    assert (loaded.name, loaded.info["category"]) == ("wagons", "wagon")
    assert np.array_equal(loaded.template.vertices, template.vertices)
    for name, value in network.state_dict().items():
        assert torch.equal(value, loaded.inverse_graphics.state_dict()[name]), name
    for name, value in load_bundle("car").segmenter.state_dict().items():
        assert torch.equal(value, loaded.segmenter.state_dict()[name]), name


def test_bundles_are_read_as_ever(tmp_path: Path) -> None:
    for name in ("car", str(BUNDLED / "car")):
        assert load_bundle_or_run(name).info == load_bundle("car").info
    with pytest.raises(BundleError, match="There is no weights bundle"):
        load_bundle_or_run(str(tmp_path))


def test_a_damaged_run_is_one_sentence(network_run: Path, tmp_path: Path) -> None:
    for path in network_run.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / CONFIG).write_text("{")
    with pytest.raises(BundleError, match=f"^{tmp_path} does not hold a usable run: "):
        load_bundle_or_run(str(tmp_path))
    (tmp_path / INVERSE_GRAPHICS).write_bytes(b"cut short")
    with pytest.raises(BundleError, match="The network in .* cannot be used"):
        load_bundle_or_run(str(tmp_path))


def test_a_generators_run_says_which_part_of_the_square_is_the_picture(generator_run: Path) -> None:
    for named in (generator_run, generator_run / GENERATOR):
        loaded = load_generator_or_run(named)
        assert (loaded.name, loaded.content, loaded.info) == ("pictures", (4, 0, 8, 16), {"images": WIDE})


def test_a_generator_that_is_of_no_run_is_all_picture(generator_run: Path) -> None:
    (generator_run / CONFIG).write_text(json.dumps({"model_type": "of another program"}))
    assert load_generator_or_run(generator_run / GENERATOR).content == whole(16)
    (generator_run / CONFIG).unlink()
    assert load_generator_or_run(generator_run / GENERATOR).content == whole(16)
    with pytest.raises(BundleError, match="no bundle"):
        load_generator_or_run(generator_run)


def test_a_card_makes_a_folder_a_bundle(generator_run: Path) -> None:
    block = {"resolution": 16, "content": [0, 0, 16, 16]}
    (generator_run / CARD).write_text(json.dumps({"format": 1, "name": "tiny", "generator": block}))
    loaded = load_generator_or_run(generator_run)
    assert (loaded.name, loaded.content) == ("tiny", whole(16))


def test_settings_of_another_version_are_one_sentence(generator_run: Path) -> None:
    for content in ('{"images": {}}', '{"images": {"aspect": "wide"}}', "[1]", ""):
        (generator_run / CONFIG).write_text(content)
        with pytest.raises(BundleError, match=f"^{generator_run} does not hold a usable run: "):
            load_generator_or_run(generator_run)


def test_a_log_cut_short_by_a_kill_gives_what_it_has(generator_run: Path) -> None:
    lines = [
        {"step": 5, "loss": 1.0, "seconds": 9.6},
        {"step": 5, "validation/iou": 0.5},
        {"step": 10, "validation/iou": 0.75},
    ]
    (generator_run / LOG).write_text("\n".join(map(json.dumps, lines)) + '\n{"step": 15, "val')
    run = Run.read(generator_run)
    assert run.records() == lines
    assert run.progress() == {"steps": 10, "kimg": 0.08, "seconds": 10}
    assert run.last_figures() == {"step": 10, "iou": 0.75}
    assert run.last_figures(9) == {"step": 5, "iou": 0.5}
    assert run.last_figures(4) == {}


def test_the_checkpoint_knows_better_than_the_log_how_far_the_weights_are(generator_run: Path) -> None:
    (generator_run / LOG).write_text('{"step": 500, "seconds": 1000}\n')
    tensors = {
        "network/average/const": torch.ones(2),
        "network/generator/const": torch.zeros(2),
        "network/generator/blocks.0.weight": torch.zeros(3),
        "optimizer/generator/0/exp_avg": torch.zeros(2),
    }
    write_tensors(generator_run / CHECKPOINT, tensors, {"step": "250", "seconds": "61.5"})
    assert Run.read(generator_run).progress() == {"steps": 250, "kimg": 2.0, "seconds": 62}
    held = checkpoint_networks(generator_run)
    assert {name: set(state) for name, state in held.items()} == {
        "average": {"const"},
        "generator": {"const", "blocks.0.weight"},
    }
    assert held["average"]["const"].tolist() == [1, 1]
