# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measuring through Blender: results as imported scenes, looked at through their cameras."""
