"""Run a stack in the foreground: start, wait until it answers, follow the logs, end it all."""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from django_deploykit.config.access import group_name
from django_deploykit.config.environment import first_environment
from django_deploykit.config.values import Address
from django_deploykit.exceptions import CannotRun
from django_deploykit.run.directory import Process
from django_deploykit.run.signals import Stop

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_LAST_WORDS_SECONDS = 1.0
_STDERR = 2
_ORPHAN_SECONDS = 2.0
# The server's user may write there, and could leave a link to what only root reads, or a FIFO.
_LOG = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True)
class Front:
    """Where a stack answers: its address, and a request that one of its sites takes."""

    address: Address
    secure: bool
    host: str
    path: str

    @property
    def url(self) -> str:
        scheme = "https" if self.secure else "http"
        return f"{scheme}://{self._connectable}:{self.address.port}{self.path}"

    @property
    def _connectable(self) -> str:
        host = self.address.host or "127.0.0.1"
        return f"[{host}]" if ":" in host else host

    def ready(self, status: int) -> str:
        """The line that says so, and what is wrong with it."""
        wrong = f" but it answers {status}: see the log" if status >= 500 else ""
        return f"ready {self.url}{wrong}"

    def status(self) -> int | None:
        """The status of a first answer, or None while there is none."""
        connection = self._connection()
        try:
            if self.secure:
                connection.sock = self._secured()
            connection.request("GET", self.path, headers={"Host": self.host})
            return connection.getresponse().status
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        return HTTPConnection(*self._where, timeout=_START_SECONDS)

    def _secured(self) -> ssl.SSLSocket:
        """A TLS connection that asks for the site's name: a server may refuse any other."""
        # Only whether it answers matters here, not by whom the certificate was signed.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(self._where, timeout=_START_SECONDS)
        try:
            return context.wrap_socket(plain, server_hostname=self.host.strip("[]"))
        except OSError:
            plain.close()
            raise

    @property
    def _where(self) -> tuple[str, int]:
        return self._connectable.strip("[]"), self.address.port


def check_ports(addresses: Sequence[Address]) -> None:
    """Raise CannotRun if an address is taken or not allowed."""
    for address in addresses:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address.host, address.port))
            except OSError as error:
                raise CannotRun(
                    f"{address} cannot be listened on: {error.strerror}. "
                    "Choose another one with --listen, or --set tls_listen=... for HTTPS."
                ) from None


def supervise(
    processes: Sequence[Process],
    front: Front,
    logs: Path,
    ready: Callable[[str], None],
    stop: Stop,
) -> None:
    """Run ``processes`` until ``stop``, or the end of one; nothing of them outlives this call.

    Each is started when the one before it listens. ``ready`` is called with one line when the
    front answers. Raise CannotRun if one ends by itself, or does not answer in time.
    """
    run = _Run(_Follower(logs), stop)
    with contextlib.ExitStack() as running:
        running.callback(run.follower.copy, _LAST_WORDS_SECONDS)
        for number, process in enumerate(processes):
            if stop.is_set():
                return
            run.started.append(_start(process, logs / f"output-{number}.log"))
            running.callback(end, run.started[-1], stop)
            if process.socket:
                run.wait(process.socket, functools.partial(_listens, process))
        status = run.wait(front.url, front.status)
        if status and not stop.is_set():
            run.follower.copy()
            ready(front.ready(status))
        while not stop.wait(0.1):
            run.look()


def _start(process: Process, output: Path) -> subprocess.Popen[bytes]:
    """Start one server, whose messages go to a new file ``output`` beside its logs."""
    # A pipe that nobody reads would stop the server. "x" follows no link of the server's user.
    with output.open("xb") as messages:
        return subprocess.Popen(
            process.foreground.command,
            env={**first_environment(), **process.foreground.environment},
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=messages,
            start_new_session=True,
            user=process.user,
            group=process.group or group_name(process.user) if process.user else None,
            extra_groups=[] if process.user else None,
        )


def _listens(process: Process) -> bool:
    family, address = socket.AF_UNIX, process.socket
    where: str | tuple[str, int] = str(address)
    if isinstance(address, Address):
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        where = (address.host, address.port)
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(where) == 0


class _Run:
    """What has been started, and how long it takes to answer."""

    def __init__(self, follower: _Follower, stop: Stop) -> None:
        self.follower, self._stop = follower, stop
        self.started: list[subprocess.Popen[bytes]] = []

    def look(self) -> None:
        """Show what the servers have written. Raise CannotRun if one of them has ended."""
        ended = [one for one in self.started if one.poll() is not None]
        self.follower.copy()
        if ended:
            status = ended[0].returncode
            raise CannotRun(f"A server ended by itself: status {status}, see above.")

    def wait(self, what: object, answers: Callable[[], int | None]) -> int | None:
        """Wait for what ``answers()``, and return it; or for a signal, the end of a server, or too
        long a time."""
        deadline = time.monotonic() + _START_SECONDS
        asked = _Asked(answers)
        while not self._stop.is_set():
            if answer := asked.answer():
                return answer
            self.look()
            if time.monotonic() > deadline:
                raise CannotRun(f"{what} did not answer in {_START_SECONDS:.0f} seconds.")
            self._stop.wait(0.05)
        return None


class _Asked:
    """Asks again and again, in threads: a first answer may take long, and a signal must not."""

    def __init__(self, ask: Callable[[], int | None]) -> None:
        self._ask = ask
        self._asking: Future[int | None] | None = None

    def answer(self) -> int | None:
        """What was answered meanwhile, if anything; else it is asked, unless it still is. Raise
        what asking raised."""
        if self._asking and not self._asking.done():
            return None
        if self._asking and (answer := self._asking.result()):
            return answer
        self._asking = Future()
        # A daemon: who ends this command does not wait for an answer.
        threading.Thread(target=self._run, args=(self._asking,), daemon=True).start()
        return None

    def _run(self, asking: Future[int | None]) -> None:
        try:
            asking.set_result(self._ask())
        except Exception as error:
            asking.set_exception(error)


def end(process: subprocess.Popen[bytes], stop: Stop | None = None) -> None:
    """Ask the server to stop, and let it answer what it has begun, unless ``stop`` came twice; then
    end whatever is left of its process group."""
    if process.poll() is None:
        process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if stop and stop.is_urgent():
                break
            time.sleep(0.02)  # A second signal may come meanwhile: wait() would not look up.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _await_end_of_group(process.pid)


def _await_end_of_group(number: int) -> None:
    """Wait until init has taken the orphans of a killed group; raise ProcessLookupError then.

    Python's own resource tracker, which a server that spawns its workers has, is such a one.
    """
    deadline = time.monotonic() + _ORPHAN_SECONDS
    while time.monotonic() < deadline:
        os.killpg(number, 0)
        time.sleep(0.01)


class _Follower:
    """Copies what is appended to the log files to stderr, as fast as somebody reads it there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._offsets: dict[Path, int] = {}

    def copy(self, patience: float = 0) -> None:
        """Write what fits now; wait for a reader no longer than ``patience`` seconds."""
        for path in sorted(self._directory.glob("*.log")):
            with contextlib.suppress(OSError):
                self._copy(os.open(path, _LOG), path, patience)

    def _copy(self, descriptor: int, path: Path, patience: float) -> None:
        with open(descriptor, "rb", buffering=0) as log:
            log.seek(self._offsets.get(path, 0))
            # A pipe that is ready takes so many bytes at once (pipe(7)).
            while _is_read(patience) and (text := log.read(select.PIPE_BUF)):
                os.write(_STDERR, text)
                self._offsets[path] = log.tell()


def _is_read(patience: float) -> bool:
    return bool(select.select((), (_STDERR,), (), patience)[1])
