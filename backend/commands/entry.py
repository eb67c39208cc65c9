# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all commands do alike: choose threads, and turn an error into one sentence and an exit code.

Command modules load torch inside their functions, so that ``--help`` and a mistyped option answer at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from ..common import memory
from ..common.run_files import Waiting
from ..errors import UnrenderError

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


def guarded(
    program: str,
    body: Callable[[], int],
    *,
    errors: tuple[type[Exception], ...] = (),
    failed: int = 1,
    stopped: str = "",
    waiting: int = 3,
) -> int:
    """Runs a command's body and returns its exit code.

    An error that the user can mend (UnrenderError, ValueError, OSError and ``errors``) becomes a line on stderr and
    ``failed``; Ctrl-C becomes the sentence ``stopped`` and 130, and what a person has to do first its sentence and
    ``waiting``. Memory that runs out is a sentence too. Other errors are bugs and pass.
    """
    mended: tuple[type[Exception], ...] = (UnrenderError, ValueError, OSError, *errors)
    try:
        return body()
    except mended as error:
        print(f"{program}: {error}", file=sys.stderr)
        return failed
    except Waiting as waits:
        print(f"{program}: {waits}", file=sys.stderr)
        return waiting
    except Exception as error:
        if not memory.ran_out(error):
            raise
        print(f"{program}: there is not enough memory for this; close other programs or ask for less.", file=sys.stderr)
        return failed
    except KeyboardInterrupt:
        print(stopped or f"{program}: stopped.", file=sys.stderr)
        return INTERRUPTED


def use_threads(count: int) -> None:
    """Lets torch use so many CPU threads; 0 leaves the number to torch."""
    if count:
        import torch

        torch.set_num_threads(count)
