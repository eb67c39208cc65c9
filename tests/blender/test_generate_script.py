# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds to scenes of objects whose wheels turn, through the script and the worker, in the bpy package."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

from addon import batch_generate, batch_run, export, parts
from tests.helpers.parts_samples import write_parts_bundle

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "generate.py"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parts_bundle(tmp_path_factory.mktemp("bundles") / "small")


def test_two_seeds_give_two_scenes_with_wheels_that_turn(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("--bundle", bundle, "--seeds", "7,9", "--out", out, "--texture-size", 128, "--truncation", 0.8,
               "--materials", "parts", "--report", tmp_path / "told.json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "[2/2] seed 9" in done.stdout and "2 of 2 done" in done.stdout
    report = json.loads((tmp_path / "told.json").read_text())
    assert [(record["seed"], record["truncation"], record["error"]) for record in report["objects"]] == [
        (7, 0.8, None), (9, 0.8, None)
    ]  # fmt: skip
    lengths = []
    for record, name in zip(report["objects"], ("car-000007", "car-000009"), strict=True):
        folder = out / name
        assert {path.name for path in folder.iterdir()} == {
            "scene.blend", f"{name}.glb", "texture.png", "preview.png", "sides.png", "camera.json"
        }  # fmt: skip
        assert set(record["outputs"]) == {"blend", "glb", "texture", "preview", "sides", "camera"}
        bpy.ops.wm.open_mainfile(filepath=str(folder / "scene.blend"))
        car = bpy.data.objects[name]
        wheels = [child for child in car.children if child.get(parts.AXLE) is not None]
        assert sorted(wheel.name for wheel in wheels) == [
            f"{name} wheel {end} {side}" for end in ("front", "rear") for side in ("left", "right")
        ]
        assert f"{name} glass" in bpy.data.materials and bpy.context.scene.camera is not None
        lengths.append(record["real_size"])
    assert lengths[0] != lengths[1]


@pytest.mark.parametrize("text", ["", "-3", "7-", "9-5", "one", "1-2-3", "1,,2", "5000000000", "0-99999999", "²"])
def test_a_bad_list_of_seeds_is_one_sentence(text: str, tmp_path: Path, capsys) -> None:
    assert batch_generate.run([f"--seeds={text}", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("generate: --seeds") and said.count("\n") == 1 and said.endswith(".\n")
    assert not (tmp_path / "out").exists()


def test_the_script_ends_with_2_where_nothing_can_be_begun(tmp_path: Path) -> None:
    for arguments in (("--seeds", "x"), ("--seeds", 1, "--truncation", "nan"), ("--seeds", 1, "--formats", "stl"), ()):
        done = run("--out", tmp_path / "out", *arguments)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1 and done.stderr.startswith("generate: "), done.stderr


def test_seeds_are_numbers_and_ranges_each_once() -> None:
    assert batch_generate.parse_seeds("3, 7,5-8,0") == [3, 7, 5, 6, 8, 0]
    assert batch_generate.parse_seeds("1-100") == list(range(1, 101))


def test_a_bundle_without_parts_is_said_once_and_reported_for_every_seed(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "bundle.json").write_text(json.dumps({"format": 1, "category": "car"}))
    done = run("--bundle", plain, "--seeds", "1-3", "--out", tmp_path / "out")
    assert done.returncode == 1
    (sentence,) = done.stderr.strip().splitlines()
    assert sentence.startswith("seed 1: ") and "'plain' has no template with parts" in sentence
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(report["objects"]) == 3 and all("no template" in record["error"] for record in report["objects"])


def test_a_format_that_this_blender_lacks_is_refused_by_name(tmp_path: Path, capsys, monkeypatch) -> None:
    assert set(export.OPERATORS.values()) <= set(dir(bpy.ops.wm))
    monkeypatch.setitem(export.OPERATORS, "usd", "nowhere_export")
    assert batch_generate.run(["--seeds", "1", "--formats", "blend,usd", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "without the format usd" in said and said.count("\n") == 1


def test_after_a_mistake_of_ours_the_others_go_on(tmp_path: Path, capsys) -> None:
    def steps(number: int, record: dict, show) -> batch_run.job.Steps:
        yield from ()
        if number == 1:
            raise KeyError("lost")
        record["number"] = number
        return ""

    def items(options, out: Path) -> list[batch_run.Item]:
        return [batch_run.Item(str(n), str(n), {}, functools.partial(steps, n)) for n in (1, 2)]

    parser = batch_run.Parser(prog="toy")
    batch_run.add_options(parser, "number")
    assert batch_run.run(parser, ["--out", str(tmp_path)], "numbers", items) == 1
    first, second = json.loads((tmp_path / "report.json").read_text())["numbers"]
    assert "KeyError" in first["error"] and second["number"] == 2 and second["error"] is None
    assert "Traceback" in capsys.readouterr().err


def test_the_report_tells_of_what_is_done_while_the_rest_goes_on(tmp_path: Path) -> None:
    told = []

    def steps(number: int, record: dict, show) -> batch_run.job.Steps:
        yield from ()
        report = json.loads((tmp_path / "report.json").read_text())
        told.append([one["number"] for one in report["numbers"]])
        assert report["state"] == "running"
        return ""

    def items(options, out: Path) -> list[batch_run.Item]:
        return [batch_run.Item(str(n), str(n), {"number": n}, functools.partial(steps, n)) for n in (1, 2, 3)]

    parser = batch_run.Parser(prog="toy")
    batch_run.add_options(parser, "number")
    assert batch_run.run(parser, ["--out", str(tmp_path)], "numbers", items) == 0
    assert told == [[], [1], [1, 2]]


def test_a_report_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys) -> None:
    (tmp_path / "taken").mkdir()
    arguments = ["--seeds", "1", "--out", str(tmp_path), "--report", str(tmp_path / "taken")]
    assert batch_generate.run([*arguments, "--bundle", str(tmp_path / "none")]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("generate: The report ") and "cannot be written" in said[-1]
