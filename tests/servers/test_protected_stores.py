"""Files out of object storage, through nginx: what the store is asked, and what a client sees."""

from __future__ import annotations

import contextlib
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import trustme

from tests.servers import harness, small_projects
from tests.servers.harness import Server
from tests.servers.stacks import STACKS

CONTENT = bytes(range(256)) * 300
_ENCRYPTION = "X-Amz-Server-Side-Encryption"
SECRET = "0123456789abcdef-signature"
TLS_STORES = ("files", "other", "own")
SETTINGS = """
from django_deploykit.config.servers.nginx import stores

stores._TRUSTED = {authority!r}  # In the place of those whom the machine trusts.
STORE = {store!r}
OTHERS = {others!r}
SECRET = {secret!r}
DEPLOYKIT = {{"SENDFILE": {{"STORES": [STORE, *OTHERS.values()]}}}}
"""
VIEWS = """
import io
from datetime import datetime, timezone
from urllib.parse import quote

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.urls import path

from django_deploykit.sendfile import sendfile


class Store(Storage):
    '''What an S3 storage says of a file; Python's own reading gives another content.'''

    def open(self, name, mode="rb"):
        return ContentFile(b"read by Python".ljust({size}, b"."))

    def get_modified_time(self, name):
        return datetime(2026, 1, 2, tzinfo=timezone.utc)

    def url(self, name):
        others = {{**settings.OTHERS, "elsewhere.pdf": "http://127.0.0.1:9"}}
        where = others.get(name, settings.STORE)
        return f"{{where}}/bucket/{{quote(name, safe='')}}?X-Sig={{settings.SECRET}}&a=%2F"


def send(request, name):
    response = sendfile(request, (Store(), bytes.fromhex(name).decode()))
    response.set_cookie("seen", "yes")
    response["X-Robots-Tag"] = "noindex"
    if request.GET:
        response["Cache-Control"] = "public, max-age=31536000"
    return response


urlpatterns = [path("send/<str:name>/", send)]
"""


@dataclass
class Store:
    """A small HTTP server in the part of S3, and what it was asked."""

    port: int
    secure: int
    asked: list[tuple[str, Message]] = field(default_factory=list)


@pytest.fixture(scope="module")
def store(authority: trustme.CA) -> Iterator[Store]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found.asked.append((f"{self.command} {self.path}", self.headers))
            errors = (302, 403, 404, 410, 500, 521)  # The last is a CDN's, and in no RFC.
            status = next((code for code in errors if str(code) in self.path), 200)
            first, last = 0, len(CONTENT) - 1
            if (wanted := self.headers["Range"]) and status == 200:
                status = 206
                first, last = map(int, wanted.removeprefix("bytes=").split("-"))
            body = CONTENT[first : last + 1] if status < 300 else SECRET.encode()
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(CONTENT)}")
            for name, value in (
                ("Content-Length", str(len(body))),
                ("Content-Type", "text/html"),
                ("Content-Disposition", "inline"),
                ("Content-Encoding", "gzip"),
                ("Cache-Control", "public"),
                ("ETag", '"of the store"'),
                ("Set-Cookie", "store=yes"),
                ("X-Amz-Request-Id", "of the store"),
                (f"{_ENCRYPTION}-Aws-Kms-Key-Id", "arn:aws:kms:of the store"),
                (f"{_ENCRYPTION}-Bucket-Key-Enabled", "of the store"),
                ("X-Goog-Hash", "of the store"),
                ("X-Ms-Copy-Source", "of the store"),
                ("Strict-Transport-Security", "max-age=31536000; of the store"),
                ("Alt-Svc", 'h3=":9"; of the store'),
                ("Clear-Site-Data", '"cookies", of the store'),
                ("X-XSS-Protection", "1; of the store"),
                ("NEL", '{"report_to": "of the store"}'),
                ("Report-To", '{"group": "of the store"}'),
                ("X-Accel-Redirect", "/.deploykit-store/1"),
                ("Location", f"http://elsewhere.example/?{SECRET}"),
            ):
                if name != "Location" or status == 302:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with _answering(Handler) as port, _answering(Handler, _named(authority)) as secure:
        found = Store(port, secure)
        yield found


@contextlib.contextmanager
def _answering(
    handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """A server on a free port, which it yields."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if context:
            # The handshake is left to the thread of a request: one that fails ends that alone.
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
            server.handle_error = lambda *args: None  # type: ignore[method-assign]
        with _serving(server):
            yield server.server_port


@contextlib.contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield
    server.shutdown()
    thread.join()


def _named(authority: trustme.CA) -> ssl.SSLContext:
    """Whoever is asked for answers for itself; "other.test" and "own.test" do not do it well."""
    contexts = {}
    for name, issued in (
        ("files.test", authority.issue_cert("files.test")),
        ("other.test", authority.issue_cert("files.test")),
        ("own.test", trustme.CA().issue_cert("own.test")),
    ):
        contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(contexts[name])

    def chosen(connection: Any, name: str | None, first: ssl.SSLContext) -> None:
        connection.context = contexts.get(name or "", first)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.sni_callback = chosen  # type: ignore[assignment]
    return context


class _Names(socketserver.BaseRequestHandler):
    """A name server by which every name is this machine (RFC 1035), at two addresses. The stores
    listen at the second one alone."""

    def handle(self) -> None:
        question, connection = self.request
        asks_ipv4 = question.endswith(b"\0\x01\0\x01")
        addresses = (b"\x7f\0\0\x02", b"\x7f\0\0\x01") if asks_ipv4 else ()
        head = question[:2] + b"\x81\x80\0\x01" + bytes([0, len(addresses)]) + bytes(4)
        found = [b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" + one for one in addresses]
        connection.sendto(head + question[12:] + b"".join(found), self.client_address)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module", params=["nginx/http/gunicorn", "nginx/uwsgi/uwsgi"])
def stored(request: pytest.FixtureRequest, store: Store, authority: trustme.CA) -> Iterator[Server]:
    """A site behind nginx, over HTTP too, where much of what holds for Django stands around."""
    stack = STACKS[request.param]
    stack.require()
    others = {f"{name}.pdf": f"https://{name}.test:{store.secure}" for name in TLS_STORES}
    others |= {"down": "http://127.0.0.1:1"}
    with (
        harness.public_directory() as directory,
        socketserver.UDPServer(("127.0.0.1", 0), _Names) as names,
        _serving(names),
    ):
        authority.cert_pem.write_to_path(str(directory / "authority.pem"))
        settings = SETTINGS.format(
            store=f"http://127.0.0.1:{store.port}",
            others=others,
            authority=str(directory / "authority.pem"),
            secret=SECRET,
        )
        project = small_projects.make(directory / "project", {"stored": settings})
        views = VIEWS.format(size=len(CONTENT))
        (project.directory / "stored" / "urls.py").write_text(views)
        resolver = "--set", f"resolver=127.0.0.1:{names.server_address[1]}"
        with harness.deployrun(project, *stack.arguments, *resolver) as server:
            yield server


@pytest.fixture
def server(stored: Server, store: Store) -> Server:
    store.asked.clear()
    return stored


def _url(name: str) -> str:
    return f"/send/{name.encode().hex()}/"


def test_s23_the_store_is_asked_what_django_signed(server: Server, store: Store) -> None:
    """S23: byte for byte, without cookies, credentials, or anything else of the client's."""
    own = [("Cookie", "sessionid=mine"), ("Authorization", "Basic bWluZQ=="), ("X-Mine", "mine")]
    spoofed = [("X-Deploykit-Store", "other"), ("X-Deploykit-Store-Range", "bytes=0-0")]
    answer = server.get(_url("a b/ü%2F.pdf"), *own, *spoofed)
    assert (answer.status, answer.body) == (200, CONTENT)
    ((line, headers),) = store.asked
    assert line == f"GET /bucket/a%20b%2F%C3%BC%252F.pdf?X-Sig={SECRET}&a=%2F"
    assert {name.lower() for name in headers} == {"host"}
    assert headers["Host"] == f"127.0.0.1:{store.port}"


def test_s23_the_client_sees_what_django_said(server: Server) -> None:
    """S23: nothing of the store's, nor of the URL; S14: what Django says of a file arrives; S15:
    nobody is told to unpack it."""
    said = server.get(_url("a.pdf")).headers
    assert said.get_all("Content-Type") == ["application/pdf"]
    assert said.get_all("Content-Disposition") == ['attachment; filename="a.pdf"']
    assert said.get_all("Cache-Control") == ["private, no-store"]
    assert said.get_all("Content-Security-Policy") == ["default-src 'none'"]
    assert said.get_all("X-Content-Type-Options") == ["nosniff"]
    assert said.get_all("X-Robots-Tag") == ["noindex"]
    assert said["Content-Encoding"] is None
    assert said.get_all("Last-Modified") == ["Fri, 02 Jan 2026 00:00:00 GMT"]
    assert [one.partition("=")[0] for one in said.get_all("Set-Cookie") or []] == ["seen"]
    assert "of the store" not in str(said)
    assert SECRET not in str(said)
    assert not [name for name in said if name.lower().startswith(("x-accel", "x-deploykit"))]


def test_s23_a_store_proves_its_name(server: Server, store: Store) -> None:
    """S23: over TLS, whoever has another name's certificate, or one of an authority that nobody
    trusts, is not asked; and who is asked gets no cookie and no credentials."""
    own = [("Cookie", "sessionid=mine"), ("Authorization", "Basic bWluZQ==")]
    for name in ("other", "own"):
        answer = server.get(_url(f"{name}.pdf"), *own)
        assert (answer.status, SECRET.encode() in answer.body) == (502, False)
    assert store.asked == []
    answer = server.get(_url("files.pdf"), *own)
    assert (answer.status, answer.body) == (200, CONTENT)
    ((line, headers),) = store.asked
    assert line == f"GET /bucket/files.pdf?X-Sig={SECRET}&a=%2F"
    assert {name.lower(): value for name, value in headers.items()} == {
        "host": f"files.test:{store.secure}"
    }


def test_s23_a_store_has_several_addresses(server: Server, store: Store) -> None:
    """S23: while one is away, another one is asked, whichever gateway leads to Django."""
    assert {server.get(_url("files.pdf")).status for _ in range(30)} == {200}
    assert len(store.asked) == 30


def test_s18_django_compares_validators(server: Server, store: Store) -> None:
    """S18: a part only of what the client has, the store never compares."""
    etag = server.get(_url("a.pdf")).headers["ETag"]
    wanted = ("Range", "bytes=10-19")
    part = server.get(_url("a.pdf"), wanted, ("If-Range", etag))
    assert (part.status, part.body) == (206, CONTENT[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(CONTENT)}"
    whole = server.get(_url("a.pdf"), wanted, ("If-Range", '"of the store"'))
    assert (whole.status, whole.body) == (200, CONTENT)
    store.asked.clear()
    assert server.get(_url("a.pdf"), ("If-None-Match", etag)).status == 304
    assert server.get(_url("a.pdf"), ("Range", "bytes=999999-")).status == 416
    head = server.get(_url("a.pdf"), method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert store.asked == []
    several = server.get(_url("a.pdf"), ("Range", "bytes=0-3,9-12"))
    assert several.status == 206
    assert b"read" in several.body


def test_s23_no_other_store_is_asked(server: Server, store: Store) -> None:
    """S23: a URL of an origin that settings do not name is read by Python."""
    answer = server.get(_url("elsewhere.pdf"))
    assert answer.body.startswith(b"read by Python")
    assert store.asked == []


@pytest.mark.parametrize(
    ("name", "seen"),
    [("404", 404), *((name, 502) for name in ("302", "403", "410", "500", "521", "down"))],
)
def test_s23_an_error_of_the_store_says_nothing(server: Server, name: str, seen: int) -> None:
    """S23, S24: neither the client nor a log learns the signed URL, whatever the store answers,
    or if it does not."""
    answer = server.get(_url(name))
    assert answer.status == seen
    assert SECRET.encode() not in answer.body
    assert SECRET not in str(answer.headers)
    assert SECRET not in _logged(server, f"GET {_url(name)}")


@pytest.mark.parametrize(("name", "seen"), [("404", 404), ("500", 502), ("down", 502)])
def test_s16_no_cache_keeps_an_error(server: Server, name: str, seen: int) -> None:
    """S16: what Django said of the file holds for the file alone."""
    cached = "public, max-age=31536000"
    assert server.get(f"{_url('a.pdf')}?cached").headers.get_all("Cache-Control") == [cached]
    answer = server.get(f"{_url(name)}?cached")
    assert (answer.status, answer.headers.get_all("Cache-Control")) == (seen, [cached, "no-store"])


def _logged(server: Server, line: str) -> str:
    """Everything that was logged, once this line is there."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if line in (said := "".join(server.log)):
            return said
        time.sleep(0.02)
    raise AssertionError(f"{line!r} was not logged")


def test_s25_no_url_leads_to_the_store(server: Server, store: Store) -> None:
    """S25: the internal name of a store is 404 for clients, in any spelling."""
    for spelling in ("/.deploykit-store/0", "//.deploykit-store/0", "/%2edeploykit-store/0"):
        for target in (spelling, f"http://localhost{spelling}"):
            assert server.request("GET", target).status == 404
    assert store.asked == []
