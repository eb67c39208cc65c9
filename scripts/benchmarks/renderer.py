# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and memory of one renderer on one size of sphere, on the CPU in a process of its own."""

from __future__ import annotations

import gc
import math
import multiprocessing
import signal
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backend.common import records
from backend.render import pytorch3d_adapter
from backend.render.boundary import rasterize_boundary
from backend.render.camera import Cameras, project
from backend.render.rasterize import rasterize
from backend.render.searches import soft_mask

from .spheres import icosphere

MAXIMAL_RUNS = 500
SLOW_SECONDS = 1.0
"""A first run that takes this long is no warm-up any more, and counts."""


@dataclass(frozen=True)
class Size:
    """A batch of square pictures of one sphere."""

    subdivisions: int
    resolution: int
    batch: int

    @property
    def faces(self) -> int:
        return 20 * 4**self.subdivisions

    @property
    def vertices(self) -> int:
        return self.faces // 2 + 2


@dataclass(frozen=True)
class Settings:
    """How to measure."""

    device: str = "cpu"
    threads: int | None = None
    """None: as many as torch likes."""
    least_runs: int = 2
    least_seconds: float = 0.3
    """Runs go on until there are so many and they took so long together."""


@dataclass(frozen=True)
class Figures:
    """What one renderer took for one size."""

    renderer: str
    size: Size
    forward_ms: float = math.nan
    """Median, from the vertices in the world to the picture, with all that a backward pass needs kept."""
    both_ms: float = math.nan
    """Median of forward and backward together, from random gradients of the picture to those of the vertices."""
    forward_mb: float = math.nan
    both_mb: float = math.nan
    """Peak memory beyond what there was before the first run, in 10^6 bytes; not a number where it is not known."""
    covered_pixels: int = 0
    """In all pictures."""
    runs: int = 0
    """Fewest runs of one median."""
    error: str = ""
    """A sentence where nothing was measured."""

    @property
    def work(self) -> int:
        """Covered pixels and faces of all pictures: what time is to grow with at most."""
        return self.covered_pixels + self.size.batch * self.size.faces

    @property
    def nanoseconds_per_work(self) -> float:
        return 1e6 * self.both_ms / self.work if self.work else math.nan

    def to_json(self) -> dict[str, Any]:
        """Plain values; None for what is not known."""
        values = asdict(self) | asdict(self.size) | {"faces": self.size.faces, "vertices": self.size.vertices}
        values["ns_per_covered_pixel_and_face"] = self.nanoseconds_per_work
        del values["size"]
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()
        }


Renderer = Callable[[Tensor, Tensor, int], Sequence[Tensor]]
"""Takes the screen (N, V, 3), faces (F, 3) and the picture's side, gives what is differentiable in the picture."""


def _rasteriser(screen: Tensor, faces: Tensor, side: int) -> Sequence[Tensor]:
    fragments = rasterize(screen, faces, side, side)
    return fragments.barycentric, fragments.depth


def _with_soft_mask(screen: Tensor, faces: Tensor, side: int) -> Sequence[Tensor]:
    fragments = rasterize(screen, faces, side, side)
    return fragments.barycentric, fragments.depth, soft_mask(screen, faces, fragments)


def _boundary_renderer(screen: Tensor, faces: Tensor, side: int) -> Sequence[Tensor]:
    layers = rasterize_boundary(screen, faces, side, side)
    return *layers.crisp[1:], *layers.margin[1:], layers.coverage


def _pytorch3d(screen: Tensor, faces: Tensor, side: int) -> Sequence[Tensor]:
    fragments = pytorch3d_adapter.rasterize(screen, faces, side, side)
    return fragments.barycentric, fragments.depth


PYTORCH3D = "PyTorch3D"
RENDERERS: dict[str, Renderer] = {
    "rasteriser": _rasteriser,
    "with soft mask": _with_soft_mask,
    "boundary renderer": _boundary_renderer,
    PYTORCH3D: _pytorch3d,
}


@dataclass(frozen=True)
class Scene:
    """A sphere that fills two thirds of every picture, seen from all around."""

    vertices: Tensor
    faces: Tensor
    cameras: Cameras
    resolution: int

    @staticmethod
    def make(size: Size, device: str) -> Scene:
        vertices, faces = icosphere(size.subdivisions)
        around = [records.Camera(0.5 + 2 * math.pi * i / size.batch, 0.3, 3.0, 0.0, 0.36) for i in range(size.batch)]
        batch = torch.as_tensor(vertices, device=device).expand(size.batch, -1, -1).clone().requires_grad_()
        return Scene(batch, torch.as_tensor(faces, device=device), Cameras.batch(around, device), size.resolution)

    def forward(self, renderer: Renderer) -> Sequence[Tensor]:
        screen = project(self.cameras, self.vertices, self.resolution, self.resolution)
        return renderer(screen, self.faces, self.resolution)

    def forward_and_backward(self, renderer: Renderer, gradients: Sequence[Tensor]) -> Tensor:
        """The gradient of the vertices."""
        return torch.autograd.grad(self.forward(renderer), self.vertices, gradients)[0]

    def covered_pixels(self) -> int:
        with torch.no_grad():
            screen = project(self.cameras, self.vertices, self.resolution, self.resolution)
            return int((rasterize(screen, self.faces, self.resolution, self.resolution).face_index >= 0).sum())


def measure(name: str, size: Size, settings: Settings) -> Figures:
    """Figures of the renderer of that name, in this process; on the CPU its memory is only right in a fresh one."""
    renderer = RENDERERS[name]
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    try:
        # What is loaded and started at the first use belongs to no size.
        tiny = Scene.make(Size(1, 32, 1), settings.device)
        outputs = tiny.forward(renderer)
        tiny.forward_and_backward(renderer, [torch.ones_like(row) for row in outputs])
        scene = Scene.make(size, settings.device)
        gradients = _random_gradients(len(outputs), size, settings.device)
        memory = Memory(settings.device)
        forward = run_seconds(lambda: scene.forward(renderer), settings)
        forward_mb = memory.growth_mb()
        both = run_seconds(lambda: scene.forward_and_backward(renderer, gradients), settings)
        both_mb = memory.growth_mb()
        return Figures(
            name, size, 1000 * statistics.median(forward), 1000 * statistics.median(both), forward_mb, both_mb,
            scene.covered_pixels(), min(len(forward), len(both)),
        )  # fmt: skip
    except (RuntimeError, MemoryError) as error:
        return Figures(name, size, error=str(error).partition("\n")[0] or type(error).__name__)


def measure_apart(name: str, size: Size, settings: Settings) -> Figures:
    """The same in a fresh process, where peak memory is that of this size alone and a crash harms nothing else."""
    # Forked from a server that has imported torch and computed nothing, a process is fresh without the import's time.
    method = "forkserver" if sys.platform == "linux" else "spawn"
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload(["torch"])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_figures, args=(sender, name, size, settings), daemon=True)  # type: ignore[attr-defined]
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        process.join()
        return Figures(name, size, error=f"the process ended with code {process.exitcode}, perhaps out of memory")
    finally:
        receiver.close()
        process.terminate()
        process.join()


def _send_figures(sender: Connection, name: str, size: Size, settings: Settings) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sender.send(measure(name, size, settings))
    sender.close()


def _random_gradients(number: int, size: Size, device: str) -> list[Tensor]:
    """For a picture's barycentric weights, depth, weights, depth, ... and a mask, as many as there are."""
    shape = (size.batch, size.resolution, size.resolution)
    generator = torch.Generator(device).manual_seed(0)
    last = number % 2
    shapes = [(*shape, 3), shape] * (number // 2) + [shape] * last
    return [torch.rand(*each, generator=generator, device=device) for each in shapes]


def run_seconds(action: Callable[[], object], settings: Settings) -> list[float]:
    """Seconds of each run."""
    first = _seconds(action, settings.device)
    seconds = [first] if first >= SLOW_SECONDS else []
    while len(seconds) < settings.least_runs or (sum(seconds) < settings.least_seconds and len(seconds) < MAXIMAL_RUNS):
        seconds.append(_seconds(action, settings.device))
    return seconds


def _seconds(action: Callable[[], object], device: str) -> float:
    _synchronise(device)
    started = time.perf_counter()
    action()
    _synchronise(device)
    return time.perf_counter() - started


def _synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


class Memory:
    """Peak memory beyond what there was when this was made."""

    def __init__(self, device: str):
        gc.collect()
        self._device = device
        if device == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            self._before = float(torch.cuda.memory_allocated())
        else:
            self._before = _resident_bytes()

    def growth_mb(self) -> float:
        """In 10^6 bytes; not a number where the system does not tell."""
        now = float(torch.cuda.max_memory_allocated()) if self._device == "cuda" else _peak_resident_bytes()
        return max(now - self._before, 0.0) / 1e6


def _resident_bytes() -> float:
    """What this process holds now; its peak so far where the system tells no more."""
    counts = Path("/proc/self/statm")
    if not counts.exists():
        return _peak_resident_bytes()
    import resource

    return float(counts.read_text().split()[1]) * resource.getpagesize()


def _peak_resident_bytes() -> float:
    try:
        import resource
    except ImportError:
        return math.nan
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit
