# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adam's steps are torch's own, and cost none of its compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from backend.pipeline.adam import Adam


def test_steps_are_those_of_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(4, 3, generator=generator), torch.randn(2, generator=generator)]
    wanted = [torch.randn(4, 3, generator=generator), torch.randn(2, generator=generator)]
    ours, theirs = ([one.clone().requires_grad_() for one in start] for _ in range(2))
    unused = torch.ones(3, requires_grad=True)
    rates = (0.1, 0.02)
    steps = Adam([*zip(ours, rates, strict=True), (unused, 0.5)], (0.8, 0.95))
    groups = [{"params": [one], "lr": rate} for one, rate in zip(theirs, rates, strict=True)]
    optimizer = torch.optim.Adam(groups, betas=(0.8, 0.95))

    def loss(tensors: list[torch.Tensor]) -> torch.Tensor:
        return torch.stack([(a - b).pow(4).sum() for a, b in zip(tensors, wanted, strict=True)]).sum()

    for _ in range(30):
        steps.step(loss(ours))
        optimizer.zero_grad()
        loss(theirs).backward()
        optimizer.step()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)
    assert unused.tolist() == [1, 1, 1] and ours[0].grad is None
    assert loss(ours) < loss(start)


def test_torchs_compiler_stays_away() -> None:
    code = (
        "import sys, torch; from backend.pipeline.adam import Adam; x = torch.ones(2, requires_grad=True);"
        "Adam([(x, 0.1)]).step(x.square().sum()); assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2], check=True)
