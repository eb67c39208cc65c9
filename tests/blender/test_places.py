# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder that is written to, where Blender has a good one, none, or one that cannot be used."""

from __future__ import annotations

import stat

import pytest

bpy = pytest.importorskip("bpy")

from addon import environment, places


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    """No private folder from before; the current folder is one that a stranger has prepared."""
    places._private_folder.cache_clear()
    prepared = tmp_path / "prepared"
    (prepared / "env" / "bin").mkdir(parents=True)
    (prepared / "env" / "bin" / "python").write_text("#!/bin/sh\necho planted\n")
    (prepared / "env" / environment.FINISHED_MARK).write_text("")
    monkeypatch.chdir(prepared)
    yield
    places._private_folder.cache_clear()


def test_blenders_folder_is_used_where_it_can_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(bpy.utils, "user_resource", lambda *_, **__: str(tmp_path))
    assert places.user_folder() == tmp_path


def answers_nothing(*_, **__):
    return ""


def fails(*_, **__):
    raise OSError("no home folder")


def says_a_relative_folder(*_, **__):
    return "env"


@pytest.mark.parametrize("answer", [answers_nothing, fails, says_a_relative_folder])
def test_where_blender_has_none_it_is_private_and_new(answer, monkeypatch):
    monkeypatch.setattr(bpy.utils, "user_resource", answer)
    folder = places.user_folder()
    assert folder.is_absolute() and folder == places.user_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and not any(folder.iterdir())
    places._private_folder.cache_clear()
    assert places.user_folder() != folder, "nobody can foresee its name"


def test_an_interpreter_in_the_current_folder_is_not_taken(monkeypatch):
    monkeypatch.setattr(bpy.utils, "user_resource", answers_nothing)
    monkeypatch.delenv(environment.INTERPRETER_VARIABLE, raising=False)
    assert "own environment" not in environment.find().source
