# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN-R: what a generator's styles mean, taught by the inverse-graphics network (paper A, section A.3)."""
