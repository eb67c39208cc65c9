# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an object was made: version, weights, settings and the photo's own hash, so that it can be made again."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch

from ..common.records import ReconstructRequest
from ..common.version import VERSION

_PATHS = ("image_path", "further_paths", "mask_path", "cutout_model", "bundle")
"""Settings that tell of the user's machine: files are told by their hashes instead, of the bundle its name."""


def provenance(request: ReconstructRequest, bundle: str, folder: Path | None, device: torch.device) -> dict[str, str]:
    """What an object of a request was made by; every value is a short text.

    ``folder`` is the bundle's, None where it has none. A file that can no longer be read has an empty hash.
    """
    settings = {name: value for name, value in asdict(request).items() if name not in _PATHS}
    made = {
        "version": VERSION,
        "torch": str(torch.__version__),
        "device": device.type,
        "bundle": bundle,
        "weights_sha256": "" if folder is None else _hash_of_folder(folder),
        "photo_sha256": _hash_of(Path(request.image_path)),
        "settings": json.dumps(settings, sort_keys=True),
    }
    if request.further_paths:
        made["further_sha256"] = " ".join(_hash_of(Path(path)) for path in request.further_paths)
    for name, path in (("mask_sha256", request.mask_path), ("cutout_model_sha256", request.cutout_model)):
        if path and (digest := _hash_of(Path(path))):
            made[name] = digest
    return made


def _hash_of_folder(folder: Path) -> str:
    """One hash of all networks and templates of a bundle, in the order of their names."""
    files = sorted(path for pattern in ("*.safetensors", "*.npz") for path in folder.glob(pattern))
    whole = hashlib.sha256()
    for path in files:
        whole.update(f"{path.name} {_hash_of(path)}\n".encode())
    return whole.hexdigest() if files else ""


def _hash_of(path: Path) -> str:
    try:
        status = path.stat()
        return _hash(path, status.st_mtime_ns, status.st_size)
    except OSError:
        return ""


@functools.lru_cache(maxsize=256)
def _hash(path: Path, modified: int, size: int) -> str:
    """SHA-256 of a file; remembered until it changes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
