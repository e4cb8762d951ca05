"""The URL prefix of a request (the P statements)."""

from __future__ import annotations

import asyncio
import functools
import io
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import get_script_prefix
from django.utils.html import escape
from hypothesis import given
from hypothesis import strategies as st

from django_deploykit import asgi, contract, wsgi
from django_deploykit.middleware import TrustedProxyMiddleware
from django_deploykit.proxy import origin
from django_deploykit.proxy.decision import Refused
from django_deploykit.proxy.requests import RequestDoor
from django_deploykit.trust import clean_prefix
from tests.projects import ROOT
from tests.proxy.asking import PROXY, VISITOR, ask, environ, policy, written, written_scope
from tests.proxy.conftest import Site


def in_a_loop(test: Any) -> Any:
    """Run a coroutine of a test in a loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


STRIPPED = policy(HEADERS=["X-Forwarded-Prefix"])
KEPT = policy(HEADERS=["X-Forwarded-Prefix"], PREFIX={"MODE": "kept"})


# P1


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("/app", "/app"),
        ("/app/", "/app"),
        ("/a/b.c/~d_e-f", "/a/b.c/~d_e-f"),
        ("/user@host/a+b=c", "/user@host/a+b=c"),
        ("/...", "/..."),
        ("/", ""),
        ("/" + "a" * 254, "/" + "a" * 254),
    ],
)
def test_P1_prefixes(text: str, clean: str) -> None:
    """P1. A slash and plain segments; a slash at the end is dropped."""
    assert ask(STRIPPED, HTTP_X_FORWARDED_PREFIX=text).script_name == clean


@pytest.mark.parametrize(
    "text",
    [
        *(
            "app",
            "//",
            "//evil.example",
            "/a//b",
            "/app//",
            "/\\evil.example",
            "\\evil",
            "/%2Fevil",
        ),
        *(
            "/a?b",
            "/a#b",
            "/a b",
            "/a\tb",
            "/a\r\nX: y",
            "/.",
            "/..",
            "/a/../b",
            "/a/.",
            "/b\xfcro",
        ),
        *(
            "/a;b",
            "/a:b",
            '/a"b',
            "/a'b",
            "/a<b>",
            "/a&b",
            "/{a}",
            "/a|b",
            "/a\x00b",
            "/" + "a" * 255,
        ),
        *("https://evil.example", "http:evil", "javascript:x"),
    ],
)
def test_P1_what_is_no_prefix_is_refused(text: str) -> None:
    """P1. Anything that could be read in two ways."""
    with pytest.raises(Refused) as refused:
        ask(STRIPPED, HTTP_X_FORWARDED_PREFIX=text)
    assert refused.value.status == 400


# P2


def test_P2_prefixes_can_be_named() -> None:
    """P2. With a list, no other prefix is taken; none at all is no other one."""
    known = policy(HEADERS=["X-Forwarded-Prefix"], PREFIX={"ALLOWED": ["/app/", "/b"]})
    assert ask(known, HTTP_X_FORWARDED_PREFIX="/app").place.prefix == "/app"
    assert ask(known).place.prefix == ""
    with pytest.raises(Refused, match="ALLOWED"):
        ask(known, HTTP_X_FORWARDED_PREFIX="/application")


# P3, P4, P5


@pytest.mark.parametrize(
    ("path", "script_name", "split"),
    [
        ("/app/x", "", ("/app", "/x")),
        ("/app", "", ("/app", "/")),
        ("/app/", "", ("/app", "/")),
        ("/app//x", "", ("/app", "//x")),
        ("/x", "/app", ("/app", "/x")),
        ("/x", "/app/deep", ("/app/deep", "/x")),
        ("/pp/x", "/a", None),
        ("/application", "", None),
        ("/app2/x", "", None),
        ("/", "", None),
        ("/APP/x", "", None),
    ],
)
def test_P3_P4_a_kept_prefix_is_cut_off(
    path: str, script_name: str, split: tuple[str, str] | None
) -> None:
    """P3, P4. Only at the end of a segment, whatever the server cut before; any other path is
    not the site's. The bare prefix is its root."""
    keys = {"path": path, "SCRIPT_NAME": script_name, "HTTP_X_FORWARDED_PREFIX": "/app"}
    if split is None:
        with pytest.raises(Refused) as refused:
            ask(KEPT, **keys)
        assert refused.value.status == 404
        return
    decision = ask(KEPT, **keys)
    assert (decision.script_name, decision.path) == split


def test_P3_a_stripped_prefix_leaves_the_path() -> None:
    """P3. Nothing is guessed: the path is what the proxy made it, be it the prefix again."""
    decision = ask(STRIPPED, path="/app/x", HTTP_X_FORWARDED_PREFIX="/app")
    assert (decision.script_name, decision.path) == ("/app", "/app/x")


def test_P5_prefixes_are_joined(settings: Any) -> None:
    """P5. The proxy's prefix comes before the server's own mount."""
    decision = ask(STRIPPED, path="/x", SCRIPT_NAME="/own", HTTP_X_FORWARDED_PREFIX="/app")
    assert decision.script_name == "/app/own"


def test_P5_a_forced_prefix_wins() -> None:
    """P5. FORCE_SCRIPT_NAME decides for every request, as in Django."""
    site = Site()
    with site.settings(FORCE_SCRIPT_NAME="/forced"):
        seen = json.loads(site.get("/urls/", "/app").body)
    assert seen["script_name"] == "/forced"
    assert seen["reverse"] == "/forced/urls/"


@pytest.mark.parametrize("mode", ["stripped", "kept"])
@pytest.mark.parametrize("forced", ["/forced", "/forced/", "/app", "/a"])
@pytest.mark.parametrize("wrap", [lambda handler: handler, asgi.wrap], ids=["within", "around"])
@in_a_loop
async def test_P5_a_forced_prefix_wins_under_asgi(wrap: Any, forced: str, mode: str) -> None:
    """P5. As under WSGI, wherever the decision was made."""
    site = Site(PREFIX={"MODE": mode})
    with site.settings(FORCE_SCRIPT_NAME=forced):
        path = "/app/urls/" if mode == "kept" else "/urls/"
        answer = await site.aget(path, "/app", application=wrap(ASGIHandler()))
        assert answer.status == 200
        seen = json.loads(answer.body)
        there = json.loads(site.get(path, "/app", application=wsgi.wrap(WSGIHandler())).body)
    # Django itself leaves the last slash there.
    assert seen == {**there, "script_name": there["script_name"].rstrip("/")}
    assert seen["script_name"] == forced.rstrip("/")
    assert seen["reverse"] == f"{forced.rstrip('/')}/urls/"


@pytest.mark.parametrize("forced", ["/forced", "/forced/", "/app", "/a", "/"])
@pytest.mark.parametrize(
    ("mount", "path", "line", "below"),
    [
        ("", "/app/x", None, "/x"),
        ("", "/app/x", "/app/x?q=%2F", "/x"),
        ("/app", "/x", "/app/x?q", "/x"),
        ("/app", "/x", "http://example.com/app/%78", "/x"),
        ("/app", "/caf\xc3\xa9", "/app/caf%C3%A9", "/café"),
        ("", "/app", "/app", "/"),
        ("/app", "", "/app", "/"),
        ("/app", "/", "/app/", "/"),
        ("", "/x", "/x", None),
        ("", "/application/x", "/application/x", None),
        ("", "/forced/x", "/forced/x", None),
        ("", "/", "/", None),
        ("", "/x", None, None),
        ("", "/x", "/app/../x", None),
        ("", "/x", "/app/%2e%2e/x", None),
        ("", "/", "/app/..", None),
        ("", "/", "/app/x/../../", None),
    ],
)
def test_P5_a_kept_prefix_is_cut_off_below_a_forced_one(
    mount: str, path: str, line: str | None, below: str | None, forced: str
) -> None:
    """P3, P5. Only what the proxy names, whatever Django's own prefix is, and whether or not the
    server has cut it off already; wherever the decision is made."""
    keys = {"path": path, "SCRIPT_NAME": mount, "HTTP_X_FORWARDED_PREFIX": "/app"}
    keys |= {"REQUEST_URI": line} if line else {}
    with Site(PREFIX={"MODE": "kept"}).settings(FORCE_SCRIPT_NAME=forced):
        within, around = WSGIRequest(environ(**keys)), environ(**keys)
        if below is None:
            with pytest.raises(Refused, match="does not lie below"):
                RequestDoor().enter(within)
            assert within.path == f"{forced.rstrip('/')}{path}"
            return
        RequestDoor().enter(within)
        wsgi.wrap(lambda made, start: [])(around, lambda *head: None)
        for request in (within, WSGIRequest(around)):
            assert (request.path_info, request.path) == (below, f"{forced.rstrip('/')}{below}")


# P6


def test_P6_rewriting_does_not_resurface() -> None:
    """P6. A front that rewrites says the mount in SCRIPT_URL too, which Django prefers: the
    prefix is not lost to it."""
    site = Site()
    keys = {"SCRIPT_NAME": "/own", "SCRIPT_URL": "/own/urls/", "REDIRECT_URL": "/own/urls/"}
    with site.settings():
        for handler in (WSGIHandler(), wsgi.wrap(WSGIHandler())):
            seen = json.loads(site.get("/urls/", "/app", application=handler, **keys).body)
            assert (seen["script_name"], seen["path"]) == ("/app/own", "/app/own/urls/")


@pytest.mark.parametrize("mode", ["stripped", "kept"])
@pytest.mark.parametrize(
    ("root", "shown"),
    [("", "/x"), ("/own", "/own/x"), ("/own", "/x"), ("/own/", "/own/x"), ("/", "/x")],
)
def test_P6_shapes_of_asgi(mode: str, root: str, shown: str) -> None:
    """P6. Whether a server puts root_path in front of the path or not: the scope says both, and
    the path begins with the mount."""
    known = policy(HEADERS=["X-Forwarded-Prefix"], PREFIX={"MODE": mode})
    prefix = "/own" if mode == "kept" and root.strip("/") else "/app"
    path = f"/app{shown}" if mode == "kept" and not root.strip("/") else shown
    new = written_scope(known, ("X-Forwarded-Prefix", prefix), path=path, root_path=root)
    mount = "/own" if root.strip("/") else ""
    expected = mount or "/app" if mode == "kept" else f"/app{mount}"
    assert (new["root_path"], new["path"]) == (expected, f"{expected}/x")


def test_P6_an_untouched_scope_is_the_same_to_django() -> None:
    """P6. With no prefix at all, path and mount are as they came."""
    new = written_scope(STRIPPED, path="//x", raw_path=b"//x")
    assert (new["root_path"], new["path"], new["raw_path"]) == ("", "//x", b"//x")


def test_P6_raw_paths_follow() -> None:
    """P6. The raw path, where a server gives one, has the prefix too, and keeps its bytes."""
    new = written_scope(STRIPPED, ("X-Forwarded-Prefix", "/app"), path="/a/b", raw_path=b"/a%2Fb")
    assert new["raw_path"] == b"/app/a%2Fb"
    told = ("X-Forwarded-Prefix", "/app")
    assert written_scope(STRIPPED, told, path="/a", raw_path=b"/a?b")["raw_path"] == b"/app/a"
    made = written(
        STRIPPED, HTTP_X_FORWARDED_PREFIX="/app", RAW_URI="/a%2Fb?q=1", QUERY_STRING="q=1"
    )
    assert made["RAW_URI"] == "/app/a%2Fb?q=1"
    made = written(
        KEPT,
        path="/app/a/b",
        HTTP_X_FORWARDED_PREFIX="/app",
        REQUEST_URI="/app/a%2Fb?q=1",
        QUERY_STRING="q=1",
    )
    assert (made["REQUEST_URI"], made["PATH_INFO"]) == ("/app/a%2Fb?q=1", "/a/b")


@pytest.mark.parametrize("path", ["/caf\xc3\xa9/", "/\xe2\x82\xac/", "/\xff/", "//x", "*"])
def test_P6_other_letters_are_decoded_once(path: str) -> None:
    """P6. Django has made text of the path before its middleware comes: moved, it is that text, and
    the same that Django reads where the decision was made before it."""
    keys = {"path": path, "HTTP_X_FORWARDED_PREFIX": "/app", "HTTP_X_FORWARDED_FOR": VISITOR}
    with Site().settings():
        within, around = WSGIRequest(environ(**keys)), environ(**keys)
        RequestDoor().enter(within)
        wsgi.wrap(lambda made, start: [])(around, lambda *head: None)
    before = WSGIRequest(around)
    assert (within.path, within.path_info) == (before.path, before.path_info)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a?b=http://c.example/d", "/a"),
        ("/fetch/http://a.example/b?c", "/fetch/http://a.example/b"),
        ("http://a.example/fetch/http://b.example", "/fetch/http://b.example"),
        ("http://a.example?b", ""),
    ],
)
def test_P6_the_absolute_form_is_at_the_beginning(target: str, path: str) -> None:
    """P6. An address that a path names is a part of that path (RFC 9112 3.2.2)."""
    assert origin.request_path(target) == path


# P7, P8


def everything(prefix: str, view: str = "urls") -> dict[str, str]:
    """All URLs of a request below a prefix."""
    return {
        "reverse": f"{prefix}/urls/",
        "static": f"{prefix}/static/site.css",
        "static prefix": f"{prefix}/static/",
        "media": f"{prefix}/media/a.jpg",
        "media prefix": f"{prefix}/media/",
        "path": f"{prefix}/{view}/",
        "path_info": f"/{view}/",
        "script_name": prefix,
        "absolute": f"http://example.com{prefix}/{view}/",
    }


def test_P7_P8_every_url_has_the_prefix_of_its_request(site: Site) -> None:
    """P7, P8. One after the other: the first does not decide for the next, nor does the last."""
    for prefix in ("/one", "/two/deep", "", "/one", ""):
        assert json.loads(site.get("/urls/", prefix).body) == everything(prefix)
        assert json.loads(site.get("/urls/").body) == everything("")


@in_a_loop
async def test_P7_P8_under_asgi(site: Site) -> None:
    """P7, P8. The same, in views of both kinds."""
    for prefix in ("/one", "/two/deep", "", "/one"):
        for view in ("urls", "async"):
            answer = await site.aget(f"/{view}/", prefix)
            assert json.loads(answer.body) == everything(prefix, view)


PREFIXES = [f"/p{number}" for number in range(8)] + [""]


def test_P7_P8_requests_at_the_same_time(site: Site) -> None:
    """P7, P8. Threads do not see each other's prefix."""
    handler = WSGIHandler()

    def ask_for(prefix: str) -> Any:
        return json.loads(site.get("/urls/", prefix, application=handler).body)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask_for, PREFIXES * 4)) == [*map(everything, PREFIXES * 4)]


@pytest.mark.parametrize("view", ["urls", "async"])
@in_a_loop
async def test_P7_P8_tasks_at_the_same_time(site: Site, view: str) -> None:
    """P7, P8. Nor do tasks of one loop."""
    handler = ASGIHandler()
    asked = [site.aget(f"/{view}/", prefix, application=handler) for prefix in PREFIXES * 2]
    found = [json.loads(answer.body) for answer in await asyncio.gather(*asked)]
    assert found == [everything(prefix, view) for prefix in PREFIXES * 2]


def test_P7_streams_keep_their_prefix(site: Site) -> None:
    """P7. A body that is made while it is sent has the prefix to its end."""
    line = "{0}/urls/ {0}/static/site.css\n"
    for prefix in ("/one", "/two", ""):
        assert site.get("/stream/", prefix).body.decode() == line.format(prefix) * 3


@in_a_loop
async def test_P7_streams_under_asgi(site: Site) -> None:
    """P7. Also where several are sent at once."""
    handler = ASGIHandler()
    asked = [site.aget("/stream/", prefix, application=handler) for prefix in PREFIXES]
    line = "{0}/urls/ {0}/static/site.css\n"
    found = [answer.body.decode() for answer in await asyncio.gather(*asked)]
    assert found == [line.format(prefix) * 3 for prefix in PREFIXES]


@pytest.mark.parametrize("view", ["urls", "stream"])
def test_P7_wrapped_applications(view: str) -> None:
    """P7. wrap() in front of Django does the same as the middleware in it, and both agree."""
    site = Site()
    with site.settings(MIDDLEWARE=[]):
        plain = wsgi.wrap(WSGIHandler())
        alone = [site.get(f"/{view}/", prefix, application=plain).body for prefix in PREFIXES]
    with site.settings():
        both = wsgi.wrap(WSGIHandler())
        twice = [site.get(f"/{view}/", prefix, application=both).body for prefix in PREFIXES]
        inside = [site.get(f"/{view}/", prefix).body for prefix in PREFIXES]
    assert alone == twice == inside


BEFORE_DJANGO = """
import django
from django.conf import settings

settings.configure(
    STATIC_URL="static/",
    INSTALLED_APPS=["django.contrib.staticfiles"],
    DEPLOYKIT={"PROXY": {"TRUSTED": ["unix"], "HEADERS": ["X-Forwarded-Prefix"]}},
)
from django_deploykit import asgi, wsgi

wsgi.wrap(None), asgi.wrap(None)
django.setup()
from django.templatetags.static import static
from django.urls import set_script_prefix

for prefix in ("/one", "/two"):
    set_script_prefix(prefix)
    print(static("site.css"))
"""


def test_P7_what_is_wrapped_before_django_is_there() -> None:
    """P7. An application need not be Django's; and where Django comes later, its URLs follow."""
    command = [sys.executable, "-c", BEFORE_DJANGO]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    said = done.stdout.split(), done.stderr
    assert said == (["/one/static/site.css", "/two/static/site.css"], "")


@in_a_loop
async def test_P7_wrapped_applications_under_asgi() -> None:
    """P7. Also under ASGI."""
    site = Site()
    with site.settings(MIDDLEWARE=[]):
        plain = asgi.wrap(ASGIHandler())
        for prefix in ("/one", "", "/two"):
            answer = await site.aget("/urls/", prefix, application=plain)
            assert json.loads(answer.body) == everything(prefix)


@in_a_loop
async def test_T7_two_spellings_are_refused_in_django(site: Site) -> None:
    """T7. The middleware answers 400, and a stranger's underscore alone changes nothing."""
    both = [("X_Forwarded_Prefix", "/evil"), ("X-Forwarded-Prefix", "/app")]
    assert (await site.aget("/urls/", headers=both)).status == 400
    answer = await site.aget("/urls/", headers=both[:1])
    assert json.loads(answer.body) == everything("")


def test_P7_redirects(site: Site) -> None:
    """P7. By name, to a missing slash, and to the login with a next of its own."""
    assert site.get("/redirect/", "/app")["Location"] == "/app/urls/"
    assert site.get("/urls", "/app")["Location"] == "/app/urls/"
    with site.settings(LOGIN_URL="admin:login"):
        answer = site.get("/private/", "/app")
        assert answer["Location"] == "/app/admin/login/?next=/app/private/"
    assert site.get("/admin/", "/app")["Location"] == "/app/admin/login/?next=/app/admin/"


def test_P7_the_admin(site: Site) -> None:
    """P7. Every link, form and style sheet of the admin's login leads below the prefix."""
    page = site.get("/admin/login/", "/app").body.decode()
    links = re.findall(r'(?:href|src|action)="([^"#]+)"', page)
    assert len(links) > 3
    assert [link for link in links if not link.startswith("/app/")] == []


# P9


def test_P9_djangos_cookies_have_the_prefix(site: Site) -> None:
    """P9. Session, CSRF and messages; cookies of the site, and __Host- ones, are left alone."""
    cookies = site.get("/cookies/", "/app").cookies
    own = {"own": "/", "__Host-own": "/"}
    assert cookies == {"sessionid": "/app/", "csrftoken": "/app/", "messages": "/app/", **own}
    assert set(site.get("/cookies/").cookies.values()) == {"/"}


def test_P9_cookies_are_deleted_where_they_were_set(site: Site) -> None:
    """P9. A cookie is deleted with the path that it has."""
    answer = site.get("/forget/", "/app", HTTP_COOKIE="sessionid=x")
    assert answer.cookies == {"sessionid": "/app/"}


def test_P9_the_language(site: Site) -> None:
    """P9. The language is a cookie too."""
    with site.settings(MIDDLEWARE=["django_deploykit.middleware.TrustedProxyMiddleware"]):
        form = {"REQUEST_METHOD": "POST", "QUERY_STRING": "", "CONTENT_LENGTH": "11"}
        form["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
        body = {"wsgi.input": io.BytesIO(b"language=de")}
        made = environ(path="/language/", HTTP_X_FORWARDED_PREFIX="/app", **form, **body)
        said: list[Any] = []
        WSGIHandler()(made, lambda *args: said.extend(args)).close()
    (cookie,) = (value for name, value in said[1] if name == "Set-Cookie")
    assert "django_language=de" in cookie
    assert "Path=/app/" in cookie


def test_P9_a_path_that_settings_name_is_kept(site: Site) -> None:
    """P9. Who says where a cookie belongs, be it the whole host, means it."""
    for path in ("/", "/shared"):
        with site.settings(SESSION_COOKIE_PATH=path):
            cookies = site.get("/cookies/", "/app").cookies
        assert (cookies["sessionid"], cookies["csrftoken"]) == (path, "/app/")


# P10


def test_P10_the_prefix_ends_with_the_response(site: Site) -> None:
    """P10. After close(), or an error, the thread has the prefix that it had before."""
    factory = RequestFactory(REMOTE_ADDR=PROXY, headers={"X-Forwarded-Prefix": "/app"})
    seen = []

    def view(request: Any) -> Any:
        seen.append(get_script_prefix())
        if request.path_info == "/fail":
            raise KeyError
        return HttpResponse()

    middleware = TrustedProxyMiddleware(view)
    before = get_script_prefix()
    response = middleware(factory.get("/"))
    assert get_script_prefix() == "/app/"
    response.close()
    assert get_script_prefix() == before
    with pytest.raises(KeyError):
        middleware(factory.get("/fail"))
    assert get_script_prefix() == before
    assert seen == ["/app/", "/app/"]


# P11

CONFUSING = st.text(
    st.sampled_from("/\\.%?#@:;&=+ \t\r\n\"'<>aA0~_-\x00é") | st.characters(), max_size=40
)


@given(tail=CONFUSING)
def test_P11_no_prefix_leads_off_the_site(tail: str) -> None:
    """P11. Whatever is accepted, a Location, a link and the action of a form made of it stay on
    the host, and are the same after HTML has been written and read: property."""
    for text in (tail, f"/{tail}", f"/app{tail}"):
        prefix = clean_prefix(text)
        if prefix is None:
            continue
        url = f"{prefix}/page"
        for base in ("https://site.example/", "https://site.example/a/b?c"):
            assert urljoin(base, url) == f"https://site.example{url}"
        assert urlsplit(url)[:2] == ("", "")
        assert escape(url) == url
        assert url.isascii()
        assert url.isprintable()


@given(tail=CONFUSING)
def test_P11_what_is_accepted_stays_as_it_is(tail: str) -> None:
    """P11. A prefix that was accepted is accepted again, unchanged: property."""
    prefix = clean_prefix(f"/{tail}")
    assert prefix is None or clean_prefix(prefix) == prefix


@pytest.mark.parametrize(
    ("path", "status"), [("/urls", 301), ("/redirect/", 302), ("/admin/", 302)]
)
@pytest.mark.parametrize("prefix", ["/app", "/@evil.example", "/evil.example", "/~"])
def test_P11_redirects_stay(site: Site, prefix: str, path: str, status: int) -> None:
    """P11. Every redirect of Django's own begins with the prefix."""
    answer = site.get(path, prefix)
    assert answer.status == status
    assert answer["Location"].startswith(f"{prefix}/")
    assert urlsplit(answer["Location"]).netloc == ""


def test_a_prefix_of_a_stranger_is_none(site: Site) -> None:
    """Nobody else names a prefix, and nothing is left of it."""
    answer = site.get("/urls/", "/evil", REMOTE_ADDR="203.0.113.9")
    assert json.loads(answer.body) == everything("")
    assert contract.environ_key("X-Forwarded-Prefix") not in written(STRIPPED, peer="203.0.113.9")
