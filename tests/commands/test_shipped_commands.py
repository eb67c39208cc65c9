# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in the extension: what the zip holds, and that they run there, from the checkout and through their doors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from backend.commands import entry, train
from backend.common.progress import line_writer, parse_line
from backend.errors import BundleError
from scripts import build_extension, command_line

COMMANDS = sorted(
    path.stem for path in Path(train.__file__).parent.glob("[!_]*.py") if path.stem not in ("entry", "outputs")
)
DOORS = [name for name in COMMANDS if name != "compare"]


def python(*words: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"} | variables
    return subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)


def test_the_zip_holds_the_commands_and_no_script(root: Path) -> None:
    manifest = tomllib.loads((root / "blender_manifest.toml").read_text(encoding="utf-8"))
    patterns = manifest["build"]["paths_exclude_pattern"]
    kept = {name for name in build_extension.candidates() if not build_extension.is_excluded(name, patterns)}
    assert {f"backend/commands/{name}.py" for name in (*COMMANDS, "__init__", "entry", "outputs")} <= kept
    assert {name.split("/")[0] for name in kept if "/" in name} == {"addon", "backend"}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_answers_before_torch_is_loaded(root: Path, name: str) -> None:
    code = f"import sys; from backend.commands import {name}\ntry: {name}.main(['--help'])\nexcept SystemExit: pass\n"
    done = python("-c", code + "sys.exit('torch' in sys.modules)", folder=root)
    assert done.returncode == 0 and done.stdout.startswith("usage: "), done.stderr


@pytest.mark.parametrize("name", DOORS)
def test_every_command_has_a_door_in_scripts(root: Path, tmp_path: Path, name: str) -> None:
    done = python(str(root / "scripts" / f"{name}.py"), "--", "--help", folder=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith(f"usage: {name}.py"), done.stderr


def test_tasks_are_found_where_the_backend_has_another_name(root: Path, tmp_path: Path) -> None:
    """Inside Blender the backend is bl_ext.….backend."""
    package = tmp_path / "bl_ext" / "user_default"
    package.mkdir(parents=True)
    (package / "unrender").symlink_to(root, target_is_directory=True)
    code = (
        "import sys, pathlib, bl_ext.user_default.unrender.backend.commands.train as train\n"
        "print(train.load_task('views', pathlib.Path('none'))[1].__module__)\n"
        "print('backend' in sys.modules)"
    )
    done = python("-c", code, folder=tmp_path)
    assert done.stdout.split() == ["bl_ext.user_default.unrender.backend.gan_views.search", "False"], done.stderr


@pytest.mark.parametrize(("given", "seen"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "active"}, "ACTIVE")])
def test_waiting_threads_sleep_unless_the_user_says_otherwise(
    root: Path, tmp_path: Path, given: dict[str, str], seen: str
) -> None:
    """What the library of threads itself says when it is loaded."""
    words = [str(root / "scripts" / "train.py"), "views", "--data", "none", "--out", "out"]
    done = python(*words, folder=tmp_path, OMP_DISPLAY_ENV="true", **given)
    assert done.returncode == 1 and "There is no bundle 'none'" in done.stderr
    assert f"OMP_WAIT_POLICY = '{seen}'" in done.stderr


def test_arguments_stand_behind_two_dashes_or_the_script() -> None:
    assert command_line.own_arguments(["blender", "-b", "-P", "train.py", "--", "views", "--", "a=1"]) == [
        "views",
        "--",
        "a=1",
    ]
    assert command_line.own_arguments(["train.py", "views"]) == ["views"]


def test_a_door_in_blenders_process_goes_on_in_the_interpreter_that_has_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told.json"
    script = tmp_path / "train.py"
    script.write_text(
        "import json, os, sys\n"
        f"json.dump([sys.argv, 'PYTHONHOME' in os.environ], open({str(told)!r}, 'w'))\n"
        "sys.exit(7)"
    )
    monkeypatch.setitem(sys.modules, "bpy", object())  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "argv", ["blender", "--", "views", "--resume"])
    monkeypatch.setenv("UNRENDER_PYTHON", sys.executable)
    monkeypatch.setenv("PYTHONHOME", sys.prefix)
    assert command_line.run(str(script)) == 7
    assert json.loads(told.read_text()) == [[str(script), "views", "--resume"], False]


def test_without_an_interpreter_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("UNRENDER_PYTHON", raising=False)
    monkeypatch.setattr(command_line, "ROOT", tmp_path)
    assert command_line.run_outside_blender("scripts/evaluate.py", [], failed=2) == 2
    assert capsys.readouterr().err.startswith("evaluate.py: no Python with torch was found; run scripts/setup.sh")


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (BundleError("No such bundle."), 1, "toy.py: No such bundle.\n"),
        (FloatingPointError("No longer finite."), 1, "toy.py: No longer finite.\n"),
        (MemoryError(), 1, "toy.py: there is not enough memory for this; close other programs or ask for less.\n"),
        (KeyboardInterrupt(), 130, "Go on with --resume.\n"),
    ],
)
def test_errors_become_a_sentence_and_an_exit_code(
    error: BaseException, code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def body() -> int:
        raise error

    assert entry.guarded("toy.py", body, errors=(FloatingPointError,), stopped="Go on with --resume.") == code
    assert capsys.readouterr().err == sentence


def test_a_bug_keeps_its_traceback() -> None:
    def body() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        entry.guarded("toy.py", body)


def test_progress_is_asked_for_as_lines_of_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def training(config: dict, data: Path, out: Path, **_options: object) -> dict[str, float]:
        writer = line_writer()
        if writer is not None:
            writer.write("Toying", 1, 4)
        return {"loss": 0.5}

    monkeypatch.setattr(train, "load_task", lambda name, data: ({"small": {}}, training))
    words = ["views", "--data", "none", "--out", str(tmp_path), "--device", "cpu"]
    assert train.main([*words, "--progress", "json"]) == 0
    first, last = capsys.readouterr().out.splitlines()
    report = parse_line(first)
    assert report is not None and (report.stage, report.fraction) == ("Toying", 0.25)
    assert last == "loss=0.5"
    assert train.main(words) == 0
    assert capsys.readouterr().out == "loss=0.5\n"
