#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures StyleGAN-R and draws the paper's figures; see backend/commands/evaluate_neural_renderer.py.

python scripts/evaluate_neural_renderer.py RUN --data RENDERS --report FILE [--pictures DIR]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

if __name__ == "__main__":
    sys.exit(command_line.run(__file__))
