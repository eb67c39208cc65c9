# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Examples for the network for objects with parts: drawn, rendered and photographed, and varied, with their truth."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from backend.common.records import Camera
from backend.common.regions import REGIONS, Finish, Palette
from backend.data.labelled_photographs import CROP_SCALE, LabelledPhotographs
from backend.models.crop import crop_around
from backend.models.fit_parts import FittedParts
from backend.models.inverse_graphics import CROP_MARGIN
from backend.models.parts_network import POSE
from backend.render.camera import Cameras, project
from backend.training.parts import sources
from backend.training.parts.drawn_cars import DrawnCars, DrawnConfig, framed
from backend.training.parts.examples import (
    BACKGROUND,
    UNKNOWN_REGION,
    Examples,
    VariationConfig,
    _styled,
    plain,
    varied,
)
from backend.training.parts.sources import Photographs, Renders, fitted_photographs, regions_of
from tests.helpers.box_space import box_space, box_template
from tests.helpers.parts_samples import parts_template, shape_space
from tests.helpers.synthetic import write_dataset

CPU = torch.device("cpu")
SIZE = 96
STILL = VariationConfig(
    scale=0, shift=0, turn_deg=0, mirrored=0, rough_outline=0, no_outline=0, hole=0, neighbour=0, spoiled=0, styled=0,
    grey=0, blurred=0, colour=0,
)  # fmt: skip
RED = Palette(paint=Finish((0.8, 0.1, 0.1), 0.5))
TEMPLATE = parts_template()
SPACE = shape_space(TEMPLATE)


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def cars() -> DrawnCars:
    return DrawnCars(SPACE, TEMPLATE, DrawnConfig(codes=8), CPU, seed=0)


def cameras(azimuths: list[float], elevation: float = 0.2, roll: list[float] | float = 0.0) -> Cameras:
    azimuth = torch.tensor(azimuths)
    zero = torch.zeros_like(azimuth)
    return Cameras(azimuth, zero + elevation, zero + 2.5, zero + torch.as_tensor(roll), zero + 0.4, zero, zero)


def drawn(cars: DrawnCars, poses: Cameras, size: int = SIZE) -> Examples:
    """One code and one palette from all poses, before grey."""
    count = len(poses)
    palettes = torch.as_tensor(RED.array()).expand(count, -1, -1)
    return cars.pictures(
        cars.codes[:1].expand(count, -1), palettes, poses, size, torch.full((count, 3, 2, 2), 0.5), random()
    )


def overlap(first: Tensor, second: Tensor) -> float:
    return float((first & second).sum() / (first | second).sum())


def around(mask: Tensor, values: Tensor, size: int = 64) -> tuple[Tensor, Tensor]:
    """Mask (S, S) bool and values (C, S, S) within the square about the mask, by the nearest pixel."""
    crop = crop_around(mask.numpy().astype(np.uint8) * 255)
    step = (torch.arange(size) + 0.5) / size - 0.5
    rows, columns = ((at + step * crop.side).floor().long() for at in (crop.center_y, crop.center_x))
    inside = (rows >= 0)[:, None] & (rows < len(mask))[:, None] & (columns >= 0) & (columns < len(mask))
    rows, columns = rows.clamp(0, len(mask) - 1), columns.clamp(0, len(mask) - 1)
    return mask[rows][:, columns] & inside, values[:, rows][:, :, columns]


def test_drawn_coordinates_are_seen_at_their_own_pixels(cars: DrawnCars) -> None:
    poses = cameras([-2.5, -0.7, 0.4, 1.9], elevation=0.3, roll=[0.1, -0.2, 0.0, 0.05])
    seen = drawn(cars, poses)
    vertices = cars.decoder.vertices(cars.codes[:1]).expand(4, -1, -1)
    own = framed(poses, vertices, CROP_MARGIN * CROP_SCALE)
    for index in range(4):
        rows, columns = seen.known[index, 0].nonzero().unbind(1)
        screen = project(own[[index]], seen.coordinates[index][:, rows, columns].T[None], SIZE, SIZE)[0]
        assert (screen[:, 0] - columns - 0.5).abs().max() < 0.01 and (screen[:, 1] - rows - 0.5).abs().max() < 0.01


def test_a_drawn_object_fills_the_picture_but_for_its_margins(cars: DrawnCars) -> None:
    for mask in drawn(cars, cameras([-2.0, 0.0, 1.1])).mask[:, 0]:
        rows, columns = mask.nonzero().unbind(1)
        larger = 1 + max(int(rows.max() - rows.min()), int(columns.max() - columns.min()))
        assert larger == pytest.approx(SIZE / (CROP_MARGIN * CROP_SCALE), abs=2)
        assert float(rows.max() + rows.min()) / 2 == pytest.approx((SIZE - 1) / 2, abs=1.5)


def test_truth_of_a_drawing_is_that_of_its_camera_and_code(cars: DrawnCars) -> None:
    seen = drawn(cars, cameras([0.4, -0.3], elevation=0.25, roll=0.1))
    assert POSE == ("elevation", "distance", "roll")
    assert seen.pose[0].tolist() == pytest.approx([0.25, math.log(2.5), 0.1])
    assert seen.azimuth.tolist() == pytest.approx([0.4, -0.3]) and (seen.code == cars.codes[0]).all()
    assert set(seen.regions.unique().tolist()) >= {REGIONS.index("paint"), REGIONS.index("rubber"), BACKGROUND}
    assert ((seen.regions == BACKGROUND) == ~seen.known[:, 0]).all()
    # The front looks towards -Y: seen from there, what is nearest is what has the least y.
    assert seen.coordinates[:, 1][seen.known[:, 0]].median() < -0.2


def test_drawn_cars_are_seen_from_all_sides_before_the_given_ground() -> None:
    cars = DrawnCars(SPACE, TEMPLATE, DrawnConfig(codes=8, from_above=0.5), CPU, seed=1)
    grounds = torch.rand(200, 3, 4, 4, generator=random())
    seen = cars.draw(200, 16, grounds, random(1))
    quarters = torch.histc(seen.azimuth, 4, -math.pi, math.pi) / 200
    assert quarters.min() > 0.15
    elevation = torch.rad2deg(seen.pose[:, 0])
    assert 0.25 < (elevation > 25).float().mean() < 0.6 and elevation.max() <= 60 and elevation.min() >= -3
    assert 1.3 <= seen.pose[:, 1].exp().min() and seen.pose[:, 1].exp().max() <= 6
    assert torch.allclose(seen.rgb[:, :, 0, 0], grounds[:, :, 0, 0], atol=1e-6), "the corner shows the ground"


def test_the_same_seed_draws_the_same_pictures(cars: DrawnCars) -> None:
    first, again, other = (cars.draw(3, 24, torch.zeros(3, 3, 2, 2), random(seed)) for seed in (5, 5, 6))
    assert torch.equal(first.rgb, again.rgb) and not torch.equal(first.rgb, other.rgb)


def test_a_turned_picture_is_what_a_camera_with_that_roll_sees(cars: DrawnCars) -> None:
    poses = cameras([-1.3, -0.8, 0.9, 1.5, 2.3, -2.2])
    turned, _ = varied(drawn(cars, poses, 224), 224, replace(STILL, turn_deg=25), random(3))
    roll = turned.pose[:, 2]
    assert (strong := (roll.abs() > 0.3) & (roll.abs() < 0.7)).sum() >= 3
    right, wrong = (drawn(cars, replace(poses, roll=sign * roll), 224) for sign in (1, -1))
    for index in strong.nonzero()[:, 0].tolist():
        ours, points = around(turned.known[index, 0], turned.coordinates[index])
        same, their_points = around(right.known[index, 0], right.coordinates[index])
        other, _ = around(wrong.known[index, 0], wrong.coordinates[index])
        assert overlap(ours, same) > 0.93 and overlap(ours, other) < 0.6
        assert (points - their_points).norm(dim=0)[ours & same].median() < 0.02


def test_a_mirrored_example_is_the_one_drawn_from_the_other_side() -> None:
    template = box_template()
    cars = DrawnCars(box_space(template, with_fold=False), template, DrawnConfig(codes=4), CPU, seed=0)
    poses = cameras([-2.6, -0.9, 0.5, 1.4], roll=[0.1, -0.1, 0.2, 0.0])
    mirrored, _ = varied(drawn(cars, poses), SIZE, replace(STILL, mirrored=1), random())
    other, _ = plain(drawn(cars, replace(poses, azimuth=-poses.azimuth, roll=-poses.roll)), SIZE)
    assert torch.allclose(mirrored.azimuth, other.azimuth) and torch.allclose(mirrored.pose, other.pose)
    assert overlap(mirrored.known, other.known) > 0.98
    both = (mirrored.known & other.known)[:, 0]
    assert (mirrored.coordinates - other.coordinates).norm(dim=1)[both].mean() < 0.01
    assert (mirrored.regions == other.regions)[both].float().mean() > 0.98


def test_without_variation_the_crop_is_the_products_own(cars: DrawnCars) -> None:
    whole, crops = plain(drawn(cars, cameras([0.6]), 192), 64)
    larger = max(int(np.ptp(axis)) + 1 for axis in np.nonzero(crops[0, 3].numpy() > 0.5))
    assert larger == pytest.approx(64 / CROP_MARGIN, abs=1.5)
    assert crops[0, :3][:, crops[0, 3] == 0].max() == 0, "nothing is left of the surroundings"
    still, same = varied(drawn(cars, cameras([0.6]), 192), 64, STILL, random())
    assert torch.equal(still.coordinates, whole.coordinates) and torch.equal(same[:, 3], crops[:, 3])


def test_each_kind_of_variation_changes_what_it_is_called_after(cars: DrawnCars) -> None:
    seen = drawn(cars, cameras([0.6, -1.2, 2.0, -2.8, 1.0, 0.1, -0.4, 3.0]))
    still, crops = varied(seen, 64, STILL, random())

    def with_(**changes: float) -> tuple[Examples, Tensor]:
        return varied(seen, 64, replace(STILL, **changes), random(1))

    larger = with_(scale=0.3)[0].known.sum(dim=(1, 2, 3)) / still.known.sum(dim=(1, 2, 3))
    assert larger.max() > 1.1 and larger.min() < 0.9
    assert with_(no_outline=1)[1][:, 3].min() == 1
    rough = with_(rough_outline=1)[1][:, 3] > 0.5
    assert 0.7 < overlap(rough, crops[:, 3] > 0.5) < 0.99
    assert (with_(neighbour=1)[1][:, 3] >= crops[:, 3]).all() and with_(neighbour=1)[1][:, 3].sum() > crops[:, 3].sum()
    spoiled = with_(spoiled=1)[1][:, 3]
    assert (spoiled >= crops[:, 3] - 1e-6).all() and 0.5 < overlap(spoiled > 0.5, crops[:, 3] > 0.5) < 0.99
    hue, grey = (
        (made[:, :3].amax(1) - made[:, :3].amin(1)).mean() for made in (with_(turn_deg=0)[1], with_(grey=1)[1])
    )
    assert grey < 0.5 * hue, "what is left is the noise of every picture"
    covered = with_(hole=1)[1]
    assert (
        (covered[:, 3] < crops[:, 3] - 0.5).any(2).any(1) | ((covered - crops)[:, :3].abs() > 0.3).flatten(1).any(1)
    ).any()
    moved = with_(shift=0.2)[0]
    assert torch.equal(moved.pose, still.pose) and not torch.equal(moved.known, still.known)
    assert (moved.regions[~moved.known[:, 0]] == BACKGROUND).all(), "nothing is made up beyond the edges"


def test_drawings_take_low_frequencies_from_photographs_which_stay_as_they_are(cars: DrawnCars) -> None:
    seen = drawn(cars, cameras([0.6, -1.2, 2.0]))
    pictures = torch.rand(3, 3, SIZE, SIZE, generator=random(4)) * 0.2 + 0.4
    batch = replace(seen, rgb=pictures, photograph=torch.tensor([False, False, True]))
    config = VariationConfig(styled=1.0, style_reach=0.05)
    styled = _styled(batch.rgb, batch.photograph, config, random())
    before, after = (np.abs(np.fft.fft2(values.numpy())) for values in (pictures, styled))
    rows = np.abs(np.fft.fftfreq(SIZE))
    low = np.maximum(rows[:, None], rows[None]) <= 0.05
    for one in (0, 1):
        np.testing.assert_allclose(after[one][:, low], before[2][:, low], rtol=1e-3, atol=1e-2)
        np.testing.assert_allclose(after[one][:, ~low], before[one][:, ~low], rtol=1e-3, atol=1e-2)
    assert torch.equal(styled[2], pictures[2])
    none = torch.zeros(3, dtype=torch.bool)
    assert torch.equal(_styled(batch.rgb, none, config, random()), pictures)


def test_glossy_objects_mirror_the_ground_of_another_where_real_surroundings_are_wanted() -> None:
    poses = cameras([0.6, -1.2])
    red, blue = (torch.tensor(colour)[:, None, None].expand(3, 8, 8) for colour in ((0.9, 0.1, 0.1), (0.1, 0.1, 0.9)))

    def mean_colours(share: float) -> Tensor:
        cars = DrawnCars(SPACE, TEMPLATE, DrawnConfig(codes=2, real_surroundings=share), CPU, seed=0)
        grey = torch.as_tensor(Palette(paint=Finish((0.5, 0.5, 0.5), 0.1)).array())[None].expand(2, -1, -1)
        seen = cars.pictures(cars.codes[:2], grey, poses, SIZE, torch.stack([red, blue]), random())
        return torch.stack([seen.rgb[i][:, seen.mask[i, 0] > 0.5].mean(dim=1) for i in range(2)])

    drawn_ones, real = mean_colours(0.0), mean_colours(1.0)
    assert real[0, 2] > 2 * real[0, 0] and real[1, 0] > 2 * real[1, 2]
    assert (drawn_ones[:, 0] / drawn_ones[:, 2]).log().abs().max() < 0.6


@pytest.fixture(scope="module")
def renders(tmp_path_factory: pytest.TempPathFactory) -> Renders:
    return Renders(write_dataset(tmp_path_factory.mktemp("renders"), objects=2, views=3), 64, CPU, code_size=6)


def test_truth_of_renders_lies_where_the_pictures_show_it(renders: Renders) -> None:
    seen = renders.examples(torch.arange(6), SIZE)
    assert overlap(seen.mask > 0.5, seen.known) > 0.93
    for index in range(6):
        rows, columns = seen.known[index, 0].nonzero().unbind(1)
        points = seen.coordinates[index][:, rows, columns]
        screen = project(renders.cameras[[index]], points.T[None], SIZE, SIZE)[0]
        apart = torch.hypot(screen[:, 0] - columns - 0.5, screen[:, 1] - rows - 0.5)
        assert apart.mean() < 1.2, "nearest pixels of 64 x 64, about 1.5 pixels large here"
        glass = seen.regions[index][rows, columns] == REGIONS.index("glass")
        assert (glass == (points[2] > 0)).float().mean() > 0.99, "the upper half is called glass"
        red_minus_blue = (seen.rgb[index, 0] - seen.rgb[index, 2])[rows, columns]
        inside = seen.mask[index, 0][rows, columns] > 0.99
        if points[1].std() > 0.1:
            assert torch.corrcoef(torch.stack([red_minus_blue, points[1]])[:, inside])[0, 1].abs() > 0.6


def test_renders_know_their_poses_and_no_code(renders: Renders, tmp_path: Path) -> None:
    seen = renders.examples(torch.tensor([4]), 32)
    folder = write_dataset(tmp_path, objects=2, views=3)
    record = json.loads((folder / "objects" / "000001" / "object.json").read_text())["views"][1]["camera"]
    assert seen.azimuth[0] == pytest.approx(record["azimuth"], abs=1e-5)
    wanted = [record["elevation"], math.log(record["distance"]), record["roll"]]
    assert seen.pose[0].tolist() == pytest.approx(wanted, abs=1e-5)
    assert seen.weight_pose[0] == 1 and seen.weight_code[0] == 0 and seen.code.shape == (1, 6)


def test_beyond_the_edge_of_a_render_there_is_no_object(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, objects=1, views=1)
    file = folder / "objects" / "000000" / "view_00.png"
    rgba = np.asarray(Image.open(file)).copy()
    rgba[..., 3] = 0
    rgba[24:40, :30, 3] = 255  # runs out of the picture at the left
    Image.fromarray(rgba).save(file)
    mask = Renders(folder, 64, CPU, 6).examples(torch.tensor([0]), 64).mask[0, 0]
    assert mask[:, 0].max() == 0 and mask[32].max() == 1


def test_numbers_of_a_datasets_regions_are_told_by_their_names() -> None:
    table = regions_of(("rubber", "wings", "paint"))
    assert table[[0, 1, 2, 3, 4]].tolist() == [
        BACKGROUND, REGIONS.index("rubber"), UNKNOWN_REGION, REGIONS.index("paint"), UNKNOWN_REGION,
    ]  # fmt: skip


def photographed(cars: DrawnCars) -> tuple[LabelledPhotographs, dict[str, Tensor], Examples]:
    """Two drawn cars as photographs, the left half of each mask missing, and the true fits of both."""
    poses = cameras([0.5, -2.0])
    seen = drawn(cars, poses, 64)
    vertices = cars.decoder.vertices(cars.codes[:1]).expand(2, -1, -1)
    own = framed(poses, vertices, CROP_MARGIN * CROP_SCALE)
    masks = (seen.mask[:, 0] * 255).byte().numpy()
    masks[:, :, :32] = 0
    rgb = (seen.rgb.clamp(0, 1) * 255).byte().permute(0, 2, 3, 1).numpy()
    labels = LabelledPhotographs(rgb, masks, np.array([0.45, -2.1], np.float32), ("a", "b"), ("a", "b"))
    numbers = torch.stack([getattr(own, field.name) for field in fields(Cameras)], dim=1)
    return labels, {"codes": cars.codes[:1].expand(2, -1), "cameras": numbers, "iou": torch.tensor([0.9, 0.5])}, seen


def test_a_fit_tells_only_what_it_and_the_mask_agree_on(cars: DrawnCars) -> None:
    labels, fits, seen = photographed(cars)
    examples = Photographs(labels, fits, SPACE, TEMPLATE, CPU).examples(torch.tensor([0, 1]))
    right_half = seen.known[0].clone()
    right_half[:, :, :32] = False
    assert torch.equal(examples.known[0], right_half)
    assert torch.allclose(examples.coordinates[0], seen.coordinates[0] * right_half, atol=5e-4)
    assert torch.equal(examples.regions[0][right_half[0]], seen.regions[0][right_half[0]])
    assert (examples.regions[0][~right_half[0]] == BACKGROUND).all()
    assert torch.allclose(examples.azimuth, torch.tensor([0.45, -2.1])), "the label's, not the fit's"
    assert torch.allclose(examples.pose[0], seen.pose[0], atol=1e-5) and examples.photograph.all()


def test_a_poor_fit_tells_nothing(cars: DrawnCars) -> None:
    labels, fits, _ = photographed(cars)
    for given in (fits, None):
        examples = Photographs(labels, given, SPACE, TEMPLATE, CPU).examples(torch.tensor([1]))
        assert not examples.known.any() and not examples.coordinates.any()
        assert examples.weight_pose[0] == examples.weight_code[0] == 0
        inside = examples.mask[0, 0] > 0.5
        assert inside.any() and (examples.regions[0][inside] == UNKNOWN_REGION).all()
        assert (examples.regions[0][~inside] == BACKGROUND).all()


def test_fits_are_made_once_for_the_same_photographs(
    cars: DrawnCars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, _, _ = photographed(cars)
    asked = []

    def fit(masks: np.ndarray, azimuths: list[float], *_: object) -> list[FittedParts]:
        asked.append(len(masks))
        return [FittedParts(SPACE.examples[0].astype(np.float32), [Camera(a, 0.1, 2.0)], [0.9], 0.1) for a in azimuths]

    monkeypatch.setattr(sources, "fit_objects", fit)
    file = tmp_path / "fits.safetensors"
    first = fitted_photographs(labels, file, SPACE, TEMPLATE, CPU)
    again = fitted_photographs(labels, file, SPACE, TEMPLATE, CPU)
    assert asked == [2] and all(torch.equal(first[name], again[name]) for name in first)
    assert first["cameras"][:, 0].tolist() == pytest.approx([0.45, -2.1]) and first["codes"].shape == (2, SPACE.size)
    other = replace(labels, azimuths=labels.azimuths + np.float32(0.3))
    fitted_photographs(other, file, SPACE, TEMPLATE, CPU)
    assert asked == [2, 2], "as many photographs, but others"
    file.write_bytes(b"no fits")
    with pytest.raises(ValueError, match="cannot be read"):
        fitted_photographs(labels, file, SPACE, TEMPLATE, CPU)
