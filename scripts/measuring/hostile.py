# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of strangers, kills and full disks against the readers and the training loop; prints figures as JSON.

    python scripts/measuring/hostile.py --pictures 1000 --checkpoints 500 --bundles 200 --kills 10 --seed 0

Each part runs in a process of its own. A case is right where it gives a result or one sentence within its time; an
error of another kind, a hang, a crash or a lost result is a fault, is named with its number, and the exit code is 1.
Messages between the processes have a test (tests/ipc/test_hostile_wire.py), batches that are killed a script of their
own (scripts/measuring/whole_batch.py). Linux and macOS.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "scripts")) if path not in sys.path]

from measuring import hostile_files as files  # noqa: E402
from measuring.hostile_training import STEPS, checkpoint_of, go_on, make_bundle, train  # noqa: E402

PARTS = ("pictures", "checkpoints", "bundles", "kills", "disks")
SECONDS = 20
"""A case that takes longer hangs."""
KILLED_STEPS = 3000
SHOWN = 20
"""Faults that are told in full."""


class Hang(BaseException):
    """A case took too long; no handler of the product's catches it."""


@contextlib.contextmanager
def limited(seconds: int = SECONDS) -> Iterator[None]:
    """Raises Hang after some seconds, also inside of the product's own handlers."""

    def ring(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


class Cases:
    """What became of the cases of a part."""

    def __init__(self, part: str) -> None:
        self.part, self.counts, self.kinds = part, Counter[str](), Counter[str]()
        self.faults: list[str] = []
        self.slowest = 0.0

    def fault(self, number: int, kind: str, what: str) -> None:
        """Notes what must not be."""
        self.counts["faults"] += 1
        self.faults.append(f"{self.part} {number} ({kind}): {what[:400]}")

    def tried(self, number: int, kind: str, body: Callable[[], Any], refusals: tuple[type[Exception], ...]) -> None:
        """Runs one case: a result counts as accepted, one sentence as refused, all else as a fault."""
        began = time.monotonic()
        self.kinds[kind] += 1
        try:
            with limited():
                body()
            self.counts["accepted"] += 1
        except refusals as error:
            sentence = str(error)
            self.counts["refused"] += 1
            if not sentence or "\n" in sentence or len(sentence) > 900 or "Traceback" in sentence:
                self.fault(number, kind, f"no sentence: {sentence!r}")
        except Hang:
            self.fault(number, kind, f"hangs longer than {SECONDS} seconds")
        except Exception as error:
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where is not None else ""
            self.fault(number, kind, f"{type(error).__name__}: {error} at {place}")
        except BaseException as error:  # such as a panic in a library that is not written in Python
            if isinstance(error, KeyboardInterrupt):
                raise
            self.fault(number, kind, f"{type(error).__name__}: {error}")
        self.slowest = max(self.slowest, time.monotonic() - began)

    def figures(self) -> dict[str, Any]:
        """Returns what a report says."""
        return {
            "cases": sum(self.kinds.values()), "accepted": self.counts["accepted"], "refused": self.counts["refused"],
            "faults": self.counts["faults"], "slowest_seconds": round(self.slowest, 2), "told": self.faults[:SHOWN],
            "kinds": dict(self.kinds.most_common()),
        }  # fmt: skip


def pictures(count: int, seed: int, folder: Path) -> Cases:
    """Damaged pictures through the reader of photos and the packing of data sets."""
    from backend.data.images import ImageSetConfig, ImageSetError, load_images
    from backend.errors import PhotoError
    from backend.pipeline.photo import load_photo

    rng, cases = np.random.default_rng([seed, 1]), Cases("pictures")
    shown = folder / "shown"
    shown.mkdir()
    for number in range(count):
        kind, data = files.picture(rng)
        way, data = files.damaged(rng, data)
        path = shown / f"{number:05d}.png"
        path.write_bytes(data)
        cases.tried(number, f"{kind} {way}", lambda path=path: load_photo(path), (PhotoError,))
    for number in range(0, count, 50):  # fifty at a time, so that a set that hangs is found
        some = folder / f"set_{number}"
        some.mkdir()
        for path in sorted(shown.iterdir())[number : number + 50]:
            os.link(path, some / path.name)
        packed = folder / f"packed_{number}.npy"
        pack = lambda some=some, packed=packed: load_images(some, ImageSetConfig(16), packed, progress=False)  # noqa: E731
        cases.tried(number, "packing of fifty", pack, (ImageSetError,))
        if list(folder.glob("*.part")) or list(folder.glob("*unfinished*")):
            cases.fault(number, "packing of fifty", "leaves half of a file")
    return cases


def checkpoints(count: int, seed: int, folder: Path) -> Cases:
    """Damaged checkpoints through resume: refused, or trained on to the same weights."""
    rng, cases = np.random.default_rng([seed, 2]), Cases("checkpoints")
    train(folder / "whole", STEPS)
    wanted = checkpoint_of(folder / "whole")
    train(folder / "begun", STEPS // 2)
    good = (folder / "begun" / "checkpoint.safetensors").read_bytes()
    for number in range(count):
        checked = number % 2 == 0  # the others are as an older version wrote them, without a checksum
        way, data = files.damaged_tensors(rng, good, keep_checksum=checked)
        out = folder / "case"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        (out / "checkpoint.safetensors").write_bytes(data)

        def resume(out: Path = out, data: bytes = data, checked: bool = checked) -> None:
            train(out, STEPS)
            if data != good and checked and "checksum" in str(data[:4000]) and not go_on(wanted, checkpoint_of(out)):
                raise AssertionError("went on from damage to other weights")

        cases.tried(number, way, resume, (ValueError, OSError, FloatingPointError, *_unrender_errors()))
        if not (out / "checkpoint.safetensors").exists():
            cases.fault(number, way, "the checkpoint is gone")
    return cases


def _unrender_errors() -> tuple[type[Exception], ...]:
    from backend.errors import UnrenderError

    return (UnrenderError,)


def bundles(count: int, seed: int, folder: Path) -> Cases:
    """Damaged bundles through their loaders, and damaged parts through theirs."""
    from backend.common.bundle_files import BUNDLED, PARTS_TEMPLATE, SHAPE_SPACE
    from backend.errors import BundleError
    from backend.weights.bundle import load_bundle
    from backend.weights.parts import load_parts

    rng, cases = np.random.default_rng([seed, 3]), Cases("bundles")
    good = folder / "good"
    make_bundle(good)
    load_bundle(str(good))
    parts = [BUNDLED / "car" / name for name in (PARTS_TEMPLATE, SHAPE_SPACE)]
    for number in range(count):
        case = folder / "case"
        shutil.rmtree(case, ignore_errors=True)
        shutil.copytree(good, case)
        of_parts = number % 5 == 4 and all(path.is_file() for path in parts)
        if of_parts:
            for path in parts:
                shutil.copy(path, case / path.name)
        names = [path.name for path in parts] if of_parts else sorted(path.name for path in good.iterdir())
        file = case / names[rng.integers(len(names))]
        data = file.read_bytes()
        if file.suffix == ".json":
            way, text = files.damaged_json(rng, data.decode("utf-8"))
            file.write_text(text, encoding="utf-8")
        elif file.suffix == ".npz":
            way, data = files.damaged_arrays(rng, file, data)
            file.write_bytes(data)
        else:
            way, data = files.damaged_tensors(rng, data)
            file.write_bytes(data)
        load = (lambda case=case: load_parts(case)) if of_parts else (lambda case=case: load_bundle(str(case)))
        cases.tried(number, f"{file.name} {way}", load, (BundleError,))
    return cases


def kills(count: int, seed: int, folder: Path) -> Cases:
    """A training that is killed at random moments and gone on with: the same weights as without."""
    rng, cases = np.random.default_rng([seed, 4]), Cases("kills")
    train(folder / "whole", KILLED_STEPS, checkpoint_every=500)
    wanted = checkpoint_of(folder / "whole")
    words = [
        sys.executable,
        str(ROOT / "scripts/measuring/hostile_training.py"),
        str(folder / "killed"),
        str(KILLED_STEPS),
    ]
    for number in range(count):
        child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT)
        assert child.stdout is not None
        child.stdout.readline()  # it trains from now on
        time.sleep(float(rng.uniform(0, 3)))
        child.kill()
        child.wait()
        file = folder / "killed" / "checkpoint.safetensors"
        if file.exists():
            cases.tried(number, "kill", lambda file=file: checkpoint_of(file.parent), ())
        else:
            cases.kinds["kill before the first checkpoint"] += 1
    done = subprocess.run([*words, "whole"], capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)
    if done.returncode or not go_on(wanted, checkpoint_of(folder / "killed")):
        cases.fault(count, "the end", f"other weights than without kills: {done.stderr[-300:]}")
    return cases


def disks(count: int, seed: int, folder: Path) -> Cases:
    """A disk that is full, or takes no file beyond a length, while a checkpoint is written: the one before is whole."""
    from backend.errors import UnrenderError

    cases = Cases("disks")
    for number, size in enumerate([1, 3, 6, 9, 12][:count]):
        mounted = folder / f"disk_{size}"
        mounted.mkdir()
        made = (
            shutil.which("mount")
            and not subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size * 4}k", "tmpfs", str(mounted)],
                capture_output=True,
                check=False,
            ).returncode
        )
        if not made:
            cases.kinds["no small disk can be made here"] += 1
            continue
        try:
            begin = lambda at=mounted: train(at / "run", STEPS)  # noqa: E731
            cases.tried(number, f"disk of {size * 4} KiB", begin, (UnrenderError, OSError))
            if (mounted / "run" / "checkpoint.safetensors").exists():
                checkpoint_of(mounted / "run")
        finally:
            subprocess.run(["umount", str(mounted)], check=False)
    for number, size in enumerate((200, 1500, 3000, 4000)[:count]):
        words = [sys.executable, str(ROOT / "scripts/measuring/hostile_training.py"), str(folder / f"run_{size}")]
        done = subprocess.run([*words, "8", f"limit={size}"], capture_output=True, text=True, cwd=ROOT, check=False)
        cases.kinds["no file beyond a length"] += 1
        if done.returncode not in (0, 1) or "Traceback" in done.stderr:
            cases.fault(number, f"files of {size} bytes at most", done.stderr[-400:])
        cases.counts["accepted" if done.returncode == 0 else "refused"] += 1
    return cases


def main(words: list[str]) -> int:
    """Runs the parts, each in a process of its own; returns 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = {"pictures": 1000, "checkpoints": 500, "bundles": 200, "kills": 10, "disks": 5}
    for part in PARTS:
        parser.add_argument(f"--{part}", type=int, default=defaults[part], metavar="N", help="number of cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the figures are written, too")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.part:
        with tempfile.TemporaryDirectory() as folder:
            made = globals()[options.part](getattr(options, options.part), options.seed, Path(folder))
        print(json.dumps(made.figures()))
        return 0
    report: dict[str, Any] = {"seed": options.seed}
    for part in PARTS:
        if not (count := getattr(options, part)):
            continue
        words = [sys.executable, str(Path(__file__)), "--part", part, f"--{part}", str(count)]
        began = time.monotonic()
        done = subprocess.run([*words, "--seed", str(options.seed)], capture_output=True, text=True, check=False)
        lines = done.stdout.strip().splitlines()
        crashed = {"faults": 1, "told": [f"{part}: the process ended with {done.returncode}: {done.stderr[-600:]}"]}
        report[part] = crashed if done.returncode or not lines else json.loads(lines[-1])
        report[part]["seconds"] = round(time.monotonic() - began, 1)
    report["faults"] = sum(report[part]["faults"] for part in PARTS if part in report)
    text = json.dumps(report, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    return 1 if report["faults"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
