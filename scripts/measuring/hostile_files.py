# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as strangers might send them: good ones with bytes, lengths, headers, numbers or types changed, by a seed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Random = np.random.Generator
MODES = {"JPEG": ("RGB", "L", "CMYK"), "PNG": ("RGB", "RGBA", "P", "I;16", "LA", "1"), "WEBP": ("RGB", "RGBA")}
MODES |= {"BMP": ("RGB", "P"), "GIF": ("P",), "TIFF": ("RGB", "RGBA", "F", "I;16", "CMYK"), "PPM": ("RGB", "L")}
MODES |= {"AVIF": ("RGB", "RGBA"), "JPEG2000": ("RGB", "L")}
VALUES = [None, True, -1, 0, 1.5, 1e308, 2**31, 2**70, "", "x" * 5000, "../..", "NaN", [], {}, [[]], {"a": [1]}]
"""What may stand where something else belongs."""


def picture(rng: Random) -> tuple[str, bytes]:
    """Name of a format that this Pillow writes, and a small picture in it."""
    Image.init()
    kinds = [kind for kind in MODES if kind in Image.SAVE]
    kind = kinds[rng.integers(len(kinds))]
    mode = MODES[kind][rng.integers(len(MODES[kind]))]
    side = (int(rng.integers(16, 70)), int(rng.integers(16, 70)))
    if mode == "I;16":
        image = Image.fromarray(rng.integers(0, 65535, side, dtype=np.uint16))
    elif mode == "F":
        image = Image.fromarray(rng.random(side, dtype=np.float32))
    else:
        image = Image.fromarray(rng.integers(0, 255, (*side, 3), dtype=np.uint8)).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return f"{kind} {mode}", buffer.getvalue()


def damaged(rng: Random, data: bytes, header: int = 96) -> tuple[str, bytes]:
    """What was done to some bytes, and the result: changed, cut, put in, taken out, put twice, or the header alone."""
    way = ("flip", "cut", "header", "insert", "remove", "twice", "zeros")[rng.integers(7)]
    out, size = bytearray(data), max(1, len(data))
    if way in ("flip", "header"):
        for _ in range(int(rng.integers(1, 24))):
            out[int(rng.integers(min(size, header) if way == "header" else size))] = int(rng.integers(256))
        return way, bytes(out)
    first, last = sorted(int(place) for place in rng.integers(0, size, 2))
    if way == "cut":
        return way, bytes(out[:last])
    if way == "insert":
        return way, bytes(out[:first]) + rng.bytes(int(rng.integers(1, 64))) + bytes(out[first:])
    if way == "remove":
        return way, bytes(out[:first] + out[last:])
    if way == "twice":
        return way, bytes(out[:last] + out[first:])
    return way, bytes(out[:first]) + bytes(last - first) + bytes(out[last:])


def _deep(many: int) -> str:
    return '{"a":' * many + "1" + "}" * many


def damaged_json(rng: Random, text: str) -> tuple[str, str]:
    """JSON with another value, entry, type or form; what was done comes first."""
    way = ("value", "value", "drop", "deep", "list", "bytes", "constant")[rng.integers(7)]
    if way == "deep":
        return way, _deep(int(rng.integers(70, 100_000)))
    if way == "list":
        return way, json.dumps(VALUES[rng.integers(len(VALUES))])
    if way == "bytes":
        return way, damaged(rng, text.encode())[1].decode("latin-1")
    document = json.loads(text)
    places = list(_places(document))
    owner, key = places[rng.integers(len(places))] if places else (document, None)
    if way == "drop" and key is not None:
        del owner[key]
    elif key is not None:
        owner[key] = float("nan") if way == "constant" else VALUES[rng.integers(len(VALUES))]
    return way, json.dumps(document)


def _places(value: Any) -> Any:
    """All (list or object, index or name) inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in list(inner):
        yield value, key
        yield from _places(child)


def damaged_tensors(rng: Random, data: bytes, keep_checksum: bool = True) -> tuple[str, bytes]:
    """A safetensors file with bytes damaged, or its header, its metadata, its shapes or its numbers changed."""
    way = ("bytes", "header", "metadata", "numbers", "shape")[rng.integers(5)]
    if way == "bytes":
        how, out = damaged(rng, data, header=512)
        return f"bytes {how}", out
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), bytearray(data[8 + length :])
    if not keep_checksum:
        header.get("__metadata__", {}).pop("checksum", None)
    names = [name for name in header if name != "__metadata__"]
    entry = header[names[rng.integers(len(names))]]
    if way == "numbers":
        first, last = entry["data_offsets"]
        number = np.array([np.nan, np.inf, -np.inf, 3e38, 0][rng.integers(5)], np.float32).tobytes()
        place = first + 4 * int(rng.integers(max(1, (last - first) // 4)))
        body[place : min(place + 4, last)] = number[: max(0, min(4, last - place))]
    elif way == "shape":
        entry["shape"] = [[], [1], [2**40], [0], entry["shape"][::-1], [*entry["shape"], 1]][rng.integers(6)]
    elif way == "metadata" and header.get("__metadata__"):
        said = header["__metadata__"]
        name = list(said)[rng.integers(len(said))]
        said[name] = damaged_json(rng, said[name])[1] if said[name].startswith("{") else _text(rng)
    else:
        way, changed = damaged_json(rng, json.dumps(header))
        return f"header {way}", _tensor_file(changed.encode("utf-8"), bytes(body))
    return way, _tensor_file(json.dumps(header).encode("utf-8"), bytes(body))


def _text(rng: Random) -> str:
    return str(VALUES[rng.integers(len(VALUES))])


def _tensor_file(header: bytes, body: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + body


def damaged_arrays(rng: Random, path: Path, data: bytes) -> tuple[str, bytes]:
    """An .npz with bytes damaged, or an array dropped, of another shape, type or numbers, or claimed far larger."""
    way = ("bytes", "drop", "shape", "type", "numbers", "indices", "claim")[rng.integers(7)]
    if way == "bytes":
        how, out = damaged(rng, data)
        return f"bytes {how}", out
    with np.load(path, allow_pickle=False) as stored:
        arrays = dict(stored)
    name = list(arrays)[rng.integers(len(arrays))]
    array = arrays[name]
    buffer = io.BytesIO()
    if way == "claim":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({2**40}, 3), }}".ljust(117) + "\n"
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + text.encode())
        return way, buffer.getvalue()
    changes: dict[str, Callable[[], Any]] = {
        "drop": lambda: None,
        "shape": lambda: [array[:-1] if array.ndim and len(array) else array[None], array[None], np.zeros(0)],
        "type": lambda: [
            array.astype(str),
            np.zeros_like(array, dtype=complex) if array.dtype.kind in "iuf" else array,
        ],
        "numbers": lambda: [_spoiled(rng, array, value) for value in (np.nan, np.inf, 1e30)],
        "indices": lambda: [_spoiled(rng, array, value) for value in (-1, 2**31 - 1, array.size + 7)],
    }
    choices = changes[way]()
    if choices is None:
        del arrays[name]
    else:
        arrays[name] = choices[rng.integers(len(choices))]
    np.savez(buffer, **arrays)
    return f"{way} {name}", buffer.getvalue()


def _spoiled(rng: Random, array: np.ndarray, value: float) -> np.ndarray:
    if array.dtype.kind not in "iuf" or not array.size:
        return array
    flat = array.astype(array.dtype if array.dtype.kind == "f" or np.isfinite(value) else np.float32).ravel()
    with np.errstate(all="ignore"):
        flat[int(rng.integers(flat.size))] = np.array(value).astype(flat.dtype)
    return flat.reshape(array.shape)
