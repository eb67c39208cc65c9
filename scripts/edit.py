# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects and photos with values of handles to Blender scenes and pictures, without a window.

    blender -b -P scripts/edit.py -- OBJECT_OR_PHOTO... NAME=VALUE... --out DIR [options]
    python scripts/edit.py -- OBJECT_OR_PHOTO... NAME=VALUE... --out DIR [options]      (where bpy is a package)

An object is a scene file that image_to_3d.py or generate.py wrote. The options are those of ``blender --command
unrender edit``; ``--help`` lists them, and ``--list`` the handles of an object.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

from addon import batch_edit, registered

if __name__ == "__main__":
    with registered():
        code = batch_edit.run(command_line.own_arguments(sys.argv))
    sys.exit(code)
