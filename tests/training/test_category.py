# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new category from photographs: masks from anywhere, no bundle needed, a person asked, steps gone on with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backend.commands import train as command
from backend.common import category_steps as steps
from backend.common import run_files, view_set
from backend.data import cut_outs
from backend.data.solids import SolidsConfig, write_solids
from backend.render.viewpoints import ViewpointPrior
from backend.training import segmenter
from backend.training.category import task
from backend.training.category.settings import PRESETS
from backend.weights.run_folder import load_bundle_or_run
from tests.helpers.onnx_files import finds_red, write_model
from tests.helpers.shared_views import write_gan_views

CPU = torch.device("cpu")


def quick(**changes) -> task.CategoryTraining:
    """The shortest preset, shorter."""
    tiny = PRESETS["tiny"]
    loop = replace(tiny.segmenter.loop, steps=12, evaluate_every=12)
    shapes = replace(tiny.shapes, loop=replace(tiny.shapes.loop, steps=6, evaluate_every=6), perceptual_from=3)
    return replace(
        tiny,
        segmenter=replace(tiny.segmenter, loop=loop, validation_pictures=4),
        stylegan2=replace(tiny.stylegan2, kimg=0.064, log_kimg=0.032, evaluate_kimg=1.0),
        views=replace(
            tiny.views, ring_samples=60, proposals=replace(tiny.views.proposals, candidates=20, views=4, min_area=0.0)
        ),
        pictures=replace(tiny.pictures, objects=6, min_area=0.0),
        shapes=shapes,
        **changes,
    )


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("solids")
    config = SolidsConfig(30, 48, 0, ViewpointPrior(180.0, (0.0, 10.0)))
    write_solids(folder, config, alpha=True, progress=False)
    return folder / "pictures"


def test_the_chain_asks_for_sides_and_goes_on_to_a_bundle(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "pebble"
    with pytest.raises(run_files.Waiting, match="4 of 4 views have only a guessed side.* Train ▸ Views.*--resume"):
        task.train(quick(), photographs, out, resume=False, device=CPU)
    assert [step.state for step in steps.read(out)] == ["done"] * 4 + ["person"] + ["open"] * 4
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/*.safetensors")}
    with pytest.raises(FileExistsError, match="add --resume"):
        task.train(quick(), photographs, out, resume=False, device=CPU)
    found = view_set.read(out / "views")
    found.more[view_set.GUESSES_ACCEPTED] = True  # as Use All Guesses does in Blender
    view_set.write(found)
    assert "4 sides are guesses" in task.Chain(quick(), photographs, out, CPU).sides()[1]
    found.views = [replace(view, bin=3 * number, source="person") for number, view in enumerate(found.views)]
    view_set.write(found)
    task.train(quick(), photographs, out, resume=True, device=CPU)
    states = {step.name: step.state for step in steps.read(out)}
    assert states.pop(steps.RENDERER) == "left out" and set(states.values()) == {"done"}
    assert {path: path.stat().st_mtime_ns for path in before} == before, "what was done is not done again"
    cameras = json.loads((out / "inverse-graphics" / "cameras.json").read_text())
    assert [view["bin"] for view in cameras["views"]] == [0, 3, 6, 9], "the person's sides, not the guesses"
    bundle = load_bundle_or_run(str(out / "bundle"))
    assert bundle.info["category"] == "pebble" and "segmenter" not in bundle.info
    assert bundle.segmenter.config.resolution == 64, "the category's own"


def test_a_stopped_step_is_open_and_gone_on_with(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "pebble"
    out.mkdir()
    config = quick(accept_guesses=True)
    with run_files.watched(out), pytest.raises(run_files.Stopped):
        run_files.ask_to_stop(out)
        task.train(config, photographs, out, resume=False, device=CPU)
    assert steps.read(out)[0].state == "open"
    run_files.stop_file(out).unlink()
    chain = task.Chain(config, photographs, out, CPU)
    asked = chain.segmenter

    def stopped() -> tuple[dict[str, float], str]:
        run_files.ask_to_stop(out)
        return asked()

    chain.segmenter = stopped  # type: ignore[method-assign]
    with run_files.watched(out), pytest.raises(run_files.Stopped):
        chain.run()
    assert [step.state for step in steps.read(out)][:3] == ["done", "open", "open"]
    assert (out / "segmenter" / "checkpoint.safetensors").exists()


def test_masks_come_from_transparency_a_folder_or_a_model(photographs: Path, tmp_path: Path) -> None:
    counts = cut_outs.write_cut_outs(photographs, tmp_path / "alpha", 48, None, "pebble", progress=False)
    assert counts == {"kept": 30}
    own = cut_outs.load_rgba(tmp_path / "alpha")
    assert own.shape == (30, 1, 48, 48, 4)
    plain, masks = tmp_path / "plain", tmp_path / "masks"
    plain.mkdir(), masks.mkdir()
    for path in sorted(photographs.iterdir())[:5]:
        picture = Image.open(path)
        picture.convert("RGB").save(plain / f"{path.stem}.jpg", quality=95)
        picture.getchannel("A").save(masks / path.name)
    with pytest.raises(cut_outs.NoMasks, match="None of 5 photographs has a mask.*--masks.*--cutout-model"):
        cut_outs.write_cut_outs(plain, tmp_path / "none", 48, None, "pebble", progress=False)
    (masks / "000004.png").unlink()
    source = task.mask_source(quick(masks=str(masks)))
    counts = cut_outs.write_cut_outs(plain, tmp_path / "given", 48, source, "pebble", progress=False)
    assert counts == {"kept": 4, "no_mask": 1}
    assert np.array_equal(cut_outs.load_rgba(tmp_path / "given")[..., 3], own[:4, ..., 3])


def test_a_cut_out_model_makes_masks(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    picture = np.full((60, 90, 3), 90, np.uint8)
    picture[20:40, 30:60] = (230, 20, 20)
    (tmp_path / "photos").mkdir()
    Image.fromarray(picture).save(tmp_path / "photos" / "one.png")
    write_model(tmp_path / "u2net.onnx", finds_red())
    source = task.mask_source(quick(cutout_model=str(tmp_path / "u2net.onnx")))
    cut_outs.write_cut_outs(tmp_path / "photos", tmp_path / "out", 90, source, "box", progress=False)
    mask = cut_outs.load_rgba(tmp_path / "out")[0, 0, ..., 3] > 127
    wanted = np.zeros((90, 90), bool)
    wanted[35:55, 30:60] = True  # the whole photograph, in the middle of a square
    assert (mask & wanted).sum() / (mask | wanted).sum() > 0.8


def test_masks_that_cannot_be_meant_are_left_out_by_reason(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    rgba = np.full((40, 40, 4), 255, np.uint8)
    for name, region in (("whole", slice(0, 39)), ("speck", slice(19, 20)), ("good", slice(10, 30))):
        rgba[..., 3] = 0
        rgba[region, region, 3] = 255
        if name == "whole":
            rgba[:, :39, 3] = 255
        Image.fromarray(rgba).save(folder / f"{name}.png")
    (folder / "damaged.png").write_bytes(b"no picture")
    (folder / "folder.png").mkdir()
    counts = cut_outs.write_cut_outs(folder, tmp_path / "out", 40, None, "box", progress=False)
    assert counts["kept"] == 1 and counts[cut_outs.EMPTY] == 1 and counts[cut_outs.FULL] == 1
    assert counts[cut_outs.DAMAGED] >= 1
    with pytest.raises(cut_outs.NoMasks, match="not from both"):
        task.mask_source(quick(masks="a", cutout_model="b"))


def test_the_command_ends_with_its_own_code_where_a_person_is_needed(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["category", "--photos", str(photographs), "--out", str(tmp_path / "out"), "--preset", "tiny"]
    monkeypatch.setitem(PRESETS, "tiny", quick())
    assert command.main([*words, "--progress", "file"]) == 3
    assert "only a guessed side" in capsys.readouterr().err
    record = run_files.read(tmp_path / "out")
    assert record.state == "waiting" and record.data == str(photographs) and "Train ▸ Views" in record.sentence
    assert command.main([*words, "--resume", "--accept-guesses"]) == 0
    assert run_files.read(tmp_path / "out").state == "finished"
    assert "sides are guesses" in next(one for one in steps.read(tmp_path / "out") if one.name == "sides").sentence
    with pytest.raises(SystemExit):
        command.parse(["parts", "--data", "-", "--out", "x", "--accept-guesses"])


def test_a_segmenter_learns_from_generated_views_too(tmp_path: Path) -> None:
    write_gan_views(tmp_path / "views")
    figures = segmenter.train(quick().segmenter, tmp_path / "views", tmp_path / "run", resume=False, device=CPU)
    assert 0 <= figures["iou"] <= 1 and (tmp_path / "run" / "segmenter.safetensors").exists()


@pytest.mark.parametrize("text", ["", "{}", '{"steps": [{"name": "masks", "state": "lost"}]}'])
def test_steps_that_cannot_be_read_are_open(tmp_path: Path, text: str) -> None:
    (tmp_path / steps.FILE_NAME).write_text(text)
    assert steps.read(tmp_path) == steps.fresh()
