# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door to the backend: its part that needs neither torch nor anything else that Blender does not ship.

Inside Blender the backend is a sibling in the extension's package; in a checkout it is a package of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING or "." not in __package__:
    from backend.common import (
        bundle_files,
        category_steps,
        files,
        harmonics,
        json_files,
        pictures,
        pinhole,
        progress,
        records,
        region_map,
        regions,
        run_files,
        shape_space,
        version,
        view_set,
    )
    from backend.ipc import client, protocol, variables
else:
    from ..backend.common import (
        bundle_files,
        category_steps,
        files,
        harmonics,
        json_files,
        pictures,
        pinhole,
        progress,
        records,
        region_map,
        regions,
        run_files,
        shape_space,
        version,
        view_set,
    )
    from ..backend.ipc import client, protocol, variables

__all__ = [
    "bundle_files",
    "category_steps",
    "client",
    "files",
    "harmonics",
    "json_files",
    "pictures",
    "pinhole",
    "progress",
    "protocol",
    "records",
    "region_map",
    "regions",
    "run_files",
    "shape_space",
    "variables",
    "version",
    "view_set",
]
