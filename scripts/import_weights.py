# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a bundle of a StyleGAN2 checkpoint: NVIDIA's PyTorch or TensorFlow pickle, a PyTorch port's .pt, or our own.

    python scripts/import_weights.py FILE --out DIR [--name NAME] [--licence TEXT] [--crop HxW] [--samples FILE.png]

See ``backend/commands/import_weights.py``.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

if __name__ == "__main__":
    sys.exit(command_line.run(__file__))
