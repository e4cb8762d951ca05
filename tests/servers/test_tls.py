"""TLS: redirects, exempt paths, ACME, HSTS exactly once, the current guideline."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path

import pytest
import trustme

from django_deploykit.config.facts import Area, Hosts, Tls
from django_deploykit.config.values import Address
from tests import cases
from tests.servers import emitted, harness, small_projects
from tests.servers.harness import Server
from tests.servers.stacks import Stack, chosen, fronts, proxying

SETTINGS = """
ALLOWED_HOSTS = ["localhost", "www.example.test", ".tenants.test"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^health/$", r"^status|^live/$", r"[^a]ping/$"]
SECURE_HSTS_SECONDS = 31536000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
STATIC_URL = "/static/"
STATIC_ROOT = {static!r}
DEPLOYKIT = {{
    "SITE": {{"TLS": {{"CERTIFICATE": {certificate!r}, "KEY": {key!r}, "ACME_WEBROOT": {acme!r}}}}}
}}
"""
HSTS = "max-age=31536000; includeSubDomains"


# The scheme is told in another way over each gateway.
CGI = ("uwsgi", "fastcgi", "scgi")
STACKS = ["apache", *fronts(), *proxying("lighttpd", *CGI), *proxying("nginx", *CGI)]

# HAProxy sends no files, and wants certificate and key in one.
SENDING = [stack for stack in STACKS if isinstance(stack, str) or stack.serves_files]


@dataclass(frozen=True)
class SecureServer:
    """Both doors of one site: plain HTTP and TLS."""

    plain: Server
    port: int
    context: ssl.SSLContext

    def get(self, path: str, host: str = "localhost") -> HTTPResponse:
        """Request a path over TLS, with the certificate checked."""
        connection = HTTPSConnection("localhost", self.port, timeout=30, context=self.context)
        connection.request("GET", path, headers={"Host": host})
        response = connection.getresponse()
        response.read()
        connection.close()
        return response


@pytest.fixture(scope="module", params=STACKS, ids=str)
def secure(public: Path, request: pytest.FixtureRequest) -> Iterator[SecureServer]:
    """A site with a certificate of a throw-away authority, behind each front."""
    stack = chosen(request.param)
    directory = public / "tls" / stack.label.replace("/", "-")
    for name in ("static", "acme/.well-known/acme-challenge"):
        (directory / name).mkdir(parents=True)
    (directory / "static" / "site.css").write_text("body {}")
    (directory / "acme/.well-known/acme-challenge/token").write_text("answer")
    (directory / "acme/.well-known/acme-challenge/link").symlink_to(directory / "static/site.css")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "www.example.test", "*.tenants.test")
    issued.private_key_pem.write_to_path(str(directory / "key.pem"))
    for pem in issued.cert_chain_pems:
        pem.write_to_path(str(directory / "cert.pem"), append=True)
    issued.private_key_and_cert_chain_pem.write_to_path(str(directory / "both.pem"))
    certificate, key = ("cert", "key") if stack.serves_files else ("both", "both")
    settings = SETTINGS.format(
        static=str(directory / "static"),
        certificate=str(directory / f"{certificate}.pem"),
        key=str(directory / f"{key}.pem"),
        acme=str(directory / "acme"),
    )
    project = small_projects.make(directory / "project", {"secured": settings})
    port = harness.free_port()
    listen = "--set", f"tls_listen=127.0.0.1:{port}"
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with harness.deployrun(project, *stack.arguments, *listen) as server:
        # It says where TLS answers; plain HTTP is where it was told to listen.
        yield SecureServer(server, port, context)


@pytest.mark.parametrize("host", ["localhost", "www.example.test", "a.tenants.test"])
def test_plain_http_leads_to_the_same_name(secure: SecureServer, host: str) -> None:
    """Every name keeps itself; the query stays."""
    answer = secure.plain.get("/page/?q=1&r=%20", ("Host", host))
    assert answer.status == 301
    assert answer.location == f"https://{host}:{secure.port}/page/?q=1&r=%20"


def test_an_encoded_question_mark_survives_the_redirect(secure: SecureServer) -> None:
    """%3F stays a part of the path."""
    location = secure.plain.get("/a%3Fb/?q=1").location
    assert location.lower() == f"https://localhost:{secure.port}/a%3fb/?q=1"


@pytest.mark.parametrize("host", ["evil.example", "tenants.test.evil.example"])
def test_plain_http_never_leads_to_another_name(secure: SecureServer, host: str) -> None:
    """An unknown name is refused, not redirected to."""
    answer = secure.plain.get("/", ("Host", host))
    assert answer.status == 403
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    "host",
    [
        "localhost,evil.example",
        "evil.example,localhost",
        "localhost, evil.example",
        "evil.example,a.tenants.test",
        "evil.example/.tenants.test",
        "evil.example?.tenants.test",
        "evil.example#.tenants.test",
        "evil.example\\.tenants.test",
        "a@b.tenants.test",
    ],
)
def test_plain_http_leads_to_no_name_that_hides_in_another(secure: SecureServer, host: str) -> None:
    """The whole header is one name, and has nothing in it that ends a name in a URL."""
    answer = secure.plain.get("/", ("Host", host))
    assert answer.status in (400, 403)
    assert "Location" not in answer.headers


@pytest.mark.parametrize("secure", SENDING, ids=str, indirect=True)
def test_certificate_authorities_are_answered(secure: SecureServer) -> None:
    """ACME's question is answered over plain HTTP."""
    answer = secure.plain.get("/.well-known/acme-challenge/token")
    assert (answer.status, answer.body) == (200, b"answer")
    assert secure.plain.get("/.well-known/acme-challenge/other").status == 404


@pytest.mark.parametrize("secure", SENDING, ids=str, indirect=True)
def test_no_link_leads_out_of_the_answers(secure: SecureServer) -> None:
    """Who may only write answers there shows no other file."""
    assert secure.plain.get("/.well-known/acme-challenge/link").status in (403, 404)


def test_exempt_paths_stay_on_plain_http(secure: SecureServer) -> None:
    """SECURE_REDIRECT_EXEMPT holds at the server too."""
    for path in ("/health/", "/status/any", "/live/", "/deep/xping/"):
        assert secure.plain.get(path).json["secure"] is False
    for path in ("/health/more", "/x/health/", "/x/status/", "/live/x", "/deep/aping/"):
        assert secure.plain.get(path).status == 301


@pytest.mark.parametrize("path", ["/page/", "/static/site.css", "/static/missing.css"])
def test_hsts_comes_exactly_once(secure: SecureServer, path: str) -> None:
    """On Django's pages, static files and errors alike."""
    assert secure.get(path).headers.get_all("Strict-Transport-Security") == [HSTS]


def test_hsts_is_not_sent_over_plain_http(secure: SecureServer) -> None:
    """RFC 6797 7.2: never over an insecure transport."""
    for path in ("/page/", "/health/"):
        assert "Strict-Transport-Security" not in secure.plain.get(path).headers


def test_django_knows_that_it_is_secure(secure: SecureServer) -> None:
    """No redirect loop: the scheme is that of the connection."""
    assert secure.get("/page/").status == 200


def test_unknown_names_are_refused_over_tls(secure: SecureServer) -> None:
    """The catch-all answers there too."""
    assert secure.get("/", host="evil.example").status in (403, 421)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_current_protocols_are_spoken(secure: SecureServer, version: ssl.TLSVersion) -> None:
    """The guideline's intermediate profile: TLS 1.2 and 1.3."""
    context = _only(secure, version)
    with context.wrap_socket(_connect(secure), server_hostname="localhost") as connection:
        name, _, bits = connection.cipher() or ("", "", 0)
        assert bits >= 128
        assert "CBC" not in name
        assert name.startswith(("ECDHE-", "TLS_"))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_protocols_are_not(secure: SecureServer, version: ssl.TLSVersion) -> None:
    """TLS 1.0 and 1.1 are refused by the server, not only by this client."""
    context = _only(secure, version)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"(?i)version|protocol|alert"):
        context.wrap_socket(_connect(secure), server_hostname="localhost")


TWO_NAMES = """
ALLOWED_HOSTS = [{host!r}]
DEPLOYKIT = {{
    "SITE": {{"TLS": {{"CERTIFICATE": {pem!r}, "KEY": {pem!r}, "ACME_WEBROOT": {acme!r}}}}},
    {sites}
}}
"""
SITES = '"SITES": {"one": {"settings": "one.settings"}, "two": {"settings": "two.settings"}}'


@pytest.mark.parametrize("param", ["apache", *fronts()], ids=str)
def test_each_name_has_its_certificate(public: Path, param: str | Stack) -> None:
    """The name in the handshake (SNI) decides which certificate is shown, and which site
    answers; an unknown name gets neither site."""
    stack = chosen(param)
    home = public / "sni" / stack.label.replace("/", "-").replace(" ", "-")
    home.mkdir(parents=True)
    authority, settings = trustme.CA(), {}
    for name in ("one", "two"):
        pem, host = home / f"{name}.pem", f"{name}.example.test"
        issued = authority.issue_cert(host)
        issued.private_key_and_cert_chain_pem.write_to_path(str(pem))
        more = {"host": host, "pem": str(pem), "acme": str(home)}
        settings[name] = TWO_NAMES.format(**more, sites=SITES if name == "one" else "")
    port = harness.free_port()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    project = small_projects.make(home / "project", settings)
    listen = "--set", f"tls_listen=127.0.0.1:{port}"
    with harness.deployrun(project, *stack.arguments, *listen):
        for name in ("one", "two"):
            seen = _ask_by_name(port, context, f"{name}.example.test")
            assert (seen["name"], seen["secure"]) == (name, True)
        with pytest.raises(ssl.SSLError):
            _ask_by_name(port, context, "three.example.test")


_EXEMPT = """
ALLOWED_HOSTS = ["localhost"]
SECURE_REDIRECT_EXEMPT = ["^send/$"]
DEPLOYKIT = {{
    "SITE": {{
        "TLS": {{"CERTIFICATE": {pem!r}, "KEY": {pem!r}, "ACME_WEBROOT": {home!r}}},
        "PROTECTED": {{"/files/": {home!r}}},
    }}
}}
"""
_SEND = """
from django.urls import path

from django_deploykit.sendfile import sendfile

urlpatterns = [path("send/", lambda request: sendfile(request, "document"))]
"""


@pytest.mark.parametrize(
    ("front", "gateway", "refusal"),
    [("apache", "mod_wsgi", 301), ("apache", "scgi", 301), ("nginx", "http", 404)],
)
def test_a_protected_file_on_an_exempt_path(
    public: Path, front: str, gateway: str, refusal: int
) -> None:
    """Plain HTTP has no place that Apache could redirect to: Django sends the file there. nginx has
    one, which is closed to clients."""
    stack = chosen("apache" if gateway == "mod_wsgi" else proxying(front, gateway)[0])
    home = public / f"exempt-{gateway}"
    home.mkdir()
    (home / "document").write_text("a document")
    issued = trustme.CA().issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(public / f"{gateway}.pem"))
    settings = _EXEMPT.format(pem=str(public / f"{gateway}.pem"), home=str(home))
    project = small_projects.make(public / f"exempt-{gateway}-project", {"exempt": settings})
    (project.directory / "exempt/urls.py").write_text(_SEND)
    listen = "--set", f"tls_listen=127.0.0.1:{harness.free_port()}"
    with harness.deployrun(project, *stack.arguments, *listen) as server:
        answer = server.get("/send/")
        assert (answer.status, answer.body) == (200, b"a document")
        assert not {"X-Sendfile", "X-Accel-Redirect"} & set(answer.headers)
        assert server.get("/files/document").status == refusal


@pytest.fixture(scope="module")
def doors(public: Path) -> Iterator[tuple[Server, int]]:
    """Apache's two doors for a site that also has an IPv6 address, and an area at its root; the
    authorizer is away."""
    harness.require_apache()
    home = public / "doors"
    (home / "static").mkdir(parents=True)
    (home / ".well-known/acme-challenge").mkdir(parents=True)
    (home / ".well-known/acme-challenge/token").write_text("answer")
    issued = trustme.CA().issue_cert("example.com")
    issued.private_key_and_cert_chain_pem.write_to_path(str(home / "cert.pem"))
    facts = cases.site(
        root=str(home),
        hosts=Hosts(names=("[::1]", "example.com")),
        tls=Tls(certificate=home / "cert.pem", key=home / "cert.pem", acme_webroot=home),
        areas=(Area(url="/", policy="active", setting="AUTH_AREAS"),),
        redirect_exempt=("^health/$",),
    )
    secure = Address("127.0.0.1", harness.free_port())
    nobody = Address("127.0.0.1", harness.free_port())
    choices = {"tls_listen": (secure,), "authorizer": nobody}
    with emitted.front("apache", "scgi", facts, home / "nobody.sock", **choices) as server:
        yield server, secure.port


@pytest.mark.parametrize("host", ["[::1]", "[::1]:8080", "example.com"])
def test_an_ipv6_address_is_a_name_like_any_other(doors: tuple[Server, int], host: str) -> None:
    """In a Host header it has brackets, and in Apache's list of names none; redirects keep them."""
    server, port = doors
    answer = server.get("/page/", ("Host", host))
    assert answer.status == 301
    name = host.removesuffix(":8080")
    assert answer.location == f"https://{name}:{port}/page/"
    assert server.get("/page/", ("Host", "[::2]")).status == 403
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for asked, status in ((host, 500), ("[::2]", 403)):  # The authorizer is away.
        connection = HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
        connection.request("GET", "/page/", headers={"Host": asked})
        assert connection.getresponse().status == status
        connection.close()


def test_certificate_authorities_need_no_password(doors: tuple[Server, int]) -> None:
    """Not even where an area of the site holds everything, and exempt paths are guarded."""
    host = "Host", "example.com"
    answer = doors[0].get("/.well-known/acme-challenge/token", host)
    assert (answer.status, answer.body) == (200, b"answer")
    assert doors[0].get("/.well-known/acme-challenge/other", host).status == 404
    assert doors[0].get("/health/", host).status == 500  # The authorizer is away.


def _ask_by_name(port: int, context: ssl.SSLContext, host: str) -> dict[str, object]:
    """A page, from a server that has shown a certificate for this very name."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=30)
    with plain, context.wrap_socket(plain, server_hostname=host) as connection:
        request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        response = HTTPResponse(connection)
        response.begin()
        seen: dict[str, object] = json.loads(response.read())
        return seen


def _only(secure: SecureServer, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    return context


def _connect(secure: SecureServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", secure.port), timeout=30)
