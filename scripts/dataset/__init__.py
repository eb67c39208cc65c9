# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parametric cars rendered by Cycles: the pictures, masks, cameras, light and meshes that the networks learn from."""
