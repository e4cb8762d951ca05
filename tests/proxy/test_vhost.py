"""Virtual hosts in the path (the V statements)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from django_deploykit import asgi, wsgi
from django_deploykit.middleware import TrustedProxyMiddleware
from django_deploykit.proxy import vhost
from django_deploykit.proxy.decision import Refused
from django_deploykit.trust import Policy
from tests.proxy.asking import (
    PROXY,
    VISITOR,
    ask,
    policy,
    problems,
    scope,
    written,
    written_scope,
)
from tests.proxy.conftest import Site

PREFIXES = {"ALLOWED": ["/app", "/a/b"]}
KNOWN = policy(VHOST={"MARKER": "vhost"}, PREFIX=PREFIXES)
ZOPE = policy(VHOST={"MARKER": "VirtualHostBase"}, PREFIX=PREFIXES)
STRANGER = {"REMOTE_ADDR": VISITOR}


def status(known: Policy = KNOWN, **keys: Any) -> int:
    """The status of a refusal, 200 if there is none."""
    try:
        ask(known, **keys)
    except Refused as refused:
        return refused.status
    return 200


@pytest.fixture
def vhosts() -> Site:
    return Site(VHOST={"MARKER": "vhost"}, PREFIX=PREFIXES)


# V1


@pytest.mark.parametrize(
    "path", ["/vhost/http/real.example/urls/", "/vhost/", "/vhost", "/vhost/x"]
)
def test_V1_a_strangers_marker_is_an_unknown_url(vhosts: Site, path: str) -> None:
    """V1. Not to be told from any other 404, with all headers that Django's middleware adds."""
    with vhosts.settings():
        unknown = vhosts.get("/nothing/here/", **STRANGER)
        answer = vhosts.get(path, **STRANGER)
    assert (answer.status, answer.headers, answer.body) == (404, unknown.headers, unknown.body)


def test_V1_only_who_hides_paths_asks_at_each_view(vhosts: Site) -> None:
    """V1. Where no path is hidden, Django has nothing to ask before a view: under ASGI it would
    need a thread for that in every request."""
    with vhosts.settings():
        assert hasattr(TrustedProxyMiddleware(HttpResponse), "process_view")
    with Site().settings():
        assert not hasattr(TrustedProxyMiddleware(HttpResponse), "process_view")


def test_V1_a_marker_is_never_a_route(vhosts: Site) -> None:
    """V1. Even where the URLconf would take it, neither a stranger's nor a malformed one gets
    there; what only begins like it does."""
    vhosts.section["VHOST"]["MARKER"] = "any"
    with vhosts.settings():
        for keys in (STRANGER, {}):
            assert vhosts.get("/any/where", **keys).status == 404
        vhosts.section["VHOST"]["MARKER"] = "an"
        assert vhosts.get("/any/where", **STRANGER).status == 200


@pytest.mark.parametrize("peer", [PROXY, VISITOR])
def test_V1_nothing_is_believed_of_a_refused_request(vhosts: Site, peer: str) -> None:
    """V1. Middleware that comes later finds a decision all the same, and no header."""
    with vhosts.settings():
        seen = []
        middleware = TrustedProxyMiddleware(lambda request: seen.append(request) or HttpResponse())
        headers = {"X-Forwarded-Proto": "https", "Remote-User": "admin"}
        middleware(RequestFactory(REMOTE_ADDR=peer).get("/vhost/x", headers=headers))
    (request,) = seen
    assert not request.deploykit.trusted
    assert not request.is_secure()
    assert not {"HTTP_X_FORWARDED_PROTO", "HTTP_REMOTE_USER"} & set(request.META)


def test_V1_under_asgi(vhosts: Site) -> None:
    """V1. The same answer under ASGI."""

    async def ask_both() -> list[Any]:
        paths = "/nothing/here/", "/vhost/http/real.example/urls/"
        return [await vhosts.aget(path, peer=VISITOR) for path in paths]

    with vhosts.settings():
        unknown, answer = asyncio.run(ask_both())
    assert (answer.status, answer.headers, answer.body) == (404, unknown.headers, unknown.body)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("/vhost/http/real.example/x", 200),
        ("http://backend/vhost/http/real.example/x", 200),
        ("/vhost/http/real.example/x?y=/vhost/", 200),
        ("/%76host/http/real.example/x", 404),
        ("/vhost%2Fhttp/real.example/x", 404),
        ("/vhost/%68ttp/real.example/x", 400),
        ("/vhost/http/re%61l.example/x", 400),
        ("/vhost/http/real.example%2Fx", 400),
    ],
)
def test_V1_V3_the_marker_is_spelled_plainly(raw: str, expected: int) -> None:
    """V1, V3. Where the server shows the request line: an encoded marker is nobody's, an encoded
    scheme or host is refused."""
    for key in ("RAW_URI", "REQUEST_URI"):
        assert status(path="/vhost/http/real.example/x", **{key: raw}) == expected


# V2


@pytest.mark.parametrize(
    "rest",
    [
        "/vhost/http/evil.example/x",
        "/vhost/",
        "/vhost",
        "/_vh_app/vhost/http/evil.example/x",
    ],
)
def test_V2_the_marker_counts_once(rest: str) -> None:
    """V2. A visitor of the proxied site who adds a marker of his own gets 404 (measured: Twisted
    believes him)."""
    assert status(path=f"/vhost/http/real.example{rest}") == 404


def test_V2_elsewhere_it_is_a_name() -> None:
    """V2. Further down the path it means nothing."""
    decision = ask(KNOWN, path="/vhost/http/real.example/x/vhost/http/evil.example/y")
    assert (decision.place.host, decision.path) == (
        "real.example",
        "/x/vhost/http/evil.example/y",
    )
    assert ask(KNOWN, path="/x/vhost/http/evil.example/").place.host is None


# V3


@pytest.mark.parametrize(
    ("path", "host", "port", "scheme"),
    [
        ("/vhost/http/real.example/x", "real.example", "80", "http"),
        ("/vhost/https/real.example/x", "real.example", "443", "https"),
        ("/vhost/https/real.example:443/x", "real.example", "443", "https"),
        ("/vhost/http/real.example:80/x", "real.example", "80", "http"),
        ("/vhost/http/real.example:443/x", "real.example:443", "443", "http"),
        ("/vhost/https/real.example:8443/x", "real.example:8443", "8443", "https"),
        ("/vhost/http/[::1]:80/x", "[::1]", "80", "http"),
        ("/vhost/http/[::1]:81/x", "[::1]:81", "81", "http"),
    ],
)
def test_V3_the_origin(path: str, host: str, port: str, scheme: str) -> None:
    """V3. The port is that of the scheme unless said, and then not part of the host."""
    made = written(KNOWN, path=path)
    found = made["HTTP_HOST"], made["SERVER_PORT"], made["wsgi.url_scheme"], made["PATH_INFO"]
    assert found == (host, port, scheme, "/x")


@pytest.mark.parametrize(
    "words",
    [
        *("ftp/real.example", "HTTP/real.example", "ws/real.example", "http/user@real.example"),
        *("http/real.example:0", "http/real.example:abc", "http/real.example:", "http/[::1"),
        *("http/re al.example", "http/::1", "http/real.example:65536", "/real.example"),
    ],
)
def test_V3_other_words_are_refused(words: str) -> None:
    """V3. Another scheme, or what is no host."""
    assert status(path=f"/vhost/{words}/x") == 400


@pytest.mark.parametrize(
    "path", ["/vhost", "/vhost/", "/vhost/http", "/vhost/http/", "/vhost/http//x"]
)
def test_V3_too_few_words_are_nowhere(path: str) -> None:
    """V3. Without scheme and host there is nothing to answer for."""
    assert status(path=path) == 404


def test_V3_allowed_hosts_decides_still(vhosts: Site) -> None:
    """V3. A host in the path is checked as any other."""
    with vhosts.settings(ALLOWED_HOSTS=["real.example"]):
        assert vhosts.get("/vhost/http/real.example/urls/").status == 200
        assert vhosts.get("/vhost/http/evil.example/urls/").status == 400


# V4


@pytest.mark.parametrize(
    ("rest", "path"),
    [("", "/"), ("/", "/"), ("//x", "//x"), ("/a b", "/a b"), ("/\xc3\xbc", "/\xc3\xbc")],
)
def test_V4_the_rest_keeps_its_bytes(rest: str, path: str) -> None:
    """V4. Doubled slashes, blanks and bytes of UTF-8; nothing at all is the root."""
    assert written(KNOWN, path=f"/vhost/http/real.example{rest}")["PATH_INFO"] == path


def test_V4_raw_paths_and_queries() -> None:
    """V4. %2F is one where the server gave it so, and the query is not touched."""
    raw = "/vhost/http/real.example/a%2Fb?c=%2F"
    made = written(KNOWN, path="/vhost/http/real.example/a/b", RAW_URI=raw, QUERY_STRING="c=%2F")
    assert (made["RAW_URI"], made["QUERY_STRING"]) == ("/a%2Fb?c=%2F", "c=%2F")
    new = written_scope(
        KNOWN, path="/vhost/http/real.example/a/b", raw_path=b"/vhost/http/real.example/a%2Fb"
    )
    assert (new["path"], new["raw_path"]) == ("/a/b", b"/a%2Fb")


def test_V4_below_a_mount() -> None:
    """V4. The marker is read below the server's own mount, which stays."""
    keys = {"SCRIPT_NAME": "/mount", "RAW_URI": "/mount/vhost/http/real.example/_vh_app/a%2Fb"}
    made = written(KNOWN, path="/vhost/http/real.example/_vh_app/a/b", **keys)
    assert (made["SCRIPT_NAME"], made["PATH_INFO"]) == ("/app/mount", "/a/b")
    assert made["RAW_URI"] == "/app/mount/a%2Fb"


SEGMENT = st.text(
    st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="/"), min_size=1
)


@given(parts=st.lists(SEGMENT, max_size=5), slash=st.sampled_from(["", "/"]))
def test_V4_any_rest(parts: list[str], slash: str) -> None:
    """V4. Whatever follows the host is the path, unless it begins with a word of ours: property."""
    rest = "".join(f"/{part}" for part in parts) + slash
    if rest.startswith(("/_vh_", "/vhost")):
        return
    assert vhost.read(f"/vhost/http/real.example{rest}", "", "vhost").path == (rest or "/")


# V5


@pytest.mark.parametrize(
    ("rest", "prefix", "path"),
    [
        ("/_vh_app/x", "/app", "/x"),
        ("/_vh_a/_vh_b/x", "/a/b", "/x"),
        ("/_vh_app", "/app", "/"),
        ("/_vh_app//x", "/app", "//x"),
        ("/x/_vh_app", "", "/x/_vh_app"),
    ],
)
def test_V5_a_prefix_in_the_path(rest: str, prefix: str, path: str) -> None:
    """V5. Segments _vh_name right after the host are the public prefix."""
    decision = ask(KNOWN, path=f"/vhost/http/real.example{rest}")
    assert (decision.place.prefix, decision.script_name, decision.path) == (
        prefix,
        prefix,
        path,
    )


@pytest.mark.parametrize(
    "segments", ["_vh_", "_vh_..", "_vh_app%", "_vh_a b", "_vh_a", "_vh_app/_vh_x", "_vh_APP"]
)
def test_V5_a_prefix_has_to_be_allowed(segments: str) -> None:
    """V5, P2. What is not listed is refused, behind the proxy's own segments too."""
    assert status(path=f"/vhost/http/real.example/{segments}/x") == 400
    assert status(policy(VHOST={}), path="/vhost/http/real.example/_vh_app/x") == 400


def test_V5_no_visitor_gets_a_page_under_the_url_of_another(vhosts: Site) -> None:
    """V5, P11. With a segment of his own he would have the first page's contents kept in a cache
    as the page /news/."""
    with vhosts.settings():
        for path in ("/_vh_news/", "/_vh_app/_vh_news/"):
            assert vhosts.get(f"/vhost/https/real.example{path}").status == 400


def test_V5_an_encoded_prefix_is_refused() -> None:
    """V5. A prefix is spelled plainly too, so that it ends where it seems to."""
    keys = {
        "path": "/vhost/http/real.example/_vh_app/b",
        "RAW_URI": "/vhost/http/real.example/_vh_app%2Fb",
    }
    assert status(**keys) == 400


# V in Zope's form

BASE = "/VirtualHostBase/https/real.example:443"


@pytest.mark.parametrize(
    ("rest", "prefix", "path"),
    [
        ("", "", "/"),
        ("/", "", "/"),
        ("/x/y", "", "/x/y"),
        ("//x", "", "//x"),
        ("/_vh_app/x", "/app", "/x"),
        ("/_vh_a/_vh_b", "/a/b", "/"),
        ("/VirtualHostRoot/_vh_app/x", "", "/VirtualHostRoot/_vh_app/x"),
        ("/x/VirtualHostBase/http/evil.example:80", "", "/x/VirtualHostBase/http/evil.example:80"),
    ],
)
def test_V_zopes_form(rest: str, prefix: str, path: str) -> None:
    """V5. /VirtualHostBase/<scheme>/<host:port>/VirtualHostRoot/_vh_<prefix>/<path>."""
    decision = ask(ZOPE, path=f"{BASE}/VirtualHostRoot{rest}")
    place = decision.place
    assert (place.scheme, place.host, place.port) == ("https", "real.example", 443)
    assert (place.prefix, decision.script_name, decision.path) == (prefix, prefix, path)
    raw = f"{BASE}/VirtualHostRoot/a%2Fb?c"
    made = written(ZOPE, path=f"{BASE}/VirtualHostRoot/a/b", RAW_URI=raw, QUERY_STRING="c")
    assert (made["PATH_INFO"], made["RAW_URI"]) == ("/a/b", "/a%2Fb?c")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (BASE, 404),
        (f"{BASE}/", 404),
        (f"{BASE}/page", 404),
        (f"{BASE}/site/VirtualHostRoot/page", 404),
        (f"{BASE}/VirtualHostRootX/page", 404),
        (f"{BASE}/_vh_app/VirtualHostRoot/page", 404),
        (f"{BASE}/virtualhostroot/page", 404),
        ("/VirtualHostBase/https", 404),
        ("/VirtualHostBase/ftp/real.example:21/VirtualHostRoot/", 400),
        ("/VirtualHostBase/https/*:443/VirtualHostRoot/", 400),
        (f"{BASE}/VirtualHostRoot{BASE}/VirtualHostRoot/", 404),
        (f"{BASE}/VirtualHostRoot/_vh_app{BASE}/VirtualHostRoot/", 404),
        (f"{BASE}/VirtualHostRoot/_vh_evil/", 400),
    ],
)
def test_V_zopes_form_is_whole_or_nothing(path: str, expected: int) -> None:
    """V2, V3. The second marker follows the host at once, and neither counts a second time."""
    assert status(ZOPE, path=path) == expected


def test_V_zopes_markers_are_spelled_plainly() -> None:
    """V3. Where the request line shows that the second marker was encoded, it is refused."""
    raw = f"{BASE}/Virtual%48ostRoot/x"
    assert status(ZOPE, path=f"{BASE}/VirtualHostRoot/x", RAW_URI=raw) == 400


def test_V_zopes_form_is_for_trusted_proxies(vhosts: Site) -> None:
    """V1. A stranger's is an unknown URL, under its own name alone; a proxy's moves the site."""
    vhosts.section["VHOST"]["MARKER"] = "VirtualHostBase"
    path = f"{BASE}/VirtualHostRoot/_vh_app/urls/"
    with vhosts.settings():
        assert vhosts.get(path, **STRANGER).status == 404
        seen = json.loads(vhosts.get(path).body)
    assert (seen["absolute"], seen["reverse"]) == ("https://real.example/app/urls/", "/app/urls/")


# V6, V7, V10


def test_V6_headers_are_ignored() -> None:
    """V6. The path said everything; the client's address still comes from its header."""
    made = written(
        policy(
            VHOST={},
            PREFIX=PREFIXES,
            HEADERS=["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Script-Name"],
        ),
        path="/vhost/https/real.example/_vh_app/x",
        HTTP_X_FORWARDED_FOR=VISITOR,
        HTTP_X_FORWARDED_HOST="other.example",
        HTTP_X_FORWARDED_PROTO="http",
        HTTP_X_SCRIPT_NAME="/other",
    )
    assert made["REMOTE_ADDR"] == VISITOR
    assert (made["HTTP_HOST"], made["wsgi.url_scheme"]) == ("real.example", "https")
    assert made["SCRIPT_NAME"] == "/app"
    assert not [key for key in made if key.startswith("HTTP_X_")]


def test_V6_V7_V10_all_of_django_sees_it(vhosts: Site) -> None:
    """V6, V7, V10. Paths, absolute URLs and redirects are the public ones."""
    with vhosts.settings():
        for application in (WSGIHandler(), wsgi.wrap(WSGIHandler())):
            path = "/vhost/https/real.example:8443/_vh_app/urls/"
            seen = json.loads(vhosts.get(path, application=application).body)
            assert seen["absolute"] == "https://real.example:8443/app/urls/"
            assert (seen["reverse"], seen["static"]) == ("/app/urls/", "/app/static/site.css")
            assert (seen["path"], seen["path_info"]) == ("/app/urls/", "/urls/")
        answer = vhosts.get("/vhost/https/real.example/redirect/")
        assert answer["Location"] == "/urls/"


def test_V7_websockets(vhosts: Site) -> None:
    """V7. The wrapper serves websockets too, and turns strangers away."""
    found: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope)

    async def send(message: Any) -> None:
        found.append(message["type"])

    with vhosts.settings():
        wrapped = asgi.wrap(application)
        for peer in (PROXY, VISITOR):
            path = "/vhost/https/real.example/chat"
            asked = scope(peer=peer, path=path, type="websocket", scheme="ws")
            asyncio.run(wrapped(asked, None, send))  # type: ignore[arg-type]
    assert (found[0]["scheme"], found[0]["path"]) == ("wss", "/chat")
    assert found[1] == "websocket.close"


# V8


@pytest.mark.parametrize("path", ["health/", "", None, 5])
def test_V8_what_is_exempt_is_a_path(path: Any) -> None:
    """V8. A health check that could never be found is named at the start, not by the check."""
    (said,) = problems(TRUSTED=["unix"], VHOST={"REQUIRED": True, "EXEMPT": ["/up", path]})
    assert said.endswith(f"EXEMPT: {path!r} is no path, which begins with a slash.")


def test_V8_requests_without_a_marker() -> None:
    """V8. Where it is required, nobody reaches the site without it but a health check."""
    site = Site(VHOST={"REQUIRED": True, "EXEMPT": ["/urls/"]})
    with site.settings():
        assert site.get("/vhost/http/real.example/redirect/").status == 302
        assert site.get("/redirect/").status == 404
        assert site.get("/redirect/", **STRANGER).status == 404
        assert site.get("/urls/", **STRANGER).status == 200
        refused = site.get("/redirect/", application=wsgi.wrap(WSGIHandler()))
        assert (refused.status, refused.body) == (404, b"Not Found\n")
