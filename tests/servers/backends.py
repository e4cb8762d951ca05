"""Application servers of a few lines: they record what a front hands them, and say what is told.

Where a real one would decode, correct or refuse something, these show the front's own bytes.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

_BEGIN, _ABORT, _END, _PARAMS, _STDIN, _STDOUT = range(1, 7)


@dataclass(frozen=True)
class Request:
    """What arrived: over HTTP the head as it was sent, else the parameters in order."""

    head: bytes = b""
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The request line of HTTP."""
        return self.head.partition(b"\r\n")[0].decode("latin-1")


@dataclass
class Backend:
    """A listening application server; ``answer`` (head of CGI, and body) may be replaced. With an
    empty one it takes a request and dies; over HTTP, each takes it so many ``seconds``."""

    port: int
    requests: list[Request] = field(default_factory=list)
    answer: bytes = b"Status: 200 OK\r\nContent-Type: text/plain\r\n\r\nfrom the application"
    seconds: float = 0

    @property
    def last(self) -> Request:
        """The latest request."""
        return self.requests[-1]


@contextlib.contextmanager
def listening(protocol: str, path: Path | None = None, port: int = 0) -> Iterator[Backend]:
    """Answer one request for each connection, at ``port`` (a free one) or ``path``, to the end."""
    speak = _PROTOCOLS[protocol]
    with _listener(path, port) as listener:
        backend = Backend(0 if path else listener.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(listener, backend, speak), daemon=True)
        thread.start()
        try:
            yield backend
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _listener(path: Path | None, port: int) -> socket.socket:
    if path is None:
        return socket.create_server(("127.0.0.1", port))
    path.unlink(missing_ok=True)
    listener = socket.create_server(str(path), family=socket.AF_UNIX)
    path.chmod(0o777)
    return listener


def _serve(listener: socket.socket, backend: Backend, speak: Callable[..., None]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # The test has ended.
            return
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            speak(connection, stream, backend)


def _http(connection: socket.socket, stream: BinaryIO, backend: Backend) -> None:
    first = stream.readline()
    if not first:  # Only to see whether somebody listens.
        return
    head = first + b"".join(iter(stream.readline, b"\r\n"))
    backend.requests.append(Request(head=head))
    if length := re.search(rb"(?i)\r\ncontent-length: *(\d+)", head):
        stream.read(int(length[1]))
    time.sleep(backend.seconds)
    connection.sendall(_as_http(backend))


def _uwsgi(connection: socket.socket, stream: BinaryIO, backend: Backend) -> None:
    _, size, _ = struct.unpack("<BHB", stream.read(4))
    packet, words = stream.read(size), []
    while packet:
        end = 2 + int.from_bytes(packet[:2], "little")
        words.append(packet[2:end].decode("latin-1"))
        packet = packet[end:]
    parameters = dict(zip(words[::2], words[1::2], strict=True))
    backend.requests.append(Request(parameters=parameters))
    connection.sendall(_as_http(backend))


def _as_http(backend: Backend) -> bytes:
    if not backend.answer:
        return b""
    head, _, body = backend.answer.partition(b"\r\n\r\n")
    status, _, headers = head.removeprefix(b"Status: ").partition(b"\r\n")
    length = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    return b"HTTP/1.1 " + status + b"\r\n" + headers + b"\r\n" + length + body


def _scgi(connection: socket.socket, stream: BinaryIO, backend: Backend) -> None:
    length = b"".join(iter(lambda: stream.read(1), b":"))
    words = stream.read(int(length)).decode("latin-1").split("\0")[:-1]
    parameters = dict(zip(words[::2], words[1::2], strict=True))
    stream.read(1 + int(parameters["CONTENT_LENGTH"]))
    backend.requests.append(Request(parameters=parameters))
    connection.sendall(backend.answer)


def _fastcgi(connection: socket.socket, stream: BinaryIO, backend: Backend) -> None:
    parameters = b""
    for kind, content in iter(lambda: _record(stream), (_STDIN, b"")):
        parameters += content if kind == _PARAMS else b""
    backend.requests.append(Request(parameters=dict(_pairs(parameters))))
    if not backend.answer:
        return
    for kind, content in (_STDOUT, backend.answer), (_STDOUT, b""), (_END, bytes(8)):
        header = struct.pack("!BBHHBx", 1, kind, 1, len(content), 0)
        connection.sendall(header + content)


def _record(stream: BinaryIO) -> tuple[int, bytes]:
    _, kind, _, length, padding = struct.unpack("!BBHHBx", stream.read(8))
    return kind, stream.read(length + padding)[:length]


def _pairs(encoded: bytes) -> Iterator[tuple[str, str]]:
    while encoded:
        sizes = []
        for _ in range(2):  # One byte, or four with the highest bit set (FastCGI 3.4).
            wide = encoded[0] >> 7
            sizes.append(int.from_bytes(encoded[: 4 if wide else 1]) & (2**31 - 1))
            encoded = encoded[4 if wide else 1 :]
        name, value = encoded[: sizes[0]], encoded[sizes[0] : sum(sizes)]
        yield name.decode("latin-1"), value.decode("latin-1")
        encoded = encoded[sum(sizes) :]


_PROTOCOLS = {"http": _http, "uwsgi": _uwsgi, "scgi": _scgi, "fastcgi": _fastcgi}
