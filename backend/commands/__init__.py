# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bodies of the commands: ``python -m backend.commands.NAME`` in a checkout, and the doors in ``scripts/``."""

import os

# Every command passes here before torch is loaded: threads that spin while they wait make a busy machine many times
# slower, and the library behind them reads this variable once.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
