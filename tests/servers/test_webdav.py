"""A WebDAV area as the documentation has it: what is written, and the operator's own directives."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from django_deploykit.config.syntax.nodes import Glob, directive
from tests.servers import harness
from tests.servers.apache_process import apache, wsgi_modules
from tests.servers.guarded import FILES, Guarded, basic, guarded
from tests.servers.harness import ROOT, Server

# The modules that the emitted files need, and those that "Dav On" does.
_MODULES = (
    *("auth_basic", "authn_core", "authnz_fcgi", "authz_user", "dav", "dav_fs", "dir", "logio"),
    *("include", "mime", "proxy", "proxy_http", "reqtimeout", "setenvif"),
)
_WHY = "for this test"
_SETTINGS = """
DEPLOYKIT["SITE"] = {
    "AUTH_AREAS": {
        "/files/": {"POLICY": "active", "DIRECTORY": BASE_DIR / "files/basic"},
        "/staff/": {"POLICY": "staff", "DIRECTORY": BASE_DIR / "files/staff"},
    },
}
"""


@dataclass(frozen=True)
class Web:
    """Apache with the area, and its people."""

    server: Server
    people: Guarded


@pytest.fixture(scope="module")
def people(public: Path) -> Guarded:
    found = guarded(public / "webdav")
    settings = found.project.directory / "shop/settings.py"
    settings.write_text(settings.read_text() + _SETTINGS)
    if user := harness.server_user():
        shutil.chown(found.files / "basic", user)
    return found


@pytest.fixture(scope="module", params=["mod_wsgi", "http"])
def web(request: pytest.FixtureRequest, people: Guarded, public: Path) -> Iterator[Web]:
    """The written stack, by mod_wsgi's hooks or by its authorizer, below a private httpd."""
    harness.require_apache()
    hooks = request.param == "mod_wsgi"
    module = next(iter(wsgi_modules()), None) if hooks else None
    if hooks:
        harness.require("mod_wsgi", module)
    directory, port, asked = public / f"dav-{request.param}", *_ports()
    directory.mkdir(mode=0o777)
    directory.chmod(0o777)
    choices = {"listen": f"127.0.0.1:{port}", "log_directory": directory}
    choices |= {"mod_wsgi_module": module} if hooks else {"authorizer": f"127.0.0.1:{asked}"}
    chosen = [word for pair in choices.items() for word in ("--set", "{}={}".format(*pair))]
    output = ("--output", str(directory / "deploy"))
    project = people.project
    done = project.manage("deployconfig", "apache", "--gateway", request.param, *chosen, *output)
    assert done.returncode == 0, done.stderr
    _own_directives(directory, people)
    nodes = [
        directive("TypesConfig", "/dev/null", why=_WHY),
        directive("Include", Glob(str(directory / "deploy/apache/shop.conf")), why=_WHY),
    ]
    program = directory / "deploy/apache/shop_authorizer.py"
    asking = contextlib.nullcontext() if hooks else _running(program, asked)
    with asking, apache(directory, nodes, modules=_MODULES, wsgi=module) as server:
        yield Web(replace(server, port=port), people)


def _ports() -> tuple[int, int]:
    return harness.free_port(), harness.free_port()


def _own_directives(directory: Path, people: Guarded) -> None:
    """The example of the documentation, with the paths of this test."""
    page = (ROOT / "docs/howto/apache-auth.md").read_text()
    examples = re.findall(r"^```apache\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    example = next(one for one in examples if "DavLockDB" in one)
    assert "Auth" not in example
    own = directory / "deploykit/shop"
    own.mkdir(parents=True)
    paths = {"/var/lock/apache2/dav": directory / "dav", "/srv/files": people.files / "basic"}
    for written, here in paths.items():
        assert written in example
        example = example.replace(written, str(here))
    (own / "dav.conf").write_text(example)
    pages = "Options +Includes\nSetOutputFilter INCLUDES"
    (own / "ssi.conf").write_text(f'<Location "/files/page">\n{pages}\n</Location>\n')


@contextlib.contextmanager
def _running(program: Path, port: int) -> Iterator[None]:
    """The emitted authorizer, as its unit runs it."""
    process = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline() == f"ready 127.0.0.1:{port}\n"
        yield
    finally:
        assert harness.stop(process) == 0
        if process.stdout:
            process.stdout.close()


def _listing(web: Web, *headers: tuple[str, str]) -> harness.Response:
    return web.server.request("PROPFIND", "/files/", [("Depth", "1"), *headers])


def test_r25_a_listing_costs_one_hash(web: Web) -> None:
    """Of twenty files, with a password that nobody has seen before."""
    password = f"new at {time.monotonic_ns()}"
    web.people.set_password("lister", password)
    before = web.people.hashes
    listing = _listing(web, basic("lister", password))
    assert listing.status == 207
    assert listing.text.count("<D:href>") == FILES + 1
    assert web.people.hashes - before == 1


def test_nothing_is_listed_or_written_without_a_password(web: Web) -> None:
    """By no method; and by nobody who is deactivated, or has another password."""
    for headers in ([], [basic("alice", "wrong")], [basic("bob")]):
        assert _listing(web, *headers).status == 401
        for method in ("PUT", "DELETE", "MKCOL", "LOCK", "COPY", "MOVE", "PROPPATCH"):
            wanted = [("Destination", f"http://localhost:{web.server.port}/files/x"), *headers]
            assert web.server.request(method, "/files/1.txt", wanted).status == 401
    assert (web.people.files / "basic/1.txt").read_text() == "secret basic 1"


def test_who_may_read_may_write(web: Web) -> None:
    """A file is put there, read, locked, moved and deleted."""
    own, server = basic("zoé"), web.server
    target = [own, ("Destination", f"http://localhost:{server.port}/files/moved.txt")]
    assert server.request("PUT", "/files/new.txt", [own], b"hello").status == 201
    assert server.request("GET", "/files/new.txt", [own]).body == b"hello"
    assert (
        server.request(
            "MOVE", "/files/new.txt", [*target, ("Host", f"localhost:{server.port}")]
        ).status
        == 201
    )
    assert server.request("DELETE", "/files/moved.txt", [own]).status == 204


def test_a_page_includes_nothing_of_another_area(web: Web) -> None:
    """Apache asks for a part of a page as well, but still with the policy of the page; a session,
    which it knows by its cookie there too, opens no more than its own area."""
    page = web.people.files / "basic/page"
    page.write_text('own, <!--#include virtual="/staff/1.txt" -->')
    try:
        for header in (basic("zoé"), web.people.cookie("zoé")):
            mixed = web.server.get("/files/page", header)
            assert (mixed.status == 200) == mixed.body.startswith(b"own,")
            assert b"secret" not in mixed.body
        assert web.server.get("/files/page", basic("zoé")).status == 200
        assert b"secret staff" in web.server.get("/staff/1.txt", basic("alice")).body
    finally:
        page.unlink()
