# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors whose message is one sentence written for the user, with the remedy where there is one."""

from __future__ import annotations


class UnrenderError(Exception):
    """Anything the user should read as one sentence, without a traceback."""


class PhotoError(UnrenderError):
    """A picture that cannot be used."""


class BundleError(UnrenderError):
    """A weights bundle that is missing, damaged or of another format."""


class OutputError(UnrenderError):
    """A result that cannot be written."""


class OutOfMemory(UnrenderError):
    """Something for which there is not enough memory, however small it is made."""


class Cancelled(UnrenderError):
    """The user asked to stop."""
