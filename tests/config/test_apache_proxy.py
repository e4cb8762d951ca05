"""Apache's proxy gateways: which httpd has them, and what none of them can say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.servers.apache import ApacheRenderer
from django_deploykit.config.servers.apache.workers import SPEAKS
from django_deploykit.exceptions import ChoiceError, UnrepresentableValue
from tests.cases import BLOG_PROTECTED, DEPLOYMENT, PROTECTED, Case, site

GATEWAYS = pytest.mark.parametrize("gateway", SPEAKS)


def text(gateway: str, *sites: SiteFacts, **choices: Any) -> str:
    deployment = replace(DEPLOYMENT, **choices)
    plan = Case(sites=sites, deployment=deployment, gateway=gateway).plan(ApacheRenderer)
    return ApacheRenderer(plan).render().text


# Refusals


@GATEWAYS
def test_an_httpd_that_is_too_old_is_refused_with_both_versions(gateway: str) -> None:
    """The first version that has all of it is taken, and so is a short one; none before."""
    major, minor, patch = SPEAKS[gateway].since
    for version in ((major, minor, patch), (major, minor), None):
        assert "ProxyPass" in text(gateway, site(), server_version=version)
    for version in ((major, minor, patch - 1), (2, 2), (2, 2, 34)):
        named = ".".join(map(str, version))
        with pytest.raises(
            ChoiceError, match=rf"needs Apache {major}\.{minor}\.{patch}, not "
        ) as e:
            text(gateway, site(), server_version=version)
        assert named in str(e.value)


@GATEWAYS
@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"isolation": "interpreters"}, "isolation='interpreters' is for gateway 'mod_wsgi'"),
        ({"socket": Path("/run/one.sock")}, "several sites or pools cannot share"),
    ],
)
def test_sites_keep_their_own_application_servers(
    gateway: str, choices: dict[str, Any], message: str
) -> None:
    """What would bring two sites together in one process is refused; one site may have it."""
    sites = site("shop", prefix="/shop"), site("blog", prefix="/blog")
    with pytest.raises(ChoiceError, match=message):
        text(gateway, *sites, **choices)
    assert "ProxyPass" in text(gateway, sites[0], **choices)


@GATEWAYS
@pytest.mark.parametrize("sign", ["?", "#", "|"])
def test_a_socket_that_would_end_early_is_refused(gateway: str, sign: str) -> None:
    """A character that ends the path of a socket in ProxyPass is refused by the choice's name."""
    with pytest.raises(UnrepresentableValue, match=r"from socket.* cannot be written") as refusal:
        text(gateway, site(), socket=Path(f"/run/a{sign}b.sock"))
    assert repr(sign) in str(refusal.value)


@pytest.mark.parametrize("value", [" x", "x ", "\tx"])
def test_blanks_at_the_ends_of_a_header_are_refused(value: str) -> None:
    """Over HTTP they would be lost; as a parameter they arrive."""
    facts = site(environ=(("MOTTO", value),))
    with pytest.raises(UnrepresentableValue, match=r"ENVIRON'\]\['MOTTO'\]"):
        text("http", facts)
    for gateway in set(SPEAKS) - {"http"}:
        if value.isprintable():
            assert "SetEnv MOTTO" in text(gateway, facts)


def test_a_name_with_too_many_spellings_is_refused_over_http() -> None:
    """Each underscore doubles the headers to take away; as a parameter the name has one."""
    most, more = site(environ=(("A_B_C_D_E", "x"),)), site(environ=(("A_B_C_D_E_F", "x"),))
    assert "X-Deploykit-A-B-C-D-E" in text("http", most)
    with pytest.raises(ChoiceError, match="at most 4 underscores, or another gateway"):
        text("http", more)
    for gateway in set(SPEAKS) - {"http"}:
        assert "SetEnv A_B_C_D_E_F" in text(gateway, more)


# Versions


@pytest.mark.parametrize(
    ("version", "present", "absent"),
    [
        ((2, 4, 10), "RequestHeader set X-Forwarded-For", "LogIOTrackTTFB"),
        ((2, 4, 13), "%D %^FB", "Proxy100Continue"),
        ((2, 4, 39), "LogIOTrackTTFB", "Proxy100Continue"),
        ((2, 4, 40), "Proxy100Continue Off", "SSLCertificateChainFile"),
        ((2, 4), "Proxy100Continue Off", "SSLCertificateChainFile"),
    ],
)
def test_directives_follow_the_version(version: tuple[int, ...], present: str, absent: str) -> None:
    """Nothing is written that the named httpd does not know."""
    written = text("http", site(), server_version=version)
    assert present in written
    assert absent not in written


# Internal redirects and files


def test_scgi_states_both_of_its_ways_to_a_file() -> None:
    """Both are closed; protected files open a redirect by the header of the contract."""
    protected = site(protected=(PROTECTED,))
    assert "ProxySCGIInternalRedirect Off" in text("scgi", site())
    assert "ProxySCGIInternalRedirect X-Location" in text("scgi", protected)
    for facts in (site(), protected):
        assert "ProxySCGISendfile Off" in text("scgi", facts)


def test_an_scgi_that_knows_no_such_redirect_sends_by_path() -> None:
    """Before 2.4.13 a file is named by its path, and only in the protected directory."""
    written = text("scgi", site(protected=(PROTECTED,)), server_version=(2, 4, 10))
    assert "ProxySCGISendfile X-Sendfile" in written
    assert "ProxySCGIInternalRedirect Off" in written
    assert "<Directory /srv/shop/private>" in written
    assert "DEPLOYKIT_SENDFILE" not in written


def test_mod_xsendfile_is_told_how_a_path_is_spelled() -> None:
    """1.0 has to decode; a module called 0.12 must not, be it one that could."""
    for version, apache, said in (
        ((1, 0), (2, 4, 71), ["XSendFileUnescape On"]),
        ((0, 12), (2, 4, 71), ["<IfDirective XSendFileUnescape>", "XSendFileUnescape Off"]),
        ((0, 12), (2, 4, 33), []),
    ):
        choices = {"server_version": apache, "mod_xsendfile_version": version}
        lines = text("http", site(protected=(PROTECTED,)), **choices).splitlines()
        assert [line.strip() for line in lines if "Unescape" in line] == said


def test_no_other_gateway_reaches_a_protected_directory() -> None:
    """Where nothing of Apache's sends them, it does not know of them."""
    for gateway in set(SPEAKS) - {"scgi"}:
        assert "/srv/shop/private" not in text(gateway, site(protected=(PROTECTED,)))


def test_protected_files_are_those_of_one_site() -> None:
    """Each site that has some names its own, and no other can. By path, before 2.4.13, Apache mixes
    those of sites that share their hosts, which is said."""
    shop = site("shop", prefix="/shop", protected=(PROTECTED,))
    blog = site("blog", prefix="/blog")
    both = shop, replace(blog, protected=(BLOG_PROTECTED,))
    for sites, said in (((shop, blog), 0), (both, 1)):
        lines, warnings = _rendered(sites, (2, 4, 71))
        assert lines.count("SetEnv DEPLOYKIT_SITE shop") == 1
        assert lines.count("SetEnv DEPLOYKIT_SITE blog") == said
        assert lines.count("<If \"reqenv('REDIRECT_DEPLOYKIT_SITE') != 'shop'\">") == 1
        assert not warnings
        lines, warnings = _rendered(sites, (2, 4, 10))
        assert lines.count("ProxySCGISendfile Off") == 1
        assert lines.count("ProxySCGISendfile X-Sendfile") == 1 + said
        assert len(warnings) == said


def _rendered(
    sites: tuple[SiteFacts, ...], version: tuple[int, ...]
) -> tuple[list[str], list[str]]:
    """The lines, and what is said of sites that share their hosts."""
    deployment = replace(DEPLOYMENT, server_version=version)
    case = Case(sites=sites, deployment=deployment, gateway="scgi")
    rendered = ApacheRenderer(case.plan(ApacheRenderer)).render()
    lines = [line.strip() for line in rendered.text.splitlines()]
    return lines, [text for text in rendered.warnings if "share their hosts" in text]


@GATEWAYS
def test_exceptions_come_before_the_rule_for_everything(gateway: str) -> None:
    """ProxyPass takes the first that fits: static files, then the longest mount, then the root."""
    sites = site("shop"), site("blog", prefix="/blog")
    lines = [line.strip() for line in text(gateway, *sites).splitlines()]
    urls = [line.split()[1:] for line in lines if line.startswith("ProxyPass ")]
    exceptions = [rest[1] == "!" for rest in urls]
    assert exceptions == sorted(exceptions, reverse=True)
    assert [rest[0] for rest in urls if rest[1] != "!"] == ["/blog/", "/"]
