# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""New objects with parts, such as cars with wheels that turn, from seeds to Blender scenes, without a window.

    blender -b -P scripts/generate.py -- --bundle NAME --seeds 1-100 --out DIR [options]
    python scripts/generate.py -- --bundle NAME --seeds 1-100 --out DIR [options]       (where bpy is a package)

Every seed gets a folder: DIR/car-000007 holds scene.blend, car-000007.glb, texture.png and preview.png. The same seed
and bundle make the same object. ``--help`` lists the options.
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
