# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands beside the batches: doctor, setup, train, evaluate and the table that they stand in."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from safetensors.numpy import save_file

from addon import bundle_check, cli, doctor, environment, installation, places, preferences
from addon.wire import bundle_files
from backend.models import salient_objects
from tests.helpers.addon_at_work import addon_with_toy_worker

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def at_work(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A toy worker in place of the product's, and a user folder of its own."""
    user = tmp_path / "user" / "unrender"
    user.mkdir(parents=True)
    monkeypatch.setattr(places, "user_folder", lambda: user)
    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "models"))
    monkeypatch.setenv(environment.INTERPRETER_VARIABLE, sys.executable)
    with addon_with_toy_worker(root, tmp_path, monkeypatch):
        yield user


def looked(capsys, *words: str) -> tuple[int, dict[str, dict]]:
    """The exit code, and what was found by its subject."""
    code = cli.main(["doctor", "--json", *words])
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] == (code == 0)
    return code, {one["subject"]: one for one in told["findings"]}


def test_doctor_tells_what_there_is(at_work: Path, capsys):
    code, found = looked(capsys)
    assert code == 0 and all(one["state"] == "ok" and not one["remedy"] for one in found.values())
    assert bpy.app.version_string in found["Blender"]["text"] and np.__version__ in found["Blender"]["text"]
    assert found["interpreter"]["text"].startswith(sys.executable) and "numpy " in found["packages"]["text"]
    assert found["devices"]["text"] == "cpu" and "starts in" in found["backend"]["text"]
    assert found["user folder"]["text"] == str(at_work) and "GB free" in found["user disk"]["text"]
    assert cli.main(["doctor"]) == 0
    assert capsys.readouterr().out.endswith("Nothing is wrong.\n")


def test_doctor_tells_weights_with_their_licence_and_damage(at_work: Path, capsys):
    bundle = at_work / "bundles" / "bikes"
    bundle.mkdir(parents=True)
    (bundle / bundle_files.CARD).write_text(json.dumps({"title": "Bikes", "category": "bike", "licence": "CC0-1.0"}))
    save_file({"a": np.zeros(100, np.float32)}, bundle / "whole.safetensors")
    assert "Bikes, bike, CC0-1.0, 0.0 MB" in looked(capsys)[1]["weights bikes"]["text"]
    whole = (bundle / "whole.safetensors").read_bytes()
    (bundle / "cut.safetensors").write_bytes(whole[:-7])
    (bundle / "shape.npz").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    code, found = looked(capsys)
    assert code == 1 and found["weights bikes"]["state"] == "problem"
    assert "cut.safetensors is cut short" in found["weights bikes"]["remedy"]
    assert "shape.npz is only a pointer of Git LFS" in found["weights bikes"]["remedy"]
    assert "whole" not in found["weights bikes"]["remedy"]


def test_damage_is_found_in_whatever_bytes(tmp_path: Path):
    path = tmp_path / "x.safetensors"
    for content in (
        b"",
        b"1234567",
        b"\xff" * 40,
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"{}1",
    ):
        path.write_bytes(content)
        assert "damaged" in bundle_check.damage_of(path), content
    path.write_bytes((2).to_bytes(8, "little") + b"{}")
    assert bundle_check.damage_of(path) == ""
    archive = tmp_path / "x.npz"
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("a.npy", b"abc" * 50)
    assert bundle_check.damage_of(archive) == ""
    archive.write_bytes(archive.read_bytes().replace(b"abcabc", b"abdabc", 1))
    assert "damaged" in bundle_check.damage_of(archive)


def test_doctor_tells_which_cut_out_model_is_taken(at_work: Path, tmp_path: Path, capsys, monkeypatch):
    assert doctor.MODELS == salient_objects.CONVENTIONAL_NAMES
    assert "own segmenter" in looked(capsys)[1]["cut-out"]["text"]
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "u2netp.onnx").write_bytes(b"")
    monkeypatch.setattr(doctor, "_packages", lambda python: dict.fromkeys([*doctor.NEEDED, *doctor.OPTIONAL], "1.0"))
    assert looked(capsys)[1]["cut-out"]["text"].endswith("u2netp.onnx")
    has = dict.fromkeys(doctor.NEEDED, "1.0") | dict.fromkeys(doctor.OPTIONAL, "")
    monkeypatch.setattr(doctor, "_packages", lambda python: has | {"tqdm": ""})
    code, found = looked(capsys)
    assert code == 1 and "pip install onnxruntime" in found["cut-out"]["remedy"]
    assert "Install tqdm with" in found["packages"]["remedy"]


def test_doctor_without_an_interpreter_names_the_remedy(at_work: Path, tmp_path: Path, capsys):
    code, found = looked(capsys, "--python", str(tmp_path / "nowhere"))
    assert code == 1 and found["interpreter"]["state"] == "problem"
    assert "unrender setup makes one." in found["interpreter"]["remedy"] and "backend" not in found
    assert preferences.interpreter() == ""


@pytest.mark.parametrize("mode, words", [("lacks-torch", "has no torch"), ("garbage", "unexpected")])
def test_doctor_tells_why_the_backend_does_not_start(root, tmp_path, monkeypatch, capsys, mode: str, words: str):
    with addon_with_toy_worker(root, tmp_path, monkeypatch, mode):
        code, found = looked(capsys)
    assert code == 1 and words in found["backend"]["text"] and found["backend"]["remedy"].endswith(".")


def test_an_unknown_command_and_help_tell_them_all(capsys):
    assert cli.main(["nonsense"]) == 2 and cli.main([]) == 2
    assert capsys.readouterr().err.count("usage: ") == 2
    assert cli.main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"  {name} " in told for name in cli.COMMANDS)


@pytest.mark.parametrize("name", [name for name, one in cli.COMMANDS.items() if one.module != "backend_commands"])
def test_every_command_has_help_and_a_script(name: str, capsys):
    assert cli.COMMANDS[name].load()(["--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: {name} ")
    assert (SCRIPTS / f"{name.replace('-', '_')}.py").is_file()


def test_train_and_evaluate_run_in_the_other_interpreter(at_work: Path, tmp_path: Path, capfd, monkeypatch):
    planted = tmp_path / "here" / "backend"
    planted.mkdir(parents=True)
    (planted / "__init__.py").write_text("print('planted code ran')\n")
    monkeypatch.chdir(tmp_path / "here")
    assert cli.main(["train", "--help"]) == 0
    assert "usage: train.py" in capfd.readouterr().out
    assert cli.main(["train", "nothing"]) == 2
    assert cli.main(["evaluate", "--data", "none", "--report", "r.json"]) == 2
    assert cli.main(["evaluate", "--help", "--table", "t.md"]) == 0
    told = capfd.readouterr().out
    assert "--cameras FILE" in told and "planted" not in told


def test_setup_refuses_what_cannot_work(at_work: Path, tmp_path: Path, capsys):
    (tmp_path / "wheels").mkdir()
    for words, said in (
        ([], "start it with --online-mode, or install from a folder of wheels"),
        (["--wheels", str(tmp_path / "wheels")], "There is no wheel in"),
        (["--wheels", str(tmp_path / "wheels"), "--python", "nowhere"], "There is no"),
        (["--build", "voodoo"], "choose one of auto"),
    ):
        assert bpy.app.online_access or cli.main(["setup", *words]) == 2
        assert said in capsys.readouterr().err or bpy.app.online_access


def test_setup_takes_packages_from_a_folder_and_tells_what_it_lacks(at_work: Path, tmp_path: Path, capsys):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "tqdm-9.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tqdm-9.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tqdm\nVersion: 9.0\n")
        wheel.writestr("tqdm-9.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tqdm-9.0.dist-info/RECORD", "")
    assert cli.main(["setup", "--wheels", str(wheels), "--python", sys.executable]) == 1
    told = capsys.readouterr()
    assert "Making the environment" in told.out
    assert re.search(
        rf"The folder {wheels} has no wheel of (torch|numpy) for Python 3\.\d+ on this system: put one there.", told.err
    )
    assert not (at_work / "env" / environment.FINISHED_MARK).exists()


def test_setup_makes_an_environment_and_starts_the_backend(at_work: Path, capsys, monkeypatch, tmp_path: Path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "x.whl").write_bytes(b"")
    monkeypatch.setattr(environment, "REQUIREMENTS", ())
    made = installation.Installation.__init__

    def without_pip(self, *arguments):
        made(self, *arguments)
        del self._steps[1]

    monkeypatch.setattr(installation.Installation, "__init__", without_pip)
    assert cli.main(["setup", "--wheels", str(wheels), "--python", sys.executable]) == 0
    assert "The environment works: Python " in capsys.readouterr().out
    assert (at_work / "env" / environment.FINISHED_MARK).exists()


def test_the_scripts_do_the_same(tmp_path: Path):
    variables = os.environ | {"BLENDER_USER_RESOURCES": str(tmp_path)}
    for name, code in (("setup", 2), ("join", 2), ("doctor", 0)):
        words = [sys.executable, str(SCRIPTS / f"{name}.py"), "--", *(["--help"] if name == "doctor" else [])]
        done = subprocess.run(words, capture_output=True, text=True, env=variables)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
    shutil.rmtree(tmp_path)
