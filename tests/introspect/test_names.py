"""The names of a site: hosts and prefix."""

from __future__ import annotations

import pytest

from django_deploykit.config.introspect import introspect
from tests.introspect.conftest import Read
from tests.introspect.looking import facts, ids, messages


def test_hosts_keep_their_order_and_kind(read: Read) -> None:
    """Exact names and names with a leading dot are told apart; the first one is the main one."""
    names = ["WWW.example.com", ".example.org", "[2001:db8::1]", "192.0.2.1", "www.example.com"]
    hosts = facts(read(ALLOWED_HOSTS=names)).hosts
    assert hosts.exact == ("www.example.com", "[2001:db8::1]", "192.0.2.1")
    assert hosts.suffixes == (".example.org",)
    assert not hosts.anything
    assert hosts.setting == "ALLOWED_HOSTS"


def test_debug_allows_what_django_allows(read: Read) -> None:
    """With DEBUG and no ALLOWED_HOSTS, Django answers to the names of this machine."""
    hosts = facts(read(DEBUG=True, ALLOWED_HOSTS=[])).hosts
    assert hosts.names == (".localhost", "127.0.0.1", "[::1]")


def test_site_hosts_replace_allowed_hosts(site: Read) -> None:
    """SITE['HOSTS'] says what the server answers to where ALLOWED_HOSTS is broader."""
    hosts = facts(site(HOSTS=["shop.example.com"])).hosts
    assert hosts.names == ("shop.example.com",)
    assert hosts.setting == "DEPLOYKIT['SITE']['HOSTS']"


def test_name_in_another_script_is_spelled_for_browsers(read: Read) -> None:
    """The message says what a browser would send, which is what has to be listed."""
    found = read(ALLOWED_HOSTS=["bücher.example"])
    assert ids(found) == {"E005"}
    assert "Browsers send 'xn--bcher-kva.example'." in messages(found)


def test_every_bad_host_is_reported(read: Read) -> None:
    """One reading names all of them."""
    found = read(ALLOWED_HOSTS=["", "a b", "ok.example", "http://example.com"])
    assert len(found.errors) == 3


@pytest.mark.parametrize(
    ("forced", "expected"),
    [(None, ""), ("", ""), ("/", ""), ("/app", "/app"), ("/app/", "/app"), ("/a/b.c", "/a/b.c")],
)
def test_prefix_of_force_script_name(forced: str | None, expected: str, read: Read) -> None:
    """The prefix has no slash at its end, however Django's setting is written."""
    found = read(FORCE_SCRIPT_NAME=forced, STATIC_URL="static/")
    assert facts(found).prefix == expected
    assert facts(found).prefix_is_known


def test_prefix_of_site_needs_no_force_script_name(site: Read) -> None:
    """SITE['PREFIX'] alone says where the server mounts the site."""
    found = facts(site(PREFIX="/app"))
    assert (found.prefix, found.prefix_is_known) == ("/app", False)
    assert found.prefix_setting == "DEPLOYKIT['SITE']['PREFIX']"


@pytest.mark.parametrize(("forced", "known"), [(None, False), ("", True)])
def test_a_prefix_that_sites_take_away_is_not_known(
    forced: str | None, known: bool, read: Read
) -> None:
    """The site's own settings name its protected files by the prefix that they say."""
    read(FORCE_SCRIPT_NAME=forced, DEPLOYKIT={"SITE": {"PREFIX": "/app"}})
    found = facts(introspect({"PREFIX": ""}))
    assert (found.prefix, found.prefix_is_known) == ("", known)


def test_equal_prefixes_agree(read: Read) -> None:
    """A slash at the end is no contradiction."""
    found = read(FORCE_SCRIPT_NAME="/app/", DEPLOYKIT={"SITE": {"PREFIX": "/app"}})
    assert "E007" not in ids(found)


def test_forced_root_contradicts_a_prefix(read: Read) -> None:
    """FORCE_SCRIPT_NAME = '' pins the site to the root."""
    found = read(FORCE_SCRIPT_NAME="", DEPLOYKIT={"SITE": {"PREFIX": "/app"}})
    assert "E007" in ids(found)


@pytest.mark.parametrize("prefix", [False, 0, 5, [], ["/app"], b"/app"])
def test_a_prefix_that_is_no_text(prefix: object, site: Read) -> None:
    """It is none by mistake, and not the root."""
    found = site(PREFIX=prefix)
    assert "E006" in ids(found)
    assert f"{prefix!r} is not a URL prefix." in messages(found)


@pytest.mark.parametrize("host", [5, None, b"example.com", ["example.com"]])
def test_a_host_that_is_no_text(host: object, read: Read) -> None:
    """It is told by its value."""
    found = read(ALLOWED_HOSTS=[host])
    assert ids(found) == {"E005"}
    assert f"{host!r} is not a host." in messages(found)


@pytest.mark.parametrize("name", [5, None, "", "a b", "-a", "x" * 33, "a\n"])
def test_a_name_that_is_none(name: object, site: Read) -> None:
    """It would be a part of paths, and of systemd's units."""
    found = site(NAME=name)
    assert ids(found) == {"E002"}
    assert f"{name!r} is not made of" in messages(found)


@pytest.mark.parametrize("prefix", ["app", "/app space", "/ap?p", "/..", "/a//b", "/é", "/a\n"])
def test_prefix_of_plain_characters_only(prefix: str, site: Read) -> None:
    """Characters that a server or a browser would spell differently are refused."""
    found = site(PREFIX=prefix)
    assert "E006" in ids(found)
    assert repr(prefix) in messages(found)
