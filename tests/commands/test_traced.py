# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command under strace sought and read is told rightly: with a made-up trace, and with real ones."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from scripts.measuring import traced

TRACE = """
71 openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
71 openat(AT_FDCWD, "/home/someone/letters/one.txt", O_RDONLY) = 3
71 openat(AT_FDCWD, "/home/someone/letters/one.txt", O_RDONLY) = 4
71 openat(AT_FDCWD, "/home/someone/missing.txt", O_RDONLY) = -1 ENOENT (No such file or directory)
71 openat(AT_FDCWD, "/home/someone/photos/car.jpg", O_RDONLY) = 5
71 openat(5, "relative.txt", O_RDONLY) = 6
71 socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0) = 3
71 connect(3, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = -1 ENOENT (No such file or directory)
72 socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 7
72 connect(7, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("192.0.2.1")}, 16) = -1 EINPROGRESS
""".strip().splitlines()


def test_connections_to_other_machines_are_told_and_local_sockets_are_not() -> None:
    found = traced.connections(TRACE)
    assert len(found) == 2 and found[0].startswith("socket(AF_INET") and "192.0.2.1" in found[1]


def test_files_outside_are_told_once_and_those_that_are_not_there_are_not() -> None:
    allowed = ["/etc", "/home/someone/photos"]
    assert traced.files_outside(TRACE, allowed) == ["/home/someone/letters/one.txt"]
    assert traced.files_outside(TRACE, ["/home/someone/photo", *allowed[:1]])[-1] == "/home/someone/photos/car.jpg"


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("seeks", [False, True])
def test_a_real_command_is_watched(seeks: bool, capsys: pytest.CaptureFixture[str]) -> None:
    body = "import socket; socket.socket().connect_ex(('127.0.0.1', 9))" if seeks else "pass"
    code = traced.main(["--", sys.executable, "-I", "-c", body])
    told = json.loads(capsys.readouterr().out)
    if told["calls"] == 0:
        pytest.skip("nothing may be traced here")
    assert code == int(seeks) and bool(told["connections"]) == seeks and told["exit"] == 0
