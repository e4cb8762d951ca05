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
_COMPLETE, _NO_MULTIPLEXING, _UNKNOWN_ROLE = 0, 1, 3
_MOST = 0xFFFF
_LONG = 0x80  # the first byte of a length that has four

# Apache and lighttpd ask as one asks an authorizer; nginx knows no role but that of a responder.
RESPONDER, AUTHORIZER = 1, 2

# Room for the largest request line and headers that a server lets through.
_PARAMS_SIZE = 1024 * 1024
_REQUEST_SECONDS = 10.0
_LINGER_SECONDS = 1.0


class ProtocolError(Exception):
    """What came is not a request to an authorizer."""


@dataclass
class Request:
    """Who asks, by the number and in the role of its request, and the parameters so far."""

    number: int
    role: int
    stream: bytearray = field(default_factory=bytearray)

    def params(self) -> dict[str, str]:
        """Names and values, as text in the manner of PEP 3333."""
        return dict(_pairs(self.stream.decode("latin-1")))


# Makes header lines of a request's role and parameters.
Answer = Callable[[int, dict[str, str]], bytes]


class Connection:
    """A connection on which a web server asks once: none of them asks a second time on it.

    (nginx closes it once it has the headers, be it told to keep it or not: only over HTTP does
    ``auth_request`` ever use one again.)
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = bytearray()
        self._deadline = time.monotonic() + _REQUEST_SECONDS

    def converse(self, answer: Answer) -> None:
        """Read one request, and write what ``answer`` makes of it.

        Raise ProtocolError, EOFError or OSError where no request arrives, within ten seconds.
        """
        request = self._request()
        output = answer(request.role, request.params())
        parts = [output[start : start + _MOST] for start in range(0, len(output), _MOST)]
        records = [_record(_STDOUT, request.number, part) for part in (*parts, b"")]
        self._send(b"".join(records) + _ended(request.number, _COMPLETE))
        if self._connection.family != socket.AF_UNIX and request.role == AUTHORIZER:
            self._linger()

    def _request(self) -> Request:
        request: Request | None = None
        while True:
            kind, number, content = self._receive()
            if number == 0:  # A question about the application itself; none is understood.
                self._send(_record(_UNKNOWN, 0, struct.pack("!B7x", kind)))
            elif kind == _BEGIN and request:
                self._send(_ended(number, _NO_MULTIPLEXING))
            elif kind == _BEGIN:
                request = self._begun(number, content)
            elif request and number == request.number and _completes(request, kind, content):
                return request

    def _begun(self, number: int, content: bytes) -> Request:
        role = int.from_bytes(content[:2])
        if role not in (RESPONDER, AUTHORIZER):
            self._send(_ended(number, _UNKNOWN_ROLE))
            raise ProtocolError(f"role {role} is not that of an authorizer, {AUTHORIZER}")
        return Request(number, role)

    def _receive(self) -> tuple[int, int, bytes]:
        head = _HEADER.unpack(self._exactly(_HEADER.size))
        version, kind, number, length, padding = head
        if version != _VERSION:
            raise ProtocolError(f"version {version} is not {_VERSION}")
        return kind, number, self._exactly(length + padding)[:length]

    def _exactly(self, size: int) -> bytes:
        """So many bytes of those that have come; whatever comes is taken at once."""
        while len(self._received) < size:
            left = self._deadline - time.monotonic()
            if left <= 0:  # However slowly bytes drop in.
                raise TimeoutError(f"no whole request within {_REQUEST_SECONDS:g} seconds")
            self._connection.settimeout(left)
            chunk = self._connection.recv(_MOST)
            if not chunk:
                raise EOFError("the connection ended within a request")
            self._received += chunk
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def _send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def _linger(self) -> None:
        """Read what is left, such as a body's end: to close before would reset a connection of
        TCP, and lose the answer. Of a responder's request nothing is left."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
            self._connection.settimeout(_LINGER_SECONDS)
            while self._connection.recv(4096):
                pass


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


def _pairs(stream: str) -> Iterator[tuple[str, str]]:
    """Names and values (3.4)."""
    position, size = 0, len(stream)
    while position < size:
        name_length, position = _length(stream, position)
        value_length, position = _length(stream, position)
        middle = position + name_length
        end = middle + value_length
        if end > size:
            raise ProtocolError("a parameter is cut off")
        yield stream[position:middle], stream[middle:end]
        position = end


def _length(stream: str, position: int) -> tuple[int, int]:
    first = ord(stream[position]) if position < len(stream) else _LONG
    if first < _LONG:
        return first, position + 1
    raw = stream[position : position + 4].encode("latin-1")
    if len(raw) < 4:
        raise ProtocolError("a length is cut off")
    return int.from_bytes(raw) & 0x7FFFFFFF, position + 4


def _record(kind: int, number: int, content: bytes = b"") -> bytes:
    return _HEADER.pack(_VERSION, kind, number, len(content), 0) + content


def _ended(number: int, status: int) -> bytes:
    return _record(_END, number, struct.pack("!IB3x", 0, status))
