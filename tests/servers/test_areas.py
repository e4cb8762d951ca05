"""SITE["AUTH_AREAS"] through the very configuration that is written: who gets in, and who never."""

from __future__ import annotations

import contextlib
import functools
import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from django_deploykit import contract
from django_deploykit.config.facts import Area, Mount
from django_deploykit.config.values import Address
from tests import cases
from tests.servers import backends, emitted, harness
from tests.servers.guarded import Guarded, basic, guarded, is_secret
from tests.servers.harness import Response, Server
from tests.servers.stacks import STACKS, Stack, proxying
from tests.servers.stacks import apache as apache_stack

_SETTINGS = """
import os

# What projects say that stand behind another proxy: a policy is not to be told by a client.
USE_X_FORWARDED_HOST = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
ROOT_URLCONF = "shop.area_urls"
LOGIN_URL = "login"
FORCE_SCRIPT_NAME = os.environ.get("PREFIX") or None
DEPLOYKIT["AUTH"]["POLICIES"] = {
    "press": "group:rédaction", "shown": "shop.rules.shown", "honest": "shop.rules.honest"
}
DEPLOYKIT["SITE"] = {
    "AUTH_AREAS": {
        "/files/": {"POLICY": "active", "DIRECTORY": BASE_DIR / "files/basic"},
        "/staff/": {"POLICY": "staff", "DIRECTORY": BASE_DIR / "files/staff"},
        "/shown/": {"POLICY": "shown", "DIRECTORY": BASE_DIR / "files/shown"},
        "/honest/": {"POLICY": "honest", "DIRECTORY": BASE_DIR / "files/honest"},
    },
}
# Only Apache guards what Django answers; it tells who it is, but over HTTP.
if os.environ.get("FRONT") == "apache":
    DEPLOYKIT["SITE"]["AUTH_AREAS"].update({"/reports/": "staff", "/press/": "press"})
"""

# Every URL is answered with what Django was told.
_URLS = """
from django.http import JsonResponse
from django.urls import re_path

from django_deploykit.views import AuthRequestView


def told(request):
    said = {key: value for key, value in request.META.items() if isinstance(value, str)}
    said = {key: value for key, value in said.items() if "USER" in key or "AUTH" in key}
    return JsonResponse({"path": request.path_info, **said})


urlpatterns = [
    re_path("^auth/active/$", AuthRequestView.as_view()),
    re_path("^auth/honest/$", AuthRequestView.as_view(policy="honest")),
    re_path("^auth/press/$", AuthRequestView.as_view(policy="press")),
    re_path("^auth/shown/$", AuthRequestView.as_view(policy="shown")),
    re_path("^auth/staff/$", AuthRequestView.as_view(policy="staff")),
    re_path("^accounts/login/$", told, name="login"),
    re_path("", told),
]
"""


def _prefixed(stacks: list[Stack], *prefixes: str) -> list[tuple[Stack, str]]:
    """Each once, at the root or below a prefix in turn."""
    return list(zip(stacks, itertools.cycle(prefixes or ("", "/app")), strict=False))


HOOKS = _prefixed([one for one in STACKS.values() if one.gateway.startswith("mod_wsgi")])
NGINX = _prefixed(proxying("nginx", "http", "uwsgi", "fastcgi", "scgi"))
# The choice alone counts: deployrun makes a socket of its own.
_CHOSEN = ("authorizer=/run/shop.sock",)
ASKED = [(replace(NGINX[0][0], label="nginx/authorizer", choices=_CHOSEN), "/app")]
# Over FastCGI the authorizer's own directives meet those of the application.
ASKING = _prefixed(proxying("apache", "fastcgi", "http", "cgi"))
LIGHTTPD = _prefixed(proxying("lighttpd", "fastcgi", "http"))


@dataclass(frozen=True)
class Web:
    """A server with areas, and the people who may come."""

    stack: Stack
    server: Server
    people: Guarded

    def get(self, path: str, *headers: tuple[str, str], method: str = "GET") -> Response:
        return self.server.get(path, *headers, method=method)


@pytest.fixture(scope="module")
def people(public: Path) -> Guarded:
    found = guarded(public / "areas")
    path = found.project.directory / "shop/settings.py"
    path.write_text(path.read_text() + _SETTINGS)
    found.project.write("shop/area_urls.py", _URLS)
    for name in ("shown/1", "shown/hidden/2", "honest/1"):
        file = found.files / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"secret {name}")
    return found


def _name(param: tuple[Stack, str]) -> str:
    return f"{param[0]}{param[1]}"


Running = Callable[[tuple[Stack, str]], Web]


@pytest.fixture(scope="module")
def running(people: Guarded) -> Iterator[Running]:
    """Runs a stack as deployrun does, once for all tests that want it."""
    with contextlib.ExitStack() as servers:

        @functools.cache
        def run(param: tuple[Stack, str]) -> Web:
            stack, prefix = param
            stack.require()
            project = harness.Project(people.project.directory)
            environ = {"PREFIX": prefix, "FRONT": stack.target}
            started = harness.deployrun(project, *stack.arguments, prefix=prefix, environ=environ)
            return Web(stack, servers.enter_context(started), people)

        yield run


@pytest.fixture(scope="module", params=[*HOOKS, *NGINX, *ASKED, *ASKING, *LIGHTTPD], ids=_name)
def web(request: pytest.FixtureRequest, running: Running) -> Web:
    """Every front that guards files."""
    return running(request.param)


@pytest.fixture(scope="module", params=[*NGINX, *ASKED], ids=_name)
def nginx(request: pytest.FixtureRequest, running: Running) -> Web:
    """Every way from nginx to its endpoint, or to an authorizer."""
    return running(request.param)


@pytest.fixture(scope="module", params=[*HOOKS, *ASKING], ids=_name)
def apache(request: pytest.FixtureRequest, running: Running) -> Web:
    """Every one that guards what Django answers, too."""
    return running(request.param)


@pytest.fixture(scope="module", params=[*NGINX, *ASKED, *ASKING, *LIGHTTPD], ids=_name)
def sessions(request: pytest.FixtureRequest, running: Running) -> Web:
    """Every one that opens an area to a session, too, or shows the way to log in."""
    return running(request.param)


def test_files_for_those_who_know_a_password(web: Web) -> None:
    """200 with the right one, in any script; 401 with a wrong one, and with none."""
    for name in ("alice", "zoé"):
        response = web.get("/files/1.txt", basic(name))
        assert (response.status, is_secret(response)) == (200, True)
        assert response.headers["Cache-Control"] == "private, no-cache"
    for headers in ([], [basic("alice", "wrong")], [basic("bob")], [basic("nobody")]):
        response = web.get("/files/1.txt", *headers)
        assert (response.status, is_secret(response)) == (401, False)
        assert response.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_the_right_password_is_not_enough(web: Web) -> None:
    """403 for whom the policy does not hold: not 401 again, and never 200 (R40)."""
    assert is_secret(web.get("/staff/1.txt", basic("alice")))
    assert web.get("/staff/1.txt", basic("zoé")).status == 403
    assert web.get("/staff/1.txt", basic("alice", "wrong")).status == 401


def test_nothing_of_the_files_without_a_file(web: Web) -> None:
    """No listing, no dot-file, nothing beside the directory."""
    for path in ("/files/", "/files/.git/config", "/files/../staff/1.txt", "/files%2f..%2fstaff/"):
        assert web.get(path, basic("zoé")).status in (403, 404)


def test_a_body_makes_no_difference(web: Web) -> None:
    """Of who may send one, no more than the head is looked at; Apache answers with the file."""
    for headers, allowed in (([], {401}), ([basic("zoé")], {200, 405})):
        assert web.server.post("/files/1.txt", b"x" * 70_000, *headers).status in allowed


def test_pages_of_django(apache: Web) -> None:
    """The password comes before Django."""
    assert apache.get("/reports/", basic("alice")).status == 200
    assert apache.get("/reports/", basic("zoé")).status == 403
    assert apache.get("/reports/", basic("alice", "wrong")).status == 401


def test_a_named_policy(apache: Web) -> None:
    """One of DEPLOYKIT["AUTH"]["POLICIES"]."""
    assert apache.get("/press/", basic("zoé")).status == 200
    assert apache.get("/press/", basic("alice")).status == 403


def test_django_is_told_who_it_is(apache: Web) -> None:
    """In an area that Django answers, REMOTE_USER is who gave the password; no header says it."""
    told = apache.get("/reports/", basic("alice")).json
    assert told.get("REMOTE_USER") == (None if apache.stack.gateway == "http" else "alice")
    assert "HTTP_AUTHORIZATION" not in told


@pytest.mark.parametrize(
    "name", ["Remote-User", "REMOTE_USER", "X-Remote-User", "X-Deploykit-Auth-Url"]
)
def test_a_client_is_nobody_by_its_own_word(web: Web, name: str) -> None:
    """Such a header opens nothing."""
    for value in ("alice", "/files/1.txt"):
        assert web.get("/staff/1.txt", (name, value)).status == 401
        assert web.get("/staff/1.txt", (name, value), basic("zoé")).status == 403


CLAIMS = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "192.0.2.66",
    "X-Real-Ip": "192.0.2.66",
    "Remote-User": "evil",
}


@pytest.mark.parametrize("mark", "-_.!")
def test_a_policy_is_not_told_what_a_client_says(web: Web, mark: str) -> None:
    """Not of scheme, host, address or name, in no spelling that a server takes for the same."""
    claims = [(name.replace("-", mark), value) for name, value in CLAIMS.items()]
    assert web.get("/honest/1.txt", basic("alice"), *claims).status == 200


@pytest.mark.parametrize("name", ["Remote-User", "REMOTE_USER", "X-Remote-User"])
def test_django_is_not_told_what_a_client_says(apache: Web, name: str) -> None:
    """Neither in an area, nor outside."""
    told = apache.get("/reports/", (name, "zoé"), basic("alice")).json
    assert told.get("REMOTE_USER", "alice") == "alice"
    assert "zo" not in str(told)
    assert apache.get("/elsewhere", (name, "alice")).json == {"path": "/elsewhere"}


def test_a_session_opens_files(people: Guarded, sessions: Web) -> None:
    """Whoever is logged in on the site passes; whether it may be somebody else, no cookie says."""
    assert is_secret(sessions.get("/staff/1.txt", people.cookie("alice")))
    assert sessions.get("/staff/1.txt", people.cookie("zoé")).status == 403
    assert sessions.get("/files/1.txt", people.cookie("bob")).status == 401
    answer = sessions.get("/files/1.txt", people.cookie("alice"))
    assert "Set-Cookie" not in answer.headers
    assert not {name for name in answer.headers if name.startswith(("Variable", "Remote"))}


def test_a_browser_is_shown_the_way_to_log_in(people: Guarded, sessions: Web) -> None:
    """Not a client with a password, and nobody who is logged in: that would be a loop."""
    page = ("Accept", "text/html,*/*")
    response = sessions.get("/staff/1.txt?a=b&c=d%26e", page)
    prefix = sessions.server.prefix
    location = urlsplit(response.location)
    assert (response.status, location.path) == (302, f"{prefix}/accounts/login/")
    assert parse_qs(location.query) == {"next": [f"{prefix}/staff/1.txt?a=b&c=d%26e"]}
    assert sessions.get("/staff/1.txt", page, people.cookie("zoé")).status == 403
    assert sessions.get("/staff/1.txt", page, basic("zoé")).status == 403
    for headers in ([], [page, basic("alice", "wrong")]):
        response = sessions.get("/staff/1.txt", *headers)
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_nobody_asks_the_endpoint_but_nginx(nginx: Web) -> None:
    """In no spelling."""
    where = ".deploykit-auth/staff" if nginx.stack.choices else "auth/staff/"
    for path in (f"/{where}", f"/x/../{where}", f"/{where}?a=b", f"/{where.replace('s', '%73')}"):
        assert nginx.get(path, basic("alice")).status == 404


def test_everything_else_is_as_before(web: Web) -> None:
    """Outside of areas nobody is asked, whatever credentials come along."""
    for headers in ([], [basic("alice", "wrong")]):
        response = web.get("/filesystem", *headers)
        assert response.json["path"].endswith("/filesystem")


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS", "PROPFIND", "DELETE", "FOO"])
def test_every_method_is_guarded(web: Web, method: str) -> None:
    """401 without a password, or no such method at all."""
    assert web.get("/files/1.txt", method=method).status in (401, 405, 501)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS", "PROPFIND", "DELETE", "FOO"])
def test_every_method_of_pages_is_guarded(apache: Web, method: str) -> None:
    """401 without a password, or no such method at all."""
    assert apache.get("/reports/", method=method).status in (401, 405, 501)


SPELLINGS = [
    "{p}/{a}/1.txt",
    "{p}/{a}",
    "{p}/{a}/../elsewhere",
    "{p}/{a}/..%2felsewhere",
    "{p}//{a}/1.txt",
    "/{p}/{a}//1.txt",
    "{p}/{a}/./1.txt",
    "{p}/./{a}/1.txt",
    "{p}/x/../{a}/1.txt",
    "{p}/x/%2e%2e/{a}/1.txt",
    "{p}/x/..%2f{a}/1.txt",
    "{p}/%2e/{a}/1.txt",
    "{p}/{e}/1.txt",
    "{p}/{e}%2f1.txt",
    "{p}/{a}%2f1.txt",
    "{p}/{a}/%31.txt",
    "{p}/{u}/1.txt",
    "{p}/{a};x=1/1.txt",
    "{p}/{a}/1.txt;x=1",
    "{p}/{a}\\1.txt",
    "{p}/{a}%5c1.txt",
    "{p}/{a}/1.txt?x=/elsewhere",
    "{p}/static/../{a}/1.txt",
    "{p}/elsewhere/%2e%2e%2f{a}/1.txt",
    "http://localhost{p}/{a}/1.txt",
    "http://localhost{p}//{a}/1.txt",
    "http://elsewhere.invalid{p}/{a}/1.txt",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("area", ["files", "staff"])
def test_no_spelling_leads_around(web: Web, area: str, spelling: str) -> None:
    """Without a password no file comes."""
    assert not is_secret(web.server.request("GET", _target(web, area, spelling)))


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("area", ["files", "staff", "reports", "press"])
def test_no_spelling_leads_to_django(apache: Web, area: str, spelling: str) -> None:
    """Without a password Django never sees a URL of the area."""
    response = apache.server.request("GET", _target(apache, area, spelling))
    assert not is_secret(response)
    if response.status == 200:
        # It is another URL, for Django as well.
        first = response.json["path"].removeprefix("/").partition("/")[0]
        assert first not in ("files", "staff", "reports", "press")


def _target(web: Web, area: str, spelling: str) -> str:
    encoded = f"%{ord(area[0]):02x}{area[1:]}"
    return spelling.format(p=web.server.prefix, a=area, e=encoded, u=area.upper())


@pytest.mark.parametrize(
    "way",
    ["hidden", "hidden//..", "hidden//%2e%2e", "hidden/.//..", "hidden/x//../..", "//hidden//.."],
)
def test_r18_a_policy_is_asked_about_the_file_that_is_opened(web: Web, way: str) -> None:
    """No spelling of a directory that a policy closes is taken for another path."""
    target = f"{web.server.prefix}/shown/{way}/2.txt"
    assert not is_secret(web.server.request("GET", target, [basic("zoé")]))
    assert is_secret(web.get("/shown/1.txt", basic("zoé")))
    assert is_secret(web.get("/shown/hidden/2.txt", basic("alice")))


_HOSTILE: list[list[tuple[str, str]]] = [
    [("Authorization", "Basic")],
    [("Authorization", "Basic !!!")],
    [basic("alice\0", "x")],
    [basic("alice\r\nStatus: 200 OK", "x")],
    [basic("a" * 2000, "b" * 5000)],
    [("Authorization", "Basic /////w==")],
    [("Authorization", "Bearer x")],
    [("Cookie", "sessionid=" + "a" * 4000)],
    [("Cookie", "sessionid=\udcff\udcfe; sessionid; =;")],
    [("Accept", "text/html"), ("Host", "localhost:1")],
    [("Status", "200 OK"), ("Variable-REMOTE_USER", "alice"), ("FCGI-ROLE", "AUTHORIZER")],
    [("DEPLOYKIT_POLICY", "active"), ("Deploykit-User", "alice"), ("REMOTE_PASSWD", "x")],
]


def test_r15_what_is_no_answer_opens_nothing(sessions: Web) -> None:
    """Whatever makes Django stumble, the front gets a refusal or an error; lighttpd would take an
    answer without a status for a yes."""
    targets = ("/files/1.txt", "/files/1.txt?\udcff=%0d%0aStatus:%20200", "/files/%ff%fe/../1.txt")
    for headers in _HOSTILE:
        for target in targets:
            url = sessions.server.prefix + target
            response = sessions.server.request("GET", url, headers)
            assert not is_secret(response)
            assert response.status in (302, 400, 401, 403, 404, 431, 500)


def test_a_new_password_acts_at_once(web: Web) -> None:
    """Apache's own processes look at the same database as the site."""
    web.people.set_password("changer", "before")
    assert is_secret(web.get("/files/1.txt", basic("changer", "before")))
    web.people.set_password("changer", "after")
    assert is_secret(web.get("/files/1.txt", basic("changer", "after")))


@contextlib.contextmanager
def _emitted_authorizer(people: Guarded, stack: Stack, home: Path, address: str) -> Iterator[None]:
    """The program that is written for the project's site, whose name is "shop"."""
    output = ("--output", str(home), "--set", f"authorizer={address}")
    written = people.project.manage(
        *("deployconfig", stack.target, "--gateway", stack.gateway, *output), FRONT=stack.target
    )
    assert written.returncode == 0, written.stderr
    program = home / stack.target / "shop_authorizer.py"
    process = subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, cwd=home, text=True
    )
    try:
        assert process.stdout
        assert process.stdout.readline().strip() == f"ready {address}"
        yield
    finally:
        harness.stop(process)
        if process.stdout:
            process.stdout.close()


@pytest.mark.parametrize("stack", [ASKING[0][0], LIGHTTPD[0][0], ASKED[0][0]], ids=str)
def test_staff_of_one_site_are_nobody_to_another(
    people: Guarded, public: Path, stack: Stack
) -> None:
    """Where a front asks the authorizer of another site, because both are to listen at the same
    port, nobody enters; the authorizer's own site still does."""
    stack.require()
    where = Address("127.0.0.1", harness.free_port())
    home, nobody = public / f"port-{stack.target}", public / f"nobody-{stack.target}.sock"
    files = people.project.directory / "files/staff"
    area = Area(url="/staff/", policy="staff", setting="AUTH_AREAS", directory=files)
    with _emitted_authorizer(people, stack, home, str(where)):
        for name, status in (("shop", 200), ("blog", 500)):
            facts = cases.site(name, root=str(public / name), areas=(area,))
            asking = emitted.front(stack.target, stack.gateway, facts, nobody, authorizer=where)
            with asking as server:
                headers = ("Host", "example.com"), basic("alice")
                answer = server.get("/staff/1.txt", *headers)
                assert (answer.status, is_secret(answer)) == (status, status == 200), name


def test_an_area_does_not_ask_about_what_django_names(people: Guarded, public: Path) -> None:
    """The password was taken away before Django was asked, and would be missed at a second
    question; Apache's redirect is one request of the client's."""
    stack = proxying("apache", "scgi")[0]
    stack.require()
    where = Address("127.0.0.1", harness.free_port())
    held = people.project.directory / "files/staff"
    facts = cases.site(
        "shop",
        root=str(public / "named"),
        areas=(Area(url="/documents/", policy="staff", setting="AUTH_AREAS"),),
        protected=(Mount(url="/documents/files/", directory=held, setting="PROTECTED"),),
    )
    with (
        _emitted_authorizer(people, stack, public / "home-named", str(where)),
        backends.listening("scgi") as django,
    ):
        named = f"{contract.SCGI_REDIRECT_HEADER}: /documents/files/1.txt"
        django.answer = f"Status: 200 OK\r\n{named}\r\n\r\n".encode()
        behind = Address("127.0.0.1", django.port)
        with emitted.front("apache", "scgi", facts, behind, authorizer=where) as server:
            host = "Host", "example.com"
            assert is_secret(server.get("/documents/7/", host, basic("alice")))
            assert server.get("/documents/7/", host).status in (302, 401)
            for who in ((), (basic("alice"),)):
                assert server.get("/documents/files/1.txt", host, *who).status == 404


_SITES = """
if os.environ.get("FRONT") == "both":
    DEPLOYKIT["SITES"] = {
        "shop": {"settings": "shop.settings", "prefix": "/shop"},
        "other": {"settings": "other.settings", "prefix": "/other"},
    }
"""

_OTHER = """
from shop.settings import *

DATABASES["default"]["NAME"] = BASE_DIR / "other.sqlite3"
DEPLOYKIT = {"SITE": {"AUTH_AREAS": {"/pages/": "active"}}}
"""

_OLGA = """
from django.contrib.auth.models import User

User.objects.create_user("olga", password="correct: horse")
"""


@pytest.fixture(scope="module")
def two_sites(people: Guarded) -> Iterator[Server]:
    """Two sites in one Apache, each with areas and with users of its own."""
    project = people.project
    settings = project.directory / "shop/settings.py"
    settings.write_text(settings.read_text() + _SITES)
    project.write("other/settings.py", _OTHER)
    own = {"DJANGO_SETTINGS_MODULE": "other.settings"}
    for command in (("migrate", "-v0"), ("shell", "-v0", "-c", _OLGA)):
        done = project.manage(*command, **own)
        assert done.returncode == 0, done.stderr
    if user := harness.server_user():
        shutil.chown(project.directory / "other.sqlite3", user)
    stack = apache_stack()
    running = harness.Project(project.directory)
    with harness.deployrun(running, *stack.arguments, environ={"FRONT": "both"}) as server:
        yield server


def test_r36_each_site_has_its_own_users(two_sites: Server) -> None:
    """In the same processes of Apache, whichever of the two was asked first."""
    for _ in range(8):
        assert is_secret(two_sites.get("/shop/files/1.txt", basic("alice")))
        assert two_sites.get("/shop/files/1.txt", basic("olga")).status == 401
        assert two_sites.get("/other/pages/", basic("olga")).status == 200
        assert two_sites.get("/other/pages/", basic("alice")).status == 401
