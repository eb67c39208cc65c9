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

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

from addon import batch, registered

if __name__ == "__main__":
    with registered():
        code = batch.run(command_line.own_arguments(sys.argv))
    sys.exit(code)
