# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON that others may have written: read in one place, and refused in one sentence."""

from __future__ import annotations

import ast
import json
import os
import threading
from pathlib import Path

import pytest

from backend.common import category_steps, run_files
from backend.common.json_files import DEEPEST, JsonError, parse, parse_object, read, read_object

ROOT = Path(__file__).resolve().parents[2]
OWN_RECORDS = {"addon/installation.py"}
"""What the installation wrote into its own folder."""


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


BAD = {
    "deep": (nested(100_000), "nested more than 64 deep"),
    "just too deep": (nested(DEEPEST + 1), "nested more than 64 deep"),
    "deep lists": ("[" * 90 + "]" * 90, "nested more than 64 deep"),
    "cut": ('{"a": [1, 2', "not valid JSON"),
    "empty": ("", "not valid JSON"),
    "a number of many digits": ("1" * 10_000, "not valid JSON"),
    "a list": ("[1]", "holds a list where an object belongs"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_one_sentence_with_the_files_name(tmp_path: Path, name: str) -> None:
    content, expected = BAD[name]
    (tmp_path / "card.json").write_text(content)
    with pytest.raises(JsonError, match=expected) as caught:
        read_object(tmp_path / "card.json")
    message = str(caught.value)
    assert "card.json" in message and message.endswith(".") and "\n" not in message


def test_good_json_is_what_was_written_whatever_program_wrote_it(tmp_path: Path) -> None:
    document = {"a": [1, 2.5, None, True, "ä"], "b": {"c": {}}}
    (tmp_path / "good.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(document).encode())
    assert read(tmp_path / "good.json") == document
    assert parse_object(nested(DEEPEST), "it") == json.loads(nested(DEEPEST))
    many = json.dumps([{"a": "[[["}] * 500)
    assert parse(many, "it") == json.loads(many)


def test_numbers_that_only_python_knows_are_refused_where_that_is_asked_for() -> None:
    assert parse("Infinity", "it") == float("inf")
    with pytest.raises(JsonError, match="NaN is no number"):
        parse('{"a": NaN}', "it", numbers_only=True)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "large.json").write_text(" " * 100 + "1")
    with pytest.raises(JsonError, match="larger than 50 bytes"):
        read(tmp_path / "large.json", most_bytes=50)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")
    found: list[object] = []
    reader = threading.Thread(target=lambda: found.append(run_files.stored(tmp_path)), daemon=True)
    reader.start()
    reader.join(10)
    assert found == [None]


def test_deep_files_of_runs_and_categories_say_nothing(tmp_path: Path) -> None:
    for name in (run_files.RUN, run_files.PROGRESS, category_steps.FILE_NAME):
        (tmp_path / name).write_text(nested(100_000))
    assert run_files.read(tmp_path) is None and run_files.read_progress(tmp_path) is None
    assert category_steps.read(tmp_path) == category_steps.fresh()
    (tmp_path / category_steps.FILE_NAME).write_text('{"steps": [{"name": "masks", "seconds": 1e999}, 3]}')
    assert category_steps.read(tmp_path) == category_steps.fresh()


def test_json_of_files_is_read_in_one_place() -> None:
    for package in ("backend", "addon"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.relative_to(ROOT).as_posix() in OWN_RECORDS:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in ("json.load", "json.loads"):
                    argument = ast.unparse(node.args[0])
                    reads = any(word in argument for word in ("read_text", "read_bytes", ".read(", "open("))
                    assert not reads, f"{path}, line {node.lineno}, reads JSON without backend.common.json_files"
