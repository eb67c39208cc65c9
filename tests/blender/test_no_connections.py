# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Local jobs open no connection, and nothing does without online access: by watching, and place by place.

What is watched: Blender's process by Python's audit events, and with all its children by strace where that is at hand.
The places that could connect are listed here by name: a new one makes a test fail until it says how it is refused.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

from addon import child_task, cli, environment, installation, preferences
from addon.device_builds import BUILDS
from backend.data.solids import SolidsConfig, write_solids
from backend.ipc import variables
from backend.render.viewpoints import ViewpointPrior
from backend.training import distributed
from scripts.measuring import traced
from tests.helpers import panel_jobs
from tests.helpers.addon_at_work import addon_with_toy_worker

ROOT = Path(__file__).resolve().parents[2]
NETWORK = {
    "socket", "ssl", "socketserver", "asyncio", "selectors", "http", "urllib.request", "urllib.error", "ftplib",
    "smtplib", "xmlrpc", "requests", "urllib3", "httpx", "aiohttp", "webbrowser", "pip", "huggingface_hub",
    "multiprocessing",
    "torch.distributed", "torch.hub", "torch.multiprocessing", "torch.utils.model_zoo",
}  # fmt: skip
"""Modules with which a connection could be opened."""
PLACES = {
    "addon/batch_lock.py": {"socket"},
    "addon/download_size.py": {"urllib.request", "urllib.error", "ssl", "pip"},
    "backend/training/distributed.py": {"torch.distributed"},
}
"""Who imports such a module: for this machine's name; to ask an index, in a process of *Install Backend*; and to train
with others, under torchrun alone."""
STARTERS = {
    "addon/backend_commands.py", "addon/child_task.py", "addon/doctor.py", "addon/download_size.py",
    "addon/installation.py", "addon/training.py", "addon/training_runs.py", "backend/commands/evaluate.py",
    "backend/common/processes.py", "backend/ipc/client.py",
}  # fmt: skip
"""Who starts programs: this product's own Python, the system's lists of processes, and of pip the two below."""
PIP_STARTERS = {"addon/download_size.py", "addon/installation.py"}
BLENDERS_OWN = {"url_open", "url_open_preset", "extensions", "online_access"}
"""Names in Blender's Python by which it goes online itself; the last one only asks whether it may."""
SIDES = ("addon", "backend")


def sources():
    """Yields the path from the root and the syntax tree of each file of the product."""
    for side in SIDES:
        for path in sorted((ROOT / side).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree):
    """Yields the names of what a file imports, with those inside of modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def network_modules(tree):
    """Returns the network's modules among what a file imports."""
    found = set()
    for name in imported(tree):
        found |= {one for one in NETWORK if name == one or name.startswith(f"{one}.")}
    return found


def test_whoever_could_connect_is_listed():
    assert {path: found for path, tree in sources() if (found := network_modules(tree))} == PLACES


def test_the_list_would_notice_a_new_place():
    for text in ("import urllib.request", "from http import client", "from torch import hub", "import socket as s"):
        assert network_modules(ast.parse(text)), text
    assert not network_modules(ast.parse("import urllib.parse; from . import socket"))


def test_the_lock_asks_for_this_machines_name_alone():
    tree = ast.parse((ROOT / "addon/batch_lock.py").read_text(encoding="utf-8"))
    used = {
        node.attr for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "socket"
    }  # fmt: skip
    assert used == {"gethostname"}


def test_programs_are_started_where_it_is_known_pip_by_the_installation_alone_and_blender_sent_nowhere():
    starters, online = set(), set()
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.List) and {"-m", "pip"} <= {
                item.value for item in node.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)
            }:
                starters.add(path)
            if isinstance(node, ast.Attribute) and node.attr in BLENDERS_OWN:
                online.add((path, node.attr))
    assert starters == PIP_STARTERS
    assert {path for path, tree in sources() if "subprocess" in set(imported(tree))} == STARTERS
    assert {name for _, name in online} == {"online_access"}


# ---- Without online access ----


@pytest.fixture
def offline(root, tmp_path, monkeypatch):
    """The add-on where packages would come from an index, and nothing may be started."""
    monkeypatch.setattr(preferences, "source", lambda: installation.Source(BUILDS["CPU"]))
    monkeypatch.setattr(installation, "remembered", lambda: installation.Source(BUILDS["CPU"]))
    monkeypatch.setattr(environment, "find", lambda chosen="": environment.Interpreter(Path(sys.executable), "a test"))
    with addon_with_toy_worker(root, tmp_path, monkeypatch):
        bpy.context.preferences.system.use_online_access = False
        assert not bpy.app.online_access
        monkeypatch.setattr(child_task.subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
        yield
        bpy.context.preferences.system.use_online_access = False
        installation.offer = None


BUTTONS = {
    "install": lambda: bpy.ops.unrender.install_backend(),
    "repair": lambda: bpy.ops.unrender.install_backend(repair=True),
    "download what was offered": lambda: bpy.ops.unrender.download_backend(),
}


@pytest.mark.parametrize("name", BUTTONS)
def test_a_button_that_would_connect_is_greyed_out_and_says_why(offline, name):
    installation.offer = installation.Offer(installation.Source(BUILDS["CPU"]), 1, packages=1)
    with pytest.raises(RuntimeError, match="allow Online Access in the System preferences"):
        BUTTONS[name]()
    polls = (bpy.ops.unrender.install_backend.poll(), bpy.ops.unrender.download_backend.poll())
    assert polls == (False, False)
    bpy.context.preferences.system.use_online_access = True
    polls = (bpy.ops.unrender.install_backend.poll(), bpy.ops.unrender.download_backend.poll())
    assert polls == (bpy.app.online_access, bpy.app.online_access), "online access is all that was missing"


@pytest.mark.parametrize("words", [[], ["--sizes"], ["--build", "cpu"], ["--package-index", "https://mirror.example"]])
def test_the_command_refuses_as_well(offline, words, capsys):
    assert cli.main(["setup", *words]) == 2
    assert "Blender may not use: allow Online Access" in capsys.readouterr().err


def test_a_folder_of_wheels_is_all_that_pip_then_knows(tmp_path):
    source = installation.Source(BUILDS["CPU"], index="https://mirror.example", wheels=tmp_path)
    assert all("--no-index" in words and "https://mirror.example" not in words for words in source.pip_arguments())
    assert not any(name.startswith("PIP_") and "INDEX_URL" in name for name in source.variables())


# ---- Local jobs ----


def test_what_is_started_here_looks_for_no_other_process(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID"):
        monkeypatch.setenv(name, "3")
    assert distributed.processes_from_environment().count == 3
    left = variables.local_environment(ROOT)
    monkeypatch.setattr(os, "environ", left)
    assert distributed.processes_from_environment() == distributed.ALONE
    assert not any(name.startswith(variables.TORCHRUN_VARIABLES) for name in left)
    assert "PATH" in left and variables.child_environment(ROOT, {"RANK": "3"})["RANK"] == "3", (
        "torchrun itself still works"
    )


def test_the_watch_notices_a_connection():
    panel_jobs.events.clear()
    sys.addaudithook(lambda event, arguments: panel_jobs.note(event, arguments) if watching else None)
    watching = True
    with socket.socket() as one:
        one.connect_ex(("127.0.0.1", 9))
    socket.gethostname()
    watching = False
    assert any(event.startswith("socket.connect ") for event in panel_jobs.events)
    assert not any("gethostname" in event for event in panel_jobs.events)
    panel_jobs.events.clear()


def test_the_panels_jobs_open_no_connection(tmp_path):
    """A photo, an object from a seed and a training from the panel: Blender, worker and training are watched."""
    write_solids(
        tmp_path / "solids", SolidsConfig(24, 64, 0, ViewpointPrior(180.0, (0.0, 10.0))), alpha=True, progress=False
    )
    pictures, trace = tmp_path / "solids" / "pictures", tmp_path / "trace.txt"
    photo = sorted(pictures.glob("*.png"))[0]
    jobs = [sys.executable, "-m", "tests.helpers.panel_jobs", str(tmp_path), str(photo), str(pictures)]
    folders = {"BLENDER_USER_RESOURCES": str(tmp_path / "blender"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*watched(trace), *jobs], cwd=ROOT, env={**os.environ, **folders}, capture_output=True, text=True, timeout=500
    )
    assert (tmp_path / "told.json").exists(), done.stderr[-3000:]
    told = json.loads((tmp_path / "told.json").read_text())
    assert not told["online"] and told["events"] == []
    assert told["objects"] == 3 and told["is_asset"] and told["run"] == ["finished", ""]
    if trace.exists():
        assert traced.connections(trace.read_text(errors="replace").splitlines()) == []


def watched(trace):
    """Returns what a command begins with to be watched with its children; nothing where that is not possible."""
    tool = [shutil.which("strace") or "", "-f", "-qq", "-e", "trace=socket,connect,bind", "-o", str(trace)]
    if not tool[0]:
        return []
    body = "import socket; socket.socket()"
    subprocess.run([*tool, sys.executable, "-I", "-c", body], check=False, capture_output=True)
    seen = trace.exists() and traced.connections(trace.read_text(errors="replace").splitlines())
    trace.unlink(missing_ok=True)
    return tool if seen else []
