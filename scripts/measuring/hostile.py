# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and messages of strangers, kills and full disks against the whole product; prints figures as JSON.

    python scripts/measuring/hostile.py --pictures 1000 --checkpoints 500 --bundles 200 --messages 2000 --kills 100 \\
        --disks 20 --seed 0

Each part runs in a process of its own. A case is right where it gives a result or one sentence within its time; an
error of another kind, a hang, a crash, a lost result or one that is made twice is a fault, is named with its number,
and the exit code is 1. Kills are SIGKILL and SIGINT at random moments of small batches and trainings, disks fill up at
such. Batches of hundreds of photos, bad ones among them, have a script of their own (scripts/measuring/whole_batch.py).
Linux; on macOS without disks.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "scripts")) if path not in sys.path]

from measuring import hostile_files as files  # noqa: E402
from measuring.hostile_cases import Cases  # noqa: E402
from measuring.hostile_ends import disks, kills  # noqa: E402
from measuring.hostile_training import STEPS, checkpoint_of, go_on, make_bundle, train  # noqa: E402

__all__ = ["Cases", "bundles", "checkpoints", "disks", "kills", "main", "messages", "pictures"]

DEFAULTS = {"pictures": 1000, "checkpoints": 500, "bundles": 200, "messages": 2000, "kills": 10, "disks": 4}
"""The parts, and how many cases each has unless told otherwise."""


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


def messages(count: int, seed: int, folder: Path) -> Cases:
    """Malformed messages through the worker's loop and the client's reader."""
    from backend.ipc.protocol import ProtocolError
    from measuring.hostile_messages import malformed, no_end, try_both_readers

    cases = Cases("messages")
    with no_end():
        for number, (way, message) in enumerate(malformed(count, seed)):
            cases.tried(number, way, lambda message=message: try_both_readers(message), (ProtocolError,))
    return cases


def main(words: list[str]) -> int:
    """Runs the parts, each in a process of its own; returns 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for part, count in DEFAULTS.items():
        parser.add_argument(f"--{part}", type=int, default=count, metavar="N", help=f"number of cases ({count})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the figures are written, too")
    parser.add_argument("--part", choices=DEFAULTS, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.part:
        with tempfile.TemporaryDirectory() as folder:
            made = globals()[options.part](getattr(options, options.part), options.seed, Path(folder))
        print(json.dumps(made.figures()))
        return 0
    report: dict[str, Any] = {"seed": options.seed}
    for part in DEFAULTS:
        if not (count := getattr(options, part)):
            continue
        words = [sys.executable, str(Path(__file__)), "--part", part, f"--{part}", str(count)]
        began = time.monotonic()
        done = subprocess.run([*words, "--seed", str(options.seed)], capture_output=True, text=True, check=False)
        lines = done.stdout.strip().splitlines()
        crashed = {"faults": 1, "told": [f"{part}: the process ended with {done.returncode}: {done.stderr[-600:]}"]}
        report[part] = crashed if done.returncode or not lines else json.loads(lines[-1])
        report[part]["seconds"] = round(time.monotonic() - began, 1)
    report["faults"] = sum(report[part]["faults"] for part in DEFAULTS if part in report)
    text = json.dumps(report, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    return 1 if report["faults"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
