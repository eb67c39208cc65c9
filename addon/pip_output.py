# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pip prints, read: how many bytes have come, and in one sentence why it failed and what to do. No bpy.

The same last line, "No matching distribution found", stands at the end of a network that is down, a certificate that
is refused and a Python too new; what pip said before tells them apart.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sys
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

MEGABYTE = 1_000_000
_UNITS = {"bytes": 1, "kB": 1_000, "MB": MEGABYTE, "GB": 1_000 * MEGABYTE}

_PROGRESS = re.compile(r"^Progress (\d+) of (\d+)")
_FETCH = re.compile(
    r"^\s*(Downloading|Using cached|Resuming download) (\S+)(?: \((?:[\d.]+/)?([\d.]+) ?(bytes|kB|MB|GB)\))?"
)
_TAKEN = re.compile(r"^\s*Processing (\S+\.whl)")


@dataclass
class Downloads:
    """What pip has fetched so far, line by line."""

    name: str = ""
    """Package that comes just now."""
    taken: int = 0
    """Packages that were taken from a folder."""
    installing: bool = False
    """All has come; packages are being unpacked."""
    _file: str = field(default="", repr=False)
    _finished: float = 0.0
    _current: float = 0.0
    _size: float = 0.0
    _rest: str = field(default="", repr=False)

    @property
    def bytes(self) -> int:
        """Bytes that are here, of cached packages too."""
        return round(self._finished + self._current)

    def feed(self, text: str) -> None:
        """Takes in a piece of pip's output, which may end in the middle of a line."""
        *lines, self._rest = re.split(r"[\r\n]", self._rest + text)
        for line in lines:
            self._take(line)

    def _take(self, line: str) -> None:
        if found := _PROGRESS.match(line):
            self._current, self._size = float(found[1]), float(found[2] or 0)
        elif (found := _FETCH.match(line)) and not found[2].endswith((".metadata", ".html")):
            if found[2] != self._file:  # else it goes on after an interruption
                self._close()
            self._file, self.name = found[2], _package(found[2])
            self._size = float(found[3]) * _UNITS[found[4]] if found[3] else 0.0
            if found[1] == "Using cached":
                self._close()
        elif found := _TAKEN.match(line):
            self.name = _package(found[1])
            self.taken += 1
            with contextlib.suppress(OSError):
                self._finished += os.path.getsize(found[1])
        elif line.startswith("Installing collected packages"):
            self._close()
            self.installing = True
        elif line.startswith(("Successfully installed", "Looking in ")):
            self.installing = False

    def _close(self) -> None:
        """The present package is here."""
        self._finished += max(self._size, self._current)
        self._file, self._current, self._size = "", 0.0, 0.0


def _package(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].split("-")[0]


def size(count: float) -> str:
    """Returns a number of bytes in megabytes, or gigabytes from 10,000 on, for people."""
    megabytes = count / MEGABYTE
    return f"{megabytes:,.0f} MB" if megabytes < 10_000 else f"{megabytes / 1000:,.1f} GB"


@dataclass(frozen=True)
class Circumstances:
    """Where pip was to take packages from, for the sentence."""

    wheels: Path | None = None
    """Folder of wheels in place of an index."""
    needed_bytes: int = 0
    """What the finished environment takes, where that is known."""
    python: str = ""
    """Version of the Python, such as "3.13"; empty: this one's."""
    index: str = ""
    """Address that the user named; empty: the usual ones."""


_HOSTS = (re.compile(r"host='([^']+)'"), re.compile(r"Could not fetch URL https?://([^/:\s]+)"))

_DISK = ("No space left on device", "[WinError 112]", "Disk quota exceeded", "[Errno 28]", "[Errno 122]")
_REFUSED = ("Permission denied", "[WinError 5]", "Read-only file system", "[WinError 32]")
_DAMAGED = (
    "DO NOT MATCH THE HASHES",
    "BadZipFile",
    "is not a zip file",
    "has an invalid wheel",
    "Bad CRC",
    "is invalid.",
)
_PROXY = ("ProxyError", "Proxy Authentication Required", "Cannot connect to proxy", "Tunnel connection failed")
_CERTIFICATE = ("CERTIFICATE_VERIFY_FAILED", "SSLCertVerificationError", "certificate verify failed", "SSLError")
_CLOCK = ("certificate is not yet valid", "certificate has expired")
_NAME = (
    "NameResolutionError",
    "Temporary failure in name resolution",
    "getaddrinfo failed",
    "nodename nor servname",
    "Name or service not known",
    "Network is unreachable",
)
_CONNECTION = (
    "NewConnectionError",
    "Connection refused",
    "timed out",
    "TimeoutError",
    "RemoteDisconnected",
    "Connection broken",
    "Connection reset",
    "Connection aborted",
    "IncompleteRead",
    "incomplete-download",
)
_MEMORY = ("MemoryError", "Cannot allocate memory")
_LONG_PATHS = ("Windows Long Path support",)


def reason(output: str, circumstances: Circumstances = Circumstances()) -> str:
    """Returns one sentence, or two, about a step that failed: what was wrong, and what to do about it."""
    return _of_this_machine(output, circumstances) or _of_the_network(output) or _of_the_packages(output, circumstances)


def is_damaged(output: str) -> bool:
    """Says whether a package was not as its index says; pip's cache may then hold it so, and give it again."""
    return _says(output, _DAMAGED)


def _says(output: str, signs: tuple[str, ...]) -> bool:
    return any(sign in output for sign in signs)


def _of_this_machine(output: str, circumstances: Circumstances) -> str:
    """Disk, permissions, memory, a Python without venv; empty where it was none of these."""
    if _says(output, _DISK):
        needed = f" about {size(circumstances.needed_bytes)}" if circumstances.needed_bytes else " some gigabytes"
        return f"The disk is full: make room for{needed}, or choose the build CPU, which is the smallest."
    if "ensurepip" in output or "No module named venv" in output:
        return "This Python cannot make environments: install the system's package python3-venv, or choose another."
    if _says(output, _LONG_PATHS):
        return (
            "Windows refuses paths this long: allow long paths in its settings, or give Blender a shorter user folder."
        )
    if _says(output, _DAMAGED):
        return "A package arrived damaged: install again, and it is fetched anew."
    if _says(output, _REFUSED):
        return "A file could not be written: close other Blenders, and look whether a virus scanner holds it."
    if _says(output, _MEMORY):
        return "There was not enough memory to unpack the packages: close other programs and install again."
    return ""


def _of_the_network(output: str) -> str:
    """Proxy, certificate, connection, refusal; empty where an index has answered with a list of versions."""
    if re.search(r"from versions: (?!none)", output):
        return ""
    host = next((found[1] for pattern in _HOSTS if (found := pattern.search(output))), "the package index")
    if _says(output, _PROXY) or host in _proxies():
        return (
            "The proxy does not let Unrender through: set HTTPS_PROXY to its address, with name and password where "
            "it asks for them, and start Blender again."
        )
    if _says(output, _CLOCK):
        return f"The certificate of {host} is not valid today: set this machine's clock, then install again."
    if _says(output, _CERTIFICATE):
        return (
            f"The certificate of {host} is not trusted here, as behind a company's network: name its certificate file "
            "in PIP_CERT and start Blender again, or install from a folder of wheels."
        )
    if _says(output, _NAME):
        return f"There is no connection to {host}: go online and install again, or install from a folder of wheels."
    if _says(output, _CONNECTION):
        return f"The connection to {host} failed or broke off: install again, packages that came whole are kept."
    return ""


def _proxies() -> set[str]:
    """Hosts of the proxies that the user's variables name."""
    names = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
    addresses = (urllib.parse.urlsplit(os.environ.get(name, "")) for name in names)
    return {address.hostname for address in addresses if address.hostname}


def _of_the_packages(output: str, circumstances: Circumstances) -> str:
    """A wheel that is not there, versions that exclude one another; else what pip itself said last."""
    version = circumstances.python or f"{sys.version_info.major}.{sys.version_info.minor}"
    lacking = re.search(r"No matching distribution found for ([\w.-]+)", output)
    if lacking and circumstances.wheels is not None:
        return (
            f"The folder {circumstances.wheels} has no wheel of {lacking[1]} for Python {version} on this system: "
            "put one there."
        )
    if lacking and sys.platform == "darwin" and platform.machine() == "x86_64" and lacking[1] == "torch":
        return (
            "torch is no longer built for Macs with Intel's processors: name a Python that has an older torch (2.3 on)."
        )
    if lacking or "requires a different Python" in output:
        package = lacking[1] if lacking else "a package"
        if circumstances.index:  # pip says the same of an address that is none
            return (
                f"{circumstances.index} has no {package} for Python {version} on this system: look at the address, or "
                "leave the package index empty."
            )
        return (
            f"The package index has no {package} for Python {version} on this system: choose another build, or name "
            "another Python under Make With in the preferences."
        )
    if "ResolutionImpossible" in output:
        return "The packages asked for exclude one another: leave the package index empty, or name a newer one."
    said = [line for line in output.splitlines() if line.startswith("ERROR: ")]
    return f"Installing failed ({said[-1][7:207]})." if said else "Installing failed."
