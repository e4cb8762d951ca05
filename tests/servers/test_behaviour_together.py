"""The rows of the table that need more than one site: several of them in one server, over TLS."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path

import pytest
import trustme

from tests.servers import harness, small_projects
from tests.servers.harness import Response, Server
from tests.servers.rows import only_where, row
from tests.servers.stacks import Site

HSTS = "max-age=3600"
_SETTINGS = """
DEPLOYKIT = {{"SITE": {{"TLS": {{"CERTIFICATE": {pem!r}, "KEY": {pem!r}}}}}}}
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 3600
STATIC_URL = "/{name}/static/"
STATIC_ROOT = {static!r}
"""
_SITES = """
DEPLOYKIT["SITES"] = {
    "shop": {"settings": "shop.settings", "prefix": "/shop"},
    "blog": {"settings": "blog.settings", "prefix": "/blog"},
}
"""


@dataclass(frozen=True)
class SecureServers:
    """Both doors of one server: plain HTTP, and TLS with an authority of our own."""

    plain: Server
    port: int
    trusted: ssl.SSLContext

    def get(self, path: str, *headers: tuple[str, str]) -> Response:
        """Request a path over TLS, with the certificate checked."""
        connection = HTTPSConnection("localhost", self.port, timeout=30, context=self.trusted)
        with contextlib.closing(connection):
            connection.request("GET", path, headers=dict(headers))
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())


@pytest.fixture(scope="session")
def together(site: Site, public: Path) -> Iterator[SecureServers]:
    """Two sites over TLS in one server, or one where there can be no second; its environment
    names the settings of the first, as that of an operator's shell might."""
    directory = public / "together" / str(site).replace("/", "-")
    certificate = _certificate(directory)
    written = _settings(directory, site.stack.has_several_sites)
    project = small_projects.make(directory / "project", written)
    environ = {"DJANGO_SETTINGS_MODULE": "shop.settings"}
    port = harness.free_port()
    listen = "--set", f"tls_listen=127.0.0.1:{port}"
    with harness.deployrun(project, *site.stack.arguments, *listen, environ=environ) as plain:
        yield SecureServers(plain, port, certificate)


def _certificate(directory: Path) -> ssl.SSLContext:
    """Write a certificate and its key; return a context that trusts it."""
    directory.mkdir(parents=True)
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
        str(directory / "site.pem")
    )
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def _settings(directory: Path, several: bool) -> dict[str, str]:
    pem = str(directory / "site.pem")
    written = {}
    for name in ("shop", "blog"):
        static = directory / "static" / name
        static.mkdir(parents=True)
        (static / "site.css").write_text("body {}")
        written[name] = _SETTINGS.format(name=name, pem=pem, static=str(static))
    if several:
        return {"shop": written["shop"] + _SITES, "blog": written["blog"]}
    return {"shop": written["shop"] + 'FORCE_SCRIPT_NAME = "/shop"\n'}


ONCE = only_where(lambda site: not site.prefix, "each of the sites has a prefix of its own")
SEVERAL = only_where(lambda site: site.stack.has_several_sites, "one process is one site")
TLS = only_where(lambda site: site.stack.has_front, "TLS is the front server's")


@row(11)
@ONCE
@SEVERAL
def test_sites_never_see_each_others_settings(together: SecureServers) -> None:
    """Each has its own module, whichever is asked first, and processes of its own; the module
    that a site is given wins over the environment of the server."""
    pids: dict[str, set[int]] = {"shop": set(), "blog": set()}
    for name in ["shop", "blog", "blog", "shop"] * 3:
        seen = together.get(f"/{name}/x/").json
        assert (seen["name"], seen["module"]) == (name, f"{name}.settings")
        assert (seen["script_name"], seen["path_info"]) == (f"/{name}", "/x/")
        pids[name].add(seen["pid"])
    assert not pids["shop"] & pids["blog"]


@row(15)
@ONCE
@TLS
def test_plain_http_leads_to_https(together: SecureServers) -> None:
    """With path and query; and never to a name that is not the site's."""
    answer = together.plain.get("/shop/page/?q=1&r=%20")
    assert answer.status == 301
    assert answer.location == f"https://localhost:{together.port}/shop/page/?q=1&r=%20"
    assert together.plain.get("/shop/", ("Host", "evil.example")).status == 403


@row(15)
@ONCE
@TLS
@pytest.mark.parametrize("spoofed", ["http", "https", "ssl"])
def test_the_scheme_is_the_connections(together: SecureServers, spoofed: str) -> None:
    """Django knows that TLS is spoken, whatever the client says; there is no redirect loop."""
    claims = [(name, spoofed) for name in ("X-Forwarded-Proto", "X_FORWARDED_PROTO", "Https")]
    assert together.get("/shop/page/").json["secure"] is True
    assert together.get("/shop/page/", *claims).json["secure"] is True
    assert together.plain.get("/shop/page/", *claims).status == 301


@row(15)
@ONCE
@TLS
@pytest.mark.parametrize("path", ["/shop/page/", "/shop/static/site.css", "/shop/static/no.css"])
def test_hsts_comes_once_and_over_tls_only(together: SecureServers, path: str) -> None:
    """On pages, files and errors alike (RFC 6797 7.2)."""
    assert together.get(path).headers.get_all("Strict-Transport-Security") == [HSTS]
    assert "Strict-Transport-Security" not in together.plain.get(path).headers
