# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes multi-view data with an image generator: every sampled content from every view of a view set, masked.

    python scripts/make_gan_views.py VIEWS --out GANDATA --objects N [--generator BUNDLE_OR_FILE] [--seed S]
            [--truncation T] [--bundle car]

See ``backend/commands/make_gan_views.py``.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

if __name__ == "__main__":
    sys.exit(command_line.run(__file__))
