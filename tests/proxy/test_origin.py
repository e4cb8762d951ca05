"""Scheme, host and port (the H statements)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from django_deploykit.middleware import TrustedProxyMiddleware
from django_deploykit.proxy import origin
from django_deploykit.proxy.decision import Refused
from tests.proxy.asking import EVERY_X, PROXY, VISITOR, ask, policy, scope, written, written_scope
from tests.proxy.conftest import MIDDLEWARE, Site


@pytest.mark.parametrize(
    ("schemes", "named", "scheme"),
    [
        ("https", VISITOR, "https"),
        ("http, https", VISITOR, "https"),
        ("https", f"{VISITOR}, 10.0.0.2", "https"),
        ("https, http", f"{VISITOR}, 10.0.0.2", "https"),
        ("http, https, http", f"1.1.1.1, {VISITOR}, 10.0.0.2", "https"),
        ("https, http", VISITOR, "http"),
        ("ftp, https", VISITOR, "https"),
    ],
)
def test_H1_lists_are_read_at_the_clients_place(schemes: str, named: str, scheme: str) -> None:
    """H1. What the proxy said that named the client counts; a single value is the nearest
    proxy's. Never the leftmost because it is the leftmost."""
    said = {"HTTP_X_FORWARDED_PROTO": schemes, "HTTP_X_FORWARDED_FOR": named}
    assert ask(policy(), **said).place.scheme == scheme


@pytest.mark.parametrize("scheme", ["ftp", "https:", "javascript", "on", "https http", "h\xf6"])
def test_H2_schemes(scheme: str) -> None:
    """H2. http and https, and nothing else."""
    with pytest.raises(Refused) as refused:
        ask(policy(), HTTP_X_FORWARDED_PROTO=scheme)
    assert refused.value.status == 400


@pytest.mark.parametrize("scheme", ["wss", "https", "HTTPS"])
def test_H2_websockets(scheme: str) -> None:
    """H2. In a websocket's scope the scheme is a websocket's."""
    new = written_scope(policy(), ("X-Forwarded-Proto", scheme), type="websocket", scheme="ws")
    assert new["scheme"] == "wss"
    assert written_scope(policy(), ("X-Forwarded-Proto", scheme))["scheme"] == "https"


@pytest.mark.parametrize(
    "host",
    [
        *(
            "user@example.com",
            "user:pw@example.com",
            "example.com/path",
            "a b",
            "a\tb",
            "example.com:",
        ),
        *(
            "example.com:0",
            "example.com:65536",
            "example.com:44300000",
            "example.com:x",
            "[::1",
            "::1",
        ),
        *("ex\xe4mple.com", "evil.example?x", "evil.example#x", "evil\\example"),
    ],
)
def test_H2_hosts(host: str) -> None:
    """H2. No user, path, blank, strange port or bare IPv6 address is part of a host."""
    with pytest.raises(Refused) as refused:
        ask(policy(), HTTP_X_FORWARDED_HOST=host)
    assert refused.value.status == 400


@pytest.mark.parametrize("port", ["0", "65536", "-1", "+1", "44300000", "http", "80 80", "٨٠"])
def test_H2_ports(port: str) -> None:
    """H2. A number from 1 to 65535 in plain digits."""
    with pytest.raises(Refused):
        origin.port(port)


@given(text=st.text(max_size=60))
def test_H2_a_host_has_nothing_in_it(text: str) -> None:
    """H2. Any text is refused, or has no character that ends a host in a URL: property."""
    try:
        name, port = origin.host(text)
    except Refused:
        return
    assert not set(name) & set("/\\?#@ \t\r\n,<>\"'")
    assert port is None or 1 <= port <= 65535


@pytest.mark.parametrize(
    ("said", "host", "server", "port"),
    [
        ({"PROTO": "https"}, "example.com", "backend", "443"),
        ({"HOST": "shop.example"}, "shop.example", "shop.example", "80"),
        ({"HOST": "shop.example:8080"}, "shop.example:8080", "shop.example", "8080"),
        ({"HOST": "shop.example:443", "PROTO": "https"}, "shop.example", "shop.example", "443"),
        ({"PORT": "8443", "PROTO": "https"}, "example.com:8443", "example.com", "8443"),
        ({"PORT": "443", "PROTO": "https"}, "example.com", "example.com", "443"),
        ({"HOST": "[2001:db8::a]"}, "[2001:db8::a]", "[2001:db8::a]", "80"),
        ({"HOST": "[2001:db8::a]", "PORT": "81"}, "[2001:db8::a]:81", "[2001:db8::a]", "81"),
        ({"HOST": "shop.example:81", "PORT": "81"}, "shop.example:81", "shop.example", "81"),
    ],
)
def test_H3_what_is_written(said: dict[str, str], host: str, server: str, port: str) -> None:
    """H3. Host, name, port and scheme agree, in the environ and in the scope."""
    keys = {f"HTTP_X_FORWARDED_{name}": value for name, value in said.items()}
    made = written(policy(), **keys)
    scheme = said.get("PROTO", "http")
    found = made["HTTP_HOST"], made["SERVER_NAME"], made["SERVER_PORT"], made["wsgi.url_scheme"]
    assert found == (host, server, port, scheme)
    headers = [(f"X-Forwarded-{name.title()}", value) for name, value in said.items()]
    new = written_scope(policy(), *headers)
    assert (new["server"], new["scheme"]) == ((server, int(port)), scheme)
    assert [value for key, value in new["headers"] if key == b"host"] == [host.encode()]


def test_H3_two_ports_are_refused() -> None:
    """H3. A port that contradicts the one in the host says that somebody is misconfigured."""
    for keys in ({"HTTP_X_FORWARDED_HOST": "shop.example:81"}, {"HTTP_HOST": "shop.example:81"}):
        with pytest.raises(Refused, match="82"):
            ask(policy(), HTTP_X_FORWARDED_PORT="82", **keys)


def test_H3_nothing_said_changes_nothing() -> None:
    """H3. Without a word from the proxy, host and port are the connection's."""
    made = written(policy(), HTTP_HOST="example.com:8000")
    assert (made["HTTP_HOST"], made["SERVER_NAME"], made["SERVER_PORT"]) == (
        "example.com:8000",
        "backend",
        "8000",
    )
    assert written_scope(policy())["server"] == scope()["server"]


@pytest.fixture
def believing(settings: Any) -> Any:
    settings.DEPLOYKIT = {"PROXY": {"TRUSTED": [PROXY], "HEADERS": EVERY_X}}
    settings.ALLOWED_HOSTS = ["shop.example"]
    return settings


PUBLIC = {
    "X-Forwarded-For": VISITOR,
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "shop.example",
}


def test_H3_allowed_hosts_decides_still(believing: Any) -> None:
    """H3. A trusted proxy's host is checked as any other."""
    seen = []
    middleware = TrustedProxyMiddleware(
        lambda request: HttpResponse(seen.append(request.get_host()))
    )
    factory = RequestFactory(REMOTE_ADDR=PROXY)
    middleware(factory.get("/", headers=PUBLIC))
    assert seen == ["shop.example"]
    with pytest.raises(Exception, match=r"evil\.example"):
        middleware(factory.get("/", headers={**PUBLIC, "X-Forwarded-Host": "evil.example"}))


def test_H4_django_sees_the_public_url(believing: Any) -> None:
    """H4. is_secure, absolute URLs, the redirect to HTTPS, HSTS and the origin check of CSRF; also
    where a middleware looked at them before."""
    believing.SECURE_SSL_REDIRECT = True
    believing.SECURE_HSTS_SECONDS = 60

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.build_absolute_uri())

    guarded = TrustedProxyMiddleware(SecurityMiddleware(view))
    request = RequestFactory(REMOTE_ADDR=PROXY).get("/page", headers=PUBLIC)
    assert request.headers["X-Forwarded-Host"]
    response = guarded(request)
    assert (response.status_code, response.content) == (200, b"https://shop.example/page")
    assert response["Strict-Transport-Security"] == "max-age=60"
    assert request.is_secure()
    assert "X-Forwarded-Host" not in request.headers
    plain = guarded(
        RequestFactory(REMOTE_ADDR="192.0.2.1").get("/page", headers={"Host": "shop.example"})
    )
    assert (plain.status_code, plain["Location"]) == (301, "https://shop.example/page")


def looking(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Middleware that looks at a request's headers, which Django then keeps."""

    def answer(request: HttpRequest) -> HttpResponse:
        assert "X-Forwarded-For" in request.headers
        response = get_response(request)
        response["Seen"] = " ".join(request.headers)
        return response

    return answer


def test_T7_nothing_is_left_where_another_middleware_comes_first() -> None:
    """T7. What it made Django keep is forgotten."""
    site, before = Site(), f"{__name__}.{looking.__name__}"
    with site.settings(MIDDLEWARE=[before, MIDDLEWARE]):
        answer = site.get("/here/", HTTP_X_FORWARDED_FOR=VISITOR)
    assert answer["Seen"] == "Host"


@pytest.mark.parametrize(
    ("origin", "verified"), [("https://shop.example", True), ("http://shop.example", False)]
)
def test_H4_the_origin_of_a_form(believing: Any, origin: str, verified: bool) -> None:
    """H4. CSRF compares the Origin header with the public URL."""
    found = []
    csrf = CsrfViewMiddleware(lambda request: HttpResponse())
    middleware = TrustedProxyMiddleware(
        lambda request: HttpResponse(found.append(csrf._origin_verified(request)))
    )
    headers = {**PUBLIC, "Origin": origin}
    middleware(RequestFactory(REMOTE_ADDR=PROXY).post("/", headers=headers))
    assert found == [verified]
