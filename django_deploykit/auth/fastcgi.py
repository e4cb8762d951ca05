"""FastCGI's records, as far as an authorizer needs them (FastCGI Specification 1.0, April 1996).

flup serves responders only, through WSGI. An authorizer is less: it looks at no body, and what it
says is a few header lines of which the first has to be ``Status:``.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_HEADER = struct.Struct("!BBHHBx")  # version, type, request id, length, padding
_VERSION = 1
_BEGIN, _ABORT, _END, _PARAMS, _STDIN, _STDOUT, _UNKNOWN = 1, 2, 3, 4, 5, 6, 11
_KEEP_CONNECTION = 1
_COMPLETE, _NO_MULTIPLEXING, _UNKNOWN_ROLE = 0, 1, 3
_MOST = 0xFFFF

# Apache and lighttpd ask as one asks an authorizer; nginx knows no role but that of a responder.
RESPONDER, AUTHORIZER = 1, 2

# Room for the largest request line and headers that a server lets through.
_PARAMS_SIZE = 1024 * 1024
_REQUEST_SECONDS = 10.0
_LINGER_SECONDS = 1.0


class ProtocolError(Exception):
    """What came is not a request to an authorizer."""


class Ended(EOFError):
    """The connection ended between two requests, or before the first."""


@dataclass
class Request:
    """Who asks, by the number and in the role of its request, and the parameters so far."""

    number: int
    role: int
    keeps: bool
    stream: bytearray = field(default_factory=bytearray)

    def params(self) -> dict[str, str]:
        """Names and values, as text in the manner of PEP 3333."""
        return dict(_pairs(bytes(self.stream)))


# Makes header lines of a request's role and parameters.
Answer = Callable[[int, dict[str, str]], bytes]


class Connection:
    """A connection of a web server, on which it asks once, or again and again."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = bytearray()

    @property
    def has_more(self) -> bool:
        """Whether part of the next request has come already."""
        return bool(self._received)

    def converse(self, answer: Answer) -> bool:
        """Read one request, and write what ``answer`` makes of it; tell whether the web server
        wants to ask again.

        Raise Ended where nothing comes, and ProtocolError, EOFError or OSError where something else
        does than a request within ten seconds.
        """
        request = self._request()
        output = answer(request.role, request.params())
        parts = [output[start : start + _MOST] for start in range(0, len(output), _MOST)]
        records = [_record(_STDOUT, request.number, part) for part in (*parts, b"")]
        self._send(b"".join(records) + _ended(request.number, _COMPLETE))
        return request.keeps

    def linger(self) -> None:
        """Read what is left: to close before would reset the connection, and lose the answer."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
            self._connection.settimeout(_LINGER_SECONDS)
            while self._connection.recv(4096):
                pass

    def _request(self) -> Request:
        deadline = time.monotonic() + _REQUEST_SECONDS
        request: Request | None = None
        if not self.has_more and not self._more(deadline):
            raise Ended
        while True:
            kind, number, content = self._receive(deadline)
            if number == 0:  # A question about the application itself; none is understood.
                self._send(_record(_UNKNOWN, 0, struct.pack("!B7x", kind)))
            elif kind == _BEGIN and request:
                self._send(_ended(number, _NO_MULTIPLEXING))
            elif kind == _BEGIN:
                request = self._begun(number, content)
            elif request and number == request.number and _completes(request, kind, content):
                return request

    def _begun(self, number: int, content: bytes) -> Request:
        role, flags = struct.unpack_from("!HB", content.ljust(3, b"\0"))
        if role not in (RESPONDER, AUTHORIZER):
            self._send(_ended(number, _UNKNOWN_ROLE))
            raise ProtocolError(f"role {role} is not that of an authorizer, {AUTHORIZER}")
        return Request(number, role, bool(flags & _KEEP_CONNECTION))

    def _receive(self, deadline: float) -> tuple[int, int, bytes]:
        head = _HEADER.unpack(self._exactly(_HEADER.size, deadline))
        version, kind, number, length, padding = head
        if version != _VERSION:
            raise ProtocolError(f"version {version} is not {_VERSION}")
        return kind, number, self._exactly(length + padding, deadline)[:length]

    def _exactly(self, size: int, deadline: float) -> bytes:
        """So many bytes of those that have come; whatever comes is taken at once."""
        while len(self._received) < size:
            if not self._more(deadline):
                raise EOFError("the connection ended within a request")
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def _more(self, deadline: float) -> bool:
        """Take what comes; False at the end of the connection."""
        left = deadline - time.monotonic()
        if left <= 0:  # However slowly bytes drop in.
            raise TimeoutError(f"no whole request within {_REQUEST_SECONDS:g} seconds")
        self._connection.settimeout(left)
        chunk = self._connection.recv(_MOST)
        self._received += chunk
        return bool(chunk)

    def _send(self, data: bytes) -> None:
        self._connection.settimeout(_REQUEST_SECONDS)
        self._connection.sendall(data)


def _completes(request: Request, kind: int, content: bytes) -> bool:
    """Whether nothing of a request comes after this record. A responder's has a body, too."""
    if kind == _ABORT:
        raise ProtocolError("the request was aborted")
    if kind == _PARAMS:
        request.stream += content
        if len(request.stream) > _PARAMS_SIZE:
            raise ProtocolError(f"more than {_PARAMS_SIZE} bytes of parameters")
    last = _PARAMS if request.role == AUTHORIZER else _STDIN
    return kind == last and not content


def _pairs(stream: bytes) -> Iterator[tuple[str, str]]:
    """Names and values (3.4), as text in the manner of PEP 3333."""
    position = 0
    while position < len(stream):
        name_length, position = _length(stream, position)
        value_length, position = _length(stream, position)
        middle, end = position + name_length, position + name_length + value_length
        if end > len(stream):
            raise ProtocolError("a parameter is cut off")
        yield stream[position:middle].decode("latin-1"), stream[middle:end].decode("latin-1")
        position = end


def _length(stream: bytes, position: int) -> tuple[int, int]:
    size = 4 if stream[position : position + 1] >= b"\x80" else 1
    raw = stream[position : position + size]
    if len(raw) < size:
        raise ProtocolError("a length is cut off")
    return int.from_bytes(raw) & 0x7FFFFFFF, position + size


def _record(kind: int, number: int, content: bytes = b"") -> bytes:
    return _HEADER.pack(_VERSION, kind, number, len(content), 0) + content


def _ended(number: int, status: int) -> bytes:
    return _record(_END, number, struct.pack("!IB3x", 0, status))
