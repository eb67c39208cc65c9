# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs painted solids whose truth is known, for ``train.py gan3d``.

    python scripts/photograph_solids.py --out DIR [options]
    blender -b -P scripts/photograph_solids.py -- --out DIR [options]

See ``backend/commands/photograph_solids.py`` for the options.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

if __name__ == "__main__":
    sys.exit(command_line.run(__file__))
