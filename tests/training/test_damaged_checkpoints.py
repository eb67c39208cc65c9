# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints that are damaged, of other settings, or cannot be written: one sentence, and nothing made is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.errors import OutputError
from backend.training import loop
from backend.training.loop import LoopConfig, run
from scripts.measuring.hostile_training import TinyTask, TinyTraining, checkpoint_of, go_on, train

CONFIG = LoopConfig(steps=6, log_every=2, evaluate_every=6, checkpoint_every=2, tensorboard=False)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A run of four steps."""
    train(tmp_path / "run", 4)
    return tmp_path / "run"


def rewrite(out: Path, change, checked: bool = False) -> None:
    """Changes tensors and metadata of a checkpoint; unless ``checked`` it is as older versions wrote them."""
    path = out / "checkpoint.safetensors"
    data = path.read_bytes()
    metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    tensors = load_file(path)
    if not checked:
        del metadata["checksum"]
    change(tensors, metadata)
    save_file(tensors, path, metadata=metadata)


def some(tensors: dict, start: str) -> str:
    return next(name for name in sorted(tensors) if name.startswith(start))


def test_older_checkpoints_without_a_checksum_go_on_to_the_same_weights(begun: Path, tmp_path: Path) -> None:
    train(tmp_path / "whole", 8)
    rewrite(begun, lambda tensors, metadata: None)
    train(begun, 8)
    assert go_on(checkpoint_of(tmp_path / "whole"), checkpoint_of(begun))


OPTIMISER = "optimizer/network/0/exp_avg"
DAMAGE = {
    "NaN in a network": lambda t, m: t[some(t, "network")].reshape(-1)[:1].fill_(float("nan")),
    "another shape": lambda t, m: t.update({some(t, "network"): torch.zeros(3, 3)}),
    "a network that lacks a weight": lambda t, m: t.pop(some(t, "network")),
    "an optimiser of another shape": lambda t, m: t.update({OPTIMISER: torch.zeros(2, 2)}),
    "moments that are one number": lambda t, m: t.update({OPTIMISER: torch.zeros(())}),
    "a count in a list": lambda t, m: t.update({"optimizer/network/5/step": torch.ones(1)}),
    "an optimiser that is not finite": lambda t, m: t[OPTIMISER].fill_(float("inf")),
    "an optimiser that lacks a slot": lambda t, m: t.pop(OPTIMISER),
    "an optimiser of more weights": lambda t, m: t.update({"optimizer/network/99/step": torch.zeros(())}),
    "an optimiser of named weights": lambda t, m: t.update({"optimizer/network/x/step": torch.zeros(())}),
    "no random state": lambda t, m: t.pop("random/own"),
    "a random state of floats": lambda t, m: t.update({"random/own": torch.zeros(5056)}),
    "a short random state": lambda t, m: t.update({"random/torch": t["random/torch"][:100].clone()}),
    "no step": lambda t, m: m.pop("step"),
    "a step that is a word": lambda t, m: m.update(step="four"),
    "a step below 0": lambda t, m: m.update(step="-4"),
    "seconds without end": lambda t, m: m.update(seconds="inf"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_refused_in_one_sentence_and_the_file_stays(begun: Path, name: str) -> None:
    rewrite(begun, DAMAGE[name])
    before = (begun / "checkpoint.safetensors").read_bytes()
    with pytest.raises(ValueError, match="checkpoint.safetensors is damaged or of another configuration") as caught:
        train(begun, 8)
    assert "\n" not in str(caught.value) and str(caught.value).endswith("in another folder.")
    assert (begun / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize("what", ["a number", "the step"])
def test_a_checksum_tells_what_nothing_else_would(begun: Path, what: str) -> None:
    def change(tensors: dict, metadata: dict) -> None:
        if what == "a number":
            tensors[some(tensors, "network")].reshape(-1)[0] += 1e-6
        else:
            metadata["step"] = "3"

    rewrite(begun, change, checked=True)
    with pytest.raises(ValueError, match="its content is not what was written"):
        train(begun, 8)


def test_a_run_that_is_further_than_asked_for_is_at_its_end(begun: Path) -> None:
    before = checkpoint_of(begun)
    train(begun, 2)
    assert go_on(before, checkpoint_of(begun))


class Unjudgeable(TinyTask):
    def evaluate(self, step: int, folder: Path) -> dict[str, float]:
        raise ValueError("At least 2 samples are needed, not 1")


def test_what_cannot_be_judged_is_saved_first(tmp_path: Path) -> None:
    few = replace(CONFIG, checkpoint_every=100)
    with pytest.raises(OutputError, match="Step 6 is made, but cannot be judged or logged .At least 2 samples"):
        run(Unjudgeable(), few, tmp_path, resume=False, describe=TinyTraining())
    assert loop.load_checkpoint(tmp_path / "checkpoint.safetensors", TinyTask())[0] == 6


def test_a_full_disk_ends_in_a_sentence_and_the_checkpoint_before_is_whole(tmp_path: Path, monkeypatch) -> None:
    written = loop.write_tensors

    def full(path: Path, tensors: dict, metadata: dict) -> None:
        if metadata["step"] == "4":
            path.with_name("checkpoint.safetensors.part").write_bytes(b"half")
            path.with_name("checkpoint.safetensors.part").unlink()
            raise OSError(28, "No space left on device")
        written(path, tensors, metadata)

    monkeypatch.setattr(loop, "write_tensors", full)
    sentence = "The checkpoint of step 4 cannot be written .*No space left on device.*before it is whole; make room"
    with pytest.raises(OutputError, match=sentence):
        run(TinyTask(), CONFIG, tmp_path, resume=False, describe=TinyTraining())
    monkeypatch.undo()
    assert loop.load_checkpoint(tmp_path / "checkpoint.safetensors", TinyTask())[0] == 2
    run(TinyTask(), CONFIG, tmp_path, resume=True, describe=TinyTraining())
    assert loop.load_checkpoint(tmp_path / "checkpoint.safetensors", TinyTask())[0] == 6
