"""WebDAV and Subversion areas as the documentation has them: what is written, and the operator's
own directives."""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from django_deploykit.config.servers.apache import installed
from django_deploykit.config.syntax.nodes import Glob, directive
from tests.servers import harness
from tests.servers.apache_process import apache, wsgi_modules
from tests.servers.guarded import FILES, PASSWORD, Guarded, basic, guarded
from tests.servers.harness import ROOT, Server

# The modules that the emitted files need, and those that "Dav On" does.
_MODULES = (
    *(
        "auth_basic",
        "authn_core",
        "authnz_fcgi",
        "authz_user",
        "dav",
        "dav_fs",
        "dav_svn",
        "dir",
        "logio",
    ),
    *("include", "mime", "proxy", "proxy_http", "reqtimeout", "setenvif"),
)
_WHY = "for this test"
_SETTINGS = """
DEPLOYKIT["SITE"] = {
    "AUTH_AREAS": {
        "/files/": {"POLICY": "active", "DIRECTORY": BASE_DIR / "files/basic"},
        "/staff/": {"POLICY": "staff", "DIRECTORY": BASE_DIR / "files/staff"},
        "/svn/": "active",
    },
}
"""


@dataclass(frozen=True)
class Web:
    """Apache with the area, and its people; by hooks, or an authorizer."""

    server: Server
    people: Guarded
    hooks: bool

    @property
    def askers(self) -> int:
        """How many processes remember passwords, each for itself."""
        number = self.server.process.pid
        children = Path(f"/proc/{number}/task/{number}/children")
        return len(children.read_text().split()) if self.hooks else 1


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
        yield Web(replace(server, port=port), people, hooks)


def _ports() -> tuple[int, int]:
    return harness.free_port(), harness.free_port()


def _own_directives(directory: Path, people: Guarded) -> None:
    """The example of the documentation, with the paths of this test."""
    page = (ROOT / "docs/howto/apache-auth.md").read_text()
    examples = re.findall(r"^```apache\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    own = directory / "deploykit/shop"
    own.mkdir(parents=True)
    places = {"/var/lock/apache2/dav": directory / "dav", "/srv/files": people.files / "basic"}
    _write_example(own / "dav.conf", examples, places)
    if _speaks_svn():
        _write_example(own / "svn.conf", examples, {"/srv/svn": _repositories(directory)})
    pages = "Options +Includes\nSetOutputFilter INCLUDES"
    (own / "ssi.conf").write_text(f'<Location "/files/page">\n{pages}\n</Location>\n')


def _speaks_svn() -> bool:
    module = (installed.module_directory() or Path()) / "mod_dav_svn.so"
    return module.exists() and bool(shutil.which("svnadmin"))


def _write_example(path: Path, examples: list[str], places: dict[str, Path]) -> None:
    """The first example with all of these paths, with those of this test instead."""
    example = next(one for one in examples if all(written in one for written in places))
    assert "Auth" not in example
    for written, here in places.items():
        example = example.replace(written, str(here))
    path.write_text(example)


def _repositories(directory: Path) -> Path:
    """A directory with one repository, which the server may write."""
    parent = directory / "svn"
    parent.mkdir()
    subprocess.run(["svnadmin", "create", str(parent / "shop")], check=True)
    if user := harness.server_user():
        for path in (parent, *parent.rglob("*")):
            shutil.chown(path, user)
    return parent


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


def test_r25_a_commit_costs_one_hash(web: Web, tmp_path: Path) -> None:
    """And a checkout before it: dozens of requests, with a password that nobody has seen before.
    With the hooks, each process of Apache's that takes one of the connections hashes it once.
    Nobody else reads or writes."""
    harness.require("libapache2-mod-svn and subversion", _speaks_svn())
    password = f"new at {time.monotonic_ns()}"
    web.people.set_password("committer", password)
    before, copy = web.people.hashes, tmp_path / "copy"
    url = f"http://localhost:{web.server.port}/svn/shop"
    svn = functools.partial(_svn, tmp_path, "committer", password)
    assert svn("checkout", url, str(copy)).returncode == 0
    (copy / "file.txt").write_text("hello")
    assert svn("add", str(copy / "file.txt")).returncode == 0
    done = svn("commit", "-m", "One file", str(copy))
    assert (done.returncode, "Committed revision 1" in done.stdout) == (0, True), done.stderr
    assert 1 <= web.people.hashes - before <= web.askers
    assert "committer" in svn("log", url).stdout
    for name, typed in (("committer", "wrong"), ("bob", PASSWORD)):
        refused = _svn(tmp_path, name, typed, "cat", f"{url}/file.txt")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "Authentication failed" in refused.stderr


def _svn(
    directory: Path, name: str, password: str, *words: str
) -> subprocess.CompletedProcess[str]:
    own = ("--config-dir", str(directory / "svn"), "--non-interactive", "--no-auth-cache")
    command = ["svn", *words, *own, "--username", name, "--password", password]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
