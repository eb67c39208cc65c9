# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop that every training task runs in: steps, progress, logs, checkpoints, exact resume.

A task knows its networks, its optimiser and how to make one step; the loop knows nothing of either. A checkpoint is
one safetensors file with all tensors (weights, moving averages, optimiser, random states) and its counters in the
metadata. Stopping at any moment, also by a kill, loses at most the steps since the last checkpoint; a file ``stop`` in
the run's folder has it save after the step that is under way, and stop.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ..common import memory
from ..common.files import write_text
from ..common.run_files import Stopped, stop_file, stop_is_asked
from ..errors import OutOfMemory, OutputError
from ..models.storage import checksum, read_tensors, unfitting, write_tensors
from ..progress_bar import Bar
from . import checkpoints
from .distributed import any_process, is_alone


@dataclass(frozen=True)
class LoopConfig:
    """How long to train and how often to look."""

    steps: int = 1000
    """Number of steps of the whole training, those before a resumption included."""
    log_every: int = 50
    """Number of steps between two entries of losses in the log."""
    evaluate_every: int = 500
    """Number of steps between two evaluations."""
    checkpoint_every: int = 250
    """Number of steps between two checkpoints."""
    tensorboard: bool = True
    """Whether a log for TensorBoard is written where that is installed."""
    kept: int = 1
    """Number of checkpoints that stay beside the last one, in the run's folder ``checkpoints``."""


class Task(ABC):
    """What the loop needs of a training task."""

    networks: dict[str, nn.Module]
    """Networks by name, the moving average among them."""
    optimizers: dict[str, torch.optim.Optimizer]
    """Optimisers by name."""
    generator: torch.Generator
    """Generator of all random numbers of a step."""

    @abstractmethod
    def step(self, step: int) -> dict[str, Tensor]:
        """Makes one step and returns its losses, detached, without waiting for the device."""

    @abstractmethod
    def evaluate(self, step: int, folder: Path) -> dict[str, float]:
        """Returns figures on held-out data; may write pictures to the folder."""

    def sheets(self) -> dict[str, np.ndarray]:
        """Returns pictures (H, W, 3) uint8 by name, which go to the run's folder and TensorBoard at each evaluation."""
        return {}

    def kept(self) -> dict[str, Tensor]:
        """Returns what a checkpoint holds besides networks, optimisers and the generator's state."""
        return {}

    def restore(self, kept: dict[str, Tensor]) -> None:  # noqa: B027 - most tasks keep nothing more
        """Takes back what :meth:`kept` gave."""

    def export(self, folder: Path) -> None:  # noqa: B027 - nor export anything before the end
        """Writes, with every checkpoint, the files for which the network is trained."""


@dataclass(frozen=True)
class Progress:
    """What the progress bar counts."""

    unit: str = "step"
    """Name of the unit."""
    per_step: float = 1.0
    """Number of units of one step."""


STEPS = Progress()


def run(
    task: Task,
    config: LoopConfig,
    out: Path,
    *,
    resume: bool,
    describe: Any,
    progress: Progress = STEPS,
    writes: bool = True,
) -> dict[str, float]:
    """Trains until ``config.steps``; returns the last evaluation.

    ``describe`` is the task's config dataclass, written to ``config.json``. Of several processes that train together
    only one ``writes`` files and shows its progress. Raises ValueError for a damaged checkpoint, FileExistsError where
    a run lies in ``out`` that was not asked to be resumed, and :class:`Stopped` after a stop that was asked for.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.safetensors"
    if checkpoint.exists() and not resume:
        raise FileExistsError(f"A training run lies in {out} already; add --resume to continue it or choose another.")
    first, before = load_checkpoint(checkpoint, task) if checkpoint.exists() else (0, 0.0)
    logger = _Logger(out, config.tensorboard) if writes else None
    if writes:
        write_text(out / "config.json", json.dumps(asdict(describe), indent=1, default=str))
        if first:
            _export(task, out, first)  # a kill between the last checkpoint and its export left that of the one before
    losses, began, figures, stops = _Losses(), time.perf_counter(), dict[str, float](), False
    with Bar(
        f"Training {out.name}",
        max(config.steps, first),
        unit=progress.unit,
        first=first,
        scale=progress.per_step,
        shown=writes,
    ) as bar:
        for done in range(first + 1, config.steps + 1):
            with _told_where_memory_ran_out(checkpoint, done):
                losses.add(task.step(done - 1))
            bar.update()
            last = done == config.steps
            seconds = before + time.perf_counter() - began
            if done % config.log_every == 0 or last:
                means, pace = losses.take(done)
                bar.show(means)
                if logger:
                    with _saved_first(checkpoint, task, done, seconds):
                        logger.write(done, {**means, "seconds_per_step": pace, "seconds": seconds})
            if logger and (done % config.evaluate_every == 0 or last):
                with _saved_first(checkpoint, task, done, seconds):
                    figures = task.evaluate(done, out)
                    validation = {f"validation/{name}": value for name, value in figures.items()}
                    bar.show(validation)
                    logger.write(done, validation)
                    logger.show(done, task.sheets())
                losses.start()
            # Several processes have to agree, for which they wait: as rarely as for their losses.
            looks = not last and (is_alone() or done % config.log_every == 0)
            stops = looks and any_process(stop_is_asked(out))
            if writes and (done % config.checkpoint_every == 0 or last or stops):
                _save(checkpoint, task, done, seconds, config.kept)
                _export(task, out, done)
            if stops:
                break
    if logger:
        logger.close()
    if stops:
        stop_file(out).unlink(missing_ok=True)
        raise Stopped
    return figures


@contextlib.contextmanager
def _told_where_memory_ran_out(checkpoint: Path, step: int) -> Iterator[None]:
    """Turns what the allocators raise in a step into a sentence. Raises OutOfMemory; no half of a step is saved."""
    try:
        yield
    except Exception as error:
        if not memory.ran_out(error):
            raise
        kept = "the checkpoint before it is whole" if checkpoint.exists() else "there is no checkpoint before it"
        raise OutOfMemory(
            f"There is not enough memory for step {step}, and {kept}: close other programs and go on with --resume, or "
            "train anew with a smaller batch, a smaller preset or --device cpu."
        ) from error


@contextlib.contextmanager
def _saved_first(checkpoint: Path, task: Task, step: int, seconds: float) -> Iterator[None]:
    """Saves the steps that were made before an error of the block passes: looking at a network must not lose it."""
    try:
        yield
    except Exception as error:
        with contextlib.suppress(OutputError, FloatingPointError, OSError):
            _save(checkpoint, task, step, seconds)
            task.export(checkpoint.parent)
        if not isinstance(error, OSError | ValueError) and not memory.ran_out(error):
            raise
        raise OutputError(
            f"Step {step} is made, but cannot be judged or logged ({_line(error)}); mend that and go on with --resume."
        ) from error


def _save(checkpoint: Path, task: Task, step: int, seconds: float, kept: int = 0) -> None:
    """Saves, and says so where it cannot. Raises OutputError; the checkpoint before is whole then.

    ``kept`` checkpoints before it stay; where there is no room for them the new one counts more.
    """
    try:
        if kept:
            checkpoints.set_aside(checkpoint, kept)
        try:
            save_checkpoint(checkpoint, task, step, seconds)
        except OSError:
            if not checkpoints.make_room(checkpoint):
                raise
            save_checkpoint(checkpoint, task, step, seconds)
    except OSError as error:
        before = "the checkpoint before it is whole" if checkpoint.exists() else "there is none before it"
        raise OutputError(
            f"The checkpoint of step {step} cannot be written to {checkpoint} ({error.strerror or error}): {before}; "
            "make room and go on with --resume."
        ) from error


def _export(task: Task, out: Path, step: int) -> None:
    """Writes what the network is trained for, and says so where it cannot. Raises OutputError."""
    try:
        task.export(out)
    except OSError as error:
        raise OutputError(
            f"The checkpoint of step {step} is saved, but its network cannot be written to {out} "
            f"({error.strerror or error}): make room and go on with --resume."
        ) from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


class _Losses:
    """Sums of losses since they were last looked at, on their device, and the time that their steps took."""

    def __init__(self) -> None:
        self.start()
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def start(self) -> None:
        """Counts time from now on: what was done meanwhile was no step."""
        self.started = time.perf_counter()

    def add(self, losses: dict[str, Tensor]) -> None:
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0) + value.detach()
        self.count += 1

    def take(self, step: int) -> tuple[dict[str, float], float]:
        """Means by name and the seconds of a step. Raises FloatingPointError where a loss is not finite."""
        means = {name: float(value) / self.count for name, value in self.sums.items()}
        if not math.isfinite(sum(means.values())):
            raise FloatingPointError(f"The losses are no longer finite at step {step}; lower the learning rate.")
        pace = (time.perf_counter() - self.started) / self.count
        self.sums, self.count = {}, 0
        self.start()
        return means, pace


def save_checkpoint(path: Path, task: Task, step: int, seconds: float = 0.0) -> None:
    """Writes everything that is needed to go on exactly.

    Raises FloatingPointError where a weight is no longer finite; the checkpoint before stays.
    """
    tensors: dict[str, Tensor] = {}
    for name, network in task.networks.items():
        tensors |= {f"network/{name}/{key}": value for key, value in network.state_dict().items()}
    for name, optimizer in task.optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{name}/{index}/{key}": torch.as_tensor(value) for key, value in state.items()}
    tensors |= {f"kept/{name}": value for name, value in task.kept().items()}
    tensors["random/own"] = task.generator.get_state()
    tensors["random/torch"] = torch.get_rng_state()
    copies = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    if not all(bool(value.isfinite().all()) for name, value in copies.items() if name.startswith("network/")):
        raise FloatingPointError(f"The weights are no longer finite at step {step}; lower the learning rate.")
    words = {"step": str(step), "seconds": f"{seconds:.1f}"}
    write_tensors(path, copies, {**words, "checksum": checksum(copies, *words.values())})


def load_checkpoint(path: Path, task: Task) -> tuple[int, float]:
    """Restores a task; returns the steps made and the seconds they took. Raises ValueError if the file does not fit."""
    tensors, metadata = load_networks(path, task)
    try:
        step, seconds = int(metadata["step"]), float(metadata.get("seconds", 0))
        if not (0 <= step < 2**53 and 0 <= seconds < math.inf):
            raise ValueError(f"it says {step} steps and {seconds} seconds")
        for name, optimizer in task.optimizers.items():
            groups = optimizer.state_dict()["param_groups"]
            state = _state_of(_below(tensors, f"optimizer/{name}/"), optimizer)
            optimizer.load_state_dict({"state": state, "param_groups": groups})
        task.restore(_below(tensors, "kept/"))
        task.generator.set_state(tensors["random/own"])
        torch.set_rng_state(tensors["random/torch"])
    except (RuntimeError, KeyError, ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise _unusable(path, f"it lacks {error}" if isinstance(error, KeyError) else str(error)) from error
    return step, seconds


def _state_of(tensors: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """What an optimiser remembers of its parameters, by their numbers. Raises ValueError where it does not fit them."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, slot = key.partition("/")
        state.setdefault(int(index), {})[slot] = value
        counts = slot == "step"  # the one number that an optimiser keeps of each parameter, whatever its shape
        fits = 0 <= int(index) < len(parameters) and value.shape == (() if counts else parameters[int(index)].shape)
        if not fits or value.is_complex() or not bool(value.isfinite().all()):
            raise ValueError(f"the optimiser's {key} does not fit or is not finite")
    if len({frozenset(slots) for slots in state.values()}) > 1:
        raise ValueError("the optimiser's state lacks something")
    return state


def _unusable(path: Path, reason: str) -> ValueError:
    before = checkpoints.kept(path)
    instead = f"move {before[-1]} over it" if before else "begin anew in another folder"
    return ValueError(
        f"The checkpoint {path} is damaged or of another configuration: {' '.join(reason.split())[:200].rstrip('.')}; "
        f"take the settings that it was made with, or {instead}."
    )


def load_networks(path: Path, task: Task) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Restores a task's networks alone; returns all that the file holds. Raises ValueError if it does not fit."""
    tensors, metadata = read_tensors(path)
    words = (metadata.get("step", ""), metadata.get("seconds", ""))
    if "checksum" in metadata and metadata["checksum"] != checksum(tensors, *words):  # older ones have none
        raise _unusable(path, "its content is not what was written")
    for name, network in task.networks.items():
        own = _below(tensors, f"network/{name}/")
        if wrong := unfitting(network.state_dict(), own):
            raise _unusable(path, f"of the network {name} {wrong}")
        if not all(bool(value.isfinite().all()) for value in own.values()):
            raise _unusable(path, f"the network {name} holds numbers that are not finite")
    try:
        for name, network in task.networks.items():
            network.load_state_dict(_below(tensors, f"network/{name}/"))
    except RuntimeError as error:
        raise _unusable(path, str(error)) from error
    return tensors, metadata


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def cosine_rate(step: int, steps: int, peak: float, warm_up: int) -> float:
    """Returns a rate that rises linearly over ``warm_up`` steps, then falls as half a cosine to a hundredth."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    progress = (step - warm_up) / max(1, steps - warm_up)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


class _Logger:
    """JSON lines always, TensorBoard where it is installed."""

    def __init__(self, out: Path, tensorboard: bool) -> None:
        self.out = out
        self.file = open(out / "log.jsonl", "a", encoding="utf-8")  # noqa: SIM115 - lives as long as the run
        self.writer = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                return
            self.writer = SummaryWriter(str(out / "tensorboard"))

    def write(self, step: int, figures: dict[str, float]) -> None:
        self.file.write(json.dumps({"step": step, **{k: round(v, 6) for k, v in figures.items()}}) + "\n")
        self.file.flush()
        if self.writer is not None:
            for name, value in figures.items():
                self.writer.add_scalar(name, value, step)

    def show(self, step: int, pictures: dict[str, np.ndarray]) -> None:
        for name, picture in pictures.items():
            Image.fromarray(picture).save(self.out / f"{name}_{step:06d}.png")
            if self.writer is not None:
                self.writer.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        self.file.close()
        if self.writer is not None:
            self.writer.close()
