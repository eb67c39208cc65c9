# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts trained networks together as a bundle: those of Image to 3D, an image generator, or all of them.

    python scripts/build_bundle.py --inverse-graphics RUN --segmenter FILE_OR_BUNDLE --out DIR
            --category car --real-size 4.5 --data-note "..." --licence "..."
    python scripts/build_bundle.py --generator RUN --out DIR --data-note "..." --licence "..."
    python scripts/build_bundle.py --shape-generator RUN --out DIR --data-note "..." --licence "..."
    python scripts/build_bundle.py --parts RUN_OR_FILE --out DIR --data-note "..." --licence "..."
    python scripts/build_bundle.py --segmenter FILE --out DIR --data-note "..." --licence "..."
    python scripts/build_bundle.py --out DIR [--precision int8] [--title "..."] [--description "..."]

See ``backend/commands/build_bundle.py``.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

if __name__ == "__main__":
    sys.exit(command_line.run(__file__))
