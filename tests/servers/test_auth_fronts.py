"""Apache without mod_wsgi, lighttpd and nginx ask Django's users, live."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from django_deploykit.config.syntax.nodes import Argument, Node, Raw, block, directive
from tests.servers import harness
from tests.servers.apache_process import apache
from tests.servers.guarded import PASSWORD, Guarded, authorizer, basic, guarded, is_secret, running
from tests.servers.harness import Server

WHY = "for this test"
PAGE = ("Accept", "text/html")


@pytest.fixture(scope="module")
def people(public: Path) -> Guarded:
    return guarded(public / "guarded-fronts")


@contextmanager
def database_away(people: Guarded) -> Iterator[None]:
    """The database cannot be read within the block, once what was read is a second old."""
    database = people.project.directory / "db.sqlite3"
    away = database.with_suffix(".away")
    database.rename(away)
    try:
        yield
    finally:
        database.unlink(missing_ok=True)
        away.rename(database)


def refused_by_errors(web: Server, path: str, *headers: tuple[str, str]) -> int:
    """The status when what was known of the user is too old; never a file that comes anyhow."""
    deadline = time.monotonic() + 10
    while (response := web.get(path, *headers)).status == 200:
        assert time.monotonic() < deadline
    assert not is_secret(response)
    return response.status


# Apache, mod_authnz_fcgi


def d(name: str, *args: Argument) -> Node:
    return directive(name, *args, why=WHY)


def within(name: str, *args: Argument, inside: Sequence[Node]) -> Node:
    return block(name, *args, children=list(inside), why=WHY)


def fcgi_nodes(people: Guarded, address: str) -> Iterator[Node]:
    """The three ways in which Apache asks an authorizer."""
    for kind, name in (("authn", "Passwords"), ("authz", "Policies"), ("authn", "Sessions")):
        yield d("AuthnzFcgiDefineProvider", Raw(kind), Raw(name), Raw(f"fcgi://{address}/"))
    yield d("Alias", "/files", str(people.files))
    asks = [d("AuthType", Raw("Basic")), d("AuthName", "Guarded")]
    password = [*asks, d("AuthBasicProvider", Raw("Passwords"))]
    valid = d("Require", Raw("valid-user"))
    yield within("Directory", str(people.files / "basic"), inside=[*password, valid])
    staff = [
        d("SetEnvIf", Raw("Request_URI"), Raw("^"), "DEPLOYKIT_POLICY=staff"),
        d("AuthzSendForbiddenOnFailure", Raw("On")),
        within("RequireAll", inside=[valid, d("Require", Raw("Policies"))]),
    ]
    # The policy is asked after the password, of which every active user has one.
    password[-1] = d("AuthBasicProvider", Raw("Passwords"))
    yield within("Directory", str(people.files / "staff"), inside=[*password, *staff])
    session = [
        d("CGIPassAuth", Raw("On")),
        d(
            "AuthnzFcgiCheckAuthnProvider",
            *map(Raw, ("Sessions", "Authoritative", "On", "RequireBasicAuth", "Off", "UserExpr")),
            Raw('"%{reqenv:DEPLOYKIT_USER}"'),
        ),
        within("RequireAll", inside=[valid, d("Require", Raw("not"), Raw("user"), "zoé")]),
    ]
    yield within("Directory", str(people.files / "session"), inside=[*asks, *session])


@pytest.fixture(scope="module")
def fcgi(people: Guarded, public: Path) -> Iterator[Server]:
    """Apache that asks ``runauthorizer``."""
    harness.require_apache()
    directory = public / "apache-fcgi"
    directory.mkdir()
    directory.chmod(0o777)
    modules = ("auth_basic", "authn_core", "authz_user", "authnz_fcgi", "setenvif")
    with authorizer(people) as address:
        nodes = list(fcgi_nodes(people, address))
        with apache(directory, nodes, modules=modules) as web:
            yield web


def test_apache_asks_for_a_password(fcgi: Server) -> None:
    """AuthBasicProvider: no mod_wsgi, and non-ASCII names all the same."""
    for name in ("alice", "zoé"):
        assert is_secret(fcgi.get("/files/basic/0.txt", basic(name)))
    for headers in (
        [],
        [basic("alice", "wrong")],
        [basic("bob")],
        [basic("nobody")],
        [basic("", "")],
    ):
        response = fcgi.get("/files/basic/0.txt", *headers)
        assert (response.status, is_secret(response)) == (401, False)
        assert response.headers["WWW-Authenticate"].startswith('Basic realm="Guarded"')


def test_apache_asks_for_a_policy(fcgi: Server) -> None:
    """Require with a provider, and the area's policy in DEPLOYKIT_POLICY, which no client sets."""
    assert is_secret(fcgi.get("/files/staff/0.txt", basic("alice")))
    for header in (("DEPLOYKIT_POLICY", "active"), ("Deploykit-Policy", "active"), PAGE):
        response = fcgi.get("/files/staff/0.txt", basic("zoé"), header)
        assert (response.status in (401, 403), is_secret(response)) == (True, False)


def test_apache_takes_a_session(fcgi: Server, people: Guarded) -> None:
    """AuthnzFcgiCheckAuthnProvider: a Django session opens Apache's own files."""
    response = fcgi.get("/files/session/0.txt", people.cookie("alice"), PAGE)
    assert is_secret(response)
    assert "Set-Cookie" not in response.headers
    assert "DEPLOYKIT" not in str(response.headers)
    assert is_secret(fcgi.get("/files/session/0.txt", basic("alice")))
    # Apache knows who it is, and its own rules apply.
    assert fcgi.get("/files/session/0.txt", people.cookie("zoé")).status in (401, 403)
    assert fcgi.get("/files/session/0.txt", people.cookie("bob")).status == 401


def test_apache_takes_nobody_for_another(fcgi: Server, people: Guarded) -> None:
    """Whose name begins with a blank, which the value of a header cannot, is not told as alice."""
    people.set_password(" alice", PASSWORD)
    response = fcgi.get("/files/session/0.txt", basic(" alice"))
    assert (response.status, is_secret(response)) == (500, False)


def test_apache_shows_the_way_to_log_in(fcgi: Server) -> None:
    """A browser is sent to the login page, and a client is asked for a password."""
    response = fcgi.get("/files/session/0.txt?a=b", PAGE)
    assert response.status == 302
    assert response.location.endswith("/accounts/login/?next=%2Ffiles%2Fsession%2F0.txt%3Fa%3Db")
    response = fcgi.get("/files/session/0.txt")
    assert response.status == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize("area", ["basic", "session"])
def test_apache_gets_an_error_for_an_error(fcgi: Server, people: Guarded, area: str) -> None:
    """A database that is away is 500, not a wrong password (R15, R30); it ends with the outage."""
    path = f"/files/{area}/0.txt"
    assert is_secret(fcgi.get(path, basic("alice")))
    with database_away(people):
        assert refused_by_errors(fcgi, path, basic("alice")) == 500
    assert is_secret(fcgi.get(path, basic("alice")))


# lighttpd, mod_fastcgi in the mode of an authorizer


def lighttpd_text(people: Guarded, port: int, address: str) -> str:
    host, _, number = address.partition(":")
    return f"""
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{people.project.directory}"
server.modules = ("mod_fastcgi")
mimetype.assign = ("" => "text/plain")
fastcgi.server = ("/files/" => ((
    "host" => "{host}", "port" => {number}, "mode" => "authorizer",
    "docroot" => "{people.project.directory}", "check-local" => "disable"
)))
"""


@contextmanager
def lighttpd(people: Guarded, directory: Path, address: str) -> Iterator[Server]:
    harness.require_lighttpd()
    port = harness.free_port()
    directory.mkdir()
    path = directory / "lighttpd.conf"
    path.write_text(lighttpd_text(people, port, address))
    command = ["/usr/sbin/lighttpd", "-D", "-f", str(path)]
    with running(command, port, directory / "log") as web:
        yield web


@pytest.fixture(scope="module")
def light(people: Guarded, public: Path) -> Iterator[Server]:
    with authorizer(people) as address, lighttpd(people, public / "lighttpd", address) as web:
        yield web


def test_lighttpd_asks(light: Server, people: Guarded) -> None:
    """Sessions and passwords, the way to log in, and 403."""
    path = "/files/basic/0.txt"
    for header in (people.cookie("alice"), basic("alice"), basic("zoé")):
        response = light.get(path, header)
        assert is_secret(response)
        assert "Set-Cookie" not in response.headers
    for headers in ([], [basic("alice", "x")], [basic("bob")], [people.cookie("bob")]):
        response = light.get(path, *headers)
        assert (response.status, is_secret(response)) == (401, False)
    page = light.get(path, PAGE)
    assert (page.status, is_secret(page)) == (302, False)
    assert page.location.endswith("/accounts/login/?next=%2Ffiles%2Fbasic%2F0.txt")


@pytest.mark.parametrize(
    "path",
    [
        "/files/basic/..%2fbasic/0.txt",
        "/files//basic/0.txt",
        "//files/basic/0.txt",
        "/x/../files/basic/0.txt",
        "/%66iles/basic/0.txt",
    ],
)
def test_lighttpd_asks_for_every_spelling(light: Server, path: str) -> None:
    """No spelling of the path gets around the question."""
    response = light.get(path)
    assert response.status in (400, 401, 403, 404)
    assert not is_secret(response)


def test_lighttpd_gets_an_error_for_an_error(light: Server, people: Guarded) -> None:
    """With a status, or it would serve the file."""
    path = "/files/basic/0.txt"
    assert is_secret(light.get(path, basic("alice")))
    with database_away(people):
        assert refused_by_errors(light, path, basic("alice")) == 500
    assert is_secret(light.get(path, basic("alice")))


def test_lighttpd_serves_nothing_without_an_authorizer(people: Guarded, public: Path) -> None:
    """It ended, or never began."""
    with authorizer(people) as address:
        pass
    with lighttpd(people, public / "lighttpd-alone", address) as web:
        response = web.get("/files/basic/0.txt", basic("alice"))
        assert (response.status, is_secret(response)) == (503, False)


def _record(kind: int, content: bytes) -> bytes:
    """A record of FastCGI, of the first request."""
    return struct.pack("!BBHHBx", 1, kind, 1, len(content), 0) + content


def _answering(listener: socket.socket, answer: bytes) -> None:
    """Another authorizer, which says what it likes."""
    _sending(listener, _record(6, answer) + _record(6, b"") + _record(3, bytes(8)))


def _sending(listener: socket.socket, data: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(data)


_STATUS = b"Status: 401 Unauthorized\r\n\r\n"
_CUT = {
    "nothing": b"",
    "half a record's head": _record(6, _STATUS)[:5],
    "half a status": _record(6, _STATUS[:4]),
    "half a record": _record(6, _STATUS)[:20],
    "a status without an end of the head": _record(6, _STATUS[:-2]),
}


@pytest.fixture(scope="module")
def deaf(people: Guarded, public: Path) -> Iterator[tuple[Server, socket.socket]]:
    """lighttpd, and where it asks."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with lighttpd(people, public / "lighttpd-cut", f"127.0.0.1:{port}") as web:
            yield web, listener


@pytest.mark.parametrize("cut", _CUT)
def test_lighttpd_serves_nothing_when_an_answer_is_cut_off(
    deaf: tuple[Server, socket.socket], cut: str
) -> None:
    """An authorizer that is killed while it answers grants nothing."""
    web, listener = deaf
    thread = threading.Thread(target=_sending, args=(listener, _CUT[cut]))
    thread.start()
    response = web.get("/files/basic/0.txt")
    thread.join(10)
    assert (response.status >= 400, is_secret(response)) == (True, False)


def test_lighttpd_takes_silence_for_a_yes(people: Guarded, public: Path) -> None:
    """Why every answer of ours begins with a status: this is what happens without one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with lighttpd(people, public / "lighttpd-open", f"127.0.0.1:{port}") as web:
            answer = b"Location: /accounts/login/\r\n\r\n"
            thread = threading.Thread(target=_answering, args=(listener, answer))
            thread.start()
            assert is_secret(web.get("/files/basic/0.txt"))
            thread.join(10)


# nginx, auth_request


def nginx_text(people: Guarded, directory: Path, port: int, backend: int) -> str:
    user = harness.server_user()
    return f"""
daemon off;
{f"user {user};" if user else ""}
pid {directory}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {people.project.directory};
        location /files/ {{
            auth_request /_auth/files/;
            auth_request_set $who $upstream_http_remote_user;
            add_header X-Seen-User $who;
        }}
        location /files/staff/ {{ auth_request /_auth/staff/; }}
        location /files/paths/ {{ auth_request /_auth/paths/; }}
        location /files/page/ {{
            auth_request /_auth/files/;
            error_page 401 = @login;
            auth_request_set $login $upstream_http_x_deploykit_login;
        }}
        location /files/session/ {{ auth_request /_asked; }}
        location = /_asked {{
            internal;
            fastcgi_pass 127.0.0.1:{backend};
            fastcgi_pass_request_body off;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param REQUEST_URI $request_uri;
            fastcgi_param REMOTE_ADDR $remote_addr;
        }}
        location @login {{ if ($login) {{ return 302 $login; }} return 401; }}
        location /_auth/ {{
            internal;
            proxy_pass http://127.0.0.1:{backend}/auth/;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header Host localhost;
            proxy_set_header X-Deploykit-Auth-Url $request_uri;
            proxy_set_header X-Deploykit-Auth-Method $request_method;
        }}
    }}
}}
"""


@pytest.fixture(scope="module")
def backend(people: Guarded, public: Path) -> Iterator[int]:
    """gunicorn with the project; its port."""
    port = harness.free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "shop.wsgi"]
    environment = people.project.environment()
    with (public / "gunicorn.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--chdir", str(people.project.directory), "--threads", "4"],
            env=environment, stdout=log, stderr=log, text=True,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    assert process.poll() is None
                    time.sleep(0.05)
            yield port
        finally:
            harness.stop(process)


@contextmanager
def nginx(people: Guarded, directory: Path, backend: int) -> Iterator[Server]:
    harness.require("nginx", Path("/usr/sbin/nginx").exists())
    port = harness.free_port()
    directory.mkdir()
    directory.chmod(0o777)
    path = directory / "nginx.conf"
    path.write_text(nginx_text(people, directory, port, backend))
    with running(["/usr/sbin/nginx", "-c", str(path)], port, directory / "log") as web:
        yield web


@pytest.fixture(scope="module")
def engine(people: Guarded, public: Path, backend: int) -> Iterator[Server]:
    with nginx(people, public / "nginx", backend) as web:
        yield web


def test_nginx_asks(engine: Server, people: Guarded) -> None:
    """Sessions and passwords, and whose they are; nothing of the endpoint's reaches the client."""
    path = "/files/basic/0.txt"
    for header, name in (
        (people.cookie("alice"), "alice"),
        (basic("zoé"), "zo%C3%A9"),
        (basic("alice"), "alice"),
    ):
        response = engine.get(path, header)
        assert is_secret(response)
        assert response.headers["X-Seen-User"] == name
        assert "Set-Cookie" not in response.headers
    for headers in ([], [basic("alice", "x")], [basic("bob")], [people.cookie("bob")]):
        response = engine.get(path, *headers)
        assert (response.status, is_secret(response)) == (401, False)
        assert response.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_nginx_refuses_who_is_known_and_may_not(engine: Server, people: Guarded) -> None:
    """403, for which no login helps."""
    assert is_secret(engine.get("/files/staff/0.txt", people.cookie("alice")))
    response = engine.get("/files/staff/0.txt", people.cookie("zoé"))
    assert (response.status, is_secret(response)) == (403, False)


def test_nginx_sends_browsers_to_log_in(engine: Server, people: Guarded) -> None:
    """By error_page, since a sub-request's own redirect would be an error."""
    response = engine.get("/files/page/0.txt?a=b&c", PAGE)
    assert response.status == 302
    assert response.location.endswith("/login/?next=%2Ffiles%2Fpage%2F0.txt%3Fa%3Db%26c")
    assert "Deploykit" not in str(response.headers)
    assert engine.get("/files/page/0.txt").status == 401
    assert is_secret(engine.get("/files/page/0.txt", people.cookie("alice")))


@pytest.mark.parametrize("letter", ["ä", "%C3%A4", "%c3\udca4"], ids=ascii)
def test_nginx_asks_about_the_file_that_it_opens(engine: Server, letter: str) -> None:
    """However the bytes of a path are sent, a policy refuses the directory that it names."""
    open_to = engine.get(f"/files/paths/offen-{letter}/0.txt", basic("alice"))
    assert (open_to.status, is_secret(open_to)) == (200, True)
    refused = engine.get(f"/files/paths/geheim-{letter}/0.txt", basic("alice"))
    assert (refused.status, is_secret(refused)) == (403, False)


@pytest.mark.parametrize(
    "headers",
    [
        [("If-None-Match", "*")],
        [("If-Modified-Since", "Sat, 21 Nov 2026 00:00:00 GMT")],
        [("Range", "bytes=0-3")],
        [("X-Deploykit-Auth-Url", "/public/"), ("X-Deploykit-Auth-Method", "OPTIONS")],
        [("X-Original-URL", "/public/"), ("X-Forwarded-Uri", "/public/")],
        [("Remote-User", "alice"), ("X-Forwarded-User", "alice")],
    ],
    ids=str,
)
def test_nginx_is_not_steered(
    engine: Server, people: Guarded, headers: list[tuple[str, str]]
) -> None:
    """What a client wants of the file, or says of itself, is no answer to the question."""
    refused = engine.get("/files/staff/0.txt", people.cookie("zoé"), *headers)
    assert (refused.status, is_secret(refused)) == (403, False)
    assert engine.get("/files/basic/0.txt", *headers).status == 401
    granted = engine.get("/files/basic/0.txt", people.cookie("alice"), *headers)
    assert granted.status in (200, 206, 304)


def test_the_endpoint_is_not_for_clients(engine: Server) -> None:
    """Its location is internal."""
    assert engine.get("/_auth/files/", basic("alice")).status == 404


def test_nginx_serves_nothing_without_its_backend(people: Guarded, public: Path) -> None:
    """An endpoint, or an authorizer, that does not answer grants nothing."""
    with nginx(people, public / "nginx-alone", harness.free_port()) as web:
        for area in ("basic", "session"):
            response = web.get(f"/files/{area}/0.txt", basic("alice"))
            assert (response.status, is_secret(response)) == (500, False)


def test_nginx_asks_an_authorizer(people: Guarded, public: Path) -> None:
    """As it is documented; an authorizer that is killed while it answers grants nothing."""
    path = "/files/session/0.txt"
    with authorizer(people) as address:
        port = int(address.rpartition(":")[2])
        with nginx(people, public / "nginx-asking", port) as web:
            assert is_secret(web.get(path, basic("alice")))
            assert is_secret(web.get(path, people.cookie("zoé")))
            for headers in ([], [basic("alice", "x")], [people.cookie("bob")]):
                assert web.get(path, *headers).status == 401
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        nginx(people, public / "nginx-cut", listener.getsockname()[1]) as web,
    ):
        for sent in _CUT.values():
            thread = threading.Thread(target=_sending, args=(listener, sent))
            thread.start()
            response = web.get(path)
            thread.join(10)
            assert (response.status, is_secret(response)) == (500, False)
        # Why every answer of ours begins with a status: this is what happens without one.
        thread = threading.Thread(target=_answering, args=(listener, b"X-Some: header\r\n\r\n"))
        thread.start()
        assert is_secret(web.get(path))
        thread.join(10)


def test_no_password_in_the_logs(engine: Server, light: Server, fcgi: Server, public: Path) -> None:
    """R10, of nginx, gunicorn, lighttpd and Apache alike."""
    for web in (engine, light, fcgi):
        web.get("/files/basic/0.txt", basic("alice", "a wrong secret"))
    logs = [path for path in public.glob("*/*log") if path.is_file()]
    logs.append(public / "gunicorn.log")
    assert len(logs) >= 4
    for log in logs:
        text = log.read_text(errors="replace")
        assert PASSWORD not in text, os.fspath(log)
        assert "a wrong secret" not in text, os.fspath(log)
