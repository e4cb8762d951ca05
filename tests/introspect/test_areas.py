"""SITE["AUTH_AREAS"]: what may be an area, and what is said of anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.urls import include, path, re_path

from django_deploykit.config.facts import Area, Endpoint
from django_deploykit.views import AuthRequestView
from tests.introspect.conftest import Read
from tests.introspect.looking import facts, ids, messages, urlconf, view

PLACE = "DEPLOYKIT['SITE']['AUTH_AREAS']"


@pytest.fixture
def areas(read: Read) -> Any:
    """Read settings with these areas, and a policy 'press'."""

    def with_areas(value: object, **overrides: Any) -> Any:
        deploykit = {
            "SITE": {"AUTH_AREAS": value, **overrides.pop("SITE", {})},
            "AUTH": {"POLICIES": {"press": "group:Press"}},
        }
        return read(DEPLOYKIT=deploykit, **overrides)

    return with_areas


def test_areas_lie_below_the_prefix(areas: Any, tmp_path: Path) -> None:
    """A policy alone guards what is there; with a directory, those files are there."""
    files = tmp_path / "press"
    files.mkdir()
    value = {"/press/": {"POLICY": "press", "DIRECTORY": str(files)}, "/admin/": "staff"}
    assert facts(areas(value, FORCE_SCRIPT_NAME="/app")).areas == (
        Area(url="/app/admin/", policy="staff", setting=f"{PLACE}['/admin/']"),
        Area(url="/app/press/", policy="press", setting=f"{PLACE}['/press/']", directory=files),
    )


def test_a_whole_site(areas: Any) -> None:
    """Everything may be an area."""
    assert facts(areas({"/": "staff"})).areas[0].url == "/"


def test_no_directory_for_a_whole_site(areas: Any, tmp_path: Path) -> None:
    """Nothing would be left of the site."""
    (tmp_path / "a").mkdir()
    found = areas({"/": {"POLICY": "staff", "DIRECTORY": tmp_path / "a"}})
    assert "a directory would hide it" in messages(found)


@pytest.mark.parametrize(
    "url",
    [
        *("", "press", "/press", "press/", "//", "//press/", "/a//b/", "/../a/", "/./", "/.git/"),
        *("/%70ress/", "/a?b/", "/a#b/", "/a\\b/", "/a b/", "/a*/", "/é/", "/a\n/", 7, None),
    ],
    ids=ascii,
)
def test_a_url_that_could_be_read_in_two_ways(areas: Any, url: object) -> None:
    """It is refused: one server would guard another URL than the next one looks up."""
    found = areas({url: "staff"})
    assert ids(found) == {"E011"}
    assert f"{PLACE}: {url!r} is not such a path" in messages(found)


@pytest.mark.parametrize(
    "policy", ["", "nobody", "perm:auth.add_user", "group:Press", "Staff", None, True, 7, ["staff"]]
)
def test_a_policy_that_has_no_such_name(areas: Any, policy: object) -> None:
    """It is refused with the names that there are; a rule written out has none."""
    found = areas({"/press/": policy})
    assert ids(found) == {"E064"}
    assert f"{PLACE}['/press/']: unknown policy" in messages(found)
    assert "Allowed: active, press, staff, superuser." in messages(found)


def test_a_misspelt_key(areas: Any) -> None:
    """The area without a policy that this would be is an error, too."""
    found = areas({"/press/": {"POLICE": "staff"}})
    assert ids(found) == {"E064"}
    assert "unknown key 'POLICE'. Did you mean 'POLICY'?" in messages(found)
    assert "it names no policy. Allowed: active, press, staff, superuser." in messages(found)


@pytest.mark.parametrize("value", [["/press/"], "/press/", None])
def test_no_dict(areas: Any, value: object) -> None:
    """Only a dict says what holds where."""
    assert ids(areas(value)) == {"E002"}


@pytest.mark.parametrize("directory", ["files", "/there/is/no/such/directory"])
def test_a_directory_that_is_not_there(areas: Any, directory: str) -> None:
    """A relative or a missing one."""
    found = areas({"/press/": {"POLICY": "press", "DIRECTORY": directory}})
    assert ids(found) == {"E012"}
    assert f"{directory!r} is not an existing directory" in messages(found)


def test_there_must_be_users(areas: Any) -> None:
    """Without django.contrib.auth nobody could be let in."""
    found = areas({"/press/": "active"}, INSTALLED_APPS=["django_deploykit"])
    assert "it needs 'django.contrib.auth' in INSTALLED_APPS" in messages(found)


def test_no_area_within_another(areas: Any) -> None:
    """One URL has one policy."""
    found = areas({"/press/": "press", "/press/staff/": "staff"})
    assert ids(found) == {"E010"}
    assert "'/press/' and '/press/staff/'" in messages(found)


def test_files_of_an_area_have_their_own_url(areas: Any, tmp_path: Path) -> None:
    """Static files lie elsewhere."""
    inside = {"/static/press/": {"POLICY": "press", "DIRECTORY": tmp_path / "press"}}
    (tmp_path / "press").mkdir()
    assert ids(areas(inside, STATIC_URL="/static/")) == {"E010"}


@pytest.mark.parametrize(("one", "other"), [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_no_directory_within_another(areas: Any, tmp_path: Path, one: str, other: str) -> None:
    """Else one area would hand out what the other one guards."""
    (tmp_path / "a/b").mkdir(parents=True)
    value = {
        "/one/": {"POLICY": "active", "DIRECTORY": tmp_path / one},
        "/other/": {"POLICY": "staff", "DIRECTORY": tmp_path / other},
    }
    assert "E009" in ids(areas(value))


def test_public_and_guarded_are_apart(areas: Any, tmp_path: Path, collected: Path) -> None:
    """Neither may lie in the other, and the code in none."""
    for directory in (collected, tmp_path, Path(__file__).parents[2]):
        found = areas({"/one/": {"POLICY": "active", "DIRECTORY": directory}})
        assert "E009" in ids(found)
    (collected / "press").mkdir()
    found = areas({"/one/": {"POLICY": "active", "DIRECTORY": collected / "press"}})
    assert ids(found) == {"E009"}


def test_a_file_of_an_area_at_the_root(areas: Any, tmp_path: Path) -> None:
    """A file at the root of the host is for anybody."""
    guarded = tmp_path / "guarded"
    guarded.mkdir()
    (guarded / "robots.txt").touch()
    value = {"/press/": {"POLICY": "press", "DIRECTORY": guarded}}
    found = areas(value, SITE={"ROOT_FILES": {"/robots.txt": guarded / "robots.txt"}})
    assert ids(found) == {"E009"}


def test_endpoints_of_the_urlconf(areas: Any) -> None:
    """Where nginx can ask: not for another dialect, not at many URLs, not where another view is."""
    asked = AuthRequestView.as_view
    patterns = [
        path("auth/", include([path("press/", asked(policy="press")), path("all/", asked())])),
        re_path(r"^auth\.old/staff$", asked(policy="staff")),
        path("auth/traefik/", asked(dialect="forward")),
        path("auth/<slug:any>/", asked(policy="superuser")),
        path("auth/press/", asked(policy="superuser")),
    ]
    read = facts(areas({"/a/": "staff"}, ROOT_URLCONF=urlconf(*patterns), FORCE_SCRIPT_NAME="/x"))
    assert read.endpoints == (
        Endpoint(url="/x/auth/press/", policy="press"),
        Endpoint(url="/x/auth/all/", policy="active"),
        Endpoint(url="/x/auth.old/staff", policy="staff"),
    )
    assert facts(areas({}, ROOT_URLCONF=urlconf(*patterns))).endpoints == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("login", "/x/accounts/login/"),
        ("/x/accounts/login/", "/x/accounts/login/"),
        ("https://sso.example.com/login", ""),
        ("/login?a=b", ""),
        ("/lo$gin/", ""),
        ("//elsewhere/", ""),
        ("nowhere", ""),
    ],
)
def test_where_people_log_in(areas: Any, value: str, expected: str) -> None:
    """A name of a URL, or a path; from anything else a server makes no redirect."""
    patterns = urlconf(path("accounts/login/", view, name="login"))
    found = areas(
        {"/a/": "staff"},
        **{"SITE": {"PREFIX": "/x"}, "ROOT_URLCONF": patterns, "LOGIN_URL": value},
    )
    assert facts(found).login_url == expected


def test_no_page_to_log_in(areas: Any) -> None:
    """Django's default LOGIN_URL says nothing, unless there is such a page."""
    assert facts(areas({"/a/": "staff"})).login_url == ""
