# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every reader of files from strangers needs: the errors, what reading may cost, and texts fit for a message."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import UnrenderError

MAX_FILE = 4 << 30
"""Bytes; the largest StyleGAN2 training state in use, networks and optimisers at 1024 pixels, has about a fifth."""
MAX_STEPS = 1_000_000
"""In one file; a training snapshot of three networks of 1024 pixels takes about 80,000."""


class CheckpointError(UnrenderError):
    """A file of network weights that is missing, damaged, unsafe or of another kind."""


class Malformed(Exception):
    """What is wrong with a file, as the rest of a sentence that begins with its name."""


@dataclass
class Budget:
    """What reading one file may still cost. Every file pays for what it holds; only a crafted one unfolds to more."""

    left: int
    """Bytes."""
    steps: int = MAX_STEPS
    """Opcodes to carry out and nodes to visit."""

    @classmethod
    def of(cls, data: bytes) -> Budget:
        """The budget for a file of this content: each of its bytes is decoded, parsed and copied at most once."""
        return cls(3 * len(data))

    def spend(self, size: int) -> None:
        """Pays for ``size`` bytes that are about to be copied or read again. Raises Malformed."""
        self.left -= size
        if self.left < 0:
            raise Malformed("holds data that unfold to more than the file's own size")

    def step(self) -> None:
        """Pays for one opcode or node. Raises Malformed."""
        self.steps -= 1
        if self.steps < 0:
            raise Malformed(f"takes more than {MAX_STEPS:,} steps to read, far more than any checkpoint")


def printable(text: object) -> str:
    """A text from outside, fit for a message: on one line and at most 80 characters long."""
    shown = "".join(character if character.isprintable() else "?" for character in str(text)[:81])
    return shown if len(shown) <= 80 else shown[:77] + "..."


def read_file(path: Path | str) -> bytes:
    """The content of a checkpoint. Raises CheckpointError where there is no such file or where it is too large."""
    path = Path(path)
    name = printable(path.name)
    try:
        if path.is_dir():
            raise CheckpointError(f"The checkpoint {name} is a folder, not a file.")
        if not path.is_file():
            raise CheckpointError(f"The checkpoint {name} was not found.")
        if path.stat().st_size > MAX_FILE:
            raise CheckpointError(f"The checkpoint {name} is larger than {MAX_FILE >> 30} GiB, more than can be right.")
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"The checkpoint {name} cannot be read: {error.strerror}.") from error


def explain(path: Path | str, error: Exception) -> CheckpointError:
    """The one sentence about a file for what went wrong with it."""
    clause = str(error) if isinstance(error, Malformed) else "needs more memory than there is"
    return CheckpointError(f"The checkpoint {printable(Path(path).name)} {clause}.")
