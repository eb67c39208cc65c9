# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command line says about quality, cut-out, place and direction, and what its report says of the doubts."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest
from PIL import Image

bpy = pytest.importorskip("bpy")

import addon
from addon import batch, environment, pixels, preview, session
from addon.wire import client, records
from tests.helpers import toy, toy_worker


@pytest.fixture(autouse=True)
def registered(root, tmp_path, monkeypatch):
    """The add-on registered, and a toy worker in place of the product's; nothing is rendered."""
    addon.register()
    rendered = preview.Preview(np.zeros((4, 4, 3), np.uint8), np.zeros((40, 60, 4), np.float32))
    monkeypatch.setattr(preview, "make", lambda *arguments: rendered)
    command = client.WorkerCommand([sys.executable, "-m", "tests.helpers.toy_worker"], root, tmp_path / "worker.log")
    monkeypatch.setattr(environment, "worker_command", lambda chosen="": command)
    yield
    addon.unregister()


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "in" / f"{toy_worker.UNSURE}.png"
    path.parent.mkdir()
    pixels.write_png(path, np.full((40, 60, 3), 90, np.uint8))
    return path


def run(photo, tmp_path, *more):
    """The record of one photo."""
    out = tmp_path / "out"
    assert batch.run([str(photo), "--out", str(out), "--formats", "glb", *map(str, more)]) == 0
    (record,) = json.loads((out / "report.json").read_text("utf-8"))["photos"]
    return record


def test_the_report_says_how_sure_the_direction_is_and_shows_the_others(photo, tmp_path):
    record = run(photo, tmp_path)
    assert record["mask_source"] == "segmenter" and record["confidence"] == 0.57
    assert record["evidence"] == {"margin": 0.02}
    assert record["azimuth_deg"] == record["camera"]["azimuth_deg"] == pytest.approx(math.degrees(0.7))
    first, second = record["alternatives"]
    assert first["azimuth_deg"] == pytest.approx(math.degrees(0.7) + 180) and first["probability"] == 0.31
    folder = tmp_path / "out" / toy_worker.UNSURE
    assert first["picture"] == str(folder / "direction-2.png") and second["picture"] == str(folder / "direction-3.png")
    with Image.open(second["picture"]) as written:
        np.testing.assert_array_equal(np.asarray(written), toy.alternatives()[1].picture)

    # With the direction given there is no doubt, and no picture of one is left over.
    record = run(photo, tmp_path, "--azimuth", "-30.5")
    assert record["azimuth_deg"] == pytest.approx(-30.5)
    assert record["alternatives"] == [] and record["confidence"] is None
    assert not list(folder.glob("direction-*.png"))


def test_options_become_the_request(photo, tmp_path, monkeypatch):
    asked = []
    request = session.request

    def remembered(body, *arguments, **named):
        asked.append(body)
        return request(body, *arguments, **named)

    monkeypatch.setattr(session, "request", remembered)
    model = tmp_path / "net.onnx"
    model.write_bytes(b"")
    run(photo, tmp_path, "--quality", "draft", "--cutout-model", model, "--point", "12.5,30", "--azimuth", "90")
    sent = asked[0]
    assert (sent.quality, sent.refine_steps, sent.cutout_model) == ("draft", -1, str(model))
    assert sent.point == [12.5, 30.0] and sent.azimuth == pytest.approx(math.pi / 2)
    asked.clear()
    run(photo, tmp_path, "--cutout-model", records.OWN_CUT_OUT, "--refine", "0")
    assert (asked[0].quality, asked[0].refine_steps, asked[0].cutout_model) == ("standard", 0, records.OWN_CUT_OUT)
    assert asked[0].point == [] and asked[0].azimuth is None


@pytest.mark.parametrize(
    "options, words",
    [
        (["--quality", "best"], "invalid choice: 'best'"),
        (["--point", "12"], "is no place: give two numbers"),
        (["--point", "12,x"], "'x' is no number"),
        (["--point", "1,2,3"], "is no place"),
        (["--azimuth", "nan"], "'nan' is no number"),
        (["--texture-size", "1000000"], "1000000 is more than 8192"),
        (["--texture-size", "0x10"], "--texture-size"),
        (["--cutout-model", "missing.onnx"], "There is no cut-out model"),
        (["--point", "1,2", "--mask", "mask.png"], "give one of them"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(photo, tmp_path, capsys, options, words):
    assert batch.run([str(photo), "--out", str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


@pytest.mark.parametrize("option", ["--point=1,2", "--azimuth=3", "--mask=mask.png"])
def test_some_options_belong_to_a_single_photo(photo, tmp_path, capsys, option):
    (photo.parent / "another.png").write_bytes(photo.read_bytes())
    assert batch.run([str(photo.parent), "--out", str(tmp_path / "out"), option]) == 2
    assert f"{option.split('=')[0]} belongs to a single photo." in capsys.readouterr().err
