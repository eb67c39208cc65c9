# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small batch and a small training as a user starts them, to be stopped at any moment and gone on with.

What each has finished can be looked at from outside, and compared with what it makes when nobody disturbs it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = 5
SIDE = 160
PATIENCE = 120
"""Seconds that a run may take to end by itself, or after a signal that asks for it."""
ORPHAN_SECONDS = 6
"""Seconds that what a killed process began may outlive it."""
LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    errors: str
    """What it wrote to standard error."""
    seconds: float
    orphans: int
    """Processes that it left behind."""


class Run(ABC):
    """A command that goes on where it was stopped."""

    name: str
    progress_file: str
    """File that is written anew with whatever is finished."""

    @abstractmethod
    def command(self, out: Path) -> list[str]:
        """Returns the words that begin or go on with it in a folder."""

    @abstractmethod
    def finished(self, out: Path) -> dict[str, Any]:
        """Returns what is finished by now: each by its name, with what shows whether it was made anew."""

    @abstractmethod
    def made(self, out: Path) -> dict[str, Any]:
        """Returns what a complete run has made, without what may differ between two of them."""

    @abstractmethod
    def is_complete(self, out: Path) -> bool:
        """Whether nothing is left to do."""

    def progress(self, out: Path) -> int:
        """Returns a number that changes with whatever is finished; to be looked at while the run writes."""
        try:
            return (out / self.progress_file).stat().st_mtime_ns
        except OSError:
            return 0

    def lost(self, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
        """Returns what was finished and is no more, or was made again."""
        return [name for name, shown in before.items() if after.get(name) != shown]

    def left_over(self, out: Path) -> list[str]:
        """Returns the names of unfinished files, which a complete run has none of."""
        return [path.name for path in out.rglob("*") if path.name.endswith((".part", ".partial", ".unfinished.npy"))]


class Batch(Run):
    """Draft objects of a few small photos."""

    name, progress_file = "batch", "report.json"

    def __init__(self, folder: Path) -> None:
        self.photos = folder / "photos"
        self.photos.mkdir(parents=True)
        random = np.random.default_rng(1)
        car = Image.open(ROOT / "examples" / "car.jpg").convert("RGB")
        for number in range(PHOTOS):
            size = [int(SIDE * scale) for scale in random.uniform(0.9, 1.1, 2)]
            car.resize((size[0], size[1])).save(self.photos / f"photo {number}.jpg", quality=90)

    @staticmethod
    def is_possible() -> bool:
        """Whether this interpreter has Blender as a package."""
        return importlib.util.find_spec("bpy") is not None

    def command(self, out: Path) -> list[str]:
        """See :class:`Run`."""
        words = "--quality draft --texture-size 64 --formats blend --preview-samples 1 --resume".split()
        return [sys.executable, str(ROOT / "scripts/image_to_3d.py"), "--", str(self.photos), "--out", str(out), *words]

    def report(self, out: Path) -> dict[str, Any]:
        """Returns the report, which is whole at every moment: anything else raises."""
        path = out / "report.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def finished(self, out: Path) -> dict[str, Any]:
        """The time and the content of each result's files."""
        records = [one for one in self.report(out).get("photos", []) if not one["error"]]
        return {
            one["input"]: {path: (os.stat(path).st_mtime_ns, digest(Path(path))) for path in one["outputs"].values()}
            for one in records
        }

    def made(self, out: Path) -> dict[str, Any]:
        """The textures and cameras, and the names of the objects in the scenes, which are opened for it."""
        import bpy

        found: dict[str, Any] = {}
        for one in self.report(out)["photos"]:
            with bpy.data.libraries.load(one["outputs"]["blend"]) as (inside, _):
                objects = sorted(inside.objects)
            found[one["input"]] = (digest(Path(one["outputs"]["texture"])), one["camera"], objects)
        return found

    def is_complete(self, out: Path) -> bool:
        """See :class:`Run`."""
        report = self.report(out)
        return report.get("state") == "complete" and len(self.finished(out)) == PHOTOS


class Training(Run):
    """An image generator of a few thousand weights: packing, forty steps, checkpoints, evaluations, exports."""

    name, progress_file = "training", "checkpoint.safetensors"

    def __init__(self, folder: Path) -> None:
        self.images = folder / "images"
        self.images.mkdir(parents=True)
        random = np.random.default_rng(2)
        for number in range(12):
            Image.fromarray(random.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(self.images / f"{number}.png")

    def command(self, out: Path) -> list[str]:
        """See :class:`Run`."""
        words = "--preset tiny --resume batch=8 kimg=0.32 evaluate_kimg=0.16 checkpoint_kimg=0.032 log_kimg=0.016"
        sizes = "judge.samples=16 judge.grid=2 generator.channel_max=8 discriminator.channel_max=8"
        script = str(ROOT / "scripts/train.py")
        return [
            sys.executable, script, "stylegan2", "--data", str(self.images), "--out", str(out), *words.split(),
            *sizes.split(),
        ]  # fmt: skip

    def _checkpoint(self, out: Path) -> tuple[dict[str, Any], dict[str, str]]:
        """The tensors and words of the checkpoint. Raises ValueError where they are not what was written."""
        from backend.models.storage import checksum, read_tensors

        tensors, words = read_tensors(out / "checkpoint.safetensors")
        if checksum(tensors, words["step"], words["seconds"]) != words["checksum"]:
            raise ValueError("the checkpoint is not what was written")
        return tensors, words

    def finished(self, out: Path) -> dict[str, Any]:
        """The number of steps that the checkpoint holds."""
        if not (out / "checkpoint.safetensors").exists():
            return {}
        return {"steps": int(self._checkpoint(out)[1]["step"])}

    def lost(self, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
        """Steps never become fewer."""
        fewer = after.get("steps", 0) < before.get("steps", 0)
        return [f"steps {before['steps']} are {after.get('steps', 0)}"] if fewer else []

    def made(self, out: Path) -> dict[str, Any]:
        """All numbers of the checkpoint, and the network that was exported."""
        from backend.models.storage import checksum, read_tensors

        tensors, _ = self._checkpoint(out)
        numbers = {name: hashlib.sha256(value.numpy().tobytes()).hexdigest() for name, value in tensors.items()}
        # Content, not bytes: safetensors writes the words of its header in any order.
        exported, words = read_tensors(out / "generator.safetensors")
        return {**numbers, "exported": (checksum(exported), words)}

    def is_complete(self, out: Path) -> bool:
        """See :class:`Run`."""
        return self.finished(out).get("steps") == 40 and state_of(out) == "finished"


def state_of(out: Path) -> str:
    """What a training's record says of it; empty where there is none."""
    path = out / "run.json"
    return str(json.loads(path.read_text(encoding="utf-8")).get("state")) if path.exists() else ""


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextlib.contextmanager
def _begun(words: list[str], errors: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own; whatever is left of it at the end is ended."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    with errors.open("wb") as log:
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=log, cwd=ROOT, env=environment, start_new_session=True
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ended(words: list[str], errors: Path, meanwhile: Callable[[subprocess.Popen[bytes]], None] | None = None) -> Ended:
    """Runs a command to its end, and ``meanwhile`` beside it. Raises subprocess.TimeoutExpired where it hangs."""
    # What a shell ignores for a job in the background would be ignored by the command too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    began = time.monotonic()
    try:
        with _begun(words, errors) as process:
            if meanwhile is not None:
                meanwhile(process)
            code = process.wait(PATIENCE)
            seconds = time.monotonic() - began
            deadline = time.monotonic() + ORPHAN_SECONDS
            while (orphans := of_session(process.pid)) and time.monotonic() < deadline:
                time.sleep(LOOK_SECONDS)
    finally:
        signal.signal(signal.SIGINT, before)
    return Ended(code, errors.read_text(encoding="utf-8", errors="replace"), seconds, orphans)


def of_session(session: int) -> int:
    """Returns how many processes of a session still run; 0 where the system does not tell."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, _, _, own = path.read_text().rpartition(")")[2].split()[:4]
            found += own == str(session) and state not in "ZX"
    return found


def wait_until(process: subprocess.Popen[bytes], said: Callable[[], bool]) -> None:
    """Waits until something is said, or the process has ended by itself, or for too long."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and not said() and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
