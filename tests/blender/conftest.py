# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests inside of Blender share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture
def emptied_file() -> Iterator[None]:
    """A test begins with an empty file and the add-on registered."""
    import bpy

    import addon

    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    yield
    addon.unregister()
