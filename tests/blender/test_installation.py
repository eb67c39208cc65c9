# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing the backend: beside the one in use, in megabytes, from a folder without a network; a cancel at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")

from addon import device_builds, download_size, environment, installation, job, places, preferences, session
from addon.child_task import Step, end_all
from addon.operators import environment as operators
from addon.wire import client
from tests.helpers import pip_outputs as recorded
from tests.helpers.addon_at_work import addon_with_toy_worker

CPU = device_builds.BUILDS.get(device_builds.CPU) or device_builds.BUILDS[device_builds.APPLE]
CANCEL_SECONDS = 1.0


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A user folder of its own, and no offer from before."""
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setattr(places, "user_folder", lambda: folder)
    installation.dismiss()
    yield folder
    installation.dismiss()


def wheel(folder: Path, name: str, version: str = "99.0", size: int = 0) -> Path:
    """A package of one file, as large as asked for."""
    path = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{name.replace('-', '_')}.py", "x" * size)
        archive.writestr(f"{info}/RECORD", "")
    return path


def printing(text: str, code: int = 0) -> list[str]:
    """A command that prints a text and ends so."""
    return [
        sys.executable,
        "-u",
        "-c",
        "import sys; print(sys.argv[1], end=''); sys.exit(int(sys.argv[2]))",
        text,
        str(code),
    ]


def run(task, on_progress=None):
    """Runs a task to its end; returns its outcome."""
    found = []

    def steps():
        found.append((yield task))
        return ""

    task.start()
    job.run_blocking(steps(), on_progress)
    return found[0]


def partly_made() -> Path:
    """Something that an environment in the making would hold."""
    folder = installation.partial_folder()
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "tool").write_text(f"#!{folder}/bin/python\n")
    return folder


def test_torch_comes_alone_from_the_index_of_its_build():
    build = device_builds.Build("CPU", "CPU", "", "https://torch.example/cpu", 300, 1100)
    torch, rest = installation.Source(build, cut_out=True).pip_arguments()
    assert torch == ["--index-url", "https://torch.example/cpu", "torch>=2.3"]
    assert set(rest) == {*environment.REQUIREMENTS, *installation.OPTIONAL} - {"torch>=2.3"}
    (mirror,) = installation.Source(build, index="https://mirror.example").pip_arguments()
    assert mirror == ["--index-url", "https://mirror.example", *environment.REQUIREMENTS]


def test_a_folder_of_wheels_leaves_no_way_to_a_network(monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://elsewhere.example")
    monkeypatch.setenv("PIP_FIND_LINKS", "https://elsewhere.example/links")
    source = installation.Source(CPU, wheels=tmp_path)
    (arguments,) = source.pip_arguments()
    assert arguments[:3] == ["--no-index", "--find-links", str(tmp_path)]
    variables = source.variables()
    assert [name for name in variables if name.startswith("PIP_")] == ["PIP_CONFIG_FILE"]
    assert variables["PIP_CONFIG_FILE"] == os.devnull
    assert "PIP_EXTRA_INDEX_URL" in installation.Source(CPU).variables(), "a company's mirror counts where it is online"


def test_an_environment_is_made_from_a_folder_and_takes_the_old_ones_place(tmp_path, user):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for requirement in (*environment.REQUIREMENTS, *installation.OPTIONAL):
        wheel(wheels, requirement.partition(">")[0])
    (user / "env").mkdir()
    (user / "env" / "old").write_text("")
    source = installation.Source(CPU, wheels=wheels, python=sys.executable, cut_out=True)
    assert run(installation.Installation(source)) == user / "env"
    assert installation.remembered() == source, "a repair makes it of the same"
    assert not (user / "env" / "old").exists() and not installation.partial_folder().exists()
    python = environment.interpreter_in(user / "env")
    code = "import torch, tqdm, onnxruntime, sys; print(sys.prefix)"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == user / "env", "it works where it lies now"
    if os.name == "posix":
        assert f"{user}/env/" in (user / "env" / "bin" / "pip").read_text()


def test_nothing_is_asked_of_a_network_that_blender_may_not_use(tmp_path):
    source = installation.Source(CPU)
    with pytest.raises(environment.NoEnvironment, match="allow Online Access"):
        installation.refuse_where_offline(source, online=False)
    installation.refuse_where_offline(source, online=True)
    with pytest.raises(environment.NoEnvironment, match="no wheel in"):
        installation.refuse_where_offline(installation.Source(CPU, wheels=tmp_path), online=False)


def test_sizes_are_asked_for_without_a_download(tmp_path):
    paths = [wheel(tmp_path, "toy", size=5000), wheel(tmp_path, "other", size=70)]
    asked = [["--no-index", "--find-links", str(tmp_path), one] for one in ("toy", "other")]
    command = [sys.executable, download_size.__file__, json.dumps([*asked, asked[0]])]
    variables = os.environ | {"PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=variables)
    line = done.stdout.splitlines()[-1]
    told = json.loads(line.removeprefix(download_size.MARK))
    assert told == {"names": ["other", "toy"], "bytes": sum(path.stat().st_size for path in paths), "unknown": 0}
    assert download_size.size_of("file:///nowhere/toy.whl") is None


def asked(told: dict, code: int = 0, text: str = "") -> installation.Question:
    question = installation.Question(installation.Source(CPU))
    line = f"{download_size.MARK}{json.dumps(told)}\n" if told else ""
    question._steps = [Step("Asking for the sizes", 0.5, printing(text + line, code))]
    return question


def test_the_offer_says_the_true_size():
    offer = run(asked({"names": ["torch", "numpy"], "bytes": 312_000_000, "unknown": 0}))
    assert offer.sentence().startswith("2 packages, 312 MB to download, about 1,092 MB on the disk")
    unknown = run(asked({"names": ["torch", "numpy"], "bytes": 312_000_000, "unknown": 1}))
    assert "at least 312 MB" in unknown.sentence()


def test_a_disk_without_room_is_told_before_the_download():
    with pytest.raises(environment.NoEnvironment, match="make room"):
        run(asked({"names": ["torch"], "bytes": 10**18, "unknown": 0}))


@pytest.mark.parametrize(
    ("output", "said"),
    [(recorded.NO_NAME, "no connection to download.example"), (recorded.NOTHING_FOUND, "has no torch")],
)
def test_a_question_that_fails_says_why_and_leaves_nothing(user, output, said):
    partly_made()
    with pytest.raises(environment.NoEnvironment, match=said) as caught:
        run(asked({}, 1, output))
    assert str(user / "logs" / "environment.log") in str(caught.value)
    assert not installation.partial_folder().exists() and installation.offer is None


def installing(*steps: list[str], size: int = 206_316_000) -> installation.Installation:
    source = installation.Source(CPU)
    task = installation.Installation(source, installation.Offer(source, size, packages=3))
    task._steps = [Step("Installing packages", 0.03, arguments) for arguments in steps]
    return task


def test_progress_is_in_megabytes_and_never_goes_back(monkeypatch):
    monkeypatch.setattr(installation, "LOOK_SECONDS", 0.0)
    free = iter([5e9 - number * 1e8 for number in range(400)])
    monkeypatch.setattr(installation.shutil, "disk_usage", lambda path: type("Usage", (), {"free": next(free)}))
    task = installing([sys.executable])
    seen = [task.progress]
    for text in (recorded.FETCHED, recorded.UNPACKING, "", "", "Successfully installed\n"):
        task.heard(text)
        seen.append(task.progress)
    assert seen[1].stage == "Downloading torch, 50 of 206 MB"
    assert seen[4].stage == "Unpacking, about 200 of 516 MB"
    fractions = [one.fraction for one in seen]
    assert fractions == sorted(fractions) and 0.15 < fractions[1] < 0.3 and 0.7 < fractions[3] < fractions[4] < 0.99


def test_a_failed_installation_leaves_the_environment_in_use(user):
    (user / "env").mkdir()
    (user / "env" / environment.FINISHED_MARK).write_text("complete\n")
    partly_made()
    with pytest.raises(environment.NoEnvironment, match="disk is full"):
        run(installing(printing(recorded.DISK_AFTER_A_RETRY, 1)))
    assert (user / "env" / environment.FINISHED_MARK).exists() and not installation.partial_folder().exists()
    assert installation.remembered() is None, "one of before says not what it was made of"


@pytest.mark.parametrize("content", ["[" * 100_000, '["a list"]', '{"wheels": 1, "build": {}}', "\x00"])
def test_a_damaged_mark_of_what_an_environment_was_made_of_is_as_none(user, content: str):
    (user / "env").mkdir()
    (user / "env" / environment.FINISHED_MARK).write_text(content)
    assert installation.remembered() is None


def test_a_damaged_package_is_fetched_anew_the_next_time(monkeypatch):
    monkeypatch.setattr(installation, "_cache_is_damaged", False)
    assert "--no-cache-dir" not in installing_words()
    with pytest.raises(environment.NoEnvironment, match="fetched anew"):
        run(installing(printing(recorded.HASH, 1)))
    assert "--no-cache-dir" in installing_words()


def installing_words() -> list[str]:
    """Of the first pip command of an installation."""
    source = installation.Source(CPU)
    return list(installation.Installation(source, installation.Offer(source, 1))._steps[0].arguments)


def test_scripts_name_the_folder_that_they_come_to_lie_in(user):
    partly_made()
    assert run(installing(printing("fine"))) == user / "env"
    assert (user / "env" / "bin" / "tool").read_text() == f"#!{user}/env/bin/python\n" or os.name != "posix"


def test_a_cancel_ends_all_processes_within_a_second(user):
    child = user / "child"
    code = (
        "import pathlib, subprocess, sys, time\n"
        "one = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "pathlib.Path(sys.argv[1]).write_text(str(one.pid)); time.sleep(60)"
    )
    (partly_made() / "large").write_bytes(b"x" * 1000)
    task = installing([sys.executable, "-c", code, str(child)])
    task.start()
    while not (child.exists() and child.read_text()):
        task.poll()
        time.sleep(0.01)
    began = time.monotonic()
    task.cancel()
    assert time.monotonic() - began < CANCEL_SECONDS and task.done
    with pytest.raises(client.WorkerCancelled, match="packages that came whole are kept"):
        task.outcome()
    assert not installation.partial_folder().exists()
    until = time.monotonic() + 5
    while Path(f"/proc/{child.read_text()}").exists() and time.monotonic() < until:
        if " Z " in Path(f"/proc/{child.read_text()}/stat").read_text():
            break
        time.sleep(0.02)
    assert time.monotonic() < until, "what pip had started is gone too"


def test_what_runs_ends_with_blender(user):
    partly_made()
    task = installing([sys.executable, "-c", "import time; time.sleep(60)"])
    task.start()
    process = task._process
    end_all()
    assert task.done and process.poll() is not None


@pytest.fixture
def registered(root, tmp_path, monkeypatch):
    """The add-on with a toy worker."""
    monkeypatch.setenv(environment.INTERPRETER_VARIABLE, sys.executable)
    with addon_with_toy_worker(root, tmp_path, monkeypatch):
        yield


def test_the_button_is_greyed_out_offline_unless_there_is_a_folder(registered, monkeypatch, tmp_path):
    assert not bpy.app.online_access, "tests run without it"
    assert not bpy.ops.unrender.install_backend.poll() and not bpy.ops.unrender.download_backend.poll()
    with pytest.raises(RuntimeError, match="allow Online Access"):
        bpy.ops.unrender.install_backend()
    monkeypatch.setattr(preferences, "source", lambda: installation.Source(CPU, wheels=tmp_path))
    assert bpy.ops.unrender.install_backend.poll()


def test_the_environment_is_made_with_the_python_that_the_preferences_name(registered, monkeypatch, tmp_path):
    stored = SimpleNamespace(
        wheels="", build="CPU", package_index="", making_python=str(tmp_path / "none"), install_onnxruntime=False
    )
    monkeypatch.setattr(preferences, "stored", lambda: stored)
    with pytest.raises(environment.NoEnvironment, match="none is not there"):
        installation.refuse_where_offline(preferences.source(), online=True)
    stored.making_python = sys.executable
    installation.refuse_where_offline(preferences.source(), online=True)
    assert installation._making(preferences.source()).arguments[0] == sys.executable


def test_a_repair_from_an_index_is_refused_offline_though_the_preferences_name_a_folder(
    registered, monkeypatch, tmp_path
):
    wheel(tmp_path, "toy")
    monkeypatch.setattr(preferences, "source", lambda: installation.Source(CPU, wheels=tmp_path))
    monkeypatch.setattr(installation, "remembered", lambda: installation.Source(CPU))
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("nothing is started"))
    with pytest.raises(RuntimeError, match="allow Online Access"):
        bpy.ops.unrender.install_backend(repair=True)


def test_the_button_installs_and_has_the_backend_make_something(registered, monkeypatch, tmp_path):
    wheel(tmp_path, "toy")
    asked_for = []
    monkeypatch.setattr(preferences, "source", lambda: installation.Source(CPU, wheels=tmp_path))

    made_anew = installation.Installation

    def made(source):
        asked_for.append(source)
        partly_made()
        monkeypatch.setattr(installation, "Installation", made_anew)
        return installing(printing("fine"))

    monkeypatch.setattr(installation, "Installation", made)
    assert bpy.ops.unrender.install_backend() == {"FINISHED"}
    assert asked_for == [installation.Source(CPU, wheels=tmp_path)]
    assert session.status.check.startswith("Python 3") and session.status.error == ""


def test_in_a_window_nothing_is_downloaded_before_a_second_press(registered, monkeypatch, user):
    source, offer = installation.Source(CPU), installation.Offer(installation.Source(CPU), 312_000_000, packages=17)
    monkeypatch.setattr(preferences, "source", lambda: source)
    monkeypatch.setattr(operators, "has_window", lambda context: True)
    monkeypatch.setattr(installation, "refuse_where_offline", lambda source, online: None)
    question = asked({"names": ["torch"], "bytes": 1, "unknown": 0})
    monkeypatch.setattr(installation, "Question", lambda source: question)
    made = []
    monkeypatch.setattr(installation, "Installation", lambda *given: made.append(given) or pytest.fail("too early"))
    steps = operators.UNRENDER_OT_install_backend.steps(SimpleNamespace(repair=False), bpy.context)
    assert next(steps) is question
    question.cancel()
    with pytest.raises(StopIteration, match="Say whether to download"):
        steps.send(offer)
    assert installation.offer is offer and not made
    steps = operators.UNRENDER_OT_download_backend.steps(SimpleNamespace(), bpy.context)
    with pytest.raises(environment.NoEnvironment, match="once more"):
        next(steps)
    assert installation.offer is None, "what it was for is gone"


def test_dismissing_removes_what_was_prepared(registered):
    partly_made()
    installation.offer = installation.Offer(installation.Source(CPU), 1)
    assert bpy.ops.unrender.dismiss_backend() == {"FINISHED"}
    assert installation.offer is None and not installation.partial_folder().exists()


def test_a_backend_that_starts_but_makes_nothing_is_told(registered, monkeypatch):
    monkeypatch.setattr(session, "request", lambda *_, **__: (_ for _ in ()).throw(client.WorkerError("It is broken.")))
    with pytest.raises(RuntimeError, match="It is broken"):
        bpy.ops.unrender.check_environment()
    assert session.status.check == ""


def test_jobs_are_greyed_out_with_the_reason_where_there_is_no_backend(registered, monkeypatch):
    def none(chosen=""):
        raise environment.NoEnvironment("There is no backend yet: press Install Backend.")

    monkeypatch.setattr(environment, "find", none)
    for name in ("image_to_3d", "cut_out", "generate"):
        assert not getattr(bpy.ops.unrender, name).poll()
    with pytest.raises(RuntimeError, match="press Install Backend"):
        bpy.ops.unrender.generate()
    assert bpy.ops.unrender.check_environment.poll()
