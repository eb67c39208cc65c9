# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The job type for Flamenco and the example of a job array: what they start is what our commands take."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("bpy")

from addon import batch, batch_join, cli
from addon.wire import records

FARM = Path(__file__).resolve().parents[2] / "scripts" / "farm"
JOB_TYPE = FARM / "unrender_image_to_3d.js"
ARRAY = FARM / "slurm_array.sh"
COMPILE = """
const author = {
    Task: (name, type) => ({name, type, commands: [], after: [],
        addCommand(one) { this.commands.push(one); }, addDependency(other) { this.after.push(other.name); }}),
    Command: (name, parameters) => ({name, parameters}),
};
SCRIPT
const settings = {};
for (const one of JOB_TYPE.settings) if ("default" in one) settings[one.key] = one.default;
Object.assign(settings, CHANGED);
const tasks = [];
compileJob({settings, addTask: (task) => tasks.push(task)});
console.log(JSON.stringify({type: JOB_TYPE, tasks}));
"""


def compiled(**changed: object) -> dict:
    """What the job type is, and the tasks that it makes of its defaults and some changes."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    code = COMPILE.replace("SCRIPT", JOB_TYPE.read_text("utf-8")).replace("CHANGED", json.dumps(changed))
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_task_is_a_command_that_our_parser_takes() -> None:
    *parts, join = compiled(photos="/shared/my photos", out="/shared/out", parts=3, quality="draft")["tasks"]
    assert len(parts) == 3
    for number, task in enumerate(parts, 1):
        (command,) = task["commands"]
        assert command["name"] == "exec" and command["parameters"]["exe"] == "{blender}"
        blenders, words = command["parameters"]["args"][:3], command["parameters"]["args"][3:]
        assert blenders == ["--command", cli.NAME, "image-to-3d"]
        options = batch.parser().parse_args(words)
        assert options.inputs == ["/shared/my photos"] and options.out == "/shared/out"
        assert options.shard == (number, 3) and options.resume and options.lenient and options.quality == "draft"
    assert join["after"] == [task["name"] for task in parts]
    words = join["commands"][0]["parameters"]["args"]
    assert words[:3] == ["--command", cli.NAME, "join"]
    assert batch_join.parser().parse_args(words[3:]).out == "/shared/out"


def test_the_job_types_settings_are_those_of_the_command() -> None:
    settings = {one["key"]: one for one in compiled(photos="p", out="o")["type"]["settings"]}
    assert tuple(settings["quality"]["choices"]) == records.QUALITIES
    actions = {action.dest: action for action in batch.parser()._actions}
    assert list(settings["device"]["choices"]) == list(actions["device"].choices)
    assert {"photos", "out"} == {key for key, one in settings.items() if one.get("required")}
    words = compiled(photos="p", out="o", texture_size=256)["tasks"][0]["commands"][0]["parameters"]["args"]
    assert batch.parser().parse_args(words[3:]).texture_size == 256


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_a_task_of_the_array_makes_its_part(tmp_path: Path) -> None:
    blender = tmp_path / "blender"
    blender.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    blender.chmod(0o755)
    variables = os.environ | {"BLENDER": str(blender), "SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "16"}
    words = ["bash", str(ARRAY), "my photos/*.jpg", "out", "--quality", "fine"]
    done = subprocess.run(words, env=variables, capture_output=True, text=True, check=True)
    told = done.stdout.splitlines()
    assert told[:3] == ["--command", cli.NAME, "image-to-3d"]
    options = batch.parser().parse_args(told[3:])
    assert options.inputs == ["my photos/*.jpg"] and options.shard == (3, 16) and options.resume
    assert options.quality == "fine" and not options.lenient
    again = subprocess.run(words, env=variables | {"PARTS": "40"}, capture_output=True, text=True, check=True)
    assert "3/40" in again.stdout.splitlines()
    alone = {key: value for key, value in variables.items() if not key.startswith("SLURM")}
    assert subprocess.run(words, env=alone, capture_output=True).returncode != 0
    assert subprocess.run(words[:2], env=variables, capture_output=True).returncode == 2
