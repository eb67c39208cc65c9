# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is tried, one after the other, where memory runs out: the processor, then less and less of what costs memory."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from ..common import memory
from ..common.records import OWN_CUT_OUT, CutOutRequest, GenerateRequest, ReconstructRequest
from ..errors import OutOfMemory, UnrenderError
from . import generate, generate_surface
from .generate_choice import shape_generator_folder
from .reconstruct import ReconstructConfig

ON_THE_PROCESSOR = "The graphics card ran out of memory, so this ran on the processor."
SMALLEST = 256
"""Side of the texture that is tried last."""

Request = TypeVar("Request")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Try(Generic[Request]):
    """One way to answer a request."""

    request: Request
    sentence: str = ""
    """What the user is told where this way had to be taken."""
    config: ReconstructConfig = ReconstructConfig()
    """Settings of photos' objects."""


def first_that_fits(
    tries: Sequence[Try[Request]], run: Callable[[Try[Request]], Result], forget: Callable[[], None]
) -> Result:
    """Returns what the first try gives that finds enough memory, with its sentence among the warnings, if it has any.

    ``forget`` drops what can be loaded again, between two tries. Raises what a try raises for other reasons, and
    OutOfMemory, or the last try's own sentence, where none is small enough.
    """
    last = ""
    for one in tries:
        try:
            result = run(one)
        except Exception as error:
            if not memory.ran_out(error):
                raise
            # The log has the place; the frames that hold the memory go with the error.
            traceback.print_exc(file=sys.stderr)
            last = str(error) if isinstance(error, UnrenderError) else memory.SENTENCE
        else:
            warnings: Any = getattr(result, "warnings", None)
            if one.sentence and warnings is not None:
                warnings.append(one.sentence)
            return result
        forget()
    raise OutOfMemory(last)


def of_photo(request: ReconstructRequest, device: str) -> list[Try[ReconstructRequest]]:
    """The tries for the object of a photo that is made on a device (cpu, cuda or mps)."""
    tries = list(_moved(request, device))
    on_cpu = tries[-1].request
    config = ReconstructConfig()
    largest = config.parts.largest_textures.get(request.quality, config.bake.largest_texture)
    for side in _halves(request.texture_size or largest):
        tries.append(Try(_with_texture(on_cpu, side), _of_texture(side), _with_largest(config, side)))
    told = f"Memory ran out: this is a draft with a texture of {SMALLEST} texels a side at most; close other programs."
    own = replace(_with_texture(on_cpu, SMALLEST), quality="draft", cutout_model=OWN_CUT_OUT)
    return [*tries, Try(own, told, _with_largest(config, SMALLEST))]


def of_seed(request: GenerateRequest, device: str) -> list[Try[GenerateRequest]]:
    """The tries for an object without a photo."""
    tries = list(_moved(request, device))
    of_surface = shape_generator_folder(request.bundle, request.with_parts) is not None
    usual = generate_surface.LEAST_TEXTURE if of_surface else generate.TEXTURE_SIZE
    return tries + [
        Try(replace(tries[-1].request, texture_size=side), _of_texture(side))
        for side in (*_halves(request.texture_size or usual), SMALLEST)
    ]


def of_cut_out(request: CutOutRequest, device: str) -> list[Try[CutOutRequest]]:
    """The tries for a mask: the bundle's own network is smaller than any other that cuts out."""
    tries = list(_moved(request, device))
    if request.cutout_model == OWN_CUT_OUT:
        return tries
    told = "Memory ran out, so the weights' own network cut this out; close other programs for the larger one."
    return [*tries, Try(replace(tries[-1].request, cutout_model=OWN_CUT_OUT), told)]


def anywhere(request: Request, device: str) -> list[Try[Request]]:
    """The tries for what has no size: on the device, then on the processor."""
    return list(_moved(request, device))


def _moved(request: Any, device: str) -> Iterator[Try[Any]]:
    """As asked, and where that was on a graphics card once more on the processor."""
    yield Try(request)
    if device != "cpu":
        yield Try(replace(request, device="cpu"), ON_THE_PROCESSOR)


def _halves(side: int) -> Iterator[int]:
    """Half, a quarter and an eighth of a texture's side, as far as they are above the smallest."""
    for smaller in (side // 2, side // 4, side // 8):
        if smaller > SMALLEST:
            yield smaller


def _of_texture(side: int) -> str:
    return f"Memory ran out, so the texture has {side} texels a side at most; close other programs for a finer one."


def _with_texture(request: ReconstructRequest, side: int) -> ReconstructRequest:
    """With a given size of the texture made smaller; what follows the photo is limited by :func:`_with_largest`."""
    return replace(request, texture_size=min(request.texture_size, side))


def _with_largest(config: ReconstructConfig, side: int) -> ReconstructConfig:
    """With textures that are no larger where they follow the photo."""
    sides = {quality: min(largest, side) for quality, largest in config.parts.largest_textures.items()}
    bake = replace(config.bake, largest_texture=min(config.bake.largest_texture, side))
    return replace(config, bake=bake, parts=replace(config.parts, largest_textures=sides))
