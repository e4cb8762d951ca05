"""A web server's side of FastCGI, byte by byte."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from typing import NamedTuple

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, GET_VALUES, UNKNOWN = 1, 2, 3, 4, 5, 6, 9, 11
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3


class Record(NamedTuple):
    kind: int
    number: int
    content: bytes


def record(kind: int, content: bytes = b"", number: int = 1, padding: int = 0) -> bytes:
    head = struct.pack("!BBHHBx", 1, kind, number, len(content), padding)
    return head + content + bytes(padding)


def begin(role: int = AUTHORIZER, number: int = 1) -> bytes:
    return record(BEGIN, struct.pack("!HB5x", role, 0), number)


def pairs(params: Mapping[str, str]) -> bytes:
    made = b""
    for name, value in params.items():
        for text in (name, value):
            size = len(text.encode())
            made += bytes([size]) if size < 128 else struct.pack("!I", size | 0x80000000)
        made += name.encode() + value.encode()
    return made


def request(params: Mapping[str, str], role: int = AUTHORIZER) -> bytes:
    """What Apache sends for one question, or nginx, which ends a body as well."""
    body = record(STDIN) if role == RESPONDER else b""
    return begin(role) + record(PARAMS, pairs(params), padding=3) + record(PARAMS) + body


def records(data: bytes) -> list[Record]:
    found = []
    while data:
        _, kind, number, length, padding = struct.unpack("!BBHHBx", data[:8])
        found.append(Record(kind, number, data[8 : 8 + length]))
        data = data[8 + length + padding :]
    return found


def exchange(address: object, *parts: bytes) -> list[Record]:
    """Send the parts on a new connection, and read until the other side closes it."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(30)
        connection.connect(address)  # type: ignore[arg-type]
        for part in parts:
            connection.sendall(part)
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
    return records(data)


def ask(address: object, role: int = AUTHORIZER, **params: str) -> tuple[str, dict[str, str], str]:
    """The status line, the headers and the body of an answer."""
    asked = {"REQUEST_URI": "/area/x", "REQUEST_METHOD": "GET", "REMOTE_ADDR": "192.0.2.1"}
    answer = exchange(address, request({**asked, **params}, role))
    assert answer[-1] == Record(END, 1, bytes(8))
    assert answer[-2] == Record(STDOUT, 1, b"")
    output = b"".join(part.content for part in answer if part.kind == STDOUT).decode()
    head, _, body = output.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    assert first.startswith("Status: ")
    return first.removeprefix("Status: "), dict(line.split(": ", 1) for line in lines), body
