# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that say that memory ran out are known, whichever library raises them; others that only name it are not."""

from __future__ import annotations

import errno
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch

from backend.common import memory
from backend.errors import BundleError, PhotoError


def raised(body: Callable[[], object]) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each library has its own
        body()
    return caught.value


def made_of(inner: Exception) -> BaseException:
    def body() -> None:
        raise BundleError("The weights cannot be used.") from inner

    return raised(body)


@pytest.mark.parametrize(
    "error",
    [
        raised(lambda: np.empty(1 << 60, np.uint8)),
        raised(lambda: torch.empty(1 << 60, dtype=torch.uint8)),
        raised(lambda: bytearray(1 << 62)),
        raised(lambda: cv2.resize(np.zeros((2, 2), np.uint8), (1 << 30, 1 << 30))),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 4 GB, max allowed: 5 GB)."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        made_of(MemoryError()),
    ],
    ids=lambda error: type(error).__name__,
)
def test_memory_that_ran_out_is_known(error: BaseException) -> None:
    assert memory.ran_out(error)


@pytest.mark.parametrize(
    "error",
    [
        PhotoError("out of memory.jpg is not a picture."),
        FileNotFoundError(errno.ENOENT, "No such file", "out of memory.jpg"),
        ValueError("not enough memory cells"),
        RuntimeError("shape '[2]' is invalid for input of size 3"),
        made_of(KeyError("out of memory")),
        None,
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_only_names_it_is_something_else(error: BaseException | None) -> None:
    assert not memory.ran_out(error)
