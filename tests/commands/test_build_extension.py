# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built zip with its index, and builds that fail."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scripts import build_extension


def build(*words: str | Path) -> subprocess.CompletedProcess:
    command = [sys.executable, build_extension.__file__, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_index_says_what_blender_needs_to_install_the_zip(root: Path, tmp_path: Path):
    done = build("--out", tmp_path)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*.zip")
    index = json.loads((tmp_path / "index.json").read_text("utf-8"))
    assert (index["version"], index["blocklist"]) == ("v1", [])
    (told,) = index["data"]
    assert (tmp_path / told["archive_url"]).samefile(path)
    assert told["archive_size"] == path.stat().st_size
    assert told["archive_hash"] == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    manifest = tomllib.loads((root / "blender_manifest.toml").read_text("utf-8"))
    assert {key: told.get(key) for key in manifest if key != "build"} == {
        key: value for key, value in manifest.items() if key != "build"
    }
    assert set(told) - set(manifest) == {"archive_url", "archive_size", "archive_hash"}


def blender(folder: Path, body: str) -> Path:
    """A program in Blender's place."""
    path = folder / "blender here"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_blender_checks_the_zip_and_its_refusal_fails_the_build(tmp_path: Path):
    said = tmp_path / "said"
    done = build("--out", tmp_path / "out", "--blender", blender(tmp_path, f'echo "$@" >> "{said}"'))
    assert done.returncode == 0, done.stderr
    validate, generate = said.read_text().splitlines()
    assert validate.startswith("--command extension validate ") and validate.endswith(".zip")
    assert generate == f"--command extension server-generate --repo-dir {tmp_path / 'out'}"
    done = build("--out", tmp_path / "out", "--blender", blender(tmp_path, "echo bad tagline; exit 1"))
    assert done.returncode == 1 and "bad tagline" in done.stderr


@pytest.mark.parametrize("words", [["--out", "{file}/below"], ["--out", "{folder}", "--blender", "/nowhere/blender"]])
def test_a_build_that_fails_says_so_and_exits_with_one(tmp_path: Path, words: list[str]):
    (tmp_path / "file").write_text("")
    done = build(*[word.format(file=tmp_path / "file", folder=tmp_path / "out") for word in words])
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("build_extension.py: ")
