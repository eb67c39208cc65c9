# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges generators of shapes against objects that are known: solids, or those of rendered views.

    python scripts/evaluate_gan3d.py RUN... --data SOLIDS_OR_RENDERS --report FILE [options]
    blender -b -P scripts/evaluate_gan3d.py -- RUN... --data SOLIDS_OR_RENDERS --report FILE [options]

See ``backend/commands/evaluate_gan3d.py`` for what the figures mean.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

if __name__ == "__main__":
    sys.exit(command_line.run(__file__))
