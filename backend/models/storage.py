# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks and training states as safetensors files: nothing is unpickled.

A network's file says its precision in the metadata. With ``int8`` the large weights are whole numbers: ``NAME`` is
int8 and ``NAME.scale`` (O,), float32, holds a step for each output channel, the first dimension; a weight is its
number times its channel's step. All else is in half precision. Readers see floats, whatever the precision.
"""

from __future__ import annotations

import errno
import json
import os
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..common.files import replacing

Precision = Literal["float32", "half", "int8"]
PRECISIONS: tuple[Precision, ...] = ("float32", "half", "int8")
UNREADABLE = (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, MemoryError)
"""What damaged files of tensors lead to: their types and shapes may be none that torch knows."""
_SCALE = ".scale"
_MIN_ELEMENTS = 4096
"""A tensor smaller than this saves too little in 8 bits."""
_MIN_IN_CHANNEL = 32
"""So does one with fewer numbers for each step: three coordinates a vertex, for instance."""
_TOP = 127
"""The largest whole number: of 8 bits' 256 values -128 stays unused, so that steps reach as far both ways."""


def save_network(
    path: Path, network: nn.Module, config: Any, *, precision: Precision, more: Mapping[str, str] | None = None
) -> None:
    """Writes a network's state with its config dataclass, its precision and what is ``more`` in the metadata.

    ``int8`` takes about half of what ``half`` does. Raises ValueError where it meets numbers that are not finite, or
    are not in half precision.
    """
    state = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    if precision == "int8":
        tensors = quantised(state)
    else:
        tensors = {n: v.half() if precision == "half" and v.is_floating_point() else v for n, v in state.items()}
    metadata = {**(more or {}), "config": json.dumps(asdict(config)), "precision": precision}
    write_tensors(path, {name: value.contiguous() for name, value in tensors.items()}, metadata)


def quantised(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state with its large weights as whole numbers and steps, as a file of precision ``int8`` holds it."""
    tensors: dict[str, Tensor] = {}
    for name, value in state.items():
        if value.is_floating_point():
            value = value.float() if (large := _is_large(value)) else value.half()
            if not torch.isfinite(value).all():
                raise ValueError(f"The weights cannot be stored in 8 bits: {name} holds numbers that are not finite.")
            if large:
                value, tensors[name + _SCALE] = quantise(value)
        elif value.dtype == torch.int8:
            raise ValueError(f"The weights cannot be stored in 8 bits: {name} holds whole numbers of 8 bits itself.")
        tensors[name] = value
    return tensors


def _is_large(value: Tensor) -> bool:
    return value.dim() >= 2 and value.numel() >= max(_MIN_ELEMENTS, _MIN_IN_CHANNEL * value.shape[0])


def quantise(value: Tensor) -> tuple[Tensor, Tensor]:
    """Finite float32 weights (O, ...) to int8 of the same shape and a step (O,) for each output channel.

    The largest number of a channel is 127 steps; every number becomes the nearest whole number of steps.
    """
    # A step is never 0, so that channels of zeros need no care, and 127 of it never overflow.
    limits = torch.finfo(torch.float32)
    steps = (value.flatten(1).abs().amax(dim=1) / _TOP).clamp(min=limits.tiny, max=limits.max * (1 - 1e-6) / _TOP)
    numbers = (value / _beside(steps, value)).round().clamp(-_TOP, _TOP)
    return numbers.to(torch.int8), steps


def dequantise(numbers: Tensor, steps: Tensor) -> Tensor:
    """Inverse of :func:`quantise` but for the rounding: float32 of the shape of ``numbers``."""
    return numbers.float() * _beside(steps.float(), numbers)


def _beside(steps: Tensor, value: Tensor) -> Tensor:
    return steps.view(-1, *[1] * (value.dim() - 1))


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Writes a safetensors file, replacing an old one once the new one is whole. Raises OSError."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        try:
            save_file(tensors, partial, metadata=metadata)
        except SafetensorError as error:  # what a full disk comes as
            number = re.search(r"(?:code: |os error )(\d+)", str(error))
            code = int(number[1]) if number else errno.EIO
            raise OSError(code, os.strerror(code), str(path)) from error


def checksum(tensors: Mapping[str, Tensor], *words: str) -> str:
    """A number of ``words`` and of names, types, shapes and bits of tensors on the CPU, in hexadecimal digits.

    It tells damage, and is no proof against somebody who means it.
    """
    found = zlib.crc32("\0".join(words).encode("utf-8"))
    for name in sorted(tensors):
        found = zlib.crc32(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode(), found)
        found = zlib.crc32(tensors[name].contiguous().reshape(-1).view(torch.uint8).numpy().data, found)
    return f"{found:08x}"


def read_metadata(path: Path) -> dict[str, str]:
    """Metadata of a file alone. Raises ValueError with one sentence if the file is missing or damaged."""
    return _read(path, lambda file: {})[1]


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file, 8-bit weights as float32.

    Raises ValueError with one sentence if the file is missing or damaged.
    """
    tensors, metadata = _read(path, lambda file: {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    precision = metadata.get("precision", "")  # older files say none
    if precision not in ("", *PRECISIONS):
        raise ValueError(f"The weights file {path} is in a precision that is not known here: {precision:.40}.")
    return (_dequantised(tensors, path) if precision == "int8" else tensors), metadata


def _read(path: Path, tensors_of: Callable[[Any], dict[str, Tensor]]) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # a pipe would have its reader wait
            raise OSError("it is no file")
        with safe_open(path, framework="pt") as file:
            return tensors_of(file), file.metadata() or {}
    except UNREADABLE as error:
        reason = " ".join(str(error).split())[:160].rstrip(".")
        raise ValueError(f"The weights file {path} cannot be read: {reason}; copy or make it again.") from error


def _dequantised(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    whole = [name for name, value in tensors.items() if value.dtype == torch.int8]
    for name in whole:
        numbers, steps = tensors[name], tensors.pop(name + _SCALE, None)
        if steps is None:
            raise ValueError(f"The weights file {path} is damaged: the scale of {name} is missing.")
        if numbers.dim() < 2 or steps.shape != numbers.shape[:1] or not steps.is_floating_point():
            raise ValueError(f"The weights file {path} is damaged: the scale of {name} does not fit it.")
        if not torch.isfinite(steps).all():
            raise ValueError(f"The weights file {path} is damaged: the scale of {name} is not finite.")
        tensors[name] = dequantise(numbers, steps)
    return tensors


def tuples(values: dict[str, Any]) -> dict[str, Any]:
    """A config read from JSON, with its lists made tuples again."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def unfitting(own: dict[str, Tensor], tensors: dict[str, Tensor]) -> str:
    """What of tensors does not fit a network's own ones in names, shapes or kind, as the end of a sentence; or ""."""
    lacking, strange = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    if lacking:
        return f"it lacks {lacking[0]}" + (f" and {len(lacking) - 1} more" if lacking[1:] else "")
    if strange:
        return f"it holds {strange[0]:.80}, which is not known" + (
            f", and {len(strange) - 1} more" if strange[1:] else ""
        )
    for name, value in own.items():
        found = tensors[name]
        if found.shape != value.shape:
            return f"{name} has the shape {tuple(found.shape)} instead of {tuple(value.shape)}"
        if found.is_complex():
            return f"{name} holds complex numbers"
    return ""


def load_state(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Loads tensors into a network in its own precision. Raises ValueError where names or shapes differ."""
    own = network.state_dict()
    if wrong := unfitting(own, tensors):
        raise ValueError(f"The weights file {path} does not fit this version: {wrong}.")
    network.load_state_dict({name: value.to(own[name].dtype) for name, value in tensors.items()})
    if any(value.is_floating_point() and not torch.isfinite(value).all() for value in own.values()):
        raise ValueError(f"The weights file {path} holds numbers that are not finite.")
