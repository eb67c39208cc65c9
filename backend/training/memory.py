# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Freed memory kept for the next step: on a CPU, fresh pages for activations cost as much as the arithmetic."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
"""glibc's numbers of the parameters."""


def keep_freed_memory(at_once: int = 1 << 27) -> bool:
    """Tells glibc's allocator not to return memory to the system, and to take it ``at_once`` bytes at a time.

    Convolutional networks ask for the same large arrays in every step; returned and taken anew, each of their pages is
    cleared by the system again. Returns False where the C library is another one, and then does nothing.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return all([mallopt(_MMAP_MAX, 0), mallopt(_TRIM_THRESHOLD, 2**31 - 1), mallopt(_TOP_PAD, at_once)])
