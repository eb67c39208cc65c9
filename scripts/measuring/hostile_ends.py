# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends that nobody planned: kills and interrupts at random moments, and disks that fill up, over batches and trainings.

After each, what was finished is still there and was not made again; gone on with, the run makes what it makes without.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .hostile_cases import Cases, is_sentence
from .hostile_runs import PATIENCE, ROOT, Batch, Ended, Run, Training, ended, wait_until

DISK_MEGABYTES = {"batch": 40, "training": 8}
"""What a disk has before it fills up: a batch wants 32 MiB free at any moment."""
MOST_TRIES = 4
"""Runs that are begun for each kill, at most: some end by themselves before it comes."""
INTERRUPTED = (130, -signal.SIGINT, 0, 1)
"""How a run may end that was interrupted: in order, while Python starts, and when it was done or had failed already."""


class Watched:
    """One run in one folder after another, each stopped again and again until it is complete."""

    def __init__(self, run: Run, folder: Path, cases: Cases) -> None:
        self.run, self.folder, self.cases = run, folder / run.name, cases
        self.folder.mkdir(exist_ok=True)
        self.errors = self.folder / "errors.txt"
        whole = ended(run.command(self.folder / "whole"), self.errors)
        if whole.code:
            raise RuntimeError(f"the {run.name} fails undisturbed: {whole.errors[-600:]}")
        self.seconds = whole.seconds
        self.wanted = run.made(self.folder / "whole")
        self.rounds = 0

    @property
    def out(self) -> Path:
        """The folder of the round that is under way."""
        return self.folder / f"round {self.rounds}"

    def stop(self, number: int, kind: str, meanwhile: Callable[[subprocess.Popen[bytes]], None]) -> None:
        """Begins or goes on, stops it in some way, and looks at what is left."""
        self.cases.kinds[kind] += 1
        before = self.run.finished(self.out)
        try:
            end = ended(self.run.command(self.out), self.errors, meanwhile)
        except subprocess.TimeoutExpired:
            self.cases.fault(number, kind, f"hangs longer than {PATIENCE} seconds")
            return
        self.cases.counts["accepted" if end.code == 0 else "refused"] += 1
        self.cases.slowest = max(self.cases.slowest, end.seconds)
        for sentence in (*self._wrong_end(kind, end), *self._lost(before)):
            self.cases.fault(number, kind, sentence)
        if self.run.is_complete(self.out):
            self.compare(number, kind)

    def _wrong_end(self, kind: str, end: Ended) -> Iterator[str]:
        """What a run must not do as it ends."""
        if end.orphans:
            yield f"leaves {end.orphans} processes behind"
        if "SIGINT" in kind and end.code not in INTERRUPTED:
            yield f"ends with {end.code}: {end.errors[-300:]}"
        # An interrupt while Python itself starts, before a line of ours runs, leaves Python's own words.
        if "Traceback" in end.errors and not ("SIGINT" in kind and end.code == -signal.SIGINT):
            yield f"a traceback, code {end.code}: {end.errors[-380:]}"

    def _lost(self, before: dict[str, Any]) -> list[str]:
        try:
            lost = self.run.lost(before, self.run.finished(self.out))
        except (OSError, ValueError, KeyError) as error:
            return [f"what was finished cannot be read: {error}"]
        return [f"lost or made twice: {', '.join(lost)}"] if lost else []

    def compare(self, number: int, kind: str) -> None:
        """Compares a complete run with an undisturbed one, and begins the next round."""
        made = self.run.made(self.out)
        if wrong := [name for name in self.wanted if made.get(name) != self.wanted[name]]:
            self.cases.fault(number, kind, f"other results than undisturbed: {', '.join(wrong[:5])}")
        if left := self.run.left_over(self.out):
            self.cases.fault(number, kind, f"unfinished files are left: {', '.join(left[:5])}")
        shutil.rmtree(self.out, ignore_errors=True)
        self.rounds += 1

    def complete(self, number: int) -> None:
        """Goes on without a stop."""
        end = ended(self.run.command(self.out), self.errors)
        if end.code or not self.run.is_complete(self.out):
            self.cases.fault(number, "gone on", f"does not come to its end ({end.code}): {end.errors[-300:]}")
            self.rounds += 1
        else:
            self.compare(number, "gone on")


def runs(folder: Path, cases: Cases) -> list[Watched]:
    """The runs that are possible here."""
    found: list[Run] = [Training(folder / "training data")]
    if Batch.is_possible():
        found.insert(0, Batch(folder / "batch data"))
    else:
        cases.more["left out"] = "batches: this Python has no bpy"
    return [Watched(run, folder, cases) for run in found]


def kills(count: int, seed: int, folder: Path, found: Sequence[Watched] | None = None) -> Cases:
    """Batches and trainings in turn, killed or interrupted at random moments, half of them while they surely work."""
    rng, cases = np.random.default_rng([seed, 4]), Cases("kills")
    found = runs(folder, cases) if found is None else found
    early = 0
    for number in range(MOST_TRIES * count):
        if number - early == count:
            break
        watched = found[number % len(found)]
        watched.cases = cases
        how = (signal.SIGKILL, signal.SIGINT)[rng.integers(2)]
        at_work, share = bool(rng.integers(2)), float(rng.random())

        def meanwhile(
            process: subprocess.Popen[bytes], watched: Watched = watched, how: signal.Signals = how,
            at_work: bool = at_work, share: float = share,
        ) -> None:  # fmt: skip
            nonlocal early
            if at_work:
                before = watched.run.progress(watched.out)
                wait_until(process, lambda: watched.run.progress(watched.out) != before)
            time.sleep(share * watched.seconds * (0.3 if at_work else 1))
            if process.poll() is None:
                process.send_signal(how)
            else:  # it was quicker than the kill, which does not count then
                early += 1
                watched.cases.kinds[f"{watched.run.name} {how.name}"] -= 1

        watched.stop(number, f"{watched.run.name} {how.name}", meanwhile)
    for watched in found:
        watched.complete(count)
    cases.more["ended before the kill"] = early
    cases.more["rounds"] = {watched.run.name: watched.rounds for watched in found}
    return cases


@contextlib.contextmanager
def small_disk(folder: Path, kibibytes: int) -> Iterator[bool]:
    """A disk of its own in a new folder while open; yields whether one can be made here."""
    folder.mkdir(parents=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(folder)]
    made = bool(shutil.which("mount")) and not subprocess.run(words, capture_output=True, check=False).returncode
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(path: Path) -> None:
    """Writes a file until the disk is full."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))


def disks(count: int, seed: int, folder: Path) -> Cases:
    """Disks that fill up at a random moment of a batch or a training, and some that are too small from the start."""
    rng, cases = np.random.default_rng([seed, 5]), Cases("disks")
    found = runs(folder, cases)
    for number in range(count):
        if number % 4 == 3:
            _too_small(number, rng, folder, cases)
            continue
        watched = found[number % 4 % len(found)]
        watched.cases = cases
        with small_disk(watched.out, 1024 * DISK_MEGABYTES[watched.run.name]) as made:
            if not made:
                cases.kinds["no disk can be made here"] += 1
                continue
            filler = watched.out / "filler.bin"
            moment = float(rng.random()) * watched.seconds

            def meanwhile(
                process: subprocess.Popen[bytes],
                filler: Path = filler,
                moment: float = moment,
                watched: Watched = watched,
            ) -> None:
                time.sleep(moment)
                if process.poll() is None:
                    fill(filler)

            rounds = watched.rounds
            watched.stop(number, f"{watched.run.name} fills up", meanwhile)
            if watched.rounds == rounds:
                last = watched.errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
                if not last or not is_sentence(last[-1]):
                    cases.fault(number, "fills up", f"no sentence: {last[-1:]}")
                filler.unlink(missing_ok=True)
                watched.complete(number)
    return cases


def _too_small(number: int, rng: np.random.Generator, folder: Path, cases: Cases) -> None:
    """A training whose disk holds a few kilobytes, or no file beyond some length: the checkpoint before is whole."""
    from .hostile_training import checkpoint_of

    out = folder / f"small {number}"
    script = [sys.executable, str(ROOT / "scripts/measuring/hostile_training.py")]
    with small_disk(out, int(rng.integers(4, 60)) if number % 8 == 3 else 10_000) as made:
        words = [str(out / "run"), "40"] if number % 8 == 3 and made else [str(out / "run"), "8"]
        if number % 8 != 3 or not made:
            words.append(f"limit={int(rng.integers(200, 5000))}")
        kind = "no file beyond a length" if "limit" in words[-1] else "disk of a few kilobytes"
        cases.kinds[kind] += 1
        done = subprocess.run(
            [*script, *words], capture_output=True, text=True, cwd=ROOT, check=False, timeout=PATIENCE
        )
        cases.counts["accepted" if done.returncode == 0 else "refused"] += 1
        if done.returncode not in (0, 1) or "Traceback" in done.stderr:
            cases.fault(number, kind, done.stderr[-400:])
        if (out / "run" / "checkpoint.safetensors").exists():
            checkpoint_of(out / "run")
