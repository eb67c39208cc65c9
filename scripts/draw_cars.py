# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws cars of a bundle's shape space from known viewpoints, for ``train.py gan3d``.

    python scripts/draw_cars.py --out DIR [options]
    blender -b -P scripts/draw_cars.py -- --out DIR [options]

See ``backend/commands/draw_cars.py`` for the options.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

if __name__ == "__main__":
    sys.exit(command_line.run(__file__))
