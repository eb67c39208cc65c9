# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes one report of those of a batch's shards.

    blender -b -P scripts/join.py -- DIR
    python scripts/join.py -- DIR      (where bpy is installed as a package)

The options are those of ``blender --command unrender join``; ``--help`` lists them.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

from addon import batch_join, registered

if __name__ == "__main__":
    with registered():
        code = batch_join.run(command_line.own_arguments(sys.argv))
    sys.exit(code)
