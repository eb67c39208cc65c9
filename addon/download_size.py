# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by the environment's own Python: asks a package index what it would send, and how large that is.

    python download_size.py '[["--index-url", "https://…", "torch>=2.3"], …]'

Each list is the end of a pip command. No package is downloaded: pip only resolves, which needs pip 25.3, and every file
is asked for its length alone. The last line says ``unrender-size {"names": […], "bytes": N, "unknown": N}``. Standard
library alone; it belongs to neither process of Unrender.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

MARK = "unrender-size "
SECONDS = 20.0
CONNECTIONS = 8


def packages_of(arguments: list[str]) -> dict[str, str]:
    """Returns names and addresses of what pip would install; ends the program where pip fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--dry-run"]
    command += ["--ignore-installed", "--quiet", "--only-binary", ":all:", "--report", "-", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    report = json.loads(done.stdout)
    return {one["metadata"]["name"].lower(): one["download_info"]["url"] for one in report["install"]}


def size_of(address: str) -> int | None:
    """Returns a file's length in bytes; None where nobody says it."""
    parts = urllib.parse.urlsplit(address)
    try:
        if parts.scheme == "file":
            return os.stat(urllib.request.url2pathname(parts.path)).st_size
        for context in contexts():
            request = urllib.request.Request(address, method="HEAD")
            try:
                with urllib.request.urlopen(request, timeout=SECONDS, context=context) as answer:
                    length = answer.headers.get("Content-Length")
                    return int(length) if length else None
            except urllib.error.URLError as error:
                if not isinstance(error.reason, ssl.SSLError):
                    return None
    except (OSError, ValueError):
        pass
    return None


def contexts() -> list[ssl.SSLContext]:
    """Returns whose certificates are believed: the user's choice, the system's, then those that come with pip."""
    named = os.environ.get("PIP_CERT")
    found = [ssl.create_default_context(cafile=named)] if named and os.path.exists(named) else []
    found.append(ssl.create_default_context())
    try:
        from pip._vendor import certifi

        found.append(ssl.create_default_context(cafile=certifi.where()))
    except (ImportError, OSError):  # some distributions take it out of pip
        pass
    return found


def main() -> int:
    """Entry point; returns the exit code."""
    addresses: dict[str, str] = {}
    for arguments in json.loads(sys.argv[1]):
        for name, address in packages_of(arguments).items():
            addresses.setdefault(name, address)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        sizes = list(pool.map(size_of, addresses.values()))
    known = [one for one in sizes if one is not None]
    told = {"names": sorted(addresses), "bytes": sum(known), "unknown": len(sizes) - len(known)}
    print(MARK + json.dumps(told), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
