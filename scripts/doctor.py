# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells versions, devices, weights and environment, and what is wrong with them.

    blender -b -P scripts/doctor.py -- [--json]
    python scripts/doctor.py -- [--json]      (where bpy is installed as a package)

The options are those of ``blender --command unrender doctor``; ``--help`` lists them.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

from addon import doctor, registered

if __name__ == "__main__":
    with registered():
        code = doctor.run(command_line.own_arguments(sys.argv))
    sys.exit(code)
