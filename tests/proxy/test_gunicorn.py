"""What gunicorn believes of a header that is called SCRIPT_NAME, by default from whoever is on
loopback; and that nothing of it is left."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler

from django_deploykit import wsgi
from django_deploykit.handlers.behind import behind_front
from django_deploykit.proxy.decide import Judge
from django_deploykit.proxy.decision import Decision, Refused
from django_deploykit.proxy.wsgi import WsgiDoor
from tests.proxy.asking import policy
from tests.proxy.conftest import Site

LOOPBACK = "127.0.0.1"
Header = tuple[str, str]
# Each is taken for /public, and beside it stands what hides that.
DISGUISES = [
    [("SCRIPT_NAME", "/public")],
    [("SCRIPT_NAME", "/public"), ("Script-Name", "x")],
    [("Script-Name", "x"), ("SCRIPT_NAME", "/public")],
    [("SCRIPT_NAME", "/"), ("SCRIPT_NAME", "/public"), ("SCRIPT-NAME", "")],
]


def environ(target: str, *headers: Header) -> dict[str, Any]:
    """The environ that gunicorn itself makes of a request."""
    from gunicorn.config import Config
    from gunicorn.http.parser import RequestParser
    from gunicorn.http.wsgi import create

    lines = [f"GET {target} HTTP/1.1", "Host: example.com", *map(": ".join, headers), "", ""]
    peer, config = (LOOPBACK, 40000), Config()
    request = next(RequestParser(config, ["\r\n".join(lines).encode()], peer))
    with socket.socket() as listener:
        made: dict[str, Any] = create(request, listener, peer, (LOOPBACK, 8000), config)[1]
    return made


def ask(application: Any, target: str, *headers: Header) -> tuple[int, Any]:
    """Status and body of an answer; the second as data where there is a page."""
    said: list[Any] = []
    response = application(environ(target, *headers), lambda *head: said.extend(head))
    status, body = int(said[0][:3]), b"".join(response)
    if close := getattr(response, "close", None):
        close()
    return status, json.loads(body) if status == 200 else body.decode()


def within() -> Any:
    """The middleware alone."""
    return WSGIHandler()


def around() -> Any:
    """The door before Django."""
    return wsgi.wrap(WSGIHandler())


@pytest.fixture(params=[within, around])
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[[], Any]]:
    with Site(TRUSTED=[LOOPBACK], PREFIX={"MODE": "kept"}).settings():
        yield request.param


@pytest.mark.parametrize("headers", DISGUISES)
@pytest.mark.parametrize("forced", [None, "/app", "/public"])
def test_no_header_cuts_the_path(
    headers: list[Header], forced: str | None, serve: Callable[[], Any], settings: Any
) -> None:
    """A URL that a front lets through below /public is not that of another page, with a forced
    prefix as without one, and whatever the header is folded with."""
    settings.FORCE_SCRIPT_NAME = forced
    application = serve()
    assert ask(application, "/public/urls/")[0] == 404
    assert ask(application, "/public/urls/", *headers)[0] == 404
    assert ask(application, "/public/any/x", *headers)[0] == 404


@pytest.mark.parametrize("headers", [[], *DISGUISES])
def test_the_mount_is_that_of_the_environment(
    headers: list[Header], serve: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """gunicorn's own SCRIPT_NAME, which a header is in the place of, is where the site lies."""
    monkeypatch.setenv("SCRIPT_NAME", "/public")
    status, seen = ask(serve(), "/public/urls/?q=%2F", *headers)
    assert (status, seen["script_name"], seen["path_info"]) == (200, "/public", "/urls/")
    assert seen["reverse"] == "/public/urls/"


def test_a_path_beside_the_mount_is_refused(
    serve: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """gunicorn answers none by itself; with a header in the place of its own name it would."""
    monkeypatch.setenv("SCRIPT_NAME", "/app")
    application = serve()
    for target in ("/urls/", "/application/urls/"):
        for said in ("", "/", target.removesuffix("/urls/")):
            assert ask(application, target, ("SCRIPT_NAME", said))[0] in (400, 404)


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("//evil.example/urls/", [("SCRIPT_NAME", "//evil.example"), ("Script-Name", "x")]),
        ("//evil.example/,a/urls/", [("SCRIPT_NAME", "//evil.example/,a")]),
        ("//evil.example/urls/", [("SCRIPT_NAME", "//evil.example"), ("X-Forwarded-Proto", "x")]),
    ],
)
@pytest.mark.parametrize("forced", [None, "/app"])
def test_no_header_leads_off_the_site(
    target: str,
    headers: list[Header],
    forced: str | None,
    serve: Callable[[], Any],
    settings: Any,
) -> None:
    """Nor where a page says what is wrong: by itself, Django keeps the prefix that STATIC_URL has
    at the first look for the life of the process."""
    settings.FORCE_SCRIPT_NAME = forced
    settings.TEMPLATES = [_ERROR_PAGES]
    application = serve()
    status, page = ask(application, target, *headers)
    assert (status in (400, 404), "evil" in page) == (True, False)
    assert ask(application, "/urls/")[1]["static"] == f"{forced or ''}/static/site.css"


_PAGE = "{% load static %}{% static 'site.css' %}"
_ERROR_PAGES = {
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "OPTIONS": {
        "loaders": [
            ("django.template.loaders.locmem.Loader", {"400.html": _PAGE, "404.html": _PAGE})
        ],
        "libraries": {"static": "django.templatetags.static"},
    },
}


@pytest.mark.parametrize("said", ["/app", "/app/caf%C3%A9", "/ap", ""])
@pytest.mark.parametrize("path", ["/any/caf%C3%A9/", "/any/%E2%82%AC", "/any/%FF"])
def test_other_letters_are_decoded_once(said: str, path: str, serve: Callable[[], Any]) -> None:
    """Django has made text of the path before its middleware comes: what is built anew is text."""
    prefix = ("X-Forwarded-Prefix", "/app")
    honest = ask(serve(), f"/app{path}", prefix)
    assert honest[0] == 200
    if f"/app{path}".startswith(said):
        assert ask(serve(), f"/app{path}", ("SCRIPT_NAME", said), prefix) == honest


def decide(made: dict[str, Any]) -> Decision:
    return WsgiDoor(Judge(policy(TRUSTED=[LOOPBACK]))).enter(made)


def test_a_target_that_says_something_else_is_refused() -> None:
    """Over uwsgi gunicorn makes RAW_URI of a path that is decoded already: what was %3F in there
    would end it, and be another page's."""
    made = environ("/admin/?x?q", ("Script-Name", "x"))
    made.update({"QUERY_STRING": "q", "PATH_INFO": "/admin/?x"})
    with pytest.raises(Refused) as refused:
        decide(made)
    assert refused.value.status == 400


def test_the_target_may_be_a_whole_url() -> None:
    """RFC 9112 3.2.2."""
    made = environ("http://example.com/public/a%2Fb?q=http://x/", ("SCRIPT_NAME", ""))
    decide(made)
    assert (made["SCRIPT_NAME"], made["PATH_INFO"]) == ("", "/public/a/b")


def test_an_emitted_script_has_put_the_prefix_there() -> None:
    """Its mount is its own, no header's; it is not undone."""
    seen: dict[str, Any] = {}

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return [b"{}"]

    behind = behind_front(application, front="nginx", gateway="http", prefix="/app")
    told = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https")]
    for said in ("/app", "/app/x", "x"):
        for name in ("SCRIPT_NAME", "Script-Name"):
            if name == "Script-Name" or said.startswith("/"):
                assert ask(behind, "/app/x/y", *told, (name, said))[0] == 200
                assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/app", "/x/y")
