# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Overrides ``key=value`` of a training's config: frozen dataclasses, changed as text from a command line."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

Config = TypeVar("Config")


def changed(config: Config, setting: str) -> Config:
    """A copy of a config dataclass with ``key=value`` applied; dots reach inside (``loop.steps=2000``).

    Raises ValueError for an unknown key, for a text of the wrong type, and for a key that names a group of settings.
    """
    path, equals, text = setting.partition("=")
    if not equals:
        raise ValueError(f"'{setting}' is not of the form key=value.")
    return _replaced(config, path, path, text)


def _replaced(config: Any, path: str, whole: str, text: str) -> Any:
    """``path`` is what remains of the ``whole`` path inside of ``config``."""
    name, _, rest = path.partition(".")
    known = {field.name for field in dataclasses.fields(config)}
    if name not in known and (renamed := name.replace("least_", "min_", 1)) in known:
        name = renamed  # recipes in cards and notes name settings as they were called then
    if name not in known:
        raise ValueError(f"There is no setting '{whole}'; there are {', '.join(sorted(known))}.")
    old = getattr(config, name)
    if rest:
        if not dataclasses.is_dataclass(old):
            raise ValueError(f"'{name}' has no settings inside; set {name} itself.")
        return dataclasses.replace(config, **{name: _replaced(old, rest, whole, text)})
    if dataclasses.is_dataclass(old):
        inside = ", ".join(f"{whole}.{field.name}" for field in dataclasses.fields(old))
        raise ValueError(f"'{whole}' is a group of settings; set one of {inside}.")
    return dataclasses.replace(config, **{name: _converted(text, old, whole)})


def _converted(text: str, old: Any, path: str) -> Any:
    """``text`` as the type of ``old``."""
    try:
        if isinstance(old, bool):
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        if old is None:
            return int(text)  # the only settings without a value of their own are limits
        if isinstance(old, tuple):
            return tuple(_converted(part, old[0] if old else "", path) for part in text.split(","))
        return type(old)(text)
    except (KeyError, ValueError) as error:
        raise ValueError(f"'{text}' does not fit {path}, which is {old!r} now.") from error
