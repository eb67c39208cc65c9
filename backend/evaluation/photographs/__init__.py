# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The product measured on labelled photographs: a record of each, figures over all, pictures to look at.

Nothing here loads torch when it is imported, so that Blender's process can measure too.
"""
