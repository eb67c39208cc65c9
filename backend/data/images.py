# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders and zips of images of any size, packed once into one array that training reads from the disk.

Every image is cut to one aspect ratio about its centre and scaled into the middle of a square; what the square has
beyond that is black (bars above and below, as LSUN Car is stored, or at the sides) and counts nowhere.

Letters: K images, R the square's side, N batch.
"""

from __future__ import annotations

import colorsys
import contextlib
import hashlib
import os
import stat
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError
from torch import Tensor

from ..common.content import of_aspect
from ..common.files import replacing, write_json
from ..common.json_files import read_object
from ..common.pictures import LARGEST_FILE, is_picture
from ..errors import UnrenderError
from ..progress_bar import tracked
from .pictures import UNREADABLE, in_eight_bits, open_picture

_VERSION = 4

Alpha = Literal["black", "plain", "ignore"]
Fit = Literal["crop", "pad"]


class ImageSetError(UnrenderError):
    """Images that cannot be used, said in one sentence."""


@dataclass(frozen=True)
class ImageSetConfig:
    """How images are brought into one shape."""

    resolution: int = 64
    aspect: float = 1.0
    """Width over height of what is kept of each image."""
    fit: Fit = "crop"
    """Way in which an image of another aspect is brought to it: "crop" cuts at two sides, "pad" keeps it whole and
    continues the colours of its border, blurred, beyond them."""
    alpha: Alpha = "black"
    """Ground behind what is transparent: black, a plain colour that differs from image to image, or, with
    "ignore", the colour that the file has there, as rendered views do with their mask in alpha."""
    crop: float = 0.0
    """Side of a square about the middle of what is opaque, in lengths of its longer side; 0: the whole image."""

    def __post_init__(self) -> None:
        if self.fit not in get_args(Fit):
            raise ValueError(f"fit is one of {', '.join(get_args(Fit))}, not {self.fit!r}.")
        if self.alpha not in get_args(Alpha):
            raise ValueError(f"alpha is one of {', '.join(get_args(Alpha))}, not {self.alpha!r}.")

    def content(self) -> tuple[int, int, int, int]:
        """Top, left, height and width of the images within the square."""
        return of_aspect(self.resolution, self.aspect)


@dataclass
class ImageSet:
    """Packed images."""

    images: np.ndarray
    """(K, R, R, 3) uint8 sRGB, read from the disk as it is needed."""
    config: ImageSetConfig

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, first: int, count: int, seed: int, mirror: bool) -> Tensor:
        """(N, 3, R, R) in [-1, 1]: images ``first`` to ``first + count`` of an endless sequence.

        Every epoch shuffles anew, from the seed and the epoch's number alone: the position is all that a run that
        goes on needs to know. With ``mirror`` every image also comes left-right mirrored, in epochs twice as long.
        """
        period = len(self) * (2 if mirror else 1)
        numbers = np.arange(first, first + count)
        chosen = np.empty(count, dtype=np.int64)
        for epoch in np.unique(numbers // period):
            order = np.random.default_rng([seed, int(epoch)]).permutation(period)
            now = numbers // period == epoch
            chosen[now] = order[numbers[now] % period]
        pictures = self.images[chosen % len(self)]
        pictures = np.where((chosen >= len(self))[:, None, None, None], pictures[:, :, ::-1], pictures)
        return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1

    def content_mask(self) -> Tensor:
        """(1, 1, R, R): 1 within the images, 0 in the bars."""
        top, left, height, width = self.config.content()
        mask = torch.zeros(1, 1, self.config.resolution, self.config.resolution)
        mask[..., top : top + height, left : left + width] = 1
        return mask


def load_images(source: Path, config: ImageSetConfig, packed: Path, progress: bool = True) -> ImageSet:
    """Images of a folder, with all folders in it, or of a zip, packed into the file ``packed`` (.npy) if not yet there.

    Of a folder made by scripts/render_dataset.py the views are taken; with ``alpha`` "ignore" and no ``crop``, as they
    were rendered, ground and shadow included. Files that cannot be read are left out, counted and named in ``packed``'s
    .json, which also holds a fingerprint of all names, sizes and times: where they have changed since, that is said and
    they are packed anew, unless no image is left. Raises ImageSetError where nothing usable is found, or where there is
    no room for it.
    """
    card = packed.with_suffix(".json")
    wanted = {"version": _VERSION, "source": str(source), **asdict(config)}
    known = _known(card, packed)
    is_alike = {key: known.get(key) for key in wanted} == wanted
    names = list(_names(source)) if source.exists() or not is_alike else []
    found = fingerprint(source, names)
    if is_alike and (not names or known.get("fingerprint", found) == found):
        return ImageSet(np.load(packed, mmap_mode="r", allow_pickle=False), config)
    if is_alike:
        print(f"The images in {source} have changed since they were packed into {packed.name}.", file=sys.stderr)
    names, pictures = read_images(source)
    try:
        packed.parent.mkdir(parents=True, exist_ok=True)
        packed.with_suffix(".unfinished.npy").unlink(missing_ok=True)  # of a version before, after a kill
        shown = tracked(pictures, "Packing images", count=len(names), unit="image", shown=progress)
        kept, damaged = _pack(shown, packed, config)
    except OSError as error:
        raise ImageSetError(
            f"The images of {source} cannot be packed into {packed}: {error.strerror or error}."
        ) from error
    if kept == 0:
        raise ImageSetError(f"None of the {len(names)} images in {source} could be read; the first: {damaged[0]}.")
    write_json(card, {**wanted, "images": kept, "fingerprint": found, "damaged": damaged})
    if damaged:
        rest = f", and {len(damaged) - 1} more" if damaged[1:] else ""
        print(f"Left out of {source}: {damaged[0]}{rest} (all in {card.name}).", file=sys.stderr)
    return ImageSet(np.load(packed, mmap_mode="r", allow_pickle=False), config)


def _known(card: Path, packed: Path) -> dict[str, Any]:
    """What a card says of packed images that are whole; empty where there are none."""
    try:
        known = read_object(card)
        images = np.load(packed, mmap_mode="r", allow_pickle=False)
        side = known.get("resolution")
        return known if images.dtype == np.uint8 and images.shape == (known.get("images"), side, side, 3) else {}
    except (OSError, ValueError, EOFError):
        return {}


def _pack(pictures: Iterable[tuple[str, bytes]], packed: Path, config: ImageSetConfig) -> tuple[int, list[str]]:
    """Writes what can be read one by one; returns how many these are, and what is wrong with the others."""
    kept, damaged = 0, []
    with contextlib.suppress(_Nothing), replacing(packed) as partial, open(partial, "wb") as file:
        file.write(_header(0, config.resolution))
        for name, data in pictures:
            try:
                square = fitted(data, config)
            except UNREADABLE as error:
                reason = (
                    "it is no picture" if isinstance(error, UnidentifiedImageError) else " ".join(str(error).split())
                )
                damaged.append(f"{name}: {reason[:200] or type(error).__name__}")
                continue
            file.write(square.tobytes())  # not into mapped memory, where a full disk ends the process
            kept += 1
        if not kept:
            raise _Nothing
        file.seek(0)
        file.write(_header(kept, config.resolution))
    return kept, damaged


class _Nothing(Exception):
    """No image could be read: nothing is to stay."""


def _header(count: int, side: int) -> bytes:
    """The beginning of an .npy file (count, side, side, 3) uint8, of the same length for any count."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({count}, {side}, {side}, 3), }}"
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + text.ljust(117).encode("ascii") + b"\n"


def fingerprint(source: Path, names: list[str]) -> str:
    """A hash of names, sizes and times of change of images; of those in a zip, of their checksums in place of times."""
    digest = hashlib.sha256()
    if source.is_dir():
        for name in names:
            try:
                about = os.stat(source / name)
                entry = f"{name}\0{about.st_size}\0{about.st_mtime_ns}"
            except OSError:
                entry = f"{name}\0-"
            digest.update(f"{entry}\n".encode("utf-8", "surrogateescape"))
    elif names:
        with zipfile.ZipFile(source) as archive:
            for name in names:
                member = archive.getinfo(name)
                entry = f"{name}\0{member.file_size}\0{member.CRC}\n"
                digest.update(entry.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def fitted(data: bytes, config: ImageSetConfig) -> np.ndarray:
    """One encoded image in the square: (R, R, 3) uint8."""
    with open_picture(data) as opened:
        image = in_eight_bits(ImageOps.exif_transpose(opened))
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = image.convert("RGBA")
            if config.crop > 0:
                image = _cropped(image, config.crop, beyond=config.alpha != "ignore")
            if config.alpha != "ignore":
                colour = (0, 0, 0) if config.alpha == "black" else plain_colour(data)
                image = Image.alpha_composite(Image.new("RGBA", image.size, (*colour, 255)), image)
        top, left, height, width = config.content()
        make = ImageOps.fit if config.fit == "crop" else _padded
        inner = make(image.convert("RGB"), (width, height), Image.Resampling.LANCZOS)
    square = np.zeros((config.resolution, config.resolution, 3), dtype=np.uint8)
    square[top : top + height, left : left + width] = np.asarray(inner)
    return square


def _padded(image: Image.Image, size: tuple[int, int], method: Image.Resampling) -> Image.Image:
    """The whole image in the middle of ``size``, its border's colours continued beyond it."""
    whole = np.asarray(ImageOps.contain(image, size, method))
    rest_y, rest_x = size[1] - whole.shape[0], size[0] - whole.shape[1]
    top, left = rest_y // 2, rest_x // 2
    padded = np.pad(whole, ((top, rest_y - top), (left, rest_x - left), (0, 0)), mode="edge")
    # Streaks would be a pattern of their own for a network to learn.
    blurred = np.array(Image.fromarray(padded).filter(ImageFilter.GaussianBlur(max(size) / 20)))
    blurred[top : top + whole.shape[0], left : left + whole.shape[1]] = whole
    return Image.fromarray(blurred)


def plain_colour(data: bytes) -> tuple[int, int, int]:
    """A muted colour, always the same for the same encoded image."""
    rng = np.random.default_rng(zlib.crc32(data))
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), 0.3 * rng.random(), rng.uniform(0.35, 0.95))
    return round(255 * red), round(255 * green), round(255 * blue)


def _cropped(image: Image.Image, crop: float, beyond: bool) -> Image.Image:
    """The square about what is opaque in an RGBA image; transparent ``beyond`` the border, or else moved inside it."""
    box = image.getchannel("A").point(lambda alpha: 255 * (alpha > 127)).getbbox()
    if box is None:
        return image
    left, top, right, bottom = box
    side = max(1, round(crop * max(right - left, bottom - top)))
    side = side if beyond else min(side, *image.size)
    x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    if not beyond:
        x, y = max(0, min(x, image.width - side)), max(0, min(y, image.height - side))
    return image.crop((x, y, x + side, y + side))


def read_images(source: Path) -> tuple[list[str], Iterator[tuple[str, bytes]]]:
    """Names of the images of a folder, with all folders in it, or of a zip, and what yields them with their bytes.

    Bytes are empty where a file cannot be read. Raises ImageSetError where there is no image.
    """
    names = list(_names(source))
    if not names:
        raise ImageSetError(f"No image lies in {source}; JPEG, PNG, WebP, BMP, GIF, TIFF, AVIF and JPEG 2000 are read.")
    return names, _read(source, names)


def _names(source: Path) -> Iterator[str]:
    """In one order on every machine; of rendered objects their views alone, not what else lies beside them."""
    if source.is_dir():
        paths = sorted(source.glob("objects/*/view_*.png")) if (source / "dataset.json").is_file() else []
        paths = paths or sorted(path for path in source.rglob("*") if is_picture(path))
        yield from (path.relative_to(source).as_posix() for path in paths)
        return
    if not source.exists():
        raise ImageSetError(f"There is no folder or zip {source}.")
    try:
        with zipfile.ZipFile(source) as archive:
            inside = sorted(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ImageSetError(f"{source} is neither a folder nor a zip that can be read: {error}.") from error
    yield from (name for name in inside if is_picture(name))


def _read(source: Path, names: list[str]) -> Iterator[tuple[str, bytes]]:
    if source.is_dir():
        for name in names:
            yield name, _bytes_of(source / name)
        return
    with zipfile.ZipFile(source) as archive:
        for name in names:
            try:
                large = archive.getinfo(name).file_size > LARGEST_FILE
                yield name, b"" if large else archive.read(name)
            except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, EOFError, KeyError, zlib.error):
                yield name, b""


def _bytes_of(path: Path) -> bytes:
    """A file's bytes; none of what is a folder or a pipe, dangles, may not be read or is too large."""
    try:
        about = path.stat()
        return path.read_bytes() if stat.S_ISREG(about.st_mode) and about.st_size <= LARGEST_FILE else b""
    except OSError:
        return b""
