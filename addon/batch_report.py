# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a batch: one JSON file that is whole at every moment, grows with every item and tells what is finished.

It is written beside its place and renamed after each item, so whatever ends a run leaves a report of all that was done.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .batch_lock import Shard
from .wire import files, json_files

FORMAT = 1
NAME = "report.json"
ENDING = ".json"
RUNNING, COMPLETE, STOPPED = "running", "complete", "stopped"
"""What a report says of its run: the first one also of one that died without a word."""
_OF_A_SHARD = re.compile(r"(.+)-(\d+)-of-(\d+)\.json")

Record = dict[str, Any]


class Report:
    """What one run has done so far; ``kind`` is the name of the list of records."""

    def __init__(self, path: Path, kind: str, heading: Mapping[str, Any]):
        self.path, self.kind = path, kind
        self._heading = dict(heading)
        self._records: dict[int, Record] = {}
        self._began = time.time()
        self._made = 0
        self.times: dict[str, float] | None = None
        """Seconds and results a minute to write in place of this run's own."""

    @property
    def failed(self) -> int:
        """How many of the records tell of a failure."""
        return sum(1 for record in self._records.values() if record.get("error"))

    @property
    def per_minute(self) -> float:
        """Results a minute of this run, those that it found finished left out."""
        return 60 * self._made / max(time.time() - self._began, 1e-3)

    def keep(self, position: int, record: Record) -> None:
        """Takes over what an earlier run has finished; ``position`` is the item's in the list of all."""
        self._records[position] = {**record, "position": position}

    def add(self, position: int, record: Record) -> None:
        """Adds a record and writes the report. Raises OSError."""
        self._records[position] = {**record, "position": position}
        self._made += not record.get("error")
        self.write(RUNNING)

    def write(self, state: str) -> None:
        """Writes the report as it is. Raises OSError."""
        content = {
            "format": FORMAT,
            **self._heading,
            "state": state,
            **(self.times or self._own_times()),
            self.kind: [self._records[position] for position in sorted(self._records)],
        }
        files.write_json(self.path, content)

    def _own_times(self) -> dict[str, float]:
        return {"seconds": round(time.time() - self._began, 1), "per_minute": round(self.per_minute, 2)}


def refusal(path: Path, inputs: Iterable[Path]) -> str:
    """Returns why a report cannot be written to a path, in one sentence; empty if it can be."""
    if path.is_dir():
        return f"The report {path} cannot be written, for a folder of that name is there."
    if path.suffix.lower() != ENDING:
        return f"The report {path} needs the ending {ENDING}: choose another name with --report."
    if path in set(inputs):
        return f"The report {path} would overwrite an input: choose another name with --report."
    if path.exists() and read(path) is None:
        return f"{path} is there and is no report of ours: choose another name with --report."
    return ""


def path_of(path: Path, shard: Shard | None) -> Path:
    """Returns where a part of a run writes its report: ``report-2-of-4.json`` beside ``report.json``."""
    return path if shard is None else path.with_name(f"{path.stem}-{shard[0]}-of-{shard[1]}{ENDING}")


def siblings(path: Path) -> list[Path]:
    """Returns the reports of the whole and of all parts of the runs that this path belongs to, which are there."""
    found = [path] if path.is_file() else []
    for other in sorted(path.parent.glob(f"*{ENDING}")):
        part = _OF_A_SHARD.fullmatch(other.name)
        if part and part[1] == path.stem:
            found.append(other)
    return found


def read(path: Path) -> dict[str, Any] | None:
    """Returns a report's content, None where there is none or it is something else."""
    try:
        content = json_files.read_object(path)
    except (OSError, ValueError):
        return None
    return content if content.get("format") == FORMAT else None


def finished(path: Path, kind: str, settings: Mapping[str, Any]) -> list[Record]:
    """Returns the records of what runs with the same settings have finished and what is still there.

    ``path`` is the report of the whole run; those of its parts count too.
    """
    found = []
    for report in filter(None, map(read, siblings(path))):
        if report.get("settings") != settings:
            continue
        for record in report.get(kind, []):
            if isinstance(record, dict) and not record.get("error") and _is_there(record.get("outputs")):
                found.append(record)
    return found


def join(out: Path, name: str = NAME) -> tuple[Path, int, list[str]]:
    """Joins the reports of all shards in a folder into one; returns its path, its failures, and the parts missing.

    Raises ValueError with one sentence where there are none, or where they are not those of one run; OSError.
    """
    target = out / name
    parts = {path: _OF_A_SHARD.fullmatch(path.name) for path in siblings(target) if path != target}
    numbers = {(int(part[2]), int(part[3])): path for path, part in parts.items() if part}
    counts = {count for _, count in numbers}
    if not counts:
        raise ValueError(f"There is no report of a shard in {out}, such as {path_of(target, (1, 2)).name}.")
    if len(counts) > 1:
        of = " and ".join(map(str, sorted(counts)))
        raise ValueError(f"{out} has reports of runs in {of} parts: remove those of the run that is not meant.")
    contents = {shard: read(path) for shard, path in numbers.items()}
    whole = {shard: content for shard, content in contents.items() if content is not None}
    count = counts.pop()
    if not whole:
        raise ValueError(f"The reports of shards in {out} cannot be read.")
    first = next(iter(whole.values()))
    if any(one.get("settings") != first.get("settings") or one.get("kind") != first.get("kind") for one in
           whole.values()):  # fmt: skip
        raise ValueError(f"The shards in {out} were made with different settings: run them again with the same.")
    missing = [f"{number}/{count}" for number in range(1, count + 1)
               if whole.get((number, count), {}).get("state") != COMPLETE]  # fmt: skip
    report = _joined(target, first, list(whole.values()))
    report.write(STOPPED if missing else COMPLETE)
    return target, report.failed, missing


def _joined(target: Path, first: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> Report:
    kind = str(first.get("kind", "photos"))
    heading = {key: value for key, value in first.items() if key not in ("format", "state", "shard", "seconds", kind)}
    report = Report(target, kind, heading)
    report.times = {
        "seconds": max(float(part.get("seconds", 0)) for part in parts),
        "per_minute": round(sum(float(part.get("per_minute", 0)) for part in parts), 2),
    }
    for part in parts:
        for record in part.get(kind, []):
            report.keep(int(record.get("position", 0)), record)
    return report


def digest(paths: Iterable[Path]) -> str:
    """Returns the SHA-256 of the content of files, in their order; empty where one cannot be read."""
    whole = hashlib.sha256()
    paths = list(paths)
    try:
        for path in paths:
            with open(path, "rb") as file:
                one = hashlib.file_digest(file, "sha256")
            if len(paths) == 1:
                return one.hexdigest()
            whole.update(one.digest())
    except (OSError, ValueError):
        return ""
    return whole.hexdigest()


def _is_there(outputs: Any) -> bool:
    if not isinstance(outputs, dict) or not outputs:
        return False
    try:
        return all(os.path.getsize(path) > 0 for path in outputs.values())
    except (OSError, TypeError):
        return False
