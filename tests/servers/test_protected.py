"""Protected files through real servers: names, headers, ranges, and who cannot reach them.

The numbers are those of the security properties in docs/explanation/protected-files.md.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest

from django_deploykit.config.servers.apache import installed
from tests.sendfile.asking import saved_name
from tests.servers import harness, small_projects
from tests.servers.harness import Response, Server
from tests.servers.stacks import STACKS, Stack

SETTINGS = """
SERVED = {served!r}
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "guarded.views.Told"]
DEPLOYKIT = {{
    "SITE": {{"PROTECTED": {{"/files of nobody/": {private!r}}}}},
    {more}
}}
"""
VIEWS = """
import os

from django.conf import settings
from django.http import HttpResponse
from django_deploykit.sendfile import file_served, sendfile



def write_down(backend, **kwargs):
    with open(settings.SERVED, "a") as served:
        print(backend, file=served)


file_served.connect(write_down)


class Told:
    '''Headers that have nothing to do with files.'''

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        response["X-Robots-Tag"] = "noindex"
        response["Vary"] = "Cookie"
        return response


def send(request, **options):
    if "as" in request.GET:
        options["attachment_filename"] = request.GET["as"]
    options |= {key: False for key in ("attachment",) if "inline" in request.GET}
    # As hexadecimal digits: a server may refuse the name in a URL.
    name = bytes.fromhex(request.META["QUERY_STRING"].partition("&")[0])
    response = sendfile(request, os.fsdecode(name), **options)
    if "status" in request.GET:
        response.status_code = int(request.GET["status"])
    if "cookie" in request.GET:
        response.set_cookie("seen", "yes")
    return response


def header(request):
    '''Hand over by a header of one's own, as code may that knows nothing of the package.'''
    response = HttpResponse("own")
    response[request.GET["header"]] = request.GET["value"]
    if "cached" in request.GET:
        response["Cache-Control"] = "public, max-age=600"
    return response
"""
URLS = """
from django.urls import path
from guarded import views

urlpatterns = [
    path("send/", views.send),
    path("header/", views.header),
]
"""

FRONTS = [stack for stack in STACKS.values() if stack.has_front]
REDIRECTS = {"mod_wsgi": "mod_wsgi", "scgi": "mod_proxy_scgi-redirect"}
# Settings name the version, so that both sides know of it.
MOD_XSENDFILE = '"DEPLOYMENT": {{"mod_xsendfile_version": {version!r}}},'
# One stack for each front and gateway is asked for every name, and others for the awkward ones: it
# is the front that reads a name, not the application server behind it. The last is the fastest.
EVERY_NAME = list({(stack.target, stack.gateway): stack for stack in FRONTS}.values())
SERVED_BY = [
    *((stack, "") for stack in FRONTS),
    *((stack, "0.12") for stack in EVERY_NAME if stack.is_apache),
]


def _module() -> Path:
    """mod_xsendfile: 0.12, or the one of Debian 13, which reads a path as it is told to."""
    return (installed.module_directory() or Path()) / "mod_xsendfile.so"


if _module().is_file() and b"XSendFileUnescape" in _module().read_bytes():
    decoding = (stack for stack in EVERY_NAME if stack.gateway in ("mod_wsgi", "http"))
    SERVED_BY += [(stack, "1.0") for stack in decoding if stack.is_apache]


# Files that are older than each server, which need not wait for its memory of files to pass.
OLD = {
    b"page.html": b"<p>" * 1000,
    b"plain": b"plain",
    b"data": bytes(range(256)) * 40,
    b"sized": b"0123456789",
}


@dataclass
class Protected:
    """A running site with a protected directory."""

    server: Server
    private: Path
    stack: Stack
    served: Path
    module: str = ""

    def write(self, name: bytes, content: bytes) -> None:
        _write(self.private, name, content)

    @property
    def expected(self) -> str:
        """Who is to send a plain file."""
        return _expected(self.stack, self.module)

    def settle(self, *names: bytes) -> None:
        """Wait until no server remembers another file in a place that was written to."""
        paths = [os.fsencode(self.private) + b"/" + name for name in names]
        newest = max(os.stat(path).st_ctime for path in paths)
        while time.time() < newest + 2:
            time.sleep(0.1)

    def send(
        self, name: bytes, *headers: tuple[str, str], method: str = "GET", more: str = ""
    ) -> Response:
        return self.server.get(f"/send/?{name.hex()}{more}", *headers, method=method)


def _expected(stack: Stack, module: str) -> str:
    if stack.target == "haproxy":
        return "stream"
    if stack.target != "apache":
        return "stream" if stack.gateway == "cgi" else stack.target
    return f"mod_xsendfile-{module}" if module else REDIRECTS.get(stack.gateway, "stream")


def _asked(stack: Stack, module: str) -> list[bytes]:
    """The names to ask for. With CGI, each is a new process."""
    is_stream, is_cgi = _expected(stack, module) == "stream", stack.gateway == "cgi"
    if is_stream or is_cgi or stack not in EVERY_NAME:
        return AWKWARD[:8] if is_stream and is_cgi else AWKWARD
    return _names()


def _write(directory: Path, name: bytes, content: bytes) -> None:
    path = os.fsencode(directory) + b"/" + name
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, 0o644)


def _label(served_by: tuple[Stack, str]) -> str:
    stack, module = served_by
    return f"{stack} with mod_xsendfile {module}" if module else str(stack)


@pytest.fixture(scope="module", params=SERVED_BY, ids=_label)
def protected(request: pytest.FixtureRequest) -> Iterator[Protected]:
    """Every front with every gateway, with one process, so that it can be asked what it did."""
    stack, module = request.param
    stack.require()
    if module:
        harness.require("mod_xsendfile", _module().is_file())
    with harness.public_directory() as directory:
        yield from serving(stack, directory, module)


def serving(stack: Stack, directory: Path, module: str) -> Iterator[Protected]:
    private = directory / "private (1) %41"
    (private / "names").mkdir(parents=True)
    for name, content in OLD.items():
        _write(private, name, content)
    for name in {*AWKWARD, *_asked(stack, module)}:
        _write(private / "names", name, name)
    served = directory / "served"
    served.touch()
    served.chmod(0o666)
    more = MOD_XSENDFILE.format(version=module) if module else ""
    written = SETTINGS.format(private=str(private), served=str(served), more=more)
    project = small_projects.make(directory / "project", {"guarded": written})
    package = project.directory / "guarded"
    (package / "views.py").write_text(VIEWS)
    (package / "urls.py").write_text(URLS)
    with harness.deployrun(project, *stack.of_one_process) as server:
        yield Protected(server, private, stack, served, module)


@pytest.mark.parametrize("more", ["", "&cookie=1"])
def test_a_file_arrives_with_its_headers(protected: Protected, more: str) -> None:
    """S12, S14: what Django says of the file is said to the client, and no more."""
    protected.settle(b"page.html")
    answer = protected.send(b"page.html", ("Accept-Encoding", "gzip, br"), more=more)
    assert (answer.status, answer.body) == (200, OLD[b"page.html"])
    said = answer.headers
    assert said["Content-Type"] == "text/html"
    assert said["Content-Disposition"] == 'attachment; filename="page.html"'
    assert said["Cache-Control"] == "private, no-store"
    assert said["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert said.get_all("X-Content-Type-Options") == ["nosniff"]
    assert said["Referrer-Policy"] == "same-origin"
    assert said["X-Robots-Tag"] == "noindex"
    assert "Cookie" in said["Vary"]
    assert (said["Set-Cookie"] or "").startswith("seen=yes" if more else "")
    assert said.get_all("ETag") == [said["ETag"]]
    assert said.get_all("Last-Modified") == [said["Last-Modified"]]
    assert "Content-Encoding" not in said
    names = {name.lower() for name in said}
    assert not [name for name in names if name.startswith(("x-send", "x-accel", "x-location"))]
    assert str(protected.private) not in str(said)
    assert "of nobody" not in str(said).replace("%20", " ")


def test_the_server_sends(protected: Protected) -> None:
    """Behind each front the mechanism that it has is the one that is used."""
    protected.settle(b"plain")
    assert protected.send(b"plain").body == b"plain"
    assert protected.served.read_text().split()[-1] == protected.expected


def test_ranges_and_conditions(protected: Protected) -> None:
    """S18, S19: one part, several, none; the same validators; HEAD; and what was replaced."""
    content = OLD[b"data"]
    protected.settle(b"data")
    whole = protected.send(b"data")
    etag, date = whole.headers["ETag"], whole.headers["Last-Modified"]
    assert (whole.status, whole.body) == (200, content)
    part = protected.send(b"data", ("Range", "bytes=256-511"))
    assert (part.status, part.body) == (206, content[256:512])
    assert part.headers["Content-Range"] == f"bytes 256-511/{len(content)}"
    assert part.headers["ETag"] == etag
    several = protected.send(b"data", ("Range", "bytes=0-1,1000-1001"))
    assert several.status == 206
    assert several.headers.get_content_type() == "multipart/byteranges"
    beyond = protected.send(b"data", ("Range", "bytes=99999-"))
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(content)}")
    for condition in (("If-None-Match", etag), ("If-Modified-Since", date)):
        same = protected.send(b"data", condition)
        assert (same.status, same.body) == (304, b"")
        assert same.headers["ETag"] == etag
    assert protected.send(b"data", ("If-Match", etag)).status == 200
    assert protected.send(b"data", ("If-Match", '"x"')).status == 412
    head = protected.send(b"data", method="HEAD")
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", etag)
    assert protected.send(b"data", ("If-Range", etag), ("Range", "bytes=0-9")).status == 206
    protected.write(b"other", content[::-1])
    os.utime(protected.private / "other", ns=(0, (protected.private / "data").stat().st_mtime_ns))
    (protected.private / "other").replace(protected.private / "data")
    spliced = protected.send(b"data", ("If-Range", etag), ("Range", "bytes=0-9"))
    assert (spliced.status, spliced.body) == (200, content[::-1])
    assert protected.send(b"data", ("If-None-Match", etag)).status == 200


def test_head_says_the_length(protected: Protected) -> None:
    """S19: HEAD tells how large the file is, where the server does for GET."""
    protected.settle(b"sized")
    said = {
        method: protected.send(b"sized", method=method).headers["Content-Length"]
        for method in ("GET", "HEAD")
    }
    # What comes over these, Apache sends in chunks.
    in_chunks = protected.stack.is_apache and protected.stack.gateway in ("cgi", "fastcgi")
    length = None if in_chunks and not protected.module else "10"
    assert said == {"GET": length, "HEAD": length}


@pytest.mark.parametrize("status", [403, 404, 500])
def test_s11_a_refusal_is_no_file(protected: Protected, status: int) -> None:
    """S11: whatever else a view answers, the file is not what is sent by the server."""
    protected.write(b"refused", b"text")
    answer = protected.send(b"refused", more=f"&status={status}")
    assert answer.status == status


def test_s15_packed_files_stay_packed(protected: Protected) -> None:
    """S15: a .tar.gz arrives byte for byte, and nobody is told to unpack it."""
    protected.write(b"a.tar.gz", b"\x1f\x8b packed")
    answer = protected.send(b"a.tar.gz", ("Accept-Encoding", "gzip"))
    assert answer.body == b"\x1f\x8b packed"
    assert answer.headers["Content-Encoding"] is None
    assert answer.headers["Content-Type"] == "application/gzip"


NGINX = [(stack, "") for stack in EVERY_NAME if stack.target == "nginx"][:1]


@pytest.mark.parametrize("protected", NGINX, ids=_label, indirect=True)
def test_s16_no_cache_keeps_an_error(protected: Protected) -> None:
    """S16: where a file is away when nginx looks, or shorter than the part that a client asks for,
    the error is kept for no time at all."""
    protected.write(b"here", b"here")
    cases: list[tuple[str, str, int, list[str]]] = [
        ("here", "bytes=0-", 206, []),
        ("here", "bytes=9-", 416, ["no-store"]),
        ("gone", "bytes=0-", 404, ["no-store"]),
    ]
    for name, part, status, more in cases:
        asked = f"?header=X-Accel-Redirect&value=/files%2520of%2520nobody/{name}&cached"
        answer = protected.server.get(f"/header/{asked}", ("Range", part))
        assert answer.status == status
        assert answer.headers.get_all("Cache-Control") == ["public, max-age=600", *more]


AWKWARD = [
    b"pct%41.txt",
    b"pct%2541.txt",
    b"q?x.txt",
    b"space here",
    b"plus+plus",
    b"hash#hash",
    "é ü 日本".encode(),
    b"latin1-\xe9",
    b"back\\slash",
    b'quo"te',
    b"semi;colon",
    b"com,ma",
    b"new\nline",
    b"tab\there",
    b"a&=b",
    b"%2e%2e%2fx",
    b"sl%2Fash",
    b"end ",
    b" start",
    b"a..b",
    b"..a",
    b".hidden",
    b"dot.",
    b"%",
    b"%00",
    b"@named",
    b"$uri",
    b"{rp.header}",
    b"\x7f",
    b"'",
    b"x" * 255,
    "ü".encode() * 127,
    "right\u202eleft".encode(),
]


def _random_names() -> list[bytes]:
    """Names of any bytes, and of such as servers take for something."""
    chance = random.Random(6)  # noqa: S311  # no secret
    special = b"%%%2541?#;&+ ./\\~\"'=@$:*<>|aA\xc3\xa9\xe9\n\t"
    lots = [chance.choices(special, k=chance.randrange(1, 12)) for _ in range(80)]
    lots += [chance.choices(range(1, 256), k=chance.randrange(1, 40)) for _ in range(20)]
    return [bytes(one) for one in lots]


def _twins(name: bytes) -> set[bytes]:
    """What a server would open that decodes too often, too seldom, or stops too early."""
    return {
        unquote_to_bytes(name),
        unquote_to_bytes(name.replace(b"+", b" ")),
        name.partition(b"?")[0],
        name.partition(b"#")[0],
        name.partition(b";")[0],
        name.partition(b"\n")[0],
        name.strip(),
        name.rstrip(b"."),
        name.replace(b"\\", b"/"),
        quote(name).encode(),
        name.lower(),
    }


def is_name(name: bytes) -> bool:
    return 0 < len(name) < 256 and not set(b"/\0") & set(name) and name not in (b".", b"..")


def _names() -> list[bytes]:
    bytewise = [bytes([byte]) for byte in range(1, 256)]
    found = [*AWKWARD, *_random_names()]
    found += [b"x" + byte + b"x" for byte in bytewise]
    found += [name for byte in bytewise if not byte.isalnum() for name in (byte, b"x" + byte)]
    found += [twin for name in found for twin in _twins(name)]
    return sorted({name for name in found if is_name(name)})


def test_s7_s8_each_name_is_that_file(protected: Protected) -> None:
    """S7, S8: for every legal name that very file, never the one that it would be if it were
    decoded, cut or trimmed, all of which lie beside it; and its name comes back (S9)."""
    names = _asked(protected.stack, protected.module)
    protected.settle(*(b"names/" + name for name in names))
    for name in names:
        answer = protected.send(b"names/" + name)
        assert (answer.status, answer.body) == (200, name)
        readable = name.decode("utf-8", "replace")
        wanted = "".join("_" if ord(c) < 32 or 126 < ord(c) < 160 else c for c in readable)
        assert saved_name(answer.headers["Content-Disposition"]) == wanted
    sent = protected.served.read_text().split()[-len(names) :]
    # Python sends only those that this server cannot be told.
    assert sent.count(protected.expected) > len(names) / 3


def test_s1_a_link_made_after_the_look(protected: Protected) -> None:
    """S1: a link in the directory that leads out is 404 for Django, and nothing for the server."""
    (protected.private / "out").symlink_to("/etc/hostname")
    answer = protected.send(b"out")
    assert answer.status == 404
    assert Path("/etc/hostname").read_bytes() not in answer.body


def test_s6_a_client_names_nothing(protected: Protected) -> None:
    """S6: no header of a request opens a file, or changes which one is sent."""
    protected.write(b"mine", b"mine")
    protected.write(b"other", b"other")
    spoofed = [
        (name, value)
        for name in ("X-Sendfile", "X-Accel-Redirect", "X-Location", "X-Lighttpd-Send-File")
        for value in (f"{protected.private}/other", "/files%20of%20nobody/other")
    ]
    spoofed += [("X-Sendfile-Type", "X-Accel-Redirect"), ("X-Accel-Mapping", "/=/")]
    assert protected.send(b"mine", *spoofed).body == b"mine"


SPELLINGS = [
    "/files%20of%20nobody/f",
    "//files%20of%20nobody/f",
    "/%66iles%20of%20nobody/f",
    "/a/../files%20of%20nobody/f",
    "/./files%20of%20nobody/f",
    "/files%20of%20nobody//f",
    "/files%20of%20nobody/",
    "/files%20of%20nobody",
    "/files%20of%20nobody/.",
    "/send/../files%20of%20nobody/f",
    "/files%20of%20nobody/f?x=y",
]


def test_s25_no_url_leads_there(protected: Protected) -> None:
    """S25: in no spelling, nor in the absolute form of a request."""
    protected.write(b"f", b"secret")
    # With CGI, Apache and lighttpd have no such URL, and each request is a new process.
    for spelling in SPELLINGS[:4] if protected.stack.gateway == "cgi" else SPELLINGS:
        for target in (spelling, f"http://localhost{spelling}"):
            answer = protected.server.request("GET", target)
            assert answer.status in (400, 404), target
            assert b"secret" not in answer.body, target


def test_a_sibling_is_not_reached(protected: Protected) -> None:
    """Both sides of a mapping end in a slash: what only begins like the directory stays out."""
    sibling = protected.private.with_name(protected.private.name + "-too")
    shutil.rmtree(sibling, ignore_errors=True)
    sibling.mkdir()
    (sibling / "f").write_bytes(b"secret")
    for header, value in (
        ("X-Accel-Redirect", "/files%20of%20nobody-too/f"),
        ("X-Accel-Redirect", "/files%20of%20nobody/../private (1) %2541-too/f"),
        ("X-Sendfile", quote(str(sibling / "f"))),
        ("X-Sendfile", str(sibling / "f")),
        ("X-Location", "/files%20of%20nobody-too/f"),
        ("Location", "/files%20of%20nobody/..%2fprivate%20(1)%20%2541-too/f"),
    ):
        asked = f"/header/?header={header}&value={quote(value, safe='')}"
        assert b"secret" not in protected.server.get(asked).body
