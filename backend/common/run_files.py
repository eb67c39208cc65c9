# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training's folder says of the run itself, for whoever looks at it later, from this process or another.

    run.json       what was asked for, which process does it, and how that ended
    progress.json  how far it is; replaced twice a second at most, where the run was started with ``--progress file``
    stop           an empty file that somebody puts there to have the run save and stop
    output.log     what the run said, where Blender started it

A run that was killed, or whose machine lost its power, has no chance to say so: its ``run.json`` says "running" and its
process is gone. :func:`read` tells that apart. Standard library alone.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from . import files, processes
from .json_files import read_object
from .progress import Report, progress_to

RUN, PROGRESS, STOP, OUTPUT = "run.json", "progress.json", "stop", "output.log"
MAX_BYTES = 1024 * 1024
PROGRESS_SECONDS = 0.5
"""Shortest time between two writings of the progress inside one stage."""
OWNER_SECONDS = 1.0
"""Time between two looks whether the process still runs with which a run is to stop."""
STARTING_SECONDS = 120.0
"""How long a run may be asked for before its process has said that it begins."""

State = Literal["starting", "running", "waiting", "finished", "stopped", "failed", "died"]
"""``waiting``: a person has to do something first. ``died``: its process is gone and did not say why."""


class Stopped(KeyboardInterrupt):
    """A run was asked to stop, and has saved what it had."""


class Waiting(Exception):
    """A run cannot go on before a person has done something, which its sentence says."""


@dataclass(frozen=True)
class Owner:
    """A process with which a run is to stop."""

    pid: int
    birth: str


@dataclass(frozen=True)
class RunRecord:
    """The content of ``run.json``."""

    task: str
    data: str = ""
    preset: str = ""
    settings: tuple[str, ...] = ()
    """Further settings, ``key=value`` each."""
    options: tuple[str, ...] = ()
    """Further words of the command line, such as --masks and its folder."""
    device: str = "auto"
    state: State = "starting"
    sentence: str = ""
    """How it ended, for the user."""
    pid: int = 0
    birth: str = ""
    """See :func:`.processes.birth_of`."""
    began: float = 0.0
    """Seconds since 1970 when this process began it or went on with it."""
    ended: float = 0.0
    more: dict[str, Any] = field(default_factory=dict)
    """Entries of the file that this version does not know."""

    @property
    def is_under_way(self) -> bool:
        """Says whether a process is at it."""
        return self.state in ("starting", "running")


def read(folder: Path) -> RunRecord | None:
    """What a folder says of its run, as it is now; None where it says nothing that can be read."""
    record = stored(folder)
    return replace(record, state="died") if record is not None and is_gone(record) else record


def is_gone(record: RunRecord) -> bool:
    """Whether no process is at a run that is said to be under way."""
    if record.state == "starting":
        return time.time() - record.began > STARTING_SECONDS
    return record.state == "running" and not processes.is_running(record.pid, record.birth)


def write(folder: Path, record: RunRecord) -> None:
    """Writes ``run.json``. Raises OSError."""
    content = asdict(record)
    more = content.pop("more")
    files.write_json(Path(folder) / RUN, {"format": 1, **content, **more})


def stored(folder: Path) -> RunRecord | None:
    """What a folder says of its run, whether that is still so or not."""
    document = _json(Path(folder) / RUN)
    if document is None:
        return None
    document.pop("format", None)
    known = {one.name for one in fields(RunRecord)} - {"more"}
    more = {name: document.pop(name) for name in list(document) if name not in known}
    try:
        texts: dict[str, Any] = {name: tuple(map(str, document.pop(name, ()))) for name in ("settings", "options")}
        record = RunRecord(**document, **texts, more=more)
        whole = isinstance(record.task, str) and record.state in get_args(State)
        return record if whole and isinstance(record.pid, int) and record.began >= 0 else None
    except TypeError:
        return None


def _json(path: Path) -> dict[str, Any] | None:
    """The object in a file; None where there is none."""
    try:
        return read_object(path, MAX_BYTES)
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def recorded(folder: Path, record: RunRecord) -> Iterator[None]:
    """Writes down that this process is at a run, and how the block was left. Raises ValueError where another is at it.

    A FileExistsError, by which a training says that another run lies there, leaves what was written of that one. Of a
    run that fails before it has left anything in a new folder nothing stays.
    """
    folder = Path(folder)
    new = not folder.exists()
    before = read(folder)
    if before is not None and before.state == "running" and before.pid != os.getpid():
        raise ValueError(f"A training is at work in {folder} already: stop it, or choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    if before is None or before.state != "starting":  # else who started it has cleared it, and may have asked already
        stop_file(folder).unlink(missing_ok=True)
    (folder / PROGRESS).unlink(missing_ok=True)
    own = os.getpid()
    now = replace(record, state="running", pid=own, birth=processes.birth_of(own), began=time.time())
    write(folder, now)
    try:
        yield
    except FileExistsError as error:
        if before is not None and before.state != "starting":
            write(folder, before)
        else:
            _end(folder, now, "failed", str(error))
        raise
    except Waiting as error:
        _end(folder, now, "waiting", str(error))
        raise
    except KeyboardInterrupt:
        _end(folder, now, "stopped", "")
        raise
    except BaseException as error:
        _end(folder, now, "failed", " ".join(str(error).split()) or type(error).__name__)
        if new and {path.name for path in folder.iterdir()} <= {RUN, PROGRESS}:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    else:
        _end(folder, now, "finished", "")


def _end(folder: Path, record: RunRecord, state: State, sentence: str) -> None:
    with contextlib.suppress(OSError):  # what went wrong first is what the user needs to know
        write(folder, replace(record, state=state, sentence=sentence[:1000], ended=time.time()))


def stop_file(folder: Path) -> Path:
    """The file that somebody makes to have a run save and stop."""
    return Path(folder) / STOP


def ask_to_stop(folder: Path) -> None:
    """Has a run save and stop. Raises OSError."""
    stop_file(folder).touch()


@dataclass
class _Watched:
    """What ends the runs of this process besides their own stop files."""

    folders: tuple[Path, ...] = ()
    owner: Owner | None = None
    looked: float = -math.inf
    gone: bool = False

    def owner_is_gone(self) -> bool:
        if self.owner is None or self.gone:
            return self.gone
        now = time.monotonic()
        if now - self.looked >= OWNER_SECONDS:
            self.looked = now
            self.gone = not processes.is_running(self.owner.pid, self.owner.birth)
        return self.gone


_WATCHED: ContextVar[_Watched | None] = ContextVar("watched_runs", default=None)


@contextlib.contextmanager
def watched(folder: Path, owner: Owner | None = None) -> Iterator[None]:
    """While this is open, runs inside of others stop when ``folder`` has a stop file, or when ``owner`` has ended."""
    outer = _WATCHED.get()
    folders = (*(outer.folders if outer else ()), Path(folder))
    token = _WATCHED.set(_Watched(folders, owner or (outer.owner if outer else None)))
    try:
        yield
    finally:
        _WATCHED.reset(token)


def stop_is_asked(folder: Path | None = None) -> bool:
    """Whether a run in a folder is to save and stop; a matter of microseconds."""
    outer = _WATCHED.get()
    if folder is not None and os.path.exists(stop_file(folder)):
        return True
    if outer is None:
        return False
    return any(os.path.exists(stop_file(one)) for one in outer.folders) or outer.owner_is_gone()


def stop_if_asked() -> None:
    """Between two pieces of work that are saved already. Raises :class:`Stopped`."""
    if stop_is_asked():
        raise Stopped


class ProgressFile:
    """Writes reports into a folder's ``progress.json``: the latest one, and since when its stage runs."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = Path(folder) / PROGRESS, clock
        self._stage, self._began, self._first, self._written = "", 0.0, 0, -math.inf

    def write(self, stage: str, step: int, steps: int, figures: Mapping[str, float] | None = None) -> None:
        """Writes the file, unless it was just now and the stage goes on."""
        now = self._clock()
        if stage != self._stage or step < self._first:
            self._stage, self._began, self._first = stage, now, step
        elif step < steps and now - self._written < PROGRESS_SECONDS:
            return
        self._written = now
        report = Report.of(stage, step, steps, figures)
        times = {"began": self._began, "first": self._first, "now": now}
        with contextlib.suppress(OSError):  # the work is worth more than who looks at it
            files.write_text(self._path, json.dumps({**asdict(report), **times}))


@contextlib.contextmanager
def progress_file(folder: Path) -> Iterator[None]:
    """Writes progress into a folder for the time of the block."""
    with progress_to(ProgressFile(folder)):
        yield


@dataclass(frozen=True)
class Progress:
    """What ``progress.json`` says."""

    report: Report
    seconds_left: float | None
    """Of this stage, at the pace since it began; None where nothing can be said yet."""


def read_progress(folder: Path) -> Progress | None:
    """How far a run is; None where it has not said so."""
    document = _json(Path(folder) / PROGRESS)
    report = Report.from_record(document) if document is not None else None
    if document is None or report is None:
        return None
    try:
        seconds = float(document["now"]) - float(document["began"])
        done = report.step - int(document["first"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return Progress(report, None)
    known = done > 0 and seconds > 0 and math.isfinite(seconds)
    return Progress(report, seconds / done * (report.steps - report.step) if known else None)
