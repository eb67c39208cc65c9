# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The product's version, for records of how something was made."""

VERSION = "0.1.0"
