# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading pickles without running anything from them.

A pickle is a program for a small stack machine, and an ordinary unpickler imports and calls whatever the program
names. This machine does neither. Its values are numbers, texts, views of the file's bytes, lists, tuples, dicts, sets
and three records: :class:`Global` (a name), :class:`Call` (a call or an object that was described) and
:class:`Persistent` (a reference to data beside the pickle). It has no means to import, to look up an attribute or to
call, so there is nothing a crafted file could reach; the list of allowed names is a second fence, which refuses a
foreign file with its reason. The opcodes are carried out here rather than by :class:`pickle.Unpickler` because that
class leaves lengths, counts, dictionary keys and the extension registry to the file.

What a file can cost is bounded by its own size: a length is compared with what is left of the file before anything is
read, a :class:`Budget` counts steps and unfolded bytes, and nothing here recurses.
"""

from __future__ import annotations

import pickle  # for the names of its opcodes alone
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .untrusted import Budget, Malformed, explain, printable, read_file

MAX_INTEGER = 32
"""Bytes of an integer; the largest that is needed is torch's magic number, with 10."""
MAX_NAME = 256
"""Bytes of the module or of the name in a GLOBAL opcode."""

_TORCH_STORAGES = "Double Float Half Long Int Short Char Byte Bool"
ALLOWED: dict[str, frozenset[str]] = {
    module: frozenset(names.split())
    for module, names in {
        "_codecs": "encode",
        "argparse": "Namespace",
        "builtins": "bytes set",
        "collections": "OrderedDict",
        "dnnlib.tflib.network": "Network",
        "dnnlib.util": "EasyDict",
        "numpy": "ndarray dtype",
        "numpy.core.multiarray": "_reconstruct scalar",
        "numpy.core.numeric": "_frombuffer",
        "numpy._core.multiarray": "_reconstruct scalar",
        "numpy._core.numeric": "_frombuffer",
        "torch": " ".join(f"{kind}Storage" for kind in _TORCH_STORAGES.split())
        + " Size device float64 float32 float16 int64 int32 int16 int8 uint8 bool"
        + " contiguous_format channels_last preserve_format",
        "torch._utils": "_rebuild_tensor _rebuild_tensor_v2 _rebuild_parameter",
        "torch.nn.modules.container": "Sequential ModuleList ModuleDict",
        "torch.nn.modules.linear": "Identity",
        "torch.nn.parameter": "Parameter",
        "torch.storage": "_load_from_bytes",
        "torch_utils.persistence": "_reconstruct_persistent_obj",
    }.items()
}
"""The names a checkpoint may mention, by module. Compared as texts, they become no more than a :class:`Global`."""

_PYTHON_2_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


@dataclass(frozen=True, slots=True, eq=False)
class Global:
    """The name of a class or function. It stands for nothing: the thing itself is never looked up."""

    path: str
    """Module and name, for instance ``torch.FloatStorage``."""


@dataclass(slots=True, eq=False)
class Call:
    """A call, or the making of an object, as the file describes it. Nothing was called."""

    function: Global
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    state: Any = None
    """What would be handed to ``__setstate__`` or become the object's ``__dict__``."""
    entries: dict[Any, Any] = field(default_factory=dict)
    """Items set on the object, where it is some kind of dictionary."""


@dataclass(frozen=True, slots=True, eq=False)
class Persistent:
    """A reference to data kept beside the pickle, in torch's archives."""

    identity: Any


def read_pickle(path: Path | str) -> Any:
    """The first pickle of a file as a tree of plain values and records, see the module. Nothing of it is run.

    Bytes are read-only memoryviews. The tree may share nodes and may contain itself. Raises CheckpointError.
    """
    data = read_file(path)
    try:
        return interpret(memoryview(data), Budget.of(data))[0]
    except (Malformed, MemoryError) as error:
        raise explain(path, error) from error


def interpret(
    data: memoryview,
    budget: Budget,
    start: int = 0,
    *,
    allowed: dict[str, frozenset[str]] = ALLOWED,
    references: list[Persistent] | None = None,
) -> tuple[Any, int]:
    """The tree of the pickle that begins at byte ``start``, and where it ends. Raises Malformed.

    ``allowed`` are the names it may mention, by module. ``references`` collects what it refers to beside
    itself; without that list it may not.
    """
    machine = _Machine(data, budget, start, allowed, references)
    return machine.run(), machine.position


class _Machine:
    """The stack machine of pickle protocols 2 to 5."""

    def __init__(
        self,
        data: memoryview,
        budget: Budget,
        start: int,
        allowed: dict[str, frozenset[str]],
        references: list[Persistent] | None,
    ) -> None:
        self.data = data
        self.position = start
        self.budget = budget
        self.allowed = allowed
        self.references = references
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Carries out the program and gives its result."""
        if bytes(self.data[self.position : self.position + 1]) != pickle.PROTO:
            raise Malformed("is not a pickle of protocol 2 to 5")
        while True:
            opcode = self._take(1)[0]
            self.budget.step()
            if opcode == pickle.STOP[0]:
                return self._pop()
            try:
                method, argument = _OPCODES[opcode]
            except KeyError:
                raise Malformed(f"is damaged: {opcode:#04x} at byte {self.position - 1} is no known opcode") from None
            method(self, argument)

    # Reading the file

    def _take(self, size: int) -> memoryview:
        self._require(size)
        self.position += size
        return self.data[self.position - size : self.position]

    def _require(self, size: int) -> None:
        left = len(self.data) - self.position
        if not 0 <= size <= left:
            raise Malformed(
                f"is incomplete or damaged: at byte {self.position} it claims {size:,} bytes where {left:,} are left"
            )

    def _number(self, layout: str) -> Any:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))[0]

    def _text(self, data: memoryview) -> str:
        try:
            return str(data, "utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise Malformed(f"is damaged: the text before byte {self.position} is no UTF-8") from None

    def _line(self) -> str:
        line = bytes(self.data[self.position : self.position + MAX_NAME]).split(b"\n", 1)
        if len(line) == 1:
            raise Malformed(f"is incomplete or damaged: the name at byte {self.position} has no end")
        return self._text(self._take(len(line[0]) + 1)[:-1])

    # The stack

    def _pop(self) -> Any:
        self._top()
        return self.stack.pop()

    def _top(self) -> Any:
        if not self.stack:
            raise self._damaged("takes from an empty stack")
        return self.stack[-1]

    def _pop_to_mark(self) -> list[Any]:
        if not self.marks:
            raise self._damaged("looks for a mark that is not there")
        items, self.stack = self.stack, self.marks.pop()
        return items

    def _damaged(self, what: str) -> Malformed:
        return Malformed(f"is damaged: the opcode before byte {self.position} {what}")

    # Opcodes: each method takes the argument that stands beside it in the table below

    def _protocol(self, _: None) -> None:
        protocol = self._number("<B")
        if not 2 <= protocol <= 5:
            raise Malformed(f"is a pickle of protocol {protocol}, and only protocols 2 to 5 are read")

    def _frame(self, _: None) -> None:
        self._require(self._number("<Q"))

    def _push_constant(self, value: Any) -> None:
        self.stack.append(value)

    def _push_empty(self, kind: Callable[[], Any]) -> None:
        self.stack.append(kind())

    def _push_number(self, layout: str) -> None:
        self.stack.append(self._number(layout))

    def _push_integer(self, layout: str) -> None:
        size = self._number(layout)
        if not 0 <= size <= MAX_INTEGER:
            raise Malformed(f"is damaged: it claims an integer of {size:,} bytes at byte {self.position}")
        self.stack.append(int.from_bytes(self._take(size), "little", signed=True))

    def _push_text(self, layout: str) -> None:
        self.stack.append(self._text(self._take(self._number(layout))))

    def _push_python_2_text(self, layout: str) -> None:
        # Python 2 made no difference between text and bytes; latin-1 loses neither.
        self.stack.append(str(self._take(self._number(layout)), "latin-1"))

    def _push_bytes(self, layout: str) -> None:
        self.stack.append(self._take(self._number(layout)))

    def _mark(self, _: None) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def _discard(self, _: None) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._pop_to_mark()

    def _discard_to_mark(self, _: None) -> None:
        self._pop_to_mark()

    def _tuple(self, size: int) -> None:
        if len(self.stack) < size:
            raise self._damaged("takes from an empty stack")
        self.stack[-size:] = [tuple(self.stack[-size:])]

    def _tuple_to_mark(self, _: None) -> None:
        items = self._pop_to_mark()  # which changes the stack
        self.stack.append(tuple(items))

    def _frozen_set(self, _: None) -> None:
        items = self._pop_to_mark()
        self.stack.append({self._key(item) for item in items})

    def _remember(self, layout: str | None) -> None:
        self.memo[len(self.memo) if layout is None else self._number(layout)] = self._top()

    def _recall(self, layout: str) -> None:
        index = self._number(layout)
        if index not in self.memo:
            raise self._damaged("recalls what was not remembered")
        self.stack.append(self.memo[index])

    def _append(self, many: bool) -> None:
        items = self._pop_to_mark() if many else [self._pop()]
        if type(self._top()) is not list:
            raise self._damaged("appends to something that is no list")
        self.stack[-1].extend(items)

    def _add(self, _: None) -> None:
        items = self._pop_to_mark()
        if type(self._top()) is not set:
            raise self._damaged("adds to something that is no set")
        self.stack[-1].update(self._key(item) for item in items)

    def _set_items(self, many: bool) -> None:
        items = self._pop_to_mark() if many else [self._pop(), self._pop()][::-1]
        target = self._top().entries if isinstance(self._top(), Call) else self._top()
        if type(target) is not dict or len(items) % 2:
            raise self._damaged("sets items of something that has none")
        target.update((self._key(key), value) for key, value in zip(items[::2], items[1::2], strict=True))

    def _key(self, value: Any) -> Any:
        # Only what hashes without collisions that a file could choose: not tuples, floats or very large integers.
        if value is None or type(value) in (str, bool) or (type(value) is int and abs(value) < 1 << 60):
            return value
        raise self._damaged("uses a key that is neither a text nor a small number")

    def _global(self, on_stack: bool) -> None:
        if on_stack:
            name, module = self._pop(), self._pop()
            if type(name) is not str or type(module) is not str:
                raise self._damaged("names a class by something that is no text")
        else:
            module, name = self._line(), self._line()
        module = _PYTHON_2_MODULES.get(module, module)
        # Whole names are compared, so a dotted one that climbs through attributes matches nothing.
        if name not in self.allowed.get(module, ()):
            raise Malformed(
                f"asks for '{printable(module)}.{printable(name)}', which reading weights does not need: "
                "it was refused, and nothing in the file was run"
            )
        self.stack.append(Global(f"{module}.{name}"))

    def _extension(self, layout: str) -> None:
        raise Malformed(
            f"asks for entry {self._number(layout)} of Python's extension registry, which reading weights does not "
            "need: it was refused, and nothing in the file was run"
        )

    def _call(self, with_keywords: bool) -> None:
        kwargs = self._pop() if with_keywords else {}
        args, function = self._pop(), self._pop()
        if not isinstance(function, Global) or type(args) is not tuple or type(kwargs) is not dict:
            raise self._damaged("describes a call of something that is no function")
        self.stack.append(Call(function, args, kwargs))

    def _build(self, _: None) -> None:
        state = self._pop()
        target = self._top()
        if not isinstance(target, Call) or target.state is not None:
            raise self._damaged("sets the state of something that has none")
        target.state = state

    def _persistent(self, _: None) -> None:
        if self.references is None:
            raise Malformed("refers to data outside the file, which a checkpoint of this kind does not need")
        self.references.append(Persistent(self._pop()))
        self.stack.append(self.references[-1])


_TABLE: list[tuple[bytes, Callable[..., None], Any]] = [
    (pickle.PROTO, _Machine._protocol, None),
    (pickle.FRAME, _Machine._frame, None),
    (pickle.NONE, _Machine._push_constant, None),
    (pickle.NEWTRUE, _Machine._push_constant, True),
    (pickle.NEWFALSE, _Machine._push_constant, False),
    (pickle.EMPTY_TUPLE, _Machine._push_constant, ()),
    (pickle.EMPTY_LIST, _Machine._push_empty, list),
    (pickle.EMPTY_DICT, _Machine._push_empty, dict),
    (pickle.EMPTY_SET, _Machine._push_empty, set),
    (pickle.BININT, _Machine._push_number, "<i"),
    (pickle.BININT1, _Machine._push_number, "<B"),
    (pickle.BININT2, _Machine._push_number, "<H"),
    (pickle.BINFLOAT, _Machine._push_number, ">d"),
    (pickle.LONG1, _Machine._push_integer, "<B"),
    (pickle.LONG4, _Machine._push_integer, "<i"),
    (pickle.SHORT_BINUNICODE, _Machine._push_text, "<B"),
    (pickle.BINUNICODE, _Machine._push_text, "<I"),
    (pickle.BINUNICODE8, _Machine._push_text, "<Q"),
    (pickle.SHORT_BINSTRING, _Machine._push_python_2_text, "<B"),
    (pickle.BINSTRING, _Machine._push_python_2_text, "<i"),
    (pickle.SHORT_BINBYTES, _Machine._push_bytes, "<B"),
    (pickle.BINBYTES, _Machine._push_bytes, "<I"),
    (pickle.BINBYTES8, _Machine._push_bytes, "<Q"),
    (pickle.BYTEARRAY8, _Machine._push_bytes, "<Q"),
    (pickle.MARK, _Machine._mark, None),
    (pickle.POP, _Machine._discard, None),
    (pickle.POP_MARK, _Machine._discard_to_mark, None),
    (pickle.TUPLE1, _Machine._tuple, 1),
    (pickle.TUPLE2, _Machine._tuple, 2),
    (pickle.TUPLE3, _Machine._tuple, 3),
    (pickle.TUPLE, _Machine._tuple_to_mark, None),
    (pickle.FROZENSET, _Machine._frozen_set, None),
    (pickle.MEMOIZE, _Machine._remember, None),
    (pickle.BINPUT, _Machine._remember, "<B"),
    (pickle.LONG_BINPUT, _Machine._remember, "<I"),
    (pickle.BINGET, _Machine._recall, "<B"),
    (pickle.LONG_BINGET, _Machine._recall, "<I"),
    (pickle.APPEND, _Machine._append, False),
    (pickle.APPENDS, _Machine._append, True),
    (pickle.ADDITEMS, _Machine._add, None),
    (pickle.SETITEM, _Machine._set_items, False),
    (pickle.SETITEMS, _Machine._set_items, True),
    (pickle.GLOBAL, _Machine._global, False),
    (pickle.STACK_GLOBAL, _Machine._global, True),
    (pickle.EXT1, _Machine._extension, "<B"),
    (pickle.EXT2, _Machine._extension, "<H"),
    (pickle.EXT4, _Machine._extension, "<i"),
    (pickle.REDUCE, _Machine._call, False),
    (pickle.NEWOBJ, _Machine._call, False),
    (pickle.NEWOBJ_EX, _Machine._call, True),
    (pickle.BUILD, _Machine._build, None),
    (pickle.BINPERSID, _Machine._persistent, None),
]
"""What each opcode does. Those that protocols 2 to 5 do not use, and out-of-band buffers, are missing."""
_OPCODES = {opcode[0]: (method, argument) for opcode, method, argument in _TABLE}
