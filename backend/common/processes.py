# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a process that was written down still runs. A number alone does not tell: systems give it to others later.

Standard library alone.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_QUERY_LIMITED_INFORMATION, _STILL_ACTIVE = 0x1000, 259


def birth_of(pid: int) -> str:
    """When a process began, in words that tell it from any other of its number; empty where there is none.

    A process that has ended and that nobody has asked for its exit code counts as none.
    """
    if pid <= 0:
        return ""
    if sys.platform == "win32":
        return _birth_on_windows(pid)
    if Path("/proc/self/stat").exists():
        return _birth_on_linux(pid)
    return _birth_by_ps(pid)


def is_running(pid: int, birth: str) -> bool:
    """Whether the process runs that had this number and this birth."""
    return bool(birth) and birth_of(pid) == birth


def _birth_on_linux(pid: int) -> str:
    try:
        # The program's name, in brackets, may hold spaces and brackets itself.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        state, ticks = fields[0], fields[19]
    except (OSError, IndexError):
        return ""
    return "" if state in "ZXx" else f"{ticks}@{_boot()}"


def _boot() -> str:
    """Names the machine's present run: ticks are counted from its beginning."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _birth_by_ps(pid: int) -> str:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=5, env={**os.environ, "LC_ALL": "C"})
    except (OSError, subprocess.SubprocessError):
        return ""
    state, _, birth = told.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else birth.strip()


def _birth_on_windows(pid: int) -> str:
    import ctypes  # here, for Blender starts the faster

    kernel: Any = getattr(ctypes, "windll").kernel32  # noqa: B009 - only there
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(kernel.OpenProcess(_QUERY_LIMITED_INFORMATION, False, pid))
    if not handle:
        return ""
    try:
        code = ctypes.c_ulong()
        times = [ctypes.c_ulonglong() for _ in range(4)]
        if not kernel.GetExitCodeProcess(handle, ctypes.byref(code)) or code.value != _STILL_ACTIVE:
            return ""
        if not kernel.GetProcessTimes(handle, *map(ctypes.byref, times)):
            return ""
        return str(times[0].value)
    finally:
        kernel.CloseHandle(handle)
