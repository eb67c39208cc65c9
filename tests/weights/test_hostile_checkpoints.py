# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints that were made to do harm, that claim too much or that are damaged: each gives one sentence."""

from __future__ import annotations

import copyreg
import io
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.weights.importers.checkpoint import read_checkpoint
from backend.weights.importers.pickle_reader import ALLOWED, Call, Global, interpret, read_pickle
from backend.weights.importers.untrusted import Budget, CheckpointError, Malformed
from tests.helpers import pickle_samples as samples
from tests.helpers.hostile_samples import ODD, Reduced, bombs, claims, harmful
from tests.helpers.pickle_samples import assert_one_sentence, called, named, pickled, program, refusal, text, write

# Nothing is run

TOUCHED = "touched"
"""The file that the harmful samples make."""
HARMFUL = list(harmful(Path(TOUCHED)))


@pytest.fixture
def harmful_sample(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[bytes, str]]:
    """One of the samples above, while entry 7 of Python's extension registry means ``exec``."""
    sample = harmful(tmp_path / TOUCHED)[request.param]
    copyreg.add_extension("builtins", "exec", 7)
    yield sample
    copyreg.remove_extension("builtins", "exec", 7)


@pytest.mark.parametrize("harmful_sample", HARMFUL, indirect=True)
def test_harmful_pickles_are_refused_by_name_and_do_no_harm(tmp_path: Path, harmful_sample: tuple[bytes, str]) -> None:
    data, named_in_refusal = harmful_sample
    path = write(tmp_path, "model.pkl", data)
    if named_in_refusal:
        message = refusal(path)
        assert named_in_refusal in message and "nothing in the file was run" in message
    else:
        assert read_checkpoint(path).networks  # the weights are good; the source beside them is only text
    assert os.listdir(tmp_path) == ["model.pkl"]


@pytest.mark.parametrize("harmful_sample", HARMFUL, indirect=True)
def test_the_harmful_pickles_are_harmful(tmp_path: Path, harmful_sample: tuple[bytes, str]) -> None:
    """Without this the test above would show nothing."""
    data, _ = harmful_sample
    try:
        if data[:2] == b"PK":
            torch.load(io.BytesIO(data), weights_only=False)
        else:
            samples.unpickled(data)
    except Exception:
        pass  # most do the harm and then make no sense
    assert os.listdir(tmp_path) == [TOUCHED]


@pytest.mark.parametrize("name", ODD)
def test_pickles_that_no_checkpoint_writer_makes_are_refused(tmp_path: Path, name: str) -> None:
    expected, data = ODD[name]
    assert expected in refusal(write(tmp_path, "model.pkl", data))


def test_every_allowed_name_becomes_a_name_and_nothing_else() -> None:
    for module, names in ALLOWED.items():
        for name in names:
            tree, _ = interpret(memoryview(program(named(module, name))), Budget(0))
            assert type(tree) is Global and tree.path == f"{module}.{name}"
            tree, _ = interpret(memoryview(program(called(named(module, name), text("x")))), Budget(0))
            assert type(tree) is Call and tree.args == ("x",)


@pytest.mark.parametrize("kind", ["O", "V8", "S5", "U3", "c16", "f4,f4", "M8"])
def test_arrays_of_anything_but_plain_numbers_are_refused(tmp_path: Path, kind: str) -> None:
    variables = samples.tensorflow_variables()
    variables["mapping"]["Dense0/weight"] = np.zeros(3, dtype=kind)
    snapshot = (samples.tensorflow_generator(variables), *samples.tensorflow_snapshot()[1:])
    assert "mapping/Dense0/weight" in refusal(write(tmp_path, "car.pkl", pickled(snapshot)))


# What a file can cost


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process cannot be held to an amount of memory")
def test_what_a_file_claims_or_unfolds_to_costs_little(tmp_path: Path, root: Path) -> None:
    """Every file is refused in a process that may use 400 MiB and a few seconds for all of them."""
    files = {f"claim {name}.pkl": claim for name, claim in claims().items()}
    files.update({f"bomb {name}.pkl": bomb for name, bomb in bombs().items()})
    for name, (_, data) in files.items():
        write(tmp_path, name, data)
    reader = """
import resource, sys, time
from pathlib import Path
from backend.weights.importers.checkpoint import CheckpointError, read_checkpoint
used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (400 << 20),) * 2)
for path in sorted(Path(sys.argv[1]).iterdir()):
    start = time.process_time()
    try:
        read_checkpoint(path)
    except CheckpointError as error:
        print(round(time.process_time() - start, 3), error, sep='|')
    else:
        print(path.name, 'was read', sep='|')
"""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", reader, str(tmp_path)],
        cwd=root, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    lines = [line.split("|") for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(lines) == len(files), done.stderr[-2000:]
    for path, (seconds, message) in zip(sorted(tmp_path.iterdir()), lines, strict=True):
        assert message.startswith(f"The checkpoint {path.name} ") and message.endswith("."), message
        assert files[path.name][0] in message, message
        assert float(seconds) < (0.2 if path.name.startswith("claim") else 8), (message, seconds)


def test_the_claim_and_what_is_left_are_named(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, "model.pkl", claims()["many bytes"][1]))
    assert "claims 4,294,967,296 bytes where 3 are left" in message


def test_files_beyond_the_largest_checkpoint_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "sparse.pkl"
    with path.open("wb") as file:
        file.truncate((4 << 30) + 1)
    start = time.monotonic()
    assert "larger than 4 GiB" in refusal(path)
    assert time.monotonic() - start < 1


# Damaged files


def formats() -> dict[str, bytes]:
    """A small checkpoint of each format."""
    return {
        "ada": pickled(samples.ada_snapshot()),
        "ada of protocol 2": pickled({"G_ema": samples.ada_snapshot()["G_ema"]}, 2),
        "tensorflow": pickled(samples.tensorflow_snapshot()),
        "tensorflow of protocol 5": pickled(samples.tensorflow_snapshot(), 5),
        "zip": samples.saved(samples.port_snapshot()),
        "stream": samples.saved(samples.port_snapshot(), as_zip=False),
    }


FORMATS = list(formats())


@pytest.mark.parametrize("name", FORMATS)
def test_truncated_files_give_one_sentence(tmp_path: Path, name: str) -> None:
    data = formats()[name]
    for size in range(0, len(data) - 1, max(1, len(data) // 150)):
        message = refusal(write(tmp_path, "model.pkl", data[:size]))
        assert any(word in message for word in ("incomplete", "damaged", "empty", "neither")), message
    assert os.listdir(tmp_path) == ["model.pkl"]


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_give_one_sentence_or_arrays(tmp_path: Path, name: str) -> None:
    """Bytes are changed, left out, doubled and put in; nothing but a CheckpointError may come of it."""
    random = np.random.default_rng(5)
    original = formats()[name]
    opcodes = [getattr(pickle, opcode)[0] for opcode in ("REDUCE", "BUILD", "NEWOBJ", "STACK_GLOBAL", "TUPLE", "POP")]
    refused = 0
    for _ in range(150):
        data = bytearray(original)
        for _ in range(random.integers(1, 5)):
            place = int(random.integers(len(data)))
            match random.integers(4):
                case 0:
                    data[place] ^= 1 << random.integers(8)
                case 1:
                    data[place] = random.choice(opcodes)
                case 2:
                    del data[place : place + random.integers(1, 40)]
                case _:
                    data[place:place] = data[place : place + random.integers(1, 40)]
        path = write(tmp_path, "model.pkl", bytes(data))
        try:
            checkpoint = read_checkpoint(path)
        except CheckpointError as error:
            assert_one_sentence(error, path)
            refused += 1
        else:
            assert checkpoint.networks
    assert refused > 30
    assert os.listdir(tmp_path) == ["model.pkl"]


def test_a_zip_member_that_does_not_match_its_checksum_is_refused(tmp_path: Path) -> None:
    data = bytearray(samples.saved(samples.port_snapshot()))
    numbers = samples.port_snapshot()["g_ema"]["style.1.weight"].numpy().tobytes()
    data[data.index(numbers) + 8] ^= 1
    assert "does not match its checksum" in refusal(write(tmp_path, "port.pt", bytes(data)))


def test_read_pickle_refuses_as_read_checkpoint_does(tmp_path: Path) -> None:
    path = write(tmp_path, "model.pkl", pickle.dumps(Reduced(os.getcwd, ())))
    assert ".getcwd'" in refusal(path, read_pickle)


def test_names_from_files_are_shown_on_one_short_line(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, "model.pkl", program(named("evil\n\x1b[31m\u202e" + "x" * 500, "y\0"))))
    assert "evil??[31m?xxx" in message and message.isprintable()


def test_a_budget_is_spent_once() -> None:
    budget = Budget(10, 2)
    budget.spend(10)
    with pytest.raises(Malformed, match="unfold"):
        budget.spend(1)
    budget.step()
    budget.step()
    with pytest.raises(Malformed, match="steps"):
        budget.step()
