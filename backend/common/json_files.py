# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one reader of JSON that others may have written: bounded in size and in depth, with one sentence for all else.

Deeply nested JSON ends Python's own reader with a RecursionError, a pipe of the right name has it wait for ever, and a
list where an object belongs fails far from the file. Standard library alone.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

MOST_BYTES = 64 * 2**20
"""Far above every file of ours; a larger one is something else."""
DEEPEST = 64
"""Lists and objects inside one another; ours have fewer than ten."""


class JsonError(ValueError):
    """JSON that cannot be used; the message is one sentence for the user, with the file's name and a remedy."""


def read(path: str | os.PathLike[str], most_bytes: int = MOST_BYTES) -> Any:
    """What a file of JSON in UTF-8 holds. Raises JsonError, and OSError where there is no file that can be read."""
    path = Path(path)
    if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would have its reader wait
        raise JsonError(f"{path} is no file: put the file there that belongs there.")
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise JsonError(f"{path} is larger than {most_bytes:,} bytes, which no such file is: choose another one.")
    return parse(content, str(path))


def read_object(path: str | os.PathLike[str], most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """The object in a file of JSON. Raises as :func:`read` does, also for JSON of another type."""
    return _object(read(path, most_bytes), str(path))


def parse(content: str | bytes | bytearray, what: str, numbers_only: bool = False) -> Any:
    """The value of JSON; ``what`` is its name in the sentence of the JsonError that this raises.

    numbers_only: refuses NaN and Infinity, which Python writes and other programs cannot read.
    """
    try:
        text = content if isinstance(content, str) else bytes(content).decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse if numbers_only else None)
    except RecursionError as error:
        raise _too_deep(what) from error
    except (ValueError, TypeError, MemoryError) as error:
        reason = " ".join(str(error).split())[:120] or "it is too large for this machine's memory"
        raise JsonError(f"{what} is not valid JSON ({reason}): copy or make it again.") from error
    if text.count("[") + text.count("{") > DEEPEST and _is_deep(value):
        raise _too_deep(what)
    return value


def parse_object(content: str | bytes | bytearray, what: str) -> dict[str, Any]:
    """The object of JSON, else as :func:`parse`."""
    return _object(parse(content, what), what)


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise JsonError(f"{what} holds a {type(value).__name__} where an object belongs: copy or make it again.")
    return value


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _too_deep(what: str) -> JsonError:
    return JsonError(f"{what} is not valid JSON of ours (nested more than {DEEPEST} deep): choose another file.")


def _is_deep(value: Any) -> bool:
    """Whether lists and objects lie more than :data:`DEEPEST` inside one another; walks without recursion."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST):
        if not level:
            return False
        inside = [inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)]
        level = [inner for inner in inside if isinstance(inner, dict | list)]
    return bool(level)
