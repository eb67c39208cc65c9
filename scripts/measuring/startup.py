# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much longer Blender takes to start with the extension enabled; prints figures as JSON.

    python scripts/measuring/startup.py --blender "blender" --runs 10

The extension is installed beforehand (``blender --command extension install-file``). Each run is a Blender of its own
without a window that enables the extension and stops the clock: all that is read and registered. The first one, which
may have to compile the files, is told apart. The exit code is 1 where the median is above the budget.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys

BUDGET_MILLISECONDS = 50.0
MARK = "unrender-startup"
PROBE = """
import sys, time, addon_utils, bpy
addon_utils.extensions_refresh()  # Blender does that at its start, with or without extensions
before, began = len(sys.modules), time.perf_counter()
bpy.ops.preferences.addon_enable(module="{module}")
took = time.perf_counter() - began
assert "{module}" in bpy.context.preferences.addons, "not installed"
print("{mark}", 1000 * took, len(sys.modules) - before)
"""


def once(blender: list[str], module: str) -> tuple[float, int]:
    """Returns milliseconds and the number of modules that were imported. Raises RuntimeError with what was printed."""
    probe = PROBE.format(module=module, mark=MARK)
    command = [*blender, "--background", "--factory-startup", "--python-exit-code", "1", "--python-expr", probe]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            _, milliseconds, modules = line.split()
            return float(milliseconds), int(modules)
    raise RuntimeError(f"{shlex.join(blender)} told nothing: {(done.stdout + done.stderr)[-500:]}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measures by how much the extension lengthens Blender's start.")
    parser.add_argument("--blender", default="blender", help="command that starts Blender")
    parser.add_argument("--module", default="bl_ext.user_default.unrender", help="the add-on's module")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args(arguments)
    try:
        first, *others = [once(shlex.split(options.blender), options.module) for _ in range(options.runs + 1)]
    except (OSError, RuntimeError) as error:
        print(f"startup: {error}", file=sys.stderr)
        return 1
    median = statistics.median(milliseconds for milliseconds, _ in others)
    figures = {
        "milliseconds": round(median, 1), "fastest": round(min(others)[0], 1), "slowest": round(max(others)[0], 1),
        "first": round(first[0], 1), "modules": others[-1][1], "runs": options.runs, "budget": BUDGET_MILLISECONDS,
    }  # fmt: skip
    print(json.dumps(figures))
    return int(median > BUDGET_MILLISECONDS)


if __name__ == "__main__":
    sys.exit(main())
