# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that tries damaged files, kills and full disks: a few cases of each part, and that it finds faults."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from scripts.measuring.hostile import Cases


def test_a_few_cases_of_each_part_have_no_faults(root: Path, tmp_path: Path) -> None:
    words = "--pictures 20 --checkpoints 12 --bundles 6 --kills 0 --disks 0 --seed 3".split()
    command = [sys.executable, str(root / "scripts/measuring/hostile.py"), *words, "--out", str(tmp_path / "f.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "f.json").read_text())
    assert report == json.loads(done.stdout) and report["faults"] == 0 and "kills" not in report
    for part, cases in (("pictures", 21), ("checkpoints", 12), ("bundles", 6)):
        assert report[part]["cases"] == cases == report[part]["accepted"] + report[part]["refused"]


def test_errors_of_other_kinds_and_texts_of_many_lines_are_faults() -> None:
    def wrong() -> None:
        raise KeyError("x")

    def long() -> None:
        raise ValueError("one\ntwo")

    cases = Cases("tried")
    cases.tried(0, "good", lambda: None, ())
    cases.tried(1, "wrong", wrong, (ValueError,))
    cases.tried(2, "long", long, (ValueError,))
    figures = cases.figures()
    assert (figures["accepted"], figures["refused"], figures["faults"]) == (1, 1, 2)
    assert "KeyError" in figures["told"][0]
