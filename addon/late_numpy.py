# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""NumPy, loaded when something of it is first used: half of what we would add to Blender's start.

Python's own LazyLoader does not serve: from 3.12 on a second ``import numpy`` makes it load already.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from types import ModuleType
from typing import Any

NAME = "numpy"

_lock = threading.RLock()
_loading: list[int] = []
"""The thread that loads it, while it does: what it finds missing then is missing. Others wait for the whole."""


class _Later(ModuleType):
    """Stands for a module until an attribute is asked for that it has not got yet, then is that module."""

    def __getattr__(self, name: str) -> Any:
        if threading.get_ident() in _loading:
            raise AttributeError(f"module {NAME!r} has no attribute {name!r}")
        with _lock:
            if type(self) is _Later:
                self._load()
        return getattr(self, name)

    def _load(self) -> None:
        specification = self.__spec__
        assert specification is not None and specification.loader is not None
        self.__path__ = list(specification.submodule_search_locations or ())
        _loading.append(threading.get_ident())
        try:
            specification.loader.exec_module(self)
        except BaseException:
            sys.modules.pop(NAME, None)  # the next import tries anew and says what is wrong
            raise
        finally:
            _loading.clear()
        self.__class__ = ModuleType  # type: ignore[assignment]


def arrange() -> None:
    """Has ``import numpy`` load nothing yet, in Blender as a whole; does nothing where it is loaded or missing."""
    specification = None if NAME in sys.modules else importlib.util.find_spec(NAME)
    if specification is None or specification.loader is None:
        return
    module = importlib.util.module_from_spec(specification)
    del module.__path__  # a submodule asks for it first, and needs the whole
    module.__class__ = _Later
    sys.modules[NAME] = module
