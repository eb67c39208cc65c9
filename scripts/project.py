# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the codes with which a StyleGAN2 generator comes nearest to photographs.

    python scripts/project.py PHOTO... --generator BUNDLE_OR_FILE --out DIR [options]

See ``backend/commands/project.py``.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

if __name__ == "__main__":
    sys.exit(command_line.run(__file__))
