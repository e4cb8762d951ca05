"""The emitted script's door: the same core, told that only its front connects, or that there is
none. What it makes of paths and headers is in tests/test_behind.py."""

from __future__ import annotations

from typing import Any

import pytest

from django_deploykit import contract
from django_deploykit.handlers.behind import behind_front
from django_deploykit.handlers.standalone import standalone
from tests.proxy.asking import VISITOR, environ

SAID = {"HTTP_X_FORWARDED_FOR": VISITOR, "HTTP_X_FORWARDED_PROTO": "https"}


def call(application: Any, **keys: Any) -> tuple[str, dict[str, Any] | None]:
    """The status, and the environ that the innermost application saw."""
    said: list[str] = []
    list(application(environ(**keys), lambda status, headers: said.append(status)))
    return said[0], Inner.seen


class Inner:
    """The application inside."""

    seen: dict[str, Any] | None = None

    def __call__(self, made: dict[str, Any], start_response: Any) -> list[bytes]:
        type(self).seen = made
        start_response("200 OK", [])
        return []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    Inner.seen = None


@pytest.mark.parametrize("peer", ["", "127.0.0.1", "10.9.9.9"])
def test_over_http_the_front_is_believed(peer: str) -> None:
    """Address, scheme, port and data are the client's, and nothing else is taken."""
    wrapped = behind_front(Inner(), front="nginx", gateway="http", data=["REGION"])
    more = {"HTTP_X_DEPLOYKIT_REGION": "eu", "HTTP_X_FORWARDED_HOST": "evil.example"}
    _, seen = call(wrapped, peer=peer, **SAID, **more)
    assert seen
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == (VISITOR, "https")
    assert (seen["SERVER_PORT"], seen["HTTP_HOST"], seen["REGION"]) == ("443", "example.com", "eu")
    assert not [key for key in seen if key.startswith("HTTP_X_")]
    assert seen[contract.DECISION_KEY].trusted


@pytest.mark.parametrize("gateway", ["uwsgi", "fastcgi", "scgi"])
def test_over_other_gateways_headers_are_the_clients(gateway: str) -> None:
    """What the gateway says are parameters; the same words in headers are dropped."""
    _, seen = call(
        behind_front(Inner(), front="nginx", gateway=gateway), peer=VISITOR, **SAID, REGION="eu"
    )
    assert seen
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == (VISITOR, "http")
    assert seen["REGION"] == "eu"
    assert not set(SAID) & set(seen)
    assert seen[contract.DECISION_KEY].reason == "a gateway hands over what it knows"


@pytest.mark.parametrize(
    ("told", "scheme"),
    [
        ({}, "http"),
        ({"HTTPS": "on"}, "https"),
        ({"HTTPS": "off"}, "http"),
        ({"UWSGI_SCHEME": "https"}, "https"),
        ({"UWSGI_SCHEME": "http", "HTTPS": "on"}, "http"),
    ],
)
@pytest.mark.parametrize("claimed", ["https", "http", "gopher"])
def test_what_uwsgi_believes_of_a_header_is_undone(
    told: dict[str, str], scheme: str, claimed: str
) -> None:
    """It takes the scheme from X-Forwarded-Proto, which lighttpd also makes of X.Forwarded.Proto:
    what the front told it counts."""
    wrapped = behind_front(Inner(), front="lighttpd", gateway="uwsgi")
    more = {"HTTP_X_FORWARDED_PROTO": claimed, "uwsgi.version": b"2.0.21"}
    _, seen = call(wrapped, peer=VISITOR, **told, **more, **{"wsgi.url_scheme": claimed})
    assert seen
    assert seen["wsgi.url_scheme"] == scheme


def test_alone_it_believes_what_settings_say(settings: Any) -> None:
    """A stand-alone server is the edge; behind a balancer, PROXY says whom to believe."""
    _, seen = call(standalone(Inner()), peer="127.0.0.1", **SAID)
    assert seen
    assert seen["REMOTE_ADDR"] == "127.0.0.1"
    settings.DEPLOYKIT = {"PROXY": {"TRUSTED": ["127.0.0.1"], "HEADERS": ["X-Forwarded-For"]}}
    _, seen = call(standalone(Inner()), peer="127.0.0.1", **SAID)
    assert seen
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == (VISITOR, "http")
    refusing = standalone(Inner())
    Inner.seen = None
    said = ("400 Bad Request", None)
    assert call(refusing, peer="127.0.0.1", HTTP_X_FORWARDED_FOR="1," * 40) == said
