"""HAProxy: what its golden files cannot say, and the real server's opinion of them."""

from __future__ import annotations

import re
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


@pytest.mark.server
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


@pytest.mark.parametrize("name", ACCEPTED)
def test_no_frontend_is_called_like_a_backend(name: str) -> None:
    """HAProxy 3.3 would not start."""
    called = re.findall(r"^(?:frontend|backend) (\S+)", produced("haproxy", name)[1], re.MULTILINE)
    assert len(called) > 1
    assert len(set(called)) == len(called)


def test_a_site_may_be_called_like_the_file() -> None:
    """The file of several sites is called "sites", as one of them may be."""
    text = rendered(site("sites", prefix="/a"), site("blog", prefix="/b")).text
    assert text.count("\nfrontend deploykit_sites.front ") == 1
    assert text.count("\nbackend deploykit_sites ") == 1


@pytest.mark.parametrize(("request_timeout", "seconds"), [(300, 45), (60, 45), (15, 18)])
def test_a_look_gets_as_long_as_a_request_for_its_turn(request_timeout: int, seconds: int) -> None:
    """Where nothing is asked for health, it has no time of its own."""
    assert "timeout check" not in rendered(site()).text
    text = rendered(site(), health="/health/", request_timeout=request_timeout).text
    assert f"    timeout check {seconds}s\n" in text


MANY = tuple(f"customer-{number:03}.shop.example.com" for number in range(200))


@pytest.mark.server
def test_two_hundred_names_fit() -> None:
    """Into several lines of one acl, which are alternatives; none is longer than a line may be."""
    facts = site(hosts=Hosts(names=MANY))
    lines = rendered(facts).text.splitlines()
    assert max(map(len, lines)) < 2048
    assert sum(line.startswith("    acl host_shop ") for line in lines) > 1
    harness.require("haproxy", installed.binary())
    case = Case(sites=(facts,))
    validate(case.stack(HaproxyRenderer), case.plan(HaproxyRenderer))


@pytest.mark.server
def test_eighty_hosts_fit() -> None:
    """Each with names of its own: no line names all of them."""
    hosts = [Hosts(names=(f"customer-{number}.example.com",)) for number in range(80)]
    sites = [site(f"customer{number}", hosts=each) for number, each in enumerate(hosts)]
    harness.require("haproxy", installed.binary())
    case = Case(sites=tuple(sites))
    validate(case.stack(HaproxyRenderer), case.plan(HaproxyRenderer))


def test_too_many_certificates_are_refused() -> None:
    """HAProxy reads so many words of a line, and would not start with more."""
    sites = [
        site(
            f"customer{number}",
            hosts=Hosts(names=(f"customer-{number}.example.com",)),
            tls=replace(
                TLS, certificate=Path(f"/etc/{number}.pem"), key=Path(f"/etc/{number}.pem")
            ),
        )
        for number in range(30)
    ]
    with pytest.raises(UnrepresentableValue, match=r"it would have 7\d words.*'TLS'"):
        rendered(*sites)
    rendered(*sites[:25])


def test_a_url_that_is_too_long_is_refused_by_name() -> None:
    """A line has an end, and the message says which setting does not fit into it."""
    plan = Case(sites=(site(websockets=(f"/{'a' * 2000}",)),)).plan(HaproxyRenderer)
    with pytest.raises(UnrepresentableValue, match=r"longer than 1800 bytes.*ASGI_APPLICATION"):
        HaproxyRenderer(replace(plan, interface="asgi", app_server="uvicorn")).render()
