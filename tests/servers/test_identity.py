"""Single sign-on through real servers: the front's word counts, and a client's never does."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path

import pytest
import trustme

from django_deploykit import contract
from django_deploykit.config.access import group_name
from django_deploykit.config.servers.apache import installed
from tests.identity.tokens import AUDIENCE, FORGED, ISSUER, RSA_KEY, RSA_OTHER, keys, token
from tests.servers import harness, small_projects
from tests.servers.harness import Project, Server
from tests.servers.stacks import STACKS, Stack

_SECONDS = 20
_NAMES = ("bob", "alice", "root")
_ADDRESS = "alice@example.com"

SETTINGS = """
INSTALLED_APPS += [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
]
MIDDLEWARE = [
    "django_deploykit.middleware.TrustedProxyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_deploykit.middleware.ProxyIdentityMiddleware",
]
AUTHENTICATION_BACKENDS = ["django_deploykit.backends.ProxyIdentityBackend"]
DATABASES = {{"default": {{
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": {database!r},
    "OPTIONS": {{"transaction_mode": "IMMEDIATE", "timeout": 20}},
}}}}
DEPLOYKIT = {{"IDENTITY": {{"USER": {source!r}, "PRIVILEGED": ["root"]}}}}
"""

URLS = """
from django.http import JsonResponse
from django.urls import re_path

from django_deploykit import contract


def who(request):
    headers = [key for key in contract.CLIENT_FORBIDDEN_KEYS if key in request.META]
    said = {"user": request.user.get_username(), "headers": headers}
    return JsonResponse(said, status=401 if request.path == "/denied/" else 200)


urlpatterns = [re_path(r"", who)]
"""

USERS = """
from django.contrib.auth.models import User
for name in {names!r}:
    User.objects.create(username=name, is_superuser=name == "root")
"""

_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HOW_TO = (harness.ROOT / "docs/howto/single-sign-on.md").read_text(encoding="utf-8")
USERS_FILE = "/etc/shop.users"  # as the how-to has it


def shown(*words: str) -> str:
    """The example of the how-to that holds these words."""
    blocks = [block for _, block in _FENCE.findall(HOW_TO)]
    (found,) = (block for block in blocks if all(word in block for word in words))
    return str(found)


APACHE = shown("AuthType Basic")
APACHE_HTTP = APACHE + shown("RequestHeader set Remote-User")
NGINX_HTTP = shown("auth_basic_user_file", "proxy_set_header Remote-User $remote_user;")
NGINX_UWSGI = shown("auth_basic_user_file", "uwsgi_param REMOTE_USER")
LIGHTTPD = shown("auth.backend")
CERTIFICATES = shown("SSLVerifyClient")
CERTIFICATES_HTTP = CERTIFICATES + shown("RequestHeader set X-Remote-User")
AUTHORITY = "/etc/shop/people.pem"  # as the how-to has it
AUTHELIA = shown("auth_request /internal/authelia;")
KEY, HEADER = "env:REMOTE_USER", "header:Remote-User"


@dataclass(frozen=True)
class Front:
    """A stack, the source that IDENTITY names behind it, and what makes the front a witness."""

    stack: Stack
    source: str
    own: str

    def __str__(self) -> str:
        return f"{self.stack}-{self.source.partition(':')[0]}"


FRONTS = [
    Front(STACKS["nginx/http/gunicorn"], HEADER, NGINX_HTTP),
    Front(STACKS["nginx/uwsgi/uwsgi"], KEY, NGINX_UWSGI),
    Front(STACKS["apache/http/gunicorn"], HEADER, APACHE_HTTP),
    Front(STACKS["apache/mod_wsgi from the package index"], KEY, APACHE),
    Front(STACKS["lighttpd/fastcgi/uwsgi"], KEY, LIGHTTPD),
    # It has no words to put the user into a header.
    Front(STACKS["lighttpd/http/gunicorn"], HEADER, ""),
    # Nobody stands in front who could.
    Front(STACKS["gunicorn/http"], HEADER, ""),
]
every_front = pytest.mark.parametrize("front", FRONTS, ids=str, indirect=True, scope="module")
every_witness = pytest.mark.parametrize(
    "front", [front for front in FRONTS if front.own], ids=str, indirect=True, scope="module"
)


@dataclass
class Site:
    """A running site, and the directory that ``deployrun`` gave it."""

    front: Front
    server: Server
    directory: Path

    def who(self, *headers: tuple[str, str]) -> str:
        """Whom Django takes the request for."""
        answer = self.server.get("/", *headers)
        assert answer.status == 200, answer.status
        assert answer.json["headers"] == []
        return str(answer.json["user"])

    def write_own(self, text: str) -> None:
        """Write directives of one's own, as the how-to says, and reload the server."""
        own = self.directory / "deploykit" / "first" / "auth.conf"
        own.parent.mkdir(parents=True)
        own.write_text(text)
        for path in (own.parent.parent, own.parent):
            path.chmod(0o755)
        _enable_modules(self.front.stack.target, self.directory)
        self.reload()

    def reload(self) -> None:
        """Let the front read its files again, and wait until nobody answers by the old ones."""
        target = self.front.stack.target
        front = _front_process(self.server, target)
        before = harness.descendants(front)
        os.kill(front, signal.SIGHUP if target == "nginx" else signal.SIGUSR1)
        deadline = time.monotonic() + _SECONDS
        while self.server.get("/").status == 200 or harness.alive(before):
            assert time.monotonic() < deadline, "".join(self.server.log)
            time.sleep(0.05)


def _enable_modules(target: str, directory: Path) -> None:
    """``a2enmod`` and ``lighttpd-enable-mod``, for the private configuration of this run."""
    if target == "apache":
        modules = installed.module_directory()
        names = ("auth_basic", "authn_core", "authn_file", "authz_user")
        lines = [f"LoadModule {name}_module {modules}/mod_{name}.so\n" for name in names]
        main = directory / "httpd.conf"
        loaded = main.read_text()
        missing = "".join(line for line in lines if line.split()[1] not in loaded)
        main.write_text(missing + loaded)
    elif target == "lighttpd":
        main = directory / "lighttpd.conf"
        first, rest = main.read_text().split("\n", 1)
        modules = 'server.modules += ("mod_auth", "mod_authn_file")'
        site = f'include "{directory}'
        assert site in rest
        main.write_text(f"{first}\n{rest.replace(site, f'{modules}{chr(10)}{site}', 1)}")


def _front_process(server: Server, target: str) -> int:
    """The front server, below ``deployrun``."""
    names = {"apache": ("apache2", "httpd"), "nginx": ("nginx",), "lighttpd": ("lighttpd",)}
    for pid in harness.descendants(server.process.pid):
        with contextlib.suppress(FileNotFoundError):  # A process may end while we look at it.
            stat = Path(f"/proc/{pid}/stat").read_text()
            name, _, rest = stat.partition("(")[2].rpartition(")")
            if name in names[target] and int(rest.split()[1]) == server.process.pid:
                return pid
    raise AssertionError(f"{target} does not run")


def _project(directory: Path, source: str, more: str = "") -> Project:
    database = directory / "data" / "db.sqlite3"
    settings = SETTINGS.format(database=str(database), source=source) + more
    project = small_projects.make(directory / "project", {"first": settings})
    (directory / "project" / "first" / "urls.py").write_text(URLS)
    database.parent.mkdir()
    for command in (("migrate", "-v0"), ("shell", "-c", USERS.format(names=(*_NAMES, _ADDRESS)))):
        made = project.manage(*command)
        assert made.returncode == 0, made.stderr
    if user := harness.server_user():
        for path in (database.parent, database):
            shutil.chown(path, user, group_name(user))
    return project


@pytest.fixture(scope="module")
def front(request: pytest.FixtureRequest) -> Front:
    found: Front = request.param
    found.stack.require()
    return found


@pytest.fixture(scope="module")
def users(public: Path) -> Path:
    """A file of htpasswd's that every front reads; each password is the name backwards."""
    lines = []
    for name in _NAMES:
        digest = hashlib.sha1(name[::-1].encode(), usedforsecurity=False).digest()
        lines.append(f"{name}:{{SHA}}{base64.b64encode(digest).decode()}\n")
    path = public / "users"
    path.write_text("".join(lines))
    path.chmod(0o644)
    return path


@contextlib.contextmanager
def _running(front: Front, public: Path, more: str = "", *choices: str) -> Iterator[Site]:
    directory = Path(tempfile.mkdtemp(dir=public))  # Short: a socket's path has to fit below it.
    directory.chmod(0o755)
    project = _project(directory / "site", front.source, more)
    scratch = directory / "run"
    scratch.mkdir(mode=0o755)
    environ = {"TMPDIR": str(scratch)}
    with harness.deployrun(project, *front.stack.arguments, *choices, environ=environ) as server:
        (home,) = scratch.glob("deployrun-*")
        yield Site(front, server, home)


@pytest.fixture(scope="module")
def unsigned(front: Front, public: Path) -> Iterator[Site]:
    """The site as it was emitted: the front knows nobody."""
    with _running(front, public) as site:
        yield site


@pytest.fixture(scope="module")
def signed(front: Front, public: Path, users: Path) -> Iterator[Site]:
    """The same, once the front asks for a password."""
    with _running(front, public) as site:
        site.write_own(front.own.replace(USERS_FILE, str(users)))
        yield site


def _credentials(name: str, password: str) -> tuple[str, str]:
    return "Authorization", "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def _spellings(name: str) -> list[str]:
    """Every mixture of dashes and underscores, some of upper and lower case, and other marks."""
    first, *others = name.split("-")
    marks = product("-_", repeat=len(others))
    plain = [
        first + "".join(mark + word for mark, word in zip(chosen, others, strict=True))
        for chosen in marks
    ]
    mixed = "".join(map(str.swapcase, plain[0]))
    other = [name.replace("-", mark) for mark in ".!"]
    return list(dict.fromkeys([*plain, plain[0].lower(), mixed, plain[-1].upper(), *other]))


CLAIMS = [*contract.IDENTITY_HEADERS, "Http-Remote-User", "Redirect-Remote-User", "Auth-User"]


def _spoofed(site: Site, name: str, expected: str, *honest: tuple[str, str]) -> None:
    for spelling in _spellings(name):
        claim = spelling, "root"
        assert site.who(claim, *honest) == expected
        assert site.who(*honest, claim, claim) == expected
        assert site.who(claim, ("Connection", spelling), *honest) == expected
        assert site.who(("Connection", f"close, {spelling}"), *honest, claim) == expected


@every_front
@pytest.mark.parametrize("name", CLAIMS)
def test_a_client_cannot_sign_itself_in(unsigned: Site, name: str) -> None:
    """No header in any spelling, alone, repeated or named in Connection, names anybody while the
    front does not."""
    _spoofed(unsigned, name, "")


@every_witness
@pytest.mark.parametrize("name", _NAMES)
def test_the_front_signs_in(signed: Site, name: str) -> None:
    """Whom the front let in is the user, with the right password alone."""
    assert signed.who(_credentials(name, name[::-1])) == name
    assert signed.server.get("/", _credentials(name, "wrong")).status == 401
    assert signed.server.get("/").status == 401


@every_witness
@pytest.mark.parametrize("name", CLAIMS)
def test_a_client_cannot_be_somebody_else(signed: Site, name: str) -> None:
    """Beside the front's own word the client's changes nothing."""
    _spoofed(signed, name, "bob", _credentials("bob", "bob"))


@every_witness
def test_a_session_is_the_users_own(signed: Site) -> None:
    """bob's cookie does not make alice bob, and alice's name in a header no root."""
    answer = signed.server.get("/", _credentials("bob", "bob"))
    cookie = "Cookie", str(answer.headers["Set-Cookie"]).partition(";")[0]
    assert signed.who(_credentials("bob", "bob"), cookie) == "bob"
    assert signed.who(_credentials("alice", "ecila"), cookie, ("Remote-User", "root")) == "alice"
    assert signed.who(_credentials("bob", "bob"), ("Remote-User", "alice")) == "bob"


REFUSING = [
    Front(STACKS["apache/http/gunicorn"], HEADER, APACHE_HTTP),
    Front(STACKS["apache/uwsgi/uwsgi"], KEY, APACHE),
    Front(STACKS["apache/mod_wsgi from the package index"], KEY, APACHE),
]


@pytest.mark.parametrize("front", REFUSING, ids=str, indirect=True, scope="module")
def test_a_page_that_says_401_names_nobody(front: Front, public: Path, users: Path) -> None:
    """Apache asks for it in the name that came with a wrong password."""
    with _running(front, public) as site:
        own = front.own.replace(USERS_FILE, str(users))
        site.write_own(f"{own}ErrorDocument 401 /denied/\n")
        assert site.who(_credentials("root", "toor")) == "root"
        answer = site.server.get("/", _credentials("root", "wrong"))
        assert answer.status == 401
        assert b"root" not in answer.body


class _SignOn(BaseHTTPRequestHandler):
    """A single sign-on server that lets in whoever has a cookie with a name."""

    def do_GET(self) -> None:
        name = self.headers.get("Cookie", "").partition("sso=")[2]
        self.send_response(200 if name else 401)
        if name not in ("", "nobody"):
            self.send_header("Remote-User", name)
        self.send_header("Location", "https://auth.example.com/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def sign_on() -> Iterator[str]:
    """The address of such a server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _SignOn) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def asked(public: Path, sign_on: str) -> Iterator[Site]:
    """nginx, which asks that server about every request."""
    front = Front(STACKS["nginx/http/gunicorn"], HEADER, AUTHELIA)
    front.stack.require()
    with _running(front, public) as site:
        site.write_own(AUTHELIA.replace("127.0.0.1:9091", sign_on))
        yield site


def test_who_has_to_sign_on(asked: Site) -> None:
    """Without a name one is led to the single sign-on server, whatever one claims."""
    for claim in [(), (("Remote-User", "root"),), (_credentials("root", "toor"),)]:
        answer = asked.server.get("/", *claim)
        assert (answer.status, answer.location) == (302, "https://auth.example.com/")


@pytest.mark.parametrize("name", CLAIMS)
def test_the_answer_of_the_server_that_was_asked(asked: Site, name: str) -> None:
    """Its name counts, also where it names nobody; a client's header beside it does not."""
    _spoofed(asked, name, "bob", ("Cookie", "sso=bob"))
    _spoofed(asked, name, "", ("Cookie", "sso=nobody"))


@dataclass
class Certified:
    """A site that asks for certificates, the authority it trusts with them, and how to reach it."""

    site: Site
    port: int
    trust: trustme.CA
    people: trustme.CA

    def who(self, certificate: trustme.LeafCert | None, *headers: tuple[str, str]) -> str:
        """Whom Django takes the holder of a certificate for. Raise OSError where TLS ends it."""
        context = ssl.create_default_context()
        self.trust.configure_trust(context)
        if certificate:
            certificate.configure_cert(context)
        connection = HTTPSConnection("localhost", self.port, timeout=_SECONDS, context=context)
        with contextlib.closing(connection):
            connection.request("GET", "/", headers=dict(headers))
            answer = connection.getresponse()
            assert answer.status == 200
            return str(json.load(answer)["user"])


USER = "X-Remote-User", "root"
CERTIFYING = [
    Front(
        STACKS["apache/mod_wsgi from the package index"],
        "env:SSL_CLIENT_SAN_Email_0",
        CERTIFICATES,
    ),
    Front(STACKS["apache/http/gunicorn"], "header:X-Remote-User", CERTIFICATES_HTTP),
]


@pytest.fixture(params=CERTIFYING, ids=str)
def certified(request: pytest.FixtureRequest, public: Path) -> Iterator[Certified]:
    """Apache, as the how-to has it."""
    front: Front = request.param
    front.stack.require()
    trust, people = trustme.CA(), trustme.CA()
    directory = Path(tempfile.mkdtemp(dir=public))
    directory.chmod(0o755)
    issued = trust.issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(directory / "site.pem"))
    people.cert_pem.write_to_path(str(directory / "people.pem"))
    pem, port = str(directory / "site.pem"), harness.free_port()
    more = f'DEPLOYKIT["SITE"] = {{"TLS": {{"CERTIFICATE": {pem!r}, "KEY": {pem!r}}}}}\n'
    with _running(front, public, more, "--set", f"tls_listen=127.0.0.1:{port}") as site:
        site.write_own(front.own.replace(AUTHORITY, str(directory / "people.pem")))
        yield Certified(site, port, trust, people)


def test_a_certificate_that_apache_verified(certified: Certified) -> None:
    """Its holder is the user; without one, or with that of another authority, TLS ends it. And
    where Apache is told to take any, one that it could not verify names nobody."""
    own, forged = (one.issue_cert(_ADDRESS) for one in (certified.people, trustme.CA()))
    claims = ("SSL-Client-Verify", "SUCCESS"), ("Ssl-Client-San-Email-0", "root"), USER
    assert certified.who(own) == _ADDRESS
    assert certified.who(own, *claims) == _ADDRESS
    assert certified.who(certified.people.issue_cert("nobody@example.com"), *claims) == ""
    for other in (None, forged):
        with pytest.raises(OSError, match=r"(?i)ssl|reset|closed|alert"):
            certified.who(other)
    directives = certified.site.directory / "deploykit" / "first" / "auth.conf"
    directives.write_text(directives.read_text().replace("require", "optional_no_ca"))
    certified.site.reload()
    assert certified.who(own, *claims) == _ADDRESS
    for other in (None, forged):
        assert certified.who(other, *claims) == ""


@pytest.mark.parametrize("stack", ["nginx/http/gunicorn", "apache/mod_wsgi"])
def test_i15_only_the_issuers_token_signs_in(public: Path, stack: str) -> None:
    """I15: the front hands on what a client sends, and what is not the issuer's is refused."""
    published = public / "keys.json"
    published.write_text(keys(one=RSA_KEY, two=RSA_OTHER))
    demanded = {"HEADER": "X-Token", "ALGORITHM": "RS256", "ISSUER": ISSUER, "AUDIENCE": AUDIENCE}
    more = f"DEPLOYKIT['IDENTITY']['JWT'] = {demanded | {'KEYS': str(published)}!r}\n"
    front = Front(STACKS[stack], "jwt:email", "")
    front.stack.require()
    with _running(front, public, more) as site:
        assert site.who(("X-Token", token())) == "alice"
        for text in FORGED.values():
            assert site.server.get("/", ("X-Token", text)).status == 403
        for headers in ((), (("X_Token", token()),), (("Remote-User", "alice"),)):
            assert site.who(*headers) == ""
