# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How well StyleGAN-R keeps camera, shape, texture and background apart, and the paper's pictures of it."""
