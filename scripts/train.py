# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains one of Unrender's networks, with or without Blender around it.

    blender -b -P scripts/train.py -- TASK --data PATH --out RUN [--preset small] [--resume] [key=value ...]
    python scripts/train.py TASK --data PATH --out RUN ...

``key=value`` changes one setting of the preset; dots reach inside (loop.steps=2000 weights.colour=10).
Inside Blender the training itself runs in a child process with an interpreter that has torch, because torch never
loads in Blender's process; $UNRENDER_PYTHON names that interpreter.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

if __name__ == "__main__":
    sys.exit(command_line.run(__file__))
