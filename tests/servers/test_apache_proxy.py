"""Apache's proxy gateways: TLS, several sites, hostile values, and an application that is away."""

from __future__ import annotations

import json
import shutil
import ssl
import time
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import trustme

from django_deploykit.config.servers.apache import workers
from tests.servers import harness, small_projects
from tests.servers.harness import Server
from tests.servers.stacks import STACKS, Stack

PROXIED = [stack for stack in STACKS.values() if stack.is_apache and stack.app_server]
# Those whose application server listens, and is not started by Apache itself.
LISTENING = [stack for stack in PROXIED if stack.gateway in workers.SPEAKS]

# Headers in a request, where an application server takes fewer than the front
# (docs/howto/granian).
MOST_HEADERS = {"granian": 80}
# What a parameter or header has to carry; the first is what mod_headers and mod_env expand.
HOSTILE = {
    "FORMATS": '%{HOME}e %t %% expr=%{REMOTE_ADDR} "quoted" \\ $1 $ { & <b> #',
    "SPOKEN": "Zürich 日本 it's",
}
SETTINGS = """
ALLOWED_HOSTS = ["localhost", ".tenants.test"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^health/$"]
SECURE_HSTS_SECONDS = 31536000
DEPLOYKIT = {{
    "SITE": {{"TLS": {{"CERTIFICATE": {certificate!r}, "KEY": {key!r}, "ACME_WEBROOT": {acme!r}}}}}
}}
"""
TWO_SITES = """
DEPLOYKIT = {
    "SITES": {
        "shop": {"settings": "shop.settings", "prefix": "/shop"},
        "blog": {"settings": "blog.settings", "prefix": "/blog"},
    }
}
"""
# A view that tells what Django was told.
URLS = """
from django.http import JsonResponse
from django.urls import re_path


def told(request):
    names = [key for key in request.META if key.isupper() and isinstance(request.META[key], str)]
    return JsonResponse({key: request.META[key] for key in names} | {"secure": request.is_secure()})


urlpatterns = [re_path("", told)]
"""


@pytest.fixture(params=PROXIED, ids=[stack.label for stack in PROXIED], scope="module")
def proxied(request: pytest.FixtureRequest) -> Stack:
    """Every proxy gateway of Apache, with what stands behind it."""
    stack: Stack = request.param
    stack.require()
    return stack


@pytest.fixture(params=LISTENING, ids=[stack.label for stack in LISTENING], scope="module")
def listening(request: pytest.FixtureRequest) -> Stack:
    """Every gateway to an application server that may be away, or elsewhere."""
    stack: Stack = request.param
    stack.require()
    return stack


def _directory(public: Path, stack: Stack, name: str) -> Path:
    directory = public / f"{name}-{stack.label.replace('/', '-')}"
    directory.mkdir()
    return directory


# TLS


@pytest.fixture(scope="module")
def secure(public: Path, proxied: Stack) -> Iterator[tuple[Server, Any]]:
    """A site with a certificate of a throw-away authority: plain HTTP, and a way to ask by TLS."""
    directory = _directory(public, proxied, "tls")
    answers = directory / "acme/.well-known/acme-challenge"
    answers.mkdir(parents=True)
    (answers / "token").write_text("answer")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "*.tenants.test")
    issued.private_key_pem.write_to_path(str(directory / "key.pem"))
    for pem in issued.cert_chain_pems:
        pem.write_to_path(str(directory / "cert.pem"), append=True)
    settings = SETTINGS.format(
        certificate=str(directory / "cert.pem"),
        key=str(directory / "key.pem"),
        acme=str(directory / "acme"),
    )
    project = small_projects.make(directory / "project", {"secured": settings})
    port = harness.free_port()
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def get(path: str) -> tuple[int, Any, list[str]]:
        connection = HTTPSConnection("localhost", port, timeout=30, context=context)
        connection.request("GET", path, headers={"X-Forwarded-Proto": "http"})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        hsts = response.headers.get_all("Strict-Transport-Security") or []
        return response.status, json.loads(body), hsts

    listen = "--set", f"tls_listen=127.0.0.1:{port}"
    with harness.deployrun(project, *proxied.arguments, *listen) as server:
        yield server, get


def test_django_knows_that_it_is_secure(secure: tuple[Server, Any]) -> None:
    """The scheme is that of the connection, whatever the client says; HSTS comes once."""
    status, seen, hsts = secure[1]("/page/")
    assert (status, seen["secure"], hsts) == (200, True, ["max-age=31536000"])


def test_exempt_paths_stay_on_plain_http(secure: tuple[Server, Any]) -> None:
    """Only they reach the application from there, and it knows that they are not secure."""
    spoofed = ("X-Forwarded-Proto", "https")
    for host in ("localhost", "a.tenants.test"):
        seen = secure[0].get("/health/", ("Host", host), spoofed).json
        assert seen["secure"] is False
        answer = secure[0].get("/page/?q=1&r=%20", ("Host", host))
        assert answer.status == 301
        assert answer.location.startswith(f"https://{host}:")
        assert answer.location.endswith("/page/?q=1&r=%20")


def test_redirects_keep_an_encoded_question_mark(secure: tuple[Server, Any]) -> None:
    """%3F stays a part of the path."""
    assert secure[0].get("/a%3Fb/?q=1").location.lower().endswith("/a%3fb/?q=1")


def test_certificate_authorities_are_answered(secure: tuple[Server, Any]) -> None:
    """ACME's question is Apache's own to answer, beside the proxy."""
    answer = secure[0].get("/.well-known/acme-challenge/token")
    assert (answer.status, answer.body) == (200, b"answer")
    assert secure[0].get("/.well-known/acme-challenge/other").status == 404


# Several sites, and some URLs only


def test_each_site_has_its_own_application_server(public: Path, proxied: Stack) -> None:
    """Two sites of one host never meet, and a URL of neither is not found."""
    directory = _directory(public, proxied, "two") / "project"
    project = small_projects.make(directory, {"shop": TWO_SITES, "blog": ""})
    with harness.deployrun(project, *proxied.arguments) as server:
        for name in ("shop", "blog", "shop"):
            seen = server.get(f"/{name}/x/").json
            assert (seen["name"], seen["script_name"]) == (name, f"/{name}")
            assert seen["path_info"] == "/x/"
        for path in ("/", "/shopping/", "/other/"):
            assert server.get(path).status == 404


def test_a_site_below_another(public: Path, proxied: Stack) -> None:
    """The inner site has its prefix whole: the bare one leads to it, a longer word does not."""
    directory = _directory(public, proxied, "nested") / "project"
    nested = TWO_SITES.replace('"/shop"', '""')
    project = small_projects.make(directory, {"shop": nested, "blog": ""})
    with harness.deployrun(project, *proxied.arguments) as server:
        assert server.get("/blog/x/").json["name"] == "blog"
        assert server.get("/blogging/").json["path_info"] == "/blogging/"
        answer = server.get("/blog")
        assert answer.status == 301
        assert answer.location.endswith("/blog/")


def test_routes_keep_their_path(public: Path, proxied: Stack) -> None:
    """Only the named routes are Django's; a directory has the rest."""
    directory = _directory(public, proxied, "routes")
    (directory / "documents").mkdir()
    (directory / "documents" / "index.html").write_text("the old site")
    documents = str(directory / "documents")
    more = f'DEPLOYKIT = {{"SITE": {{"ROUTES": ["/api/v1/"], "DOCUMENTS": {documents!r}}}}}\n'
    project = small_projects.make(directory / "project", {"portal": more})
    with harness.deployrun(project, *proxied.arguments) as server:
        for path in ("/api/v1", "/api/v1/x%3Fy/"):
            assert server.get(path).json["path_info"] == path.replace("%3F", "?")
        for path in ("/api/", "/api/v10/", "/unknown"):
            assert server.get(path).status == 404
        assert server.get("/").text == "the old site"


# Values


def test_hostile_values_arrive_exactly(public: Path, proxied: Stack) -> None:
    """Data and the path of a socket are never syntax; credentials arrive where they are read."""
    directory = _directory(public, proxied, "values")
    more = (
        'INSTALLED_APPS = ["django_deploykit", "rest_framework"]\n'
        'REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": '
        '["rest_framework.authentication.BasicAuthentication"]}\n'
        f'DEPLOYKIT = {{"SITE": {{"ENVIRON": {HOSTILE!r}}}}}\n'
    )
    project = small_projects.make(directory / "project", {"hostile": more})
    (project.directory / "hostile" / "urls.py").write_text(URLS)
    with harness.deployrun(project, *proxied.arguments) as server:
        seen = server.get("/", ("Authorization", "Basic eDp5"), ("Formats", "evil")).json
    assert {key: seen[key].encode("latin-1").decode() for key in HOSTILE} == HOSTILE
    assert seen["HTTP_AUTHORIZATION"] == "Basic eDp5"


def test_what_apache_lets_in_arrives(public: Path, proxied: Stack) -> None:
    """Many headers, and large ones, are refused by the front or seen by Django: the application
    server between them has no smaller limit but a documented one."""
    directory = _directory(public, proxied, "large")
    project = small_projects.make(directory / "project", {"large": ""})
    (project.directory / "large" / "urls.py").write_text(URLS)
    large = [(f"X-Large-{number}", "a" * 7000) for number in range(8)]
    most = MOST_HEADERS.get(proxied.app_server, 100)
    many = [(f"X-Many-{number}", "b") for number in range(most - 2)]  # And Host and Connection.
    cookies = [("Cookie", f"c{number}={'d' * 4000}") for number in range(3)]
    with harness.deployrun(project, *proxied.arguments) as server:
        for sent in (large, many, cookies[:2]):
            seen = server.get("/", *sent).json
            names = {name.upper().replace("-", "_") for name, _ in sent}
            assert names <= {key.removeprefix("HTTP_") for key in seen}
        more = [(f"X-More-{number}", "b") for number in range(101 - most)]
        assert server.get("/", *many, *more).status == 400
        assert server.get("/", ("X-Larger", "a" * 8200)).status == 400
        assert server.get("/", *cookies).status == 400


# A view that takes the body in.
READING = """
from django.http import HttpResponse
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt

urlpatterns = [re_path("", csrf_exempt(lambda request: HttpResponse(str(len(request.body)))))]
"""
# How a body in chunks that is too large ends (docs/howto/apache): where Apache stores it, it is the
# application server that refuses it, and over HTTP before Apache has handed on all of it.
REFUSED = {"uwsgi": {411}, "scgi": {411}, "fcgid": {500}, "http": {413, 502}}


def test_a_body_in_chunks_has_a_limit_too(public: Path, proxied: Stack) -> None:
    """mod_proxy knows none for it, and Django never sees one above it."""
    directory = _directory(public, proxied, "chunks")
    project = small_projects.make(directory / "project", {"chunks": ""})
    (project.directory / "chunks" / "urls.py").write_text(READING)
    chunk = b"%x\r\n%s\r\n" % (1 << 16, b"x" * (1 << 16))
    head = b"PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    head += b"Connection: close\r\n\r\n"
    with harness.deployrun(project, *proxied.arguments, "--set", "body_limit=1M") as server:
        for number, statuses in ((15, {200, 411}), (17, REFUSED.get(proxied.gateway, {413}))):
            assert server.raw(head + number * chunk + b"0\r\n\r\n").status in statuses


def test_an_application_that_is_away_costs_nothing_but_its_answers(
    public: Path, listening: Stack
) -> None:
    """503 comes at once, and the first request after its return is answered."""
    directory = _directory(public, listening, "away")
    project = small_projects.make(directory / "project", {"away": ""})
    (directory / "sockets").mkdir()
    path = directory / "sockets" / "a b'%20~$1.sock"
    if user := harness.server_user():
        shutil.chown(path.parent, user)
    with harness.deployrun(project, *listening.arguments, "--set", f"socket={path}") as server:
        assert server.get("/").status == 200
        path.rename(path.with_suffix(".away"))
        started = time.monotonic()
        assert server.get("/").status == 503
        assert time.monotonic() - started < 5
        path.with_suffix(".away").rename(path)
        assert server.get("/").status == 200
