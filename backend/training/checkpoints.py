# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints before the last one, for a training that went wrong where every number was still finite.

They lie in the run's folder ``checkpoints`` by their steps. Moved over ``checkpoint.safetensors`` one of them is what
``--resume`` goes on from. While a checkpoint stays the same file has both names, so that it takes no room twice.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from ..models.storage import read_metadata

FOLDER = "checkpoints"


def kept(checkpoint: Path) -> list[Path]:
    """Those that were set aside beside a checkpoint, the latest written last."""
    found = []
    for path in (checkpoint.parent / FOLDER).glob("*.safetensors"):
        with contextlib.suppress(OSError):
            found.append((path.stat().st_mtime_ns, path.name, path))
    return [path for _, _, path in sorted(found)]


def set_aside(checkpoint: Path, many: int) -> None:
    """Keeps the checkpoint that is about to be replaced, among the ``many`` latest of those before.

    Where that cannot be done the training goes on without: it is the last checkpoint that counts.
    """
    if many > 0 and checkpoint.exists():
        with contextlib.suppress(OSError, ValueError, KeyError):
            step = int(read_metadata(checkpoint)["step"])
            target = checkpoint.parent / FOLDER / f"{step:08d}.safetensors"
            target.parent.mkdir(exist_ok=True)
            target.unlink(missing_ok=True)
            try:
                os.link(checkpoint, target)
            except OSError:  # a file system without such names
                partial = target.with_suffix(".part")
                shutil.copy2(checkpoint, partial)
                partial.replace(target)
    for path in kept(checkpoint)[: -many if many > 0 else None]:
        with contextlib.suppress(OSError):
            path.unlink()


def make_room(checkpoint: Path) -> bool:
    """Removes all that were set aside; returns whether there were any."""
    found = kept(checkpoint)
    for path in found:
        with contextlib.suppress(OSError):
            path.unlink()
    return bool(found)
