# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: ``python -m backend.worker`` answers requests on its standard input until that is closed.

One thread reads the input, so that a cancel is seen while a request runs; the main thread runs the requests one after
the other. Standard output is the wire, so everything else that would be printed goes to standard error, the log.
"""

from __future__ import annotations

import contextlib
import os
import platform
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

from .common import memory, records
from .errors import Cancelled, UnrenderError
from .ipc import protocol

ORPHAN_SECONDS = 2.0
"""How long a running request may go on after Blender has closed the wire."""
TRIM_SECONDS, FORGET_SECONDS = 5.0, 60.0
"""How long nothing is asked before memory that nobody uses goes back to the system, and before loaded weights do too:
the next request then takes some two seconds longer."""
STAND_BACK, NICENESS = "--stand-back", 8
"""What the add-on says where Blender has a window, and by how much the worker then leaves it the processor: without a
graphics card both need it."""

Report = Callable[[records.Progress], None]
Handler = Callable[[Any, Report, Callable[[], bool]], Any]
"""Takes a request, a function that sends progress and one that says whether to stop; returns the answer."""


class Connection:
    """The worker's end of the wire: requests come out of a queue, answers go in under a lock."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO):
        self._reader = reader
        self._writer = writer
        self._write_lock = threading.Lock()
        self._requests: queue.SimpleQueue[protocol.Message | None] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._all_cancelled = False

    def handshake(self, ready: protocol.Ready) -> None:
        """Reads the other side's first message and answers it; raises :class:`protocol.ProtocolError`."""
        hello = protocol.read(self._reader)
        if hello is None or not isinstance(hello.body, protocol.Hello):
            raise protocol.ProtocolError("the first message is not a handshake")
        self.send(0, ready)
        threading.Thread(target=self._read_requests, name="unrender-reader", daemon=True).start()

    def send(self, identity: int, body: Any) -> None:
        """Sends one message; an end of the wire on the other side is left to the reader."""
        frame = protocol.encode(protocol.Message(identity, body))
        with self._write_lock, contextlib.suppress(BrokenPipeError):
            self._writer.write(frame)
            self._writer.flush()

    def next_request(self, seconds: float | None = None) -> protocol.Message | None:
        """Blocks until a request is there; None at the end. Raises queue.Empty where none comes in time."""
        return self._requests.get(timeout=seconds)

    def is_cancelled(self, identity: int) -> bool:
        """True if this request is to stop."""
        return self._all_cancelled or identity in self._cancelled

    def forget(self, identity: int) -> None:
        """Drops what is remembered about a request that is done."""
        self._cancelled.discard(identity)

    def _read_requests(self) -> None:
        try:
            while (message := protocol.read(self._reader)) is not None:
                if isinstance(message.body, protocol.Cancel):
                    self._cancelled.add(message.identity)
                else:
                    self._requests.put(message)
        except (protocol.ProtocolError, OSError) as error:
            print(f"The wire is unreadable: {error}", file=sys.stderr)
        self._all_cancelled = True
        self._requests.put(None)
        # Nobody reads the answer any more, and a request deep inside a native call would keep the process alive.
        timer = threading.Timer(ORPHAN_SECONDS, os._exit, args=(1,))
        timer.daemon = True
        timer.start()


def serve(
    handlers: Mapping[type, Handler],
    reader: BinaryIO,
    writer: BinaryIO,
    ready: protocol.Ready,
    rests: Sequence[tuple[float, Callable[[], None]]] = (),
) -> None:
    """Shakes hands, then answers requests until the input ends. Whatever a handler raises becomes one sentence.

    ``rests`` are done, each once, when so many seconds have passed since the last request; the shortest comes first.
    """
    connection = Connection(reader, writer)
    connection.handshake(ready)
    while (message := _next_or_rest(connection, rests)) is not None:
        answer = _answer(handlers, message, connection)
        try:
            connection.send(message.identity, answer)
        except protocol.ProtocolError as error:
            connection.send(message.identity, protocol.Failed(f"The result cannot be sent to Blender: {error}."))
        connection.forget(message.identity)
        del message, answer  # arrays that would stay until the next request


def _next_or_rest(connection: Connection, rests: Sequence[tuple[float, Callable[[], None]]]) -> protocol.Message | None:
    """Waits for the next request; whatever is due meanwhile is done, also before the first one, and ends no wait."""
    passed = 0.0
    for seconds, rest in rests:
        try:
            return connection.next_request(seconds - passed)
        except queue.Empty:
            passed = seconds
        rest()
    return connection.next_request()


def _answer(handlers: Mapping[type, Handler], message: protocol.Message, connection: Connection) -> Any:
    """Runs one request; returns its result or :class:`protocol.Failed`."""
    identity = message.identity

    def report(progress: records.Progress) -> None:
        connection.send(identity, progress)

    def cancelled() -> bool:
        return connection.is_cancelled(identity)

    try:
        handler = handlers.get(type(message.body))
        if handler is None:
            return protocol.Failed(f"This backend has no answer to {type(message.body).__name__}.")
        if cancelled():
            raise Cancelled("Cancelled.")
        return handler(message.body, report, cancelled)
    except Cancelled as error:
        return protocol.Failed(str(error) or "Cancelled.", cancelled=True)
    except UnrenderError as error:
        return protocol.Failed(str(error))
    except Exception as error:
        # The worker outlives any mistake of a handler: the traceback belongs in the log, one sentence to the user.
        traceback.print_exc()
        if memory.ran_out(error):
            return protocol.Failed(memory.SENTENCE)
        summary = " ".join(str(error).split())[:200]
        return protocol.Failed(f"The backend failed unexpectedly ({type(error).__name__}: {summary}).")


class Pipeline:
    """The product's handlers: loads bundles once and hands requests to ``backend.pipeline``."""

    KEPT_BUNDLES = 2

    def __init__(self) -> None:
        self._bundles: dict[tuple[str, str], Any] = {}
        self._maker: tuple[Any, Any] = (None, None)

    def handlers(self) -> dict[type, Handler]:
        """Returns what :func:`serve` needs."""
        return {
            records.ReconstructRequest: self.reconstruct,
            records.GenerateRequest: self.generate,
            records.EditRequest: self.edit,
            records.NeuralRenderRequest: self.neural_render,
            records.CutOutRequest: self.cut_out,
            records.ImportWeightsRequest: self.import_weights,
            protocol.PictureRequest: self.picture,
        }

    def bundle(self, name: str, device: str) -> Any:
        """Returns a loaded bundle, or run, the most recently used ones from memory."""
        from .weights.bundle import choose_device
        from .weights.run_folder import load_bundle_or_run

        chosen = choose_device(device)
        key = (name, str(chosen))
        loaded = self._bundles.pop(key, None) or load_bundle_or_run(name, chosen)
        self._bundles[key] = loaded
        while len(self._bundles) > self.KEPT_BUNDLES:
            del self._bundles[next(iter(self._bundles))]
        return loaded

    def reconstruct(
        self, request: records.ReconstructRequest, report: Report, cancelled: Callable[[], bool]
    ) -> records.Reconstruction:
        """Photo to textured mesh; smaller, or on the processor, where memory runs out."""
        from .pipeline import less_memory
        from .pipeline.reconstruct import reconstruct

        def run(one: less_memory.Try[records.ReconstructRequest]) -> records.Reconstruction:
            report(records.Progress("Loading the networks", 0.0))
            loaded = self.bundle(one.request.bundle, one.request.device)
            return reconstruct(one.request, loaded, report, cancelled, one.config)

        return less_memory.first_that_fits(less_memory.of_photo(request, _kind_of(request)), run, self.forget)

    def generate(
        self, request: records.GenerateRequest, report: Report, cancelled: Callable[[], bool]
    ) -> records.Reconstruction:
        """Seed to a new object; the bundle's networks for photos stay on the disk."""
        from .pipeline import less_memory
        from .pipeline.generate_choice import load_maker

        def run(one: less_memory.Try[records.GenerateRequest]) -> records.Reconstruction:
            wanted = one.request.bundle, one.request.with_parts, one.request.device
            if self._maker[0] != wanted:
                report(records.Progress("Loading the weights", 0.0))
                self._maker = (wanted, load_maker(one.request))
            return self._maker[1](one.request, report, cancelled)

        return less_memory.first_that_fits(less_memory.of_seed(request, _kind_of(request)), run, self.forget)

    def edit(self, request: records.EditRequest, report: Report, cancelled: Callable[[], bool]) -> records.Edit:
        """Slider positions to vertices and a change of texture."""
        from .pipeline import less_memory
        from .pipeline.edit import edit

        def run(one: less_memory.Try[records.EditRequest]) -> records.Edit:
            return edit(one.request, self.bundle(one.request.bundle, one.request.device))

        return less_memory.first_that_fits(less_memory.anywhere(request, _kind_of(request)), run, self.forget)

    def neural_render(
        self, request: records.NeuralRenderRequest, report: Report, cancelled: Callable[[], bool]
    ) -> records.NeuralRender:
        """Camera, shape, texture and background to StyleGAN-R's picture."""
        from .pipeline import less_memory
        from .pipeline.neural_render import neural_render

        def run(one: less_memory.Try[records.NeuralRenderRequest]) -> records.NeuralRender:
            return neural_render(one.request, self.bundle(one.request.bundle, one.request.device))

        return less_memory.first_that_fits(less_memory.anywhere(request, _kind_of(request)), run, self.forget)

    def cut_out(self, request: records.CutOutRequest, report: Report, cancelled: Callable[[], bool]) -> records.CutOut:
        """Photo to mask."""
        from .pipeline import less_memory
        from .pipeline.course import Course
        from .pipeline.cut_out import cut_out
        from .pipeline.photo import load_photo

        course = Course(report, cancelled)

        def run(one: less_memory.Try[records.CutOutRequest]) -> records.CutOut:
            loaded = self.bundle(one.request.bundle, one.request.device)
            return cut_out(
                load_photo(one.request.image_path),
                loaded.segmenter,
                loaded.device,
                lambda progress: course.say(progress.stage, progress.fraction),
                cutout_model=one.request.cutout_model,
                point=one.request.point,
            )

        return less_memory.first_that_fits(less_memory.of_cut_out(request, _kind_of(request)), run, self.forget)

    def import_weights(
        self, request: records.ImportWeightsRequest, report: Report, cancelled: Callable[[], bool]
    ) -> records.ImportedWeights:
        """StyleGAN2 checkpoint to bundle."""
        from .pipeline.import_weights import import_weights

        return import_weights(request, report, cancelled)

    def picture(
        self, request: protocol.PictureRequest, report: Report, cancelled: Callable[[], bool]
    ) -> protocol.Picture:
        """Photo to upright RGB pixels of at most the asked size."""
        import cv2

        from .pipeline.photo import load_photo

        pixels = load_photo(request.image_path).rgb
        height, width = pixels.shape[:2]
        scale = request.longest_side / max(height, width)
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        return protocol.Picture(pixels)

    def forget(self) -> None:
        """Drops all weights that are loaded: they lie on the disk, and the next request loads its own."""
        self._bundles.clear()
        self._maker = (None, None)
        memory.give_back()


def _kind_of(request: Any) -> str:
    """The kind of device that a request runs on: cpu, cuda or mps. Raises BundleError where there is no such device."""
    from .weights.bundle import choose_device

    return choose_device(request.device).type


def describe() -> protocol.Ready:
    """Returns the handshake; imports torch, so that a worker that is ready answers at once. Raises ImportError."""
    import torch

    from .common.bundle_files import INVERSE_GRAPHICS
    from .weights.bundle import bundle_folders

    devices = ["cpu"]
    if torch.cuda.is_available():
        devices.append("cuda")
    if torch.backends.mps.is_available():
        devices.append("mps")
    return protocol.Ready(
        schema=protocol.schema(),
        python=platform.python_version(),
        torch=str(torch.__version__),
        devices=devices,
        bundles=sorted(bundle_folders(INVERSE_GRAPHICS)),
    )


def take_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """Keeps standard input and output for the wire: what else is printed, by native code too, goes to the log."""
    reader = os.fdopen(os.dup(0), "rb")
    writer = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return reader, writer


def main() -> int:
    """Entry point; returns the exit code."""
    reader, writer = take_standard_streams()
    # Ctrl-C in a terminal reaches every process of the group; the one that owns this worker decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Read when torch is loaded. As in ipc.variables, for a worker that was started by hand. The number of threads stays
    # torch's own, one a core: on two loaded cores a photo took 3.6 s with two sleeping threads and 3.7 s with one,
    # beside one more busy process 4.5 s and 8.3 s, and 38 s with two threads that spin.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if STAND_BACK in sys.argv[1:] and hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        ready = describe()
    except ImportError as error:
        traceback.print_exc()
        sentence = (
            f"The interpreter {sys.executable} lacks what the backend needs ({error}); "
            "press Install Backend in the add-on's preferences, or choose another interpreter there."
        )
        writer.write(protocol.encode(protocol.Message(0, protocol.Failed(sentence))))
        writer.flush()
        return 1
    pipeline = Pipeline()
    rests = ((TRIM_SECONDS, memory.give_back), (FORGET_SECONDS, pipeline.forget))
    serve(pipeline.handlers(), reader, writer, ready, rests)
    return 0


if __name__ == "__main__":
    sys.exit(main())
