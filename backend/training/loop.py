# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop that every training task runs in: steps, progress, logs, checkpoints, exact resume.

A task knows its networks, its optimiser and how to make one step; the loop knows nothing of either. A checkpoint is
one safetensors file with all tensors (weights, moving averages, optimiser, random states) and its counters in the
metadata. Stopping at any moment, also by a kill, loses at most the steps since the last checkpoint.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..models.storage import read_tensors, write_tensors


@dataclass(frozen=True)
class LoopConfig:
    """How long to train and how often to look."""

    steps: int = 1000
    log_every: int = 50
    evaluate_every: int = 500
    checkpoint_every: int = 250
    tensorboard: bool = True


class Task(Protocol):
    """What the loop needs of a training task."""

    networks: dict[str, nn.Module]
    """By name; a moving average is one of them."""
    optimizer: torch.optim.Optimizer
    generator: torch.Generator

    def step(self, step: int) -> dict[str, Tensor]:
        """Makes one step and returns its losses, detached, without waiting for the device."""

    def evaluate(self, step: int, folder: Path) -> dict[str, float]:
        """Figures on held-out data; may write pictures to the folder."""


def run(
    task: Task,
    config: LoopConfig,
    out: Path,
    *,
    resume: bool,
    describe: Any,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, float]:
    """Trains until ``config.steps``; returns the last evaluation.

    ``describe`` is the task's config dataclass, written to ``config.json``. Raises ValueError for a damaged
    checkpoint and FileExistsError where a run lies in ``out`` that was not asked to be resumed.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.safetensors"
    if checkpoint.exists() and not resume:
        raise FileExistsError(f"A training run lies in {out} already; add --resume to continue it or choose another.")
    first = load_checkpoint(checkpoint, task) if checkpoint.exists() else 0
    (out / "config.json").write_text(json.dumps(asdict(describe), indent=1, default=str), encoding="utf-8")
    logger = _Logger(out, config.tensorboard)
    sums: dict[str, Tensor] = {}
    since, started, figures = 0, time.perf_counter(), {}
    bar = tqdm(range(first, config.steps), initial=first, total=config.steps, desc=out.name, unit="step")
    for step in bar:
        for name, value in task.step(step).items():
            sums[name] = sums.get(name, 0) + value.detach()
        since += 1
        done = step + 1
        last = done == config.steps or should_stop()
        if done % config.log_every == 0 or last:
            means = {name: float(value) / since for name, value in sums.items()}
            if not math.isfinite(sum(means.values())):
                raise FloatingPointError(f"The losses are no longer finite at step {done}; lower the learning rate.")
            logger.write(done, {**means, "seconds_per_step": (time.perf_counter() - started) / since})
            bar.set_postfix({name: f"{value:.3f}" for name, value in list(means.items())[:4]})
            sums, since, started = {}, 0, time.perf_counter()
        if done % config.evaluate_every == 0 or last:
            figures = task.evaluate(done, out)
            logger.write(done, {f"validation/{name}": value for name, value in figures.items()})
            started = time.perf_counter()
        if done % config.checkpoint_every == 0 or last:
            save_checkpoint(checkpoint, task, done)
        if last:
            break
    logger.close()
    return figures


def save_checkpoint(path: Path, task: Task, step: int) -> None:
    """Everything needed to go on exactly."""
    tensors: dict[str, Tensor] = {}
    for name, network in task.networks.items():
        tensors |= {f"network/{name}/{key}": value for key, value in network.state_dict().items()}
    optimizer = task.optimizer.state_dict()
    for index, state in optimizer["state"].items():
        tensors |= {f"optimizer/{index}/{key}": torch.as_tensor(value) for key, value in state.items()}
    tensors["random/own"] = task.generator.get_state()
    tensors["random/torch"] = torch.get_rng_state()
    copies = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    write_tensors(path, copies, {"step": str(step)})


def load_checkpoint(path: Path, task: Task) -> int:
    """Restores a task; returns the number of steps made. Raises ValueError if the file does not fit."""
    tensors, metadata = read_tensors(path)
    try:
        for name, network in task.networks.items():
            prefix = f"network/{name}/"
            network.load_state_dict(
                {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
            )
    except RuntimeError as error:
        raise ValueError(f"The checkpoint {path} is of another configuration: {error}") from error
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer/"):
            _, index, name = key.split("/", 2)
            state.setdefault(int(index), {})[name] = value
    groups = task.optimizer.state_dict()["param_groups"]
    task.optimizer.load_state_dict({"state": state, "param_groups": groups})
    task.generator.set_state(tensors["random/own"])
    torch.set_rng_state(tensors["random/torch"])
    return int(metadata["step"])


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Moves an exponential moving average of the weights; buffers are copied."""
    for weight, new_weight in zip(average.parameters(), network.parameters(), strict=True):
        weight.lerp_(new_weight.detach(), 1 - decay)
    for buffer, new_buffer in zip(average.buffers(), network.buffers(), strict=True):
        buffer.copy_(new_buffer)


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether the device has arithmetic for it. A CPU without emulates it, ten times slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    if device.type == "cpu":
        return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
    return False


def cosine_rate(step: int, steps: int, peak: float, warm_up: int) -> float:
    """Learning rate: a linear rise over ``warm_up`` steps, then half a cosine down to a hundredth."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    progress = (step - warm_up) / max(1, steps - warm_up)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


class _Logger:
    """JSON lines always, TensorBoard where it is installed."""

    def __init__(self, out: Path, tensorboard: bool) -> None:
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

    def close(self) -> None:
        self.file.close()
        if self.writer is not None:
            self.writer.close()
