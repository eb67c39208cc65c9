# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of StyleGAN2 weights in other projects' files. Nothing in a file is run."""
