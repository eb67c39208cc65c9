# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks in files: what each precision keeps, what 8 bits cost, what is said of a damaged file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from backend.models.segmenter import Segmenter, SegmenterConfig, load_segmenter
from backend.models.storage import dequantise, load_state, quantise, quantised, read_tensors, save_network
from backend.models.stylegan2 import GeneratorConfig, load_generator
from tests.helpers.stylegan2_checkpoints import random_generator

LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Sizes:
    width: int = 64


class Network(nn.Module):
    """A large weight, a small one, one whose channels are short, and numbers that are no floats."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.large = nn.Linear(64, 80)
        self.small = nn.Linear(80, 3)
        self.norm = nn.BatchNorm1d(80)
        self.register_buffer("vertices", torch.rand(1500, 3))
        self.register_buffer("long_bias", torch.rand(5000))


def metadata_of(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return file.metadata()


# Rounding


def channels(elements: st.SearchStrategy[float]) -> st.SearchStrategy[np.ndarray]:
    shapes = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3))
    return arrays(np.float32, shapes, elements=elements)


@settings(deadline=None, max_examples=300)
@given(channels(st.floats(-LARGEST, LARGEST, width=32) | st.floats(-1, 1, width=32) | st.just(0.0)))
def test_no_number_is_off_by_more_than_half_a_step_of_its_channel(values: np.ndarray) -> None:
    numbers, steps = quantise(torch.from_numpy(values))
    assert numbers.dtype == torch.int8 and numbers.shape == values.shape and steps.shape == values.shape[:1]
    back = dequantise(numbers, steps).numpy().astype(np.float64)
    assert np.isfinite(back).all()
    for channel, again in zip(values.astype(np.float64), back, strict=True):
        step = np.abs(channel).max() / 127
        # Besides the rounding to steps there is that of float32, which has nothing below 1e-38.
        assert np.abs(channel - again).max() <= 0.5 * step * (1 + 1e-4) + 1e-38


@settings(deadline=None)
@given(channels(st.floats(-8, 8, width=32)))
def test_channels_do_not_bear_on_one_another(values: np.ndarray) -> None:
    together, steps = quantise(torch.from_numpy(values))
    for index, channel in enumerate(values):
        alone, step = quantise(torch.from_numpy(channel[None]))
        assert torch.equal(alone[0], together[index]) and step[0] == steps[index]


@settings(deadline=None)
@given(channels(st.floats(-8, 8, width=32)))
def test_rounding_twice_is_rounding_once(values: np.ndarray) -> None:
    numbers, steps = quantise(torch.from_numpy(values))
    again, same = quantise(dequantise(numbers, steps))
    assert torch.equal(again, numbers)
    torch.testing.assert_close(same, steps, rtol=1e-6, atol=0)


def test_zeros_stay_zeros_beside_other_channels() -> None:
    values = torch.tensor([[0.0, 0.0], [1.0, -0.5]])
    numbers, steps = quantise(values)
    assert dequantise(numbers, steps)[0].tolist() == [0, 0]
    assert numbers[1].tolist() == [127, -64] or numbers[1].tolist() == [127, -63]


# Files


@pytest.mark.parametrize("precision", ["float32", "half", "int8"])
def test_a_network_comes_back_as_floats_in_any_precision(tmp_path: Path, precision) -> None:
    network, path = Network(), tmp_path / "network.safetensors"
    save_network(path, network, Sizes(), precision=precision)
    tensors, metadata = read_tensors(path)
    assert json.loads(metadata["config"]) == {"width": 64} and metadata["precision"] == precision
    assert tensors.keys() == network.state_dict().keys()
    again = Network()
    load_state(again, tensors, path)
    tolerance = {"float32": 0.0, "half": 1e-3, "int8": 0.125 / 127}[precision]
    for name, value in network.state_dict().items():
        assert again.state_dict()[name].dtype == value.dtype
        torch.testing.assert_close(again.state_dict()[name], value, atol=tolerance, rtol=0)


def test_in_8_bits_are_the_weights_that_are_worth_it(tmp_path: Path) -> None:
    save_network(tmp_path / "network.safetensors", Network(), Sizes(), precision="int8")
    kinds = {name: value.dtype for name, value in load_file(tmp_path / "network.safetensors").items()}
    assert kinds.pop("large.weight") == torch.int8 and kinds.pop("large.weight.scale") == torch.float32
    assert kinds.pop("norm.num_batches_tracked") == torch.int64
    assert set(kinds.values()) == {torch.float16} and {"vertices", "long_bias", "small.weight"} <= kinds.keys()


def test_8_bits_take_about_half_of_half_precision(tmp_path: Path) -> None:
    network = nn.Conv2d(64, 128, 3)
    for precision in ("half", "int8"):
        save_network(tmp_path / precision, network, Sizes(), precision=precision)
    half, small = ((tmp_path / name).stat().st_size for name in ("half", "int8"))
    assert 0.5 < small / half < 0.52


def test_files_that_say_no_precision_are_read_as_they_are(tmp_path: Path) -> None:
    old = {"a": torch.rand(3, 4).half(), "b": torch.randint(-9, 9, (3, 4), dtype=torch.int8)}
    save_file(old, tmp_path / "old.safetensors", metadata={"config": "{}"})
    tensors, _ = read_tensors(tmp_path / "old.safetensors")
    assert all(tensors[name].dtype == value.dtype and torch.equal(tensors[name], value) for name, value in old.items())


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e39])
@pytest.mark.parametrize("shape", [(64, 80), (3,)])
def test_numbers_that_are_not_finite_are_refused_in_8_bits(number: float, shape: tuple[int, ...]) -> None:
    value = torch.zeros(shape, dtype=torch.float64)
    value[-1] = number
    with pytest.raises(ValueError, match="cannot be stored in 8 bits: a holds numbers that are not finite"):
        quantised({"a": value})


def test_a_refused_network_leaves_the_file_before_it(tmp_path: Path) -> None:
    network, path = Network(), tmp_path / "network.safetensors"
    save_network(path, network, Sizes(), precision="half")
    before = path.read_bytes()
    with torch.no_grad():
        network.large.weight[3, 4] = float("nan")
    with pytest.raises(ValueError, match="large.weight"):
        save_network(path, network, Sizes(), precision="int8")
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (None, "the scale of large.weight is missing"),
        (torch.ones(79), "the scale of large.weight does not fit it"),
        (torch.ones(80, 1), "does not fit it"),
        (torch.ones(80, dtype=torch.int32), "does not fit it"),
        (torch.full((80,), float("nan")), "the scale of large.weight is not finite"),
        (torch.full((80,), float("inf")), "is not finite"),
    ],
)
def test_a_damaged_scale_is_one_sentence(tmp_path: Path, scale: torch.Tensor | None, message: str) -> None:
    path = tmp_path / "network.safetensors"
    save_network(path, Network(), Sizes(), precision="int8")
    tensors, metadata = load_file(path), metadata_of(path)
    del tensors["large.weight.scale"]
    save_file(tensors | ({} if scale is None else {"large.weight.scale": scale}), path, metadata=metadata)
    with pytest.raises(ValueError, match=message) as caught:
        read_tensors(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_a_precision_of_another_version_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors", metadata={"precision": "int4"})
    with pytest.raises(ValueError, match="precision that is not known here: int4"):
        read_tensors(tmp_path / "a.safetensors")


def test_networks_are_loaded_from_8_bits_by_their_own_loaders(tmp_path: Path) -> None:
    torch.manual_seed(1)
    segmenter = Segmenter(SegmenterConfig(resolution=64)).eval()
    save_network(tmp_path / "segmenter", segmenter, segmenter.config, precision="int8")
    pictures = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(load_segmenter(tmp_path / "segmenter")(pictures), segmenter(pictures), atol=0.05, rtol=0)
    generator = random_generator(GeneratorConfig(16, 64, 64, 2, channels=(32, 16, 8)))
    save_network(tmp_path / "generator", generator, generator.config, precision="int8")
    assert torch.int8 in {value.dtype for value in load_file(tmp_path / "generator").values()}
    codes = torch.randn(1, 64)
    expected, found = (network(codes, noise="const") for network in (generator, load_generator(tmp_path / "generator")))
    assert (expected - found).abs().mean() < 0.05 * expected.std()
