"""Visitors who never stop asking, and an account of every request that was not answered.

Each thread is one visitor: on a connection that it keeps, or on a fresh one for each request; with
quick requests, uploads, or such that take seconds.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPResponse

# So soon after it was written to, a kept connection may turn out to have been closed before:
# the request and the end of the connection crossed, and any client asks again (RFC 9112, 9.3.1).
_CROSSED = 0.1
_PATIENCE = 60
# Seconds between an answer and the next question: without, those who ask have the machine, and not
# the servers.
_BREATH = 0.003


@dataclass(frozen=True)
class Failure:
    """A request that got no answer, or another than it should: when it was sent, and what came."""

    visitor: str
    sent: float
    seconds: float
    what: str

    def __str__(self) -> str:
        return f"{self.visitor} at {self.sent:.2f} after {self.seconds:.2f} s: {self.what}"


@dataclass(frozen=True)
class Visitor:
    """What one thread asks, how, and what it says in an account."""

    name: str
    path: str
    kept: bool = False
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def request(self) -> bytes:
        method, connection = "POST" if self.body else "GET", "keep-alive" if self.kept else "close"
        lines = [("Host", "localhost"), ("Connection", connection), *self.headers]
        if self.body:
            lines.append(("Content-Length", str(len(self.body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        return f"{method} {self.path} HTTP/1.1\r\n{head}\r\n".encode() + self.body


def visitors(seconds: float, prefix: str = "") -> list[Visitor]:
    """Quick requests, uploads, and requests of so many ``seconds``, on both kinds of connection."""
    slow = f"{prefix}/slow/?seconds={seconds}"
    return [
        Visitor("quick", f"{prefix}/whoami/"),
        Visitor("quick kept", f"{prefix}/whoami/", kept=True),
        Visitor("upload", f"{prefix}/upload/raw/", body=b"x" * 100_000),
        Visitor("long", slow),
        Visitor("long kept", slow, kept=True),
    ]


@dataclass
class Load:
    """Visitors of whatever ``connect`` leads to, from the beginning of the block to its end."""

    connect: Callable[[], socket.socket]
    visitors: list[Visitor]
    failures: list[Failure] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    longest: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> Load:
        self.began, self._over = time.monotonic(), threading.Event()
        self._threads = [
            threading.Thread(target=self._visit, args=(one,), daemon=True) for one in self.visitors
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Let every request that was begun come to its end."""
        self._over.set()
        for thread in self._threads:
            thread.join(_PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads)

    @property
    def now(self) -> float:
        """Seconds since the load began."""
        return time.monotonic() - self.began

    def wait_for_answers(self, count: int = 1) -> None:
        """Wait until every visitor has got so many answers more."""
        wanted = {one.name: self.answers.get(one.name, 0) + count for one in self.visitors}
        deadline = time.monotonic() + _PATIENCE
        while any(self.answers.get(name, 0) < number for name, number in wanted.items()):
            assert time.monotonic() < deadline, (self.answers, list(map(str, self.failures)))
            time.sleep(0.01)

    def lost(self, after: float = 0, before: float = float("inf")) -> list[str]:
        """Every request that failed and was sent in this time, in words."""
        return [str(one) for one in self.failures if after < one.sent < before]

    def forgive(self) -> None:
        """Count no failure so far: what was lost had to be."""
        self.failures.clear()

    def _visit(self, visitor: Visitor) -> None:
        connection = None
        while not self._over.is_set():
            sent = self.now
            try:
                connection = self._answered(visitor, connection)
            except Exception as error:
                connection = None
                self._account(visitor, sent, f"{type(error).__name__}: {error}")
            else:
                self._account(visitor, sent)
        if connection:
            connection.close()

    def _answered(self, visitor: Visitor, connection: socket.socket | None) -> socket.socket | None:
        """Ask once; the connection, where it can be kept. Raise whatever went wrong."""
        sent = time.monotonic()
        if connection and _is_over(connection):
            connection.close()
        elif connection:
            try:
                return _ask(visitor, connection)
            except OSError:
                if time.monotonic() - sent > _CROSSED:
                    raise
        return _ask(visitor, self.connect())

    def _account(self, visitor: Visitor, sent: float, failure: str = "") -> None:
        seconds = self.now - sent
        if failure:
            self.failures.append(Failure(visitor.name, sent, seconds, failure))
            time.sleep(0.05)  # A front whose application is away answers thousands a second.
            return
        self.answers[visitor.name] = self.answers.get(visitor.name, 0) + 1
        self.longest[visitor.name] = max(seconds, self.longest.get(visitor.name, 0))
        time.sleep(_BREATH)


def _is_over(connection: socket.socket) -> bool:
    """Tell whether the other side has already closed an idle connection."""
    return bool(select.select([connection], [], [], 0)[0])


def _ask(visitor: Visitor, connection: socket.socket) -> socket.socket | None:
    """Ask, and read the whole answer; the connection, if it can be kept, else it is closed."""
    with contextlib.ExitStack() as closing:
        closing.callback(connection.close)
        connection.sendall(visitor.request)
        response = HTTPResponse(connection, method="GET")
        closing.callback(response.close)
        response.begin()
        response.read()
        if response.status != http.client.OK:
            raise ValueError(f"status {response.status}")
        if not visitor.kept or response.will_close:
            return None
        closing.pop_all()
        return connection


@contextlib.contextmanager
def under_load(
    connect: Callable[[], socket.socket], seconds: float, prefix: str = ""
) -> Iterator[Load]:
    """A load that has begun to be answered, until the block ends."""
    with Load(connect, visitors(seconds, prefix)) as load:
        deadline = time.monotonic() + _PATIENCE
        while not {"quick", "upload"} <= load.answers.keys():
            assert time.monotonic() < deadline, list(map(str, load.failures))
            time.sleep(0.01)
        yield load
