# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole chain of paper A, from a folder of photographs to a bundle of a new category."""
