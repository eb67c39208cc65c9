# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One code for the shape of an object and for what is drawn on it.

A shape space is linear: a standard-normal code gives the vertices of a template with parts, the signed distances of
its markings on a sheet (see :class:`backend.render.template.Markings`), and the object's real length. Objects are
left-right symmetric, so that only one half of the vertices is kept. Named proportions are linear in the vertices and
hence in the code; the way back is the smallest change of the code that gives the wanted proportions.

Two things are not linear. A car with an open top has no roof, and half a roof is none: the last number of the code
folds it away, within a narrow range of its values (:class:`Fold`). And beds and cockpits sink into the body where a
marking says so (:class:`Sink`): a mixture of a pick-up and a saloon has a smaller bed or none, not a dent.

NumPy alone, because sliders in Blender evaluate it without the worker.

Letters: K numbers of a code, V vertices, L vertices of the kept half, M markings, S x T the sheet of markings,
P named proportions.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from . import array_files
from .files import replacing

FORMAT = 1
_LEVELS = 127
"""Of the 8 bits that a number of the markings' basis is stored in."""
_STEP = 2e-5
"""In lengths of the object, of the 16 bits that a number of the vertices' basis is stored in; larger ones take more."""


@dataclass(frozen=True)
class Decoded:
    """What a code stands for."""

    vertices: np.ndarray
    """(V, 3) float32 in the canonical frame."""
    distances: np.ndarray
    """(M, S, T) float32 signed distances in lengths of the object, negative inside, cut off at the space's reach."""
    length: float
    """Metres of the longest side of the real object."""


@dataclass(frozen=True)
class Fold:
    """Vertices that sink to the height of others when the last number of the code is large enough."""

    vertices: np.ndarray
    """(P,) int32 among the kept ones."""
    onto: np.ndarray
    """(P,) int32 the kept vertex whose height each sinks to."""
    weights: np.ndarray
    """(P,) float32: 1 sinks all the way."""
    drops: np.ndarray
    """(P,) float32: how far below that height each goes, in lengths of the object."""
    begin: float = 1.3
    end: float = 1.7
    """Values of the number between which the fold closes: a standard-normal one is above their middle in 7 of 100."""

    def amount(self, number: float) -> float:
        """How far the fold is closed, 0 to 1, for the last number of a code."""
        return float(np.clip((number - self.begin) / (self.end - self.begin), 0, 1))

    def apply(self, half: np.ndarray, amount: float) -> np.ndarray:
        """Kept vertices (L, 3) with the fold closed by ``amount``."""
        folded = half.copy()
        share = amount * self.weights
        folded[self.vertices, 2] = (1 - share) * half[self.vertices, 2] + share * (half[self.onto, 2] - self.drops)
        return folded


@dataclass(frozen=True)
class Sink:
    """Vertices that sink where a marking is negative, the deeper the farther inside, down to a floor."""

    marking: int
    """Index of the marking."""
    vertices: np.ndarray
    """(P,) int32 among the kept ones."""
    places: np.ndarray
    """(P, 2) int32 row and column of each on the sheet."""
    slope: float
    """Depth over distance from the marking's outline."""
    depth: float
    """Depth of the floor, in lengths of the object."""

    def apply(self, half: np.ndarray, distances: np.ndarray) -> np.ndarray:
        """Kept vertices (L, 3) sunk where the distances (P,) of their places from the marking say so."""
        sunk = half.copy()
        sunk[self.vertices, 2] -= np.clip(-self.slope * distances, 0, self.depth)
        return sunk


@dataclass(frozen=True)
class ShapeSpace:
    """The map between codes and shapes with their markings."""

    mean: np.ndarray
    """(L, 3) float32: the kept vertices of the mean shape."""
    basis: np.ndarray
    """(K, L, 3) float32: what one standard deviation of each number of the code adds."""
    kept: np.ndarray
    """(V,) int32: which of the kept vertices each vertex of the template is, or is the mirror image of. The first L are
    the kept ones themselves."""
    mirrored: np.ndarray
    """(V,) bool: whether a vertex is the mirror image of the kept one."""
    markings: tuple[str, ...]
    """Names of the M markings."""
    sheet_mean: np.ndarray
    """(M, S, T) float32."""
    sheet_basis: np.ndarray
    """(K, M, S, T) int8 steps of ``sheet_steps``."""
    sheet_steps: np.ndarray
    """(K, M) float32: signed distance of one step."""
    reach: float
    """Distances are cut off at plus and minus this."""
    length: np.ndarray
    """(1 + K,) float32: mean of the logarithm of the real length in metres, and what each number of the code adds."""
    proportions: tuple[str, ...]
    """Names of the P proportions; the first is the real length in metres, the others are in lengths of the object."""
    proportion_mean: np.ndarray
    """(P,) float32, of code 0. That of the length is its logarithm."""
    proportion_map: np.ndarray
    """(P, K) float32: what each number of the code adds to the proportions."""
    proportion_range: np.ndarray
    """(P, 2) float32: the 1st and 99th percentiles over the objects that the space was made from."""
    examples: np.ndarray
    """(E, K) float16: codes of real objects, near which samples are drawn."""
    fold: Fold | None = None
    """None: the last number of the code is like the others. Else all maps leave it out (zeros)."""
    sink: Sink | None = None

    @property
    def size(self) -> int:
        """Numbers of a code."""
        return len(self.basis)

    def decode(self, code: np.ndarray) -> Decoded:
        """The shape of a code (K,), shorter codes being continued by zeros. Raises ValueError for a longer one."""
        code = self._whole(code)
        distances = self.distances(code)
        length = float(np.exp(self.length[0] + self.length[1:] @ code))
        return Decoded(self.vertices(code, distances), distances, length)

    def vertices(self, code: np.ndarray, distances: np.ndarray | None = None) -> np.ndarray:
        """The vertices (V, 3) float32 of a code (K,); ``distances``: of the same code, where they are at hand."""
        code = self._whole(code)
        half = (self.mean + np.tensordot(code, self.basis, axes=1)).astype(np.float32)
        if self.sink is not None:
            at = self.sink.marking, *self.sink.places.T
            half = self.sink.apply(half, self._distances_at(code, *at) if distances is None else distances[at])
        if self.fold is not None:
            half = self.fold.apply(half, self.fold.amount(float(code[-1])))
        return self.unfolded(half)

    def unfolded(self, half: np.ndarray) -> np.ndarray:
        """All vertices (..., V, 3) from the kept ones (..., L, 3)."""
        whole: np.ndarray = half[..., self.kept, :]
        whole[..., 0] *= np.where(self.mirrored, -1, 1).astype(half.dtype)
        return whole

    def distances(self, code: np.ndarray) -> np.ndarray:
        """The signed distances (M, S, T) float32 of a code (K,)."""
        steps = (self._whole(code)[:, None] * self.sheet_steps).astype(np.float32)
        changes = [np.tensordot(steps[:, m], self.sheet_basis[:, m], axes=1) for m in range(len(self.markings))]
        return np.clip(self.sheet_mean + np.stack(changes), -self.reach, self.reach).astype(np.float32)

    def _distances_at(self, code: np.ndarray, marking: int, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The signed distances (P,) of a whole code (K,) at places of one marking: a slider has no time for all."""
        steps = (code * self.sheet_steps[:, marking]).astype(np.float32)
        change = steps @ self.sheet_basis[:, marking, rows, columns].astype(np.float32)
        result: np.ndarray = np.clip(self.sheet_mean[marking, rows, columns] + change, -self.reach, self.reach)
        return result

    def sheet_directions(self) -> np.ndarray:
        """(K, M, S, T) float32: the markings' basis in distances."""
        return self.sheet_basis.astype(np.float32) * self.sheet_steps[..., None, None]

    def proportions_of(self, code: np.ndarray) -> dict[str, float]:
        """The named proportions of a code (K,)."""
        values = self.proportion_mean + self.proportion_map @ self._whole(code)
        return dict(zip(self.proportions, [float(np.exp(values[0])), *values[1:].tolist()], strict=True))

    def with_proportions(self, code: np.ndarray, wanted: dict[str, float], locked: tuple[str, ...] = ()) -> np.ndarray:
        """The code (K,) float32 nearest to a given one whose proportions are as wanted, those ``locked`` as they were.

        Raises ValueError for an unknown name or a length that is not positive.
        """
        code = self._whole(code)
        goals = self.proportions_of(code)
        names = [name for name in self.proportions if name in wanted or name in locked]
        unknown = sorted((set(wanted) | set(locked)) - set(self.proportions))
        if unknown:
            raise ValueError(f"There is no proportion '{unknown[0]}'; there are {', '.join(self.proportions)}.")
        goals.update(wanted)
        if goals[self.proportions[0]] <= 0:
            raise ValueError(f"A length is positive, not {goals[self.proportions[0]]}.")
        rows = [self.proportions.index(name) for name in names]
        goal = np.array([np.log(goals[n]) if i == 0 else goals[n] for n, i in zip(names, rows, strict=True)])
        now = self.proportion_mean[rows] + self.proportion_map[rows] @ code
        return (code + np.linalg.pinv(self.proportion_map[rows].astype(np.float64)) @ (goal - now)).astype(np.float32)

    def sample(self, generator: np.random.Generator, truncation: float = 0.9, noise: float = 0.1) -> np.ndarray:
        """A random code (K,) float32, somewhere between a real object's and that of one of its likes, and a little off.

        Single numbers of the code are standard-normal, but not all together: a bed goes with a cab, a fold with low
        screens. ``truncation`` draws towards the mean object, where surfaces are smoothest.
        """
        own = self.examples[generator.integers(len(self.examples))].astype(np.float64)
        apart = np.square(self.examples.astype(np.float64) - own).sum(axis=1)
        other = self.examples[generator.choice(np.argsort(apart)[1:9])]
        code = own + generator.random() * (other - own) + noise * generator.standard_normal(self.size)
        code *= truncation
        if self.fold is not None:
            code[-1] = own[-1]
        return code.astype(np.float32)

    def sample_normal(self, generator: np.random.Generator, truncation: float = 1.0, limit: float = 2.5) -> np.ndarray:
        """A standard-normal code (K,) float32; numbers beyond ``limit`` standard deviations are drawn again."""
        code = generator.standard_normal(self.size)
        while (far := np.abs(code) > limit).any():
            code[far] = generator.standard_normal(int(far.sum()))
        return (truncation * code).astype(np.float32)

    def save(self, path: Path) -> None:
        """Writes an .npz without pickled objects; as differences between neighbours the bases are half as large."""
        step = max(_STEP, float(np.abs(self.basis).max()) / 32_000)
        extras = {"basis_step": np.array(step)}
        for kind, extra in (("fold", self.fold), ("sink", self.sink)):
            for field in fields(extra) if extra is not None else ():
                extras[f"{kind}_{field.name}"] = np.asarray(getattr(extra, field.name))
        with replacing(path) as partial, open(partial, "wb") as file:
            np.savez_compressed(
                file,
                **extras,
                format=np.array(FORMAT),
                mean=self.mean,
                basis=_differences(np.round(self.basis / step).astype(np.int16), (1,)),
                kept=self.kept,
                mirrored=self.mirrored,
                markings=np.array(self.markings),
                sheet_mean=self.sheet_mean.astype(np.float16),
                sheet_basis=_differences(self.sheet_basis, (2, 3)),
                sheet_steps=self.sheet_steps,
                reach=np.array(self.reach),
                length=self.length,
                proportions=np.array(self.proportions),
                proportion_mean=self.proportion_mean,
                proportion_map=self.proportion_map,
                proportion_range=self.proportion_range,
                examples=self.examples.astype(np.float16),
            )

    @staticmethod
    def load(path: Path) -> ShapeSpace:
        """Reads a file of :meth:`save`. Raises ValueError with one sentence where it is none, OSError as it comes."""
        try:
            arrays: dict[str, Any] = array_files.read(path, ("format",))
            version = int(arrays.pop("format"))
            if version != FORMAT:
                raise ValueError(f"format {version} is not {FORMAT}")
            for name in ("markings", "proportions"):
                arrays[name] = tuple(str(text) for text in arrays[name])
            arrays["basis"] = _sums(arrays["basis"], (1,)).astype(np.float32) * np.float32(arrays.pop("basis_step"))
            arrays["sheet_basis"] = _sums(arrays["sheet_basis"], (2, 3))
            arrays["sheet_mean"] = arrays["sheet_mean"].astype(np.float32)
            fold, sink = _popped(arrays, "fold", Fold), _popped(arrays, "sink", Sink)
            space = ShapeSpace(**{**arrays, "reach": float(arrays["reach"]), "fold": fold, "sink": sink})
            space._check()
            return space
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, MemoryError) as error:
            raise ValueError(
                f"{path} is no shape space: {getattr(error, 'reason', error)}; copy or make it again."
            ) from error

    def _whole(self, code: np.ndarray) -> np.ndarray:
        code = np.asarray(code, np.float32).reshape(-1)
        if len(code) > self.size:
            raise ValueError(f"A code of this space has {self.size} numbers, not {len(code)}.")
        return np.pad(code, (0, self.size - len(code)))

    def _check(self) -> None:
        """Raises ValueError where the arrays do not fit each other."""
        if self.basis.ndim != 3 or self.sheet_mean.ndim != 3 or not all(self.basis.shape) or not self.proportions:
            raise ValueError("it is empty, or its arrays have other numbers of dimensions")
        codes, half = self.basis.shape[:2]
        markings, proportions = len(self.markings), len(self.proportions)
        sheet = self.sheet_mean.shape[1:]
        expected = {
            "mean": (half, 3), "basis": (codes, half, 3), "mirrored": self.kept.shape,
            "sheet_mean": (markings, *sheet), "sheet_basis": (codes, markings, *sheet),
            "sheet_steps": (codes, markings), "length": (codes + 1,), "proportion_mean": (proportions,),
            "proportion_map": (proportions, codes), "proportion_range": (proportions, 2),
            "examples": (len(self.examples), codes),
        }  # fmt: skip
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape:
                raise ValueError(f"{name} has the shape {array.shape} instead of {shape}")
            if not np.isfinite(array).all():
                raise ValueError(f"{name} holds numbers that are not finite")
            if array.dtype.kind not in "biuf":
                raise ValueError(f"{name} holds {array.dtype} where numbers belong")
        if not 0 < self.reach < np.inf:
            raise ValueError(f"its reach is {self.reach}")
        array_files.check(self.kept, "kept", (None,), below=half)
        if not np.array_equal(self.kept[:half], np.arange(half)) or self.mirrored[:half].any():
            raise ValueError("the kept vertices are not the template's first ones")
        if self.fold is not None:
            places = np.concatenate([self.fold.vertices, self.fold.onto])
            lists = (self.fold.vertices, self.fold.onto, self.fold.weights, self.fold.drops)
            if len({row.shape for row in lists}) != 1:
                raise ValueError("the fold's lists differ in length")
            array_files.check(places, "fold", (None,), below=half)
            for name, row in (("the fold's weights", self.fold.weights), ("the fold's drops", self.fold.drops)):
                array_files.check(row, name, (None,))
            if not -np.inf < self.fold.begin < self.fold.end < np.inf:
                raise ValueError("the fold ends before it begins")
        if self.sink is not None:
            places, limits = self.sink.places, np.array(sheet)
            if self.sink.vertices.shape != places.shape[:1] or not 0 <= self.sink.marking < markings:
                raise ValueError("the sink's lists do not fit")
            array_files.check(self.sink.vertices, "sink", (None,), below=half)
            array_files.check(places, "the sink's places", (None, 2), below=int(limits.max()))
            if not (places < limits).all() or not np.isfinite([self.sink.slope, self.sink.depth]).all():
                raise ValueError("the sink points beyond the sheet, or is no depth")


def _popped(arrays: dict[str, np.ndarray], kind: str, record: type) -> Any:
    """The record that is stored in arrays whose names begin with its kind; None where there is none."""
    found = {f.name: arrays.pop(f"{kind}_{f.name}") for f in fields(record) if f"{kind}_{f.name}" in arrays}
    plain = {name: value.item() if value.ndim == 0 else value for name, value in found.items()}
    return record(**plain) if found else None


def _differences(numbers: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Whole numbers as differences from their neighbours along the axes; what does not fit its type wraps around."""
    for axis in axes:
        first = np.take(numbers, [0], axis=axis)
        numbers = np.concatenate([first, np.diff(numbers, axis=axis)], axis=axis)
    return numbers


def _sums(differences: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """What :func:`_differences` was made of; sums wrap around as the differences did."""
    for axis in reversed(axes):
        differences = np.cumsum(differences, axis=axis, dtype=differences.dtype)
    return differences


def quantized(basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A basis (K, M, S, T) as int8 steps and the sizes (K, M) float32 of the steps."""
    largest = np.abs(basis).max(axis=(2, 3))
    steps = (largest / _LEVELS).astype(np.float32)
    safe = np.where(steps > 0, steps, 1)[..., None, None]
    return np.round(basis / safe).clip(-_LEVELS, _LEVELS).astype(np.int8), steps
