# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command under strace and tells which connections it sought and which files it read outside of where it may.

    python scripts/measuring/traced.py --allow DATA --allow OUT -- COMMAND...

Allowed are the checkout, the interpreter's folders, the system's (/usr, /lib, /etc, /proc, /sys, /dev, /run) and what
``--allow`` names, the temporary folder for files of one's own. Connections to other machines are never allowed; sockets
within this one (AF_UNIX), by which the C library asks for the user's name, are. Ends with 1 where something was not.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = ("/usr", "/lib", "/lib64", "/etc", "/proc", "/sys", "/dev", "/run", "/var/lib", "/var/cache")
_CALL = re.compile(r"^\d+\s+(socket|connect|bind|openat)\((.*)$")
_PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')


def connections(lines: Iterable[str]) -> list[str]:
    """Returns the calls of a trace that concern other machines: sockets of any family but AF_UNIX and AF_NETLINK."""
    calls = (match for line in lines if (match := _CALL.match(line)) and match[1] != "openat")
    return [f"{call[1]}({call[2]}" for call in calls if not re.search(r"AF_UNIX|AF_LOCAL|AF_NETLINK", call[2])]


def files_outside(lines: Iterable[str], allowed: Sequence[str]) -> list[str]:
    """Returns the absolute paths that were opened, each once, and lie in none of the allowed folders."""
    found: dict[str, None] = {}
    for line in lines:
        call = _CALL.match(line)
        if call is None or call[1] != "openat" or " = -1 " in line:
            continue
        path = _PATH.search(call[2])
        if path is not None and path[1].startswith("/") and not _is_in(path[1], allowed):
            found[path[1]] = None
    return list(found)


def _is_in(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; prints what it did as JSON."""
    parser = argparse.ArgumentParser(description="Runs a command under strace; tells its connections and files.")
    parser.add_argument("--allow", action="append", default=[], metavar="FOLDER", help="may be read and written")
    parser.add_argument("command", nargs="+", help="what to run, after --")
    options = parser.parse_args(arguments)
    interpreter = {sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parents[1])}
    allowed = [
        *SYSTEM,
        str(ROOT),
        *interpreter,
        tempfile.gettempdir(),
        *(str(Path(p).resolve()) for p in options.allow),
    ]
    with tempfile.TemporaryDirectory(prefix="unrender-") as folder:
        trace = Path(folder) / "trace.txt"
        watched = ["strace", "-f", "-qq", "-e", "trace=socket,connect,bind,openat", "-o", str(trace)]
        try:
            code = subprocess.run([*watched, *options.command], check=False).returncode
        except FileNotFoundError:
            parser.error("strace is not installed")
        lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()
    sought, outside = connections(lines), files_outside(lines, allowed)
    print(json.dumps({"exit": code, "calls": len(lines), "connections": sought, "files_outside": outside}, indent=1))
    return 1 if code or sought or outside else 0


if __name__ == "__main__":
    sys.exit(main())
