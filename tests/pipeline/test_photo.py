# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading pictures: whatever the file's form, the colours and the directions come out the same."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from backend.errors import PhotoError
from backend.pipeline.photo import LONGEST_SIDE, load_mask, load_photo

WIDTH, HEIGHT = 48, 32
CORNERS = {(0, 0): (220, 30, 30), (1, 0): (30, 220, 30), (0, 1): (30, 30, 220), (1, 1): (230, 230, 60)}
"""Colours of the quarters by (right, bottom)."""


def quarters() -> Image.Image:
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    for (right, bottom), colour in CORNERS.items():
        rows = slice(bottom * HEIGHT // 2, (bottom + 1) * HEIGHT // 2)
        columns = slice(right * WIDTH // 2, (right + 1) * WIDTH // 2)
        pixels[rows, columns] = colour
    return Image.fromarray(pixels)


def assert_quarters(rgb: np.ndarray, tolerance: int = 6) -> None:
    """The four quarters lie where they belong and have their colours."""
    height, width = rgb.shape[:2]
    for (right, bottom), colour in CORNERS.items():
        found = rgb[height * (1 + 2 * bottom) // 4, width * (1 + 2 * right) // 4].astype(int)
        assert np.abs(found - colour).max() <= tolerance, (right, bottom, found, colour)


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp", "gif", "tif", "ppm"])
def test_formats_give_the_same_picture(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"car.{ending}"
    quarters().save(path, **({"quality": 95, "subsampling": 0} if ending == "jpg" else {}))
    photo = load_photo(path)
    assert photo.rgb.shape == (HEIGHT, WIDTH, 3) and photo.rgb.dtype == np.uint8
    assert photo.alpha is None and photo.name == "car"
    # WebP halves the resolution of colours, whatever the quality; in the middle of a quarter that does not show much.
    assert_quarters(photo.rgb, tolerance=16 if ending == "webp" else 6)


def test_name_with_spaces_and_other_letters(tmp_path: Path) -> None:
    path = tmp_path / "mein Käfer — 車.png"
    quarters().save(path)
    assert load_photo(str(path)).name == "mein Käfer — 車"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int) -> None:
    upright = quarters()
    flip = Image.Transpose
    # What a camera stores so that a viewer, applying the orientation, shows the upright picture.
    stored = {
        1: upright,
        2: upright.transpose(flip.FLIP_LEFT_RIGHT),
        3: upright.transpose(flip.ROTATE_180),
        4: upright.transpose(flip.FLIP_TOP_BOTTOM),
        5: upright.transpose(flip.TRANSPOSE),
        6: upright.transpose(flip.ROTATE_90),
        7: upright.transpose(flip.TRANSVERSE),
        8: upright.transpose(flip.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "car.jpg", exif=exif, quality=95, subsampling=0)
    photo = load_photo(tmp_path / "car.jpg")
    assert photo.rgb.shape == (HEIGHT, WIDTH, 3) and photo.scale == 1
    assert_quarters(photo.rgb)


def test_cmyk(tmp_path: Path) -> None:
    quarters().convert("CMYK").save(tmp_path / "car.jpg", quality=95, subsampling=0)
    assert_quarters(load_photo(tmp_path / "car.jpg").rgb, tolerance=8)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_sixteen_bit_grey(tmp_path: Path, ending: str) -> None:
    ramp = np.linspace(0, 65535, WIDTH).astype(np.uint16)
    Image.fromarray(np.repeat(ramp[None], HEIGHT, axis=0)).save(tmp_path / f"car.{ending}")
    rgb = load_photo(tmp_path / f"car.{ending}").rgb
    assert np.abs(rgb[5, :, 0].astype(float) - ramp / 257.0).max() <= 1
    assert (rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 0] == rgb[..., 2]).all()


def test_sixteen_bit_colour(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    deep = np.asarray(quarters()).astype(np.uint16)[..., ::-1] * 257
    assert cv2.imwrite(str(tmp_path / "car.png"), deep)
    assert_quarters(load_photo(tmp_path / "car.png").rgb, tolerance=1)


def test_greyscale(tmp_path: Path) -> None:
    quarters().convert("L").save(tmp_path / "car.png")
    rgb = load_photo(tmp_path / "car.png").rgb
    assert rgb.shape == (HEIGHT, WIDTH, 3)
    assert rgb[4, 4, 0] == rgb[4, 4, 2] == round(0.299 * 220 + 0.587 * 30 + 0.114 * 30)


def test_palette_with_alpha(tmp_path: Path) -> None:
    picture = quarters().convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    transparent_index = picture.getpixel((2, 2))
    picture.save(tmp_path / "car.png", transparency=transparent_index)
    photo = load_photo(tmp_path / "car.png")
    assert photo.alpha is not None
    assert (photo.alpha[: HEIGHT // 2, : WIDTH // 2] == 0).all() and (photo.alpha[HEIGHT // 2 :] == 255).all()
    assert tuple(photo.rgb[-3, -3]) == CORNERS[1, 1]


def test_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [quarters(), Image.new("RGB", (WIDTH, HEIGHT), "black")]
    frames[0].save(tmp_path / "car.gif", save_all=True, append_images=frames[1:], duration=50)
    assert_quarters(load_photo(tmp_path / "car.gif").rgb)


def test_alpha_is_kept_and_an_opaque_one_is_none(tmp_path: Path) -> None:
    picture = quarters().convert("RGBA")
    picture.save(tmp_path / "opaque.png")
    assert load_photo(tmp_path / "opaque.png").alpha is None
    alpha = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    alpha[8:20, 10:30] = 200
    picture.putalpha(Image.fromarray(alpha))
    picture.save(tmp_path / "cut.webp", lossless=True)
    kept = load_photo(tmp_path / "cut.webp").alpha
    assert kept is not None and (kept == alpha).all()


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_huge_picture_is_reduced(tmp_path: Path, ending: str) -> None:
    pixels = quarters().resize((6000, 4500), Image.Resampling.NEAREST)
    if ending == "png":
        pixels = pixels.quantize(8)
    pixels.save(tmp_path / f"car.{ending}")
    photo = load_photo(tmp_path / f"car.{ending}")
    assert photo.rgb.shape == (LONGEST_SIDE * 3 // 4, LONGEST_SIDE, 3)
    assert photo.scale == pytest.approx(LONGEST_SIDE / 6000)
    assert_quarters(photo.rgb)


def test_colour_profile_is_converted(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # A colour space whose first channel is blue and whose third is red: sRGB's, with the names of two entries swapped.
    swapped = srgb.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))
    blue_first = Image.fromarray(np.ascontiguousarray(np.asarray(quarters())[..., ::-1]))
    blue_first.save(tmp_path / "swapped.png", icc_profile=swapped)
    assert_quarters(load_photo(tmp_path / "swapped.png").rgb, tolerance=3)


def test_unreadable_colour_profile_is_passed_over(tmp_path: Path) -> None:
    quarters().save(tmp_path / "odd.png", icc_profile=b"no profile at all")
    assert_quarters(load_photo(tmp_path / "odd.png").rgb, tolerance=1)


def test_mask_file_follows_the_photo(tmp_path: Path) -> None:
    mask = np.zeros((HEIGHT * 2, WIDTH * 2), dtype=np.uint8)
    mask[20:40, 30:60] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    loaded = load_mask(tmp_path / "mask.png", WIDTH, HEIGHT)
    assert loaded.shape == (HEIGHT, WIDTH) and loaded[15, 20] == 255 and loaded[2, 2] == 0
    with pytest.raises(PhotoError, match="another shape"):
        load_mask(tmp_path / "mask.png", WIDTH, WIDTH)
    Image.new("L", (WIDTH, HEIGHT)).save(tmp_path / "black.png")
    with pytest.raises(PhotoError, match="black all over"):
        load_mask(tmp_path / "black.png", WIDTH, HEIGHT)


def test_alpha_of_a_mask_file_counts(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (WIDTH, HEIGHT), (0, 0, 0, 0))
    picture.paste((10, 10, 10, 255), (8, 8, 24, 24))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    (tmp_path / "mask.png").write_bytes(buffer.getvalue())
    loaded = load_mask(tmp_path / "mask.png", WIDTH, HEIGHT)
    assert loaded[16, 16] == 255 and loaded[2, 2] == 0
