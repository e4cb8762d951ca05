"""What is said on one connection of a web server, by whom nobody is kept waiting."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable, Generator
from functools import partial
from typing import Protocol

from django_deploykit.auth import fastcgi

_REQUEST_SECONDS = 10.0
_LINGER_SECONDS = 1.0
_CHUNK = 0xFFFF

# What has to happen before a conversation goes on: an event of epoll(7), or an answer to be found.
Wanted = int | Callable[[], bytes]


class Authority(Protocol):
    """Answers a request's role and parameters with header lines."""

    def at_once(self, role: int, params: dict[str, str]) -> bytes | None:
        """The answer, or None where it takes its time."""

    def __call__(self, role: int, params: dict[str, str]) -> bytes:
        """The answer, whatever it takes."""


class Conversation:
    """One question and its answer on a connection, which ends with it.

    ``proceed()`` goes on without waiting, and returns what has to happen before it can be called
    again; where that is an answer to be found, it is to be called with that. It raises
    StopIteration at the end, and ProtocolError, EOFError or OSError where no request arrives.
    From ``deadline`` on, ``interrupt()`` is to be called instead, until that raises.
    """

    def __init__(self, connection: socket.socket, authority: Authority) -> None:
        self.number = connection.fileno()
        self.events = 0  # those of epoll(7) that are watched for its sake
        self.deadline = time.monotonic() + _REQUEST_SECONDS
        connection.setblocking(False)
        self._connection, self._authority = connection, authority
        self._steps = self._converse()

    def proceed(self, answer: bytes | None = None) -> Wanted:
        return self._steps.send(answer)

    def interrupt(self, why: str) -> Wanted:
        return self._steps.throw(TimeoutError(why))

    def close(self) -> None:
        """End it, wherever it is."""
        self._steps.close()
        self._connection.close()

    def _converse(self) -> Generator[Wanted, bytes | None, None]:
        request = yield from self._request()
        params = request.params()
        output = self._authority.at_once(request.role, params)
        if output is None:
            output = yield partial(self._authority, request.role, params)
            self.deadline = time.monotonic() + _REQUEST_SECONDS
        if output is None:
            return
        yield from self._send(fastcgi.answered(request.number, output))
        if request.role == fastcgi.AUTHORIZER and self._connection.family != socket.AF_UNIX:
            yield from self._linger()

    def _request(self) -> Generator[Wanted, None, fastcgi.Request]:
        reader, request = fastcgi.Reader(), None
        while request is None:
            data = yield from self._receive()
            if not data:
                raise EOFError("the connection ended within a request")
            try:
                request = reader.feed(data)
            finally:  # Why there will be none, too.
                if reader.replies:
                    yield from self._send(bytes(reader.replies))
                    reader.replies.clear()
        return request

    def _receive(self) -> Generator[Wanted, None, bytes]:
        while True:
            try:
                return self._connection.recv(_CHUNK)
            except BlockingIOError:
                yield select.EPOLLIN

    def _send(self, data: bytes) -> Generator[Wanted, None, None]:
        while data:
            try:
                data = data[self._connection.send(data) :]
            except BlockingIOError:
                yield select.EPOLLOUT

    def _linger(self) -> Generator[Wanted, None, None]:
        """Read what is left, such as a body's end: to close before would reset a connection of
        TCP, and lose the answer. Of a responder's request nothing is left."""
        self.deadline = time.monotonic() + _LINGER_SECONDS
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
            while (yield from self._receive()):
                pass
