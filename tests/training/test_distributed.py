# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every process of a training run takes of a batch, and how processes that trained together end.

How often two processes end is set by UNRENDER_EXIT_RUNS; 100 times take about ten minutes.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from backend.training.distributed import Processes, processes_from_environment

PROGRAM = Path(__file__).resolve().parents[1] / "helpers" / "joined_process.py"
RUNS = int(os.environ.get("UNRENDER_EXIT_RUNS", "1"))


def grouped(batch: torch.Tensor, group: int) -> set[frozenset[int]]:
    """Images whose statistics are taken together: those whose indices lie N / group apart."""
    return {frozenset(column.tolist()) for column in batch.view(group, -1).t()}


def test_shares_hold_the_whole_batch_and_keep_its_groups_together() -> None:
    batch = torch.arange(24)
    shares = [Processes(rank, 3).share(batch, group=4) for rank in range(3)]
    assert sorted(torch.cat(shares).tolist()) == list(range(24))
    assert set().union(*(grouped(share, 4) for share in shares)) == grouped(batch, 4)


def test_a_batch_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="12 cannot be shared by 2 processes in groups of 4"):
        Processes(0, 2).share(torch.arange(12), group=4)


def test_one_process_alone_needs_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    alone = processes_from_environment()
    batch = torch.rand(5)
    assert alone.first and torch.equal(alone.share(batch, group=4), batch) and torch.equal(alone.mean(batch), batch)


def two_processes_on_one_core() -> list[tuple[int, str, str]]:
    """Exit code, output and errors of each of two processes that train together, taking turns on one core."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    # Children inherit the core: a thread that ends late meets a Python that ends before it.
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    if cores:
        os.sched_setaffinity(0, {max(cores)})
    try:
        processes = [
            subprocess.Popen(
                [sys.executable, str(PROGRAM)], env={**os.environ, **shared, "RANK": str(rank)},
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for rank in range(2)
        ]  # fmt: skip
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
    ended = [process.communicate(timeout=120) for process in processes]
    return [(process.returncode, *texts) for process, texts in zip(processes, ended, strict=True)]


@pytest.mark.parametrize("run", range(RUNS))
def test_processes_that_trained_together_leave_no_thread_and_end_cleanly(run: int) -> None:
    for code, output, errors in two_processes_on_one_core():
        assert code == 0, errors
        assert output.strip() == "", "threads of the group are left, which may outlive Python"
