# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One of several processes that train together for a moment and end; prints the threads that outlive the group."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from backend.training.distributed import joined

STEPS = 10


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = torch.nn.Sequential(*(torch.nn.Linear(64, 64) for _ in range(8)))
    with joined(torch.device("cpu")) as processes:
        # The optimiser is made here as a training makes it: it imports parts of torch that look for a group.
        optimizer = torch.optim.Adam(network.parameters())
        for _ in range(STEPS):
            loss = network(torch.rand(16, 64)).square().mean()
            loss.backward()
            processes.average_gradients(network.parameters())
            processes.mean(loss)
            optimizer.step()
    print(*sorted(name for name in threads() if "gloo" in name))


def threads() -> list[str]:
    """Names of the process's threads, on Linux; none elsewhere."""
    return [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]


if __name__ == "__main__":
    main()
