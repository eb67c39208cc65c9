# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""New objects from seeds to Blender scenes, without a window: cars with wheels that turn, or what paper B learned.

    blender -b -P scripts/generate.py -- --bundle NAME --seeds 1-100 --out DIR [options]
    python scripts/generate.py -- --bundle NAME --seeds 1-100 --out DIR [options]       (where bpy is a package)

Every seed gets a folder: DIR/car-000007 holds scene.blend, car-000007.glb, texture.png, preview.png and sides.png;
DIR/sheet.png shows five sides of each. The same seed and bundle make the same object. ``--interpolate N`` makes the way
from each seed to the next instead. ``--help`` lists the options.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

from addon import batch_generate, registered

if __name__ == "__main__":
    with registered():
        code = batch_generate.run(command_line.own_arguments(sys.argv))
    sys.exit(code)
