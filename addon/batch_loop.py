# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Item after item of a batch, whatever becomes of each: its record, its one sentence, one more try where the backend
died, and an orderly end where a signal asks for one."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import batch_inputs, batch_report, job
from .wire import client, records

ENOUGH_BYTES = 32 * 2**20
"""Free space in which no result fits: there a batch stops rather than fail with everything that is left."""

BACKEND_SHARE = 0.9
"""Part of an item's work that is the backend's."""

Show = Callable[[records.Progress], None]


@dataclass(frozen=True)
class Item:
    """One thing to make a scene of."""

    title: str
    """Name of the item in progress lines."""
    source: str
    """Words that sentences about the item begin with."""
    record: dict[str, Any]
    """First fields of the item's record in the report, which tell it from all others."""
    steps: Callable[[dict[str, Any], Show], job.Steps]
    """Function that makes and writes the item, and fills in the record as far as it comes."""
    files: Sequence[Path] = ()
    """Files whose content decides what comes of it."""
    folder: str = ""
    """Name of the folder that gets its files, where that is known beforehand."""


class Stopped(BaseException):
    """A signal has asked for the end; ``code`` is the exit code that goes with it."""

    def __init__(self, code: int):
        super().__init__(code)
        self.code = code


class Halted(Exception):
    """The rest cannot be done; the message is one sentence for the user."""


class Signals:
    """While open, a signal that asks for the end raises :class:`Stopped`; a second one ends the process at once."""

    NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")

    def __init__(self) -> None:
        self.code = 0
        """The exit code that was asked for; 0: none."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        for name in self.NAMES:
            number = getattr(signal, name, None)
            # What a shell has set to be ignored, as nohup does, stays ignored.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                with contextlib.suppress(ValueError, OSError):  # not the main thread
                    self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_error: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)

    def check(self) -> None:
        """Raises :class:`Stopped` if that was asked for: Blender turns what is raised inside its operators to text."""
        if self.code:
            raise Stopped(self.code)

    def _ask(self, number: int, _frame: Any) -> None:
        signal.signal(number, signal.SIG_DFL)
        self.code = 128 + number
        if not _held:
            raise Stopped(self.code)


_held = 0
"""How many of :func:`held` are open."""


@contextlib.contextmanager
def held() -> Iterator[None]:
    """While open, a signal that asks for the end is kept in mind alone: Blender's own code is not left in the middle of
    a picture or of a file. The loop looks at it between two stages and after each item."""
    global _held
    _held += 1
    try:
        yield
    finally:
        _held -= 1


def run_all(
    items: Sequence[tuple[int, Item]], report: batch_report.Report, signals: Signals, repeat_sentences: bool
) -> None:
    """Makes all items, each with its position in the list of all, and adds their records to the report.

    ``repeat_sentences``: whether what is wrong with several in a row, in the same words, is said again for each. Raises
    :class:`Stopped`, and :class:`Halted` where the disk is full or the report cannot be written.
    """
    said = ""
    for number, (position, item) in enumerate(items, 1):
        _check_space(report.path.parent)
        record = _made(item, f"[{number}/{len(items)}] {batch_inputs.shown(item.title)}", signals)
        error = record["error"] or ""
        if error and (repeat_sentences or error != said):
            print(f"{batch_inputs.shown(item.source)}: {error}", file=sys.stderr, flush=True)
        said = error
        try:
            report.add(position, record)
        except OSError as reason:
            raise Halted(
                f"The report {report.path} cannot be written: {reason.strerror or reason}. What it says was done "
                "before is done; go on with --resume."
            ) from reason
        signals.check()


def _made(item: Item, label: str, signals: Signals) -> dict[str, Any]:
    """Makes an item; returns its record."""
    record: dict[str, Any] = {**item.record, "outputs": {}, "error": None}
    began = time.perf_counter()
    try:
        for path in item.files:
            if kind := batch_inputs.not_a_file(path):
                raise ValueError(f"{batch_inputs.shown(path.name)} is {kind}, not a file that can be read.")
        record["sha256"] = batch_report.digest(item.files)
        _try_twice(item, record, label, signals)
    except job.EXPECTED_ERRORS as error:
        record["error"] = batch_inputs.shown(error)
    except MemoryError:
        record["error"] = "There is not enough memory for this; close other programs or use a smaller texture."
    except RuntimeError as error:  # how Blender's own operators fail, such as an exporter
        record["error"] = f"Blender could not write the result: {reason_of(error)}"
    except Exception as error:
        # The others go on after a mistake of ours too: Blender would end such a run with exit code 0.
        traceback.print_exc()
        summary = batch_inputs.shown(" ".join(str(error).split())[:200])
        record["error"] = f"Unrender made a mistake ({type(error).__name__}: {summary})."
    if record["error"]:
        signals.check()  # the signal may be the reason; what is finished is told, and then the run stops
    record["seconds"] = round(time.perf_counter() - began, 3)
    return record


def _try_twice(item: Item, record: dict[str, Any], label: str, signals: Signals) -> None:
    """Makes an item, and once more where the backend died: what killed it may have been another's doing."""
    print(label, flush=True)
    try:
        _try(item, record, label, signals)
    except client.WorkerDied as error:
        record["retried"] = str(error)
        print(f"{label}  Once more, for the backend stopped", flush=True)
        _try(item, record, label, signals)


def _try(item: Item, record: dict[str, Any], label: str, signals: Signals) -> None:
    """Prints a line for every new stage, with a share of the work that never falls."""
    shown, furthest = "", 0.0

    def show(progress: records.Progress) -> None:
        nonlocal shown, furthest
        signals.check()
        if progress.stage != shown:
            shown, furthest = progress.stage, max(furthest, progress.fraction)
            print(f"{label}  {100 * furthest:3.0f} %  {progress.stage}", flush=True)

    def show_task(progress: records.Progress) -> None:
        show(records.Progress(progress.stage, BACKEND_SHARE * progress.fraction))

    job.run_blocking(item.steps(record, show), show_task)


def reason_of(error: RuntimeError) -> str:
    """Returns what an operator of Blender says of its failure, without the place in Blender's code."""
    lines = [line.strip() for line in batch_inputs.shown(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("Location:")]
    told = [line for line in lines if line.startswith("Error:") and "Traceback" not in line]
    return (told or lines or ["it did not say why"])[-1].removeprefix("Error:").strip()


def _check_space(folder: Path) -> None:
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return
    if free < ENOUGH_BYTES:
        raise Halted(f"The disk of {folder} is full: make room, and go on with --resume.")


@contextlib.contextmanager
def writing_end(report: batch_report.Report) -> Iterator[None]:
    """Writes at the end how the run ended: complete, or stopped by whatever left this."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            report.write(batch_report.STOPPED)
        raise
    report.write(batch_report.COMPLETE)
