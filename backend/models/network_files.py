# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a file of weights to a network, where the file may come from a stranger.

The config in its metadata is compared with the types of the config's fields, and a network is first made without
memory: a file of some kilobytes cannot ask for terabytes, and no weight of another shape comes further than here.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import torch
from torch import Tensor, nn

from ..common.json_files import parse_object
from .storage import load_state, unfitting

Config = TypeVar("Config")
Network = TypeVar("Network", bound=nn.Module)
LARGEST = 65_536
"""No whole number of a config is larger: it counts channels, pixels or layers."""
LONGEST = 256
"""Nor is a list longer."""


def config_of(path: Path, metadata: dict[str, str], kind: type[Config]) -> Config:
    """The config in a file's metadata. Raises ValueError with one sentence if it is another network's, or damaged."""
    try:
        return config_from(parse_object(metadata.get("config", "{}"), "its config"), kind)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ValueError(f"The weights file {path} does not fit this version: {_line(error)}") from error


def config_from(values: Any, kind: type[Config]) -> Config:
    """A config dataclass from an object of JSON, its lists made tuples. Raises TypeError or ValueError."""
    if not isinstance(values, dict):
        raise TypeError(f"{kind.__name__} is {values!r:.40}, not an object")
    hints = get_type_hints(kind)
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    strange = sorted(set(values) - known)
    if strange:
        raise TypeError(f"{kind.__name__} has no {', '.join(strange)[:80]}")
    return kind(**{name: _typed(value, hints[name], name) for name, value in values.items()})


def _typed(value: Any, wanted: Any, name: str) -> Any:
    """The value of JSON as the type that a field names. Raises TypeError where it is none."""
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        for one in get_args(wanted):
            try:
                return _typed(value, one, name)
            except TypeError:
                continue
    elif origin is Literal:
        if value in list(get_args(wanted)):
            return value
    elif origin is tuple and isinstance(value, list) and len(value) <= LONGEST:
        inner = get_args(wanted)
        if inner[-1] is ...:
            inner = (inner[0],) * len(value)
        if len(inner) == len(value):
            return tuple(_typed(one, kind, name) for one, kind in zip(value, inner, strict=True))
    elif is_dataclass(wanted):
        return config_from(value, wanted)  # type: ignore[arg-type]
    elif wanted is float and type(value) in (int, float) and isfinite(value):
        return value
    elif wanted is int and type(value) is int and abs(value) <= LARGEST:
        return value
    elif wanted in (bool, str) and type(value) is wanted or wanted is type(None) and value is None:
        return value
    raise TypeError(f"{name} is {value!r:.40}")


def build(path: Path, tensors: dict[str, Tensor], make: Callable[[], Network], device: torch.device | str) -> Network:
    """A network with the weights of a file, in evaluation mode and without gradients, on a device.

    make: what makes it; it is called twice, at first without memory. Raises ValueError with one sentence where weights
    and network do not fit, or its config is none that it can be made of.
    """
    try:
        with torch.device("meta"):
            sketch = make()
    except (RuntimeError, TypeError, ValueError, IndexError, ArithmeticError, AttributeError, MemoryError) as error:
        raise ValueError(f"The weights file {path} does not fit this version: {_line(error)}") from error
    if wrong := unfitting(sketch.state_dict(), tensors):
        raise ValueError(f"The weights file {path} does not fit this version or its template: {wrong}.")
    network = make()
    load_state(network, tensors, path)
    return network.to(device).eval().requires_grad_(False)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
