# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Panels, properties and preferences: they draw and declare, and decide nothing."""
