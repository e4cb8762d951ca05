"""What the URLconf says about URLs that the server answers itself."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from django.conf import settings
from django.conf.urls.i18n import i18n_patterns
from django.conf.urls.static import static
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.db import OperationalError
from django.test import override_settings
from django.urls import include, path, re_path, register_converter, reverse_lazy

from tests.introspect.conftest import Read
from tests.introspect.looking import facts, ids, messages, urlconf, view

PREFIXED = {
    "FORCE_SCRIPT_NAME": "/app",
    "STATIC_URL": "static/",
    "SESSION_COOKIE_PATH": "/app/",
    "CSRF_COOKIE_PATH": "/app",
}


@pytest.mark.parametrize(
    "pattern",
    [
        path("static/live/", view),
        path("static/<int:number>/", view),
        path("static/", include(([path("live/", view)], "live"))),
        path("", include([path("static/live/", view)])),
        re_path(r"^static/(?P<name>\w+)$", view),
        re_path(r"^static\/(live|dead)$", view),
        re_path("static/", include([re_path("^live$", view)])),
    ],
)
def test_shadowed_route(pattern: Any, read: Read) -> None:
    """A route below STATIC_URL never reaches Django, however it is written."""
    found = read(ROOT_URLCONF=urlconf(pattern))
    assert ids(found) == {"W058"}
    assert "STATIC_ROOT: the route 'static/" in messages(found)


def test_many_shadowed_routes_are_one_finding(read: Read) -> None:
    """Where a whole site lies below a URL of files, one line says so."""
    patterns = [path(f"static/{number}/", view) for number in range(40)]
    found = messages(read(ROOT_URLCONF=urlconf(*patterns)))
    assert found.count("the route") == 1
    assert "the route 'static/0/' lies below '/static/', and 39 more." in found


@pytest.mark.parametrize(
    "pattern",
    [
        path("statics/", view),
        path("<path:anything>", view),
        re_path(r"^.*$", view),
        re_path(r"^(?!static)(.*)$", view),
        path("app/static/", view),
    ],
)
def test_route_beside_the_files(pattern: Any, read: Read) -> None:
    """A catch-all, or a name that only looks alike, is not shadowed."""
    assert ids(read(ROOT_URLCONF=urlconf(pattern))) == set()


def test_route_of_every_language(read: Read) -> None:
    """i18n_patterns() puts each language in front, whichever is active now."""
    patterns = i18n_patterns(path("live/", view))
    languages = [("en", "English"), ("de", "German")]
    found = read(ROOT_URLCONF=urlconf(*patterns), LANGUAGES=languages, STATIC_URL="/de/")
    assert "the route 'de/live/'" in messages(found)
    assert ids(read(STATIC_URL="/static/")) == set()


def test_default_language_without_prefix(read: Read) -> None:
    """i18n_patterns() may leave the default language at the root."""
    patterns = i18n_patterns(path("static/", view), prefix_default_language=False)
    found = read(ROOT_URLCONF=urlconf(*patterns), LANGUAGES=[("en", "English"), ("de", "German")])
    found = read(LANGUAGE_CODE="en")
    assert "the route 'static/'" in messages(found)


def test_development_views_are_no_routes(read: Read, settings: Any) -> None:
    """static() and staticfiles_urlpatterns() stand in for the server: nothing is lost by it."""
    with override_settings(DEBUG=True):
        patterns = [*static("/static/", document_root="/srv"), *staticfiles_urlpatterns()]
    assert len(patterns) == 2
    assert ids(read(ROOT_URLCONF=urlconf(*patterns))) == set()


def test_route_of_a_root_file(site: Read, settings: Any, tmp_path: Any) -> None:
    """A view for robots.txt is not asked where a file of that name is served."""
    robots = tmp_path / "robots.txt"
    robots.touch()
    settings.ROOT_URLCONF = urlconf(re_path(r"^robots\.txt$", view))
    found = site(ROOT_FILES={"robots.txt": robots})
    assert ids(found) == {"W058"}
    settings.ROOT_URLCONF = urlconf(path("<path:anything>", view))
    assert ids(site(ROOT_FILES={"robots.txt": robots})) == set()


class Asking:
    """A converter that asks for a row."""

    regex = "[a-z]+"

    def to_python(self, value: str) -> str:
        raise OperationalError("there is no database")

    def to_url(self, value: str) -> str:
        return value


def test_a_route_that_asks_a_database(site: Read, settings: Any, tmp_path: Any) -> None:
    """Nothing is asked of what cannot be reached while the settings are read."""
    (tmp_path / "robots").touch()
    with contextlib.suppress(ValueError):  # Another test of this process has registered it.
        register_converter(Asking, "asking")
    settings.ROOT_URLCONF = urlconf(path("<asking:name>", view))
    assert ids(site(ROOT_FILES={"robots": tmp_path / "robots"})) == set()


def test_a_login_page_of_a_urlconf_that_cannot_be_imported(read: Read) -> None:
    """Areas ask for the page; that there is none is found, and nothing crashes."""
    areas = {"/private/": "active"}
    found = read(
        ROOT_URLCONF="no.such.module",
        LOGIN_URL="/in/",
        DEPLOYKIT={"SITE": {"AUTH_AREAS": areas}},
    )
    assert "W067" in ids(found)


def test_a_cookie_without_a_path(read: Read) -> None:
    """None leaves it to the browser, which takes the page's."""
    assert "W062" not in ids(read(**{**PREFIXED, "SESSION_COOKIE_PATH": None}))


def test_routes_are_prefixes(site: Read) -> None:
    """SITE['ROUTES'] are kept as they are."""
    assert facts(site(ROUTES=["/api/", "/admin/x/"])).routes == ("/api/", "/admin/x/")


@pytest.mark.parametrize("route", ["/", "api/", "/api", "/a//b/", "/../", "/a b/", "/(x)/", "/é/"])
def test_route_of_plain_characters_only(route: str, site: Read) -> None:
    """What could mean more than one path to a server is refused."""
    assert ids(site(ROUTES=[route])) == {"E017"}


@pytest.mark.parametrize(
    ("url", "leaves"),
    [
        ("/accounts/login/", True),
        ("/application/login/", True),
        ("/app/login/", False),
        ("login/", False),
        ("admin:login", False),
        (reverse_lazy("admin:login"), False),
        ("https://sso.example.com/", False),
        ("//sso.example.com/", False),
    ],
)
def test_login_url_under_a_prefix(url: Any, leaves: bool, read: Read) -> None:
    """A literal path in LOGIN_URL must begin with the prefix; a name or a relative URL may not."""
    assert ids(read(**PREFIXED, LOGIN_URL=url)) == ({"W059"} if leaves else set())


def test_default_login_url_matters_only_if_used(read: Read) -> None:
    """Django's own LOGIN_URL is a fault only of a project that has a page there."""
    assert ids(read(**PREFIXED)) == set()
    login = path("accounts/", include([path("login/", view)]))
    assert ids(read(ROOT_URLCONF=urlconf(login))) == {"W059"}


@pytest.mark.parametrize("name", ["LOGIN_REDIRECT_URL", "LOGOUT_REDIRECT_URL"])
def test_redirects_under_a_prefix(name: str, read: Read) -> None:
    """What holds for LOGIN_URL holds for the pages after it."""
    found = read(**PREFIXED, **{name: "/welcome/"})
    assert f"{name}: '/welcome/' leads outside of the prefix '/app'." in messages(found)


def test_static_url_outside_of_the_prefix(read: Read) -> None:
    """An absolute STATIC_URL beside the prefix takes a URL of another site."""
    found = read(**{**PREFIXED, "STATIC_URL": "/static/"})
    assert ids(found) == {"W059"}


@pytest.mark.parametrize("path", ["/", "/application", "/ap"])
def test_cookies_of_a_prefix(path: str, read: Read) -> None:
    """A cookie for more than the prefix goes to the other sites of the host as well."""
    found = read(**{**PREFIXED, "SESSION_COOKIE_PATH": path})
    assert ids(found) == {"W060"}
    assert f"SESSION_COOKIE_PATH: {path!r}" in messages(found)


def test_broken_urlconf_is_one_warning(read: Read) -> None:
    """A URLconf that cannot be imported hides nothing else, and is no traceback."""
    found = read(ROOT_URLCONF="nowhere.urls", ALLOWED_HOSTS=["*"])
    assert ids(found) == {"W067", "W055"}
    assert settings.ROOT_URLCONF == "nowhere.urls"
    assert "ModuleNotFoundError" in messages(found)
