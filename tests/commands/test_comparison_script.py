# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/evaluate.py where it compares networks: what it writes and refuses, and that its first way is as it was."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backend.data.multi_views import load_multi_views
from backend.errors import BundleError
from backend.evaluation.comparison.comparison import Comparison, Labelled
from backend.evaluation.comparison.sheet import SIDE
from backend.evaluation.comparison.table import MEASURES, figures_of, table
from backend.render.camera import Cameras
from backend.training.inverse_graphics.free_cameras import PRESETS
from backend.training.inverse_graphics.view_cameras import ViewCameras, save_cameras
from backend.weights.run_folder import load_network
from scripts import evaluate
from tests.helpers.shared_views import IDS, shaped, textured, write_gan_views, write_knowing_network
from tests.helpers.synthetic import write_dataset


@pytest.fixture(autouse=True)
def outside_blender(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where other tests loaded bpy, the program would go on in a process of its own."""
    monkeypatch.delitem(sys.modules, "bpy", raising=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, a generator's views with their cameras, renders and photographs, of which one is none."""
    folder = tmp_path_factory.mktemp("compared")
    rng = np.random.default_rng(0)
    for name in ("first", "second"):
        torch.manual_seed(0)
        write_knowing_network(folder / name, shaped(rng), textured(rng), PRESETS["tiny"].network)
    cameras = write_gan_views(folder / "generated", objects=3)
    data = load_multi_views(folder / "generated", progress=False)
    used = [camera for identity, camera in zip(IDS, cameras, strict=True) if identity != 8]
    save_cameras(folder / "cameras.json", ViewCameras(Cameras.batch(used), 1), data.views)
    write_dataset(folder / "renders", objects=2, views=3)
    (folder / "photos").mkdir()
    rgba = np.zeros((90, 120, 4), np.uint8)
    rgba[20:70, 15:100] = [200, 40, 60, 255]
    Image.fromarray(rgba, "RGBA").save(folder / "photos" / "red.png")
    (folder / "photos" / "broken.jpg").write_bytes(b"nothing")
    return folder


def run(folder: Path, out: Path, *more: str, bundles: tuple[str, ...] = ("a=first", "b=second")) -> int:
    named = [f"--bundle={text.replace('=', f'={folder}/')}" for text in bundles]
    return evaluate.main([*named, "--report", str(out / "report.json"), "--device", "cpu", *more])


def test_report_table_and_pictures(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = [f"--data={name}={folder}/{name}" for name in ("generated", "renders", "photos")]
    written = ["--table", str(tmp_path / "new" / "table.md"), "--pictures", str(tmp_path / "pictures")]
    assert run(folder, tmp_path, *data, *written, "--cameras", str(folder / "cameras.json")) == 1
    assert "evaluate.py: broken.jpg is not a picture" in capsys.readouterr().err
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [network["label"] for network in report["networks"]] == ["a", "b"] and report["seconds"] > 0
    assert report["cameras"] == str(folder / "cameras.json") and report["segmenter"] == "car"
    generated, renders, photos = report["data"]
    counts = [(data["objects"], data["pictures"]) for data in (generated, renders, photos)]
    assert counts == [(3, 7), (2, 6), (1, 1)]
    assert list(photos["failed"]) == ["broken.jpg"]
    records = renders["networks"]["a"]["records"]
    assert sorted(record["picture"] for record in records) == [
        f"objects/{number:06d} view {view}" for number in range(2) for view in range(3)
    ]
    # Of the figures two are worked out here from the records.
    figures = renders["networks"]["a"]["figures"]
    assert figures["chamfer"]["value"] == pytest.approx(np.mean([record["chamfer"] for record in records]), abs=1e-5)
    azimuths = [record["azimuth_error_deg"] for record in records]
    assert figures["azimuth_error_deg"] == {"value": pytest.approx(np.median(azimuths), abs=1e-4), "count": 6}
    lines = (tmp_path / "new" / "table.md").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["|  | a | b |", "| --- | ---: | ---: |"]
    assert "| **generated**: 3 objects, 7 generated pictures |  |  |" in lines
    assert "| **photos**: 1 photograph, 1 more could not be used |  |  |" in lines
    rows = [line for line in lines if line.startswith("| silhouette IoU, own camera")]
    shown = [f"{block['networks'][label]['figures']['iou_own_camera']['value']:.3f}" for block in report["data"]
             for label in "ab"]  # fmt: skip
    assert [cell.strip() for row in rows for cell in row.split("|")[2:4]] == shown
    for name, columns in (("generated", 6), ("photos", 5)):
        with Image.open(tmp_path / "pictures" / f"{name}.png") as sheet:
            assert sheet.width == columns * (SIDE + 2)
    assert not list(tmp_path.rglob("*.part"))


def test_without_cameras_the_table_has_dashes(folder: Path, tmp_path: Path) -> None:
    assert run(folder, tmp_path, f"--data={folder}/generated", "--objects", "1", bundles=("a=first",)) == 0
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["cameras"] is None and report["data"][0]["label"] == "generated" and report["data"][0]["objects"] == 1
    dashed = [line.split("|")[1].strip() for line in table(report).splitlines() if line.endswith("| – |")]
    assert len(dashed) == 5 and "front/rear flips" in dashed and "silhouette IoU, other views" in dashed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data=a={}/renders", "--data=a={}/photos"], "Two data are called 'a': give each a label of its own"),
        (["--data={}/renders", "--bundle=b={}/second"], "Two networks are called 'b'"),
        (["--data={}/nowhere"], "There is no folder .*nowhere"),
        (["--data={}/first"], "Neither views of objects nor photographs lie in"),
        (["--data={}/renders", "--bundle=c=nowhere"], "There is no weights bundle 'nowhere'; these are installed:"),
        (["--data={}/renders", "--bundle=c="], "'c=' names nothing: write LABEL=PATH"),
        (["--data={}/generated", "--cameras={}/nowhere.json"], "does not hold the cameras of a training run"),
        (["--data={}/generated", "--cameras={}/few.json"], "other views than .* has: 7 lack one"),
        (["--data={}/photos", "--segmenter=nowhere"], "There is no weights bundle 'nowhere'"),
        (["--data={}/renders", "--device=quantum"], "The device 'quantum' is not available"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_sentence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    views = json.loads((folder / "cameras.json").read_text(encoding="utf-8"))
    few = views | {"views": [view for view in views["views"] if view["id"] != 7]}
    (folder / "few.json").write_text(json.dumps(few), encoding="utf-8")
    assert run(folder, tmp_path, *(text.replace("{}", str(folder)) for text in arguments)) == 2
    said = capsys.readouterr().err.replace("\r", "\n").strip().splitlines()[-1]
    assert said.startswith("evaluate.py: ")
    assert re.search(sentence, said)
    assert not (tmp_path / "report.json").exists()


def test_a_damaged_run_is_said_to_be_damaged(folder: Path, tmp_path: Path) -> None:
    network, template = load_network(str(folder / "first"))
    assert not network.training and len(template.vertices) == len(network.shape_decoder.mean)
    for name in ("template.npz", "inverse_graphics.safetensors"):
        (tmp_path / name).write_bytes((folder / "first" / name).read_bytes())
    (tmp_path / "inverse_graphics.safetensors").write_bytes(b"cut short")
    with pytest.raises(BundleError, match="The network in .* cannot be used"):
        load_network(str(tmp_path))
    (tmp_path / "template.npz").unlink()
    with pytest.raises(BundleError, match="There is no weights bundle"):
        load_network(str(tmp_path))


def test_labels_come_before_the_first_sign_unless_such_a_path_exists(tmp_path: Path) -> None:
    assert Labelled.of("gan=/runs/x=3") == Labelled("gan", "/runs/x=3")
    assert Labelled.of("car") == Labelled("car", "car") and Labelled.of("/runs/gan/") == Labelled("gan", "/runs/gan/")
    assert Labelled.of("/runs/x=3/last") == Labelled("last", "/runs/x=3/last")
    (tmp_path / "x=3").mkdir()
    assert Labelled.of(str(tmp_path / "x=3")).label == "x=3"
    for text in ("", "=", "a|b=c", " =c"):
        with pytest.raises(ValueError, match="names nothing"):
            Labelled.of(text)
    with pytest.raises(ValueError, match="A comparison needs data"):
        Comparison([Labelled("a", "a")], [])


def test_medians_shares_and_means_over_what_there_is() -> None:
    records = [{"iou_own_camera": 0.5, "flips": 0.0, "azimuth_error_deg": a} for a in (1.0, 2.0, 90.0)]
    records[0] |= {"flips": 1.0}
    figures = figures_of([*records, {"iou_own_camera": 0.9, "flips": None}], "gan-views")
    assert figures["iou_own_camera"] == {"value": 0.6, "count": 4}
    assert figures["azimuth_error_deg"] == {"value": 2.0, "count": 3}
    assert figures["flips"] == {"value": pytest.approx(1 / 3, abs=1e-6), "count": 3}
    assert len({measure.name for measure in MEASURES}) == len(MEASURES)


def test_one_bundle_and_one_folder_are_measured_through_blender_as_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = evaluate.parse(["--bundle", "car", "--data", "held", "--report", "r.json", "--refine", "3"])
    assert not options.compared and options.bundle == "car" and options.data == Path("held")
    given = (options.objects, options.input, options.refine, options.device, options.seed, options.sheet)
    assert given == (0, "cut-out", 3, "auto", 0, None)
    assert evaluate.parse(["--data", "held", "--report", "r.json"]).bundle == "car"
    assert evaluate.main(["--data", str(tmp_path), "--report", str(tmp_path / "r.json")]) == 2
    assert capsys.readouterr().err == (
        f"evaluate.py: neither labelled photographs nor rendered objects lie in {tmp_path}.\n"
    )


@pytest.mark.parametrize(
    "more",
    [["--data=b"], ["--bundle=car", "--bundle=b"], ["--bundle=b=x"], ["--table=t.md"], ["--pictures=p"],
     ["--cameras=c.json"], ["--segmenter=car"]],
)  # fmt: skip
def test_networks_are_compared_where_the_options_say_so(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    options = evaluate.parse(["--data=a", "--report=r.json", *more])
    assert options.compared and isinstance(options.bundle, list) and options.data[0] == "a"
    for option in ("--refine=0", "--cutout-model=x", "--resume"):
        with pytest.raises(SystemExit):
            evaluate.parse(["--data=a", "--report=r.json", *more, option])
        name = option.partition("=")[0]
        assert f"{name} belongs to the measuring of one bundle" in capsys.readouterr().err


def test_the_folder_says_whether_options_of_photographs_or_of_objects_are_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"--data={tmp_path}", "--report=r.json"]
    with pytest.raises(SystemExit):
        evaluate.parse([*words, "--part=held-out"])
    assert "--part belongs to labelled photographs, and there is no labels.csv" in capsys.readouterr().err
    (tmp_path / "labels.csv").touch()
    assert evaluate.parse([*words, "--part=held-out"]).on_photographs
    with pytest.raises(SystemExit):
        evaluate.parse([*words, "--objects=3"])
    assert "--objects belongs to rendered objects; --count says how many photographs" in capsys.readouterr().err
