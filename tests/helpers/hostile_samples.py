# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints made to do harm, to make no sense, or cost far more than their size, and what is to be said of them."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import torch

from tests.helpers import pickle_samples as samples
from tests.helpers.pickle_samples import (
    called,
    content,
    dictionary,
    generator_with,
    integer,
    loaded,
    named,
    persistent,
    pickled,
    program,
    saved_storage,
    sequence,
    storage,
    tensor,
    text,
)

# Programs that do harm, and programs that make no sense

STREAM = saved_storage(torch.zeros(2))
STREAM = STREAM[: STREAM.index(b"\x80\x02(X\x07\0\0\0storage")]
"""The three pickles of a storage's archive that come before the one which refers to the storage."""


def weight(archive: bytes, offset: int, sizes: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """An ADA pickle whose generator has one parameter, with its storage in an archive of its own."""
    return generator_with(weight=tensor(storage(archive), offset, sizes, strides))


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip file with these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


class Reduced:
    """Pickles as a call of anything with anything."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


def harmful(path: Path) -> dict[str, tuple[bytes, str]]:
    """Pickles that make a file at ``path`` when an ordinary unpickler reads them, and what their refusal must name."""
    code = f"open({str(path)!r}, 'w').close()"
    command = f"\"{sys.executable}\" -c \"open(r'{path}', 'w').close()\""
    get = named("builtins", "getattr")
    module = called(named("builtins", "__import__"), text("os"))
    make_file = text(str(path)), integer(os.O_CREAT | os.O_WRONLY)
    evil = pickle.dumps(Reduced(exec, (code,)), protocol=2)
    archive = zipped({"archive/data.pkl": evil, "archive/version": b"3\n"})
    persistence = {"G_ema": samples.ada_network("Generator", samples.generator_state(), source=code)}
    network = samples.tensorflow_snapshot(build_module_src=code)
    set_state = named("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.NEWOBJ
    set_state += dictionary(__setstate__=named("builtins", "exec")) + pickle.BUILD + text(code) + pickle.BUILD
    return {
        "os.system": (pickle.dumps(Reduced(os.system, (command,))), f"'{os.name}.system'"),
        "exec": (pickle.dumps(Reduced(exec, (code,))), "'builtins.exec'"),
        "exec of Python 2": (evil, "'builtins.exec'"),
        "eval": (pickle.dumps(Reduced(eval, (code,))), "'builtins.eval'"),
        "subprocess": (pickle.dumps(Reduced(subprocess.call, ([sys.executable, "-c", code],))), "'subprocess.call'"),
        "dotted name": (program(called(named("torch", "os.open"), *make_file)), "'torch.os.open'"),
        "dotted allowed name": (
            program(called(named("torch.storage", "torch.os.open"), *make_file)),
            "'torch.storage.torch.os.open'",
        ),
        "getattr": (program(called(called(get, module, text("open")), *make_file)), "'builtins.getattr'"),
        "import": (program(module, pickle.POP, called(named("os", "open"), *make_file)), "'builtins.__import__'"),
        "in the state": (
            program(dictionary(G_ema=persistent(dictionary(x=called(named("os", "open"), *make_file))))),
            "'os.open'",
        ),
        "state setter": (program(set_state), "'builtins.exec'"),
        "extension registry": (program(called(pickle.EXT1 + b"\x07", text(code))), "entry 7"),
        "wide extension registry": (program(called(pickle.EXT4 + b"\x07\0\0\0", text(code))), "entry 7"),
        "storage": (weight(evil, 0, (1,), (1,)), "'builtins.exec'"),
        "storage behind a header": (weight(STREAM + evil, 0, (1,), (1,)), "'builtins.exec'"),
        "storage in a zip file": (weight(archive, 0, (1,), (1,)), "'builtins.exec'"),
        "torch's archive": (archive, "'builtins.exec'"),
        "source of a PyTorch network": (pickled(persistence), ""),
        "source of a TensorFlow network": (pickled(network), ""),
    }


ODD: dict[str, tuple[str, bytes]] = {
    "state of a class": (
        "state of something that has none",
        program(named("torch.nn.parameter", "Parameter"), dictionary(x=integer(1)), pickle.BUILD),
    ),
    "state of a dict": (
        "state of something that has none",
        program(pickle.EMPTY_DICT, dictionary(__class__=integer(1)), pickle.BUILD),
    ),
    "state twice": (
        "state of something that has none",
        program(called(named("collections", "OrderedDict")), *[dictionary(x=integer(1)) + pickle.BUILD] * 2),
    ),
    "items of a class": (
        "items of something that has none",
        program(named("dnnlib.util", "EasyDict"), text("a"), text("b"), pickle.SETITEM),
    ),
    "odd items": (
        "items of something that has none",
        program(pickle.EMPTY_DICT, pickle.MARK, text("a"), pickle.SETITEMS),
    ),
    "append to an object": (
        "appends to something that is no list",
        program(called(named("collections", "OrderedDict")), text("a"), pickle.APPEND),
    ),
    "add to a list": (
        "adds to something that is no set",
        program(pickle.EMPTY_LIST, pickle.MARK, text("a"), pickle.ADDITEMS),
    ),
    "call of a text": ("no function", program(called(text("os.system"), text("true")))),
    "call of a call": ("no function", program(called(called(named("collections", "OrderedDict"))))),
    "call with a list": ("no function", program(named("numpy", "dtype"), pickle.EMPTY_LIST, pickle.REDUCE)),
    "name that is a number": ("something that is no text", program(text("torch"), integer(5), pickle.STACK_GLOBAL)),
    "persistent reference": ("data outside the file", program(text("storage"), pickle.BINPERSID)),
    "old persistent reference": ("no known opcode", program(pickle.PERSID + b"storage\n")),
    "old object": ("no known opcode", program(pickle.MARK, pickle.INST + b"os\nsystem\n")),
    "old integer": ("no known opcode", program(pickle.INT + b"12\n")),
    "buffer outside the file": ("no known opcode", pickle.PROTO + b"\x05" + pickle.NEXT_BUFFER + pickle.STOP),
    "tuple as key": ("uses a key", program(pickle.EMPTY_DICT, sequence(), integer(1), pickle.SETITEM)),
    "float as key": (
        "uses a key",
        program(pickle.EMPTY_DICT, pickle.BINFLOAT + bytes(8), integer(1), pickle.SETITEM),
    ),
    "huge number as key": (
        "uses a key",
        program(pickle.EMPTY_DICT, integer(2**61 - 1), integer(1), pickle.SETITEM),
    ),
    "huge number in a set": ("uses a key", program(pickle.MARK, integer(-(2**61)), pickle.FROZENSET)),
    "class as key": (
        "uses a key",
        program(pickle.EMPTY_DICT, named("numpy", "dtype"), integer(1), pickle.SETITEM),
    ),
    "no mark": ("mark that is not there", program(pickle.TUPLE)),
    "no mark to go back to": ("mark that is not there", program(pickle.POP_MARK)),
    "nothing": ("empty stack", program()),
    "too little": ("empty stack", program(pickle.NONE, pickle.TUPLE3)),
    "unknown memo": ("what was not remembered", program(pickle.BINGET + b"\x09")),
    "name without end": ("has no end", pickle.PROTO + b"\x02" + pickle.GLOBAL + b"o" * 1000 + b"\nx\n."),
    "broken UTF-8": ("is no UTF-8", program(pickle.BINUNICODE + b"\x02\0\0\0\xff\xfe")),
    "protocol 7": ("protocol 7", pickle.PROTO + b"\x07" + pickle.NONE + pickle.STOP),
    "protocol 0": ("neither a pickle", pickle.dumps({"G_ema": 1}, protocol=0)),
    "codec": (
        "has no bytes",
        generator_with(p=tensor(loaded(called(named("_codecs", "encode"), text("x"), text("zlib"))), 0, (1,), (1,))),
    ),
    "storage that asks for more": (
        "asks for 'collections.OrderedDict'",
        weight(STREAM + program(named("collections", "OrderedDict")), 0, (1,), (1,)),
    ),
    "storage in a zip file that asks for more": (
        "asks for 'collections.OrderedDict'",
        weight(zipped({"a/data.pkl": program(named("collections", "OrderedDict"))}), 0, (1,), (1,)),
    ),
    "storage that is a dict": (
        "has a storage that is none",
        weight(STREAM + program(pickle.EMPTY_DICT) + program(pickle.EMPTY_LIST), 0, (1,), (1,)),
    ),
    "contains itself": (
        "holds no StyleGAN2 generator",
        program(pickle.EMPTY_DICT, pickle.MEMOIZE, text("G_ema"), pickle.BINGET + b"\0", pickle.SETITEM),
    ),
    "module in itself": (
        "too many parts inside one another",
        program(
            pickle.EMPTY_DICT, pickle.MEMOIZE, text("_modules"),
            dictionary(a=persistent(pickle.BINGET + b"\0")), pickle.SETITEM,
            pickle.POP, dictionary(G_ema=persistent(pickle.BINGET + b"\0")),
        ),
    ),
    "arguments in themselves": (
        "description that never ends",
        program(dictionary(G_ema=persistent(dictionary(_init_kwargs=
            pickle.EMPTY_DICT + pickle.MEMOIZE + text("a") + pickle.BINGET + b"\0" + pickle.SETITEM)))),
    ),
}  # fmt: skip


# Small files that would cost much


def claims() -> dict[str, tuple[str, bytes]]:
    """Small files that announce far more than they hold, after what their refusal must say."""
    far = 1 << 32
    numbers = saved_storage(torch.zeros(2))
    longer = numbers.replace(pickle.BININT1 + b"\x02N", integer(1 << 40) + b"N")
    count = numbers[:-16] + struct.pack("<q", 1 << 40) + bytes(8)
    assert longer != numbers
    header = pickle.PROTO + b"\x04"
    kind = called(named("numpy", "dtype"), text("f4"), integer(0), integer(1))
    kind += sequence(integer(3), text("<")) + pickle.BUILD
    shape = sequence(integer(1), sequence(integer(1 << 34)), kind, pickle.NEWFALSE, content(bytes(8)))
    array = called(named("numpy.core.multiarray", "_reconstruct")) + shape + pickle.BUILD
    archive = zipped({"archive/data.pkl": bytes(10)})
    directory = bytearray(archive)
    place = directory.index(b"PK\1\2")
    directory[place + 20 : place + 28] = struct.pack("<II", far - 2, far - 2)
    end = bytearray(archive)
    place = end.index(b"PK\5\6")
    end[place + 12 : place + 16] = struct.pack("<I", far - 2)
    return {
        "bytes": ("bytes where", header + pickle.BINBYTES + struct.pack("<I", far - 1) + b"abc"),
        "many bytes": ("bytes where", header + pickle.BINBYTES8 + struct.pack("<Q", far) + b"abc"),
        "all bytes": ("bytes where", header + pickle.BINBYTES8 + struct.pack("<Q", (1 << 64) - 1) + b"abc"),
        "byte array": ("bytes where", header + pickle.BYTEARRAY8 + struct.pack("<Q", far) + b"abc"),
        "text": ("bytes where", header + pickle.BINUNICODE + struct.pack("<I", far - 1) + b"abc"),
        "long text": ("bytes where", header + pickle.BINUNICODE8 + struct.pack("<Q", far) + b"abc"),
        "old text": ("bytes where", header + pickle.BINSTRING + struct.pack("<i", (1 << 31) - 1) + b"abc"),
        "negative text": ("bytes where", header + pickle.BINSTRING + struct.pack("<i", -5) + b"abc"),
        "integer": (
            "claims an integer of 2,147,483,647 bytes",
            header + pickle.LONG4 + struct.pack("<i", (1 << 31) - 1) + b"abc",
        ),
        "negative integer": ("claims an integer of -1 bytes", header + pickle.LONG4 + struct.pack("<i", -1) + b"abc"),
        "frame": ("bytes where", header + pickle.FRAME + struct.pack("<Q", far) + b"N."),
        "memo": (
            "a dictionary is missing",
            header + pickle.NONE + pickle.LONG_BINPUT + struct.pack("<I", far - 1) + pickle.STOP,
        ),
        "array": ("as many bytes as its shape needs", generator_with(weight=array)),
        "tensor": ("reaches beyond its storage", weight(numbers, 0, (1 << 35,), (0,))),
        "tensor of many dimensions": ("impossible shape", weight(numbers, 0, (2,) * 40, (0,) * 40)),
        "empty tensor": ("impossible shape", weight(numbers, 0, (1 << 39,) * 5 + (0,), (1,) * 6)),
        "far tensor": ("reaches beyond its storage", weight(numbers, 1 << 39, (1,), (1,))),
        "strided tensor": ("reaches beyond its storage", weight(numbers, 0, (2,), (1 << 39,))),
        "negative tensor": ("impossible shape", weight(numbers, -1, (1,), (1,))),
        "backward tensor": ("impossible shape", weight(numbers, 1, (2,), (-1,))),
        "storage": ("missing or too short", weight(longer, 0, (1,), (1,))),
        "storage in the file": ("claims 4,398,046,511,104 bytes where 8 are left", weight(count, 0, (1,), (1,))),
        "zip member": ("damaged zip file", bytes(directory)),
        "zip directory": ("damaged zip file", bytes(end)),
    }  # fmt: skip


def bombs() -> dict[str, tuple[str, bytes]]:
    """Files of some megabytes at most that would unfold to far more, or take far longer, after the same."""
    return {
        **nested(),
        "steps": ("takes more than 1,000,000 steps", program(pickle.NONE * 1_200_000)),
        **doubled(),
        **repeated(),
        "crowded zip file": ("more than 50,000 members", zipped({f"{index:x}": b"" for index in range(50_100)})),
    }


def nested() -> dict[str, tuple[str, bytes]]:
    """Files whose values lie inside one another, thousands deep."""
    many = 100_000
    get, put = pickle.BINGET + b"\0", pickle.BINPUT + b"\1"
    return {
        "nested lists": ("three networks", program(pickle.EMPTY_LIST * many, pickle.APPEND * (many - 1))),
        "nested tuples": ("three networks", program(pickle.NONE, pickle.TUPLE1 * many)),
        "nested marks": ("three networks", program(pickle.MARK * many, pickle.TUPLE * many)),
        "nested dicts": (
            "no StyleGAN2 generator",
            program(*[pickle.EMPTY_DICT + text("a")] * many, pickle.NONE, pickle.SETITEM * many),
        ),
        "nested calls": (
            "a dictionary is missing",
            program(
                named("collections", "OrderedDict"), pickle.MEMOIZE, pickle.NONE,
                (pickle.TUPLE1 + put + pickle.POP + get + pickle.BINGET + b"\1" + pickle.REDUCE) * many,
            ),
        ),
        "nested parameters": (
            "is no array",
            generator_with(
                p=named("torch.nn.parameter", "Parameter") * 20_000 + pickle.NONE
                + (pickle.TUPLE1 + pickle.REDUCE) * 20_000
            ),
        ),
    }  # fmt: skip


NAMES = [f"w{index}" for index in range(2_000)]


def doubled() -> dict[str, tuple[str, bytes]]:
    """Files whose values refer to earlier ones several times each, so that a walk through all never ends."""
    dictionaries = pickle.EMPTY_DICT + pickle.MEMOIZE
    remembered = [pickle.BINGET + bytes([level]) for level in range(30)]
    doubling = b"".join(dictionary(a=get, b=get) + pickle.MEMOIZE for get in remembered)
    modules = b"".join(
        dictionary(_modules=dictionary(a=persistent(get), b=persistent(get))) + pickle.MEMOIZE for get in remembered
    )
    nothing = dictionary(**dict.fromkeys([f"p{index}" for index in range(20_000)], pickle.NONE))

    def modules_with(state: bytes) -> bytes:
        shared = dictionary(_modules=dictionary(**dict.fromkeys(NAMES, persistent(remembered[0]))))
        return program(state, pickle.MEMOIZE, dictionary(G_ema=persistent(shared)))

    files = {
        "doubled arguments": program(
            dictionaries, doubling, dictionary(G_ema=persistent(dictionary(_init_kwargs=pickle.BINGET + b"\x1e")))
        ),
        "doubled modules": program(dictionaries, modules, dictionary(G_ema=persistent(pickle.BINGET + b"\x1e"))),
        "modules that share parameters": modules_with(dictionary(_parameters=nothing, x=integer(1))),
        "modules that share modules": modules_with(dictionary(_modules=nothing, x=integer(1))),
    }
    return {name: ("takes more than 1,000,000 steps", file) for name, file in files.items()}


def repeated() -> dict[str, tuple[str, bytes]]:
    """Files whose many tensors all read the same few bytes."""
    get = pickle.BINGET + b"\0"
    numbers = saved_storage(torch.zeros(100_000))
    padded = pickle.PROTO + b"\x02" + (pickle.NONE + pickle.POP) * 100_000 + numbers[2:]
    shape = sequence(*[integer(1)] * 50_000) + pickle.MEMOIZE
    rebuild = named("torch._utils", "_rebuild_tensor_v2")
    wide = called(rebuild, storage(saved_storage(torch.zeros(1))), integer(0), get, get)

    def parts_of(part: bytes) -> bytes:
        return dictionary(G_ema=persistent(dictionary(_parameters=dictionary(**dict.fromkeys(NAMES, part)))))

    def archive_of(lengths: range, size: int) -> bytes:
        """An archive whose tensors refer to one record, each as a storage of its own length."""
        tensors = {}
        for length in lengths:
            kind = named("torch", "FloatStorage")
            identity = sequence(text("storage"), kind, text("0"), text("cpu"), integer(length)) + pickle.BINPERSID
            tensors[f"w{length}"] = tensor(identity, 0, (0,), (1,))
        return zipped({"a/data.pkl": program(dictionary(g=dictionary(**tensors))), "a/data/0": bytes(size)})

    return {
        "one record again and again": ("unfold to more", archive_of(range(99_000, 100_000), 400_000)),
        "one checksum again and again": ("another architecture", archive_of(range(5_000), 20_000_000)),
        "one storage again and again": (
            "unfold to more",
            program(content(numbers), pickle.MEMOIZE, parts_of(tensor(loaded(get), 0, (100_000,), (1,)))),
        ),
        "one slow storage again and again": (
            "unfold to more",
            program(content(padded), pickle.MEMOIZE, parts_of(tensor(loaded(get), 0, (1,), (1,)))),
        ),
        "wide shape again and again": ("impossible shape", program(shape, parts_of(wide))),
    }
