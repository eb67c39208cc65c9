# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One large batch with bad files among it: killed in the middle, resumed, and done again in two shards.

    python scripts/measuring/whole_batch.py --photos 300 --folder NEW_FOLDER [--shard-photos 60] [--blender blender]

Makes small pictures of examples/car.jpg, every twentieth a bad file of another kind, runs image_to_3d.py over them as a
user would, and looks at what comes out. Prints the figures as JSON, and ends with code 1 where one is wrong. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "image_to_3d.py"
JOIN = ROOT / "scripts" / "join.py"
SIDE = 320
ONE_BAD_IN = 20
LOOK_SECONDS = 0.2
SETTINGS = ("--quality", "draft", "--texture-size", "128", "--formats", "blend", "--preview-samples", "4")
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def png_that_claims(width: int, height: int) -> bytes:
    """Returns a PNG of a few bytes whose header promises so many pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def _written(content: bytes) -> Callable[[bytes], None]:
    def write(path: bytes) -> None:
        with open(path, "wb") as file:
            file.write(content)

    return write


def bad_kinds(car: bytes) -> list[tuple[bytes, Callable[[bytes], None]]]:
    """Returns names and makers of bad files; ``car`` is the content of a good one."""
    return [
        (b"truncated.jpg", _written(car[: len(car) // 3])),
        (b"text.jpg", _written(b"This is a letter.\n" * 40)),
        (b"empty.jpg", _written(b"")),
        (b"folder.jpg", os.mkdir),
        (b"pipe.jpg", os.mkfifo),
        (b"not utf-8 \xff\xfe.jpg", _written(b"no picture either")),
        (b"huge.png", _written(png_that_claims(60_000, 60_000))),
        (b"header.jpg", _written(car[:20])),
        (b"page.jpg", _written(b"<!DOCTYPE html><html><body>404</body></html>")),
        (b"nowhere.jpg", lambda path: os.symlink(b"/nowhere/at/all.jpg", path)),
        (b"zeros.png", _written(bytes(4000))),
        (b"archive.webp", _written(b"PK\x03\x04" + bytes(200))),
        (b"wide.png", _written(png_that_claims(2_000_000_000, 20))),
        (b"one pixel.png", lambda path: Image.new("RGB", (1, 1)).save(os.fsdecode(path), "PNG")),
        (b"nothing to see.png", lambda path: Image.new("RGBA", (64, 64)).save(os.fsdecode(path), "PNG")),
    ]


def make_photos(folder: Path, count: int) -> tuple[int, int]:
    """Fills a new folder; returns how many files are good and how many are bad."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    car = Image.open(ROOT / "examples" / "car.jpg").convert("RGB")
    bad = max(1, count // ONE_BAD_IN)
    for number in range(count - bad):
        width, height = (int(SIDE * scale) for scale in random.uniform(0.9, 1.1, 2))
        picture = np.asarray(car.resize((width, height)), np.float32) * random.uniform(0.85, 1.1, 3)
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / f"photo {number:04d}.jpg", quality=90)
    kinds = bad_kinds((folder / "photo 0000.jpg").read_bytes())
    for number in range(bad):
        name, make = kinds[number % len(kinds)]
        make(os.fsencode(folder) + f"/photo {number * ONE_BAD_IN:04d} ".encode() + name)
    return count - bad, bad


class Watched:
    """A run of the command whose memory is looked at while it works."""

    def __init__(self, blender: str, words: list[str], report: Path, log: Path):
        command = [blender, "-b", "--factory-startup", "-P", str(SCRIPT)] if blender else [sys.executable, str(SCRIPT)]
        self._log = log.open("ab")
        self._process = subprocess.Popen([*command, "--", *words], stdout=self._log, stderr=self._log)
        self.report = report
        self.samples: list[tuple[int, float, float]] = []
        """Number of records, and megabytes of Blender's process and of the worker."""

    def wait(self, kill_at: int = 0) -> int:
        """Waits for the end, or kills the process once the report has so many records; returns the exit code."""
        while self._process.poll() is None:
            count = len(records_of(self.report))
            workers = [pid for pid in children(self._process.pid) if "backend.worker" in words_of(pid)]
            if workers:
                self.samples.append((count, megabytes(self._process.pid), megabytes(workers[0])))
            if kill_at and count >= kill_at:
                self._process.send_signal(signal.SIGKILL)
            time.sleep(LOOK_SECONDS)
        self._log.close()
        return self._process.returncode

    def memory(self) -> dict[str, list[float]]:
        """Returns the megabytes of both processes after the first results and at the end."""
        if not self.samples:
            return {}
        last = self.samples[-1][0]
        early = [sample for sample in self.samples if self.samples[0][0] + 3 <= sample[0] <= self.samples[0][0] + 8]
        late = [sample for sample in self.samples if sample[0] >= last - 5]
        both = [np.median(np.array([sample[1:] for sample in part or late]), axis=0) for part in (early, late)]
        return {
            name: [round(float(part[column])) for part in both] for column, name in enumerate(("blender", "worker"))
        }


def children(process: int) -> list[int]:
    """Returns the processes that a process has begun."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == process:
                found.append(int(path.parent.name))
        except (OSError, ValueError):
            continue
    return found


def words_of(process: int) -> str:
    """Returns the command line of a process."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def megabytes(process: int) -> float:
    """Returns what a process has in memory."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE / 2**20
    except (OSError, IndexError):
        return 0.0


def read(report: Path) -> dict[str, Any]:
    """Returns a report's content; a file is whole at every moment, so that anything else is an error."""
    return json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}


def records_of(report: Path) -> list[dict[str, Any]]:
    """Returns the records of a report, none where it is not there yet."""
    return read(report).get("photos", [])


def scenes(records: list[dict[str, Any]]) -> dict[str, int]:
    """Returns when each result was written, by its path."""
    return {one["outputs"]["blend"]: os.stat(one["outputs"]["blend"]).st_mtime_ns for one in records if one["outputs"]}


def killed_and_resumed(options: argparse.Namespace, photos: Path, good: int, bad: int) -> dict[str, Any]:
    """Runs the batch, kills it in the middle and resumes it; returns the figures."""
    out, log = options.folder / "out", options.folder / "log.txt"
    report, words = out / "report.json", [str(photos), "--out", str(out), *SETTINGS]
    began = time.time()
    first = Watched(options.blender, words, report, log)
    first.wait(kill_at=(good + bad) // 2)
    before = scenes(records_of(report))
    killed = read(report)
    second = Watched(options.blender, [*words, "--resume"], report, log)
    code = second.wait()
    seconds = time.time() - began
    done = records_of(report)
    after = scenes(done)
    failed = [one for one in done if one["error"]]
    return {
        "photos": good + bad,
        "results": len(after),
        "failures": {Path(one["input"]).name: one["error"] for one in failed},
        "exit_code": code,
        "done_when_killed": len(before),
        "done_twice": sum(after.get(path) != when for path, when in before.items()),
        "minutes": round(seconds / 60, 2),
        "photos_a_minute": round(60 * len(after) / seconds, 2),
        "memory_mb_early_and_late": {"until the kill": first.memory(), "resumed": second.memory()},
        "right": len(after) == good
        and len(failed) == bad
        and all(one["error"].endswith(".") for one in failed)
        and code == 1
        and killed["state"] == "running"
        and all(after.get(path) == when for path, when in before.items()),
    }


def in_two_shards(options: argparse.Namespace, good: int, bad: int) -> dict[str, Any]:
    """Does a batch in two shards at once and joins them; returns the figures."""
    photos, out = options.folder / "photos of shards", options.folder / "out of shards"
    parts = []
    for number in (1, 2):
        words = [str(photos), "--out", str(out), *SETTINGS, "--shard", f"{number}/2"]
        parts.append(Watched(options.blender, words, out / f"report-{number}-of-2.json", options.folder / "log.txt"))
    codes = [part.wait() for part in parts]
    joined = subprocess.run([sys.executable, str(JOIN), "--", str(out)], capture_output=True).returncode
    made = [set(scenes(records_of(part.report))) for part in parts]
    whole = read(out / "report.json")
    both = made[0] | made[1]
    return {
        "photos": good + bad,
        "results": [len(one) for one in made],
        "made_by_both": len(made[0] & made[1]),
        "exit_codes": [*codes, joined],
        "photos_a_minute": whole.get("per_minute"),
        "right": not made[0] & made[1]
        and len(both) == good
        and set(scenes(whole["photos"])) == both
        and len(whole["photos"]) == good + bad
        and joined == 1,
    }


def main(arguments: list[str]) -> int:
    """Runs both checks; returns the exit code."""
    parser = argparse.ArgumentParser(prog="whole_batch.py", description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=300, help="files of the batch, a twentieth of them bad")
    parser.add_argument("--shard-photos", type=int, default=0, help="files of that in shards; 0: none")
    parser.add_argument("--folder", type=Path, required=True, help="new folder for photos and results")
    parser.add_argument("--blender", default="", help="program to run the command in (default: this Python's bpy)")
    options = parser.parse_args(arguments)
    if options.folder.exists():
        parser.error(f"{options.folder} is there already")
    figures = {"batch": killed_and_resumed(options, options.folder / "photos", *make_photos(
        options.folder / "photos", options.photos))}  # fmt: skip
    if options.shard_photos:
        counts = make_photos(options.folder / "photos of shards", options.shard_photos)
        figures["shards"] = in_two_shards(options, *counts)
    print(json.dumps(figures, indent=1))
    return 0 if all(one["right"] for one in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
