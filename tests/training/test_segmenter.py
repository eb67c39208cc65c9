# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The segmenter, the pictures it is trained with, and its training, on a dataset of coloured discs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from backend.data.compositing import CompositingConfig, Compositor, _camouflaged
from backend.data.labelled_photographs import load_whole_photographs
from backend.models.segmenter import Segmenter, SegmenterConfig, load_segmenter, save_segmenter
from backend.training import segmenter
from backend.training.segmenter import PRESETS, Pictures, SegmenterTask, segmentation_losses, train

QUIET = CompositingConfig(
    size=64, own_background=0.0, empty=0.0, others=0.0, occluder=0.0, letterbox=0.0, night=0.0, background_motion=0.0
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads would do nothing for pictures this small but wait for each other where others compute as well."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def discs(objects: int, views: int, side: int = 48) -> np.ndarray:
    """(objects, views, side, side, 4) uint8: red wheels with a white hub on blue noise."""
    random = np.random.default_rng(2)
    rgba = np.zeros((objects, views, side, side, 4), dtype=np.uint8)
    for view in rgba.reshape(-1, side, side, 4):
        view[..., :3] = random.integers(0, 90, (side, side, 3)) + np.array([0, 20, 90])
        centre, radius = tuple(int(v) for v in random.integers(18, 30, 2)), int(random.integers(8, 15))
        colour, alpha = np.ascontiguousarray(view[..., :3]), np.zeros((side, side), dtype=np.uint8)
        cv2.circle(colour, centre, radius, (230, 40, 30), -1)
        cv2.circle(colour, centre, radius // 3, (255, 255, 255), -1)
        cv2.circle(alpha, centre, radius, (255,), -1)
        view[..., :3], view[..., 3] = colour, alpha
    return rgba


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The discs as scripts/render_dataset.py lays a dataset out."""
    folder = tmp_path_factory.mktemp("discs")
    camera = dict.fromkeys(("azimuth", "elevation", "distance", "roll", "field_of_view", "shift_x", "shift_y"), 0.5)
    for number, views in enumerate(discs(objects=6, views=3)):
        place = folder / "objects" / f"{number:06d}"
        place.mkdir(parents=True)
        records = []
        for index, view in enumerate(views):
            Image.fromarray(view).save(place / f"view_{index:02d}.png")
            records.append({"file": f"view_{index:02d}.png", "camera": camera, "light": [[0.1] * 3] * 9})
        (place / "object.json").write_text(json.dumps({"views": records}))
    return folder


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty discs in green with their masks, laid out as labelled photographs, each a group of its own."""
    folder = tmp_path_factory.mktemp("photographs")
    for kind in ("photos", "masks"):
        (folder / kind).mkdir()
    lines = ["file,azimuth_deg,ok"]
    for number, rgba in enumerate(discs(objects=40, views=1)[:, 0]):
        Image.fromarray(rgba[..., [2, 0, 1]]).save(folder / "photos" / f"{number:02d}.png")
        Image.fromarray(rgba[..., 3]).save(folder / "masks" / f"{number:02d}.png")
        lines.append(f"{number:02d}.png,0,1")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


def compositor(config: CompositingConfig) -> Compositor:
    return Compositor(discs(4, 2).reshape(-1, 48, 48, 4), config)


def test_the_same_numbers_make_the_same_picture() -> None:
    maker = compositor(CompositingConfig(size=64))
    for number in range(20):
        first, again = maker.sample(np.random.default_rng(number)), maker.sample(np.random.default_rng(number))
        assert (first[0] == again[0]).all() and (first[1] == again[1]).all()
        assert first[0].shape == (64, 64, 3) and first[1].shape == (64, 64) and first[0].dtype == np.uint8


def test_masks_are_discs_of_the_sizes_asked_for() -> None:
    config = replace(QUIET, close_up=0.0, smallest=0.3, largest=0.9, max_rotation_deg=0.0)
    extents = []
    for number in range(60):
        _, mask = compositor(config).sample(np.random.default_rng(number))
        solid = mask > 127
        rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
        if rows[0] > 0 and columns[0] > 0 and rows[-1] < 63 and columns[-1] < 63:  # not cut off by the frame
            across, down = np.ptp(columns) + 1, np.ptp(rows) + 1
            assert solid.sum() == pytest.approx(np.pi / 4 * across * down, rel=0.15)
            extents.append(np.sqrt(across * down) / 64)
    assert min(extents) < 0.4 and max(extents) > 0.6 and min(extents) > 0.25


def test_empty_pictures_have_empty_masks() -> None:
    maker = compositor(replace(QUIET, empty=1.0))
    assert not any(maker.sample(np.random.default_rng(number))[1].any() for number in range(10))


def test_bars_are_never_object() -> None:
    maker = compositor(replace(QUIET, letterbox=1.0))
    for number in range(20):
        picture, mask = maker.sample(np.random.default_rng(number))
        bar = (picture[:, :8] == 128).all() or (picture[:8] == 128).all()
        if bar:
            assert not (mask[:, :2].any() and mask[:2].any())


def test_network_keeps_the_size_and_survives_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Segmenter(SegmenterConfig(resolution=64, channels=(8, 16, 24, 32), blocks=(1, 1, 1, 1))).eval()
    pictures = torch.rand(2, 3, 64, 96)
    assert model(pictures).shape == (2, 64, 96)
    save_segmenter(tmp_path / "segmenter.safetensors", model)
    loaded = load_segmenter(tmp_path / "segmenter.safetensors")
    assert loaded.config == model.config and not loaded.training
    assert torch.allclose(loaded(pictures), model(pictures), atol=0.02)
    (tmp_path / "segmenter.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="cannot be read"):
        load_segmenter(tmp_path / "segmenter.safetensors")


def test_bundled_network_is_small_enough() -> None:
    assert sum(value.numel() for value in Segmenter(SegmenterConfig()).state_dict().values()) * 2 < 3_000_000


def test_losses_are_least_for_the_truth() -> None:
    masks = torch.zeros(2, 32, 32)
    masks[0, 8:20, 8:20] = 1
    logits = 20 * (masks - 0.5)
    right = segmentation_losses(logits, masks)
    assert all(float(value) < 1e-3 for value in right.values())
    wrong = segmentation_losses(-logits, masks)
    assert all(float(wrong[name]) > 0.4 for name in right)


def test_training_learns_to_find_discs(dataset: Path, tmp_path: Path) -> None:
    tiny = PRESETS["tiny"]
    config = replace(tiny, compositing=QUIET, loop=replace(tiny.loop, steps=90, evaluate_every=90), learning_rate=4e-3)
    figures = train(config, dataset, tmp_path / "run", resume=False, device=torch.device("cpu"))
    assert figures["iou"] > 0.6
    model = load_segmenter(tmp_path / "run" / "segmenter.safetensors")
    picture = torch.from_numpy(discs(7, 1)[6, 0][..., :3]).permute(2, 0, 1)[None].float() / 255
    assert model(torch.nn.functional.pad(picture, (8, 8, 8, 8), value=0.3)).max() > 0


def test_training_with_photographs_learns_what_they_show(dataset: Path, photographs: Path, tmp_path: Path) -> None:
    tiny = PRESETS["tiny"]
    config = replace(
        tiny, compositing=QUIET, validation_pictures=12, learning_rate=6e-3, photographs=str(photographs),
        photograph_compositing=replace(QUIET, own_background=0.65),
        loop=replace(tiny.loop, steps=50, evaluate_every=50),
    )  # fmt: skip
    figures = train(config, dataset, tmp_path / "run", resume=False, device=torch.device("cpu"))
    _, held_out = load_whole_photographs(photographs, 64).split(0.2)
    found = load_segmenter(tmp_path / "run" / "segmenter.safetensors")(
        torch.from_numpy(held_out.rgb).permute(0, 3, 1, 2).float() / 255
    )
    true = torch.from_numpy(held_out.masks) > 127
    overlaps = ((found > 0) & true).sum(dim=(1, 2)) / ((found > 0) | true).sum(dim=(1, 2)).clamp(min=1)
    assert figures["photograph_iou"] > 0.6, "all of a picture would be 0.25"
    assert figures["photograph_iou"] == pytest.approx(float(overlaps.mean()), abs=0.05), "figures are of held-out ones"
    assert figures["photograph_iou_below_08"] == pytest.approx(float((overlaps < 0.8).float().mean()), abs=0.2)


def test_photographs_make_their_share_of_the_pictures() -> None:
    own, other = compositor(QUIET), Compositor(discs(4, 2)[..., [2, 0, 1, 3]].reshape(-1, 48, 48, 4), QUIET)
    green = 0
    for number in range(200):
        picture, mask = Pictures(own, 3, other, 0.3)[number]
        red, middle = (picture[channel][mask > 250].float().mean() for channel in (0, 1))
        green += bool(middle > red)
    assert 0.2 < green / 200 < 0.4


def test_photographs_that_are_missing_or_all_held_out_are_refused(
    dataset: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = replace(PRESETS["tiny"], photographs=str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match="labels.csv is missing"):
        train(tiny, dataset, tmp_path / "run", resume=False, device=torch.device("cpu"))
    monkeypatch.setattr(segmenter, "_HELD_OUT_PHOTOGRAPHS", 1.0)
    with pytest.raises(ValueError, match="of groups that are held out; add others"):
        train(
            replace(tiny, photographs=str(photographs)),
            dataset,
            tmp_path / "run",
            resume=False,
            device=torch.device("cpu"),
        )


def test_resumed_training_is_the_same_training(dataset: Path, tmp_path: Path) -> None:
    tiny = replace(PRESETS["tiny"], validation_pictures=2)
    twelve = replace(tiny, loop=replace(tiny.loop, steps=12, checkpoint_every=6))
    train(twelve, dataset, tmp_path / "whole", resume=False, device=torch.device("cpu"))
    # The rate depends on the number of steps, so the first half must think of twelve as well: stop it after six.
    with pytest.raises(KeyboardInterrupt):
        _train_and_stop_after(6, twelve, dataset, tmp_path / "halves")
    train(twelve, dataset, tmp_path / "halves", resume=True, device=torch.device("cpu"))
    whole = load_segmenter(tmp_path / "whole" / "segmenter.safetensors").state_dict()
    halves = load_segmenter(tmp_path / "halves" / "segmenter.safetensors").state_dict()
    assert all(torch.allclose(whole[name], halves[name], atol=1e-3) for name in whole)


def _train_and_stop_after(steps: int, config, dataset: Path, out: Path) -> None:
    real_step = segmenter.SegmenterTask.step

    def step(task, number):
        if number == steps:
            raise KeyboardInterrupt
        return real_step(task, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segmenter.SegmenterTask, "step", step)
        train(config, dataset, out, resume=False, device=torch.device("cpu"))


def test_neighbours_stand_behind_a_target_that_keeps_its_place_and_mask() -> None:
    rgba = discs(objects=8, views=1)[:, 0]
    alone = replace(QUIET, own_background=1.0, in_front=0.0)
    crowded = replace(alone, neighbours=1.0)
    changed = 0.0
    for seed in range(6):
        _, mask = Compositor(rgba, alone).sample(np.random.default_rng(seed))
        picture, with_others = Compositor(rgba, crowded).sample(np.random.default_rng(seed))
        assert np.array_equal(mask, with_others)
        # On blue noise red is a disc: beyond the target there are others now.
        red = (picture[..., 0].astype(int) > picture[..., 2]) & (mask < 5)
        changed = max(changed, float(red.mean()))
    assert changed > 0.02


def test_a_neighbour_in_front_takes_its_piece_out_of_the_mask() -> None:
    rgba = discs(objects=8, views=1)[:, 0]
    behind = replace(QUIET, own_background=1.0, neighbours=1.0, in_front=0.0)
    areas = []
    for config in (behind, replace(behind, in_front=1.0)):
        masks = [Compositor(rgba, config).sample(np.random.default_rng(seed))[1] for seed in range(12)]
        areas.append(np.array([(mask > 127).sum() for mask in masks]))
    assert (areas[1] <= areas[0]).all() and (areas[1] < areas[0]).sum() >= 3
    assert (areas[1] > 0.3 * areas[0]).all(), "the target stays the one to be found"


def test_camouflaged_surroundings_have_the_targets_mean_colour() -> None:
    rng = np.random.default_rng(3)
    picture = rng.uniform(0, 0.3, (32, 32, 3)).astype(np.float32)
    mask = np.zeros((32, 32), np.float32)
    mask[8:24, 8:24] = 1
    picture[mask > 0] += np.array([0.6, 0.2, 0.1], np.float32)
    inside = mask > 0

    def apart(values: np.ndarray) -> float:
        return float(np.linalg.norm(values[inside].mean(axis=0) - values[~inside].mean(axis=0)))

    hidden = _camouflaged(rng, picture, mask)
    assert apart(hidden) < 0.45 * apart(picture)
    np.testing.assert_array_equal(hidden[inside], picture[inside])


def test_a_training_starts_from_given_weights_of_the_same_size_at_any_resolution(tmp_path: Path, dataset: Path) -> None:
    config = PRESETS["tiny"]
    torch.manual_seed(5)
    given = Segmenter(config.model)
    save_segmenter(tmp_path / "given.safetensors", given)
    larger = replace(config, model=replace(config.model, resolution=96), start=str(tmp_path / "given.safetensors"))
    task = SegmenterTask(larger, dataset, torch.device("cpu"))
    for name, value in task.networks["model"].state_dict().items():
        expected = given.state_dict()[name]
        torch.testing.assert_close(value, expected, atol=1e-3, rtol=1e-3)  # files are in half precision
    wider = replace(larger, model=replace(config.model, channels=(16, 16, 24, 32)))
    with pytest.raises(ValueError, match="has another size"):
        SegmenterTask(wider, dataset, torch.device("cpu"))
