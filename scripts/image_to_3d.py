# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos and folders of photos to Blender scenes, without a window.

    blender -b -P scripts/image_to_3d.py -- PHOTO_OR_FOLDER... --out DIR [options]
    python scripts/image_to_3d.py -- PHOTO_OR_FOLDER... --out DIR [options]      (where bpy is installed as a package)

The options are those of ``blender --command unrender image-to-3d``; ``--help`` lists them.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from addon import batch, registered


def arguments(argv: list[str]) -> list[str]:
    """What follows ``--``, for what stands before it is Blender's; without ``--`` all that follows the script."""
    return argv[argv.index("--") + 1 :] if "--" in argv else argv[1:]


if __name__ == "__main__":
    with registered():
        code = batch.run(arguments(sys.argv))
    sys.exit(code)
