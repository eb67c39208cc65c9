# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches that go on after a stop, share work, try again and end in order; and what is refused before they begin."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon import batch, batch_join, batch_lock, batch_loop, batch_report, export, pixels, preferences, preview, session
from addon.wire import files
from tests.helpers import edited_scenes
from tests.helpers.addon_at_work import addon_with_toy_worker


@pytest.fixture(autouse=True)
def at_work(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A toy worker in place of the product's; nothing is rendered."""
    rendered = preview.Preview(np.zeros((4, 4, 3), np.uint8), np.zeros((40, 60, 4), np.float32))
    monkeypatch.setattr(preview, "make", lambda *arguments: rendered)
    with addon_with_toy_worker(root, tmp_path, monkeypatch):
        yield


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate("abcde"):
        pixels.write_png(folder / f"{name}.png", np.full((40, 60, 3), 40 * number, np.uint8))
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the photos that are asked for, one after the other."""
    names: list[str] = []
    request = session.request

    def remembered(body, *arguments, **named):
        if hasattr(body, "further_paths"):
            names.append(Path(body.image_path).stem)
        return request(body, *arguments, **named)

    monkeypatch.setattr(session, "request", remembered)
    return names


def run(*words: object) -> int:
    return batch.run([*map(str, words), "--formats", "glb"])


def report(path: Path) -> dict:
    return json.loads(path.read_text("utf-8"))


def stems(path: Path) -> list[str]:
    return [Path(record["input"]).stem for record in report(path)["photos"]]


def test_what_is_finished_is_left_out_and_failures_are_tried_again(photos: Path, tmp_path: Path, asked: list[str]):
    out = tmp_path / "out"
    shutil.copy(photos / "a.png", photos / "broken.png")
    assert run(photos, "--out", out) == 1
    assert stems(out / "report.json") == ["a", "b", "broken", "c", "d", "e"]
    asked.clear()
    (photos / "c.png").write_bytes((photos / "e.png").read_bytes())  # another content under the same name
    (out / "d" / "texture.png").unlink()  # an output that is gone
    assert run(photos, "--out", out, "--resume") == 1
    assert asked == ["broken", "c", "d"]
    done = report(out / "report.json")
    assert stems(out / "report.json") == ["a", "b", "broken", "c", "d", "e"] and done["state"] == "complete"
    asked.clear()
    assert run(photos, "--out", out, "--resume", "--texture-size", 32) == 1
    assert len(asked) == 6, "other settings: nothing of it is finished"


def test_nothing_is_lost_of_a_run_that_died_and_of_a_resumed_one_that_died(photos, tmp_path, asked, monkeypatch):
    out = tmp_path / "out"
    write, left = files.write_json, [0]

    def dying(path, content):
        if path.name == "report.json" and not left[0]:
            raise KeyboardInterrupt  # as abrupt as it gets within one process
        left[0] -= path.name == "report.json"
        write(path, content)

    monkeypatch.setattr(files, "write_json", dying)
    for made_before in (0, 2):
        left[0] = 3  # the report without what is new, and two photos
        with pytest.raises(KeyboardInterrupt):
            run(photos, "--out", out, "--resume")
        assert stems(out / "report.json") == list("abcde")[: made_before + 2]
        assert report(out / "report.json")["state"] == "running"
    asked.clear()
    monkeypatch.setattr(files, "write_json", write)
    assert run(photos, "--out", out, "--resume") == 0
    assert asked == ["e"] and stems(out / "report.json") == list("abcde")


def test_shards_make_the_union_and_join_to_one_report(photos: Path, tmp_path: Path, asked: list[str], capsys):
    out = tmp_path / "out"
    assert run(photos, "--out", out, "--shard", "1/2") == 0
    assert batch_join.run([str(out)]) == 1
    assert "not complete yet: 2/2." in capsys.readouterr().err
    assert run(photos, "--out", out, "--shard", "2/2") == 0
    assert asked == ["a", "c", "e", "b", "d"]
    assert stems(out / "report-1-of-2.json") == ["a", "c", "e"] and stems(out / "report-2-of-2.json") == ["b", "d"]
    assert batch_join.run([str(out)]) == 0
    joined = report(out / "report.json")
    assert stems(out / "report.json") == list("abcde") and joined["state"] == "complete" and "shard" not in joined
    asked.clear()
    assert run(photos, "--out", out, "--resume", "--shard", "1/3") == 0
    assert asked == [], "what other divisions have made is finished"


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2", "1/2/3"])
def test_a_shard_that_is_none_is_refused(photos: Path, tmp_path: Path, text: str, capsys):
    assert run(photos, "--out", tmp_path / "out", f"--shard={text}") == 2
    assert "is no part of a run" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_shards_with_other_settings_are_not_joined(photos: Path, tmp_path: Path, capsys):
    out = tmp_path / "out"
    assert batch_join.run([str(out)]) == 2
    assert run(photos, "--out", out, "--shard", "1/2") == 0
    assert run(photos, "--out", out, "--shard", "2/2", "--texture-size", 32) == 0
    assert batch_join.run([str(out)]) == 2
    assert "different settings" in capsys.readouterr().err
    assert run(photos / "a.png", "--out", out, "--shard", "1/3") == 0
    assert batch_join.run([str(out)]) == 2
    assert "in 2 and 3 parts" in capsys.readouterr().err


def test_after_the_backends_death_a_photo_is_tried_once_more(photos, tmp_path, asked, capsys):
    shutil.copy(photos / "a.png", photos / "crash.png")
    assert run(photos / "crash.png", photos / "b.png", "--out", tmp_path / "out") == 1
    assert asked == ["crash", "crash", "b"]
    first, second = report(tmp_path / "out" / "report.json")["photos"]
    assert "stopped unexpectedly" in first["retried"] and "stopped unexpectedly" in first["error"]
    assert second["error"] is None and "retried" not in second


def test_one_bad_file_never_stops_the_rest(photos: Path, tmp_path: Path, capsys):
    strange = os.fsdecode(os.fsencode(photos) + b"/f\xff.png")
    shutil.copy(photos / "a.png", strange)
    (photos / "g.png").mkdir()
    os.mkfifo(photos / "h.png")
    assert run(photos, "--out", tmp_path / "out") == 1
    records = {record["input"]: record for record in report(tmp_path / "out" / "report.json")["photos"]}
    assert len(records) == 8 and records[strange]["error"] is None
    assert "g.png is a folder" in records[str(photos / "g.png")]["error"]
    assert "h.png is a named pipe" in records[str(photos / "h.png")]["error"]
    assert (tmp_path / "out" / "f_" / "texture.png").is_file()


def test_the_longest_name_that_there_is_makes_a_result(photos: Path, tmp_path: Path):
    long = photos / ("é" * 125 + ".png")
    shutil.copy(photos / "a.png", long)
    assert run(long, "--out", tmp_path / "out") == 0
    (record,) = report(tmp_path / "out" / "report.json")["photos"]
    assert all(Path(path).is_file() for path in record["outputs"].values())


def test_an_interpreter_that_a_command_is_told_goes_before_the_preferences(photos, tmp_path, monkeypatch):
    stored = types.SimpleNamespace(interpreter="/of/the/preferences", bundle="car", device="auto", cutout_model="")
    stored.own_cut_out = True
    monkeypatch.setattr(preferences, "stored", lambda: stored)
    used, worker = [], session.worker
    monkeypatch.setattr(session, "worker", lambda: used.append(preferences.interpreter()) or worker())
    assert run(photos / "a.png", "--out", tmp_path / "out", "--python", sys.executable) == 0
    assert set(used) == {sys.executable} and preferences.interpreter() == "/of/the/preferences"


def test_two_runs_into_one_folder_never_mix(photos: Path, tmp_path: Path):
    out, other = tmp_path / "out", tmp_path / "others" / "a.png"
    other.parent.mkdir()
    shutil.copy(photos / "e.png", other)
    assert run(photos / "a.png", "--out", out) == 0
    before = {path: path.stat().st_mtime_ns for path in (out / "a").iterdir()}
    assert run(other, "--out", out) == 0
    assert {path: path.stat().st_mtime_ns for path in (out / "a").iterdir()} == before
    assert (out / "a-others" / "a-others.glb").is_file()
    assert json.loads((out / "a" / "camera.json").read_text())["input"] == str(photos / "a.png")


def test_while_one_run_works_another_is_refused(photos: Path, tmp_path: Path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    with batch_lock.locked(out):
        assert run(photos, "--out", out) == 2
    assert "Another run" in capsys.readouterr().err and not (out / "report.json").exists()


def test_halves_of_results_go_with_the_next_run_over_all_photos_alone(tmp_path: Path):
    half, own = tmp_path / ".car.1234.partial", tmp_path / ".mine.partial"
    for folder in (half, own, tmp_path / "car"):
        folder.mkdir()
        (folder / "texture.png").write_bytes(b"x")
    with batch_lock.locked(tmp_path, (1, 2)):
        assert half.exists(), "another shard may be writing it"
    with batch_lock.locked(tmp_path):
        assert not half.exists()
    assert (own / "texture.png").exists() and (tmp_path / "car" / "texture.png").exists()


def refused(words: list[object], photos: Path, out: Path, capsys) -> str:
    before = {path: path.read_bytes() for path in photos.iterdir()}
    assert run(photos, "--out", out, *words) == 2
    assert {path: path.read_bytes() for path in photos.iterdir()} == before
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and not list(out.glob("*/"))
    return said


def test_what_cannot_work_is_refused_before_the_first_photo(photos, tmp_path, asked, capsys):
    out = tmp_path / "out"
    for size in ("nan", "inf", "0", "-1", "1e30"):
        assert "--real-size" in refused([f"--real-size={size}"], photos, out, capsys)
    assert "needs the ending .json" in refused(["--report", photos / "a.png"], photos, out, capsys)
    (tmp_path / "notes.json").write_text('["mine"]')
    assert "is no report of ours" in refused(["--report", tmp_path / "notes.json"], photos, out, capsys)
    assert (tmp_path / "notes.json").read_text() == '["mine"]'
    assert "device cuda is not available" in refused(["--device", "cuda"], photos, out, capsys)
    assert "no interpreter" in refused(["--python", tmp_path / "nowhere"], photos, out, capsys)
    assert "no weights bundle 'lorries'" in refused(["--bundle", "lorries"], photos, out, capsys)
    assert "is too long" in refused(["--out", tmp_path / ("long/" * 200)], photos, out, capsys)
    assert asked == []


def test_a_full_disk_stops_the_run_with_its_reason(photos, tmp_path, asked, monkeypatch, capsys):
    free = iter([2**40, 2**40, 2**20])
    usage = type(shutil.disk_usage(tmp_path))
    monkeypatch.setattr(batch_loop.shutil, "disk_usage", lambda path: usage(2**40, 0, next(free, 2**20)))
    assert run(photos, "--out", tmp_path / "out") == 1
    assert "is full: make room, and go on with --resume." in capsys.readouterr().err
    assert asked == ["a", "b"] and report(tmp_path / "out" / "report.json")["state"] == "stopped"


def test_blenders_own_reasons_lose_their_place_in_its_code():
    text = "Error: Cannot write /x.blend: No space left on device\nLocation: /blender/4.5/ops.py:109\n"
    assert batch_loop.reason_of(RuntimeError(text)) == "Cannot write /x.blend: No space left on device"
    text = "Error: Python: Traceback (most recent call last):\n  File x.py\nOSError: disk full\n\nLocation: ops.py:109"
    assert batch_loop.reason_of(RuntimeError(text)) == "OSError: disk full"


SCRIPT = """
import sys
import numpy as np
from addon import batch, environment, preview, registered
from addon.wire import client
from pathlib import Path
root, folder = Path.cwd(), Path(sys.argv[1])
preview.make = lambda *a: preview.Preview(np.zeros((4, 4, 3), np.uint8), np.zeros((40, 60, 4), np.float32))
command = client.WorkerCommand([sys.executable, "-m", "tests.helpers.toy_worker"], root, folder / "log" / "worker.log")
environment.worker_command = lambda chosen="": command
with registered():
    code = batch.run([str(folder / "photos"), "--out", str(folder / "out"), "--formats", "glb"])
sys.exit(code)
"""


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_signal_ends_a_run_with_its_code_and_a_report(root: Path, photos: Path, tmp_path: Path, number, code):
    (photos / "b.png").rename(photos / "slow.png")
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while time.monotonic() < until:
        line = process.stdout.readline()
        if "Refining" in line:
            break
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == code, said
    done = report(tmp_path / "out" / "report.json")
    assert [Path(record["input"]).stem for record in done["photos"]] == ["a", "c", "d", "e"]
    assert done["state"] == ("running" if number == signal.SIGKILL else "stopped")
    assert "Traceback" not in said and not list((tmp_path / "out").glob("*.part*"))
    if number != signal.SIGKILL:
        assert "--resume goes on" in said and not list((tmp_path / "out").glob(".*"))


@pytest.mark.parametrize(("where", "made"), [("preview", "a"), ("export", "ab")])
def test_a_signal_while_blender_renders_or_writes_waits_for_its_end(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd, where: str, made: str
) -> None:
    module, name = {"preview": (preview, "make"), "export": (export, "write_folder")}[where]
    work, ended, calls = getattr(module, name), [], []

    def interrupted(*arguments, **named):
        calls.append(where)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        result = work(*arguments, **named)
        ended.append(len(calls))
        return result

    monkeypatch.setattr(module, name, interrupted)
    out = tmp_path / "out"
    assert run(photos, "--out", out) == 130
    assert ended == [1, 2] and "".join(stems(out / "report.json")) == made, "what was written whole is told as done"
    assert "--resume goes on" in capfd.readouterr().err and report(out / "report.json")["state"] == "stopped"
    assert sorted(path.name for path in out.iterdir()) == [*made, "report.json"]


def test_a_report_of_a_shard_lies_beside_the_whole_ones(tmp_path: Path):
    assert batch_report.path_of(tmp_path / "told.json", (2, 4)) == tmp_path / "told-2-of-4.json"
    assert batch_report.path_of(tmp_path / "told.json", None) == tmp_path / "told.json"


def test_edited_objects_and_seeds_resume_too(tmp_path: Path, asked, monkeypatch):
    bundle = edited_scenes.write_bundle(tmp_path / "small")
    scene = edited_scenes.write_scene(bundle, tmp_path, 7, 8)
    words = (scene, "length=0.5", "--out", tmp_path / "out", "--formats", "blend")
    assert edited_scenes.edit(*words) == 0
    first = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/*/scene.blend")}
    (tmp_path / "out" / "car-000008" / "preview.png").unlink()
    assert edited_scenes.edit(*words, "--resume") == 0
    again = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/*/scene.blend")}
    assert [path.parent.name for path in first if first[path] != again[path]] == ["car-000008"]
    assert len(edited_scenes.report(tmp_path / "out")) == 2
    assert edited_scenes.edit(scene, "length=0.6", *words[2:], "--resume") == 0
    assert all(again[path] != path.stat().st_mtime_ns for path in again)


def test_previews_have_as_many_samples_as_asked_for(photos: Path, tmp_path: Path, monkeypatch):
    rendered, seen, before = preview.make(), [], preview.SAMPLES
    monkeypatch.setattr(preview, "make", lambda *arguments: seen.append(preview.SAMPLES) or rendered)
    assert run(photos / "a.png", photos / "b.png", "--out", tmp_path / "out", "--preview-samples", 4) == 0
    assert run(photos / "c.png", "--out", tmp_path / "out") == 0
    assert seen == [4, 4, before] and preview.SAMPLES == before


def test_a_folder_of_results_is_not_taken_for_weights(photos: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "car").mkdir()
    assert run(photos / "a.png", "--out", tmp_path / "out", "--bundle", "car") == 0
    assert report(tmp_path / "out" / "report.json")["bundle"] == "car"
