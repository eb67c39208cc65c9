# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that cannot be used: each gives one sentence that names the file, never a traceback."""

from __future__ import annotations

import io
import os
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from backend.errors import PhotoError
from backend.pipeline.photo import load_photo


def noise(width: int = 64, height: int = 48) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8))


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises width x height pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "text.jpg": (lambda: b"This is a letter, not a picture.\n" * 20, "not a picture"),
    "empty.jpg": (lambda: b"", "is empty"),
    "truncated.jpg": (lambda: encoded(noise(), "JPEG")[:900], "damaged or incomplete"),
    "header_only.jpg": (lambda: encoded(noise(), "JPEG")[:20], "not a picture|damaged"),
    "truncated.png": (lambda: encoded(noise(), "PNG")[:900], "damaged or incomplete"),
    "truncated.gif": (lambda: encoded(noise(), "GIF")[:900], "damaged or incomplete"),
    "truncated.webp": (lambda: encoded(noise(), "WEBP")[:300], "damaged or incomplete|not a picture"),
    "truncated.tif": (lambda: encoded(noise(), "TIFF")[:900], "damaged or incomplete|not a picture"),
    "one_pixel.png": (lambda: encoded(noise(1, 1), "PNG"), "too small"),
    "one_row.png": (lambda: encoded(noise(400, 1), "PNG"), "too small"),
    "bomb.png": (lambda: png_that_claims(60000, 60000), "too large"),
    "wide.png": (lambda: png_that_claims(2_000_000_000, 20), "too large"),
    "transparent.png": (lambda: encoded(Image.new("RGBA", (64, 64), (9, 9, 9, 0)), "PNG"), "transparent all over"),
    "program.eps": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\nshowpage\n", "not a picture"),
}


def assert_one_sentence(error: PhotoError, name: str) -> None:
    message = str(error)
    assert name in message
    assert message.endswith(".") and "\n" not in message and "Error" not in message and len(message) < 200


@pytest.mark.parametrize("name", BAD)
def test_unusable_files_give_one_sentence(tmp_path: Path, name: str) -> None:
    content, expected = BAD[name]
    (tmp_path / name).write_bytes(content())
    with pytest.raises(PhotoError, match=expected) as caught:
        load_photo(tmp_path / name)
    assert_one_sentence(caught.value, name)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="was not found") as caught:
        load_photo(tmp_path / "nowhere.jpg")
    assert_one_sentence(caught.value, "nowhere.jpg")
    (tmp_path / "album.jpg").mkdir()
    with pytest.raises(PhotoError, match="is a folder") as caught:
        load_photo(tmp_path / "album.jpg")
    assert_one_sentence(caught.value, "album.jpg")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6), cut=st.floats(0.1, 1))
def test_damaged_bytes_never_escape(tmp_path: Path, kind: str, damage: list[tuple[float, int]], cut: float) -> None:
    """Whatever bytes are wrong, the result is a picture or a PhotoError."""
    data = bytearray(encoded(noise(), kind))
    for place, value in damage:
        data[int(place * (len(data) - 1))] = value
    path = tmp_path / "damaged.bin"
    path.write_bytes(bytes(data[: int(len(data) * cut)]))
    try:
        photo = load_photo(path)
    except PhotoError as error:
        assert_one_sentence(error, "damaged.bin")
    else:
        assert photo.rgb.ndim == 3 and photo.rgb.dtype == np.uint8


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_with_a_pictures_name_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    found: list[str] = []

    def look() -> None:
        try:
            load_photo(tmp_path / "pipe.jpg")
        except PhotoError as error:
            found.append(str(error))

    reader = threading.Thread(target=look, daemon=True)
    reader.start()
    reader.join(10)
    assert found == ["pipe.jpg is no file that can be read: choose a picture."]


def test_a_file_of_terabytes_is_refused_unread(tmp_path: Path) -> None:
    with open(tmp_path / "huge.png", "wb") as file:
        file.truncate(2**41)  # a hole, which takes no room
    with pytest.raises(PhotoError, match="huge.png is too large"):
        load_photo(tmp_path / "huge.png")


def test_damage_that_a_decoder_tells_as_a_runtime_error_is_one_sentence(tmp_path: Path) -> None:
    """AVIF's decoder does; which bytes make it do so depends on its version, so that many are tried."""
    Image.init()
    if "AVIF" not in Image.SAVE:
        pytest.skip("this Pillow writes no AVIF")
    data = encoded(noise(), "AVIF")
    for start in range(100, len(data), max(1, len(data) // 60)):
        (tmp_path / "damaged.avif").write_bytes(data[:start] + bytes(40) + data[start + 40 :])
        try:
            load_photo(tmp_path / "damaged.avif")
        except PhotoError as error:
            assert_one_sentence(error, "damaged.avif")
