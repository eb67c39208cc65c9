# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""train.py views and make_gan_views.py, one after the other on the shipped generator, as one runs them, on little."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.commands import make_gan_views, train
from backend.common.bundle_files import BUNDLED, GENERATOR
from backend.data.multi_views import load_multi_views

pytestmark = pytest.mark.skipif(not (BUNDLED / "car" / GENERATOR).exists(), reason="the generator is not there")
LITTLE = ["pairs=0", "split=2", "proposals.candidates=16", "proposals.contents=2", "proposals.views=3", "shown=2"]


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A view set of the generator of rendered cars, each view with its guess for a side."""
    out = tmp_path_factory.mktemp("views") / "set"
    lenient = ["proposals.min_consistency=0", "seed=3"]
    assert train.main(["views", "--data", "car", "--out", str(out), "--preset", "tiny", *LITTLE, *lenient]) == 0
    return out


def test_views_are_found_and_shown(views: Path) -> None:
    listed = json.loads((views / "views.json").read_text())
    assert listed["generator"] == "car" and listed["split"] == 2 and 1 <= len(listed["views"]) <= 3
    with Image.open(views / "candidates.png") as sheet:
        assert np.asarray(sheet).std() > 10


def test_generated_views_can_be_trained_on_and_name_what_was_left_out(
    views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = json.loads((views / "views.json").read_text())
    for number, view in enumerate(listed["views"]):
        view["bin"] = 4 * number  # a person's decision; the filters are off, so any will do
    (views / "views.json").write_text(json.dumps(listed))
    arguments = [str(views), "--out", str(tmp_path), "--objects", "3", "--azimuth", "180", "--colour", "2"]
    assert make_gan_views.main(arguments) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    said = capsys.readouterr().out
    assert f"{report['objects_kept']} of {report['objects']} objects" in said and "left out" in said
    made = load_multi_views(tmp_path)
    assert made.number_of_objects == report["objects_kept"] == 3
    assert made.number_of_views == len(listed["views"]) and len(made.rgba) == report["kept"]
    alpha = made.rgba[..., 3]
    assert 0.05 < (alpha > 127).mean() < 0.9, "a car fills a part of its picture"
    assert make_gan_views.main([*arguments, "--seed", "1"]) == 1, "data of another seed are not mixed in"
    assert "choose another folder" in capsys.readouterr().err
