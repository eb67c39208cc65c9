# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in which pip fails has a sentence of its own with a remedy, and what it fetches is counted."""

from __future__ import annotations

import ctypes.util
from pathlib import Path

import pytest

pytest.importorskip("bpy")

from addon import device_builds, pip_output
from tests.helpers import pip_outputs as recorded

GB = 1000 * pip_output.MEGABYTE


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("output", "said", "remedy"),
    [
        (recorded.NO_NAME, "no connection to download.example", "go online"),
        (recorded.NO_NAME_WINDOWS, "no connection to pypi.example", "a folder of wheels"),
        (recorded.CONNECTION_REFUSED, "connection to mirror.example failed", "install again"),
        (recorded.BROKEN_OFF, "broke off", "install again"),
        (recorded.CERTIFICATE, "certificate of mirror.example is not trusted", "PIP_CERT"),
        (recorded.EXPIRED, "not valid today", "clock"),
        (recorded.PROXY, "proxy", "HTTPS_PROXY"),
        (recorded.NOTHING_FOUND, "has no torch for Python 3.14", "another build"),
        (recorded.TOO_NEW, "has no torch for Python 3.14", "another Python"),
        (recorded.DISK_AFTER_A_RETRY, "disk is full", "7,500 MB"),
        (recorded.DISK_WINDOWS, "disk is full", "make room"),
        (recorded.HASH, "damaged", "install again"),
        (recorded.DAMAGED, "damaged", "install again"),
        (recorded.LOCKED, "could not be written", "virus scanner"),
        (recorded.LONG_PATH, "paths this long", "allow long paths"),
        (recorded.NO_ENSUREPIP, "cannot make environments", "python3-venv"),
        ("MemoryError\n", "memory", "close other programs"),
        ("ERROR: something new\n", "something new", ""),
        ("", "Installing failed", ""),
    ],
)
def test_a_failure_has_its_own_sentence(output, said, remedy):
    told = pip_output.reason(output, pip_output.Circumstances(needed_bytes=7.5 * GB, python="3.14"))
    assert said in told and remedy in told
    assert told.endswith(".") and "\n" not in told and len(told) < 250


def test_a_network_that_recovered_is_not_blamed():
    output = recorded.CONNECTION_REFUSED.replace(recorded.NOTHING_FOUND, recorded.TOO_NEW)
    assert "no torch for Python" in pip_output.reason(output)


def test_a_proxy_that_refuses_is_told_from_an_index_that_does(monkeypatch):
    assert "proxy.example failed" in pip_output.reason(recorded.PROXY_REFUSED)
    monkeypatch.setenv("HTTPS_PROXY", "http://user:word@proxy.example:3128")
    assert pip_output.reason(recorded.PROXY_REFUSED).startswith("The proxy")


def test_a_folder_and_an_address_are_named_where_they_lack_something():
    told = pip_output.reason(recorded.NOTHING_FOUND, pip_output.Circumstances(wheels=Path("wheels")))
    assert told.startswith("The folder wheels has no wheel of torch")
    told = pip_output.reason(recorded.NOTHING_FOUND, pip_output.Circumstances(index="https://mirror.example/simple"))
    assert told.startswith("https://mirror.example/simple has no torch") and "look at the address" in told


def test_bytes_are_counted_with_those_of_the_cache_and_lines_may_come_in_pieces():
    whole, pieces = pip_output.Downloads(), pip_output.Downloads()
    whole.feed(recorded.FETCHED)
    for start in range(0, len(recorded.FETCHED), 7):
        pieces.feed(recorded.FETCHED[start : start + 7])
    assert whole.bytes == pieces.bytes == 16_000 + 50_000_000 and whole.name == "torch" and not whole.installing
    whole.feed(recorded.UNPACKING)
    assert whole.bytes == 16_000 + 200_000_000 + 6_300_000 and whole.installing
    whole.feed("Successfully installed torch\n")
    assert not whole.installing


def test_packages_of_a_folder_count_by_their_files(tmp_path):
    path = tmp_path / "toy-1.0-py3-none-any.whl"
    path.write_bytes(b"x" * 300)
    downloads = pip_output.Downloads()
    downloads.feed(f"Processing {path}\nProcessing /nowhere/other-1.0-py3-none-any.whl\n")
    assert (downloads.bytes, downloads.taken, downloads.name) == (300, 2, "other")


def test_a_download_that_goes_on_after_an_interruption_counts_once():
    downloads = pip_output.Downloads()
    downloads.feed(recorded.BROKEN_OFF)
    downloads.feed("Installing collected packages: toy\n")
    assert downloads.bytes == 200_000


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 MB"), (2_480_000, "2 MB"), (3.4 * GB, "3,400 MB"), (17 * GB, "17.0 GB")]
)
def test_sizes_are_for_people(count, text):
    assert pip_output.size(count) == text


def test_the_build_is_chosen_by_what_is_in_the_machine(monkeypatch, tmp_path):
    monkeypatch.setattr(device_builds.sys, "platform", "linux")
    monkeypatch.setattr(device_builds, "BUILDS", device_builds._builds())
    monkeypatch.setattr(device_builds, "_has_nvidia_driver", lambda: False)
    monkeypatch.setattr(device_builds, "AMD_NODES", tmp_path)
    find = device_builds.detected.__wrapped__
    assert find().identifier == device_builds.CPU
    (tmp_path / "1").mkdir()
    properties = tmp_path / "1" / "properties"
    properties.write_text("simd_count 24\ngfx_target_version 90012\n")  # graphics inside a processor
    assert find().identifier == device_builds.CPU
    properties.write_text("simd_count 80\ngfx_target_version 110000\n")
    assert find().identifier == device_builds.AMD
    monkeypatch.setattr(device_builds, "_has_nvidia_driver", lambda: True)
    assert find().identifier == device_builds.NVIDIA
    monkeypatch.setattr(device_builds.sys, "platform", "darwin")
    monkeypatch.setattr(device_builds, "BUILDS", device_builds._builds())
    assert find().identifier == device_builds.APPLE and find().address == device_builds.GENERAL_INDEX


def test_a_driver_is_found_by_its_files(monkeypatch):
    monkeypatch.setattr(device_builds.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert device_builds._has_nvidia_driver()
    monkeypatch.setattr(device_builds.shutil, "which", lambda name: None)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: "libcuda.so.1")
    assert device_builds._has_nvidia_driver()


def test_an_unknown_build_is_refused_with_those_that_there_are():
    assert device_builds.chosen("cpu").identifier == device_builds.CPU or device_builds.APPLE in device_builds.BUILDS
    with pytest.raises(ValueError, match="choose one of auto"):
        device_builds.chosen("voodoo")
