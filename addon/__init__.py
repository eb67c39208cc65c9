# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that touches bpy. Imports are inside the functions, so that modules without bpy can be used without it."""

from __future__ import annotations


def _modules() -> list:
    """The modules that have something to register, in order; each has register() and unregister()."""
    from . import cli, handles, operators, panels, preferences, properties, session

    return [properties, preferences, operators, panels, handles, session, cli]


def register() -> None:
    """Registers classes, properties, handlers and the command."""
    for module in _modules():
        module.register()


def unregister() -> None:
    """Takes back everything that :func:`register` did and ends the worker."""
    for module in reversed(_modules()):
        module.unregister()
