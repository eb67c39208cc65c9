# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``blender --command unrender join``: the reports of a batch's shards to one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from . import batch_report, batch_run

NOT_BEGUN = 2


def parser() -> batch_run.Parser:
    """Returns the options of the command."""
    result = batch_run.Parser(prog="join", description="Makes one report of those of a batch's shards.")
    result.add_argument("out", metavar="DIR", help="folder that holds them")
    result.add_argument(
        "--report",
        default=batch_report.NAME,
        metavar="NAME",
        help="name that the shards' reports begin with, and of the one that is made (default: report.json)",
    )
    result.add_argument("--lenient", action="store_true", help="end with code 0 though items failed")
    return result


def run(arguments: Sequence[str]) -> int:
    """Runs the command; returns the exit code: 0 where all shards are complete and nothing failed, else 1, or 2."""
    made = parser()
    try:
        options = made.parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        path, failed, missing = batch_report.join(Path(options.out).expanduser().absolute(), options.report)
    except (ValueError, OSError) as error:
        print(f"{made.prog}: {error}", file=sys.stderr, flush=True)
        return NOT_BEGUN
    if missing:
        print(f"{made.prog}: not complete yet: {', '.join(missing)}.", file=sys.stderr, flush=True)
    print(f"{failed} failed; report: {path}", flush=True)
    return 1 if missing or (failed and not options.lenient) else 0
