"""What was read of one request's headers is kept for the next: never for one that differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from django_deploykit.proxy.decide import Judge
from django_deploykit.proxy.decision import Refused
from django_deploykit.proxy.wsgi import WsgiDoor
from tests.proxy.asking import PROXY, VISITOR, environ, policy

STRANGER = "198.51.100.1"


def test_a_stranger_with_a_trusted_peers_words_is_not_believed() -> None:
    """Before and after a trusted peer sent the same headers."""
    door = WsgiDoor(Judge(policy()))
    for peer, client in ((STRANGER, STRANGER), (PROXY, VISITOR), (STRANGER, STRANGER)):
        decision = door.enter(environ(peer=peer, X_Forwarded_For=VISITOR))
        assert decision.client.address == client


def test_the_secret_is_asked_for_every_time(tmp_path: Path) -> None:
    """The same peer and headers, once without the secret, are not believed."""
    file = tmp_path / "secret"
    file.write_text("0123456789abcdef", encoding="ascii")
    door = WsgiDoor(Judge(policy(TRUSTED=[f"secret:{file}"])))
    for secret, client in (("0123456789abcdef", VISITOR), ("", PROXY), ("x" * 16, PROXY)):
        keys = {"HTTP_DEPLOYKIT_PROXY_SECRET": secret} if secret else {}
        decision = door.enter(environ(X_Forwarded_For=VISITOR, **keys))
        assert decision.client.address == client


def test_each_connection_is_its_own() -> None:
    """The same headers mean another port with another Host, and with another scheme."""
    door = WsgiDoor(Judge(policy(HEADERS=["X-Forwarded-For", "X-Forwarded-Port"])))
    places = [
        door.enter(environ(X_Forwarded_Port="8443", HTTP_HOST=host, **{"wsgi.url_scheme": scheme}))
        for host, scheme in (("a.example", "http"), ("b.example", "http"), ("b.example", "https"))
    ]
    assert [(one.place.host, one.place.scheme) for one in places] == [
        ("a.example:8443", "http"),
        ("b.example:8443", "http"),
        ("b.example:8443", "https"),
    ]


def test_each_path_is_its_own() -> None:
    """Another path with the same headers is not the former one's."""
    door = WsgiDoor(Judge(policy()))
    paths = ["/one/", "/two/", "/one/"]
    found = [door.enter(environ(path=path, X_Forwarded_For=VISITOR)).path for path in paths]
    assert found == paths


def test_what_was_refused_is_refused_again() -> None:
    """Also after a path with the same headers that leaves the wrong one unread."""
    door = WsgiDoor(Judge(policy(VHOST={})))
    for _ in range(2):
        there = environ(path="/vhost/https/example.com/", X_Forwarded_Proto="gopher")
        assert door.enter(there).place.scheme == "https"
        with pytest.raises(Refused, match="gopher"):
            door.enter(environ(X_Forwarded_Proto="gopher"))


def test_no_visitor_is_remembered() -> None:
    """However many come, the memory holds what one site's proxy says of the site."""
    judge = Judge(policy())
    door = WsgiDoor(judge)
    for number in range(9):
        door.enter(environ(X_Forwarded_For=f"203.0.113.{number}", X_Forwarded_Proto="https"))
    assert judge._stated.cache_info().currsize == 1


def test_what_was_read_cannot_be_changed() -> None:
    """Decisions that share what was read share nothing that one of them could alter."""
    door = WsgiDoor(Judge(policy()))
    first, second = (door.enter(environ(X_Forwarded_For=VISITOR)) for _ in range(2))
    hash((first.client, first.place, first.verdict))  # Immutable, all the way down.
    assert first.original is not second.original
