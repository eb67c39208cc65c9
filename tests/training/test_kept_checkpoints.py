# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints before the last one: how many stay, that a run goes on from one, and that they never cost the last."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from backend.errors import OutputError
from backend.training import checkpoints, loop
from backend.training.loop import LoopConfig, run
from scripts.measuring.hostile_training import TinyTask, TinyTraining, checkpoint_of, go_on

STEPS = 8


def trained(out: Path, kept: int, *, resume: bool = False) -> None:
    config = LoopConfig(STEPS, log_every=4, evaluate_every=8, checkpoint_every=2, tensorboard=False, kept=kept)
    run(TinyTask(), config, out, resume=resume, describe=TinyTraining())


def steps_of(out: Path) -> list[int]:
    return [int(path.stem) for path in checkpoints.kept(out / "checkpoint.safetensors")]


@pytest.mark.parametrize(("kept", "steps"), [(0, []), (1, [6]), (2, [4, 6]), (9, [2, 4, 6])])
def test_so_many_checkpoints_stay_beside_the_last(tmp_path: Path, kept: int, steps: list[int]) -> None:
    trained(tmp_path, kept)
    assert steps_of(tmp_path) == steps


@pytest.mark.parametrize("links", [True, False])
def test_a_run_goes_on_from_one_of_them_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.EPERM, "no such names here")

    if not links:
        monkeypatch.setattr(checkpoints.os, "link", none)
    trained(tmp_path, 2)
    wanted = {name: value.clone() for name, value in checkpoint_of(tmp_path).items()}  # the file is written over
    checkpoints.kept(tmp_path / "checkpoint.safetensors")[0].replace(tmp_path / "checkpoint.safetensors")
    trained(tmp_path, 2, resume=True)
    assert go_on(wanted, checkpoint_of(tmp_path))


def test_a_damaged_checkpoint_is_refused_with_the_one_before_as_the_remedy(tmp_path: Path) -> None:
    trained(tmp_path, 1)
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:-8] + b"\xff" * 8)
    with pytest.raises(ValueError, match=r"or move .*checkpoints.00000006\.safetensors over it"):
        trained(tmp_path, 1, resume=True)
    (tmp_path / "checkpoints" / "00000006.safetensors").replace(file)
    trained(tmp_path, 1, resume=True)


def test_where_there_is_no_room_those_before_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save, full = loop.save_checkpoint, [False]

    def with_little_room(path: Path, *arguments: object) -> None:
        if full[0] and checkpoints.kept(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        save(path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "save_checkpoint", with_little_room)
    full[0] = True
    trained(tmp_path, 2)
    assert (
        steps_of(tmp_path) == [] and loop.load_checkpoint(tmp_path / "checkpoint.safetensors", TinyTask())[0] == STEPS
    )


def test_where_there_is_none_at_all_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    trained(tmp_path, 1)
    monkeypatch.setattr(loop, "save_checkpoint", full)
    (tmp_path / "checkpoint.safetensors").write_bytes((tmp_path / "checkpoints" / "00000006.safetensors").read_bytes())
    with pytest.raises(OutputError, match="the checkpoint before it is whole; make room"):
        trained(tmp_path, 1, resume=True)
