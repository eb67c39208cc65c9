# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are replaced whole or not at all, and anyone may read them whom open() lets."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from backend.common import files
from backend.models.storage import read_tensors, write_tensors


@pytest.fixture(params=[0o022, 0o027, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_write_leaves_the_old_file_and_no_rest(tmp_path: Path, interruption: type) -> None:
    path = tmp_path / "report.json"
    files.write_text(path, "old")
    with pytest.raises(interruption), files.replacing(path) as partial:
        partial.write_text("half of it")
        raise interruption
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    files.write_text(path, "old")
    with files.replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old" and partial.name == "report.json.part"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_what_a_killed_run_left_does_not_hinder_the_next(tmp_path: Path) -> None:
    (tmp_path / "a.txt.part").write_text("torn by a kill, and longer than what follows")
    files.write_text(tmp_path / "a.txt", "whole")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "whole")]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask")
def test_files_get_the_permissions_that_open_gives(tmp_path: Path, umask: int) -> None:
    files.write_json(tmp_path / "card.json", {})
    # safetensors makes its files for the owner alone.
    write_tensors(tmp_path / "network.safetensors", {"a": torch.ones(2)}, {})
    with files.replacing(tmp_path / "own.txt") as partial:
        partial.touch(mode=0o600)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("card.json", "network.safetensors", "own.txt"), 0o666 & ~umask)
    assert read_tensors(tmp_path / "network.safetensors")[0]["a"].tolist() == [1, 1]


def test_errors_are_the_os_errors_that_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        files.write_text(tmp_path / "missing" / "a.txt", "text")
    assert missing.value.filename == str(tmp_path / "missing" / "a.txt.part")
    with pytest.raises(OSError, match="(?i)too long"):
        files.write_bytes(tmp_path / ("a" * 300), b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        files.write_text(tmp_path / "folder", "a file cannot take a folder's place")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_block_that_writes_nothing_does_not_empty_the_file(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a.txt", "old")
    with pytest.raises(FileNotFoundError), files.replacing(tmp_path / "a.txt"):
        pass
    assert (tmp_path / "a.txt").read_text() == "old"


def test_an_ending_can_be_kept_for_writers_that_go_by_it(tmp_path: Path) -> None:
    with files.replacing(tmp_path / "turn.mp4", ".mp4") as partial:
        assert partial.name == "turn.mp4.part.mp4"
        partial.write_bytes(b"film")
    assert [path.name for path in tmp_path.iterdir()] == ["turn.mp4"]


def test_text_is_utf8_with_its_own_line_ends(tmp_path: Path) -> None:
    files.write_json(str(tmp_path / "a.json"), {"name": "Käfer"})
    files.write_text(tmp_path / "a.txt", "Käfer\nzwei\n")
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"name": "Käfer"}
    assert (tmp_path / "a.json").read_bytes().endswith(b"}\n")
    assert (tmp_path / "a.txt").read_bytes() == "Käfer\nzwei\n".encode()
