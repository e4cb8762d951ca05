"""What an ASGI application believes of the front server before it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import re_path

from django_deploykit import contract
from django_deploykit.handlers import behind_asgi
from django_deploykit.handlers.behind_asgi import behind_front

Said = list[dict[str, Any]]
Header = tuple[str, str]

ADDRESS = ("X-Forwarded-For", "192.0.2.1")
TOLD = (ADDRESS, ("X-Forwarded-Proto", "http"))
TOLD_SECURE = (ADDRESS, ("X-Forwarded-Proto", "https"))
HOST = ("Host", "example.com:8443")
TRUE, SECURE = [HOST, *TOLD], [HOST, *TOLD_SECURE]
KINDS = ("http", "websocket")


def scope(kind: str, path: str, *headers: Header, **more: Any) -> dict[str, Any]:
    """What a server on a unix socket hands out, with header names as they were sent."""
    return {
        "type": kind,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "client": None,
        "server": ("/run/x.sock", None),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        **({"method": "GET", "http_version": "1.1"} if kind == "http" else {}),
        **more,
    }


class Client:
    """Calls an application behind a front, and remembers what it was given."""

    def __init__(self, answer: Said | None = None, **options: Any) -> None:
        self.seen: dict[str, Any] = {}
        self.answer = answer or []
        self.application = behind_front(self._application, **{"front": "nginx", **options})

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen = scope
        for message in self.answer:
            await send(message)

    def call(self, scope: dict[str, Any]) -> Said:
        return called(self.application, scope)


def called(application: Any, scope: dict[str, Any]) -> Said:
    """Everything that an application sends to a request without a body."""
    said: Said = []
    finished = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if scope["type"] == "websocket":
            return {"type": "websocket.connect"}
        if not finished.is_set():
            finished.set()
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.Event().wait()  # The client stays.
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    asyncio.run(application(scope, receive, send))
    return said


def names(found: dict[str, Any]) -> set[str]:
    return {name.decode() for name, _ in found["headers"]}


@pytest.mark.parametrize(
    ("kind", "headers", "scheme", "port"),
    [
        ("http", TRUE, "http", 8443),
        ("http", SECURE, "https", 8443),
        ("websocket", TRUE, "ws", 8443),
        ("websocket", SECURE, "wss", 8443),
        ("http", [("Host", "example.com"), *TOLD_SECURE], "https", 443),
        ("http", [("Host", "[::1]:80"), *TOLD], "http", 80),
        ("http", [("Host", "[::1]"), *TOLD], "http", 80),
        ("http", [("Host", "a:²"), *TOLD], "http", 80),
    ],
)
def test_what_the_front_says(kind: str, headers: list[Header], scheme: str, port: int) -> None:
    """Address, scheme and port come from the contract's headers, for websockets too."""
    client = Client()
    client.call(scope(kind, "/", *headers))
    assert client.seen["client"] == ("192.0.2.1", 0)
    assert client.seen["scheme"] == scheme
    assert client.seen["server"][1] == port


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [ADDRESS],
        [("X_Forwarded_For", "192.0.2.1"), ("X_Forwarded_Proto", "https")],
        [ADDRESS, ("X-Forwarded-Proto", "gopher")],
    ],
)
def test_the_front_never_forgets(headers: list[Header]) -> None:
    """Without what it says in every request, a request is not from it; the socket tells nothing."""
    client = Client()
    more = {"client": ("203.0.113.9", 1), "scheme": "https"}
    assert client.call(scope("http", "/", *headers, **more))[0]["status"] == 400
    refused = [{"type": "websocket.close"}]
    assert client.call(scope("websocket", "/", *headers, **more)) == refused
    assert client.seen == {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", contract.CLIENT_FORBIDDEN_HEADERS)
def test_forbidden_headers_are_dropped(name: str, kind: str) -> None:
    """What only a proxy may say does not reach the application, however it is spelt."""
    client = Client()
    spellings = [name, name.lower(), name.upper().replace("-", "_")]
    forged = [(one, "x") for one in spellings if name not in dict(TOLD)]
    client.call(scope(kind, "/", *TOLD, *forged, ("Accept", "y")))
    assert names(client.seen) == {"Accept"}


@pytest.mark.parametrize("kind", KINDS)
def test_names_with_an_underscore_are_dropped(kind: str) -> None:
    """In request.META they would be other headers."""
    client = Client()
    client.call(scope(kind, "/", *TOLD, ("X_Other", "x"), ("X-Other", "y")))
    assert client.seen["headers"] == [(b"X-Other", b"y")]


@pytest.mark.parametrize("kind", KINDS)
def test_data_comes_from_the_front_alone(kind: str) -> None:
    """SITE["ENVIRON"] arrives under its names, and the headers that carried it do not."""
    client = Client()
    client.application = behind_front(client._application, front="nginx", data=["BRANCH"])
    sent = [("X-Deploykit-Branch", "north"), ("X_Deploykit_Branch", "")]
    client.call(scope(kind, "/", *TOLD, *sent))
    assert client.seen[contract.DECISION_KEY].data == {"BRANCH": "north"}
    assert names(client.seen) == set()


@pytest.fixture(autouse=True)
def request_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """Django's handler is itself again after each test."""
    monkeypatch.setattr(ASGIHandler, "request_class", ASGIRequest)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["/app/", "/app/a/b", "/app//a", "/app/größe"])
def test_the_prefix_is_the_root_path(path: str, kind: str) -> None:
    """The path of a scope keeps the prefix (ASGI), and root_path names it."""
    client = Client(prefix="/app")
    assert client.call(scope(kind, path, *TOLD)) == []
    assert (client.seen["root_path"], client.seen["path"]) == ("/app", path)


@pytest.mark.parametrize("path", ["/", "/app", "/application/", "/APP/", "//app/"])
def test_other_paths_are_refused(path: str) -> None:
    """Nothing outside of the prefix reaches the application."""
    client = Client(prefix="/app")
    assert client.call(scope("http", path))[0]["status"] == 404
    assert client.call(scope("websocket", path)) == [{"type": "websocket.close"}]
    assert client.seen == {}


def test_a_root_path_of_the_server_is_not_believed() -> None:
    """Only the emitted script says where the site is mounted."""
    client = Client()
    client.call(scope("http", "/a", *TOLD, root_path="/evil"))
    assert client.seen["root_path"] == ""


def test_lifespan_passes_untouched() -> None:
    """What is neither a request nor a websocket is the application's own affair."""
    client = Client(prefix="/app")
    lifespan = {"type": "lifespan", "asgi": {"version": "3.0"}}
    client.call(lifespan)
    assert client.seen is lifespan


def test_the_servers_scope_is_left_alone() -> None:
    """An ASGI application hands on a copy."""
    given = scope("http", "/app/", *SECURE)
    before = {**given, "headers": [*given["headers"]]}
    Client(prefix="/app").call(given)
    assert given == before


@pytest.mark.parametrize(("length", "status"), [("10", 200), ("11", 413)])
def test_the_limit_holds_for_a_length_that_a_front_has_measured(length: str, status: int) -> None:
    """What was chunked for the front, and is stored there, comes with a length."""
    answer = {"type": "http.response.start", "status": 200, "headers": []}
    client = Client([answer], limit=10)
    start, *_ = client.call(scope("http", "/", ("Content-Length", length), *TRUE))
    assert (start["status"], bool(client.seen)) == (status, status == 200)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], [(b"x-accel-buffering", b"no")]),
        ([(b"Content-Length", b"0")], [(b"Content-Length", b"0")]),
        ([(b"X-Accel-Buffering", b"yes")], [(b"X-Accel-Buffering", b"yes")]),
    ],
)
def test_a_response_of_unknown_length_is_a_stream(
    headers: list[tuple[bytes, bytes]], expected: list[tuple[bytes, bytes]]
) -> None:
    """nginx is told to pass it on as it is written, unless the application says otherwise."""
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    (said,) = Client([start]).call(scope("http", "/", *TOLD))
    assert said["headers"] == expected


# Through Django


def whoami(request: HttpRequest) -> JsonResponse:
    shown = ("REMOTE_ADDR", "SERVER_PORT", "SCRIPT_NAME", "PATH_INFO", "BRANCH", "HTTP_X_OTHER")
    return JsonResponse(
        {
            **{name: request.META.get(name) for name in shown},
            "secure": request.is_secure(),
            "uri": request.build_absolute_uri(),
        }
    )


async def _events() -> Any:
    yield b"data: 1\n\n"


def events(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(_events(), content_type="text/event-stream")


urlpatterns = [re_path(r"^events$", events), re_path("", whoami)]


@pytest.fixture
def django() -> Iterator[Any]:
    """Django's own ASGI application."""
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[], ALLOWED_HOSTS=["example.com"]):
        yield ASGIHandler()


def test_django_sees_what_the_front_says(django: Any) -> None:
    """request.META has what it has under WSGI, the data under their own names among it."""
    application = behind_front(django, front="nginx", prefix="/app", data=["BRANCH"])
    sent = [*SECURE, ("X-Deploykit-Branch", "Zürich"), ("X_Other", "x"), ("X-Script-Name", "/evil")]
    body = called(application, scope("http", "/app/a", *sent))[1]["body"]
    assert json.loads(body) == {
        "REMOTE_ADDR": "192.0.2.1",
        "SERVER_PORT": "8443",
        "SCRIPT_NAME": "/app",
        "PATH_INFO": "/a",
        "BRANCH": "Zürich".encode().decode("latin-1"),
        "HTTP_X_OTHER": None,
        "secure": True,
        "uri": "https://example.com:8443/app/a",
    }


def test_a_request_class_of_the_project_is_kept(
    django: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a project has put in the place of Django's request gets the data too, once."""

    class Own(ASGIRequest):
        pass

    monkeypatch.setattr(ASGIHandler, "request_class", Own)
    for _ in range(2):
        behind_front(django, front="nginx", data=["BRANCH"])
    found = ASGIHandler.request_class
    assert issubclass(found, Own)
    assert found.__mro__.count(behind_asgi._WithData) == 1


def test_without_data_django_is_left_alone(django: Any) -> None:
    """Nothing of Django is replaced where there is no need."""
    behind_front(django, front="nginx")
    assert ASGIHandler.request_class is ASGIRequest


def test_server_sent_events_are_a_stream(django: Any) -> None:
    """Each part of a streaming response is sent by itself, and marked as a stream."""
    start, first, _ = called(behind_front(django, front="nginx"), scope("http", "/events", *TRUE))
    assert (b"x-accel-buffering", b"no") in start["headers"]
    assert first["body"] == b"data: 1\n\n"
