# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client and a real child process with toy handlers: progress, cancel, crashes, and the next request after each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from backend.common import records
from backend.ipc import client as ipc
from backend.ipc import variables


@pytest.fixture
def start(root, tmp_path):
    """Returns a function that makes a client of a toy worker; all are closed at the end."""
    clients = []

    def make(mode="", arguments=None):
        command = ipc.WorkerCommand(
            arguments=arguments or [sys.executable, "-m", "tests.helpers.toy_worker", mode],
            python_path=root,
            log_path=tmp_path / "logs" / "worker.log",
        )
        clients.append(ipc.WorkerClient(command))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def photo(name):
    return records.ReconstructRequest(image_path=f"{name}.jpg")


def wait_until(client, condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        client.poll()
        time.sleep(0.005)


def is_alive(process_id):
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_request_reports_progress_and_gives_a_result(start):
    client = start()
    stages = []
    result = client.wait(client.submit(photo("car")), lambda progress: stages.append(progress.stage))
    assert result.name == "car" and result.vertices.shape[1] == 3
    assert "Baking" in stages
    assert client.ready.devices == ["cpu"]
    assert not client.busy


def test_what_the_handler_prints_does_not_reach_the_wire(start):
    client = start()
    assert client.wait(client.submit(photo("prints"))).name == "prints"
    assert "a stray print" in client.log_tail() and "native code" in client.log_tail()


def test_an_error_for_the_user_is_its_sentence_and_the_worker_goes_on(start):
    client = start()
    with pytest.raises(ipc.WorkerError, match="^broken is not a picture.$"):
        client.wait(client.submit(photo("broken")))
    process_id = client.process_id
    assert client.wait(client.submit(photo("car"))).name == "car"
    assert client.process_id == process_id


def test_a_bug_is_one_sentence_with_the_traceback_in_the_log(start):
    client = start()
    with pytest.raises(ipc.WorkerError) as caught:
        client.wait(client.submit(photo("bug")))
    assert "ZeroDivisionError: a bug in two lines" in str(caught.value) and "\n" not in str(caught.value)
    assert "Traceback" in client.log_tail()


def test_cancel_is_answered_within_a_second_by_the_same_worker(start):
    client = start()
    job = client.submit(photo("slow"))
    wait_until(client, lambda: job.progress.stage == "Refining")
    process_id, began = client.process_id, time.monotonic()
    client.cancel(job)
    with pytest.raises(ipc.WorkerCancelled):
        client.wait(job)
    assert time.monotonic() - began < 1.0
    assert client.wait(client.submit(photo("car"))).name == "car"
    assert client.process_id == process_id


def test_a_worker_that_does_not_answer_a_cancel_is_replaced(start):
    client = start()
    job = client.submit(photo("stuck"))
    wait_until(client, lambda: job.progress.stage == "Cutting out")
    process_id, began = client.process_id, time.monotonic()
    client.cancel(job)
    with pytest.raises(ipc.WorkerCancelled):
        client.wait(job)
    assert time.monotonic() - began < ipc.CANCEL_SECONDS + 0.5
    assert not is_alive(process_id)
    assert client.wait(client.submit(photo("car"))).name == "car"


def test_requests_that_wait_behind_a_stuck_one_survive_its_cancel(start):
    client = start()
    job = client.submit(photo("stuck"))
    wait_until(client, lambda: job.progress.stage == "Cutting out")
    following = client.submit(photo("car"))
    client.cancel(job)
    assert client.wait(following).name == "car"


def test_a_crash_is_an_error_with_a_remedy_and_the_next_request_works(start):
    client = start()
    with pytest.raises(ipc.WorkerDied, match="stopped unexpectedly .exit code -9, as when memory runs out.. Try again"):
        client.wait(client.submit(photo("crash")))
    assert "segmentation fault in the toy" in client.log_tail()
    assert client.wait(client.submit(photo("car"))).name == "car"
    assert "segmentation fault" in client.command.log_path.with_suffix(".previous.log").read_text()


def test_a_worker_killed_from_outside_is_noticed(start):
    client = start()
    job = client.submit(photo("slow"))
    wait_until(client, lambda: job.progress.stage == "Refining")
    os.kill(client.process_id, signal.SIGKILL)
    with pytest.raises(ipc.WorkerDied):
        client.wait(job)
    assert client.wait(client.submit(photo("car"))).name == "car"


def test_a_worker_killed_while_idle_is_replaced(start):
    client = start()
    client.wait_ready()
    os.kill(client.process_id, signal.SIGKILL)
    wait_until(client, lambda: client.process_id is None)
    assert client.wait(client.submit(photo("car"))).name == "car"


@pytest.mark.skipif(os.name != "posix", reason="there is no such signal")
def test_a_message_to_a_worker_that_is_gone_does_not_end_the_process_that_blender_lets_pipes_end(root, tmp_path):
    body = f"""
        import os, signal, sys
        from pathlib import Path
        from backend.common import records
        from backend.ipc import client
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as in Blender 4: its Python leaves signals alone
        command = client.WorkerCommand([sys.executable, "-m", "tests.helpers.toy_worker"], Path({str(root)!r}),
                                       Path({str(tmp_path)!r}) / "worker.log")
        one = client.WorkerClient(command)
        one.wait_ready()
        os.kill(one.process_id, signal.SIGKILL)
        os.waitid(os.P_PID, one.process_id, os.WEXITED | os.WNOWAIT)
        job = one.submit(records.ReconstructRequest("photo.jpg"))
        while not job.done:
            one.poll()
        print(job.error)
        print(one.wait(one.submit(records.ReconstructRequest("photo.jpg"))).name)
        one.close()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(body)], cwd=root, capture_output=True, text=True, timeout=60
    )  # fmt: skip
    assert done.returncode == 0, (done.returncode, done.stderr)
    assert "stopped unexpectedly" in done.stdout and done.stdout.splitlines()[-1] == "photo"


def test_of_edits_with_one_key_only_the_latest_is_computed(start):
    client = start()
    slow = client.submit(photo("slow"))
    wait_until(client, lambda: slow.progress.stage == "Refining")
    code, sliders = np.zeros(4, np.float32), np.zeros(6, np.float32)
    jobs = []
    for position in range(5):
        sliders = sliders.copy()
        sliders[1] = position
        jobs.append(client.submit(records.EditRequest(code, code, sliders, sliders), key="the object"))
    assert [job.done for job in jobs] == [True] * 4 + [False]
    client.cancel(slow)
    client.wait(jobs[-1])
    assert jobs[-1].request.shape_sliders[1] == 4
    with pytest.raises(ipc.WorkerCancelled):
        jobs[0].outcome()


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("other-version", "another version"),
        ("lacks-torch", "no torch; create the environment"),
        ("garbage", "something unexpected"),
    ],
)
def test_a_bad_handshake_is_a_sentence(start, mode, sentence):
    client = start(mode)
    with pytest.raises(ipc.WorkerDied, match=sentence):
        client.wait(client.submit(photo("car")))
    assert client.process_id is None


def test_an_interpreter_that_is_not_there_is_a_sentence(start):
    client = start(arguments=["/no/such/python"])
    with pytest.raises(ipc.WorkerDied, match="cannot be started.*preferences"):
        client.wait(client.submit(photo("car")))


def test_an_interpreter_that_ends_at_once_is_a_sentence(start):
    client = start(arguments=[sys.executable, "-c", "import sys; sys.exit('nothing here')"])
    with pytest.raises(ipc.WorkerDied, match="preferences"):
        client.wait(client.submit(photo("car")))
    assert "nothing here" in client.log_tail()


def test_closing_ends_the_worker_even_in_the_middle(start):
    client = start()
    job = client.submit(photo("stuck"))
    wait_until(client, lambda: job.progress.stage == "Cutting out")
    process_id = client.process_id
    client.close()
    assert not is_alive(process_id)
    with pytest.raises(ipc.WorkerCancelled):
        job.outcome()


def test_a_worker_whose_parent_is_killed_ends(root, tmp_path):
    parent = (
        "import sys, time\nfrom pathlib import Path\nfrom backend.common import records\n"
        "from backend.ipc import client as ipc\n"
        "arguments = [sys.executable, '-m', 'tests.helpers.toy_worker']\n"
        "command = ipc.WorkerCommand(arguments, Path('.').resolve(), Path(sys.argv[1]))\n"
        "client = ipc.WorkerClient(command)\n"
        "job = client.submit(records.ReconstructRequest('stuck.jpg'))\n"
        "while job.progress.stage != 'Cutting out': client.poll(); time.sleep(0.01)\n"
        "print(client.process_id, flush=True)\ntime.sleep(60)\n"
    )
    arguments = [sys.executable, "-c", parent, str(tmp_path / "worker.log")]
    with subprocess.Popen(arguments, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        worker_id = int(process.stdout.readline())
        process.kill()
    deadline = time.monotonic() + 6
    while is_alive(worker_id) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(worker_id)


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="this system knows no priorities of that kind")
@pytest.mark.parametrize("further, nicer", [([], 0), (["--stand-back"], 8)])
def test_the_worker_leaves_a_window_the_processor(tmp_path, root, further, nicer):
    arguments = [sys.executable, "-m", "backend.worker", *further]
    client = ipc.WorkerClient(ipc.WorkerCommand(arguments, root, tmp_path / "worker.log"))
    client.start()
    try:
        wait_until(client, lambda: client.ready is not None, seconds=60)
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, client.process_id) == min(ours + nicer, 19)
    finally:
        client.close()


def test_the_variables_of_blenders_python_do_not_reach_the_child(tmp_path):
    environment = variables.child_environment(
        tmp_path, {"PYTHONHOME": "/blender", "PYTHONPATH": "/blender/lib", "PATH": "/bin"}
    )
    assert environment["PYTHONPATH"] == str(tmp_path) and environment["PATH"] == "/bin"
    assert "PYTHONHOME" not in environment


def test_a_child_runs_no_code_from_the_folder_that_it_starts_in(root, tmp_path):
    (tmp_path / "backend").mkdir()
    for name in ("backend/__init__.py", "json.py"):
        (tmp_path / name).write_text("import sys; print('planted'); sys.exit(3)\n")
    code = "import backend, json; print(backend.__file__)"
    for arguments in (["-m", "backend.errors"], ["-c", code]):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=variables.child_environment(root),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0 and "planted" not in done.stdout, done.stdout + done.stderr
    assert done.stdout.strip() == str(root / "backend" / "__init__.py")


def test_the_childs_threads_sleep_while_they_wait_unless_the_user_says_otherwise(tmp_path):
    assert variables.child_environment(tmp_path, {})["OMP_WAIT_POLICY"] == "passive"
    assert variables.child_environment(tmp_path, {"OMP_WAIT_POLICY": "active"})["OMP_WAIT_POLICY"] == "active"


@pytest.mark.parametrize("chosen", ["", "active"])
def test_a_worker_started_by_hand_sets_how_threads_wait_before_torch_is_loaded(root, chosen):
    code = (
        "import os, sys\nfrom backend import worker\n"
        "def describe():\n"
        "    assert 'torch' not in sys.modules\n"
        "    print(os.environ['OMP_WAIT_POLICY'], file=sys.stderr, end='', flush=True)\n"
        "    os._exit(0)\n"
        "worker.describe = describe\nworker.main()\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": chosen} if chosen else {}
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True)
    assert done.stderr == (chosen or "passive")


def test_a_request_that_cannot_travel_is_an_error_of_the_request(start):
    client = start()
    with pytest.raises(ipc.WorkerError, match="cannot be sent"):
        client.wait(client.submit(records.CutOut(np.array([1j]), "file")))
    assert client.wait(client.submit(photo("car"))).name == "car"


def test_a_message_without_a_handler_is_an_error(start):
    client = start()
    with pytest.raises(ipc.WorkerError, match="no answer to Progress"):
        client.wait(client.submit(records.Progress("", 0.0)))
