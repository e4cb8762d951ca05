"""Run a stack in the foreground: start, wait until it answers, follow the logs, end it all."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from types import FrameType

from django_deploykit.config.deployment import Address
from django_deploykit.exceptions import CannotRun

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0


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

    def status(self) -> int | None:
        """The status of a first answer, or None while there is none."""
        connection = self._connection()
        try:
            connection.request("GET", self.path, headers={"Host": self.host})
            return connection.getresponse().status
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        host, port = self._connectable.strip("[]"), self.address.port
        if not self.secure:
            return HTTPConnection(host, port, timeout=_START_SECONDS)
        # Only whether it answers matters here; the certificate names another host than this.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return HTTPSConnection(host, port, timeout=_START_SECONDS, context=context)


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
    command: Sequence[str],
    front: Front,
    logs: Path,
    environment: dict[str, str],
    ready: Callable[[str], None],
) -> None:
    """Run ``command`` until a signal or its own end; nothing it started outlives this call.

    ``ready`` is called with one line when the front answers. Raise CannotRun if it ends by
    itself, or does not answer in time.
    """
    with _signals() as stop:
        # Its messages join the logs on stderr; stdout is for the line that says it is ready.
        process = subprocess.Popen(
            command, env=environment, stdout=sys.__stderr__, start_new_session=True
        )
        follower = _Follower(logs)
        try:
            _wait_until_ready(process, front, stop, follower)
            if not stop.is_set():
                ready(f"ready {front.url}")
            while process.poll() is None and not stop.wait(0.1):
                follower.copy()
            if not stop.is_set():
                follower.copy()
                raise CannotRun(f"The server ended by itself with status {process.returncode}.")
        finally:
            _end(process)
            follower.copy()


@contextlib.contextmanager
def _signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, instead of what they did before."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_until_ready(
    process: subprocess.Popen[bytes], front: Front, stop: threading.Event, follower: _Follower
) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not stop.is_set():
        if process.poll() is not None:
            follower.copy()
            raise CannotRun(f"The server did not start: status {process.returncode}, see above.")
        if front.status() is not None:
            return
        if time.monotonic() > deadline:
            follower.copy()
            raise CannotRun(f"{front.url} did not answer in {_START_SECONDS:.0f} seconds.")
        stop.wait(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to stop, then end whatever is left of its process group."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class _Follower:
    """Copies what is appended to the log files to stderr."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._offsets: dict[Path, int] = {}

    def copy(self) -> None:
        for path in sorted(self._directory.glob("*.log")):
            with path.open("rb") as log:
                log.seek(self._offsets.get(path, 0))
                text = log.read()
                self._offsets[path] = log.tell()
            sys.stderr.write(text.decode(errors="replace"))
        sys.stderr.flush()
