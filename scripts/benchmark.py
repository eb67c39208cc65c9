# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the product's budgets on this machine: renderer, worker start, photo to arrays, memory, sliders.

    python scripts/benchmark.py [--photo FILE] [--repeat N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np

from backend.ipc import client, records

BUDGETS = {
    "worker start to ready [s]": 4.0,
    "photo to arrays, no refinement [s]": 1.0,
    "photo to arrays, default refinement [s]": 6.0,
    "worker's peak memory [GB]": 1.5,
    "slider, codes to vertices and texture [ms]": 80.0,
}


def measure_worker(photo: Path, repeat: int) -> dict[str, float]:
    """Figures of a fresh worker, the first request (which loads the networks) left out."""
    log = Path(tempfile.mkdtemp(prefix="unrender-")) / "worker.log"
    worker = client.WorkerClient(client.WorkerCommand([sys.executable, "-m", "backend.worker"], ROOT, log))
    figures: dict[str, float] = {}
    try:
        started = time.perf_counter()
        worker.start()
        worker.wait_ready()
        figures["worker start to ready [s]"] = time.perf_counter() - started

        def reconstruct(steps: int) -> records.Reconstruction:
            return worker.wait(worker.submit(records.ReconstructRequest(str(photo), refine_steps=steps)))

        started = time.perf_counter()
        result = reconstruct(0)
        figures["first photo, networks loaded [s]"] = time.perf_counter() - started
        figures["photo to arrays, no refinement [s]"] = median_seconds(lambda: reconstruct(0), repeat)
        figures["photo to arrays, default refinement [s]"] = median_seconds(lambda: reconstruct(-1), repeat)

        def edit() -> None:
            sliders = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
            request = records.EditRequest(result.shape_code, result.texture_code, sliders[0], sliders[1])
            worker.wait(worker.submit(request))

        edit()
        figures["slider, codes to vertices and texture [ms]"] = 1000 * median_seconds(edit, 5 * repeat)
        peak = peak_memory_gb(worker.process_id)
        if peak is not None:
            figures["worker's peak memory [GB]"] = peak
    finally:
        worker.close()
    return figures


def measure_renderer(repeat: int) -> dict[str, float]:
    """Rasterise + backward of the car's template (2,210 vertices) and of a coarser one near a 642-vertex sphere."""
    import torch

    from backend.render.camera import Cameras, project
    from backend.render.rasterize import rasterize
    from backend.render.soft_mask import soft_mask
    from backend.render.template import TemplateConfig, make_template

    figures = {}
    for cells in ((8, 18, 8), (14, 36, 12)):
        template = make_template(TemplateConfig(*cells, proportions=(1.0, 1.0, 1.0), roundness=2.0))
        vertices = torch.as_tensor(template.vertices)[None].requires_grad_()
        triangles = torch.as_tensor(template.triangles).long()
        cameras = Cameras.batch([records.Camera(0.5, 0.3, 3.0, 0.0, 0.45)])

        def once(vertices=vertices, triangles=triangles, cameras=cameras) -> None:
            screen = project(cameras, vertices, 256, 256)
            fragments = rasterize(screen, triangles, 256, 256)
            mask = soft_mask(screen, triangles, fragments)
            (fragments.barycentric.sum() + fragments.depth.sum() + mask.sum()).backward()

        once()
        name = f"rasterise + soft mask + backward, {len(template.vertices)} vertices, 256x256 [ms]"
        figures[name] = 1000 * median_seconds(once, 5 * repeat)
    return figures


def median_seconds(action: Callable[[], object], repeat: int) -> float:
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmark.py", description="Measures the product's budgets here.")
    parser.add_argument("--photo", type=Path, default=ROOT / "examples" / "car.jpg")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    if not options.photo.is_file():
        print(f"benchmark.py: there is no picture {options.photo}.", file=sys.stderr)
        return 2
    try:
        figures = measure_worker(options.photo, options.repeat) | measure_renderer(options.repeat)
    except client.WorkerError as error:
        print(f"benchmark.py: {error}", file=sys.stderr)
        return 1
    for name, value in figures.items():
        budget = f"  (budget {BUDGETS[name]:g})" if name in BUDGETS else ""
        print(f"{name:70s} {value:8.3f}{budget}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
