"""Several application servers behind one front: who is asked, who is bound, what is asked twice.

The application servers are toys that count; the fronts are real. Each gateway of Apache has code of
its own for what fails; in nginx and lighttpd they share it, but for HTTP.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from django_deploykit.config import limits, values
from django_deploykit.config.servers.haproxy import backends as haproxy
from django_deploykit.config.servers.nginx import installed
from django_deploykit.config.values import Address, Backend
from tests import cases
from tests.servers import backends, emitted, harness
from tests.servers.harness import Response, Server

PREFIX = "/shop"
# In place of limits.BACKEND_AWAY, for tests that wait as long.
AWAY = 2
COOKIE = "shop_route"
# In the order of their numbers; lighttpd knows no roles.
ROLES = ("", "", "drain", "backup")
EQUAL = ("", "", "down")

WAYS = [
    *(("apache", gateway) for gateway in ("http", "uwsgi", "fastcgi", "scgi")),
    *(("nginx", gateway) for gateway in ("http", "fastcgi")),
    ("haproxy", "http"),
    *(("lighttpd", gateway) for gateway in ("http", "fastcgi")),
]
KNOWS_METHODS = [way for way in WAYS if way[0] in ("haproxy", "nginx")]
BINDING = [way for way in WAYS if way[0] != "lighttpd"]


@dataclass
class Pool:
    """The application servers of a front by their numbers, each of which may come and go."""

    protocol: str
    places: dict[int, tuple[Path | None, int]]
    running: dict[int, backends.Backend] = field(default_factory=dict)
    _ends: dict[int, contextlib.ExitStack] = field(default_factory=dict)

    def start(self, *numbers: int) -> None:
        for number in numbers:
            self._ends[number] = contextlib.ExitStack()
            listening = backends.listening(self.protocol, *self.places[number])
            self.running[number] = self._ends[number].enter_context(listening)
            self.revive(number)

    def stop(self, *numbers: int) -> None:
        for number in numbers:
            del self.running[number]
            self._ends.pop(number).close()

    def revive(self, number: int) -> None:
        head = "Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n"
        self.running[number].answer = f"{head}{number}".encode()

    @property
    def asked(self) -> int:
        """How many requests have reached any of them."""
        return sum(len(one.requests) for one in self.running.values())


@dataclass
class Balanced:
    """A front and its pool."""

    way: tuple[str, str]
    server: Server
    pool: Pool

    def get(self, cookie: str = "", method: str = "GET") -> Response:
        headers = [("Host", "example.com"), *([("Cookie", cookie)] if cookie else [])]
        return self.server.request(method, f"{PREFIX}/page/", headers, b"")

    def answers(self, times: int, cookie: str = "") -> set[str]:
        return {self.get(cookie).text for _ in range(times)}

    def cookie(self, number: int) -> str:
        """What a client says who is bound to this one; httpd wants a dot before its name."""
        return f"{COOKIE}={'.' if self.way[0] == 'apache' else ''}{number}"


@pytest.fixture(scope="module", params=WAYS, ids="/".join)
def balanced(request: pytest.FixtureRequest) -> Iterator[Balanced]:
    """A front with four application servers, over TCP and at a unix socket; all of them run."""
    target, gateway = request.param
    roles = EQUAL if target == "lighttpd" else ROLES
    with harness.public_directory() as directory, contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(limits, "BACKEND_AWAY", AWAY)
        unix = directory / "2.sock"
        places: dict[int, tuple[Path | None, int]] = {
            number: (unix, 0) if number == 2 else (None, harness.free_port())
            for number in range(1, len(roles) + 1)
        }
        pool = Pool(gateway, places)
        pool.start(*places)
        stack.callback(lambda: pool.stop(*list(pool.running)))
        named = tuple(
            Backend(where=path or Address("127.0.0.1", port), role=role)
            for role, (path, port) in zip(roles, places.values(), strict=True)
        )
        choices = {"backends": named, "balance": "round-robin", "sticky": target != "lighttpd"}
        site = cases.site(prefix=PREFIX, static=None, admin_static=None)
        socket = Address("127.0.0.1", 9)  # Not among them.
        with emitted.front(target, gateway, site, socket, **choices) as server:
            yield Balanced(request.param, server, pool)


def test_requests_are_spread(balanced: Balanced) -> None:
    """Whoever is bound to none is answered by those that serve, never by one that is in drain,
    down or a backup."""
    # httpd makes up for the requests of those who are bound.
    assert balanced.answers(40) == {"1", "2"}


@pytest.mark.parametrize("balanced", BINDING, ids="/".join, indirect=True)
def test_a_client_stays_where_it_was(balanced: Balanced) -> None:
    """By a cookie of the front's own, for the site's part of the host and for no script; one that
    is in drain still answers those who are bound to it."""
    first = balanced.get()
    (cookie,) = first.headers.get_all("Set-Cookie", [])
    pair, *attributes = cookie.split("; ")
    # Of two paths the last one counts (RFC 6265 5.2.4); HAProxy always says the first.
    attributes = attributes[attributes[:1] == ["path=/"] :]
    assert sorted(attributes) == ["HttpOnly", f"Path={PREFIX}", "SameSite=Lax"]
    assert balanced.answers(6, f"other=1; {pair}") == {first.text}
    assert balanced.get(pair).headers["Set-Cookie"] is None
    in_drain = pair.replace(first.text, "3")
    assert balanced.answers(4, in_drain) == {"3"}
    assert balanced.get(in_drain).headers["Set-Cookie"] is None


@pytest.mark.parametrize("balanced", BINDING, ids="/".join, indirect=True)
@pytest.mark.parametrize(
    "value", ["", "4", ".4", "99", ".99", "shop", "deploykit_shop", "127.0.0.1:1", "x.evil/", "1 1"]
)
def test_a_forged_route_chooses_a_backend_at_most(balanced: Balanced, value: str) -> None:
    """What a client makes up leads to one of the application servers that serve anybody."""
    answer = balanced.get(f"{COOKIE}={value}")
    assert answer.status == 200
    assert answer.text in ("1", "2")


def test_what_a_backend_has_begun_is_not_sent_to_another(balanced: Balanced) -> None:
    """A POST whose application server dies while it works is lost, and reaches no other."""
    pool = balanced.pool
    for number in pool.running:
        pool.running[number].answer = b""
    before = pool.asked
    assert balanced.get(method="POST").status >= 500
    assert pool.asked - before == 1
    for number in pool.running:
        pool.revive(number)
    _wait_for_all(balanced)


def test_a_dead_backend_is_missed_by_nobody(balanced: Balanced) -> None:
    """Nothing is lost when one is gone, be it idempotent or not: what was never sent can be sent
    to another one, and a bound client moves on. When all are gone, the backup answers. Those that
    come back are asked again, and nobody has to say so."""
    pool = balanced.pool
    pool.stop(1)
    answers = [balanced.get(balanced.cookie(1), method) for method in ("GET", "POST") * 4]
    lost = [answer for answer in answers if answer.status != 200]
    assert len(lost) <= (balanced.way == ("apache", "fastcgi"))
    assert {answer.text for answer in answers if answer not in lost} == {"2"}
    if balanced.way in BINDING:
        (moved,) = answers[len(lost)].headers.get_all("Set-Cookie", [])
        assert moved.startswith(f"{balanced.cookie(2)};")
        pool.stop(2)
        last = [balanced.get(balanced.cookie(1)) for _ in range(5)][-1]
        assert last.text == "4"
        # Bound to nobody; HAProxy takes the cookie back.
        assert (last.headers["Set-Cookie"] or f"{COOKIE}=;").startswith(f"{COOKIE}=;")
        pool.start(2)
    pool.start(1)
    started = time.monotonic()
    _wait_for_all(balanced)
    assert time.monotonic() - started < AWAY + 3


def _wait_for_all(balanced: Balanced) -> None:
    """Until both that serve are asked again, by those who are bound and by everybody else."""
    deadline = time.monotonic() + 30
    while not _all_are_asked(balanced):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _all_are_asked(balanced: Balanced) -> bool:
    if balanced.way not in BINDING:
        return balanced.answers(6) == {"1", "2"}
    bound = [balanced.get(balanced.cookie(number)).text for number in (1, 2, 3)]
    return bound == ["1", "2", "3"] and balanced.answers(6) <= {"1", "2"}


@pytest.mark.parametrize("balanced", KNOWS_METHODS, ids="/".join, indirect=True)
def test_what_changes_nothing_is_asked_again(balanced: Balanced) -> None:
    """By nginx and HAProxy, which know the methods: a GET whose application server dies is
    answered by another one."""
    _wait_for_all(balanced)
    balanced.pool.running[1].answer = b""
    answer = balanced.get(balanced.cookie(1))
    balanced.pool.revive(1)
    assert answer.status == 200
    assert answer.text != "1"


def test_nginx_binds_to_an_address_in_any_spelling() -> None:
    """nginx says who answered in one spelling of IPv6, by which it chooses the cookie."""
    harness.require("nginx", installed.binary())
    with backends.listening("http") as backend:
        named = values.backends(f"[0:0:0:0:0:FFFF:7F00:1]:{backend.port},127.0.0.1:9 backup")
        choices = {"backends": named, "sticky": True}
        with emitted.front("nginx", "http", cases.site(), Address("127.0.0.1", 9), **choices) as it:
            said = it.get("/", ("Host", "example.com")).headers["Set-Cookie"]
    assert said.startswith("shop_route=1;")


def test_lighttpd_binds_by_address() -> None:
    """Without a cookie, and with a warning: one client, one application server, while that is
    there."""
    with backends.listening("http") as one:
        one.answer = b"Status: 200 OK\r\nContent-Type: text/plain\r\n\r\none"
        other = contextlib.ExitStack()
        second = other.enter_context(backends.listening("http"))
        second.answer = one.answer.replace(b"one", b"other")
        named = tuple(Backend(where=Address("127.0.0.1", toy.port)) for toy in (one, second))
        site = cases.site(prefix=PREFIX, static=None, admin_static=None)
        choices = {"backends": named, "sticky": True}
        with other, emitted.front("lighttpd", "http", site, named[0].where, **choices) as server:
            assert len(_said(server, 8)) == 1
            assert server.get("/", ("Host", "example.com")).headers["Set-Cookie"] is None
            other.close()
            assert _said(server, 8) == {"one"}


def test_haproxy_asks_how_they_are() -> None:
    """With a Host that Django accepts and the words of the front; one that is not well is out, and
    is asked again once it is."""
    with backends.listening("http") as one, backends.listening("http") as other:
        one.answer, other.answer = (
            b"Status: %d\r\nContent-Type: text/plain\r\n\r\n" % status + body
            for status, body in ((200, b"well"), (503, b"not well"))
        )
        named = tuple(Backend(where=Address("127.0.0.1", toy.port)) for toy in (one, other))
        site = cases.site(prefix=PREFIX, static=None, admin_static=None)
        choices = {"backends": named, "balance": "round-robin", "health": "/health/"}
        with emitted.front("haproxy", "http", site, named[0].where, **choices) as server:
            asked = _until(lambda: other.requests and other.last.head)
            assert asked.startswith(b"GET /shop/health/ HTTP/1.1\r\n")
            lines = asked.lower().split(b"\r\n")
            assert {b"host: example.com", b"x-forwarded-proto: http"} <= {*lines}
            assert b"x-forwarded-for: 127.0.0.1" in lines
            _until(lambda: _said(server, 6) == {"well"})
            other.answer = one.answer.replace(b"well", b"well again")
            _until(lambda: _said(server, 6) == {"well", "well again"})


def test_haproxy_takes_a_redirect_for_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is Django's own (PREPEND_WWW, APPEND_SLASH). What is an error is out, and so is one where
    nobody listens any more."""
    monkeypatch.setattr(haproxy, "_EVERY", 1)
    with backends.listening("http") as other, contextlib.ExitStack() as stack:
        one = stack.enter_context(backends.listening("http"))
        one.answer = _answer(301, "moved")
        other.answer = _answer(404, "no such page")
        named = tuple(Backend(where=Address("127.0.0.1", toy.port)) for toy in (one, other))
        site = cases.site(prefix=PREFIX, static=None, admin_static=None)
        choices = {"backends": named, "balance": "round-robin", "health": "/health"}
        with emitted.front("haproxy", "http", site, named[0].where, **choices) as server:
            _until(lambda: _said(server, 6) == {"moved"})
            _until(lambda: sum(b"/health " in asked.head for asked in one.requests) > 3)
            assert _said(server, 6) == {"moved"}
            stack.close()
            _until(lambda: server.get("/", ("Host", "example.com")).status == 503)


def test_haproxy_takes_nobody_out_who_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that wait behind slow pages leave the only application server in."""
    monkeypatch.setattr(haproxy, "_EVERY", 1)
    with backends.listening("http") as only:
        only.seconds = 2.5
        site = cases.site(prefix=PREFIX, static=None, admin_static=None)
        where = Address("127.0.0.1", only.port)
        with emitted.front("haproxy", "http", site, where, health="/health/") as server:
            _until(lambda: len(only.requests) > 2)
            assert server.get("/", ("Host", "example.com")).status == 200


def _answer(status: int, body: str) -> bytes:
    return f"Status: {status} Any\r\nContent-Type: text/plain\r\n\r\n{body}".encode()


def _said(server: Server, times: int) -> set[str]:
    return {server.get("/", ("Host", "example.com")).text for _ in range(times)}


def _until(found: Callable[[], Any]) -> Any:
    """What is found, once it is."""
    deadline = time.monotonic() + 30
    while not (result := found()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return result
