"""Hostile values in what the nginx renderer writes, read back from the running server.

A value comes back byte for byte, or it was refused with the name of its setting.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from django_deploykit.config.facts import Hosts
from django_deploykit.config.renderer import Rendered
from django_deploykit.config.servers.nginx import NginxRenderer, installed, private
from django_deploykit.config.servers.nginx.dialect import dialect
from django_deploykit.config.syntax import nginx
from django_deploykit.config.syntax.nodes import Node, Raw, block, directive
from django_deploykit.config.syntax.printer import Refused, print_lines
from django_deploykit.config.values import Address
from tests import cases
from tests.cases import CASES
from tests.servers import emitted, harness, small_projects
from tests.servers.harness import Server
from tests.servers.named_sockets import listening
from tests.servers.stacks import STACKS, Stack
from tests.syntax import hostile

WHY = "for this test"
PROXIED = [stack for stack in STACKS.values() if stack.target == "nginx"]
DATA = {
    "FORMATS": '%{HOME}e %t %% "quoted" \\ \\n { } & <b> #; it\'s',
    "SPOKEN": "Zürich 日本",
}
SETTINGS = """
INSTALLED_APPS = ["django_deploykit", "rest_framework"]
REST_FRAMEWORK = {{
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.BasicAuthentication"]
}}
DEPLOYKIT = {{"SITE": {{"ENVIRON": {data!r}}}}}
"""
URLS = """
from django.http import JsonResponse
from django.urls import re_path


def told(request):
    return JsonResponse({k: v for k, v in request.META.items() if isinstance(v, str)})


urlpatterns = [re_path("", told)]
"""


def is_spoken(value: str) -> bool:
    """Tell whether the grammar has a spelling for a value, as an argument that takes variables."""
    with contextlib.suppress(Refused):
        return bool(nginx.argument(value, "alias"))
    return False


def is_name(value: str) -> bool:
    return hostile.is_file_name(value) and is_spoken(value)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory of this test's own that the web server's user can enter."""
    with harness.public_directory() as directory:
        yield directory


@contextlib.contextmanager
def bare_nginx(
    directory: Path, nodes: Sequence[Node], outside: Sequence[Node] = ()
) -> Iterator[Server]:
    """Run nginx with these ``nodes`` in one server block, and others ``outside`` of it, under a
    private configuration."""
    harness.require("nginx", installed.binary())
    port = harness.free_port()
    for name in ("log", "run"):
        (directory / name).mkdir()
    listen = directive("listen", Raw(f"127.0.0.1:{port}"), why=WHY)
    raw = directive("merge_slashes", "off", why=WHY)
    inside = block("server", children=[listen, raw, *nodes], why=WHY)
    lines = print_lines([*outside, inside], dialect)
    site = Rendered(filename="site.conf", lines=tuple(lines))
    (directory / site.filename).write_text(site.text, encoding="utf-8")
    plan = CASES["minimal"].plan(NginxRenderer)
    plan = replace(plan, deployment=NginxRenderer.installed(plan.deployment))
    run = private.foreground(plan, site, directory, harness.server_user())
    for name, text in run.files.items():
        (directory / name).write_text(text, encoding="utf-8")
    process = subprocess.Popen(run.command, text=True)
    try:
        server = Server(port, "", process, [])
        _wait(server)
        yield server
    finally:
        harness.stop(process)


def _wait(server: Server) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(OSError), server.connect():
            return
        time.sleep(0.02)
    raise AssertionError("nginx did not start")


def _at(number: int, *children: Node) -> Node:
    return block("location", Raw("="), f"/{number}", children=[*children], why=WHY)


def test_text_comes_back_exactly(directory: Path) -> None:
    """What the dialect spells, nginx reads as it was."""
    values = dict(enumerate(hostile.some(is_spoken, 500)))
    nodes = [_at(n, directive("return", 200, value, why=WHY)) for n, value in values.items()]
    with bare_nginx(directory, nodes) as server:
        wrong = [v for n, v in values.items() if server.get(f"/{n}").body != v.encode()]
    assert wrong == []


def test_the_longest_text_comes_back(directory: Path) -> None:
    """The dialect's limit is nginx's own: one byte more and it would not start."""
    values = dict(enumerate(["a" * 4094, "é" * 2047, '"' * 2047, " " * 4094]))
    nodes = [_at(n, directive("return", 200, value, why=WHY)) for n, value in values.items()]
    with bare_nginx(directory, nodes) as server:
        wrong = [n for n, v in values.items() if server.get(f"/{n}").body != v.encode()]
    assert wrong == []


def test_paths_lead_to_their_files(directory: Path) -> None:
    """A file of any name is found, and so is one in a directory of any name."""
    names = dict(enumerate(hostile.some(is_name, 200)))
    (directory / "files").mkdir()
    nodes = []
    for number, name in names.items():
        path = directory / "files" / name
        path.mkdir()
        (path / "file").write_text(str(number))
        start = nginx.argument(f"from={path}", "disable_symlinks")
        nodes.append(
            block(
                "location",
                Raw("^~"),
                f"/{number}/",
                why=WHY,
                children=[
                    directive("alias", f"{path}/", why=WHY),
                    directive("disable_symlinks", "on", Raw(start), why=WHY),
                ],
            )
        )
    with bare_nginx(directory, nodes) as server:
        wrong = [
            name for n, name in names.items() if server.get(f"/{n}/file").body != str(n).encode()
        ]
    assert wrong == []


def test_locations_match_their_urls(directory: Path) -> None:
    """A URL of any text has its own location, by name and by pattern; a dollar is allowed there."""
    names = dict(enumerate(hostile.some(_is_url, 200)))
    nodes = []
    for number, name in names.items():
        for kind, where in (("=", f"/name/{name}"), ("~", f"^/pattern/{nginx.regex(name)}$")):
            answer = directive("return", 200, str(number), why=WHY)
            nodes.append(block("location", Raw(kind), where, children=[answer], why=WHY))
    with bare_nginx(directory, nodes) as server:
        wrong = [
            name
            for number, name in names.items()
            for kind in ("name", "pattern")
            if server.get(f"/{kind}/{quote(name, safe='')}").body != str(number).encode()
        ]
    assert wrong == []


def _is_url(value: str) -> bool:
    """A segment that nginx keeps: it goes up at ``..``, and a slash divides."""
    return hostile.is_file_name(value) and is_spoken(value.replace("$", "")) and bool(value.strip())


def test_headers_come_back_exactly(directory: Path) -> None:
    """A header of an answer has the value that was written."""
    values = dict(enumerate(hostile.some(lambda v: is_spoken(v) and v == v.strip() != "", 200)))
    nodes = []
    for number, value in values.items():
        header = directive("add_header", "X-Value", value, "always", why=WHY)
        nodes.append(_at(number, header, directive("return", 204, why=WHY)))
    with bare_nginx(directory, nodes) as server:
        seen = {n: server.get(f"/{n}").headers["X-Value"] or "" for n in values}
    wrong = [v for n, v in values.items() if seen[n].encode("latin-1") != v.encode()]
    assert wrong == []


def test_roots_and_logs_have_any_name(directory: Path) -> None:
    """Files are looked for in exactly that directory, and lines written to exactly that file."""
    names = dict(enumerate(hostile.some(is_name, 100)))
    (directory / "logs").mkdir()
    if user := harness.server_user():
        shutil.chown(directory / "logs", user)
    nodes = []
    for number, name in names.items():
        home = directory / "files" / name / str(number)
        home.mkdir(parents=True)
        (home / "file").write_text(str(number))
        children: list[Node] = [
            directive("root", str(home.parent), why=WHY),
            directive("access_log", str(directory / "logs" / name), why=WHY),
            directive("error_log", str(directory / "logs" / name), Raw("info"), why=WHY),
            directive("try_files", Raw("$uri"), Raw("=404"), why=WHY),
        ]
        nodes.append(block("location", f"/{number}/", children=children, why=WHY))
    with bare_nginx(directory, nodes) as server:
        wrong = [
            name for n, name in names.items() if server.get(f"/{n}/file").body != str(n).encode()
        ]
    assert wrong == []
    assert {path.name for path in (directory / "logs").iterdir()} == set(names.values())


def test_certificates_are_read_from_files_of_any_name(directory: Path) -> None:
    """nginx does not start unless each of them is found."""
    names = hostile.some(is_name, 100)
    issued = trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.bytes()
    nodes: list[Node] = [directive("return", 204, why=WHY)]
    for name in names:
        path = directory / "certificates" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(issued)
        nodes.append(directive("ssl_certificate", str(path), why=WHY))
        nodes.append(directive("ssl_certificate_key", str(path), why=WHY))
    port = harness.free_port()
    nodes.append(directive("listen", Raw(f"127.0.0.1:{port}"), Raw("ssl"), why=WHY))
    with bare_nginx(directory, nodes) as server:
        assert server.get("/").status == 204


def test_sockets_are_found_under_any_name(directory: Path) -> None:
    """A request reaches the application that listens at exactly this path."""
    names = hostile.some(lambda value: is_name(value) and len(value.encode()) < 64, 80)
    with contextlib.ExitStack() as running:
        upstreams, nodes = [], []
        for number, name in enumerate(names):
            path = directory / "sockets" / str(number) / name
            path.parent.mkdir(parents=True)
            if ":" in name:  # Refused by the choice, and by the renderer.
                continue
            running.enter_context(listening(path))
            where = directive("server", f"unix:{path}", why=WHY)
            upstreams.append(block("upstream", f"app{number}", children=[where], why=WHY))
            nodes.append(_at(number, directive("proxy_pass", f"http://app{number}", why=WHY)))
        with bare_nginx(directory, nodes, upstreams) as front:
            found = {n: front.get(f"/{n}").body for n, name in enumerate(names) if ":" not in name}
    assert found == {n: name.encode() for n, name in enumerate(names) if ":" not in name}


@pytest.fixture(params=PROXIED, ids=str, scope="module")
def proxied(request: pytest.FixtureRequest) -> Stack:
    """Every gateway of nginx, with what stands behind it."""
    stack: Stack = request.param
    stack.require()
    return stack


def _home(public: Path, stack: Stack, name: str) -> Path:
    return public / f"nginx-{name}-{stack.label.replace('/', '-')}"


def test_data_arrives_exactly(public: Path, proxied: Stack) -> None:
    """Data is never syntax; credentials arrive where they are read."""
    more = SETTINGS.format(data=DATA)
    project = small_projects.make(_home(public, proxied, "values"), {"hostile": more})
    (project.directory / "hostile" / "urls.py").write_text(URLS)
    with harness.deployrun(project, *proxied.arguments) as server:
        seen = server.get("/", ("Authorization", "Basic eDp5"), ("Formats", "evil")).json
    assert {key: seen[key].encode("latin-1").decode() for key in DATA} == DATA
    assert seen["HTTP_AUTHORIZATION"] == "Basic eDp5"


def test_the_host_is_the_one_that_was_chosen_by(public: Path, proxied: Stack) -> None:
    """A request line that names a host wins over the Host header (RFC 9112 3.2.2)."""
    project = small_projects.make(_home(public, proxied, "host"), {"named": ""})
    (project.directory / "named" / "urls.py").write_text(URLS)
    with harness.deployrun(project, *proxied.arguments) as server:
        for host in ("evil.example", "localhost:1234", "LOCALHOST"):
            seen = server.request("GET", "http://localhost/x", [("Host", host)]).json
            assert seen["HTTP_HOST"] == ("localhost" if "evil" in host else host)
        answer = server.request("GET", "http://evil.example/x", [("Host", "localhost")])
        assert answer.status == 403


@pytest.mark.parametrize(
    "names", [("example.com", ".example.com"), (".example.com", "example.com")], ids=str
)
def test_a_name_and_all_below_it_are_answered(names: tuple[str, ...]) -> None:
    """ALLOWED_HOSTS may say a name twice, with and without a dot; nginx would drop the dot's."""
    harness.require("nginx", installed.binary())
    site = cases.site(hosts=Hosts(names=names))
    with emitted.front("nginx", "http", site, Address("127.0.0.1", 9)) as server:
        found = {
            host: server.get("/", ("Host", host)).status
            for host in ("example.com", "www.example.com", "a.www.example.com", "evil.example")
        }
    away = 502  # Nobody listens behind it: it is the application's turn.
    assert list(found.values()) == [away, away, away, 403]


def test_an_application_that_is_away_costs_nothing_but_its_answers(
    public: Path, proxied: Stack
) -> None:
    """502 comes at once, and the first request after its return is answered."""
    home = _home(public, proxied, "away")
    project = small_projects.make(home, {"away": ""})
    path = home / "sockets" / "a b'%20~.sock"
    path.parent.mkdir()
    if user := harness.server_user():
        shutil.chown(path.parent, user)
    with harness.deployrun(project, *proxied.arguments, "--set", f"socket={path}") as server:
        assert server.get("/").status == 200
        path.rename(path.with_suffix(".away"))
        started = time.monotonic()
        assert server.get("/").status == 502
        assert time.monotonic() - started < 5
        path.with_suffix(".away").rename(path)
        assert server.get("/").status == 200
