"""lighttpd: what its golden files cannot say, and the real server's opinion of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from django_deploykit import contract
from django_deploykit.config.facts import Hosts, Limits, SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Access, Rendered
from django_deploykit.config.servers.lighttpd import LighttpdRenderer
from django_deploykit.config.servers.lighttpd.gateway import spellings
from django_deploykit.config.values import Address, Backend, addresses
from django_deploykit.exceptions import ChoiceError, UnrepresentableValue
from django_deploykit.run.validate import validate
from tests.cases import CASES, DEPLOYMENT, HSTS, PROTECTED, TLS, Case, pool, produced, site
from tests.servers import harness

ACCEPTED = [name for name in CASES if produced("lighttpd", name)[0] == ".conf"]


def plan(*sites: SiteFacts, gateway: str = "", **choices: Any) -> Plan:
    made = Case(sites=sites, deployment=DEPLOYMENT, gateway=gateway).plan(LighttpdRenderer)
    return replace(made, deployment=replace(made.deployment, **choices))


def rendered(*sites: SiteFacts, gateway: str = "", **choices: Any) -> Rendered:
    return LighttpdRenderer(plan(*sites, gateway=gateway, **choices)).render()


@pytest.fixture(scope="module")
def certificate() -> Iterator[Path]:
    """A throw-away certificate and key: lighttpd reads them even when it only checks."""
    with harness.public_directory() as directory:
        issued = trustme.CA().issue_cert("example.com")
        issued.private_key_and_cert_chain_pem.write_to_path(str(directory / "cert.pem"))
        yield directory / "cert.pem"


@pytest.mark.server
@pytest.mark.parametrize("name", ACCEPTED)
def test_lighttpd_accepts(name: str, certificate: Path) -> None:
    """``lighttpd -tt`` takes a golden case without a word: an unknown name is only a warning."""
    assert _said(CASES[name], certificate) == ""


def _said(case: Case, certificate: Path) -> str:
    """What lighttpd says of a case, with a certificate that exists."""
    harness.require_lighttpd()
    sites = tuple(
        replace(one, tls=one.tls and replace(one.tls, certificate=certificate, key=certificate))
        for one in case.sites
    )
    case = replace(case, sites=sites)
    return validate(case.stack(LighttpdRenderer), case.plan(LighttpdRenderer))


@pytest.mark.server
@pytest.mark.parametrize("gateway", LighttpdRenderer.gateways)
@pytest.mark.parametrize("facts", [{}, {"protected": (PROTECTED,)}], ids=["", "protected"])
def test_a_site_without_files_says_hsts_once(
    facts: dict[str, Any], gateway: str, certificate: Path
) -> None:
    """Django's own lines stand right in the host, where a name is set once or nothing starts."""
    bare = site(static=None, admin_static=None, tls=TLS, headers=HSTS, **facts)
    assert rendered(bare, gateway=gateway).text.count("Strict-Transport-Security") == 1
    assert _said(Case(sites=(bare,), gateway=gateway), certificate) == ""


@pytest.mark.parametrize(
    ("listen", "told"),
    [("", False), ("80,8080", False), ("8080", True), ("192.0.2.1:80", True)],
)
def test_an_address_of_its_own_hides_nothing(listen: str, told: bool) -> None:
    """A name is answered wherever lighttpd listens, and a note says so."""
    choices = {"listen": addresses(listen)} if listen else {}
    remarks = rendered(site(), **choices).needs.remarks
    assert any("server.bind" in remark for remark in remarks) is told


def test_several_sites_with_backends_need_several_lighttpds() -> None:
    """One file refuses the names of the other at every address."""
    named = tuple(Backend(where=Address("10.0.0.5", port)) for port in (8000, 8001))
    with pytest.raises(ChoiceError, match="with lighttpd, each for a lighttpd of its own"):
        rendered(site(), site("blog", prefix="/blog"), backends=named)


def test_packages_follow_the_text() -> None:
    """Modules that Debian keeps in packages of their own are asked for where they are loaded."""
    assert rendered(site(static=None)).needs.packages == ("lighttpd",)
    assert rendered(site()).needs.packages == ("lighttpd", "lighttpd-mod-deflate")
    assert "lighttpd-mod-openssl" in rendered(site(tls=TLS)).needs.packages


def test_the_directory_of_compressed_files_is_needed() -> None:
    """It must exist, and the server must be able to write to it."""
    needed = Access(Path("/var/cache/lighttpd/compress"), "compressed static files", write=True)
    assert needed in rendered(site()).needs.access


def test_every_spelling_of_a_header() -> None:
    """A dash and an underscore lead to one key, so every mixture of them is listed."""
    assert spellings("Proxy") == ["Proxy"]
    assert spellings("X-Real-Ip") == ["X-Real-Ip", "X-Real_Ip", "X_Real-Ip", "X_Real_Ip"]
    text = rendered(site()).text
    for header in contract.CLIENT_FORBIDDEN_HEADERS:
        assert all(f'"{one}" => ""' in text for one in spellings(header))


def test_limits_are_in_kibibytes() -> None:
    """The body limit is rounded up to what lighttpd counts in."""
    assert "server.max-request-size = 2\n" in rendered(site(), body_limit=1025).text


@pytest.mark.parametrize(
    ("facts", "seconds", "idle"),
    [
        (site(), 1, 60),
        (site(), 60, 75),
        (site(), 300, 315),
        (site(pools=(pool("/reports/", "reports", request_timeout=600),)), 60, 615),
    ],
)
def test_the_application_gives_up_before_lighttpd(
    facts: SiteFacts, seconds: int, idle: int
) -> None:
    """Also where an answer has begun and pauses, which lighttpd takes for a client that takes
    nothing."""
    text = rendered(facts, request_timeout=seconds).text
    assert f"    server.max-write-idle = {idle}\n" in text
    waits = [int(found) for found in re.findall(r'"read-timeout" => (\d+),', text)]
    assert waits
    assert max(waits) <= idle


def test_a_client_of_a_websocket_may_only_listen() -> None:
    """Where one may be, lighttpd does not wait for a word of the client; elsewhere it does."""
    for server, idle in (("uvicorn", ["60", "65535"]), ("", ["60"])):
        case = Case(sites=(site(websockets=("/ws/",)),), gateway="http", app_server=server)
        text = LighttpdRenderer(case.plan(LighttpdRenderer)).render().text
        assert re.findall(r"server\.max-read-idle = (\d+)", text) == idle


@pytest.mark.parametrize(
    ("version", "limited"), [((1, 4, 59), False), ((1, 4, 60), True), ((1, 4, 85), True)]
)
def test_each_version_gets_its_own_words(version: tuple[int, ...], limited: bool) -> None:
    """Time limits for an application server are known since 1.4.60."""
    text = rendered(site(), server_version=version).text
    for name in ("connect-timeout", "write-timeout", "read-timeout"):
        assert (f'"{name}"' in text) is limited


def test_a_socket_or_an_address() -> None:
    """The application server is met at a path, or at an address and a port."""
    assert '"socket" => "/run/shop/shop.sock"' in rendered(site()).text
    text = rendered(site(), socket=Address("127.0.0.1", 9000)).text
    assert '"host" => "127.0.0.1",' in text
    assert '"port" => 9000,' in text


def test_urls_that_differ_only_in_their_case() -> None:
    """lighttpd would not start, and its message names no setting."""
    facts = site(pools=(pool("/reports/", "reports"), pool("/Reports/", "other")))
    message = r"\['/Reports/'\]: to lighttpd, .* those of DEPLOYKIT.*\['/reports/'\]"
    with pytest.raises(ChoiceError, match=message):
        rendered(facts)


def test_exact_names_come_before_wider_ones() -> None:
    """The first condition that holds counts, so a site for any name stands last."""
    anybody = site("anybody", hosts=Hosts(names=("*",)))
    exact = site("exact", hosts=Hosts(names=("www.example.com",)))
    text = rendered(anybody, exact).text
    assert text.index("www\\.example\\.com") < text.index("exact-access.log")
    assert text.index("exact-access.log") < text.index("anybody-access.log")


def test_named_logs() -> None:
    """Debian's directory, unless another one is chosen."""
    assert '"/var/log/lighttpd/shop-access.log"' in rendered(site()).text
    assert '"/logs/shop-access.log"' in rendered(site(), log_directory=Path("/logs")).text


@pytest.mark.parametrize(
    ("facts", "choices", "message"),
    [
        (
            {},
            {"server_version": (1, 4, 50)},
            r"needs lighttpd 1\.4\.59 or newer, not 1\.4\.50",
        ),
        ({}, {"server_version": (1, 4, 80)}, r"trailers of a request.*Use 1\.4\.82 or newer"),
        ({}, {"server_version": (1, 4, 81)}, r"trailers of a request.*Use 1\.4\.82 or newer"),
        ({}, {"static_lookup": "file"}, "before it looks for a file.*Leave it at 'url'"),
        ({"environ": (("A_B_C_D_E_F_G", "x"),)}, {}, "too many underscores"),
    ],
)
def test_refused(facts: dict[str, Any], choices: dict[str, Any], message: str) -> None:
    """What cannot be written correctly is refused with a way out."""
    with pytest.raises(ChoiceError, match=message):
        rendered(site(**facts), **choices)


def test_several_sites_need_several_sockets() -> None:
    """One socket leads to one application."""
    with pytest.raises(ChoiceError, match="several sites or pools cannot share"):
        rendered(site(), site("blog", prefix="/blog"), socket=Path("/run/one.sock"))


def test_blanks_around_data_need_another_gateway() -> None:
    """A header loses them; a parameter does not."""
    padded = site(environ=(("MOTTO", " padded "),))
    with pytest.raises(UnrepresentableValue, match="blanks at either end"):
        rendered(padded)
    assert '"MOTTO" => " padded "' in rendered(padded, gateway="scgi").text


def test_a_limit_below_djangos_own() -> None:
    """A server that refuses what Django would take is worth a warning."""
    facts = site(limits=Limits(upload_memory=4096))
    assert "(--set body_limit=...)" in "".join(rendered(facts, body_limit=1024).warnings)
