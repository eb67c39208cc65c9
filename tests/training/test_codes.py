# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape codes after a training without meshes: in the units that refinement and the sliders expect."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.models.inverse_graphics import InverseGraphics
from backend.training.inverse_graphics.codes import finished, standardise_shape_codes
from backend.training.inverse_graphics.free_cameras import PRESETS, train
from backend.weights.bundle import load_inverse_graphics
from tests.helpers.shared_views import write_gan_views
from tests.helpers.synthetic import TEMPLATE

CONFIG = PRESETS["tiny"].network


def network_with(basis_scale: float, codes_used: int) -> InverseGraphics:
    """A network whose codes have large, correlated, shifted entries, of which only some move vertices."""
    torch.manual_seed(4)
    network = InverseGraphics(CONFIG, TEMPLATE).eval()
    with torch.no_grad():
        network.shape_head[-1].weight.mul_(30)
        network.shape_head[-1].bias.normal_(3, 5)
        network.shape_decoder.basis.mul_(basis_scale)
        network.shape_decoder.basis[codes_used:] = 0
    return network.requires_grad_(False)


def crops(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 4, CONFIG.image_size, CONFIG.image_size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("codes_used", [CONFIG.shape_code, 3])
def test_shapes_stay_and_codes_become_standard_normal(codes_used: int) -> None:
    before = network_with(1.0, codes_used)
    after = copy.deepcopy(before)
    seen = crops(40)
    standardise_shape_codes(after, seen.split(16))
    codes = after(seen).shape_code.double()
    found = codes[:, codes.std(dim=0) > 1e-3]
    assert found.shape[1] == codes_used
    assert (codes[:, codes_used:] == 0).all()
    assert codes.mean(dim=0).abs().max() < 1e-3
    np.testing.assert_allclose(np.cov(found.numpy().T), np.eye(codes_used), atol=2e-3)
    other = crops(8, seed=1)
    for pictures in (seen, other):
        expected, got = before(pictures), after(pictures)
        shapes = before.shape_decoder(expected.shape_code), after.shape_decoder(got.shape_code)
        assert (shapes[0] - shapes[1]).abs().max() < 1e-4 * (shapes[0] - before.shape_decoder.mean).abs().max()
        assert torch.equal(expected.pose, got.pose) and torch.equal(expected.texture_code, got.texture_code)


def test_what_moves_shapes_most_comes_first_and_stays_symmetric() -> None:
    network = network_with(1.0, CONFIG.shape_code)
    standardise_shape_codes(network, [crops(40)])
    basis = network.shape_decoder.basis
    sizes = basis.flatten(1).norm(dim=1)
    assert (sizes[:-1] >= sizes[1:]).all() and sizes[-1] > 0
    torch.testing.assert_close(network.shape_decoder.symmetric_basis(), basis, atol=1e-6, rtol=1e-4)
    far = basis.reshape(len(basis), -1)
    torch.testing.assert_close(far @ far.T, torch.diag(sizes**2), atol=1e-4 * float(sizes[0]) ** 2, rtol=0)


def test_the_template_stays_as_it_is() -> None:
    vertices = TEMPLATE.vertices.copy()
    network = network_with(1.0, CONFIG.shape_code)
    standardise_shape_codes(network, [crops(40)])
    assert not np.allclose(network.shape_decoder.mean.numpy(), vertices, atol=1e-3)
    np.testing.assert_array_equal(TEMPLATE.vertices, vertices)


def test_a_network_that_gives_one_shape_only_keeps_it() -> None:
    before = network_with(0.0, CONFIG.shape_code)
    after = copy.deepcopy(before)
    standardise_shape_codes(after, [crops(5)])
    code = after(crops(3)).shape_code
    assert (code == 0).all()
    torch.testing.assert_close(after.shape_decoder(code), before.shape_decoder(code))


def test_sliders_move_by_a_standard_deviation_of_the_finished_network() -> None:
    network = finished(network_with(1.0, CONFIG.shape_code), [crops(40)])
    torch.testing.assert_close(network.shape_directions.abs(), torch.eye(6, CONFIG.shape_code), atol=0.05, rtol=0)
    taught = network_with(1.0, CONFIG.shape_code)
    assert torch.equal(
        finished(taught, [crops(40)], codes_are_standard=True).shape_head[-1].bias, taught.shape_head[-1].bias
    )


def test_a_training_on_pictures_alone_leaves_standard_codes(tmp_path: Path) -> None:
    write_gan_views(tmp_path / "made")
    tiny = PRESETS["tiny"]
    loop = replace(tiny.loop, steps=2, evaluate_every=2, checkpoint_every=2)
    config = replace(tiny, loop=loop, bfloat16=False, batch=4, render_batch=2, render_size=16)
    train(config, tmp_path / "made", tmp_path / "run", resume=False, device=torch.device("cpu"))
    from backend.render.template import Template

    network = load_inverse_graphics(
        tmp_path / "run" / "inverse_graphics.safetensors", Template.load(tmp_path / "run" / "template.npz")
    )
    moving = network.shape_decoder.basis.flatten(1).norm(dim=1) > 0
    # No more components than training objects, less their mean.
    objects = len(list((tmp_path / "made" / "objects").iterdir()))
    assert 0 < int(moving.sum()) < objects
