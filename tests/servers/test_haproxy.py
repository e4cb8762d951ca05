"""HAProxy: what it hands on, byte for byte, and what ends there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from django_deploykit.config.facts import Hosts
from django_deploykit.config.values import Address
from tests import cases
from tests.servers import backends, emitted
from tests.servers.harness import Server

HOST = ("Host", "example.com")


@dataclass(frozen=True)
class Front:
    """HAProxy, and the application server behind it."""

    server: Server
    backend: backends.Backend


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    """One site, without websockets."""
    site = cases.site(static=None, admin_static=None)
    with backends.listening("http") as backend:
        where = Address("127.0.0.1", backend.port)
        with emitted.front("haproxy", "http", site, where) as server:
            yield Front(server, backend)


def test_each_of_many_names_is_known() -> None:
    """Also those that stand in the second line of their acl; any other name is refused."""
    names = tuple(f"customer-{number:03}.example.com" for number in range(200))
    site = cases.site(static=None, admin_static=None, hosts=Hosts(names=names))
    with backends.listening("http") as backend:
        where = Address("127.0.0.1", backend.port)
        with emitted.front("haproxy", "http", site, where) as server:
            for name, status in ((names[0], 200), (names[-1], 200), (f"x{names[0]}", 403)):
                assert server.request("GET", "/", [("Host", name)]).status == status


@pytest.mark.parametrize(
    "target", ["/a%2Fb", "//a", "/a/./b/../c", "/../x", "/a%zz", "/a\\b", "http://example.com/a"]
)
def test_a_path_is_handed_on_as_it_came(front: Front, target: str) -> None:
    """Nothing is decoded, merged or resolved (docs/howto/haproxy)."""
    assert front.server.request("GET", target, [HOST]).status == 200
    assert front.backend.last.line == f"GET {target} HTTP/1.1"


@pytest.mark.parametrize(
    "head",
    [
        "GET /a#b HTTP/1.1\r\nHost: example.com",
        "GET /\u00fc HTTP/1.1\r\nHost: example.com",
        "GET http://evil.example/a HTTP/1.1\r\nHost: example.com",
        "GET / HTTP/1.1\r\nHost: example.com\r\nHost: evil.example",
        "GET / HTTP/1.1\r\nHost: example.com\r\nX-Real-Ip : 192.0.2.1",
        "POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: +5",
        "GET / HTTP/1.1\r\nHost: example.com:80:80",
        "GET / HTTP/1.0",
    ],
)
def test_what_is_not_clear_ends_here(front: Front, head: str) -> None:
    """Two hosts, none, or what two servers could read in two ways."""
    before = len(front.backend.requests)
    assert front.server.raw(f"{head}\r\n\r\n".encode()).status in (400, 403)
    assert len(front.backend.requests) == before


@pytest.mark.parametrize("length", [100 * 1024**2 + 1, 2**31, 3 * 10**9, 2**32 + 5, 2**33])
def test_a_body_above_the_limit_ends_here(front: Front, length: int) -> None:
    """However large it is said to be: no number begins again at zero."""
    before = len(front.backend.requests)
    head = f"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: {length}\r\n\r\n"
    assert front.server.raw(head.encode(), "POST").status == 413
    assert len(front.backend.requests) == before


@pytest.mark.parametrize(
    ("path", "protocol"), [("/", "websocket"), ("/", "h2c"), ("/ws/", "websocket")]
)
def test_no_upgrade_gets_through_elsewhere(front: Front, path: str, protocol: str) -> None:
    """Behind one, requests would follow that nobody has looked at."""
    asked = [HOST, ("Upgrade", protocol), ("Connection", "Upgrade, HTTP2-Settings")]
    # Without a key, HAProxy itself refuses a websocket.
    asked += [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
    assert front.server.request("GET", path, asked).status == 200
    head = front.backend.last.head.lower()
    assert b"upgrade" not in head
    assert b"connection: close\r\n" in head


@pytest.fixture(scope="module")
def taking() -> Iterator[Front]:
    """A site that takes websockets below one URL."""
    site = cases.site(static=None, admin_static=None, websockets=("/ws/",))
    with backends.listening("http") as backend:
        where = Address("127.0.0.1", backend.port)
        with emitted.front("haproxy", "http", site, where, app_server="uvicorn") as server:
            yield Front(server, backend)


@pytest.mark.parametrize(
    ("protocols", "passed"),
    [
        (("websocket",), b"websocket"),
        (("WebSocket, h2c",), b"websocket"),
        (("h2c", "websocket"), b"websocket"),
        (("h2c",), b""),
        (("h2c, websocket2",), b""),
        ((), b""),
    ],
)
def test_only_a_websocket_is_handed_on(
    taking: Front, protocols: tuple[str, ...], passed: bytes
) -> None:
    """Nothing else that a client asks for, and no header that it names in Connection."""
    asked = [HOST, *(("Upgrade", protocol) for protocol in protocols)]
    asked += [("Connection", "Upgrade, HTTP2-Settings, X-Real-IP")]
    asked += [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13")]
    taking.server.request("GET", "/ws/", asked)
    lines = taking.backend.last.head.lower().split(b"\r\n")
    found = {name: value for name, _, value in (line.partition(b": ") for line in lines)}
    assert found.get(b"upgrade", b"") == passed
    assert found[b"connection"] == (b"upgrade" if passed else b"close")
