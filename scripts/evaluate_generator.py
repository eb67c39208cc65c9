# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a StyleGAN2 generator against real images, and shows what it makes.

    python scripts/evaluate_generator.py --generator BUNDLE_OR_FILE --data IMAGES --report FILE [options]
    blender -b -P scripts/evaluate_generator.py -- --generator BUNDLE_OR_FILE --data IMAGES --report FILE [options]

See ``backend/commands/evaluate_generator.py`` for what the figures mean.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

if __name__ == "__main__":
    sys.exit(command_line.run(__file__))
