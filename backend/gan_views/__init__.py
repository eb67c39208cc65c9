# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views of an image generator (paper A): codes that hold the view, the search for them, and data made with them."""
