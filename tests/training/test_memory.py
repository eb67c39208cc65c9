# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Freed memory kept for the next step."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FAULTS = """
import resource, sys
sys.path.insert(0, {root!r})
import torch
from backend.training.memory import keep_freed_memory
torch.set_num_threads(1)
if {keep}:
    assert keep_freed_memory()
for _ in range(6):
    torch.ones(12_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(12_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_arrays_of_the_next_step_cost_no_fresh_pages() -> None:
    faults = {}
    for keep in (False, True):
        code = FAULTS.format(root=str(ROOT), keep=keep)
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        faults[keep] = int(result.stdout)
    pages = 10 * 48_000_000 // 4096
    # The allocator takes some more until it has found a place that always fits.
    assert faults[False] > 0.8 * pages and faults[True] < 0.5 * pages
