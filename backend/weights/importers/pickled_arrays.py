# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays and plain values from the tree of a pickle, as numpy and torch describe theirs.

The numbers come as NumPy arrays of this machine's byte order that own their memory or share it as the tensors in the
file did. Every length, shape and stride is checked before NumPy sees it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .pickle_reader import Call, Global, Persistent
from .torch_archive import Archive, is_zip, open_stream, open_zip, storage_reference
from .untrusted import Budget, Malformed, printable

MAX_DIMENSIONS = 8
MAX_DEPTH = 32
"""Of plain values inside one another."""

_NUMPY_TYPES = frozenset("b1 i1 u1 i2 u2 i4 u4 i8 u8 f2 f4 f8".split())
_NUMPY_MODULES = ("numpy.core.", "numpy._core.")
_MAPPINGS = frozenset({"collections.OrderedDict", "dnnlib.util.EasyDict"})


def mapping(node: Any) -> dict[Any, Any]:
    """The items of a dict, OrderedDict or EasyDict of the tree. Raises Malformed."""
    if type(node) is dict:
        return node
    if isinstance(node, Call) and node.function.path in _MAPPINGS and not node.args and not node.kwargs:
        return node.entries
    raise Malformed("is damaged or of another kind: a dictionary is missing")


class Arrays:
    """Makes the arrays of one file's tree.

    ``budget`` is the file's; ``archive`` holds the storages, where the tree comes from one of torch's archives.
    """

    def __init__(self, budget: Budget, archive: Archive | None = None) -> None:
        self.budget = budget
        self.archive = archive
        # Storages already copied, so that tensors which shared one still do. The node is kept for its id's sake.
        self._storages: dict[tuple[Any, ...], tuple[Any, np.ndarray]] = {}

    def array(self, node: Any, name: str) -> np.ndarray:
        """The tensor or array that a node describes; ``name`` is for the message. Raises Malformed."""
        self.budget.step()
        try:
            return self._array(node)
        except Malformed as error:
            raise Malformed(f"cannot be used, for its '{printable(name)}' {error}") from None

    def plain(self, node: Any) -> Any:
        """A description as Python's own dicts, lists, tuples, numbers and texts.

        NumPy's scalars become numbers; anything that is no plain value becomes the name of its class in angle brackets.
        Raises Malformed.
        """
        return self._plain(node, MAX_DEPTH)

    def _plain(self, node: Any, depth: int) -> Any:
        self.budget.step()
        if depth < 0:
            raise Malformed("holds a description that never ends")
        if node is None or isinstance(node, bool | int | float | str):
            return node
        if isinstance(node, list | tuple | set):
            return type(node)(self._plain(item, depth - 1) for item in node)
        if isinstance(node, dict) or (isinstance(node, Call) and node.function.path in _MAPPINGS):
            return {key: self._plain(value, depth - 1) for key, value in mapping(node).items()}
        if isinstance(node, Call) and _numpy_function(node) == "multiarray.scalar":
            return self._array(node).item()
        kind = node.function.path if isinstance(node, Call) else getattr(node, "path", type(node).__name__)
        return f"<{kind}>"

    def _array(self, node: Any) -> np.ndarray:
        for _ in range(3):  # a Parameter holds a tensor
            if isinstance(node, Call) and node.function.path in (
                "torch._utils._rebuild_parameter",
                "torch.nn.parameter.Parameter",
            ):
                node = node.args[0] if node.args else None
        if not isinstance(node, Call):
            raise Malformed("is no array")
        if node.function.path in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"):
            return self._tensor(node)
        match _numpy_function(node), node.args, node.state:
            case "multiarray._reconstruct", _, (int(), tuple(shape), kind, order, content):
                return self._numpy(content, kind, shape, fortran=bool(order))
            case "numeric._frombuffer", (content, kind, tuple(shape), ("C" | "F") as order), _:
                return self._numpy(content, kind, shape, fortran=order == "F")
            case "multiarray.scalar", (kind, content), _:
                return self._numpy(content, kind, (), fortran=False)
        raise Malformed("is no array")

    # NumPy

    def _numpy(self, content: Any, kind: Any, shape: tuple[Any, ...], *, fortran: bool) -> np.ndarray:
        data, dtype = self._content(content), _numpy_type(kind)
        _check_sizes(shape)
        if len(data) != math.prod(shape) * dtype.itemsize:
            raise Malformed("does not have as many bytes as its shape needs")
        self.budget.spend(len(data))
        numbers = np.frombuffer(data, dtype=dtype).astype(dtype.newbyteorder("="), copy=True)
        return _shaped(numbers, shape, fortran)

    def _content(self, node: Any) -> memoryview:
        """Bytes as the protocols write them: as such, as Python 2's texts, or before protocol 3 as a call."""
        if isinstance(node, Call) and node.function.path == "builtins.bytes" and not node.args:
            return memoryview(b"")
        if isinstance(node, Call) and node.function.path == "_codecs.encode" and len(node.args) == 2:
            node = node.args[0] if node.args[1] == "latin1" else None
        if isinstance(node, memoryview):
            return node
        if type(node) is str:
            self.budget.spend(len(node))
            try:
                return memoryview(node.encode("latin-1"))
            except UnicodeEncodeError:
                pass
        raise Malformed("has no bytes")

    # torch

    def _tensor(self, node: Call) -> np.ndarray:
        """A view of a storage from (storage, offset, sizes, strides, …)."""
        if len(node.args) < 4:
            raise Malformed("is an incomplete tensor")
        offset, sizes, strides = node.args[1:4]
        if type(sizes) is not tuple or type(strides) is not tuple or len(sizes) != len(strides):
            raise Malformed("is a tensor without sizes or strides")
        for numbers in (offset,), sizes, strides:
            _check_sizes(numbers)
        storage = self._storage(node.args[0])
        if math.prod(sizes) == 0:
            return _shaped(storage[:0].copy(), sizes, fortran=False)
        last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        # More elements than numbers would be copies of one another, which a small file could use to fill the memory.
        if last >= len(storage) or math.prod(sizes) > len(storage):
            raise Malformed("is a tensor that reaches beyond its storage")
        byte_strides = tuple(stride * storage.itemsize for stride in strides)
        return np.lib.stride_tricks.as_strided(storage[offset:], shape=sizes, strides=byte_strides)

    def _storage(self, node: Any) -> np.ndarray:
        """A copy (N,) of a storage's numbers, the same one whenever the file means the same storage."""
        identity: tuple[Any, ...]
        if isinstance(node, Persistent):
            identity = storage_reference(node)
        elif isinstance(node, Call) and node.function.path == "torch.storage._load_from_bytes" and len(node.args) == 1:
            identity = (id(node),)
        else:
            raise Malformed("is a tensor without storage")
        if identity not in self._storages:
            numbers = self._numbers(node)
            self.budget.spend(numbers.nbytes)
            self._storages[identity] = (node, numbers.astype(numbers.dtype.newbyteorder("="), copy=True))
        return self._storages[identity][1]

    def _numbers(self, node: Persistent | Call) -> np.ndarray:
        """A storage's numbers in this file's archive or, in pickles outside archives, in an archive of its own."""
        if isinstance(node, Persistent):
            if self.archive is None:
                raise Malformed("is a tensor without storage")
            return self.archive.numbers(node)
        data = self._content(node.args[0])
        self.budget.spend(len(data))
        archive = (open_zip if is_zip(data) else open_stream)(data, self.budget, storages_only=True)
        if not isinstance(archive.tree, Persistent):
            raise Malformed("has a storage that is none")
        return archive.numbers(archive.tree)


def _numpy_function(node: Call) -> str:
    """The name of NumPy's function under either name of its package, or an empty text."""
    for module in _NUMPY_MODULES:
        if node.function.path.startswith(module):
            return node.function.path.removeprefix(module)
    return ""


def _numpy_type(node: Any) -> np.dtype[Any]:
    """A dtype from its description: dtype('f4', …) with the state (3, '<', …)."""
    match node:
        case Call(Global("numpy.dtype"), (str(code), *_), state=(int(), ("<" | ">" | "|" | "=") as order, *_)):
            if code in _NUMPY_TYPES:
                return np.dtype(code).newbyteorder("<" if order in "=|" else order)
            raise Malformed(f"has numbers of the type '{printable(code)}', which are not read")
    raise Malformed("has numbers of an unknown type")


def _check_sizes(sizes: tuple[Any, ...]) -> None:
    if len(sizes) > MAX_DIMENSIONS or any(type(size) is not int or not 0 <= size < 1 << 40 for size in sizes):
        raise Malformed("has an impossible shape")


def _shaped(numbers: np.ndarray, shape: tuple[int, ...], fortran: bool) -> np.ndarray:
    try:
        return numbers.reshape(shape, order="F" if fortran else "C")
    except ValueError:  # sizes whose product is beyond what NumPy counts with, beside a zero
        raise Malformed("has an impossible shape") from None
