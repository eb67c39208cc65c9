# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run a folder: a lock file that the system itself lets go when its process ends, however that ends.

A run over all photos has the folder for itself; the shards of one division share it, each with a lock of its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WHOLE = ".unrender.lock"
_UNFINISHED = re.compile(r"\..+\.\d+\.partial")
"""Folders of results that are being written, see :func:`export.write_files`."""
_SHARD = re.compile(r"\.unrender-(\d+)-of-(\d+)\.lock")
Shard = tuple[int, int]
"""Number of a part, from 1, and how many parts there are."""


class Taken(ValueError):
    """Another run writes into the folder; the message is one sentence for the user."""


@contextlib.contextmanager
def locked(folder: Path, shard: Shard | None = None) -> Iterator[None]:
    """Holds a folder while this is open; the lock of a run that has died is taken over.

    A run over all photos also removes the halves of results that dead runs left.

    Raises :class:`Taken` where another run holds it. File systems that know no locks are gone without.
    """
    own = folder / (WHOLE if shard is None else f".unrender-{shard[0]}-of-{shard[1]}.lock")
    file = _take(own)
    try:
        for other in sorted(folder.glob(".unrender*.lock")):
            parts = _SHARD.fullmatch(other.name)
            if other == own or (parts and shard and int(parts[2]) == shard[1]):
                continue
            held = _take(other)  # raises where a run that lives holds it
            if held is not None:
                _let_go(held, other)
        if file is not None and shard is None:
            _clear(folder)
        yield
    finally:
        if file is not None:
            _let_go(file, own)


def _clear(folder: Path) -> None:
    """Removes what runs that died were writing; call it while no other run can write there."""
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


def _take(path: Path) -> Any:
    """Returns the open file of a lock that is held now, None where the file system knows none. Raises Taken."""
    while True:
        file = open(path, "a+b")  # noqa: SIM115 - open as long as the lock is held
        try:
            _lock(file)
        except BlockingIOError as error:
            file.seek(1)
            holder = file.read(200).decode("utf-8", "replace").strip()
            file.close()
            raise Taken(
                f"Another run{f' ({holder})' if holder else ''} writes into {path.parent}: wait for it, or choose "
                "another folder with --out."
            ) from error
        except OSError:
            _let_go(file, path)
            return None
        # The run before may have removed the file between opening and locking it.
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                break
        file.close()
    file.truncate(0)
    file.write(f" process {os.getpid()} on {socket.gethostname()}\n".encode())
    file.flush()
    return file


def _lock(file: Any) -> None:
    """Locks a file. Raises BlockingIOError where another has it, another OSError where there are no locks."""
    try:
        import fcntl
    except ImportError:
        import msvcrt  # Windows: the first byte, so that others can read who holds it

        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError as error:
            raise BlockingIOError from error
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _let_go(file: Any, path: Path) -> None:
    if os.name == "nt":
        file.close()  # what is open cannot be removed there
    with contextlib.suppress(OSError):
        path.unlink()
    file.close()
