# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parametric car: styles, parameters, meshes, markings, and the template made of many of them."""
