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
        if self._connects:
            self._connection = socket.create_connection(("127.0.0.1", self._port))
            self._connects = False
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        self._connection.sendall(request.encode())
        head, _, rest = self._head().partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if not head.startswith(b"HTTP/1.1 200"):
            raise AssertionError(f"{path}: {head!r}")
        self._body(int(fields.get(b"content-length", -1)), rest)
        if fields.get(b"connection") == b"close":
            self.close()
        return time.perf_counter() - begin

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
