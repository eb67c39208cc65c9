# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paper B's training: a generator of shape, texture and background from photographs alone."""
