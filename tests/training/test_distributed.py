# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every process of a training run takes of a batch."""

from __future__ import annotations

import pytest
import torch

from backend.training.distributed import Processes, processes_from_environment


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
