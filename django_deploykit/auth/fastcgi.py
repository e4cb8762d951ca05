"""FastCGI's records, as far as an authorizer needs them (FastCGI Specification 1.0, April 1996).

flup serves responders only, through WSGI. An authorizer is less: it gets no body, and what it says
is a few header lines of which the first has to be ``Status:``.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator

_HEADER = struct.Struct("!BBHHBx")  # version, type, request id, length, padding
_VERSION = 1
_BEGIN, _ABORT, _END, _PARAMS, _STDOUT, _UNKNOWN = 1, 2, 3, 4, 6, 11
_AUTHORIZER = 2
_COMPLETE, _NO_MULTIPLEXING, _UNKNOWN_ROLE = 0, 1, 3
_MOST = 0xFFFF

# Room for the largest request line and headers that a server lets through.
_PARAMS_SIZE = 1024 * 1024
_REQUEST_SECONDS = 10.0
_LINGER_SECONDS = 1.0


class ProtocolError(Exception):
    """What came is not a request to an authorizer."""


def converse(connection: socket.socket, answer: Callable[[dict[str, str]], bytes]) -> None:
    """Read one request of the role AUTHORIZER, and write what ``answer`` makes of its parameters.

    The connection is to be closed then: neither Apache nor lighttpd asks a second time on it.
    Raise ProtocolError, EOFError or OSError where no request arrives, within ten seconds.
    """
    number, params = _request(connection)
    output = answer(params)
    for start in range(0, len(output), _MOST):
        _send(connection, _STDOUT, number, output[start : start + _MOST])
    _send(connection, _STDOUT, number)
    _end(connection, number, _COMPLETE)
    _linger(connection)


def _request(connection: socket.socket) -> tuple[int, dict[str, str]]:
    deadline = time.monotonic() + _REQUEST_SECONDS
    begun, stream = 0, bytearray()
    while True:
        kind, number, content = _receive(connection, deadline)
        if number == 0:  # A question about the application itself; none is understood.
            _send(connection, _UNKNOWN, 0, struct.pack("!B7x", kind))
        elif kind == _BEGIN and begun:
            _end(connection, number, _NO_MULTIPLEXING)
        elif kind == _BEGIN:
            _check_role(connection, number, content)
            begun = number
        elif number != begun or kind not in (_ABORT, _PARAMS):
            continue  # Of no request, or its empty body.
        elif kind == _ABORT:
            raise ProtocolError("the request was aborted")
        elif content:
            stream += content
            if len(stream) > _PARAMS_SIZE:
                raise ProtocolError(f"more than {_PARAMS_SIZE} bytes of parameters")
        else:
            return begun, dict(_pairs(bytes(stream)))


def _check_role(connection: socket.socket, number: int, content: bytes) -> None:
    role = int.from_bytes(content[:2])
    if role != _AUTHORIZER:
        _end(connection, number, _UNKNOWN_ROLE)
        raise ProtocolError(f"role {role} is not that of an authorizer, {_AUTHORIZER}")


def _receive(connection: socket.socket, deadline: float) -> tuple[int, int, bytes]:
    head = _HEADER.unpack(_exactly(connection, _HEADER.size, deadline))
    version, kind, number, length, padding = head
    if version != _VERSION:
        raise ProtocolError(f"version {version} is not {_VERSION}")
    return kind, number, _exactly(connection, length + padding, deadline)[:length]


def _exactly(connection: socket.socket, size: int, deadline: float) -> bytes:
    data = bytearray()
    while len(data) < size:
        left = deadline - time.monotonic()
        if left <= 0:  # However slowly bytes drop in.
            raise TimeoutError(f"no whole request within {_REQUEST_SECONDS:g} seconds")
        connection.settimeout(left)
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise EOFError("the connection ended within a request")
        data += chunk
    return bytes(data)


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


def _send(connection: socket.socket, kind: int, number: int, content: bytes = b"") -> None:
    connection.settimeout(_REQUEST_SECONDS)
    connection.sendall(_HEADER.pack(_VERSION, kind, number, len(content), 0) + content)


def _end(connection: socket.socket, number: int, status: int) -> None:
    _send(connection, _END, number, struct.pack("!IB3x", 0, status))


def _linger(connection: socket.socket) -> None:
    """Read what is left: to close before would reset the connection, and lose the answer."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(_LINGER_SECONDS)
        while connection.recv(4096):
            pass
