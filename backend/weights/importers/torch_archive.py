# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``torch.save`` writes, read without torch and without running anything: zip files, and the older streams.

Both hold a pickle whose tensors refer to their storages (flat arrays of one type) by a key. In a zip file the pickle is
the member ``<root>/data.pkl`` and each storage a member ``<root>/data/<key>``, neither compressed. A stream is five
pickles in a row (a magic number, a version, the machine's properties, the object, the list of keys), then for each key
the storage's length, eight bytes, little-endian, and its numbers.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .pickle_reader import ALLOWED, Global, Persistent, interpret
from .untrusted import Budget, Malformed, printable

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
"""The first pickle of a stream."""
MAX_MEMBERS = 50_000
"""In one zip file; the largest checkpoints have some thousands, one for each tensor."""
STORAGE_TYPES: dict[str, np.dtype[Any]] = {
    f"torch.{kind}Storage": np.dtype(name)
    for kind, name in {
        "Double": "<f8",
        "Float": "<f4",
        "Half": "<f2",
        "Long": "<i8",
        "Int": "<i4",
        "Short": "<i2",
        "Char": "i1",
        "Byte": "u1",
        "Bool": "?",
    }.items()
}
_NO_NAMES: dict[str, frozenset[str]] = {}
_STORAGES_ONLY = {"torch": frozenset(name for name in ALLOWED["torch"] if name.endswith("Storage"))}


@dataclass
class Record:
    """The bytes of one storage, in the file."""

    data: memoryview
    checksum: int | None = None
    """CRC-32, where the file has one that was not compared yet."""


@dataclass
class Archive:
    """A pickle and the storages it refers to."""

    tree: Any
    records: dict[str, Record]

    def numbers(self, reference: Persistent) -> np.ndarray:
        """A read-only view (N,) of a storage's numbers in the file. Raises Malformed."""
        key, kind, length = storage_reference(reference)
        size = length * kind.itemsize
        record = self.records.get(key)
        if record is None or len(record.data) < size:
            raise Malformed(f"is incomplete or damaged: its storage '{printable(key)}' is missing or too short")
        if record.checksum is not None and zlib.crc32(record.data) != record.checksum:
            raise Malformed(f"is damaged: its storage '{printable(key)}' does not match its checksum")
        record.checksum = None  # once is enough, however many tensors refer to it
        return np.frombuffer(record.data[:size], dtype=kind)


def is_zip(data: bytes | memoryview) -> bool:
    """Whether a file begins as a zip file does."""
    return bytes(data[:4]) == b"PK\x03\x04"


def open_zip(data: bytes | memoryview, budget: Budget, *, storages_only: bool = False) -> Archive:
    """The archive in a zip file. ``storages_only`` refuses everything but references to storages. Raises Malformed."""
    members = {name: record for name, record in _members(data)}
    pickles = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise Malformed("is a zip file, but not one that torch.save wrote")
    root = pickles[0].removesuffix("data.pkl")
    if root + "constants.pkl" in members:
        raise Malformed("is a TorchScript program, not a file of weights")
    if root + "byteorder" in members and bytes(members[root + "byteorder"].data) != b"little":
        raise Malformed("was written by a machine with big-endian numbers, which are not read")
    allowed = _STORAGES_ONLY if storages_only else ALLOWED
    tree, _ = interpret(members[pickles[0]].data, budget, allowed=allowed, references=[])
    folder = root + "data/"
    return Archive(tree, {name.removeprefix(folder): members[name] for name in members if name.startswith(folder)})


def open_stream(data: memoryview, budget: Budget, *, storages_only: bool = False) -> Archive:
    """The archive in a stream that begins with the magic number. Raises Malformed."""
    magic, position = interpret(data, budget, allowed=_NO_NAMES)
    version, position = interpret(data, budget, position, allowed=_NO_NAMES)
    if magic != MAGIC_NUMBER or version != 1001:
        raise Malformed("is not in a format that torch.save writes")
    machine, position = interpret(data, budget, position, allowed=_NO_NAMES)
    if type(machine) is not dict or machine.get("little_endian") is not True:
        raise Malformed("was written by a machine with big-endian numbers, which are not read")
    references: list[Persistent] = []
    allowed = _STORAGES_ONLY if storages_only else ALLOWED
    tree, position = interpret(data, budget, position, allowed=allowed, references=references)
    keys, position = interpret(data, budget, position, allowed=_NO_NAMES)
    if type(keys) is not list:
        raise Malformed("is damaged: its list of storages is not a list")
    widths = {key: kind.itemsize for key, kind, _ in map(storage_reference, references)}
    return Archive(tree, dict(_stream_records(data, position, keys, widths)))


def _stream_records(
    data: memoryview, position: int, keys: list[Any], widths: dict[str, int]
) -> Iterator[tuple[str, Record]]:
    """The storages after a stream's pickles; ``widths`` are the bytes of one number of each."""
    for key in keys:
        if type(key) is not str or key not in widths:
            raise Malformed("is damaged: it lists a storage that no tensor has")
        if len(data) - position < 8:
            raise Malformed("is incomplete: it ends before its last storage")
        size = struct.unpack_from("<q", data, position)[0] * widths[key]
        position += 8
        if not 0 <= size <= len(data) - position:
            left = len(data) - position
            raise Malformed(
                f"is incomplete or damaged: at byte {position} it claims {size:,} bytes where {left:,} are left"
            )
        yield key, Record(data[position : position + size])
        position += size


def storage_reference(reference: Persistent) -> tuple[str, np.dtype[Any], int]:
    """Key, type and length of a storage from ('storage', type, key, device, length[, view]). Raises Malformed."""
    identity = reference.identity
    if type(identity) is not tuple or len(identity) not in (5, 6) or identity[0] != "storage":
        raise Malformed("refers to something that is no storage of numbers")
    _, kind, key, _, length, *view = identity
    if not isinstance(kind, Global) or kind.path not in STORAGE_TYPES:
        raise Malformed("refers to a storage of unknown type")
    if type(key) is not str or type(length) is not int or length < 0 or any(part is not None for part in view):
        raise Malformed("refers to a storage in a way that is not understood")
    return key, STORAGE_TYPES[kind.path], length


def _members(data: bytes | memoryview) -> Iterator[tuple[str, Record]]:
    """Name and content of a zip file's members. Nothing is decompressed, nothing is copied."""
    # The directory is counted first: zipfile makes an object of every entry before anybody can ask how many there are.
    if sum(1 for _ in re.finditer(rb"PK\x01\x02", data)) > MAX_MEMBERS:
        raise Malformed(f"is a zip file of more than {MAX_MEMBERS:,} members, far more than any checkpoint")
    try:
        members = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        raise Malformed("is an incomplete or damaged zip file") from error
    whole = memoryview(data)
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise Malformed("is a compressed or encrypted zip file, which torch.save does not write")
        start = member.header_offset
        header = bytes(whole[start : start + 30]) if start >= 0 else b""
        if len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise Malformed("is an incomplete or damaged zip file")
        start += 30 + sum(struct.unpack_from("<HH", header, 26))
        if start + member.file_size > len(whole):
            raise Malformed("is an incomplete or damaged zip file")
        yield member.filename, Record(whole[start : start + member.file_size], member.CRC)
