# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a neural renderer is measured: a perfect one and a leaking one are told apart, cameras are found again."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from backend.evaluation.neural_renderer.cameras import longer_side, turned
from backend.evaluation.neural_renderer.painters import HANDLES, LayerPainter, drawn_codes
from backend.evaluation.neural_renderer.pictures import sheet
from backend.evaluation.neural_renderer.swaps import best_borders, draw_pairs, swap_table
from backend.models.inverse_graphics import Prediction
from backend.models.picture_reader import Reading
from tests.helpers.described import SIZES, generator, judge
from tests.helpers.synthetic import TEMPLATE

SIDE, COUNT = 16, 12


class Written:
    """Pictures in which camera, shape and texture are written as grey patches, on a plain ground; ``leak`` of the
    texture's patch follows the shape."""

    count = COUNT

    def __init__(self, leak: float = 0.0) -> None:
        random = torch.Generator().manual_seed(0)
        self.values = 0.1 + 0.8 * torch.rand(4, COUNT, generator=random)
        self.leak = leak

    def __call__(self, numbers) -> torch.Tensor:
        camera, shape, texture, ground = (self.values[place][n] for place, n in enumerate(numbers))
        pictures = ground[:, None, None, None].expand(-1, 3, SIDE, SIDE).clone()
        pictures[:, :, 4:6, 4:12] = camera[:, None, None, None]
        pictures[:, :, 6:8, 4:12] = shape[:, None, None, None]
        pictures[:, :, 8:12, 4:12] = ((1 - self.leak) * texture + self.leak * shape)[:, None, None, None]
        return pictures


class Reader:
    """Reads what :class:`Written` wrote."""

    network = judge()

    def __call__(self, pictures: torch.Tensor) -> Reading:
        count = len(pictures)
        masks = torch.zeros(count, SIDE, SIDE)
        masks[:, 4:12, 4:12] = 1
        camera, shape, texture = pictures[:, 0, 5, 8], pictures[:, 0, 7, 8], pictures[:, :, 10:11, 8:9]
        code = torch.zeros(count, self.network.config.shape_code)
        code[:, 0] = 4 * (shape - 0.5)
        bins = self.network.config.azimuth_bins
        logits = torch.zeros(count, bins)
        logits[:, 0] = 9.0
        prediction = Prediction(
            code, torch.zeros(count, 8), logits, camera[:, None].expand(-1, bins), torch.zeros(count, 6),
            torch.zeros(count, 9, 3),
        )  # fmt: skip
        return Reading(masks, torch.zeros(count, 3), prediction, texture.expand(-1, -1, 4, 4))


def table(painter) -> dict[str, dict[str, float]]:
    halves = torch.arange(COUNT // 2), torch.arange(COUNT // 2, COUNT)
    return swap_table(painter, Reader(), TEMPLATE, halves)


def test_a_perfect_renderer_moves_what_is_swapped_and_nothing_else() -> None:
    found = table(Written())
    for handle in HANDLES:
        assert found[handle][handle] == pytest.approx(1.0, abs=0.01)
        assert found[handle]["arrived"] == pytest.approx(1.0, abs=0.01)
        assert found[handle]["leak"] < 0.01
        assert all(found[handle][other] < 0.01 for other in HANDLES if other != handle)


def test_a_leak_is_seen_where_it_is() -> None:
    found = table(Written(leak=0.5))
    assert found["shape"]["leak"] > 0.3
    assert found["shape"]["texture"] > 0.3
    assert found["texture"]["arrived"] < 0.8
    assert found["camera"]["leak"] < 0.01 and found["background"]["leak"] < 0.01


def test_the_better_of_two_ways_is_chosen() -> None:
    halves = torch.arange(COUNT // 2), torch.arange(COUNT // 2, COUNT)
    assert best_borders([Written(0.6), Written(), Written(0.3)], Reader(), TEMPLATE, halves) == 1


def test_plain_style_mixing_takes_each_run_of_codes_from_its_own_sample() -> None:
    maker = generator()
    codes = drawn_codes(maker, 4, 0.7, 1)
    painter = LayerPainter(maker, codes, (2, 4, 6))
    first, second = torch.tensor([0]), torch.tensor([3])
    mixed = torch.cat([codes[:1, :2], codes[3:, 2:4], codes[:1, 4:]], dim=1)
    expected = (maker.synthesize(maker.styles(mixed)) * 0.5 + 0.5).clamp(0, 1)
    assert torch.equal(painter([first, second, first, first]), expected.detach())
    assert codes.shape == (4, maker.codes, SIZES.w_dim)


def test_pairs_are_of_two_objects_and_the_same_for_a_seed() -> None:
    owner = [0, 0, 1, 1, 2]
    first, second = draw_pairs(50, owner, 3)
    assert all(owner[a] != owner[b] for a, b in zip(first.tolist(), second.tolist(), strict=True))
    assert torch.equal(draw_pairs(50, owner, 3)[1], second)
    with pytest.raises(ValueError, match="two objects"):
        draw_pairs(5, [4, 4, 4], 0)


def test_the_longer_side_of_a_box_is_counted_in_pixels() -> None:
    masks = torch.zeros(3, 10, 10, dtype=torch.bool)
    masks[0, 2:5, 1:9] = True
    masks[1, 0:10, 4] = True
    assert longer_side(masks).tolist() == [8, 10, 1]


def test_angles_differ_the_short_way_round() -> None:
    one, other = torch.tensor([3.1, -3.1, 0.5]), torch.tensor([-3.1, 3.1, 0.2])
    assert turned(one, other).tolist() == pytest.approx([-0.0832, 0.0832, 0.3], abs=1e-3)


def test_cells_of_a_sheet_lie_in_rows() -> None:
    cells = torch.stack([torch.full((3, 3, 4, 4), value) for value in (0.0, 1.0)])
    picture = sheet(cells, enlarged=2)
    assert picture.shape == (16, 24, 3)
    assert np.all(picture[:8] == 0) and np.all(picture[8:] == 255)


def test_a_folder_that_is_no_such_run_is_refused(tmp_path) -> None:
    from backend.errors import BundleError
    from backend.evaluation.neural_renderer.judged_run import load_judged_run

    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BundleError, match=r"no run of train\.py disentangle"):
        load_judged_run(tmp_path, SimpleNamespace())  # type: ignore[arg-type]
