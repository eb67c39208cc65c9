# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a projection moves: the space of codes against its closed form, maps of noise against a slow loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.pipeline.projection.latents import CodeSpace, Synthesis, autocorrelation, renormalise
from tests.helpers.projection_samples import codes, loaded_generator


def slow_autocorrelation(noise: np.ndarray) -> float:
    """Pixel by pixel, scale by scale."""
    total, level = 0.0, noise.astype(np.float64)
    while True:
        side = len(level)
        for down, right in ((0, 1), (1, 0)):
            products = [
                level[row, column] * level[(row + down) % side, (column + right) % side]
                for row in range(side)
                for column in range(side)
            ]
            total += (sum(products) / side**2) ** 2
        if side < 16:
            return total
        halved = np.zeros((side // 2, side // 2))
        for row in range(side):
            for column in range(side):
                halved[row // 2, column // 2] += level[row, column] / 4 * 2
        level = halved


@given(seed=st.integers(0, 2**31), side=st.sampled_from([4, 8, 16, 32]))
@settings(deadline=None, max_examples=20)
def test_the_autocorrelation_is_that_of_a_slow_loop(seed: int, side: int) -> None:
    noise = np.random.default_rng(seed).standard_normal((side, side))
    assert float(autocorrelation(torch.as_tensor(noise))) == pytest.approx(slow_autocorrelation(noise), rel=1e-9)


def test_white_noise_carries_about_nothing_and_a_smooth_map_much() -> None:
    """Of white noise, n pixels leave 1 / n a direction and scale."""
    rng = np.random.default_rng(0)
    white = torch.as_tensor(np.stack([rng.standard_normal((64, 64)) for _ in range(50)]))
    expected = 2 * sum(1 / side**2 for side in (64, 32, 16, 8))
    assert np.mean([float(autocorrelation(noise)) for noise in white]) == pytest.approx(expected, rel=0.2)
    wave = torch.sin(torch.arange(64) * (2 * torch.pi / 64)).expand(64, 64).double().clone()
    renormalise(wave)
    assert float(autocorrelation(wave)) > 2 > 40 * expected
    checks = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(32, 32)
    assert float(autocorrelation(checks)) == pytest.approx(2)


def test_blotches_are_seen_at_their_own_scale() -> None:
    """Noise that is white in blocks of 8 pixels: the halved maps see it more than the whole one."""
    blocks = torch.as_tensor(np.kron(np.random.default_rng(0).standard_normal((8, 8)), np.ones((8, 8))))
    renormalise(blocks)
    whole = ((blocks * blocks.roll(1, 0)).mean() ** 2 + (blocks * blocks.roll(1, 1)).mean() ** 2).item()
    assert float(autocorrelation(blocks)) > 5 * whole > 5


def test_renormalised_maps_have_mean_zero_and_variance_one_also_when_they_are_flat() -> None:
    noise = torch.rand(8, 8, dtype=torch.float64) * 3 + 5
    shape = (noise - noise.mean()) / noise.std(correction=0)
    renormalise(noise)
    torch.testing.assert_close(noise, shape)
    flat = torch.full((8, 8), 2.0)
    renormalise(flat)
    assert (flat == 0).all()


def test_coordinates_of_random_codes_have_mean_zero_and_unit_variance_and_no_correlation() -> None:
    loaded = loaded_generator()
    space = CodeSpace.of(loaded.generator, 2000, torch.Generator().manual_seed(0))
    assert space.samples.shape == (2000, 24)
    torch.testing.assert_close(space.mean, space.samples.mean(dim=0), rtol=1e-4, atol=1e-5)
    coordinates = space.coordinates(space.samples)
    torch.testing.assert_close(torch.cov(coordinates.T, correction=0), torch.eye(24), rtol=1e-3, atol=1e-3)
    fresh = space.coordinates(codes(loaded, 2000))
    assert fresh.square().mean() == pytest.approx(1, abs=0.1)
    plus = codes(loaded, 16).view(2, 8, 24)
    torch.testing.assert_close(space.codes(space.coordinates(plus)), plus, rtol=1e-4, atol=1e-4)


def test_directions_in_which_codes_hardly_differ_are_not_closed() -> None:
    loaded = loaded_generator()
    with torch.no_grad():
        loaded.generator.mapping.layers[-1].weight[3] = 0.0  # type: ignore[index, union-attr]
    space = CodeSpace.of(loaded.generator, 200, torch.Generator().manual_seed(0))
    assert space.samples[:, 3].std() < 1e-6
    torch.testing.assert_close(
        torch.linalg.norm(space.axes[:, 3]), 0.05 * space.samples.var(0, correction=0).mean().sqrt()
    )


def test_given_maps_of_noise_take_the_place_of_the_generators_own_and_get_gradients() -> None:
    loaded = loaded_generator()
    synthesis = Synthesis(loaded.generator)
    w = codes(loaded, 2)
    own = synthesis.noise()
    convolutions = [layer for layer in loaded.generator.describe_layers() if layer.kind == "conv"]
    assert {name: len(noise) for name, noise in own.items()} == {la.name: la.resolution for la in convolutions}
    torch.testing.assert_close(synthesis(w, own), synthesis(w))
    other = {name: torch.randn_like(noise).requires_grad_() for name, noise in own.items()}
    images = synthesis(w, other)
    images.square().sum().backward()
    assert all(noise.grad is not None and (noise.grad != 0).any() for noise in other.values())
    by_hand = loaded_generator().generator
    for block in by_hand.synthesis_blocks():
        for name, layer in block.modulated_layers():
            if name != "to_image":
                layer.noise = other[f"b{block.resolution}.{name}"].detach()
    torch.testing.assert_close(images, by_hand.synthesize(by_hand.styles(w), "const"))
    assert all(torch.equal(own[name], noise) for name, noise in synthesis.noise().items())
