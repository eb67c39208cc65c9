# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""NumPy waits until it is used, and is then itself, however it was asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARRANGED = """
import sys
from addon import late_numpy
late_numpy.arrange()
import numpy as np
assert "numpy._core" not in sys.modules and "numpy.core" not in sys.modules, "nothing is loaded yet"
"""
LOADED = """
import numpy
from types import ModuleType
assert type(numpy) is ModuleType and numpy is sys.modules["numpy"] is np
assert float(np.linalg.norm(np.array([3.0, 4.0]))) == 5.0 and np.__version__ == numpy.version.version
"""


def run(text: str) -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", text], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "first_use",
    [
        "np.zeros(3)",
        "import numpy.linalg",
        "from numpy import float32",
        "from numpy.lib import stride_tricks",
        "import cv2",
        "dir(np.fft)",
    ],
)
def test_the_first_use_loads_it_whole(first_use):
    run(ARRANGED + first_use + LOADED)


def test_threads_that_use_it_at_once_all_find_it():
    use = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    assert list(pool.map(lambda number: int(np.full(2, number).sum()), range(64))) == [2 * n for n in range(64)]
"""
    run(ARRANGED + use + LOADED)


def test_one_that_is_loaded_stays_as_it_is():
    run("import sys, numpy\nfrom addon import late_numpy\nlate_numpy.arrange()\nnp = numpy\n" + LOADED)


def test_one_that_is_missing_stays_missing():
    text = """
import importlib.util
from addon import late_numpy
importlib.util.find_spec = lambda name: None
late_numpy.arrange()
import sys
assert "numpy" not in sys.modules
"""
    run(text)
