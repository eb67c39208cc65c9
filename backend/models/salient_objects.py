# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that find whatever stands out in a picture: ONNX files that the user has, run by onnxruntime.

Such networks know no category, but their outlines are better than those of the bundle's small segmenter. The files
are kept where others of this field keep them: in the folder that ``U2NET_HOME`` names, else in ``~/.u2net``. What a
network expects does not stand in its file, so that its family is told by the file's name.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ..errors import UnrenderError

CONVENTIONAL_NAMES = ("birefnet-general-lite", "birefnet-general", "isnet-general-use", "u2net", "u2netp")
"""Files, without ``.onnx``, that are looked for where nobody names one; the first that is there is taken."""

_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_NOTHING_STANDS_OUT = 0.5
"""Highest value of an answer below which it is left as it is; others are stretched to [0, 1]."""
_NUMBERS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}

_logger = logging.getLogger(__name__)


class CutOutModelError(UnrenderError):
    """A cut-out model that cannot be used."""


@dataclass(frozen=True)
class Family:
    """What the networks of one kind expect and answer."""

    title: str
    side: int
    """Side of the square that they see, in pixels, where the file does not say it."""
    mean: tuple[float, float, float]
    """Subtracted from colours in [0, 1] …"""
    deviation: tuple[float, float, float]
    """… which are then divided by this."""
    by_brightest: bool = False
    """Whether colours are divided by the picture's highest value first, instead of 255."""
    logits: bool = False
    """Whether the answer goes through a sigmoid."""


U2NET = Family("U2-Net", 320, _IMAGENET_MEAN, _IMAGENET_DEVIATION, by_brightest=True)
ISNET = Family("IS-Net", 1024, (0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
BIREFNET = Family("BiRefNet", 1024, _IMAGENET_MEAN, _IMAGENET_DEVIATION, logits=True)

_FAMILIES = (("birefnet", BIREFNET), ("rmbg-2", BIREFNET), ("isnet", ISNET), ("rmbg", ISNET), ("u2net", U2NET))
"""Parts of file names, in small letters, and the families that they tell; the first that fits counts."""


@dataclass(frozen=True)
class SalientNetwork:
    """A loaded network."""

    name: str
    """The file's name, with its ending."""
    family: Family
    side: int
    """Side of the square that it sees, in pixels."""
    notes: tuple[str, ...]
    """Sentences for the user about what was assumed, and about terms of use."""
    _session: Any
    _input: str
    _number: type

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """How much each place of a picture (H, W, 3) uint8 stands out, 0 to 1: (S, S) float32, S the network's side.

        The picture is squeezed into the square, whatever its shape, as in the networks' training. Raises
        CutOutModelError where the network fails, or answers something else than a map.
        """
        shrinks = max(rgb.shape[:2]) > self.side
        picture = cv2.resize(rgb, (self.side, self.side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        tensor: np.ndarray = normalised(picture, self.family).astype(self._number)
        try:
            answers = self._session.run(None, {self._input: tensor})
        except Exception as error:  # onnxruntime's errors have no class in common but this
            reason = " ".join(str(error).split())[:200]
            raise CutOutModelError(
                f"The cut-out model {self.name} failed, perhaps for lack of memory: use a smaller one ({reason})."
            ) from error
        return probabilities(_finest_map(answers, self.name), self.family)


def find_models() -> list[Path]:
    """The files of networks where they are usually kept, the best first."""
    folder = Path(os.path.expanduser(os.environ.get("U2NET_HOME") or "~/.u2net"))
    return [path for name in CONVENTIONAL_NAMES if (path := folder / f"{name}.onnx").is_file()]


def load_found_network() -> SalientNetwork | None:
    """The best of the networks where they are usually kept; None where there is none, or none that loads."""
    for path in find_models():
        try:
            return load_salient_network(path)
        except CutOutModelError as error:
            _logger.warning("A cut-out model that was found is passed over. %s", error)
    return None


def load_salient_network(path: str | Path) -> SalientNetwork:
    """The network of an ONNX file, from memory where the same file was asked for last.

    Raises:
        CutOutModelError: The file is missing or no model of this kind, or onnxruntime is not installed.
    """
    path = Path(path).expanduser()
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise CutOutModelError(f"The cut-out model {path.name} was not found: choose an ONNX file.") from error
    if path.is_dir():
        raise CutOutModelError(f"The cut-out model {path.name} is a folder: choose an ONNX file in it.")
    return _loaded(path.resolve(), changed, torch.get_num_threads())


@functools.lru_cache(maxsize=1)
def _loaded(path: Path, changed: int, threads: int) -> SalientNetwork:
    """``changed`` is there so that a file that was written anew is read anew."""
    session = _session(path, threads)
    inputs = session.get_inputs()
    shape = inputs[0].shape if len(inputs) == 1 else []
    if len(shape) != 4 or shape[1] not in (3, None) and not isinstance(shape[1], str):
        raise CutOutModelError(
            f"{path.name} is no cut-out model: it does not take one colour picture; use a U2-Net, IS-Net or BiRefNet."
        )
    if inputs[0].type not in _NUMBERS:
        raise CutOutModelError(f"{path.name} wants {inputs[0].type}: use an export in 32 or 16 bits of floating point.")
    known = family_of(path.stem)
    family = known or ISNET
    side = next((size for size in shape[2:] if isinstance(size, int) and size > 0), family.side)
    notes = []
    if known is None:
        notes.append(f"The kind of the cut-out model {path.name} is unknown: it is used as an {family.title}.")
    if "rmbg" in path.stem.lower():
        notes.append(f"The cut-out model {path.name} is for non-commercial use only: see its licence.")
    for note in notes:
        _logger.warning(note)
    return SalientNetwork(path.name, family, side, tuple(notes), session, inputs[0].name, _NUMBERS[inputs[0].type])


def _session(path: Path, threads: int) -> Any:
    """onnxruntime's session of a file, on the CPU. Raises CutOutModelError."""
    try:
        import onnxruntime
    except ImportError as error:
        raise CutOutModelError(
            f"The cut-out model {path.name} needs the package onnxruntime; install it with "
            f'"{sys.executable}" -m pip install onnxruntime.'
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin between two calls take the cores from torch, and what a large network takes is given back.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        raise CutOutModelError(
            f"{path.name} is no ONNX model that can be loaded: download or export it again."
        ) from error


def family_of(stem: str) -> Family | None:
    """The family that a file's name, without its ending, tells."""
    name = stem.lower().replace("_", "-")
    for old, new in (("u2-net", "u2net"), ("is-net", "isnet"), ("rmbg2", "rmbg-2")):
        name = name.replace(old, new)
    return next((family for part, family in _FAMILIES if part in name), None)


def normalised(picture: np.ndarray, family: Family) -> np.ndarray:
    """(1, 3, S, S) float32 as the networks of a family expect a picture (S, S, 3) uint8."""
    full = max(float(picture.max()), 1.0) if family.by_brightest else 255.0
    mean, deviation = (np.array(values, np.float32) for values in (family.mean, family.deviation))
    values = (picture.astype(np.float32) / full - mean) / deviation
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def probabilities(answer: np.ndarray, family: Family) -> np.ndarray:
    """A family's answer (S, S) as float32 in [0, 1]; where something stands out, 1 is what stands out most."""
    values = np.nan_to_num(answer.astype(np.float32))
    # Exports differ in whether they end with a sigmoid, and only probabilities lie between 0 and 1.
    if family.logits or values.min() < -0.01 or values.max() > 1.01:
        shrunk = np.exp(-np.abs(values))  # never above 1, so that nothing overflows
        values = np.where(values >= 0, 1 / (1 + shrunk), shrunk / (1 + shrunk))
    lowest, highest = float(values.min()), float(values.max())
    if highest > _NOTHING_STANDS_OUT:
        values = (values - lowest) / max(highest - lowest, 1e-6)
    return values.clip(0, 1).astype(np.float32)


def _finest_map(answers: list[Any], name: str) -> np.ndarray:
    """The largest of the answers that are one map (h, w), the first where several are: the networks' main one."""
    maps = [np.squeeze(answer) for answer in answers if isinstance(answer, np.ndarray)]
    maps = [one for one in maps if one.ndim == 2 and min(one.shape) > 1 and one.dtype.kind == "f"]
    if not maps:
        raise CutOutModelError(f"{name} is no cut-out model: it answers no map; use a U2-Net, IS-Net or BiRefNet.")
    return max(maps, key=lambda one: one.size)
