# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the network for objects with parts, on drawn cars, rendered cars and labelled photographs."""
