"""SITE["POOLS"]: what may be a pool, and what is said of anything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from django_deploykit.config import findings
from django_deploykit.config.facts import Pool
from django_deploykit.config.introspect import introspect_sites, sites
from django_deploykit.config.values import Address
from tests import cases
from tests.introspect.conftest import Read
from tests.introspect.looking import facts, ids, messages

PLACE = "DEPLOYKIT['SITE']['POOLS']"
REPORTS = {"name": "reports"}


@pytest.fixture
def pools(read: Read) -> Any:
    """Read settings with these pools."""
    return lambda value, site=(), **overrides: read(
        DEPLOYKIT={"SITE": {"POOLS": value, **dict(site)}}, **overrides
    )


def test_pools_lie_below_the_prefix(pools: Any) -> None:
    """With choices of their own, written as those of DEPLOYMENT are; None is the site's own."""
    value = {
        "/reports/": {"name": "reports", "processes": 2, "threads": "1", "request_timeout": 300},
        "/api/v1/": {"name": "api_1", "socket": "127.0.0.1:9001", "threads": None},
    }
    assert facts(pools(value, FORCE_SCRIPT_NAME="/app")).pools == (
        Pool(
            url="/app/api/v1/",
            name="api_1",
            setting=f"{PLACE}['/api/v1/']",
            choices=(("socket", Address("127.0.0.1", 9001)),),
        ),
        Pool(
            url="/app/reports/",
            name="reports",
            setting=f"{PLACE}['/reports/']",
            choices=(("processes", 2), ("request_timeout", 300), ("threads", 1)),
        ),
    )


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "/",
            "reports",
            "/reports",
            "reports/",
            "//",
            "//reports/",
            "/a//b/",
            "/../a/",
            "/./",
        ),
        *("/%72eports/", "/a?b/", "/a#b/", "/a\\b/", "/a b/", "/a*/", "/é/", "/a\n/", 7, None),
    ],
    ids=ascii,
)
def test_a_url_that_could_be_read_in_two_ways(pools: Any, url: object) -> None:
    """It is refused, as is that of the whole site: DEPLOYMENT speaks of all the rest."""
    found = pools({url: REPORTS})
    assert ids(found) == {"E011"}
    assert f"{PLACE}: {url!r} is not such a path" in messages(found)


@pytest.mark.parametrize(
    "name", [None, "", "-a", "a b", "a/b", "../a", "a.b", "é", "a\n", "a" * 16, 7, ["a"]], ids=ascii
)
def test_a_name_that_no_file_could_have(pools: Any, name: object) -> None:
    """It is part of the names of files, sockets and units, and has to fit into a socket's path."""
    found = pools({"/reports/": {"name": name}})
    assert ids(found) == {"E022"}
    assert f"{PLACE}['/reports/']: 'name' is {name!r}, not up to 15 letters" in messages(found)


def test_a_name_that_is_taken(pools: Any) -> None:
    """The authorizer of a site has its own directory, and two pools have two names."""
    found = pools({"/reports/": {"name": "authorizer"}})
    assert ids(found) == {"E022"}
    assert "'name' is 'authorizer', which is taken." in messages(found)
    found = pools({"/reports/": REPORTS, "/exports/": REPORTS})
    assert ids(found) == {"E022"}
    assert f"{PLACE}: 2 pools have the name 'reports'. Give each its own." in messages(found)


def test_the_longest_names_fit_into_a_socket() -> None:
    """unix(7): 108 bytes, with the NUL at the end."""
    shop = cases.site("s" * 32, pools=(cases.pool("/reports/", "p" * 15),))
    (part,) = cases.Case(sites=(shop,)).plan(cases.renderers()["nginx"]).each()[1:]
    assert len(str(part.socket(shop))) == 107


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ({"process": 2}, "unknown key 'process'. Did you mean 'processes'? Allowed: name, proc"),
        ({"listen": 80}, "unknown key 'listen'. Allowed: name, processes, request_timeout, s"),
        ({"processes": 0}, "processes=0 is not allowed. Write a whole number from 1 to 9999."),
        ({"threads": "many"}, "threads='many' is not allowed. Write a whole number"),
        ({"request_timeout": -1}, "request_timeout=-1 is not allowed."),
        ({"socket": "reports.sock"}, "socket='reports.sock' is not allowed."),
        ({"socket": 9001}, "socket=9001 is not allowed. Write an absolute path, or an IP"),
    ],
)
def test_what_a_pool_may_not_say(pools: Any, pool: dict[str, Any], said: str) -> None:
    """Its keys are few; what they may hold is what --set takes."""
    found = pools({"/reports/": {**REPORTS, **pool}})
    assert ids(found) == {"E022"}
    assert f"{PLACE}['/reports/']: {said}" in messages(found)


@pytest.mark.parametrize("value", [["/reports/"], "/reports/", None])
def test_no_dict(pools: Any, value: object) -> None:
    """Only a dict says what holds where; also of one pool."""
    assert ids(pools(value)) == {"E002"}
    assert ids(pools({"/reports/": value})) == {"E002"}


@pytest.mark.parametrize("other", ["/reports/", "/reports/a/", "/reports/a/b/"])
def test_no_pool_within_another(pools: Any, other: str) -> None:
    """One URL has one pool."""
    found = pools({"/reports/": REPORTS, f"{other}x/": {"name": "other"}})
    assert ids(found) == {"E010"}
    assert f"'/reports/' and '{other}x/'" in messages(found)


def test_no_pool_among_files(pools: Any, tmp_path: Path) -> None:
    """What the server answers itself gets to no process; but files may lie below a pool."""
    (tmp_path / "files").mkdir()
    (tmp_path / "robots.txt").touch()
    site: dict[str, Any] = {
        "PROTECTED": {"/files/": tmp_path / "files"},
        "ROOT_FILES": {"/reports": tmp_path / "robots.txt"},
    }
    for url in ("/static/", "/static/reports/", "/files/reports/", "/reports/"):
        assert ids(pools({url: REPORTS}, site, STATIC_URL="/static/")) == {"E010"}, url
    below = {"PROTECTED": {"/reports/files/": tmp_path / "files"}}
    assert ids(pools({"/reports/": REPORTS}, below, STATIC_URL="/reports/static/")) == set()


@pytest.mark.parametrize(
    ("url", "expected"),
    [("/app/", set()), ("/app/x/", set()), ("/application/", {"E022"}), ("/x/app/", {"E022"})],
)
def test_pools_lie_in_routes(pools: Any, url: str, expected: set[str]) -> None:
    """What SITE["ROUTES"] keeps from Django has no processes."""
    found = pools({url: REPORTS}, {"ROUTES": ["/app/", "/accounts/"]})
    assert ids(found) == expected
    if expected:
        said = f"its URL {url!r} is neither in DEPLOYKIT['SITE']['ROUTES'] nor below them."
        assert said in messages(found)


def test_a_pool_holds_no_route(pools: Any) -> None:
    """It would hand more to Django than the routes do."""
    assert ids(pools({"/app/": REPORTS}, {"ROUTES": ["/app/a/", "/app/b/"]})) == {"E022"}


def test_pools_of_several_sites(settings: Any) -> None:
    """Two sites have no name of processes in common, and no pool lies in another site."""
    shop = cases.site(pools=(cases.pool("/blog/slow/", "blog"),))
    blog = cases.site("shop-blog", prefix="/blog")
    (conflict,) = sites._conflicts([shop, blog])
    assert conflict.kind is findings.SITES_CONFLICT
    assert "both have processes called 'shop-blog'. Give a pool another name." in conflict.message
    (conflict,) = sites._conflicts([shop, replace(blog, name="blog", static=None)])
    assert "['/blog/slow/'] of 'shop': '/blog/slow/' lies in 'blog'." in conflict.message
    assert sites._conflicts([shop, replace(blog, name="blog", prefix="/b", static=None)]) == ()


def test_settings_without_pools(settings: Any) -> None:
    """Nothing is asked of whoever has none."""
    (only,), _ = introspect_sites()
    assert only.pools == ()
