"""FastCGI's records, as far as an authorizer needs them (FastCGI Specification 1.0, April 1996).

flup serves responders only, through WSGI. An authorizer is less: it looks at no body, and what it
says is a few header lines of which the first has to be ``Status:``. Nothing here reads or writes:
bytes go in, and bytes come out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
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


class ProtocolError(Exception):
    """What came is not a request to an authorizer."""


@dataclass
class Request:
    """Who asks, by the number and in the role of its request, and the parameters so far."""

    number: int
    role: int
    stream: bytearray = field(default_factory=bytearray)

    def params(self) -> dict[str, str]:
        """Names and values, as text in the manner of PEP 3333. Raise ProtocolError."""
        return dict(_pairs(bytes(self.stream)))


class Reader:
    """Makes a request of what comes on a connection, of which a web server uses each once.

    (nginx closes it once it has the headers, be it told to keep it or not: only over HTTP does
    ``auth_request`` ever use one again.)

    ``replies`` is what the peer has to be told before its request is whole.
    """

    def __init__(self) -> None:
        self.replies = bytearray()
        self._received = bytearray()
        self._request: Request | None = None

    def feed(self, data: bytes) -> Request | None:
        """Take what has come; return the request as soon as all of it is there.

        Raise ProtocolError where none is to be expected any more.
        """
        self._received += data
        for kind, number, content in self._records():
            if number == 0:  # A question about the application itself; none is understood.
                self.replies += _record(_UNKNOWN, 0, struct.pack("!B7x", kind))
            elif kind == _BEGIN and self._request:
                self.replies += _ended(number, _NO_MULTIPLEXING)
            elif kind == _BEGIN:
                self._request = self._begun(number, content)
            elif self._request and _completes(self._request, number, kind, content):
                return self._request
        return None

    def _records(self) -> Iterator[tuple[int, int, bytes]]:
        """The type, number and content of each record that is whole."""
        received = self._received
        while len(received) >= _HEADER.size:
            version, kind, number, length, padding = _HEADER.unpack_from(received)
            if version != _VERSION:
                raise ProtocolError(f"version {version} is not {_VERSION}")
            end = _HEADER.size + length
            if len(received) < end + padding:
                return
            content = bytes(received[_HEADER.size : end])
            del received[: end + padding]
            yield kind, number, content

    def _begun(self, number: int, content: bytes) -> Request:
        role = int.from_bytes(content[:2])
        if role not in (RESPONDER, AUTHORIZER):
            self.replies += _ended(number, _UNKNOWN_ROLE)
            raise ProtocolError(f"role {role} is not that of an authorizer, {AUTHORIZER}")
        return Request(number, role)


def answered(number: int, output: bytes) -> bytes:
    """The records that answer the request of that number."""
    parts = [output[start : start + _MOST] for start in range(0, len(output), _MOST)]
    records = [_record(_STDOUT, number, part) for part in (*parts, b"")]
    return b"".join(records) + _ended(number, _COMPLETE)


def _completes(request: Request, number: int, kind: int, content: bytes) -> bool:
    """Whether nothing of a request comes after this record. A responder's has a body, too."""
    if number != request.number:
        return False
    if kind == _ABORT:
        raise ProtocolError("the request was aborted")
    if kind == _PARAMS:
        request.stream += content
        if len(request.stream) > _PARAMS_SIZE:
            raise ProtocolError(f"more than {_PARAMS_SIZE} bytes of parameters")
    last = _PARAMS if request.role == AUTHORIZER else _STDIN
    return kind == last and not content


def _pairs(stream: bytes) -> Iterator[tuple[str, str]]:
    """Names and values (3.4). Most lengths have one byte; they are read here, for speed."""
    text, position, size = stream.decode("latin-1"), 0, len(stream)
    while position < size:
        name_length, position = stream[position], position + 1
        if name_length >= _LONG:
            name_length, position = _long(stream, position)
        if position == size:
            raise ProtocolError("a length is missing")
        value_length, position = stream[position], position + 1
        if value_length >= _LONG:
            value_length, position = _long(stream, position)
        middle = position + name_length
        end = middle + value_length
        if end > size:
            raise ProtocolError("a parameter is cut off")
        yield text[position:middle], text[middle:end]
        position = end


def _long(stream: bytes, position: int) -> tuple[int, int]:
    """A length whose four bytes end three behind ``position``, and where they end."""
    end = position + 3
    if end > len(stream):
        raise ProtocolError("a length is cut off")
    return int.from_bytes(stream[position - 1 : end]) & 0x7FFFFFFF, end


def _record(kind: int, number: int, content: bytes = b"") -> bytes:
    return _HEADER.pack(_VERSION, kind, number, len(content), 0) + content


def _ended(number: int, status: int) -> bytes:
    return _record(_END, number, struct.pack("!IB3x", 0, status))
