# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire between Blender's process and the worker: one frame a message over a pair of pipes.

A frame is a fixed prefix (magic, protocol version, length of the header), a JSON header and the raw bytes of the arrays
that the header announces, one after the other. Nothing is pickled: a header can only name the message types below, and
every field is checked against the type that its dataclass declares. The first frame in each direction is the handshake,
:class:`Hello` from Blender's side and :class:`Ready` from the worker's.

Standard library and NumPy alone.
"""

from __future__ import annotations

import dataclasses
import json
import math
import struct
import types
import typing
import zlib
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from ..common import records

VERSION = 1
"""Of the framing; the messages themselves are compared by :func:`schema`."""

MAGIC = b"UNRD"
PREFIX = struct.Struct("<4sHxxI")
MAX_HEADER_BYTES = 1 << 20
MAX_ARRAYS = 64
MAX_ARRAY_BYTES = 1 << 30
"""Of all arrays of one frame together: the mask of the largest photo that is accepted, with room to spare."""
CHUNK_BYTES = 1 << 24
"""Memory that is taken for a message before the bytes that fill it have come."""

DTYPES = frozenset({"|b1", "|u1", "<i4", "<i8", "<f4", "<f8"})


class ProtocolError(Exception):
    """The bytes on the wire are not a message of this protocol; the connection is of no further use."""


@dataclass
class Hello:
    """First message to the worker."""

    schema: int
    """:func:`schema` of the sender."""


@dataclass
class Ready:
    """First message from the worker: it can take requests."""

    schema: int
    python: str
    torch: str
    """Version of torch, empty where the worker does not use it."""
    devices: list[str] = field(default_factory=list)
    bundles: list[str] = field(default_factory=list)


@dataclass
class Cancel:
    """Stop the request that has this message's identity."""


@dataclass
class Failed:
    """The answer to a request that gave no result."""

    message: str
    """One sentence for the user."""
    cancelled: bool = False


@dataclass
class PictureRequest:
    """Asks for a photo's pixels as the pipeline sees them: turned upright, in RGB, whatever the file's format."""

    image_path: str
    longest_side: int = 2048
    """Larger photos are scaled down to this many pixels."""


@dataclass
class Picture:
    """The answer to :class:`PictureRequest`."""

    pixels: np.ndarray
    """(h, w, 3) uint8 sRGB, row 0 at the top."""


MESSAGE_TYPES: dict[str, type] = {
    message_type.__name__: message_type
    for message_type in (
        Hello,
        Ready,
        Cancel,
        Failed,
        PictureRequest,
        Picture,
        records.Progress,
        records.ReconstructRequest,
        records.Reconstruction,
        records.GenerateRequest,
        records.EditRequest,
        records.Edit,
        records.NeuralRenderRequest,
        records.NeuralRender,
        records.CutOutRequest,
        records.CutOut,
        records.ImportWeightsRequest,
        records.ImportedWeights,
    )
}


NESTED_TYPES = (records.Camera, records.ObjectParts, records.Alternative, records.FurtherPhoto)
"""Records that travel as fields of messages, never as messages of their own."""


@dataclass
class Message:
    """One message; an answer carries the identity of its request (0: belongs to no request)."""

    identity: int
    body: Any


def schema() -> int:
    """A number that changes whenever a message type or a field of one does."""
    lines = []
    for message_type in [*MESSAGE_TYPES.values(), *NESTED_TYPES]:
        fields = ",".join(f"{entry.name}:{entry.type}" for entry in dataclasses.fields(message_type))
        lines.append(f"{message_type.__name__}({fields})")
    return zlib.crc32("\n".join(lines).encode())


def encode(message: Message) -> bytes:
    """Returns the frame of a message; raises :class:`ProtocolError` if it cannot travel."""
    kind = type(message.body).__name__
    if MESSAGE_TYPES.get(kind) is not type(message.body):
        raise ProtocolError(f"{kind} is not a message type")
    arrays: list[np.ndarray] = []
    fields = _encode_record(message.body, arrays)
    layout = [[array.dtype.str, list(array.shape)] for array in arrays]
    header = json.dumps({"kind": kind, "id": message.identity, "fields": fields, "arrays": layout}).encode("ascii")
    if len(header) > MAX_HEADER_BYTES:
        raise ProtocolError(f"the header of {kind} has {len(header)} bytes, more than {MAX_HEADER_BYTES}")
    _check_layout(layout)
    return b"".join([PREFIX.pack(MAGIC, VERSION, len(header)), header, *(array.tobytes() for array in arrays)])


def read(stream: BinaryIO) -> Message | None:
    """Reads one message; None at the end of the stream. Raises :class:`ProtocolError` on anything else."""
    prefix = _read_exactly(stream, PREFIX.size, may_end=True)
    if prefix is None:
        return None
    magic, version, header_length = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise ProtocolError(f"expected a message, found the bytes {bytes(prefix)!r}")
    if version != VERSION:
        raise ProtocolError(f"the other side speaks version {version} of the protocol, this side version {VERSION}")
    if header_length > MAX_HEADER_BYTES:
        raise ProtocolError(f"a header of {header_length} bytes is announced, more than {MAX_HEADER_BYTES}")
    try:
        kind, identity, fields, layout = _parse_header(_read_exactly(stream, header_length))
        arrays = [_read_array(stream, dtype, shape) for dtype, shape in layout]
        return Message(identity, _decode_record(MESSAGE_TYPES[kind], fields, arrays))
    except (TypeError, ValueError, ArithmeticError, LookupError, RecursionError, MemoryError) as error:
        # Whoever reads must be told of any malformed message in one way: a reader that dies of another error hangs.
        raise ProtocolError(f"a message is malformed ({type(error).__name__}: {error})") from error


def _read_exactly(stream: BinaryIO, count: int, may_end: bool = False) -> bytearray | None:
    """Reads ``count`` bytes; None if ``may_end`` and the stream ends before the first."""
    buffer = bytearray(min(count, CHUNK_BYTES))
    filled = 0
    while filled < count:
        if filled == len(buffer):  # memory is taken as bytes come, not as they are announced
            buffer.extend(bytes(min(count - filled, CHUNK_BYTES)))
        with memoryview(buffer) as view:
            received = stream.readinto(view[filled:])  # type: ignore[attr-defined]
        if not received:
            if may_end and filled == 0:
                return None
            raise ProtocolError(f"the stream ended after {filled} of {count} bytes")
        filled += received
    return buffer


def _parse_header(header: bytearray | None) -> tuple[str, int, dict[str, Any], list[tuple[str, list[int]]]]:
    try:
        parsed = json.loads(bytes(header or b""))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the header is not JSON: {error}") from error
    if not isinstance(parsed, dict) or parsed.keys() != {"kind", "id", "fields", "arrays"}:
        raise ProtocolError("the header has other entries than kind, id, fields and arrays")
    kind, identity, fields, layout = parsed["kind"], parsed["id"], parsed["fields"], parsed["arrays"]
    if not isinstance(kind, str) or kind not in MESSAGE_TYPES:
        raise ProtocolError(f"unknown message type {kind!r}")
    if type(identity) is not int or not isinstance(fields, dict):
        raise ProtocolError(f"the identity or the fields of {kind} are malformed")
    _check_layout(layout)
    return kind, identity, fields, [(dtype, shape) for dtype, shape in layout]


def _check_layout(layout: Any) -> None:
    """Refuses arrays of unknown types, of too many bytes, or too many of them."""
    if not isinstance(layout, list) or len(layout) > MAX_ARRAYS:
        raise ProtocolError(f"more than {MAX_ARRAYS} arrays, or none at all where a list of them belongs")
    total = 0
    for entry in layout:
        if not isinstance(entry, list) or [type(part) for part in entry] != [str, list] or entry[0] not in DTYPES:
            raise ProtocolError(f"{entry!r:.80} does not describe an array")
        dtype, shape = entry
        if len(shape) > 8 or not all(type(length) is int and length >= 0 for length in shape):
            raise ProtocolError(f"{shape!r:.80} is not a shape")
        total += math.prod(shape) * np.dtype(dtype).itemsize
    if total > MAX_ARRAY_BYTES:
        raise ProtocolError(f"{total} bytes of arrays are announced, more than {MAX_ARRAY_BYTES}")


def _read_array(stream: BinaryIO, dtype: str, shape: list[int]) -> np.ndarray:
    count = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = _read_exactly(stream, count)
    return np.frombuffer(buffer or b"", dtype=dtype).reshape(shape)


def _encode_record(record: Any, arrays: list[np.ndarray]) -> dict[str, Any]:
    return {
        entry.name: _encode_value(getattr(record, entry.name), arrays, f"{type(record).__name__}.{entry.name}")
        for entry in dataclasses.fields(record)
    }


def _encode_value(value: Any, arrays: list[np.ndarray], where: str) -> Any:
    """Turns a field into JSON; an array becomes its position among the arrays that follow the header."""
    if isinstance(value, np.ndarray):
        array = np.asarray(value, dtype=value.dtype.newbyteorder("<"), order="C")
        if array.dtype.str not in DTYPES:
            raise ProtocolError(f"{where} has the array type {value.dtype}, which does not travel")
        arrays.append(array)
        return len(arrays) - 1
    if isinstance(value, NESTED_TYPES):
        return _encode_record(value, arrays)
    if isinstance(value, dict):
        return {str(key): _encode_value(entry, arrays, where) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_encode_value(entry, arrays, where) for entry in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ProtocolError(f"{where} holds a {type(value).__name__}, which does not travel")


def _decode_record(record_type: type, fields: Any, arrays: list[np.ndarray]) -> Any:
    declared = typing.get_type_hints(record_type)
    if not isinstance(fields, dict) or fields.keys() != declared.keys():
        raise ProtocolError(f"{record_type.__name__} came with other fields than this side knows")
    return record_type(
        **{
            name: _decode_value(fields[name], hint, arrays, f"{record_type.__name__}.{name}")
            for name, hint in declared.items()
        }
    )


def _decode_value(value: Any, hint: Any, arrays: list[np.ndarray], where: str) -> Any:
    """Checks a field against the type its dataclass declares and puts arrays in their places."""
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin is types.UnionType or origin is typing.Union:
        if value is None and type(None) in arguments:
            return None
        hint = next(argument for argument in arguments if argument is not type(None))
        return _decode_value(value, hint, arrays, where)
    if hint is np.ndarray:
        if type(value) is not int or not 0 <= value < len(arrays):
            raise ProtocolError(f"{where} names an array that did not come")
        return arrays[value]
    if hint in NESTED_TYPES:
        return _decode_record(hint, value, arrays)
    if origin is dict and isinstance(value, dict):
        return {key: _decode_value(entry, arguments[1], arrays, where) for key, entry in value.items()}
    if origin is list and isinstance(value, list):
        return [_decode_value(entry, arguments[0], arrays, where) for entry in value]
    if hint is float and type(value) in (int, float):
        return float(value)
    if hint in (str, int, bool) and type(value) is hint:
        return value
    raise ProtocolError(f"{where} holds {value!r:.80} where {hint} belongs")
