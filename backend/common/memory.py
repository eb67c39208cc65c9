# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it looks like when memory runs out, whoever asked for it, and how what is free goes back to the system.

Standard library alone; torch is asked where it is loaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import sys

SENTENCE = "There is not enough memory for this; close other programs or use a smaller texture."
_WORDS = (
    "out of memory",  # CUDA, MPS
    "allocate memory",  # torch's "can't allocate memory", the system's "Cannot allocate memory", onnxruntime's
    "insufficient memory",  # OpenCV
    "not enough memory",
    "bad_alloc",
    "bad allocation",
    "alloc_failed",  # cuBLAS, cuDNN
)
_LIBRARIES = ("cv2", "onnxruntime", "torch")


def ran_out(error: BaseException | None) -> bool:
    """Whether an error, or one that it was made of, says that memory ran out: of the machine or of a graphics card.

    NumPy and Python raise MemoryError, torch an error of its own for graphics cards and a plain RuntimeError for the
    processor, OpenCV and onnxruntime errors of theirs.
    """
    for _ in range(10):  # a chain of causes may close itself
        if error is None:
            return False
        if isinstance(error, MemoryError) or isinstance(error, OSError) and error.errno == errno.ENOMEM:
            return True
        # Sentences of ours name files, whose names may say anything.
        of_library = isinstance(error, RuntimeError) or type(error).__module__.partition(".")[0] in _LIBRARIES
        if of_library and any(word in str(error).lower() for word in _WORDS):
            return True
        error = error.__cause__
    return False


def give_back() -> None:
    """Has memory that nobody uses any more go back to the system and to the graphics card.

    C libraries keep what was freed, for the next time; glibc gives it up when asked.
    """
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch is not None and torch.backends.mps.is_available():
        torch.mps.empty_cache()
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
            ctypes.CDLL("libc.so.6").malloc_trim(0)
