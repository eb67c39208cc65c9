# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small ONNX files, written byte by byte: chains of layers from a picture to a map, as salient-object networks are.

ONNX is a protocol buffer: fields with a number and a kind, which is a whole number (0) or bytes with their length (2).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

FLOAT, INT64 = 1, 7


def write_model(
    path: Path,
    layers: Sequence[tuple[str, dict[str, np.ndarray]]],
    side: int | str = 64,
    *,
    channels: int = 3,
    inputs: int = 1,
    kind: int = FLOAT,
) -> Path:
    """Writes a model whose layers follow one another: (operator, further inputs by name).

    The output has the name of the last layer; ``side`` is a text where the model takes any.
    """
    nodes, constants, before = [], [], "picture"
    for number, (operator, further) in enumerate(layers):
        after = f"{operator}{number}"
        names = [before, *(f"{name}{number}" for name in further)]
        constants += [_tensor(f"{name}{number}", values) for name, values in further.items()]
        nodes.append(b"".join(_bytes(1, name.encode()) for name in names) + _text(2, after) + _text(4, operator))
        before = after
    shape = [1, channels, side, side]
    graph = b"".join(_bytes(1, node) for node in nodes) + _text(2, "graph")
    graph += b"".join(_bytes(5, tensor) for tensor in constants)
    graph += b"".join(_bytes(11, _value(name, kind, shape)) for name in ("picture", "other")[:inputs])
    graph += _bytes(12, _value(before, kind, None))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_number(1, 8) + _bytes(8, _number(2, 13)) + _bytes(7, graph))
    return path


def finds_red(sharpness: float = 24.0) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Layers that answer how much redder a place is than blue and green, as logits and through a sigmoid.

    The same whatever is subtracted from all three colours; a deviation other than 1 only makes it blunter.
    """
    weights = np.array([1.0, -0.5, -0.5], np.float32).reshape(1, 3, 1, 1) * sharpness
    return [("Conv", {"weights": weights, "bias": np.array([-0.25 * sharpness], np.float32)}), ("Sigmoid", {})]


def _value(name: str, kind: int, shape: Sequence[int | str] | None) -> bytes:
    """A name with a type; None: of any shape."""
    tensor = _number(1, kind)
    if shape is not None:
        sides = (_text(2, side) if isinstance(side, str) else _number(1, side) for side in shape)
        tensor += _bytes(2, b"".join(_bytes(1, side) for side in sides))
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _tensor(name: str, values: np.ndarray) -> bytes:
    kind = INT64 if values.dtype == np.int64 else FLOAT
    dimensions = b"".join(_number(1, side) for side in values.shape)
    return dimensions + _number(2, kind) + _text(8, name) + _bytes(9, values.tobytes())


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())
