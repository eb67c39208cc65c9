# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that touches bpy. Imports are inside the functions, so that modules without bpy can be used without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def _modules() -> list:
    """The modules that have something to register, in order; each has register() and unregister()."""
    from . import late_numpy

    late_numpy.arrange()
    from . import animation, cli, handles, neural_render, operators, palette, session
    from .ui import (
        asset_panel,
        handle_panels,
        menus,
        neural_panel,
        panels,
        preferences,
        properties,
        shape_key_menu,
        train_category_panel,
        train_panels,
        train_properties,
        train_runs_panel,
    )

    return [
        properties,
        preferences,
        operators,
        panels,
        handle_panels,
        asset_panel,
        neural_panel,
        train_properties,
        train_panels,
        train_category_panel,
        train_runs_panel,
        shape_key_menu,
        menus,
        handles,
        animation,
        palette,
        neural_render,
        session,
        cli,
    ]


def register() -> None:
    """Registers classes, properties, handlers and the command."""
    for module in _modules():
        module.register()


def unregister() -> None:
    """Takes back everything that :func:`register` did and ends the worker."""
    for module in reversed(_modules()):
        module.unregister()


@contextmanager
def registered() -> Iterator[None]:
    """Makes sure the add-on is registered while this is open, also where it is no enabled extension: in scripts."""
    import bpy

    from . import session

    by_us = not hasattr(bpy.types.Object, "unrender")
    if by_us:
        register()
    try:
        yield
    finally:
        session.end_worker()
        if by_us:
            unregister()
