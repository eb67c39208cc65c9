# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mapping networks: what each input may write, and what comes back from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from backend.models.style_mapping import (
    StyleMapping,
    StyleMappingConfig,
    load_style_mapping,
    reduced,
    save_style_mapping,
    without_object,
)
from backend.render.camera import Cameras

CONFIG = StyleMappingConfig(
    styles=40, view_styles=6, content_styles=25, shape_code=4, texture_size=16, background_size=16, hidden=16,
    channels=(8, 8),
)  # fmt: skip


def mapping() -> StyleMapping:
    torch.manual_seed(0)
    made = StyleMapping(CONFIG)
    made.mean.normal_()
    made.deviation.uniform_(0.5, 2)
    made.view_index.copy_(torch.tensor([1, 3, 4, 8, 9, 14]))
    return made


def cameras(count: int = 3, azimuth: float = 0.3, elevation: float = 0.2) -> Cameras:
    one = torch.ones(count)
    return Cameras(azimuth * one, elevation * one, 3 * one, 0 * one, 0.5 * one, 0 * one, 0 * one)


def inputs(count: int = 3) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    side = CONFIG.texture_size
    return [
        torch.randn(count, CONFIG.shape_code, generator=random),
        torch.rand(count, 3, side, side, generator=random),
        torch.rand(count, 4, side, side, generator=random),
    ]


def changed(first: torch.Tensor, second: torch.Tensor) -> set[int]:
    return set(((first - second).abs() > 1e-6).any(dim=0).nonzero()[:, 0].tolist())


def test_the_camera_writes_its_own_styles_and_no_others() -> None:
    made, known = mapping(), inputs()
    first, second = made(cameras(), *known), made(cameras(azimuth=2.0), *known)
    assert changed(first, second) == {1, 3, 4, 8, 9, 14}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_shape_texture_and_background_write_the_content_alone(place: int) -> None:
    made, known = mapping(), inputs()
    other = [value.flip(0) if number == place else value for number, value in enumerate(known)]
    assert changed(made(cameras(), *known), made(cameras(), *other)) <= set(range(15, 40))
    assert changed(made(cameras(), *known), made(cameras(), *other))


def test_styles_that_nothing_writes_are_those_of_the_mean() -> None:
    made = mapping()
    styles = made(cameras(), *inputs())
    rest = [index for index in range(15) if index not in made.view_index.tolist()]
    assert torch.equal(styles[:, rest], made.mean[rest].expand(3, -1))


def test_a_style_chosen_for_the_texture_does_not_follow_the_shape() -> None:
    made, known = mapping(), inputs()
    with torch.no_grad():
        made.selection[1, :10] = 40.0
    first, second = made(cameras(), *known), made(cameras(), known[0].flip(0), *known[1:])
    assert not changed(first, second) & set(range(15, 25))
    assert changed(first, second) == set(range(25, 40))


def test_a_whole_turn_changes_nothing_and_far_cameras_are_brought_back() -> None:
    made, known = mapping(), inputs()
    made.camera_low.fill_(-0.5)
    made.camera_high.fill_(0.5)
    turned = made(cameras(azimuth=0.3 + 2 * torch.pi), *known)
    assert torch.allclose(made(cameras(), *known), turned, atol=1e-4)
    low, high = made(cameras(elevation=0.5), *known), made(cameras(elevation=1.4), *known)
    assert torch.allclose(low, high, atol=1e-6)


def test_a_background_has_nothing_of_its_object() -> None:
    pictures, masks = torch.full((1, 3, 32, 32), 0.25), torch.zeros(1, 32, 32)
    masks[:, 8:24, 8:24] = 1
    pictures[:, :, 7:25, 7:25] = 1.0  # the object and the pixel around it
    background = without_object(pictures, masks, 16)
    colours = background[:, :3][background[:, 3:].expand(-1, 3, -1, -1) > 0.99]
    assert torch.allclose(colours, torch.tensor(0.25))
    assert float(background[0, 3, 8, 8]) == 0.0
    assert float(background[0, :3, 8, 8].abs().max()) == 0.0


def test_maps_are_reduced_by_their_means() -> None:
    maps = torch.arange(16.0).view(1, 1, 4, 4)
    assert torch.equal(reduced(maps, 2)[0, 0], torch.tensor([[2.5, 4.5], [10.5, 12.5]]))
    assert reduced(maps, 8).shape == (1, 1, 8, 8)


def test_a_file_gives_back_the_same_styles(tmp_path: Path) -> None:
    made, known = mapping(), inputs()
    save_style_mapping(tmp_path / "mapping.safetensors", made)
    read = load_style_mapping(tmp_path / "mapping.safetensors")
    assert read.config == CONFIG
    assert torch.equal(read.view_index, made.view_index)
    difference = (read(cameras(), *known) - made(cameras(), *known)).abs() / made.deviation
    assert float(difference.detach().max()) < 0.02


def test_a_file_of_other_sizes_is_refused(tmp_path: Path) -> None:
    made = StyleMapping(replace(CONFIG, hidden=8))
    made.config = CONFIG
    save_style_mapping(tmp_path / "mapping.safetensors", made)
    with pytest.raises(ValueError, match="does not fit"):
        load_style_mapping(tmp_path / "mapping.safetensors")
