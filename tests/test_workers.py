"""Processes that share a socket: replaced, ended and started anew, without a lost connection."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest.mock import Mock, call

import pytest

from django_deploykit.handlers import workers
from tests.projects import ROOT

# Answers every connection with its process id, and the generation of the program.
_PROGRAM = """
import os, signal, socket, sys, time
from django_deploykit.handlers.workers import bound_socket, inherited_socket, limited, supervise

def work(listener):
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    listener.settimeout(0.05)
    while going:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        connection.settimeout(30)
        with connection:
            asked = connection.recv(100)
            if not asked:
                continue
            with limited(0.5 if asked == b"hang" else 60):
                if asked in (b"slow", b"hang"):
                    connection.sendall(b"began ")
                    time.sleep(1 if asked == b"slow" else 60)
            connection.sendall(b"%d" % os.getpid())

supervise(inherited_socket() or bound_socket(sys.argv[1]), work, 2)
"""
# While there is a file "full", no process can be started.
_FULL = """
import errno, os, pathlib

def fork(real=os.fork, full=pathlib.Path(__file__).with_name("full")):
    if full.exists():
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return real()

os.fork = fork
"""
# Another thread, and processes that take their time to start: it gets the signals meanwhile.
_THREADED = """
import os, pathlib, threading, time

def fork(real=os.fork, forks=pathlib.Path(__file__).with_name("forks")):
    if pid := real():
        forks.touch()
        time.sleep(1)  # The test sends its signal when it sees the file.
    return pid

os.fork = fork
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
"""
# Says whenever it is loaded, and takes its time.
_SLOW = """
import pathlib, time

with pathlib.Path(__file__).with_name("loads").open("a") as loads:
    loads.write("x")
time.sleep(1)
"""


def connected(path: Path) -> socket.socket:
    """A connection to a socket on which somebody listens."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


class Program:
    """A running program, and a way to ask its processes."""

    def __init__(self, path: Path, process: subprocess.Popen[bytes]) -> None:
        self.path, self.process = path, process

    def connect(self) -> socket.socket:
        return connected(self.path)

    def ask(self, question: bytes = b"who") -> bytes:
        with self.connect() as connection:
            connection.sendall(question)
            return b"".join(iter(lambda: connection.recv(100), b""))


def wait_for(holds: Callable[[], object]) -> None:
    """Wait until something holds; fail if it never does."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def listens(path: Path) -> bool:
    """Tell whether somebody takes connections."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.fixture
def first() -> str:
    """What the program does before anything else."""
    return ""


@pytest.fixture
def program(tmp_path: Path, first: str) -> Iterator[Program]:
    path = tmp_path / "socket"
    script = tmp_path / "program.py"
    script.write_text(first + _PROGRAM)
    with (tmp_path / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, str(script), str(path)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=errors,
        )
    try:
        wait_for(lambda: listens(path))
        yield Program(path, process)
    finally:
        process.terminate()
        process.wait(30)


def test_a_pool_of_connections_is_closed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its threads would not be there in another process, and whoever asks it would wait."""
    pooled, plain = Mock(), Mock(spec=["close"])
    found = Mock(all=Mock(return_value=[pooled, plain]))
    monkeypatch.setattr(workers, "connections", found)
    workers.close_databases()
    found.all.assert_called_once_with(initialized_only=True)
    assert pooled.method_calls == [call.close(), call.close_pool()]
    assert plain.method_calls == [call.close()]


def gone(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody has waited for yet has."""
    # It may end while its file is read, too.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def test_the_socket_is_for_its_user_and_group(program: Program) -> None:
    """Nobody else may connect."""
    assert program.path.stat().st_mode & 0o777 == 0o660


def test_a_killed_process_is_replaced(program: Program) -> None:
    """Requests go on, in another process."""
    pid = int(program.ask())
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: gone(pid))
    pids = {int(program.ask()) for _ in range(20)}
    assert pids
    assert pid not in pids


@pytest.mark.parametrize("first", [_FULL], ids=["full"])
def test_a_process_that_cannot_be_replaced_yet_costs_no_other(
    program: Program, tmp_path: Path
) -> None:
    """Where the machine has no room for another, those that run go on until it has."""
    _fill(program, tmp_path)
    left = program.ask()
    (tmp_path / "full").unlink()
    wait_for(lambda: program.ask() != left)


@pytest.mark.parametrize("first", [_FULL], ids=["full"])
def test_a_program_that_waits_for_room_can_be_stopped(program: Program, tmp_path: Path) -> None:
    """SIGTERM is heeded meanwhile."""
    _fill(program, tmp_path)
    program.process.terminate()
    assert program.process.wait(30) == 0


def _fill(program: Program, directory: Path) -> None:
    """Leave one process, and no room for another."""
    pid = int(program.ask())
    (directory / "full").touch()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: "could not be replaced yet" in (directory / "errors").read_text())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_running_requests_end_before_the_program(program: Program, number: int) -> None:
    """SIGTERM and SIGINT stop it, but no answer is cut off."""
    with program.connect() as connection:
        connection.sendall(b"slow")
        assert connection.recv(100) == b"began "
        program.process.send_signal(number)
        assert int(connection.recv(100)) > 0
    assert program.process.wait(30) == 0


@pytest.mark.parametrize("first", [_THREADED], ids=["threaded"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_another_thread_gets_is_not_lost(
    program: Program, tmp_path: Path, number: int
) -> None:
    """The kernel chooses one that does not block it."""
    wait_for((tmp_path / "forks").exists)
    program.process.send_signal(number)
    assert program.process.wait(30) == 0


@pytest.mark.parametrize("first", [_THREADED], ids=["threaded"])
def test_a_reload_that_another_thread_gets_is_not_lost(program: Program, tmp_path: Path) -> None:
    """Processes of the program as it was loaded before end."""
    wait_for((tmp_path / "forks").exists)
    pid = int(program.ask())
    program.process.send_signal(signal.SIGHUP)
    wait_for(lambda: gone(pid))
    assert int(program.ask()) > 0


def test_a_reload_refuses_no_connection(program: Program) -> None:
    """SIGHUP starts the program anew, in the same process, while others answer or wait."""
    before = int(program.ask())
    with program.connect() as connection:
        connection.sendall(b"slow")
        assert connection.recv(100) == b"began "
        program.process.send_signal(signal.SIGHUP)
        wait_for(lambda: gone(before) or int(program.ask()) != before)
        assert int(connection.recv(100)) > 0
    for _ in range(2):  # A program that was started anew can be started anew.
        program.process.send_signal(signal.SIGHUP)
        assert int(program.ask()) > 0
    assert program.process.poll() is None


def _differs(path: Path, text: str) -> bool:
    return path.read_text() != text


@pytest.mark.parametrize("first", [_SLOW], ids=["slow"])
def test_a_reload_during_a_reload_is_not_lost(program: Program, tmp_path: Path) -> None:
    """Code that came after the first one had begun to load is loaded too."""
    loads = tmp_path / "loads"
    for _ in range(2):
        before = loads.read_text()
        program.process.send_signal(signal.SIGHUP)
        wait_for(partial(_differs, loads, before))
    assert int(program.ask()) > 0
    assert program.process.poll() is None


def test_a_stop_during_a_reload_is_not_lost(program: Program) -> None:
    """SIGTERM ends it, also where it comes before SIGHUP was looked at."""
    pid = int(program.ask())
    program.process.send_signal(signal.SIGSTOP)
    program.process.send_signal(signal.SIGHUP)
    program.process.send_signal(signal.SIGTERM)
    program.process.send_signal(signal.SIGCONT)
    program.process.wait(30)
    wait_for(lambda: gone(pid))


def test_processes_end_with_their_supervisor(program: Program) -> None:
    """However that ended: none answers from an old program for ever."""
    pid = int(program.ask())
    program.process.kill()
    program.process.wait()
    wait_for(lambda: gone(pid))


def test_a_request_that_hangs_costs_its_process(program: Program, tmp_path: Path) -> None:
    """It ends with a traceback of what it did, and another takes its place."""
    assert program.ask(b"hang") == b"began "
    assert int(program.ask()) > 0
    errors = (tmp_path / "errors").read_text()
    assert "took longer than 0.5 seconds" in errors
    assert "in work" in errors


def test_a_signal_of_its_own_reaches_the_main_thread() -> None:
    """However long that takes to wake, and whatever the thread that sent it does meanwhile."""
    program = """
import os, select, signal, threading
from django_deploykit.handlers.workers import signal_main_thread

came, rings = os.pipe()
signal.signal(signal.SIGTERM, lambda *_: os.write(rings, b"!"))

def send():
    signal_main_thread(signal.SIGTERM)
    # Whoever gives signals free looks for those that wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    os._exit(0 if select.select([came], [], [], 20)[0] else 1)

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
threading.Timer(0.2, send).start()
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
select.select([os.pipe()[0]], [], [], 60)
"""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", program], env=environ, check=False).returncode == 0
