# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the environment that the backend runs with, in the extension's user folder.

    blender -b -P scripts/setup.py -- [--wheels FOLDER] [--python PATH]
    python scripts/setup.py -- [--wheels FOLDER] [--python PATH]      (where bpy is installed as a package)

The options are those of ``blender --command unrender setup``; ``--help`` lists them.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

from addon import registered, setup_command

if __name__ == "__main__":
    with registered():
        code = setup_command.run(command_line.own_arguments(sys.argv))
    sys.exit(code)
