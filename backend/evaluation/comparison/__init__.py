# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparison of several networks on several data sets, with figures, tables and pictures."""
