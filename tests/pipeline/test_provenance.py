# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an object was made is told by hashes and settings, never by paths."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import torch

from backend.common.records import ReconstructRequest
from backend.common.version import VERSION
from backend.pipeline.provenance import provenance

CPU = torch.device("cpu")


def test_the_version_is_that_of_the_package_and_of_the_extension(root: Path) -> None:
    package = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    extension = tomllib.loads((root / "blender_manifest.toml").read_text())["version"]
    assert VERSION == package == extension


def test_photo_mask_and_weights_are_told_by_their_hashes_and_no_path_is_told(tmp_path: Path) -> None:
    photo, mask, bundle = tmp_path / "photo.jpg", tmp_path / "mask.png", tmp_path / "weights"
    bundle.mkdir()
    for file, content in ((photo, b"photo"), (mask, b"mask"), (bundle / "a.safetensors", b"network")):
        file.write_bytes(content)
    request = ReconstructRequest(str(photo), str(mask), bundle=str(bundle), quality="fine", azimuth=0.5)
    made = provenance(request, "weights", bundle, CPU)
    assert made["photo_sha256"] == hashlib.sha256(b"photo").hexdigest()
    assert made["mask_sha256"] == hashlib.sha256(b"mask").hexdigest()
    settings = json.loads(made["settings"])
    assert settings["quality"] == "fine" and settings["azimuth"] == 0.5
    assert str(tmp_path) not in json.dumps(made)
    (bundle / "a.safetensors").write_bytes(b"another network")
    again = provenance(request, "weights", bundle, CPU)
    assert {name for name in made if made[name] != again[name]} == {"weights_sha256"}


def test_a_photo_that_is_gone_and_a_bundle_without_files_leave_their_hashes_empty(tmp_path: Path) -> None:
    made = provenance(ReconstructRequest(str(tmp_path / "gone.jpg")), "car", None, CPU)
    assert made["photo_sha256"] == made["weights_sha256"] == "" and "mask_sha256" not in made


def test_further_photographs_are_told_by_their_hashes_alone(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jpg" for number in range(3)]
    for path in paths:
        path.write_bytes(path.name.encode())
    made = provenance(
        ReconstructRequest(str(paths[0]), further_paths=[str(one) for one in paths[1:]]), "car", None, CPU
    )
    assert made["further_sha256"].split() == [hashlib.sha256(path.name.encode()).hexdigest() for path in paths[1:]]
    assert str(tmp_path) not in json.dumps(made)
    assert "further_sha256" not in provenance(ReconstructRequest(str(paths[0])), "car", None, CPU)
