"""HAProxy: what its golden files cannot say, and the real server's opinion of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from django_deploykit import contract
from django_deploykit.config.facts import Hosts, SiteFacts
from django_deploykit.config.renderer import Rendered
from django_deploykit.config.servers.haproxy import HaproxyRenderer, installed
from django_deploykit.config.values import Address, Backend
from django_deploykit.exceptions import ChoiceError, UnrepresentableValue
from django_deploykit.run.validate import validate
from tests.cases import CASES, MEDIA, ONE_FILE, TLS, Case, produced, site
from tests.servers import harness

ACCEPTED = [name for name in CASES if produced("haproxy", name)[0] == ".cfg"]


def rendered(*sites: SiteFacts, **choices: Any) -> Rendered:
    plan = Case(sites=sites).plan(HaproxyRenderer)
    return HaproxyRenderer(replace(plan, deployment=replace(plan.deployment, **choices))).render()


@pytest.fixture(scope="module")
def certificate() -> Iterator[Path]:
    """A throw-away certificate with its key: HAProxy reads it even when it only checks."""
    with harness.public_directory() as directory:
        issued = trustme.CA().issue_cert("example.com")
        issued.private_key_and_cert_chain_pem.write_to_path(str(directory / "cert.pem"))
        yield directory / "cert.pem"


@pytest.mark.server
@pytest.mark.parametrize("name", ACCEPTED)
def test_haproxy_accepts(name: str, certificate: Path) -> None:
    """``haproxy -c`` takes every case, without a warning."""
    harness.require("haproxy", installed.binary())
    case = CASES[name]
    sites = tuple(
        replace(one, tls=one.tls and replace(one.tls, certificate=certificate, key=certificate))
        for one in case.sites
    )
    case = replace(case, sites=sites)
    said = validate(case.stack(HaproxyRenderer), case.plan(HaproxyRenderer))
    assert [line for line in said.splitlines() if line.startswith(("[WARNING]", "[ALERT]"))] == []


def test_every_forbidden_header_is_removed() -> None:
    """Each name of the contract stands in the text; names with an underscore go all together."""
    text = rendered(site(environ=(("BRANCH", "Zurich"),))).text
    for name in (*contract.CLIENT_FORBIDDEN_HEADERS, contract.data_header("BRANCH")):
        assert f"    http-request del-header {name}\n" in text
    assert "option http-restrict-req-hdr-names delete" in text


def test_certificate_and_key_in_two_files_are_refused() -> None:
    """HAProxy reads one file, and the message says how to make it."""
    with pytest.raises(ChoiceError, match=r"from one file.*privkey\.pem"):
        rendered(site(tls=TLS))


def test_what_it_does_not_send_is_announced() -> None:
    """Uploads, and answers to certificate authorities: no file is HAProxy's to send."""
    warnings = rendered(site(media=MEDIA, tls=ONE_FILE), socket=Address("127.0.0.1", 9)).warnings
    assert len(warnings) == 2
    assert "MEDIA_URL" in warnings[0]
    assert "ACME_WEBROOT" in warnings[1]


def test_a_socket_outside_of_a_chroot_is_announced() -> None:
    """Debian's HAProxy is confined to a directory in which no application's socket lies."""
    (warning,) = rendered(site()).warnings
    assert "'/run/shop/shop.sock'" in warning


def test_uwsgi_is_refused() -> None:
    """A body in chunks would arrive there as an empty one."""
    plan = replace(Case(sites=(site(),)).plan(HaproxyRenderer), app_server="uwsgi")
    with pytest.raises(ChoiceError, match="chunks"):
        HaproxyRenderer(plan).render()


def test_an_old_version_is_refused() -> None:
    """Before 2.6 a name with an underscore could not be told from one with a dash."""
    with pytest.raises(ChoiceError, match=r"needs haproxy 2\.6 or newer, not 2\.5"):
        rendered(site(), server_version=(2, 5))


def test_several_sites_share_no_application_server() -> None:
    """An application server serves one site."""
    backends = tuple(Backend(where=Address("10.0.0.5", port)) for port in (8000, 8001))
    with pytest.raises(ChoiceError, match="serves one site"):
        rendered(site(), site("blog", prefix="/blog"), backends=backends)


def test_data_that_http_would_change_is_refused() -> None:
    """Blanks at the ends of a header are lost on the way."""
    with pytest.raises(UnrepresentableValue, match=r"ENVIRON.*BRANCH"):
        rendered(site(environ=(("BRANCH", " north"),)))


def test_data_without_a_value_is_no_header() -> None:
    """HAProxy refuses an empty header; a client's is taken away, and Django finds ''."""
    facts = site(environ=(("BRANCH", ""),))
    text = rendered(facts).text
    assert f"del-header {contract.data_header('BRANCH')}\n" in text
    assert f"set-header {contract.data_header('BRANCH')}" not in text
    harness.require("haproxy", installed.binary())
    case = Case(sites=(facts,))
    validate(case.stack(HaproxyRenderer), case.plan(HaproxyRenderer))


def test_any_host_is_answered_where_settings_say_so() -> None:
    """ALLOWED_HOSTS = ["*"] leaves nobody to refuse."""
    text = rendered(site(hosts=Hosts(names=("*",)))).text
    assert "always_true" in text
    assert "deny_status 403" not in text


def test_every_address_is_two_sockets() -> None:
    """A client of IPv4 keeps the address that it has."""
    text = rendered(site(), listen=(Address("", 80),)).text
    assert "    bind *:80\n    bind [::]:80 v6only\n" in text
