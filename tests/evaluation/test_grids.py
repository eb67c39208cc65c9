# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of what a generator makes: every cell is the picture that its codes give."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.evaluation import grids
from backend.evaluation.grids import GAP, GROUND, Gallery, cropped, draw, tiled
from backend.models.stylegan2 import Generator, GeneratorConfig

CONTENT = (2, 0, 12, 16)
HEIGHT, WIDTH = 12, 16


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(0)
    made = Generator(GeneratorConfig(resolution=16, z_dim=6, w_dim=5, mapping_layers=2, channels=(6, 5, 4)))
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith(("bias", "noise_strength")):
                parameter.add_(torch.randn_like(parameter) * 0.3)
        made.mapping.average.normal_()
    return made.eval().requires_grad_(False)


def cell(picture: np.ndarray, row: int, column: int) -> np.ndarray:
    top, left = row * (HEIGHT + GAP), column * (WIDTH + GAP)
    return picture[top : top + HEIGHT, left : left + WIDTH]


def alone(generator: Generator, w: torch.Tensor) -> np.ndarray:
    """One picture from codes (D,) or (L, D), made by itself and converted in NumPy."""
    with torch.no_grad():
        image = generator.synthesize(generator.styles(w[None]), noise="const")[0].double().numpy()
    top, left, height, width = CONTENT
    image = image.transpose(1, 2, 0)[top : top + height, left : left + width]
    return np.clip(np.rint((image + 1) * 127.5), 0, 255).astype(np.uint8)


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    """To rounding: batches of different sizes add in another order."""
    assert found.shape == expected.shape and found.dtype == expected.dtype == np.uint8
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_pictures_of_the_generator_differ(generator: Generator) -> None:
    """Otherwise the tests below could not fail."""
    w = generator.map(draw(generator, 4, 0))
    made = [alone(generator, one).astype(int) for one in w]
    assert min(np.abs(made[0] - other).max() for other in made[1:]) > 20
    with torch.no_grad():
        fresh = generator.synthesize(generator.styles(w), noise="random")
    assert float((fresh - generator.synthesize(generator.styles(w), noise="const")).abs().max()) > 0.1


def test_cells_of_the_sample_grid_are_single_images(generator: Generator) -> None:
    picture = Gallery(generator, CONTENT, truncation=0.7, batch=4).sample_grid(2, 3, seed=5)
    assert picture.shape == (2 * HEIGHT + GAP, 3 * WIDTH + 2 * GAP, 3)
    w = generator.map(draw(generator, 6, 5), truncation=0.7)
    for number in range(6):
        assert_same(cell(picture, number // 3, number % 3), alone(generator, w[number]))
    assert (picture[HEIGHT : HEIGHT + GAP] == GROUND).all()
    assert (picture[:, WIDTH : WIDTH + GAP] == GROUND).all()


def test_a_seed_gives_the_same_grid_and_another_seed_another(generator: Generator) -> None:
    first = Gallery(generator).sample_grid(2, 2, seed=1)
    torch.randn(3)
    assert np.array_equal(first, Gallery(generator).sample_grid(2, 2, seed=1))
    assert not np.array_equal(first, Gallery(generator).sample_grid(2, 2, seed=2))
    assert first.shape == (2 * 16 + GAP, 2 * 16 + GAP, 3)  # without content, all of the square


def test_a_seeds_first_codes_do_not_depend_on_how_many_are_drawn(generator: Generator) -> None:
    assert torch.equal(draw(generator, 7, 3)[:2], draw(generator, 2, 3))
    assert float(draw(generator, 2000, 0).std()) == pytest.approx(1, abs=0.03)


def test_batches_change_nothing(generator: Generator) -> None:
    w = generator.map(draw(generator, 5, 0))
    assert_same(*(Gallery(generator, CONTENT, batch=batch).pictures(w) for batch in (2, 5)))


def test_rows_of_the_truncation_grid_go_from_the_mean_to_the_sample(generator: Generator) -> None:
    picture = Gallery(generator, CONTENT).truncation_grid(2, (0.0, 0.5, 1.0), seed=4)
    w = generator.mapping(draw(generator, 2, 4))
    average = generator.mapping.average
    for row in range(2):
        assert_same(cell(picture, row, 0), alone(generator, average))
        assert_same(cell(picture, row, 1), alone(generator, (w[row] + average) / 2))
        assert_same(cell(picture, row, 2), alone(generator, w[row]))


def test_cells_of_the_mixing_grid_are_mixes_of_the_sources_beside_and_above(generator: Generator) -> None:
    rows, columns, layers = 2, 3, 3
    picture = Gallery(generator, CONTENT, batch=4).mixing_grid(rows, columns, seed=6, layers=layers)
    assert picture.shape == (3 * HEIGHT + 2 * GAP, 4 * WIDTH + 3 * GAP, 3)
    w = generator.map(draw(generator, rows + columns, 6))
    assert (cell(picture, 0, 0) == GROUND).all()
    for row in range(rows):
        assert_same(cell(picture, row + 1, 0), alone(generator, w[row]))
        for column in range(columns):
            assert_same(cell(picture, 0, column + 1), alone(generator, w[rows + column]))
            mixed = generator.mix(w[row][None], w[rows + column][None], layers)[0]
            assert_same(cell(picture, row + 1, column + 1), alone(generator, mixed))


@pytest.mark.parametrize(("layers", "like_row"), [(0, False), (6, True)])
def test_mixing_none_or_all_of_the_layers_gives_a_source(generator: Generator, layers: int, like_row: bool) -> None:
    picture = Gallery(generator, CONTENT).mixing_grid(1, 1, seed=6, layers=layers)
    assert_same(cell(picture, 1, 1), cell(picture, 1, 0) if like_row else cell(picture, 0, 1))


def test_interpolation_passes_through_every_sample_and_ends_where_it_began(generator: Generator) -> None:
    samples, steps = 3, 4
    w = generator.map(draw(generator, samples, 8))
    codes = Gallery(generator).interpolation_codes(samples, steps, seed=8)
    assert codes.shape == (samples * steps, generator.codes, 5)
    for number in range(samples):
        following = w[(number + 1) % samples]
        torch.testing.assert_close(codes[number * steps], w[number])
        torch.testing.assert_close(codes[number * steps + 1], 0.75 * w[number] + 0.25 * following)
    moves = (codes.roll(-1, dims=0) - codes).flatten(1).norm(dim=1).view(samples, steps)
    torch.testing.assert_close(moves, moves[:, :1].expand_as(moves))  # even, over the seam too


def test_strip_and_film_show_the_same_pictures(generator: Generator) -> None:
    strip = Gallery(generator, CONTENT).interpolation_strip(2, 3, seed=9)
    frames = list(Gallery(generator, CONTENT, batch=4).interpolation_frames(2, 3, seed=9))
    assert len(frames) == 6
    for number, frame in enumerate(frames):
        assert_same(frame, cell(strip, number // 3, number % 3))


def test_what_lacks_in_the_last_row_is_ground() -> None:
    cells = np.zeros((3, 2, 2, 3), dtype=np.uint8)
    picture = tiled(cells, 2, gap=1)
    assert picture.shape == (5, 5, 3)
    assert (picture[3:, 3:] == GROUND).all()
    assert (picture[3:, :2] == 0).all()


def test_cropping_keeps_the_content_alone() -> None:
    images = torch.arange(2 * 3 * 16 * 16.0).view(2, 3, 16, 16)
    assert torch.equal(cropped(images, CONTENT), images[:, :, 2:14, 0:16])
    assert cropped(images, None) is images


def test_values_outside_the_range_are_clamped() -> None:
    images = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0]).view(1, 1, 1, 5).expand(1, 3, 1, 5)
    assert grids.to_bytes(images)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]
