"""The behaviour table of the design, row by row, on every stack, at the root and below a prefix."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from django_deploykit import contract
from tests.servers import harness
from tests.servers.harness import Project, Server
from tests.servers.rows import only_where, row
from tests.servers.stacks import Site, Stack
from tests.servers.visitor import Visitor, links

MEBIBYTE = 1024 * 1024


# What differs between servers, and is documented (docs/reference/paths).
TWINS = {
    "apache": ("br", "gzip", None),
    "gunicorn": ("br", "gzip", None),
    "haproxy": ("br", "gzip", None),
    "lighttpd": ("br", "gzip", None),
    "nginx": ("gzip", None),
}
ENCODED_SLASH = {"apache": None}
DOUBLED_SLASH = {"apache": "a/b", "lighttpd": "a/b"}

# mod_proxy_uwsgi and _scgi ask for a length (docs/howto/apache).
NEEDS_LENGTH = {("apache", "uwsgi"), ("apache", "scgi")}


def _has_front(site: Site) -> bool:
    return site.stack.has_front


def _serves_files(site: Site) -> bool:
    return site.stack.serves_files


# With an ASGI server behind a front that sends no files, the project's own WhiteNoise does.
OURS = only_where(
    lambda site: site.stack.serves_files or site.stack.scripts_send_files,
    "WhiteNoise's middleware sends all that lies in STATIC_ROOT, and asks Django for the rest",
)


# Row 1: pages


@row(1)
def test_pages_lie_below_the_prefix(server: Server) -> None:
    """reverse(), static() and the path that Django sees carry exactly the prefix."""
    seen = server.get("/whoami/").json
    assert seen["script_name"] == server.prefix
    assert seen["path"] == f"{server.prefix}/whoami/"
    assert seen["path_info"] == "/whoami/"
    assert seen["reversed"] == f"{server.prefix}/"
    assert seen["static"].startswith(f"{server.prefix}/static/library/site.")


@row(1)
def test_redirects_stay_below_the_prefix(server: Server) -> None:
    """A redirect by URL name leads to the same site."""
    answer = server.get("/redirect/")
    assert answer.status == 302
    assert answer.location == f"{server.prefix}/whoami/"


@row(1)
def test_signing_in_to_the_admin(server: Server) -> None:
    """The admin sends a visitor to its login and lets the superuser in."""
    visitor = Visitor(server)
    assert (
        visitor.get("/admin/").location
        == f"{server.prefix}/admin/login/?next={server.prefix}/admin/"
    )
    fields = {"username": "admin", "password": harness.PASSWORD, "next": f"{server.prefix}/admin/"}
    answer = visitor.post("/admin/login/", fields)
    assert (answer.status, answer.location) == (302, f"{server.prefix}/admin/")
    page = visitor.get("/admin/")
    assert page.status == 200
    assert "Site administration" in page.text


@row(1)
def test_every_file_the_admin_links_to_is_there(server: Server) -> None:
    """Style sheets and scripts of the admin's login page come with the right type."""
    page = server.get("/admin/login/").text
    linked = [url for url in links(page) + links(page, "src") if "/static/" in url]
    assert linked
    for url in linked:
        answer = server.request("GET", url)
        assert answer.status == 200
        assert answer.headers.get_content_type() in ("text/css", "text/javascript")


@row(1)
@only_where(lambda site: site.prefix, "the site has the whole host")
def test_a_prefix_ends_at_a_slash(server: Server) -> None:
    """/app leads to /app/ with its query, and /application is not the site's."""
    answer = server.request("GET", f"{server.prefix}?q=%3F", [("Host", f"localhost:{server.port}")])
    assert answer.status == 301
    origin = f"http://localhost:{server.port}"
    assert answer.location.removeprefix(origin) == f"{server.prefix}/?q=%3F"
    assert server.request("GET", f"{server.prefix}lication/whoami/").status == 404
    assert server.request("GET", "/whoami/").status == 404


# Row 2: static files


def _stylesheet(server: Server) -> str:
    url: str = server.get("/whoami/").json["static"]
    return url


@row(2)
def test_hashed_files_are_immutable_and_others_revalidate(server: Server) -> None:
    """Only a name with a hash in it is kept for a year without asking."""
    hashed = server.request("GET", _stylesheet(server))
    plain = server.get("/static/library/site.css")
    kept = ", ".join(hashed.headers.get_all("Cache-Control", []))
    assert "immutable" in kept
    assert "max-age=31536000" in kept
    assert "immutable" not in plain.headers["Cache-Control"]
    assert hashed.headers.get_content_type() == plain.headers.get_content_type() == "text/css"
    assert plain.headers["ETag"] or plain.headers["Last-Modified"]


@row(2)
@pytest.mark.parametrize("asked", [("Range", "bytes=9999999-"), ("If-Match", '"another"')])
def test_an_error_is_not_kept_like_a_file(server: Server, asked: tuple[str, str]) -> None:
    """One client's condition that does not hold must not be everybody's answer for a year."""
    answer = server.request("GET", _stylesheet(server), [asked])
    kept = ", ".join(answer.headers.get_all("Cache-Control", []))
    assert answer.status < 400 or "max-age" not in kept or "no-store" in kept


@row(2)
@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("identity", None),
        ("brotli, xgzip", None),
    ],
)
def test_compressed_twins(server: Server, stack: Stack, accepted: str, coding: str | None) -> None:
    """The twin that the client takes is sent with the plain file's type, and Vary."""
    answer = server.request("GET", _stylesheet(server), [("Accept-Encoding", accepted)])
    assert answer.status == 200
    if coding not in TWINS[stack.target]:
        coding = "gzip"
    assert answer.headers["Content-Encoding"] == coding
    assert answer.headers.get_content_type() == "text/css"
    assert "Accept-Encoding" in answer.headers["Vary"]


@row(2)
@only_where(_serves_files, "WhiteNoise does not read quality values")
def test_a_refused_twin_is_not_sent(server: Server) -> None:
    """A coding of quality zero is one that the client does not take (RFC 9110 12.5.3)."""
    accepted = ("Accept-Encoding", "br;q=0, gzip;q=0.5")
    answer = server.request("GET", _stylesheet(server), [accepted])
    assert (answer.status, answer.headers["Content-Encoding"]) == (200, "gzip")


@row(2)
def test_static_files_revalidate(server: Server) -> None:
    """A client that has the file is told so without its bytes."""
    first = server.get("/static/library/site.css")
    since = ("If-Modified-Since", first.headers["Last-Modified"])
    again = server.get("/static/library/site.css", since)
    assert (again.status, again.body) == (304, b"")


@row(2)
@OURS
def test_static_files_do_not_ask_django(server: Server) -> None:
    """A missing static file is the server's own 404, not a page of Django's."""
    answer = server.get("/static/library/nothing.css")
    assert answer.status == 404
    assert "X-Frame-Options" not in answer.headers


def test_no_path_goes_on_behind_a_file(server: Server) -> None:
    """A name that no file has leads to none, whatever it begins with; lighttpd forbids it."""
    answer = server.get("/static/library/site.css/page.html")
    assert answer.status in (403, 404)
    assert "immutable" not in answer.headers.get("Cache-Control", "")


# Row 3: the root of the host, and what does not exist for a client


@row(3)
@only_where(
    lambda site: site.stack.serves_files or not site.prefix,
    "without a server that sends files the host's root is not the site's",
)
@pytest.mark.parametrize(("name", "kind"), [("robots.txt", "text/plain"), ("favicon.ico", None)])
def test_files_at_the_root_of_the_host(server: Server, name: str, kind: str | None) -> None:
    """robots.txt and favicon.ico lie at the root of the host, whatever the prefix."""
    answer = server.request("GET", f"/{name}")
    assert answer.status == 200
    expected = harness.ROOT / "example_project" / "root_files" / name
    assert answer.body == expected.read_bytes()
    assert kind is None or answer.headers.get_content_type() == kind


@row(3)
@OURS
@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/library/",
        "/static/.hidden",
        "/static/library/.hidden",
        "/static/../manage.py",
        "/static../manage.py",
        "/static/%2e%2e/manage.py",
        "/static/..%2fmanage.py",
        "/static/library/%2e%2e/%2e%2e/%2e%2e/example/settings.py",
        "/static/escape.txt",
        "/media/",
        "/media/.hidden",
        "/media/../secret_key",
        "/media/%2e%2e/secret_key",
        "/media/escape.txt",
    ],
)
def test_nothing_else_of_the_disk_is_reachable(example: Project, server: Server, path: str) -> None:
    """No listing, no dot-file, no way up and no symbolic link out."""
    data = Path(example.environ["DATA_DIR"])
    for top in (data / "static", data / "static" / "library", data / "media"):
        (top / ".hidden").write_text("hidden")
    for top in (data / "static", data / "media"):
        (top / "escape.txt").unlink(missing_ok=True)
        (top / "escape.txt").symlink_to(example.directory / "manage.py")
    answer = server.get(path)
    assert answer.status in (301, 400, 403, 404)
    if answer.status == 301:
        assert server.request("GET", re.sub(r"^http://[^/]+", "", answer.location)).status != 200
    assert b"DJANGO_SETTINGS_MODULE" not in answer.body
    assert b"hidden" not in answer.body
    assert b"Index of" not in answer.body


# Row 4: media and protected files


@row(4)
@only_where(_serves_files, "WhiteNoise does not serve uploads")
def test_uploads_are_public_and_harmless(example: Project, server: Server) -> None:
    """An upload is sent as it is; a page among them cannot act in the site's name."""
    media = Path(example.environ["DATA_DIR"]) / "media"
    (media / "run.php").write_text("<?php phpinfo();")
    for name in ("page.html", "page.HTML", "page.html.x", "feed.atom", "image.svg"):
        (media / name).write_text("<script>alert(1)</script>")
        page = server.get(f"/media/{name}")
        assert page.status == 200
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        active = page.headers.get_content_type() not in ("text/plain", "application/octet-stream")
        if active or name == "page.html":
            assert page.headers["Content-Security-Policy"].startswith("sandbox")
    assert server.get("/media/run.php").body == b"<?php phpinfo();"


PROTECTED = "/documents/files/style-guide.txt"


@row(4)
@pytest.mark.parametrize(
    "path",
    [
        PROTECTED,
        f"/{PROTECTED}",
        "/documents/%66iles/style-guide.txt",
        "/static/../documents/files/style-guide.txt",
        "/documents//files/style-guide.txt",
    ],
)
def test_protected_files_have_no_url(server: Server, path: str) -> None:
    """No spelling of the protected URL leads to the file."""
    assert server.get(path).status == 404


@row(4)
def test_protected_files_in_absolute_form(server: Server) -> None:
    """Nor does the absolute form of a request (RFC 9112 3.2.2)."""
    target = f"http://localhost{server.prefix}{PROTECTED}"
    assert server.request("GET", target).status == 404


def _download_of(visitor: Visitor) -> str:
    """Where the first document of the visitor's list is downloaded, below the prefix."""
    page = visitor.get("/documents/").text
    link = next(url for url in links(page) if re.search(r"/documents/\d+/", url))
    return link.removeprefix(visitor.server.prefix).rstrip("/") + "/download/"


@row(4)
def test_protected_files_through_the_view(server: Server, sessions: dict[str, str]) -> None:
    """The view hands a document to who may read it, and to nobody else."""
    bob, alice, anonymous = Visitor(server), Visitor(server), Visitor(server)
    bob.return_as("bob", sessions)
    alice.return_as("alice", sessions)
    assert "annual" not in bob.get("/documents/").text.lower()
    download = _download_of(bob)
    found = bob.get(download)
    assert b"annual report" in found.body
    assert found.headers["Content-Disposition"] == 'attachment; filename="style-guide.txt"'
    assert found.headers["Cache-Control"] == "private, no-store"
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert found.headers["Content-Security-Policy"].startswith("sandbox")
    assert anonymous.get(download).status == 302
    own = _download_of(alice)
    assert bob.get(own, ("If-None-Match", "*")).status == 404
    saved = alice.get(own).headers["Content-Disposition"]
    assert saved == "attachment; filename*=utf-8''Jahres%C3%BCbersicht.txt"


@row(4)
def test_a_part_of_a_protected_file(server: Server, sessions: dict[str, str]) -> None:
    """Range is 206, a validator that holds is 304, and HEAD has the headers alone."""
    bob = Visitor(server)
    bob.return_as("bob", sessions)
    download = _download_of(bob)
    found = bob.get(download)
    part = bob.get(download, ("Range", "bytes=5-9"))
    assert (part.status, part.body) == (206, found.body[5:10])
    assert part.headers["Content-Range"] == f"bytes 5-9/{len(found.body)}"
    assert bob.get(download, ("Range", "bytes=9999999-")).status == 416
    same = bob.get(download, ("If-None-Match", found.headers["ETag"]))
    assert (same.status, same.body) == (304, b"")
    head = bob.get(download, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["ETag"] == found.headers["ETag"]


# Row 5: who the client is


def _spellings(name: str) -> list[str]:
    # lighttpd makes an underscore of whatever is no letter and no digit.
    other = [name.replace("-", mark) for mark in "_.!"]
    return [name, name.lower(), name.upper().replace("-", "_"), *other]


SPOOFED = [
    ("X-Forwarded-For", "203.0.113.9"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Ssl", "on"),
    ("X-Forwarded-Protocol", "ssl"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "444"),
    ("Forwarded", "for=203.0.113.9;proto=https;host=evil.example"),
    ("X-Script-Name", "/evil"),
    ("X-Forwarded-Prefix", "/evil"),
    ("Script-Name", "/whoami"),
    ("Path-Info", "/admin/"),
    ("Proxy", "http://evil.example"),
    ("Remote-User", "admin"),
    ("X-Remote-User", "admin"),
    ("X-Real-Ip", "203.0.113.9"),
    ("Deploykit-Stack", "evil"),
    ("Region", "evil"),
]


def _identity(server: Server, *headers: tuple[str, str]) -> dict[str, object]:
    """What Django believes of a request; headers it was not sent are left out."""
    return _believed(server.get("/whoami/", *headers).json)


def _believed(seen: dict[str, object]) -> dict[str, object]:
    volatile = ("headers", "pid", "absolute_uri")
    return {key: value for key, value in seen.items() if key not in volatile}


@row(5)
@pytest.mark.parametrize(("name", "value"), SPOOFED)
def test_a_client_cannot_claim_anything(
    server: Server, stack: Stack, name: str, value: str
) -> None:
    """No header of a client changes scheme, host, address, prefix, user or data; in any spelling,
    alone, twice, or named in Connection."""
    honest = _identity(server)
    spellings = list(dict.fromkeys(_spellings(name)))
    # With CGI every request starts a process: there, all spellings come in one.
    for group in [spellings] if stack.gateway == "cgi" else [[one] for one in spellings]:
        headers = [(spelling, value) for spelling in group]
        assert _identity(server, *headers) == honest
        assert _identity(server, *headers, *headers) == honest
        assert _identity(server, *headers, ("Connection", ", ".join(group))) == honest


def _of_contract() -> list[str]:
    """Every header that only a proxy may set: each with dashes, underscores and both, in small,
    large and mixed letters."""
    names = (*contract.CLIENT_FORBIDDEN_HEADERS, contract.PROOF_HEADER)
    spellings = (
        spelling
        for name in names
        for spelling in (*_spellings(name), name.replace("-", "_", 1), name.title().swapcase())
    )
    return list(dict.fromkeys(spellings))


@row(5)
def test_no_header_of_the_contract_changes_anything(server: Server) -> None:
    """Each header of the contract, in any spelling, alone, twice and named in Connection: Django
    believes what it did before, of the user too, and none of them arrives. "X.Real.Ip" is another
    header over HTTP, and may."""
    honest = _identity(server)
    names = _of_contract()
    for start in range(0, len(names), 40):
        some = names[start : start + 40]
        headers = [(name, "https") for name in some]
        for more in (headers, [("Connection", ", ".join(some))]):
            seen = server.get("/whoami/", *headers, *more).json
            assert _believed(seen) == honest
            came = {value for name, value in seen["headers"].items() if not {".", "!"} & set(name)}
            assert not {"https", "https,https", "https, https"} & came


@row(5)
def test_the_front_is_trusted_without_a_setting(server: Server, stack: Stack) -> None:
    """The emitted configuration is enough for the middleware to know what it stands behind."""
    assert server.get("/whoami/").json["behind_proxy"] is stack.has_front


@row(5)
def test_the_client_is_who_connected(server: Server) -> None:
    """Scheme, host, port and address are those of the connection."""
    seen = server.get("/whoami/", ("Host", f"localhost:{server.port}")).json
    assert (seen["scheme"], seen["is_secure"]) == ("http", False)
    assert seen["host"] == f"localhost:{server.port}"
    assert seen["client"] == "127.0.0.1"
    assert seen["absolute_uri"] == f"http://localhost:{server.port}{server.prefix}/whoami/"


# Row 6: path bytes


@row(6)
@pytest.mark.parametrize(
    ("sent", "arrived"),
    [
        ("plain", "plain"),
        ("a+b", "a+b"),
        ("a;b=c", "a;b=c"),
        ("a%3Fb", "a?b"),
        ("a%20b", "a b"),
        ("a%2Bb", "a+b"),
        ("a%25b", "a%b"),
        ("a%23b", "a#b"),
        ("a%2520b", "a%20b"),
        ("J%C3%BCrgen", "Jürgen"),
        ("%E6%97%A5%E6%9C%AC", "日本"),
        ("a&b=c", "a&b=c"),
        ("~a!b*c'd(e)", "~a!b*c'd(e)"),
        ("x" * 4000, "x" * 4000),
    ],
    ids=lambda text: text[:24],
)
def test_path_bytes_arrive_as_meant(server: Server, sent: str, arrived: str) -> None:
    """What the client percent-encodes is what the view gets."""
    answer = server.get(f"/echo/{sent}?q=%2F%3F")
    assert answer.status == 200
    assert answer.json["rest"] == arrived
    assert answer.json["query_string"] == "q=%2F%3F"


@row(6)
def test_an_encoded_slash(server: Server, stack: Stack) -> None:
    """%2F is refused by Apache (docs/reference/paths), and a slash elsewhere."""
    answer = server.get("/echo/a%2Fb")
    expected = ENCODED_SLASH.get(stack.target, "a/b")
    if expected is None:
        assert answer.status == 404
        assert "X-Frame-Options" not in answer.headers
    else:
        assert answer.json["rest"] == expected


@row(6)
def test_doubled_slashes(server: Server, stack: Stack) -> None:
    """Doubled slashes are merged by Apache (docs/reference/paths), and kept elsewhere."""
    rest = server.get("/echo/a//b").json["rest"]
    assert rest == DOUBLED_SLASH.get(stack.target, "a//b")


# Row 7: file names


@row(7)
def test_non_ascii_upload_names(example: Project, server: Server, sessions: dict[str, str]) -> None:
    """A name in any script is stored as it is."""
    visitor = Visitor(server)
    visitor.return_as("alice", sessions)
    name = f"Größe-日本-{server.port}.txt"
    answer = visitor.upload("/upload/", name, b"content")
    assert answer.status == 302, answer.text
    stored = Path(example.environ["DATA_DIR"]) / "media" / "uploads" / name
    assert stored.read_bytes() == b"content"
    seen = server.get("/whoami/").json
    assert seen["filesystem_encoding"].lower().replace("-", "") == "utf8"


# Row 8: bodies


@row(8)
def test_a_large_upload_arrives(server: Server) -> None:
    """50 MiB arrive whole."""
    body = os.urandom(MEBIBYTE) * 50
    answer = server.post("/upload/raw/", body, ("Content-Type", "application/octet-stream"))
    assert answer.json == {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


@row(8)
def test_a_chunked_upload_arrives(server: Server, stack: Stack) -> None:
    """A body without a length arrives whole, or is refused with 411 (docs/howto/apache)."""
    chunks = [os.urandom(size) for size in (1, 70_000, 4096)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    head = (
        f"POST {server.prefix}/upload/raw/ HTTP/1.1\r\nHost: localhost\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    answer = server.raw(head.encode() + framed)
    if (stack.target, stack.gateway) in NEEDS_LENGTH:
        assert answer.status == 411
        return
    assert answer.json["sha256"] == hashlib.sha256(b"".join(chunks)).hexdigest()


@row(8)
def test_a_body_over_the_limit_is_refused(server: Server) -> None:
    """The server answers 413 before the body is sent."""
    head = (
        f"POST {server.prefix}/upload/raw/ HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Length: {101 * MEBIBYTE}\r\nConnection: close\r\n\r\n"
    )
    assert server.raw(head.encode()).status == 413


@row(8)
def test_an_answer_to_a_body_that_nobody_reads(server: Server) -> None:
    """Django refuses a form without its cookie unread, and the client is told so, not 502."""
    for _ in range(3):
        assert server.post("/login/", bytes(2 * MEBIBYTE)).status == 403


@row(8)
def test_expect_continue(server: Server) -> None:
    """A client that asks first is told to go on, and its body arrives."""
    with server.connect() as connection:
        head = (
            f"POST {server.prefix}/upload/raw/ HTTP/1.1\r\nHost: localhost\r\n"
            "Content-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"hello")
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert hashlib.sha256(b"hello").hexdigest().encode() in answer


# Row 9: unknown hosts


@row(9)
def test_unknown_hosts_never_reach_django(server: Server, stack: Stack) -> None:
    """A name that is not the site's is refused; by the server, where there is one."""
    answer = server.get("/whoami/", ("Host", "evil.example"))
    assert answer.status == (403 if stack.has_front else 400)
    assert "evil.example" not in answer.headers.get("Location", "")


@row(9)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "sub.example.test", "example.test"])
def test_known_hosts_are_answered(server: Server, host: str) -> None:
    """Every name of ALLOWED_HOSTS is answered, subdomains of a leading dot too."""
    assert server.get("/whoami/", ("Host", host)).json["host"] == host


# Row 10: credentials


@row(10)
@only_where(_has_front, "gunicorn passes every header on")
def test_authorization_is_kept_back(server: Server) -> None:
    """I17. The Authorization header does not reach a project that never reads it."""
    assert server.get("/whoami/", ("Authorization", "Basic eDp5")).json["authorization"] is False


# Row 12: extra data


@row(12)
def test_extra_data_arrives(server: Server) -> None:
    """SITE["ENVIRON"] arrives in request.META under its own names."""
    data = server.get("/whoami/").json["data"]
    assert data["REGION"] == "eu-north"
    # PEP 3333: text in the environ is UTF-8 bytes read as Latin-1.
    assert data["TIER"].encode("latin-1").decode() == "büro"


# Row 13: streams


@row(13)
def test_a_stream_arrives_as_it_is_written(server: Server) -> None:
    """The first line is here while the view still waits to write the last."""
    with server.connect() as connection:
        path = f"{server.prefix}/stream/?n=4&pause=0.5"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        started = time.monotonic()
        received = b""
        arrivals = {}
        while b"4\n" not in received:
            received += connection.recv(4096)
            for line in (b"1\n", b"4\n"):
                if line in received:
                    arrivals.setdefault(line, time.monotonic() - started)
    assert contract.STREAM_HEADER.lower().encode() not in received.lower()
    # The view pauses 1.5 seconds between the two lines; a buffer would bring them together.
    assert arrivals[b"4\n"] - arrivals[b"1\n"] > 0.7


# Row 14: trouble


@row(14)
@only_where(
    lambda site: site.stack.gateway != "cgi",
    "with CGI each request has a process of its own, gone before it could be killed",
)
def test_a_killed_worker_is_replaced(server: Server) -> None:
    """After kill -9 of an application process, the site goes on."""
    seen = server.get("/whoami/").json
    os.kill(seen["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            answer = server.get("/whoami/")
        except (OSError, ValueError):
            continue
        if answer.status == 200 and answer.json["pid"] != seen["pid"]:
            return
    pytest.fail("the site did not recover")


@row(14)
def test_a_connection_survives_many_requests(server: Server, stack: Stack) -> None:
    """One kept connection answers request after request."""
    count = 4 if stack.gateway == "cgi" else 20  # Each is a new process there.
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        stream = connection.makefile("rb")
        for _ in range(count):
            request = f"HEAD {server.prefix}/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
            connection.sendall(request.encode())
            assert stream.readline().startswith(b"HTTP/1.1 200")
            while stream.readline().strip():
                pass


@row(14)
def test_hostile_paths_are_quoted_in_redirects(server: Server) -> None:
    """No path makes a redirect leave the site or split its header."""
    for path in ("//evil.example/", "/%0d%0aX-Evil:%201", "/\\evil.example", "/admin"):
        answer = server.request("GET", server.prefix + quote(path, safe="/%\\:"))
        location = answer.headers.get("Location", "")
        assert "X-Evil" not in answer.headers
        assert not location.startswith(("//", "\\", "http://evil", "https://evil"))


# Row 16: what is written


# Run inside a project: writes every stack that is named on standard input.
_WRITE = """
import json, os, sys
import django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example.settings")
django.setup()
from django.core.management import call_command
for output, words in json.load(sys.stdin):
    call_command("deployconfig", *words, "--output", output, stdout=sys.stderr)
"""


@pytest.fixture(scope="session")
def written(
    request: pytest.FixtureRequest, example: Project, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Site], list[Path]]:
    """Where the files of a site's stack were written, by each of two processes that differ in
    the order of the stacks and of every set."""
    asked = {item.callspec.params.get("site") for item in request.session.items if _is_mine(item)}
    made: dict[str, list[Path]] = {}

    def find(site: Site) -> list[Path]:
        if site.prefix not in made:
            stacks = [one for one in asked if one.prefix == site.prefix]
            top = tmp_path_factory.mktemp("written")
            made[site.prefix] = [
                _write(example, site.prefix, stacks, top, "0"),
                _write(example, site.prefix, stacks[::-1], top, "1"),
            ]
        return [one / _directory(site) for one in made[site.prefix]]

    return find


def _is_mine(item: pytest.Item) -> bool:
    return item.name.startswith(test_what_is_written_is_the_same_twice.__name__)


def _directory(site: Site) -> str:
    return str(site).replace("/", "-")


def _write(example: Project, prefix: str, sites: list[Site], top: Path, seed: str) -> Path:
    output = top / "deploy"  # Every file says with which arguments it was written.
    words = [(str(output / _directory(site)), site.stack.arguments) for site in sites]
    subprocess.run(
        [sys.executable, "-c", _WRITE],
        cwd=example.directory,
        env=example.environment({"FORCE_SCRIPT_NAME": prefix, "PYTHONHASHSEED": seed}),
        input=json.dumps(words),
        text=True,
        check=True,
    )
    return output.rename(top / seed)


def _texts(top: Path) -> dict[Path, bytes]:
    return {file.relative_to(top): file.read_bytes() for file in top.rglob("*") if file.is_file()}


@row(16)
def test_what_is_written_is_the_same_twice(
    example: Project, site: Site, written: Callable[[Site], list[Path]]
) -> None:
    """Two runs write the same bytes, and nothing that is secret."""
    first, second = map(_texts, written(site))
    assert first == second != {}
    secret = (Path(example.environ["DATA_DIR"]) / "secret_key").read_bytes().strip()
    assert secret
    assert not any(secret in text for text in first.values())
