"""A client for files of any size, over one connection that it keeps: it reads, and forgets."""

from __future__ import annotations

import socket
import time


class Client:
    """Fetches over one connection, as long as the server keeps it."""

    def __init__(self, port: int) -> None:
        self._port, self._buffer = port, memoryview(bytearray(2**20))
        self._connection = socket.socket()
        self._connects = True

    def fetch(self, path: str) -> float:
        """Return the seconds until the last byte. Raise AssertionError for another answer."""
        begin = time.perf_counter()
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        head, _, rest = self._answered(request).partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if not head.startswith(b"HTTP/1.1 200"):
            raise AssertionError(f"{path}: {head!r}")
        self._body(int(fields.get(b"content-length", -1)), rest)
        if fields.get(b"connection") == b"close":
            self.close()
        return time.perf_counter() - begin

    def _answered(self, request: bytes) -> bytes:
        """The head of the answer, and what came with it. A kept connection may be closed at any
        time, without a word: then it is asked on another one (RFC 9112 9.3.1)."""
        was_kept = not self._connects
        try:
            return self._asked(request)
        except (AssertionError, ConnectionError):
            if not was_kept:
                raise
        self.close()
        return self._asked(request)

    def _asked(self, request: bytes) -> bytes:
        if self._connects:
            self._connection.close()
            self._connection = socket.create_connection(("127.0.0.1", self._port))
            self._connects = False
        self._connection.sendall(request)
        return self._head()

    def _read(self) -> memoryview:
        return self._buffer[: self._connection.recv_into(self._buffer)]

    def _head(self) -> bytes:
        found = b""
        while b"\r\n\r\n" not in found:
            if not (more := self._read()):
                raise AssertionError("The connection was closed.")
            found += more
        return found

    def _body(self, length: int, rest: bytes) -> None:
        left, last = length - len(rest), (b"\r\n" + rest)[-7:]
        while left > 0 if length >= 0 else last != b"\r\n0\r\n\r\n":
            if not (more := self._read()):
                raise AssertionError("The connection was closed.")
            left, last = left - len(more), (last + bytes(more[-7:]))[-7:]

    def close(self) -> None:
        self._connection.close()
        self._connects = True
