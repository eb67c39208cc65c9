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

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from addon import batch_generate, registered


def arguments(argv: list[str]) -> list[str]:
    """What follows ``--``, for what stands before it is Blender's; without ``--`` all that follows the script."""
    return argv[argv.index("--") + 1 :] if "--" in argv else argv[1:]


if __name__ == "__main__":
    with registered():
        code = batch_generate.run(arguments(sys.argv))
    sys.exit(code)
