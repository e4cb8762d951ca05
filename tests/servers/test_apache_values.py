"""Hostile values in every kind of argument that the Apache renderer uses, read back live.

A value comes back byte for byte, or it was refused with the name of its setting, and only for a
reason that its place gives. Nothing is ever silently something else.
"""

from __future__ import annotations

import re
import ssl
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
import trustme

from django_deploykit.config.servers.apache.dialect import dialect
from django_deploykit.config.syntax.apache import regex
from django_deploykit.config.syntax.nodes import (
    Argument,
    Format,
    Glob,
    Node,
    Option,
    Raw,
    Substitution,
    block,
    directive,
)
from django_deploykit.config.syntax.printer import print_lines
from django_deploykit.exceptions import UnrepresentableValue
from tests.servers import harness
from tests.servers.apache_process import apache, logged_lines, wsgi_modules
from tests.servers.harness import Response, Server
from tests.syntax import hostile

WHY = "for this test"

# What has to be refused, by place. Whatever does not match has to come back exactly.
UNSPEAKABLE = r"[\x00-\x1f\x7f\ud800-\udfff]"
LITERAL = rf"{UNSPEAKABLE}|\$\{{"
FORMAT = rf"{LITERAL}|\A[eE][xX][pP][rR]="
GLOB = rf"{LITERAL}|[*?\[\]\\]|\A~\Z"
DIRECTORY = rf"{LITERAL}|[*?\[\]\\]"
URL_TARGET = rf"{LITERAL}|[?#]"
REWRITE = rf'{URL_TARGET}|"'
LONGEST = 8192

APPLICATION = '''
import json, os, sys

def application(environ, start_response):
    seen = {key: value for key, value in environ.items() if key.startswith("V_")}
    seen |= {key: environ[key] for key in ("SCRIPT_NAME", "PATH_INFO", "mod_wsgi.process_group")}
    seen |= {"FILE": spell(__file__), "CWD": spell(os.getcwd()), "PREFIX": spell(sys.prefix)}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({**seen, "SYS_PATH": [spell(path) for path in sys.path]}).encode()]

def spell(path):
    return os.fsencode(path).decode("latin-1")  # as WSGI does with every string (PEP 3333)
'''  # fmt: skip

Spell = Callable[[int, str, str], list[Node]]


@dataclass(frozen=True)
class Trial:
    """The values that have a spelling, by number, and the nodes that carry them."""

    values: dict[int, str]
    nodes: list[Node]

    def wrong(
        self, read: Callable[[int, str], object], wanted: Callable[[int, str], object]
    ) -> list[tuple[str, object, object]]:
        """The first values that came back as something else: what was written, read, wanted."""
        compared = ((v, read(n, v), wanted(n, v)) for n, v in self.values.items())
        return list(islice(((v, got, want) for v, got, want in compared if got != want), 5))


def attempt(values: Sequence[str], spell: Spell, refusable: str) -> Trial:
    """Write each value; it is refused, naming its setting, if and only if it has to be."""
    trial = Trial({}, [])
    for number, value in enumerate(values):
        nodes = spell(number, value, f"SETTING_{number}")
        if _has_to_be_refused(value, refusable):
            with pytest.raises(UnrepresentableValue) as refusal:
                list(print_lines(nodes, dialect))
            assert refusal.value.setting == f"SETTING_{number}"
        else:
            list(print_lines(nodes, dialect))
            trial.values[number] = value
            trial.nodes.extend(nodes)
    return trial


def _has_to_be_refused(value: str, refusable: str) -> bool:
    size = len(value.encode("utf-8", "surrogatepass"))
    return size > LONGEST or bool(re.search(refusable, value))


def nastiest(count: int, unusable: str = LITERAL) -> list[str]:
    """File names with edges that matter, and those with the most different characters."""
    names = [
        value
        for value in hostile.values()
        if hostile.is_file_name(value) and not re.search(rf"{DIRECTORY}|{unusable}", value)
    ]
    edges = ["blank at the end ", " at the start", 'it\'s "quoted"', "%{GLOBAL} $1 &#", "日本 é"]
    return [*edges, *sorted(names, key=lambda name: -len(set(name)))[: count - len(edges)]]


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory of this test's own that the web server's user can enter."""
    with harness.public_directory() as directory:
        yield directory


@pytest.fixture(params=wsgi_modules() or [None], ids=lambda module: module and module.stem)
def wsgi(request: pytest.FixtureRequest) -> Path:
    """Each mod_wsgi that is installed here for this Python."""
    harness.require("mod_wsgi", request.param)
    module: Path = request.param
    return module


def granted(directory: Path, *more: Node) -> Node:
    """Open a directory to everybody."""
    access = directive("Require", "all", "granted", why=WHY)
    return block("Directory", Glob(str(directory)), children=[access, *more], why=WHY)


def mark(number: int) -> Node:
    """Say which block a response came through; two blocks would leave two numbers."""
    value = Format(str(number))
    return directive("Header", "always", "append", "X-Block", value, why=WHY)


def daemon(script: Path, *options: Option, name: str = "site", at: str = "/") -> list[Node]:
    """One process of mod_wsgi that answers below a URL."""
    process = [Option("lang", "C.UTF-8"), Option("locale", "C.UTF-8"), *options]
    return [
        directive("WSGIDaemonProcess", name, *process, why=WHY),
        directive("WSGIScriptAlias", at, str(script), *groups(name), why=WHY),
    ]


def groups(name: str = "site") -> list[Option]:
    return [Option("process-group", name), Option("application-group", "%{GLOBAL}")]


def make_files(paths: Iterable[tuple[Path, object]]) -> None:
    """Write each file, with the directories above it."""
    for path, content in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(content))


def url(value: str) -> str:
    """A value as one segment of a URL."""
    return quote(value, safe="")


def headers_as_sent(server: Server, path: str) -> dict[str, bytes]:
    """The headers of a response, byte for byte."""
    with server.connect() as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    lines = received.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    pairs = [line.partition(b": ") for line in lines]
    return {name.decode(): value for name, _, value in pairs}


def block_and_text(response: Response) -> tuple[str | None, str]:
    """The blocks a response came through, and its body."""
    return response.headers["X-Block"], response.text


def answer(response: Response) -> dict[str, Any]:
    """What the WSGI application says it saw: its bytes, read as UTF-8."""
    assert response.status == 200, response.body
    return {key: _utf8(value) for key, value in response.json.items()}


def _utf8(value: str | list[str]) -> str | list[str]:
    if isinstance(value, list):
        return [str(_utf8(part)) for part in value]
    return value.encode("latin-1").decode("utf-8", "surrogateescape")


def test_setenv_reaches_the_application_exactly(directory: Path, wsgi: Path) -> None:
    """``SetEnv`` hands the application the very bytes that the setting holds."""
    (directory / "wsgi.py").write_text(APPLICATION)

    def spell(number: int, value: str, setting: str) -> list[Node]:
        return [directive("SetEnv", f"V_{number}", value, why=WHY, setting=setting)]

    trial = attempt(hostile.values(), spell, LITERAL)
    nodes = [*trial.nodes, *daemon(directory / "wsgi.py"), granted(directory)]
    with apache(directory, nodes, wsgi=wsgi) as server:
        seen = answer(server.get("/"))
    assert not trial.wrong(lambda number, _: seen[f"V_{number}"], lambda _, value: value)


def test_header_is_sent_exactly(directory: Path) -> None:
    """``Header set`` sends a value with ``%`` and backslashes without expanding any."""

    def spell(number: int, value: str, setting: str) -> list[Node]:
        header = "always", "set", f"V-{number}", Format(value)
        return [directive("Header", *header, why=WHY, setting=setting)]

    trial = attempt(hostile.values(), spell, FORMAT)
    with apache(directory, trial.nodes) as server:
        sent = headers_as_sent(server, "/")
    assert not trial.wrong(lambda number, _: sent[f"V-{number}"], lambda _, value: value.encode())


def test_alias_maps_exactly(directory: Path) -> None:
    """``Alias`` takes URL and directory literally, whatever they hold."""
    root = directory / "files"

    def spell(number: int, value: str, setting: str) -> list[Node]:
        where = f"/{number}/{value}/", f"{root / value}/"
        return [directive("Alias", *where, why=WHY, setting=setting)]

    trial = attempt(hostile.some(hostile.is_file_name, 1500), spell, LITERAL)
    make_files((root / value / "page", number) for number, value in trial.values.items())
    with apache(directory, [*trial.nodes, granted(root)]) as server:
        assert not trial.wrong(
            lambda number, value: server.get(f"/{number}/{url(value)}/page").text,
            lambda number, _: str(number),
        )


def test_directory_block_holds_for_its_own_directory_only(directory: Path) -> None:
    """``<Directory>`` opens the one directory that is named, and no other one."""
    root = directory / "files"

    def spell(number: int, value: str, setting: str) -> list[Node]:
        children = [directive("Require", "all", "granted", why=WHY), mark(number)]
        path = Glob(str(root / value))
        return [block("Directory", path, children=children, why=WHY, setting=setting)]

    trial = attempt(hostile.some(hostile.is_file_name, 1000), spell, DIRECTORY)
    make_files((root / value / "page", number) for number, value in trial.values.items())
    alias = directive("Alias", "/", f"{root}/", why=WHY)
    with apache(directory, [*trial.nodes, alias]) as server:
        assert not trial.wrong(
            lambda _, value: block_and_text(server.get(f"/{url(value)}/page")),
            lambda number, _: (str(number), str(number)),
        )


@pytest.mark.parametrize(
    ("name", "spelled", "refusable"),
    [
        pytest.param("Files", Glob, GLOB, id="Files"),
        pytest.param(
            "FilesMatch", lambda value: f"^(?:{regex(value)})$", UNSPEAKABLE, id="FilesMatch"
        ),
    ],
)
def test_files_block_holds_for_its_own_file_only(
    directory: Path, name: str, spelled: Callable[[str], Argument], refusable: str
) -> None:
    """``<Files>`` and ``<FilesMatch>`` hold for the one name that is given, and no other one."""
    root = directory / "files"

    def spell(number: int, value: str, setting: str) -> list[Node]:
        children = [mark(number)]
        return [block(name, spelled(value), children=children, why=WHY, setting=setting)]

    trial = attempt(hostile.some(hostile.is_file_name, 1000), spell, refusable)
    make_files((root / value, number) for number, value in trial.values.items())
    alias = directive("Alias", "/", f"{root}/", why=WHY)
    with apache(directory, [granted(root, *trial.nodes), alias]) as server:
        assert not trial.wrong(
            lambda _, value: block_and_text(server.get(f"/{url(value)}")),
            lambda number, _: (str(number), str(number)),
        )


def test_location_match_holds_for_its_own_url_only(directory: Path) -> None:
    """``<LocationMatch>`` with an escaped value matches that URL, and no other one."""

    def spell(number: int, value: str, setting: str) -> list[Node]:
        pattern, children = f"^/{regex(value)}$", [mark(number)]
        return [block("LocationMatch", pattern, children=children, why=WHY, setting=setting)]

    trial = attempt(hostile.some(hostile.is_file_name, 1000), spell, UNSPEAKABLE)
    gone = directive("Redirect", 410, "/", why="answers every URL")
    with apache(directory, [*trial.nodes, gone]) as server:
        assert not trial.wrong(
            lambda _, value: headers_as_sent(server, f"/{url(value)}").get("X-Block"),
            lambda number, _: str(number).encode(),
        )


def test_redirect_match_finds_and_builds_exactly(directory: Path) -> None:
    """``RedirectMatch`` matches an escaped URL and leads to a literal one around a group."""

    def spell(number: int, value: str, setting: str) -> list[Node]:
        pattern = f"^/{number}/{regex(value)}/(.+)$"
        target = Substitution((f"/{number}/{value}/", 1, f"/{value}/"))
        return [directive("RedirectMatch", "permanent", pattern, target, why=WHY, setting=setting)]

    trial = attempt(hostile.some(hostile.is_file_name, 1000), spell, URL_TARGET)
    with apache(directory, trial.nodes) as server:
        assert not trial.wrong(
            lambda number, value: _path(headers_as_sent(server, f"/{number}/{url(value)}/kept")),
            lambda number, value: f"/{number}/{value}/kept/{value}/".encode(),
        )


def _path(headers: dict[str, bytes]) -> bytes:
    """The path that a redirect leads to; a query or a fragment would not belong to it."""
    location = headers["Location"].removeprefix(b"http://localhost")
    return unquote_to_bytes(re.sub(rb"[?#].*", b"", location))


def test_redirect_leads_to_the_literal_target(directory: Path) -> None:
    """``Redirect`` with three arguments takes URL and target as they are, and keeps the rest."""

    def spell(number: int, value: str, setting: str) -> list[Node]:
        where = f"/{number}/{value}/", f"https://example.com/{value}/"
        return [directive("Redirect", "permanent", *where, why=WHY, setting=setting)]

    trial = attempt(hostile.some(hostile.is_file_name, 1000), spell, LITERAL)
    with apache(directory, trial.nodes) as server:
        assert not trial.wrong(
            lambda number, value: headers_as_sent(server, f"/{number}/{url(value)}/kept")[
                "Location"
            ],
            lambda _, value: f"https://example.com/{value}/kept".encode(),
        )


def test_rewrite_finds_files_and_urls_exactly(directory: Path) -> None:
    """mod_rewrite, which has a parser of its own, tests and chooses the literal path and URL."""
    root = directory / "files"

    def spell(number: int, value: str, setting: str) -> list[Node]:
        at, where = f"/{number}/{value}/", f"{root / value}/"
        twin, target = Substitution((where, 1, ".br")), Substitution((at, 1, ".br"))
        rule = f"^{regex(at)}(.+)$", target, Raw("[PT]")
        return [
            directive("Alias", at, where, why=WHY, setting=setting),
            directive("RewriteCond", twin, "-f", why=WHY, setting=setting),
            directive("RewriteRule", *rule, why=WHY, setting=setting),
        ]

    trial = attempt(hostile.some(hostile.is_file_name, 1000), spell, REWRITE)
    for number, value in trial.values.items():
        make_files([(root / value / "page", "plain"), (root / value / "page.br", number)])
    engine = directive("RewriteEngine", "On", why=WHY)
    with apache(directory, [engine, *trial.nodes, granted(root)]) as server:
        assert not trial.wrong(
            lambda number, value: server.get(f"/{number}/{url(value)}/page").text,
            lambda number, _: str(number),
        )


@pytest.mark.parametrize(
    ("accepted", "matches"),
    [
        ("br", True),
        ("gzip, br", True),
        ("gzip,br;q=0.5, deflate", True),
        ("br ; q=0", False),
        ("gzip, br;q=0.000", False),
        ("brotli", False),
        ("s", False),
    ],
)
def test_rewrite_condition_keeps_backslashes(directory: Path, accepted: str, matches: bool) -> None:
    """A pattern with backslashes means in mod_rewrite what it says, though it is quoted."""
    pattern = r"(?:^|[\s,])br(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))(?:[\s;,]|$)"
    nodes = [
        directive("RewriteEngine", "On", why=WHY),
        directive("RewriteCond", Raw("%{HTTP:Accept-Encoding}"), pattern, why=WHY),
        directive("RewriteRule", "^/page$", "-", Raw("[G]"), why=WHY),
    ]
    with apache(directory, nodes) as server:
        gone = server.get("/page", ("Accept-Encoding", accepted)).status == 410
    assert gone is matches


def test_script_alias_runs_the_script_exactly(directory: Path, wsgi: Path) -> None:
    """``WSGIScriptAlias`` and its Match form run the literal script below the literal URL."""
    root = directory / "files"

    def script_of(number: int, value: str) -> Path:
        # mod_wsgi takes paths that differ in case alone for one script: hence the number.
        return root / str(number) / value / "wsgi.py"

    def spell(number: int, value: str, setting: str) -> list[Node]:
        script, mount = str(script_of(number, value)), f"/{number}{value}"
        pattern = f"^/match{regex(mount)}(/(?:{regex(value)})(?:/.*)?)$"
        matched = pattern, Substitution((script, 1)), *groups()
        return [
            directive("WSGIScriptAlias", mount, script, *groups(), why=WHY, setting=setting),
            directive("WSGIScriptAliasMatch", *matched, why=WHY, setting=setting),
        ]

    trial = attempt(hostile.some(hostile.is_file_name, 400), spell, LITERAL)
    make_files((script_of(number, value), APPLICATION) for number, value in trial.values.items())
    process = daemon(directory / "unused.py", at="/unused")
    with apache(directory, [*process, *trial.nodes, granted(root)], wsgi=wsgi) as server:
        assert not trial.wrong(
            lambda number, value: _script_and_url(server.get(f"/{number}{url(value)}/below")),
            lambda number, value: (str(script_of(number, value)), f"/{number}{value}", "/below"),
        )
        assert not trial.wrong(
            lambda number, value: _script_and_url(
                server.get(f"/match/{number}{url(value)}/{url(value)}/below")
            ),
            lambda number, value: (
                str(script_of(number, value)),
                f"/match/{number}{value}",
                f"/{value}/below",
            ),
        )


def _script_and_url(response: Response) -> tuple[str, str, str]:
    seen = answer(response)
    return seen["FILE"], seen["SCRIPT_NAME"], seen["PATH_INFO"]


def test_daemon_options_arrive_exactly(directory: Path, wsgi: Path) -> None:
    """A process group works in, and imports from, the literal directories."""
    root = directory / "files"
    (directory / "wsgi.py").write_text(APPLICATION)

    def spell(number: int, value: str, setting: str) -> list[Node]:
        home = str(root / value)
        options = {"home": home, "python-path": home, "python-home": f"{home}/python"}
        process = [Option(key, value) for key, value in options.items()]
        nodes = daemon(directory / "wsgi.py", *process, name=f"site{number}", at=f"/{number}")
        return nodes

    trial = attempt(nastiest(9, unusable=":"), spell, LITERAL)
    for value in trial.values.values():
        (root / value).mkdir(parents=True)
        (root / value / "python").symlink_to(sys.prefix)
    with apache(directory, [*trial.nodes, granted(directory)], wsgi=wsgi) as server:
        assert not trial.wrong(
            lambda number, _: _process(server.get(f"/{number}")),
            lambda number, value: (
                f"site{number}",
                str(root / value),
                True,
                str(root / value / "python"),
            ),
        )


def _process(response: Response) -> tuple[object, ...]:
    """The group of a process, where it works, whether it imports from there, and its Python."""
    seen = answer(response)
    imports = seen["CWD"] in seen["SYS_PATH"]
    return seen["mod_wsgi.process_group"], seen["CWD"], imports, seen["PREFIX"]


def test_embedded_python_imports_from_the_literal_directory(directory: Path, wsgi: Path) -> None:
    """``WSGIPythonPath`` takes the literal directory, ``WSGIPythonHome`` an ASCII one.

    No locale is set in Apache's own processes when Python reads its home.
    """
    path = directory / "".join(nastiest(9, unusable=":"))[:80]
    home = directory / re.sub(r"[^ -~]", "", path.name)
    for made in (path, home):
        made.mkdir()
    (home / "python").symlink_to(sys.prefix)
    (directory / "wsgi.py").write_text(APPLICATION)
    nodes = [
        directive("WSGIPythonHome", str(home / "python"), why=WHY),
        directive("WSGIPythonPath", str(path), why=WHY),
        directive(
            "WSGIScriptAlias", "/", str(directory / "wsgi.py"), *groups("%{GLOBAL}"), why=WHY
        ),
        granted(directory),
    ]
    with apache(directory, nodes, wsgi=wsgi, lang="C.UTF-8") as server:
        seen = answer(server.get("/"))
    assert seen["PREFIX"] == str(home / "python")
    assert str(path) in seen["SYS_PATH"]


def test_hosts_log_and_serve_where_they_are_told(directory: Path) -> None:
    """``DocumentRoot``, ``ErrorLog`` and ``CustomLog`` use the literal directories."""
    root = directory / "files"

    def spell(number: int, value: str, setting: str) -> list[Node]:
        places = {
            "DocumentRoot": (str(root / value),),
            "ErrorLog": (str(root / value / "error.log"),),
            "CustomLog": (str(root / value / "access.log"), r'%>s "%r" "%{User-Agent}i"'),
        }
        name = directive("ServerName", f"v{number}.example", why=WHY)
        children = [directive(key, *args, why=WHY, setting=setting) for key, args in places.items()]
        return [block("VirtualHost", Raw("*:*"), children=[name, *children], why=WHY)]

    trial = attempt(hostile.some(hostile.is_file_name, 250), spell, LITERAL)
    make_files((root / value / "page", number) for number, value in trial.values.items())
    denied = [directive("Require", "all", "denied", why=WHY)]
    secret = block("Files", "error.log", children=denied, why=WHY)
    with apache(directory, [*trial.nodes, granted(root, secret)]) as server:

        def visit(number: int, value: str) -> tuple[str, list[str], bool]:
            host = ("Host", f"v{number}.example")
            text = server.get("/page", host, ("User-Agent", 'a"b')).text
            server.get("/error.log", host)
            accesses = logged_lines(root / value / "access.log", 2)
            return text, accesses, "AH01630" in (root / value / "error.log").read_text()

        lines = [r'200 "GET /page HTTP/1.1" "a\"b"', '403 "GET /error.log HTTP/1.1" "-"']
        assert not trial.wrong(visit, lambda number, _: (str(number), lines, True))


def test_certificates_are_read_from_the_literal_paths(directory: Path) -> None:
    """``SSLCertificateFile`` and ``SSLCertificateKeyFile`` read the files of the literal names."""
    root, authority = directory / "files", trustme.CA()

    def spell(number: int, value: str, setting: str) -> list[Node]:
        where, key = str(root / value / value), str(root / value / "key")
        children = [
            directive("ServerName", f"v{number}.example", why=WHY),
            directive("SSLEngine", "on", why=WHY),
            directive("SSLCertificateFile", where, why=WHY, setting=setting),
            directive("SSLCertificateKeyFile", key, why=WHY, setting=setting),
        ]
        return [block("VirtualHost", Raw("*:*"), children=children, why=WHY)]

    trial = attempt(nastiest(20), spell, LITERAL)
    for number, value in trial.values.items():
        issued = authority.issue_cert(f"v{number}.example")
        (root / value).mkdir(parents=True)
        issued.cert_chain_pems[0].write_to_path(root / value / value)
        issued.private_key_pem.write_to_path(root / value / "key")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with apache(directory, trial.nodes, modules=["ssl", "socache_shmcb"]) as server:

        def name_on_certificate(number: int, value: str) -> object:
            name = f"v{number}.example"
            with server.connect() as raw, context.wrap_socket(raw, server_hostname=name) as secure:
                return dict(secure.getpeercert() or {})["subjectAltName"]

        expected = lambda number, _: (("DNS", f"v{number}.example"),)  # noqa: E731
        assert not trial.wrong(name_on_certificate, expected)


def test_a_private_server_runs_out_of_any_directory(directory: Path, wsgi: Path) -> None:
    """``ServerRoot``, ``PidFile``, ``LoadModule``, ``Include`` and others take any path."""
    home = directory / "".join(nastiest(9))[:80]
    home.mkdir()
    (home / "mod wsgi.so").symlink_to(wsgi)
    (home / "included.conf").write_text('Redirect 410 "/"\n')
    nodes = [directive("Include", Glob(str(home / "included.conf")), why=WHY)]
    with apache(home, nodes, wsgi=home / "mod wsgi.so") as server:
        assert server.get("/").status == 410
        assert (home / "httpd.pid").read_text() == f"{server.process.pid}\n"
