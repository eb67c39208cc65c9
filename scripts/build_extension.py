# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the zip that Blender installs, by the rules of blender_manifest.toml. Needs neither Blender nor any package.

    python scripts/build_extension.py [--out DIR]

In a git checkout only files that git tracks or would track are packed. Beside the zip lies index.json, with which the
folder is a repository of extensions: put both on any web server or shared disk, and Blender (Preferences > Get
Extensions > Repositories) installs from the index's address and finds later versions there. With --blender a Blender
checks the zip and writes the index itself.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from backend.common import files  # noqa: E402 - the repository's root is not on the path before

MAX_BYTES = 40 * 1024 * 1024
"""What an extension may weigh: more would not be downloaded gladly."""
INDEX = "index.json"
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The same files make the same zip, whenever it is built."""


def is_excluded(path: str, patterns: list[str]) -> bool:
    """Says whether a file is left out, by the part of gitignore's rules that manifests use.

    A pattern with a slash at its start is about the path from the root, any other about each part of it; a slash at the
    end asks for a folder.
    """
    parts = path.split("/")
    for pattern in patterns:
        only_folder = pattern.endswith("/")
        name = pattern.strip("/")
        if pattern.startswith("/"):
            depth = name.count("/") + 1
            matches = fnmatch.fnmatchcase("/".join(parts[:depth]), name) and (len(parts) > depth or not only_folder)
        else:
            matches = any(fnmatch.fnmatchcase(part, name) for part in (parts[:-1] if only_folder else parts))
        if matches:
            return True
    return False


def candidates() -> list[str]:
    """Returns the paths of all files of the checkout, with slashes, from the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
        paths = [path for path in listed if path and (ROOT / path).is_file()]
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive has no history
        paths = []
        for folder, folders, files in os.walk(ROOT):
            folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
            paths += [(Path(folder) / name).relative_to(ROOT).as_posix() for name in files]
    return sorted(set(paths))


def manifest() -> dict[str, Any]:
    """Returns the extension's manifest. Raises OSError or ValueError where it is none."""
    return tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))


def build(out: Path) -> Path:
    """Writes the zip into a folder and returns its path. Raises OSError, KeyError for an incomplete manifest."""
    told = manifest()
    patterns = told["build"]["paths_exclude_pattern"]
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{told['id']}-{told['version']}.zip"
    with (
        files.replacing(path) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
    ):
        for name in candidates():
            if not is_excluded(name, patterns):
                entry = zipfile.ZipInfo(name, ZIP_TIME)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, (ROOT / name).read_bytes())
    return path


def index_of(path: Path) -> dict[str, Any]:
    """Returns the index of a repository that holds this zip alone, in the form that Blender reads (version 1).

    What Blender shows of an extension before it is installed is its manifest; the address is relative to the index.
    """
    described = {key: value for key, value in manifest().items() if key != "build"}
    content = path.read_bytes()
    described |= {
        "archive_url": f"./{path.name}",
        "archive_size": len(content),
        "archive_hash": f"sha256:{hashlib.sha256(content).hexdigest()}",
    }
    return {"version": "v1", "blocklist": [], "data": [described]}


def ask_blender(blender: str, path: Path) -> None:
    """Has a Blender check the zip and write the index beside it. Raises ValueError with what it said."""
    for words in (["validate", str(path)], ["server-generate", "--repo-dir", str(path.parent)]):
        try:
            # One path, which may hold spaces; or a command with words of its own.
            start = [blender] if shutil.which(blender) else blender.split()
            command = [*start, "--command", "extension", *words]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise ValueError(f"{blender} cannot be started ({error}): give --blender the path of one.") from error
        if done.returncode != 0:
            said = " ".join((done.stdout + done.stderr).split())[-300:]
            raise ValueError(f"Blender refuses the extension (extension {words[0]}): {said}")


def main() -> int:
    """Builds and says how large the result is; 1 if it is too large or could not be made."""
    parser = argparse.ArgumentParser(description="Makes the zip that Blender installs, and a repository's index of it.")
    parser.add_argument("--out", type=Path, default=ROOT / "out", help="folder for zip and index (default: out)")
    parser.add_argument(
        "--blender", default="", metavar="PATH", help="Blender that checks the zip and writes the index"
    )
    options = parser.parse_args([word for word in sys.argv[1:] if word != "--"])
    try:
        path = build(options.out)
        files.write_json(path.parent / INDEX, index_of(path))
        if options.blender:
            ask_blender(options.blender, path)
    except (OSError, ValueError) as error:
        print(f"build_extension.py: {error}", file=sys.stderr)
        return 1
    size = path.stat().st_size
    print(f"{path}: {size / 1024 / 1024:.1f} MB")
    print(f"{path.parent / INDEX}: the index of a repository")
    if size > MAX_BYTES:
        print(f"That is more than {MAX_BYTES / 1024 / 1024:.0f} MB.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
