# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both processes use: the standard library and NumPy alone, because Blender's process imports it too."""
