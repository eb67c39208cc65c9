# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop around a training task: progress as lines of JSON, the log, and losses that are no longer finite."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path

import pytest
import torch

from backend.common import run_files
from backend.common.progress import Report, json_lines, parse_line
from backend.errors import OutOfMemory, OutputError
from backend.training import loop
from backend.training.loop import LoopConfig, Progress, Task, run

CONFIG = LoopConfig(steps=6, log_every=2, evaluate_every=3, checkpoint_every=3, tensorboard=False)


class Halving(Task):
    """A weight that halves with every step."""

    def __init__(self) -> None:
        self.weight = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.ones_(self.weight.weight)
        self.networks = {"weight": self.weight}
        self.optimizers = {}
        self.generator = torch.Generator().manual_seed(0)

    def step(self, step: int) -> dict[str, torch.Tensor]:
        loss = self.weight.weight.detach().sum().clone()
        self.weight.weight.data /= 2
        return {"size": loss}

    def evaluate(self, step: int, folder: Path) -> dict[str, float]:
        return {"error": float(self.weight.weight.detach())}


def reported(out: Path, **options) -> list[Report]:
    stream = io.StringIO()
    with json_lines(stream):
        run(Halving(), CONFIG, out, resume=(out / "checkpoint.safetensors").exists(), describe=CONFIG, **options)
    reports = [parse_line(line) for line in stream.getvalue().splitlines()]
    return [report for report in reports if report]


def test_progress_begins_at_the_first_step_and_ends_with_all_figures(tmp_path: Path) -> None:
    first, *_, last = reported(tmp_path / "car", progress=Progress("kimg", 0.008))
    assert first == Report("Training car", 0, 0, 6)
    assert (last.stage, last.fraction, last.step, last.steps) == ("Training car", 1, 6, 6)
    assert last.figures == {"size": (2**-4 + 2**-5) / 2, "validation/error": 2**-6}


def test_a_training_that_is_gone_on_with_reports_the_steps_before(tmp_path: Path) -> None:
    run(Halving(), LoopConfig(**{**vars(CONFIG), "steps": 3}), tmp_path, resume=False, describe=CONFIG)
    assert reported(tmp_path)[0].step == 3


def test_only_the_process_that_writes_reports(tmp_path: Path) -> None:
    assert reported(tmp_path, writes=False) == []
    assert not (tmp_path / "log.jsonl").exists()


def test_the_log_has_means_of_the_steps_since_its_last_entry(tmp_path: Path) -> None:
    run(Halving(), CONFIG, tmp_path, resume=False, describe=CONFIG)
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    sizes = {entry["step"]: entry["size"] for entry in entries if "size" in entry}
    assert sizes == {2: 0.75, 4: 0.1875, 6: pytest.approx(0.046875)}
    assert [entry["step"] for entry in entries if "validation/error" in entry] == [3, 6]


def test_losses_that_are_no_longer_finite_end_a_training(tmp_path: Path) -> None:
    task = Halving()
    task.weight.weight.data.fill_(float("inf"))
    with pytest.raises(FloatingPointError, match="no longer finite at step 2; lower the learning rate"):
        run(task, CONFIG, tmp_path, resume=False, describe=CONFIG)


class Asked(Halving):
    """Somebody asks for a stop while step 3 is under way."""

    def __init__(self, out: Path) -> None:
        super().__init__()
        self.out = out

    def step(self, step: int) -> dict[str, torch.Tensor]:
        if step == 3:
            run_files.ask_to_stop(self.out)
        return super().step(step)


def test_a_stop_file_saves_what_was_done_and_the_run_goes_on_from_there(tmp_path: Path) -> None:
    config = LoopConfig(**{**vars(CONFIG), "checkpoint_every": 100})
    with pytest.raises(run_files.Stopped):
        run(Asked(tmp_path), config, tmp_path, resume=False, describe=config)
    assert not run_files.stop_file(tmp_path).exists()
    rest = Halving()
    assert loop.load_checkpoint(tmp_path / "checkpoint.safetensors", rest)[0] == 4
    run(rest, config, tmp_path, resume=True, describe=config)
    assert float(rest.weight.weight.detach()) == 2**-6


def test_a_stop_that_comes_with_the_last_step_is_an_end(tmp_path: Path) -> None:
    config = LoopConfig(**{**vars(CONFIG), "steps": 4})
    assert run(Asked(tmp_path), config, tmp_path, resume=False, describe=config) == {"error": 2**-4}


class Exporting(Halving):
    """Writes its weight as a text with every checkpoint, unless somebody pulls the plug first or the disk is full."""

    def __init__(self, failure: BaseException | None = None) -> None:
        super().__init__()
        self.failure = failure

    def export(self, folder: Path) -> None:
        if self.failure is not None:
            raise self.failure
        (folder / "weight.txt").write_text(str(float(self.weight.weight.detach())))


@pytest.mark.parametrize("steps", [3, 6])
def test_what_a_kill_kept_from_being_exported_is_exported_when_the_run_goes_on(tmp_path: Path, steps: int) -> None:
    config = LoopConfig(**{**vars(CONFIG), "steps": steps, "checkpoint_every": 3})
    with pytest.raises(KeyboardInterrupt):
        run(Exporting(KeyboardInterrupt()), config, tmp_path, resume=False, describe=config)
    assert not (tmp_path / "weight.txt").exists()
    run(Exporting(), config, tmp_path, resume=True, describe=config)
    assert float((tmp_path / "weight.txt").read_text()) == 2**-steps


def test_an_export_that_finds_no_room_says_that_the_checkpoint_is_saved(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OutputError, match=r"step 3 is saved, but .*\(No space left on device\): make room .*--resume"):
        run(Exporting(full), CONFIG, tmp_path, resume=False, describe=CONFIG)
    assert loop.load_checkpoint(tmp_path / "checkpoint.safetensors", Halving())[0] == 3


def test_a_checkpoint_is_not_replaced_by_weights_that_are_not_finite(tmp_path: Path) -> None:
    task = Halving()
    loop.save_checkpoint(tmp_path / "checkpoint.safetensors", task, 5)
    task.weight.weight.data.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="weights are no longer finite at step 6"):
        loop.save_checkpoint(tmp_path / "checkpoint.safetensors", task, 6)
    assert loop.load_checkpoint(tmp_path / "checkpoint.safetensors", Halving())[0] == 5


class Hungry(Halving):
    """A step that asks for more than there is."""

    def step(self, step: int) -> dict[str, torch.Tensor]:
        if step == 4:
            torch.empty(1 << 60, dtype=torch.uint8)
        return super().step(step)


def test_memory_that_runs_out_in_a_step_is_told_and_the_checkpoint_before_is_whole(tmp_path: Path) -> None:
    with pytest.raises(OutOfMemory, match="not enough memory for step 5, and the checkpoint before it is whole"):
        run(Hungry(), CONFIG, tmp_path, resume=False, describe=CONFIG)
    rest = Halving()
    assert loop.load_checkpoint(tmp_path / "checkpoint.safetensors", rest)[0] == 3
    run(rest, CONFIG, tmp_path, resume=True, describe=CONFIG)
    assert float(rest.weight.weight.detach()) == 2**-6
