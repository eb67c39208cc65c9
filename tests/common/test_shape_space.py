# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Codes to shapes and markings: against slow loops, in NumPy as in torch, and back from named proportions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.common.shape_space import Fold, ShapeSpace, Sink, quantized
from backend.models.shape_decoder import SpaceDecoder

REACH = 0.05


def small_space(seed: int = 0, fold: bool = True, sink: bool = True) -> ShapeSpace:
    """Seven kept vertices, the first two on the plane of symmetry; two markings on a sheet of 3 x 4; five numbers."""
    rng = np.random.default_rng(seed)
    kept, codes = 7, 5
    basis = rng.normal(size=(codes, kept, 3)).astype(np.float32) * 0.1
    sheet_basis = rng.normal(size=(codes, 2, 3, 4)) * 0.02
    mean = rng.normal(size=(kept, 3)).astype(np.float32)
    mean[:2, 0], basis[:, :2, 0] = 0, 0
    if fold:
        basis[-1], sheet_basis[-1] = 0, 0
    steps, sizes = quantized(sheet_basis)
    length = np.concatenate([[1.5], rng.normal(size=codes) * 0.05]).astype(np.float32)
    of_vertices = rng.normal(size=(2, kept, 3))
    if fold:
        length[-1] = 0
    return ShapeSpace(
        mean=mean,
        basis=basis,
        kept=np.array([*range(kept), *range(2, kept)], np.int32),
        mirrored=np.array([False] * kept + [True] * (kept - 2)),
        markings=("glass", "opening"),
        sheet_mean=rng.normal(size=(2, 3, 4)).astype(np.float32) * 0.02,
        sheet_basis=steps,
        sheet_steps=sizes,
        reach=REACH,
        length=length,
        proportions=("length", "height", "width"),
        proportion_mean=np.array([1.5, *np.einsum("pld,ld->p", of_vertices, mean)], np.float32),
        proportion_map=np.stack([length[1:], *np.einsum("pld,kld->pk", of_vertices, basis)]).astype(np.float32),
        proportion_range=np.array([[3, 6], [0, 1], [0, 1]], np.float32),
        examples=rng.normal(size=(20, codes)).astype(np.float16),
        fold=Fold(
            np.array([1, 5], np.int32),
            np.array([0, 4], np.int32),
            np.array([0.5, 1], np.float32),
            np.array([0.1, 0.2], np.float32),
        )
        if fold
        else None,
        sink=Sink(1, np.array([0, 6], np.int32), np.array([[0, 1], [2, 3]], np.int32), 4.0, 0.06) if sink else None,
    )


def slowly(space: ShapeSpace, code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same by single numbers."""
    kept = [[float(c) for c in vertex] for vertex in space.mean]
    sheet = space.sheet_mean.astype(float).copy()
    for k, number in enumerate(code):
        for v, vertex in enumerate(kept):
            for axis in range(3):
                vertex[axis] += float(number) * float(space.basis[k, v, axis])
        for place in np.ndindex(*sheet.shape):
            sheet[place] += float(number) * int(space.sheet_basis[(k, *place)]) * float(space.sheet_steps[k, place[0]])
    for place in np.ndindex(*sheet.shape):
        sheet[place] = min(max(sheet[place], -space.reach), space.reach)
    if space.sink is not None:
        for v, (row, column) in zip(space.sink.vertices, space.sink.places, strict=True):
            inside = -space.sink.slope * sheet[space.sink.marking, row, column]
            kept[v][2] -= min(max(inside, 0), space.sink.depth)
    if space.fold is not None:
        amount = min(max((code[-1] - space.fold.begin) / (space.fold.end - space.fold.begin), 0), 1)
        before = [vertex[2] for vertex in kept]
        lists = (space.fold.vertices, space.fold.onto, space.fold.weights, space.fold.drops)
        for v, onto, weight, drop in zip(*lists, strict=True):
            kept[v][2] += amount * weight * (before[onto] - drop - before[v])
    whole = [[-x if mirrored else x, y, z] for mirrored, (x, y, z) in
             zip(space.mirrored, (kept[k] for k in space.kept), strict=True)]  # fmt: skip
    return np.array(whole), sheet


codes = st.lists(st.floats(-3, 3, width=32), min_size=5, max_size=5).map(np.float32)


@given(codes, st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_decoding_is_what_single_numbers_give(code: np.ndarray, fold: bool, sink: bool) -> None:
    space = small_space(3, fold, sink)
    vertices, distances = slowly(space, code)
    decoded = space.decode(code)
    np.testing.assert_allclose(decoded.vertices, vertices, atol=2e-5)
    np.testing.assert_allclose(space.vertices(code), vertices, atol=2e-5)
    np.testing.assert_allclose(decoded.distances, distances, atol=2e-5)
    assert decoded.length == pytest.approx(np.exp(space.length[0] + space.length[1:] @ code), rel=1e-5)


@given(st.lists(codes, min_size=1, max_size=3), st.booleans(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_torch_decodes_as_numpy_does(several: list[np.ndarray], fold: bool, sink: bool) -> None:
    space = small_space(5, fold, sink)
    batch = torch.as_tensor(np.stack(several))
    decoder = SpaceDecoder(space)
    vertices, distances = decoder(batch)
    for k, code in enumerate(several):
        decoded = space.decode(code)
        np.testing.assert_allclose(vertices[k].numpy(), decoded.vertices, atol=1e-5)
        np.testing.assert_allclose(distances[k].numpy(), decoded.distances, atol=1e-5)
    torch.testing.assert_close(decoder.vertices(batch), vertices)  # the distances found within


def test_gradients_reach_the_code_through_fold_and_sink() -> None:
    decoder = SpaceDecoder(small_space()).double()
    code = torch.full((2, 5), 0.3, dtype=torch.float64)
    code[:, -1] = 1.5  # half closed
    torch.autograd.gradcheck(decoder.vertices, (code.requires_grad_(),), atol=1e-6)


def test_a_closed_fold_ignores_what_is_above() -> None:
    space = small_space(sink=False)
    raised = np.array(space.mean)
    raised[5, 2] += 10
    np.testing.assert_allclose(space.fold.apply(raised, 1.0)[5], [*raised[5, :2], raised[4, 2] - 0.2], atol=1e-6)


@given(codes, st.floats(0.8, 1.2), st.floats(-0.1, 0.1))
@settings(max_examples=40, deadline=None)
def test_wanted_proportions_come_out_and_locked_ones_stay(code: np.ndarray, factor: float, change: float) -> None:
    space = small_space(7)
    before = space.proportions_of(code)
    wanted = {"length": before["length"] * factor, "height": before["height"] + change}
    after = space.proportions_of(space.with_proportions(code, wanted, locked=("width",)))
    assert after["length"] == pytest.approx(wanted["length"], rel=1e-4)
    assert after["height"] == pytest.approx(wanted["height"], abs=1e-4)
    assert after["width"] == pytest.approx(before["width"], abs=1e-4)


def test_the_change_of_code_is_the_smallest() -> None:
    space = small_space(7)
    code = np.zeros(5, np.float32)
    step = space.with_proportions(code, {"height": space.proportions_of(code)["height"] + 0.05}) - code
    others = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
    row = space.proportion_map[1]
    others -= np.outer(others @ row / (row @ row), row)  # these change no height
    assert all(np.linalg.norm(step + 0.1 * other) >= np.linalg.norm(step) for other in others)


@pytest.mark.parametrize("wanted", [{"wings": 1.0}, {"length": -1.0}])
def test_impossible_wishes_are_refused(wanted: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="proportion|positive"):
        small_space().with_proportions(np.zeros(5), wanted)


def test_samples_are_standard_normal_but_for_the_far_ones() -> None:
    space = small_space()
    generator = np.random.default_rng(1)
    drawn = np.stack([space.sample_normal(generator, limit=2.0) for _ in range(2000)])
    assert np.abs(drawn).max() <= 2 and abs(drawn.mean()) < 0.05 and 0.8 < drawn.std() < 0.95


def test_a_shorter_code_is_continued_by_zeros_and_a_longer_one_refused() -> None:
    space = small_space()
    np.testing.assert_array_equal(space.vertices(np.ones(2)), space.vertices(np.array([1, 1, 0, 0, 0])))
    with pytest.raises(ValueError, match="has 5 numbers, not 6"):
        space.vertices(np.zeros(6))


def test_files_hold_the_space(tmp_path: Path) -> None:
    for fold, sink in ((True, True), (False, False)):
        space = small_space(2, fold, sink)
        space.save(tmp_path / "space.npz")
        again = ShapeSpace.load(tmp_path / "space.npz")
        code = np.float32([1, -1, 0.5, 2, 1.6])
        np.testing.assert_allclose(again.decode(code).vertices, space.decode(code).vertices, atol=1e-3)  # half floats
        np.testing.assert_allclose(again.decode(code).distances, space.decode(code).distances, atol=1e-4)
        assert again.proportions_of(code) == space.proportions_of(code)


@pytest.mark.parametrize("damage", ["kept", "basis", "sheet_steps", "format", "missing", "fold_vertices", "nan"])
def test_damaged_files_are_refused_in_one_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "space.npz"
    small_space().save(path)
    with np.load(path) as data:
        arrays = dict(data)
    if damage == "missing":
        del arrays["mean"]
    elif damage == "nan":
        arrays["mean"] = arrays["mean"] * np.nan
    elif damage in ("kept", "fold_vertices", "format"):
        arrays[damage] = arrays[damage] + 90
    else:
        arrays[damage] = arrays[damage][:-1]
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="space.npz is no shape space"):
        ShapeSpace.load(path)
    path.write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(ValueError, match="space.npz is no shape space"):
        ShapeSpace.load(path)
