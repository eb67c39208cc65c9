# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What words of a command stand for, what folders results get, and one run a folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from addon import batch_inputs, batch_lock


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(found: batch_inputs.Found, base: Path) -> list[str]:
    return [path.relative_to(base).as_posix() for path in found.photos]


def test_folders_patterns_and_files_become_a_list_without_repeats(tmp_path: Path) -> None:
    touch(tmp_path / "b.jpg", tmp_path / "a.JPG", tmp_path / "sub" / "c.png", tmp_path / "d.png")
    found = batch_inputs.find([str(tmp_path / "*.png"), str(tmp_path), str(tmp_path / "**" / "*.png")])
    assert names(found, tmp_path) == ["d.png", "a.JPG", "b.jpg", "sub/c.png"]


def test_a_name_with_brackets_that_is_there_is_no_pattern(tmp_path: Path) -> None:
    touch(tmp_path / "car[1].jpg", tmp_path / "car1.jpg")
    assert names(batch_inputs.find([str(tmp_path / "car[1].jpg")]), tmp_path) == ["car[1].jpg"]
    (tmp_path / "car[1].jpg").unlink()
    assert names(batch_inputs.find([str(tmp_path / "car[1].jpg")]), tmp_path) == ["car1.jpg"]


def test_a_pattern_that_fits_nothing_is_refused_and_a_missing_file_is_not(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Nothing fits the pattern .*\*\.jpg"):
        batch_inputs.find([str(tmp_path / "*.jpg")])
    assert names(batch_inputs.find([str(tmp_path / "gone.jpg")]), tmp_path) == ["gone.jpg"]


def test_what_is_skipped_is_named_by_kind(tmp_path: Path) -> None:
    touch(*(tmp_path / f"{number}.heic" for number in range(5)), tmp_path / "notes.txt", tmp_path / ".hidden")
    (tmp_path / "more").mkdir()
    found = batch_inputs.find([str(tmp_path)])
    (sentence,) = batch_inputs.skipped_sentences(found.skipped)
    assert "5 × .heic (0.heic, 1.heic, 2.heic, …)" in sentence
    assert "1 × .txt (notes.txt)" in sentence and "1 × a folder (more)" in sentence and ".hidden" not in sentence


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_is_named_like_a_photo_and_is_none_stays_to_be_told(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    touch(tmp_path / "photo.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    found = batch_inputs.find([str(tmp_path)])
    assert names(found, tmp_path) == ["folder.jpg", "gone.jpg", "photo.jpg", "pipe.jpg"]
    kinds = [batch_inputs.not_a_file(path) for path in found.photos]
    assert kinds == ["a folder", "", "", "a named pipe"]


def test_photos_of_one_name_are_told_apart_by_where_they_lie(tmp_path: Path) -> None:
    sources = [tmp_path / name for name in ("a/car.jpg", "a/car.png", "b/Car.jpg", "c/b/car.jpg", "d/b/car.jpg")]
    assert batch_inputs.folder_names(sources) == ["car", "car-png", "Car-b", "car-b-jpg", "car-2"]


def test_a_folder_made_from_another_photo_or_not_by_us_is_left_alone(tmp_path: Path) -> None:
    out, first, second = tmp_path / "out", tmp_path / "a" / "car.jpg", tmp_path / "b" / "car.jpg"
    touch(out / "car" / "texture.png")
    (out / "car" / batch_inputs.CAMERA_FILE).write_text(json.dumps({batch_inputs.OWNER: str(first)}))
    touch(out / "van" / "photo of mine.jpg")
    assert batch_inputs.folder_names([first], out) == ["car"]
    assert batch_inputs.folder_names([second], out) == ["car-b"]
    assert batch_inputs.folder_names([tmp_path / "a" / "van.jpg"], out) == ["van-a"]


def test_no_photo_lies_in_the_folder_that_its_own_result_gets(tmp_path: Path) -> None:
    photo = tmp_path / "preview" / "preview.png"
    touch(photo)
    (photo.parent / batch_inputs.CAMERA_FILE).write_text("{}")
    assert batch_inputs.folder_names([photo], tmp_path) == ["preview-preview"]


def test_names_are_valid_short_and_not_reserved(tmp_path: Path) -> None:
    strange = Path(os.fsdecode(b"/photos/a\xff.jpg"))
    sources = [strange, Path("/photos/report.json.jpg"), Path("/photos/.jpg"), Path("/photos/" + "é" * 120 + ".jpg")]
    first, second, third, long = batch_inputs.folder_names(sources, tmp_path, ["report.json"])
    assert first == "a_" and second == "report.json-photos" and third == "jpg"
    assert long == "é" * (batch_inputs.LONGEST_NAME // 2)
    assert batch_inputs.refusal_of_path(tmp_path, [long]) == ""
    assert "is too long" in batch_inputs.refusal_of_path(tmp_path / ("x" * 900), ["name"])


def test_the_whole_and_shards_of_one_division_exclude_each_other(tmp_path: Path) -> None:
    with batch_lock.locked(tmp_path, (1, 2)):
        with batch_lock.locked(tmp_path, (2, 2)):
            pass
        for other in (None, (1, 2), (1, 3)):
            with pytest.raises(batch_lock.Taken, match=f"process {os.getpid()} .* writes into"):
                with batch_lock.locked(tmp_path, other):
                    pass
    with batch_lock.locked(tmp_path):
        with pytest.raises(batch_lock.Taken):
            with batch_lock.locked(tmp_path, (1, 2)):
                pass
    assert not list(tmp_path.iterdir())


def test_the_lock_of_a_process_that_was_killed_is_taken_over(root: Path, tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys\nfrom addon import batch_lock\n"
        "with batch_lock.locked(pathlib.Path(sys.argv[1])):\n    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root)
    assert done.returncode != 0 and (tmp_path / batch_lock.WHOLE).is_file()
    with batch_lock.locked(tmp_path):
        pass
    assert not (tmp_path / batch_lock.WHOLE).exists()
