# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""View sets with their codes: ``views.json`` (see :mod:`..common.view_set`) and ``views.safetensors`` beside it.

A view code is the first k of the L codes w+ of an image. With it goes every content, the L - k codes that remain, and
all images made with one view code are taken by one camera.

Letters: M views, k codes of a view (the split), L codes of an image, D length of a code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from ..common import view_set
from ..common.records import Camera
from ..common.view_set import View, ViewSet, ViewSetError, azimuth_deg_of
from ..models.inverse_graphics import CROP_MARGIN, field_of_view_of
from ..models.storage import read_tensors, write_tensors

CODES_FILE = "views.safetensors"
CODES = "codes"
"""The one tensor of the file."""
START_DISTANCE = 3.0
"""Distance of every camera at the start, in the longest side of the object."""


@dataclass
class ViewCodes:
    """A view set and its codes."""

    view_set: ViewSet
    codes: Tensor
    """(M, k, D) float32; row = position in ``view_set.views``."""

    @property
    def views(self) -> list[View]:
        """All views, also those that were dropped."""
        return self.view_set.views

    @property
    def split(self) -> int:
        """The number k of codes that hold the view."""
        return self.codes.shape[1]

    def used(self) -> list[int]:
        """Positions of the views that were not dropped."""
        return [position for position, view in enumerate(self.views) if not view.dropped]

    def with_content(self, positions: Tensor, w_plus: Tensor) -> Tensor:
        """w+ (N, L, D) whose first k codes are those of the views at ``positions`` (N,)."""
        codes = self.codes.to(w_plus)[positions.to(w_plus.device)]
        return torch.cat([codes, w_plus[:, self.split :]], dim=1)

    def check_fits(self, codes: int, length: int) -> None:
        """Raises ViewSetError unless the codes are for a generator with L codes of length D."""
        if self.split >= codes or self.codes.shape[2] != length:
            raise ViewSetError(
                f"The view codes in {self.view_set.folder} are {self.split} codes of length {self.codes.shape[2]}, "
                f"and the generator has {codes} of length {length}: they are another generator's."
            )


def load_view_codes(folder: Path) -> ViewCodes:
    """The view set in a folder. Raises ViewSetError with one sentence where a file is missing, damaged or at odds."""
    folder = Path(folder)
    listed = view_set.read(folder)
    path = folder / CODES_FILE
    if not path.is_file():
        raise ViewSetError(f"{folder} is no whole view set: it has no {CODES_FILE}.")
    try:
        tensors, _ = read_tensors(path)
    except ValueError as error:
        raise ViewSetError(f"{path} is damaged: it is no file of codes.") from error
    codes = tensors.get(CODES)
    if codes is None or codes.dim() != 3 or not codes.is_floating_point():
        raise ViewSetError(f"{path} is damaged: it has no view codes (views, codes of a view, length).")
    if codes.shape[:2] != (len(listed.views), listed.split):
        raise ViewSetError(
            f"{path} holds {codes.shape[0]} views of {codes.shape[1]} codes, and {view_set.FILE_NAME} lists "
            f"{len(listed.views)} of {listed.split}."
        )
    if not bool(torch.isfinite(codes).all()):
        raise ViewSetError(f"{path} is damaged: it holds numbers that are not finite.")
    return ViewCodes(listed, codes.float())


def save_view_codes(set_with_codes: ViewCodes) -> None:
    """Writes both files, each beside its place and renamed; the list comes last, so that it never lacks its codes.

    Raises ViewSetError where they do not fit one another or cannot be written.
    """
    listed, codes = set_with_codes.view_set, set_with_codes.codes
    if codes.dim() != 3 or codes.shape[:2] != (len(listed.views), listed.split):
        raise ViewSetError(
            f"{len(listed.views)} views of {listed.split} codes cannot have codes of shape {tuple(codes.shape)}."
        )
    try:
        write_tensors(listed.folder / CODES_FILE, {CODES: codes.detach().float().cpu().contiguous()}, {})
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or "it is no place for a file"
        raise ViewSetError(f"{listed.folder / CODES_FILE} cannot be written ({reason}).") from error
    view_set.write(listed)


def starting_camera(view: View, distance: float = START_DISTANCE) -> Camera:
    """The camera with which a view starts: the middle of its bin, elevation 0, one distance for all views.

    Its field of view shows one unit of length, an object's longest side, as large as in the crop around an object.
    Raises ViewSetError for a view without a bin.
    """
    if view.bin is None:
        raise ViewSetError(f"View {view.identity} has no azimuth bin yet: give it one, or drop it.")
    field_of_view = field_of_view_of(torch.tensor(1 / CROP_MARGIN), torch.tensor(distance))
    return Camera(math.radians(azimuth_deg_of(view.bin)), 0.0, distance, field_of_view=float(field_of_view))


def starting_cameras(views: list[View], distance: float = START_DISTANCE) -> list[Camera]:
    """Of each view; see :func:`starting_camera`."""
    return [starting_camera(view, distance) for view in views]
