# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings that outlive the panel: started as processes of their own, found again in the folder of runs. No bpy.

All that is known of a run lies in its folder (:mod:`backend.common.run_files`), so a Blender that is opened later, or
was killed in between, says of it what is so. A run that is not to outlive Blender looks for Blender's process itself.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from . import training_figures as figures
from .wire import client, json_files, run_files, variables

MODULE = "backend.commands.train"
PRESETS = ("tiny", "small", "medium", "full")
TASKS = ("segmenter", "inverse-graphics", "parts", "stylegan2", "views", "disentangle", "gan3d")
"""Tasks of the command, but for the whole chain, which has a panel of its own."""
CATEGORY = "category"
CONFIG, CHECKPOINT = "config.json", "checkpoint.safetensors"
WATCHED = (run_files.RUN, run_files.PROGRESS, run_files.STOP, figures.LOG)
"""Files that change when a run's state does."""
PREFIX = "train.py: "
"""Begins the one sentence with which a run tells why it failed."""
TAIL_BYTES = 16384
"""How much of the end of a log is looked at for a sentence."""
LOOK_SECONDS = 3.0
"""Time between two looks whether the process of a run still runs, which is dear on some systems."""
STATE_NAMES = {
    "starting": "starting",
    "running": "running",
    "stopping": "stopping",
    "waiting": "waits for you",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
    "died": "died",
}
"""How states are called in the panel."""


@dataclass(frozen=True)
class Request:
    """A run that is asked for."""

    task: str
    data: str
    preset: str
    out: Path
    settings: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """Further words of the command line."""
    device: str = "auto"
    resume: bool = False
    keep: bool = True
    """Whether it goes on after Blender closes."""

    @classmethod
    def again(cls, run: Run, keep: bool) -> Request:
        """What goes on with a run. Raises ValueError where it does not say how it was started."""
        record = run.record
        if record is None:
            raise ValueError(f"{run.name} does not say how it was started: resume it from a terminal.")
        return cls(
            record.task, record.data, record.preset, run.folder, record.settings, record.options, record.device,
            resume=True, keep=keep,
        )  # fmt: skip

    def arguments(self) -> list[str]:
        """Returns the words for the command."""
        words = [self.task, "--data", self.data, "--out", str(self.out), "--preset", self.preset]
        words += ["--device", self.device, "--progress", "file", *self.options]
        words += ["--resume"] if self.resume else []
        words += [] if self.keep else ["--while-runs", str(os.getpid())]
        return [*words, *self.settings]


@dataclass(frozen=True)
class Run:
    """One run as the panel shows it."""

    folder: Path
    record: run_files.RunRecord | None
    state: str
    """One of :data:`STATE_NAMES`."""
    sentence: str = ""
    """What there is to say about the state, in one sentence."""
    stage: str = ""
    fraction: float = 0.0
    step: int = 0
    steps: int = 0
    seconds_left: float | None = None

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def is_under_way(self) -> bool:
        """Says whether a process is at it."""
        return self.state in ("starting", "running", "stopping")

    @property
    def can_resume(self) -> bool:
        """Says whether the command can go on with it."""
        return self.record is not None and not self.is_under_way and self.state != "finished"


def parse_settings(text: str) -> tuple[str, ...]:
    """Returns the settings in a text such as ``loop.steps=200 start="my run"``. Raises ValueError with one sentence."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(f"The further settings cannot be read: a quotation mark is missing ({error}).") from error
    for word in words:
        if "=" not in word or word.startswith(("-", "=")):
            raise ValueError(f"The further setting '{word}' is not of the form key=value.")
    return words


def free_folder(root: Path, name: str) -> Path:
    """Returns a folder in ``root`` that is not there yet: of the name, or with a number behind it."""
    name = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"
    number, folder = 1, root / name
    while folder.exists():
        number += 1
        folder = root / f"{name}-{number}"
    return folder


def start(command: client.WorkerCommand, request: Request) -> subprocess.Popen[bytes]:
    """Starts a run as a process of its own; returns it. Raises OSError, ValueError where another process is at it.

    ``command`` says which interpreter the worker has, and where the backend lies.
    """
    request.out.mkdir(parents=True, exist_ok=True)
    before = run_files.read(request.out)
    if before is not None and before.is_under_way:
        raise ValueError(f"A training is at work in {request.out} already.")
    if not request.resume and (before is not None or (request.out / CHECKPOINT).exists()):
        raise ValueError(f"A training run lies in {request.out} already: resume it, or choose another name.")
    run_files.stop_file(request.out).unlink(missing_ok=True)
    record = before or run_files.RunRecord(request.task)
    run_files.write(
        request.out,
        replace(
            record, task=request.task, data=request.data, preset=request.preset, settings=request.settings,
            options=request.options, device=request.device, state="starting", sentence="", pid=0, birth="",
            began=time.time(), ended=0.0,
        ),
    )  # fmt: skip
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    with (request.out / run_files.OUTPUT).open("ab") as log:
        return subprocess.Popen(
            [command.arguments[0], "-m", MODULE, *request.arguments()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=request.out,  # with -m, Python also looks for modules in the folder where it starts
            env=variables.local_environment(command.python_path) | dict(command.variables),
            start_new_session=sys.platform != "win32",  # no signal of Blender's terminal reaches it
            creationflags=flags,
        )


class Runs:
    """The runs in one folder, the latest first; :meth:`look` costs little where nothing changes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs: list[Run] = []
        self.children: dict[Path, subprocess.Popen[bytes]] = {}
        """Processes that this Blender has started."""
        self._seen: dict[Path, tuple[object, Run]] = {}
        self._alive: dict[Path, tuple[float, bool]] = {}

    def start(self, command: client.WorkerCommand, request: Request) -> None:
        """Starts a run in a folder. Raises as :func:`start` does."""
        self.children[request.out] = start(command, request)
        self._alive.pop(request.out, None)

    def find(self, folder: Path | None) -> Run | None:
        """Returns the run in a folder."""
        return next((run for run in self.runs if run.folder == folder), None)

    def look(self) -> bool:
        """Looks at all runs; True if anything changed."""
        found = [self._run(folder) for folder in _folders(self.root)]
        found.sort(key=lambda run: run.record.began if run.record else 0.0, reverse=True)
        changed, self.runs = found != self.runs, found
        kept = {run.folder for run in found}
        self._seen = {folder: seen for folder, seen in self._seen.items() if folder in kept}
        return changed

    def kill(self, run: Run) -> None:
        """Ends a run's process at once; it loses what is not saved."""
        record = run_files.read(run.folder)
        if record is None or record.state != "running":
            return
        if sys.platform == "win32":
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(record.pid)], capture_output=True, check=False)
        else:
            import signal

            os.kill(record.pid, signal.SIGKILL)
        self._alive.pop(run.folder, None)

    def _run(self, folder: Path) -> Run:
        stamp = tuple(_stamp(folder / name) for name in WATCHED)
        before = self._seen.get(folder)
        if before is not None and before[0] == stamp and not before[1].is_under_way:
            return before[1]
        record = run_files.stored(folder)
        state: str
        if record is None:
            run = _unrecorded(folder)
        elif record.is_under_way and not self._is_alive(folder, record):
            run = _ended_silently(folder, record)
        else:
            state = record.state
            if record.is_under_way and run_files.stop_file(folder).exists():
                state = "stopping"
            run = _with_progress(Run(folder, record, state, record.sentence))
        self._seen[folder] = (stamp, run)
        return run

    def _is_alive(self, folder: Path, record: run_files.RunRecord) -> bool:
        child = self.children.get(folder)
        if child is not None:
            if child.poll() is None:
                return True
            # Between two looks at the file it may have said how it ended.
            latest = run_files.stored(folder)
            if latest is not None and not latest.is_under_way:
                return True
            if record.pid in (0, child.pid):
                return False
        now = time.monotonic()
        looked, alive = self._alive.get(folder, (-math.inf, False))
        if now - looked > LOOK_SECONDS:
            alive = not run_files.is_gone(record)
            self._alive[folder] = (now, alive)
        return alive


def _folders(root: Path) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        folder = Path(entry.path)
        if entry.is_dir() and ((folder / run_files.RUN).is_file() or (folder / figures.LOG).is_file()):
            yield folder


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _with_progress(run: Run) -> Run:
    progress = run_files.read_progress(run.folder)
    if progress is None:
        return run
    report = progress.report
    left = progress.seconds_left if run.is_under_way else None
    return replace(
        run, stage=report.stage, fraction=report.fraction, step=report.step, steps=report.steps, seconds_left=left
    )


def _ended_silently(folder: Path, record: run_files.RunRecord) -> Run:
    """A run that is said to be under way, and whose process is gone."""
    told = last_sentence(folder)
    if record.state == "starting" or told.startswith(PREFIX):
        sentence = told.removeprefix(PREFIX) or "The run never began."
        return _with_progress(Run(folder, replace(record, state="failed"), "failed", sentence))
    said = f" The last that it said: {told}" if told else ""
    sentence = f"The process ended without a word, as by a kill, a crash or a power cut.{said}"
    return _with_progress(Run(folder, replace(record, state="died"), "died", sentence))


def _unrecorded(folder: Path) -> Run:
    """A run of a version that kept no records: its log and its settings say how far it came."""
    steps, wanted = 0, 0
    series = figures.read_log(folder)
    steps = max((numbers[-1] for numbers, _ in series.values()), default=0)
    try:
        config = json_files.read_object(folder / CONFIG)
        wanted = int(config["loop"]["steps"] if "loop" in config else config["kimg"] * 1000 / config["batch"])
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
        pass
    fraction = min(1.0, steps / wanted) if wanted else 0.0
    state = "finished" if wanted and steps >= wanted else "stopped"
    return Run(folder, None, state, "", "", fraction, steps, wanted)


def last_sentence(folder: Path) -> str:
    """Returns the last line that a run has said; empty where it said nothing."""
    try:
        with (folder / run_files.OUTPUT).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    lines = [" ".join(line.split()) for line in lines if line.strip()]
    told = [line for line in lines if line.startswith(PREFIX)]
    return (told or lines or [""])[-1][:500]
