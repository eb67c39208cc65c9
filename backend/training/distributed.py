# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes that train one network, started by ``torchrun``; one process alone needs none of this.

Every process draws the random numbers of the whole batch and works on its share of it, so that two processes compute
what one computes with the same batch. Gradients are averaged after each backward pass; the weights, equal at the
start, stay equal.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

if dist.is_available():
    # Its functions take the group of the moment of this import as default. Optimisers import it at their first step,
    # when training has begun: the group would be held for ever, and Gloo's threads would outlive Python, which aborts
    # a process now and then as it ends. Imported here, there is no group yet that could be held.
    import torch.distributed.nn.functional

Result = TypeVar("Result")


@dataclass(frozen=True)
class Processes:
    """Which of how many this one is."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files and shows progress."""
        return self.rank == 0

    def share(self, batch: Tensor, group: int = 1) -> Tensor:
        """This process's part of a batch (N, ...): (N / count, ...).

        Statistics over ``group`` images whose indices lie N / group apart (the discriminator's minibatch standard
        deviation) see the same images in the part as in the whole. Raises ValueError where the batch cannot be shared.
        """
        if self.count == 1:
            return batch
        size = batch.shape[0]
        if size % (group * self.count):
            raise ValueError(f"A batch of {size} cannot be shared by {self.count} processes in groups of {group}.")
        grouped = batch.unflatten(0, (group, size // group))
        return grouped.chunk(self.count, dim=1)[self.rank].flatten(0, 1)

    def device(self, wanted: torch.device) -> torch.device:
        """This process's own of several accelerators."""
        if self.count == 1 or wanted.type != "cuda" or wanted.index is not None:
            return wanted
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))

    def in_turn(self, work: Callable[[], Result]) -> Result:
        """Does work in the first process, then in the others, which find there what it left."""
        if self.count == 1:
            return work()
        result = work() if self.first else None
        dist.barrier()
        return work() if result is None else result

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a tensor over the processes, without gradient."""
        if self.count == 1:
            return value.detach()
        total = value.detach().clone()
        dist.all_reduce(total)
        return total / self.count

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replaces every gradient by its mean over the processes, in one message."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not gradients:
            return
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        parts = flat.div_(self.count).split([gradient.numel() for gradient in gradients])
        for gradient, averaged in zip(gradients, parts, strict=True):
            gradient.copy_(averaged.view_as(gradient))


ALONE = Processes()
"""One process, which waits for no other."""


def processes_from_environment() -> Processes:
    """What ``torchrun`` says of this process."""
    return Processes(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def is_alone() -> bool:
    """Whether no other process trains with this one now."""
    return not (dist.is_available() and dist.is_initialized())


def any_process(said: bool) -> bool:
    """Whether any of the processes that train together says so; all get the same answer, at the same step."""
    if is_alone():
        return said
    votes = torch.tensor([float(said)], device="cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.all_reduce(votes, dist.ReduceOp.MAX)
    return bool(votes.item())


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Joins the other processes for the time of the block, if there are any.

    Every process leaves the block when all have reached its end; what held them together is gone by then, its threads
    included. A block that is left by an exception waits for nobody.
    """
    processes = processes_from_environment()
    if processes.count == 1:
        yield processes
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield processes
        dist.barrier()
    finally:
        dist.destroy_process_group()
