# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks and training states as safetensors files: nothing is unpickled."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


def save_network(path: Path, network: nn.Module, config: Any, *, half: bool) -> None:
    """Writes a network's state with its config dataclass in the metadata; ``half`` stores floats in half precision."""
    tensors = {
        name: (value.half() if half and value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in network.state_dict().items()
    }
    write_tensors(path, tensors, {"config": json.dumps(asdict(config))})


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Writes a safetensors file beside its place and renames it, so that a kill leaves the old file whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    save_file(tensors, temporary, metadata=metadata)
    os.replace(temporary, path)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file. Raises ValueError with one sentence if it is missing or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ValueError(f"The weights file {path} cannot be read: {error}") from error


def tuples(values: dict[str, Any]) -> dict[str, Any]:
    """A config read from JSON, with its lists made tuples again."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def load_state(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Loads tensors into a network in its own precision. Raises ValueError where names or shapes differ."""
    own = network.state_dict()
    try:
        network.load_state_dict(
            {name: value.to(own[name].dtype) if name in own else value for name, value in tensors.items()}
        )
    except RuntimeError as error:
        raise ValueError(f"The weights file {path} does not fit this version: {error}") from error
    if any(value.is_floating_point() and not torch.isfinite(value).all() for value in own.values()):
        raise ValueError(f"The weights file {path} holds numbers that are not finite.")
