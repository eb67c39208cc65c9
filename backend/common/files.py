# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way to write a file: beside its place, then renamed, so that no reader ever meets half of it.

A file that is being written is called ``NAME.part``. Errors come as the OSError that they are; the caller knows the
sentence for its user.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], ending: str = "") -> Iterator[Path]:
    """Yields the path to write to, and renames what lies there to ``path`` once the block has ended.

    A block that is left by an exception, an interrupt included, leaves the old file as it was and nothing beside it.
    The file gets the permissions that open() gives, whoever writes it: safetensors, for one, gives the owner's alone.
    The folder must exist. ``ending`` is put behind ``.part`` for writers that take the format from the name. Raises
    OSError, FileNotFoundError where the block has written nothing.
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.part{ending}")
    with open(partial, "wb") as file:  # the only safe way to learn the umask, which belongs to all threads
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    partial.unlink()
    try:
        yield partial
        if stat.S_IMODE(partial.stat().st_mode) != mode:
            partial.chmod(mode)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):  # what went wrong first is what the user needs to know
            partial.unlink(missing_ok=True)
        raise


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Replaces a file's content. Raises OSError."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replaces a file's text in UTF-8, its lines ended as in ``text`` on every system. Raises OSError."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Replaces a file by JSON, indented by one space and ended by a new line. Raises OSError."""
    write_text(path, json.dumps(content, indent=1) + "\n")
