"""Path-encoded virtual hosts: the request line that a front sends, exactly, and the attack."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

import pytest
import trustme

from django_deploykit.config.facts import Hosts, Tls
from django_deploykit.config.registry import renderers
from django_deploykit.config.values import Address
from tests.cases import site
from tests.servers import backends, emitted, harness
from tests.servers.backends import Backend
from tests.servers.harness import Server

MARKER = "kX3-vhost"
HOSTS = ("localhost", "tenant.example.test")
ABLE = [(one.name, name) for one in renderers().values() for name in one.path_hosts or ()]

# What a client asks for below the prefix, and what the application is asked for there.
TARGETS = {
    "/": "/",
    "/x/y?a=%2F&b=%3F+c": "/x/y?a=%2F&b=%3F+c",
    "/a%20b": "/a%20b",
    "/a%3Fb?c": "/a%3Fb?c",
    "/a%23b%25c%2520": "/a%23b%25c%2520",
    "/%C3%BC;p=1": "/%C3%BC;p=1",
    "/\u00fc": "/%C3%BC",
    "/x/../y//z": "/y/z",
    f"/x/{MARKER}/http/evil.example:1/": f"/x/{MARKER}/http/evil.example:1/",
    f"/{MARKER}er": f"/{MARKER}er",
}
# Each front's own way with an encoded slash: docs/reference/paths.md.
ENCODED_SLASH = {"apache": None, "lighttpd": "/a/b"}

EVIL = f"{MARKER}/https/evil.example:443/"
ATTACKS = [
    f"/{EVIL}",
    f"/{MARKER}",
    f"/{MARKER}?x",
    f"//{EVIL}",
    f"/./{EVIL}",
    f"/x/../{EVIL}",
    f"/x/%2e%2e/{EVIL}",
    f"/%{ord(MARKER[0]):x}{EVIL[1:]}",
    f"/{MARKER}%2Fhttps/evil.example:443/",
    f"/%2F{EVIL}",
    f"/a%2F..%2F{EVIL}",
    f"/{EVIL.upper()}",
    f"http://localhost/{EVIL}",
]


@dataclass(frozen=True)
class Front:
    """A front that writes hosts into paths, the application behind it, and how to ask by TLS."""

    name: str
    server: Server
    backend: Backend
    secure: Address
    context: ssl.SSLContext

    def sent(self, target: str, host: str = HOSTS[0], *, tls: bool = False) -> tuple[int, str]:
        """The status of an answer, and the request line of the application, if it was asked."""
        self.backend.requests.clear()
        if tls:
            status = self._over_tls(target, host)
        else:
            status = self.server.request("GET", target, [("Host", host)]).status
        return status, "".join(request.line for request in self.backend.requests)

    def before(self, host: str = HOSTS[0], *, tls: bool) -> str:
        """How the request line begins."""
        port = self.secure.port if tls else self.server.port
        return f"GET /{MARKER}/{'https' if tls else 'http'}/{host}:{port}"

    def _over_tls(self, target: str, host: str) -> int:
        with (
            socket.create_connection((self.secure.host, self.secure.port), 30) as plain,
            self.context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            head = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode())
            response = HTTPResponse(connection)
            response.begin()
            return response.status


@pytest.fixture(scope="module", params=["", "/app"], ids=["root", "prefix"])
def prefix(request: pytest.FixtureRequest) -> str:
    """Where the site is mounted: the path keeps it, on both sides of the front."""
    return str(request.param)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "tls"])
def tls(request: pytest.FixtureRequest) -> bool:
    """Whether the site is on HTTPS, but for an exempt path."""
    return bool(request.param)


@pytest.fixture(scope="module", params=ABLE, ids="-".join)
def front(request: pytest.FixtureRequest, prefix: str, tls: bool) -> Iterator[Front]:
    """Each front and gateway that can, in front of an application that records."""
    target, gateway = request.param
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    secure = Address("127.0.0.1", harness.free_port())
    with harness.public_directory() as directory, backends.listening(gateway) as backend:
        made = site(
            root=str(directory),
            prefix=prefix,
            hosts=Hosts(names=HOSTS),
            tls=_certificate(directory, authority) if tls else None,
            redirect_exempt=("^(?:app/)?health/$", "evil") if tls else (),
        )
        behind = Address("127.0.0.1", backend.port)
        choices = {"vhost_path": MARKER, "tls_listen": (secure,)}
        with emitted.front(target, gateway, made, behind, **choices) as server:
            yield Front(target, server, backend, secure, context)


def _certificate(directory: Path, authority: trustme.CA) -> Tls:
    issued = authority.issue_cert(*HOSTS)
    certificate, key = directory / "cert.pem", directory / "key.pem"
    issued.private_key_pem.write_to_path(str(key))
    for pem in issued.cert_chain_pems:
        pem.write_to_path(str(certificate), append=True)
    return Tls(certificate=certificate, key=key, acme_webroot=directory)


@pytest.mark.parametrize("target", TARGETS)
def test_the_request_line_is_exact(front: Front, prefix: str, tls: bool, target: str) -> None:
    """V9. Marker, scheme, host and port stand before the path, which keeps prefix and bytes."""
    line = f"{front.before(tls=tls)}{prefix}{TARGETS[target]} HTTP/1.1"
    assert front.sent(f"{prefix}{target}", tls=tls) == (200, line)


def test_an_encoded_slash_is_what_the_front_makes_of_it(
    front: Front, prefix: str, tls: bool
) -> None:
    """Refused by Apache, a slash in lighttpd: never something that only the application sees."""
    path = ENCODED_SLASH[front.name]
    line = f"{front.before(tls=tls)}{prefix}{path} HTTP/1.1"
    assert front.sent(f"{prefix}/a%2Fb", tls=tls) == ((200, line) if path else (404, ""))


def test_the_host_is_one_of_the_sites(front: Front, prefix: str, tls: bool) -> None:
    """Each name of the site is written as the settings spell it, whatever port a client adds."""
    for host in HOSTS:
        line = f"{front.before(host, tls=tls)}{prefix}/ HTTP/1.1"
        assert front.sent(f"{prefix}/", host, tls=tls) == (200, line)
        if not tls:
            assert front.sent(f"{prefix}/", f"{host.upper()}:4711") == (200, line)


def test_another_host_is_in_no_path(front: Front, prefix: str) -> None:
    """A name that the site does not have ends in the front."""
    assert front.sent(f"{prefix}/", "evil.example") == (403, "")


@pytest.mark.parametrize("target", ATTACKS)
def test_no_client_writes_the_marker(front: Front, tls: bool, target: str) -> None:
    """Any spelling of the marker ends in the front with 404, as an unknown URL does."""
    assert front.sent(target, tls=tls) == (404, "")


@pytest.mark.parametrize("target", ATTACKS)
def test_nor_over_plain_http_beside_tls(front: Front, target: str) -> None:
    """A pattern of SECURE_REDIRECT_EXEMPT that the attack fits does not open the marker."""
    assert front.sent(target)[1] == ""


def test_exempt_paths_are_plain(front: Front, prefix: str) -> None:
    """A path that stays on plain HTTP says so in the path."""
    line = f"{front.before(tls=False)}{prefix}/health/ HTTP/1.1"
    assert front.sent(f"{prefix}/health/") == (200, line)
