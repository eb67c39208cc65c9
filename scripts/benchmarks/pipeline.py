# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the whole product: worker start, photo to arrays, memory, sliders."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from backend.common import records
from backend.ipc import client

BUDGETS = {
    "worker start to ready [s]": 4.0,
    "photo to arrays, no refinement [s]": 1.0,
    "photo to arrays, default refinement [s]": 6.0,
    "worker's peak memory [GB]": 1.5,
    "slider, codes to vertices and texture [ms]": 80.0,
}


def measure(root: Path, photo: Path, repeat: int, device: str, threads: int | None) -> dict[str, float]:
    """Figures of a fresh worker, medians of ``repeat`` runs after a first request, which loads the networks.

    root: the folder that holds ``backend``; threads: None for as many as torch likes. Raises client.WorkerError.
    """
    log = Path(tempfile.mkdtemp(prefix="unrender-")) / "worker.log"
    variables = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    command = client.WorkerCommand([sys.executable, "-m", "backend.worker"], root, log, variables=variables)
    worker = client.WorkerClient(command)
    figures: dict[str, float] = {}
    try:
        with tqdm(total=5, desc="pipeline", unit="figure") as bar:

            def keep(name: str, value: float) -> None:
                figures[name] = value
                bar.update()

            started = time.perf_counter()
            worker.start()
            worker.wait_ready()
            keep("worker start to ready [s]", time.perf_counter() - started)

            def reconstruct(steps: int) -> records.Reconstruction:
                request = records.ReconstructRequest(str(photo), device=device, refine_steps=steps)
                return worker.wait(worker.submit(request))

            started = time.perf_counter()
            result = reconstruct(0)
            keep("first photo, networks loaded [s]", time.perf_counter() - started)
            keep("photo to arrays, no refinement [s]", median_seconds(lambda: reconstruct(0), repeat))
            keep("photo to arrays, default refinement [s]", median_seconds(lambda: reconstruct(-1), repeat))

            def edit() -> None:
                sliders = np.random.default_rng(0).normal(size=(2, records.NUMBER_OF_SLIDERS)).astype(np.float32)
                codes = result.shape_code, result.texture_code
                worker.wait(worker.submit(records.EditRequest(*codes, sliders[0], sliders[1], device=device)))

            edit()
            keep("slider, codes to vertices and texture [ms]", 1000 * median_seconds(edit, 5 * repeat))
        peak = peak_memory_gb(worker.process_id)
        if peak is not None:
            figures["worker's peak memory [GB]"] = peak
    finally:
        worker.close()
    return figures


def median_seconds(action: Callable[[], object], repeat: int) -> float:
    """Median seconds of ``repeat`` runs."""
    seconds = []
    for _ in range(repeat):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def peak_memory_gb(process_id: int | None) -> float | None:
    """Peak resident memory of a process, where the system tells."""
    status = Path(f"/proc/{process_id}/status")
    if process_id is None or not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e9
