# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where memory runs out a job is done on the processor, or smaller, and says so; with an allocator that is played."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend import worker
from backend.common import memory, records
from backend.errors import OutOfMemory, PhotoError
from backend.ipc import protocol
from backend.pipeline import less_memory
from backend.weights import bundle

CARD = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
PROCESSOR = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
OURS = PhotoError("There is no car in this photo.")


class Played:
    """The way from a photo to an object, which fails with one error after the other, then gives a result."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.seen: list[tuple[str, str, int, str]] = []

    def __call__(self, request: Any, loaded: Any, report: Any, cancelled: Any, config: Any = None) -> Any:
        largest = min(config.parts.largest_textures[request.quality], config.bake.largest_texture) if config else 0
        side = getattr(request, "texture_size", 0) or largest
        self.seen.append((loaded, getattr(request, "quality", ""), side, getattr(request, "cutout_model", "")))
        if self.errors:
            raise self.errors.pop(0)
        return records.CutOut(np.zeros((1, 1), np.uint8), "played")


@pytest.fixture
def on_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graphics card, as far as requests know."""
    chosen = lambda name: torch.device("cuda" if name == "auto" else name)  # noqa: E731
    monkeypatch.setattr(bundle, "choose_device", chosen)


def answered(monkeypatch: pytest.MonkeyPatch, played: Played, request: records.ReconstructRequest) -> Any:
    monkeypatch.setattr("backend.pipeline.reconstruct.reconstruct", played)
    loaded = lambda name, device: str(device)  # noqa: E731
    monkeypatch.setattr("backend.weights.run_folder.load_bundle_or_run", loaded)
    return worker.Pipeline().reconstruct(request, lambda progress: None, lambda: False)


def test_a_job_that_finds_memory_says_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = answered(monkeypatch, played := Played(), records.ReconstructRequest("a.jpg", device="cpu"))
    assert made.warnings == [] and played.seen == [("cpu", "standard", 1536, "")]


def test_a_card_that_is_full_hands_over_to_the_processor(monkeypatch: pytest.MonkeyPatch, on_card: None) -> None:
    made = answered(monkeypatch, played := Played(CARD), records.ReconstructRequest("a.jpg"))
    assert made.warnings == [less_memory.ON_THE_PROCESSOR]
    assert [one[0] for one in played.seen] == ["cuda", "cpu"]


def test_a_processor_that_is_full_makes_smaller_textures(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = records.ReconstructRequest("a.jpg", device="cpu", texture_size=4096)
    made = answered(monkeypatch, played := Played(PROCESSOR, MemoryError()), asked)
    assert [one[2] for one in played.seen] == [4096, 2048, 1024]
    (sentence,) = made.warnings
    assert sentence.startswith("Memory ran out, so the texture has 1024 texels")


def test_the_last_try_is_a_draft_that_the_bundle_cuts_out(monkeypatch: pytest.MonkeyPatch, on_card: None) -> None:
    asked = records.ReconstructRequest("a.jpg", cutout_model="large.onnx")
    made = answered(monkeypatch, played := Played(CARD, *[PROCESSOR] * 3), asked)
    assert played.seen[-1] == ("cpu", "draft", 256, records.OWN_CUT_OUT)
    assert len(made.warnings) == 1 and "draft" in made.warnings[0]


def test_where_nothing_is_small_enough_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = records.ReconstructRequest("a.jpg", device="cpu")
    with pytest.raises(OutOfMemory, match="^There is not enough memory for this; close other programs"):
        answered(monkeypatch, Played(*[PROCESSOR] * 10), asked)


def test_other_errors_are_not_tried_again(monkeypatch: pytest.MonkeyPatch, on_card: None) -> None:
    played = Played(OURS)
    with pytest.raises(PhotoError, match="no car"):
        answered(monkeypatch, played, records.ReconstructRequest("a.jpg"))
    assert len(played.seen) == 1


def test_objects_of_seeds_and_masks_become_smaller_too() -> None:
    of_seed = less_memory.of_seed(records.GenerateRequest(device="cpu"), "cpu")
    assert [one.request.texture_size for one in of_seed] == [0, 512, 256]
    of_mask = less_memory.of_cut_out(records.CutOutRequest("a.jpg", cutout_model="large.onnx"), "mps")
    assert [(one.request.device, one.request.cutout_model) for one in of_mask] == [
        ("auto", "large.onnx"), ("cpu", "large.onnx"), ("cpu", records.OWN_CUT_OUT),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["edit", "neural_render"])
def test_sliders_go_over_to_the_processor_too(monkeypatch: pytest.MonkeyPatch, on_card: None, name: str) -> None:
    played = Played(CARD)
    monkeypatch.setattr(f"backend.pipeline.{name}.{name}", lambda request, loaded: played(request, loaded, 0, 0))
    loaded = lambda name, device: str(device)  # noqa: E731
    monkeypatch.setattr("backend.weights.run_folder.load_bundle_or_run", loaded)
    code, sliders = np.zeros(4, np.float32), np.zeros(6, np.float32)
    empty = np.zeros((1, 1, 4), np.uint8)
    request: Any = records.EditRequest(code, code, sliders, sliders)
    if name == "neural_render":
        request = records.NeuralRenderRequest(code, empty[..., :3], records.Camera(0, 0, 3), empty)
    getattr(worker.Pipeline(), name)(request, lambda progress: None, lambda: False)
    assert [one[0] for one in played.seen] == ["cuda", "cpu"]


def test_weights_and_free_memory_go_back_between_two_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr(memory, "give_back", lambda: given.append("back"))
    answered(monkeypatch, Played(PROCESSOR, PROCESSOR), records.ReconstructRequest("a.jpg", device="cpu"))
    assert given == ["back"] * 2


def test_a_handler_without_a_smaller_way_answers_with_a_sentence() -> None:
    def handler(*_: object) -> None:
        raise PROCESSOR

    message = protocol.Message(1, records.ImportWeightsRequest("a.pkl", "folder"))
    connection: Any = type("Open", (), {"is_cancelled": lambda self, identity: False})()
    answer = worker._answer({records.ImportWeightsRequest: handler}, message, connection)
    assert answer == protocol.Failed(memory.SENTENCE)


LIMITED = """
import resource, sys
sys.path.insert(0, {root!r})
import torch
torch.set_num_threads(1)
from backend import worker
from backend.common import records
pipeline = worker.Pipeline()
def made(**asked):
    request = records.ReconstructRequest({photo!r}, device="cpu", quality="draft", **asked)
    return pipeline.reconstruct(request, lambda progress: None, lambda: False)
made(texture_size=64)
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + {megabytes} * 2**20,) * 2)
try:
    result = made(texture_size={side})
except Exception as error:
    print(type(error).__name__, "|", error)
else:
    print(result.texture.shape[0], "|", " ".join(result.warnings))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is Linux's")
@pytest.mark.parametrize(("megabytes", "told"), [(300, "a smaller one"), (0, "OutOfMemory")])
def test_a_process_with_little_memory_makes_a_smaller_texture_or_says_so(root: Path, megabytes: int, told: str) -> None:
    code = LIMITED.format(root=str(root), photo=str(root / "examples/car.jpg"), megabytes=megabytes, side=4096)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    made, _, sentence = done.stdout.strip().partition(" | ")
    assert done.returncode == 0 and "Traceback" in done.stderr, done.stdout + done.stderr[-2000:]
    if told == "OutOfMemory":
        assert (made, sentence) == (told, memory.SENTENCE)
    else:
        assert 256 <= int(made) < 4096 and sentence.startswith("Memory ran out") and f"{made} texels" in sentence
