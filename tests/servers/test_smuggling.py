"""Requests that two servers could read differently: none reaches Django twice, or as another.

Each probe is a whole conversation on one connection. Behind it stands a hidden request, for a page
that nobody else asks for; whoever answers that has read a body as a request. After it comes an
honest request on a connection of its own: whatever the probe left behind, this has its own answer.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.servers import harness
from tests.servers.harness import Project, Server
from tests.servers.stacks import STACKS, Stack, chosen

HERE = [
    "apache",
    *(
        STACKS[label]
        for label in (
            "apache/http/gunicorn",
            "apache/uwsgi/uwsgi",
            "apache/fastcgi/flup",
            "apache/scgi/uwsgi",
            "nginx/http/gunicorn",
            "nginx/uwsgi/uwsgi",
            "nginx/fastcgi/flup",
            "nginx/scgi/flup",
            "lighttpd/http/gunicorn",
            "lighttpd/uwsgi/uwsgi",
            "lighttpd/fastcgi/flup",
            "lighttpd/scgi/uwsgi",
        )
    ),
]

# In the path of the hidden request; any answer or log that has it was made for that request.
HIDDEN = b"hidden-request"
SMUGGLED = b"GET /echo/" + HIDDEN + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /echo/outer HTTP/1.1\r\nHost: localhost\r\n"
GET = b"GET /whoami/ HTTP/1.1\r\n"
LOCAL = b"Host: localhost\r\n"


_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_BOTH = b"0\r\n\r\n" + SMUGGLED


def _length(length: int) -> bytes:
    return b"Content-Length: %d\r\n" % length


def _lines(*lines: bytes, body: bytes = _BOTH) -> bytes:
    """A request with these lines above the length of its body."""
    return POST + b"".join(lines) + _length(len(body)) + b"\r\n" + body


def _only(*lines: bytes, body: bytes = SMUGGLED) -> bytes:
    """A request with these lines, and no length but what they say."""
    return POST + b"".join(lines) + b"\r\n" + body


# Whose body ends where is said twice, or in words that not everybody understands.
_SIZE = len(SMUGGLED)
FRAMING = {
    "CL.TE": _lines(_CHUNKED),
    "TE.CL": _only(_CHUNKED, _length(4), body=b"%x\r\n%s\r\n0\r\n\r\n" % (_SIZE, SMUGGLED)),
    "TE.TE, identity": _only(_CHUNKED, b"Transfer-Encoding: identity\r\n", body=_BOTH),
    "TE.TE, unknown": _lines(b"Transfer-Encoding: xchunked\r\n"),
    "TE with a blank before the colon": _lines(b"Transfer-Encoding : chunked\r\n"),
    "TE with a vertical tab": _lines(b"Transfer-Encoding:\x0bchunked\r\n"),
    "TE on a folded line": _lines(b"Transfer-Encoding:\r\n chunked\r\n"),
    "TE in a folded line": _lines(b"X-A: b\r\n Transfer-Encoding: chunked\r\n"),
    "TE with an underscore": _lines(b"Transfer_Encoding: chunked\r\n"),
    "two lengths": _lines(_length(0), body=SMUGGLED),
    "a list of lengths": _only(b"Content-Length: 0, %d\r\n" % _SIZE),
    "a signed length": _only(b"Content-Length: +%d\r\n" % _SIZE),
    "a length in hexadecimal": _only(b"Content-Length: 0x%x\r\n" % _SIZE),
    "a length with an underscore": _lines(b"Content_Length: 0\r\n", body=SMUGGLED),
    "a bare line feed after a chunk": _only(_CHUNKED, body=b"2\nab\n0\n\n0\r\nX: " + SMUGGLED),
    "a chunk extension with a line feed": _only(
        _CHUNKED, body=b"2;\nxx\r\n%x\r\n0\r\n\r\n%s" % (_SIZE, SMUGGLED)
    ),
    "a bare line feed in the head": _only(b"X-A: b\nContent-Length: %d\n" % _SIZE),
    "a bare carriage return": _lines(b"X-A: b\rContent-Length: 0\r\n", body=SMUGGLED),
    "a NUL": _lines(b"X-A: b\x00\r\n", body=SMUGGLED),
    "a length in a GET": GET + LOCAL + _length(_SIZE) + b"\r\n" + SMUGGLED,
}

# Who is asked is said twice.
HOSTS = {
    "two hosts": GET + LOCAL + b"Host: evil.example\r\n\r\n",
    "two hosts, the other first": GET + b"Host: evil.example\r\n" + LOCAL + b"\r\n",
    "no host": GET + b"\r\n",
    "a host with a path": GET + b"Host: localhost/evil.example\r\n\r\n",
    "a host with a user": GET + b"Host: evil.example@localhost\r\n\r\n",
    "a list of hosts": GET + b"Host: localhost, evil.example\r\n\r\n",
    "a host on a folded line": GET + b"Host: localhost\r\n evil.example\r\n\r\n",
    "a host with an underscore header": GET + LOCAL + b"Http_Host: evil.example\r\n\r\n",
    "an absolute form that the host contradicts": (
        b"GET http://localhost/whoami/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    ),
    "an absolute form for another host": (
        b"GET http://evil.example/whoami/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    ),
}

_UPGRADE = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
)
_HEAD = b"GET /whoami/ HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module", params=HERE, ids=str)
def asked(request: pytest.FixtureRequest) -> Stack:
    """One stack for each gateway of each front."""
    return chosen(request.param)


@pytest.fixture(scope="module")
def server(asked: Stack, example: Project) -> Iterator[Server]:
    """Its site."""
    with harness.deployrun(example, *asked.arguments) as running:
        yield running


def _said(server: Server, request: bytes) -> bytes:
    """Everything that is answered until the server is silent or ends the connection."""
    said = b""
    with server.connect() as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        connection.settimeout(0.3)
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while part := connection.recv(65536):
                said += part
    return said


def _is_honest(server: Server, word: str = "honest") -> None:
    """An honest request gets its own answer, and only that."""
    answer = server.get(f"/echo/{word}")
    assert (answer.status, answer.json["rest"]) == (200, word)


def _logged(server: Server) -> list[str]:
    """The lines of all logs, the application server's too, until a request that is asked now."""
    _is_honest(server, "last")
    deadline = time.monotonic() + 30
    while not any("/echo/last" in line for line in server.log):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return [line for line in server.log if HIDDEN.decode() in line]


def test_no_body_becomes_a_request(server: Server) -> None:
    """Refused, or one request with a body: nobody answers, or logs, what is hidden in it."""
    for name, probe in FRAMING.items():
        assert HIDDEN not in _said(server, probe), name
        _is_honest(server)
    assert _logged(server) == []


def test_no_probe_changes_the_host(server: Server) -> None:
    """The host that Django sees is one that the front let in, whatever else is said."""
    for name, probe in HOSTS.items():
        said = _said(server, probe)
        facts = said.partition(b'"headers"')[0]  # Which begin with scheme and host.
        assert b"evil.example" not in facts, (name, said)
        _is_honest(server)


def test_nothing_is_upgraded(server: Server, asked: Stack) -> None:
    """h2c ends at the front: lighttpd speaks it itself, the others go on as if nothing were said;
    no application server is asked for it over HTTP."""
    said = _said(server, _HEAD + _UPGRADE + b"\r\n")
    status = b"101" if asked.target == "lighttpd" else b"200"
    assert said.startswith(b"HTTP/1.1 " + status)
    assert not (asked.gateway == "http" and b"HTTP_UPGRADE" in said)
    _is_honest(server)


def test_headers_that_are_too_large(server: Server) -> None:
    """One or many: answered or refused, but no part of them becomes a request."""
    for size in 9_000, 70_000, 1_000_000:
        many = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 900) for number in range(size // 1000))
        for headers in b"X-Large: " + b"a" * size + b"\r\n", many:
            assert _said(server, _HEAD + headers + b"\r\n").count(b"HTTP/1.1 ") <= 1
            _is_honest(server)
