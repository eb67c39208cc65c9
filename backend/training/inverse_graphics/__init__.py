# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings of the network that turns a photograph into shape, texture, camera and light."""
