# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of a whole batch (scripts/measuring/whole_batch.py) itself, with a toy in place of Blender."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("bpy")

from scripts.measuring import whole_batch

TOY = """#!{python}
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
import numpy as np
from addon import batch, environment, preview, registered
from addon.wire import client

def make(*arguments):
    time.sleep(0.3)
    return preview.Preview(np.zeros((4, 4, 3), np.uint8), np.zeros((40, 60, 4), np.float32))

preview.make = make
command = client.WorkerCommand([sys.executable, "-m", "tests.helpers.toy_worker"], Path({root!r}), Path({log!r}))
environment.worker_command = lambda chosen="": command
with registered():
    code = batch.run(sys.argv[sys.argv.index("--") + 1 :])
sys.exit(code)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the check looks into /proc")
def test_the_check_passes_over_a_kill_a_resume_and_two_shards(root: Path, tmp_path: Path) -> None:
    blender = tmp_path / "toy.py"
    log = str(tmp_path / "log" / "worker.log")
    blender.write_text(TOY.format(python=sys.executable, root=str(root), log=log))
    blender.chmod(0o755)
    command = [sys.executable, str(root / "scripts/measuring/whole_batch.py"), "--photos", "12", "--shard-photos", "4"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path / "check"), "--blender", str(blender)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures["batch"]["results"] == 11 and figures["batch"]["done_twice"] == 0
    assert 6 <= figures["batch"]["done_when_killed"] + 1 < 12 and figures["batch"]["photos_a_minute"] > 0
    (name,) = figures["batch"]["failures"]
    assert name == "photo 0000 truncated.jpg"
    assert figures["shards"]["results"] == [1, 2] and figures["shards"]["exit_codes"][2] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="named pipes and names that are not UTF-8")
def test_of_three_hundred_files_fifteen_are_bad_each_in_its_own_way(tmp_path: Path) -> None:
    assert whole_batch.make_photos(tmp_path / "photos", 300) == (285, 15)
    names = [name.split(b" ", 2)[2] for name in os.listdir(os.fsencode(tmp_path / "photos")) if name.count(b" ") > 1]
    assert len(set(names)) == 15 and len(os.listdir(tmp_path / "photos")) == 300


def test_memory_is_that_of_the_first_results_and_of_the_last() -> None:
    watched = object.__new__(whole_batch.Watched)
    watched.samples = [(count, 100.0 + count, 500.0) for count in range(100)]
    assert watched.memory() == {"blender": [106, 196], "worker": [500, 500]}
