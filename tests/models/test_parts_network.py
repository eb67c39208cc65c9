# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network for objects with parts: what it says of crops, its hypotheses, and its file."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.common.regions import REGIONS
from backend.models.parts_network import (
    PartsNetwork,
    PartsNetworkConfig,
    PartsPrediction,
    averaged,
    bin_centres,
    load_parts_network,
    save_parts_network,
)
from backend.models.storage import read_tensors, write_tensors

CONFIG = PartsNetworkConfig(image_size=64, channels=(8, 16, 24, 32, 48), blocks=(1, 1, 1, 1, 1), hidden=64, code_size=5)
BINS = PartsNetworkConfig().azimuth_bins


@pytest.fixture(scope="module")
def network() -> PartsNetwork:
    """A network whose batch norms have seen pictures, so that no two channels are alike."""
    torch.manual_seed(0)
    made = PartsNetwork(CONFIG)
    with torch.no_grad():
        for _ in range(3):
            made(torch.rand(4, 4, 64, 64))
    return made.eval().requires_grad_(False)


def saying(logits: torch.Tensor, offsets: torch.Tensor | float = 0.0) -> PartsPrediction:
    """A prediction of azimuths (N, B) and nothing else."""
    empty = torch.zeros(len(logits), 0)
    return PartsPrediction(logits, torch.zeros_like(logits) + offsets, *[empty] * 6)


def apart(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Degrees between azimuths in radians, the short way."""
    return torch.rad2deg(torch.atan2((first - second).sin(), (first - second).cos()).abs())


def test_maps_are_half_as_large_as_the_crop(network: PartsNetwork) -> None:
    said = network(torch.rand(3, 4, 64, 64))
    assert said.azimuth_logits.shape == said.azimuth_offsets.shape == (3, BINS)
    assert said.pose.shape == (3, 3) and said.code.shape == (3, 5)
    assert said.coordinates.shape == (3, 3, 32, 32) and said.region_logits.shape == (3, len(REGIONS), 32, 32)
    assert said.spread.shape == said.mask_logits.shape == (3, 32, 32)


def test_no_pixel_is_believed_to_be_sure_and_no_offset_leaves_the_neighbouring_bins(network: PartsNetwork) -> None:
    said = network(100 * torch.randn(2, 4, 64, 64))
    assert said.spread.min() >= 0.003
    assert said.azimuth_offsets.abs().max() <= 1.5 * math.pi / BINS + 1e-6


def test_a_network_that_has_learned_nothing_says_what_is_usual(network: PartsNetwork) -> None:
    torch.manual_seed(1)
    fresh = PartsNetwork(CONFIG).eval()
    elevation, distance, roll = fresh(torch.rand(8, 4, 64, 64)).pose.detach().mean(dim=0).tolist()
    assert 0 < math.degrees(elevation) < 20 and 2 < math.exp(distance) < 3.5 and abs(math.degrees(roll)) < 5


def test_bins_divide_the_circle() -> None:
    centres = np.rad2deg(bin_centres(12).numpy())
    assert centres == pytest.approx(np.arange(-165, 180, 30), abs=1e-4)


def test_front_and_rear_are_both_said_where_both_are_likely() -> None:
    centres = torch.rad2deg(bin_centres(BINS))
    logits = torch.full((1, BINS), -5.0)
    logits[0, (centres - 5).abs().argmin()] = 3.0
    logits[0, (centres - 15).abs().argmin()] = 2.5  # beside the best: the same hypothesis
    logits[0, (centres + 175).abs().argmin()] = 2.0
    azimuths, probabilities = saying(logits).azimuths(2)
    assert torch.rad2deg(azimuths)[0].tolist() == pytest.approx([5, -175], abs=1e-3)
    assert probabilities[0, 0] > 0.75 and 0.1 < probabilities[0, 1] < 0.25


def test_hypotheses_are_apart_and_have_the_probability_of_three_bins() -> None:
    logits = torch.randn(50, BINS, generator=torch.Generator().manual_seed(0)) * 2
    azimuths, probabilities = saying(logits).azimuths(4)
    likely = np.exp(logits.double().numpy())
    likely /= likely.sum(axis=1, keepdims=True)
    bins = np.round((np.rad2deg(azimuths.numpy()) + 175) / 10).astype(int) % BINS
    for row in range(50):
        wanted = [sum(likely[row, (b + step) % BINS] for step in (-1, 0, 1)) for b in bins[row]]
        assert probabilities[row].tolist() == pytest.approx(wanted, abs=1e-5)
    assert all(apart(azimuths[:, i], azimuths[:, j]).min() > 44.9 for i in range(4) for j in range(i))
    assert (probabilities.diff(dim=1) <= 0.01).all() and (probabilities.sum(dim=1) <= 1 + 1e-5).all()


def test_an_offset_moves_the_azimuth_also_across_the_rear() -> None:
    logits = torch.full((2, BINS), -9.0)
    logits[0, 20], logits[1, BINS - 1] = 9.0, 9.0  # 25 and 175 degrees
    azimuths, _ = saying(logits, math.radians(7)).azimuths()
    assert torch.rad2deg(azimuths)[:, 0].tolist() == pytest.approx([32, -178], abs=1e-3)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-6), ("half", 0.01), ("int8", 0.15)])
def test_the_file_keeps_what_the_network_says(network, tmp_path: Path, precision, tolerance: float) -> None:
    save_parts_network(tmp_path / "parts.safetensors", network, precision)
    loaded = load_parts_network(tmp_path / "parts.safetensors")
    assert loaded.config == CONFIG and not loaded.training
    crops = torch.rand(4, 4, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        before, after = network(crops), loaded(crops)
    for name in ("azimuth_logits", "pose", "code", "coordinates", "mask_logits"):
        said = getattr(before, name)
        assert (getattr(after, name) - said).abs().max() <= tolerance * said.abs().max(), name


def test_a_file_in_8_bits_is_half_as_large_as_one_in_half_precision(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {}
    for precision in ("half", "int8"):
        save_parts_network(tmp_path / precision, PartsNetwork(PartsNetworkConfig()), precision)
        sizes[precision] = (tmp_path / precision).stat().st_size
    assert sizes["int8"] < 0.55 * sizes["half"] and sizes["int8"] < 8_000_000


def test_names_in_the_file_are_those_of_trained_networks(network: PartsNetwork) -> None:
    names = {name.split(".")[0] for name in network.state_dict()}
    assert names == {
        "stem",
        "down",
        "encoder",
        "head",
        "azimuth",
        "pose",
        "code",
        "context",
        "reduce",
        "decoder",
        "maps",
    }
    assert set(asdict(CONFIG)) == {"image_size", "channels", "blocks", "hidden", "azimuth_bins", "code_size"}


def test_files_that_do_not_fit_are_refused_in_a_sentence(network: PartsNetwork, tmp_path: Path) -> None:
    file = tmp_path / "parts.safetensors"
    with pytest.raises(ValueError, match="cannot be read"):
        load_parts_network(file)
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="cannot be read"):
        load_parts_network(file)
    save_parts_network(file, network)
    tensors, metadata = read_tensors(file)
    for config in (
        json.dumps({**asdict(CONFIG), "wings": 2}),
        "{",
        "[1]",
        json.dumps({**asdict(CONFIG), "hidden": 32}),
    ):
        write_tensors(file, tensors, {**metadata, "config": config})
        with pytest.raises(ValueError, match="does not fit this version"):
            load_parts_network(file)


# ---- Crops and their mirror images ----


def test_a_crop_and_its_mirror_image_are_read_alike(network: PartsNetwork) -> None:
    """Mirrored and shifted by a pixel, twice, a crop is itself: both readings hold the same two."""
    crops = torch.rand(3, 4, 64, 64, generator=torch.Generator().manual_seed(2))
    said, of_mirrored = network.read(crops), network.read(crops.flip(3).roll(1, 3)).mirrored()
    plain = network(crops)
    for name, value in vars(said).items():
        torch.testing.assert_close(getattr(of_mirrored, name), value, atol=2e-5, rtol=1e-3)
        assert value.shape == getattr(plain, name).shape
    assert not torch.allclose(plain.code, said.code, atol=1e-4)


def told(azimuth_deg: float, share: float, number: float) -> PartsPrediction:
    """One reading that believes in an azimuth with a probability, the rest being spread; all else is ``number``."""
    logits = torch.full((1, BINS), math.log((1 - share) / (BINS - 1)))
    nearest = (bin_centres(BINS) - math.radians(azimuth_deg)).abs().argmin()
    logits[0, nearest] = math.log(share)
    maps = torch.full((1, 1, 4, 4), number)
    return PartsPrediction(
        logits, torch.zeros(1, BINS), torch.full((1, 3), number), torch.full((1, 5), number), maps.expand(1, 3, 4, 4),
        maps[:, 0], maps.expand(1, len(REGIONS), 4, 4), maps[:, 0],
    )  # fmt: skip


def test_two_readings_of_one_side_are_averaged() -> None:
    both = averaged(told(35, 0.6, 1.0), told(-45, 0.9, 3.0))
    assert both.azimuth_logits.softmax(dim=1).sum() == pytest.approx(1)
    assert math.degrees(float(both.azimuths()[0][0, 0])) == pytest.approx(45, abs=5.1)
    assert both.code[0].tolist() == [2] * 5 and both.spread.unique().tolist() == [2]
    # Left and right have changed places: what is 3 to the left there is 3 to the right here.
    assert both.coordinates[0, 0].unique().tolist() == [-1] and both.coordinates[0, 1].unique().tolist() == [2]
    assert both.pose[0].tolist() == [2, 2, -1]


@pytest.mark.parametrize("own, other", [(0.8, 0.5), (0.4, 0.7)])
def test_of_two_readings_of_different_sides_the_surer_one_counts(own: float, other: float) -> None:
    both = averaged(told(25, own, 1.0), told(175, other, 3.0))
    kept = 1.0 if own > other else 3.0
    assert both.code[0].tolist() == [kept] * 5 and both.mask_logits.unique().tolist() == [kept]
    shares = both.azimuths(2)[1][0]
    assert shares.tolist() == pytest.approx([max(own, other) / 2, min(own, other) / 2], abs=0.06)
