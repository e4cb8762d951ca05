"""Every kind of finding, from the settings that lead to it: one table."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.urls import path

from django_deploykit.config.findings import Level
from tests.introspect.conftest import Read
from tests.introspect.looking import ids, kinds, urlconf, view

Make = Callable[[Path], dict[str, Any]]


def site(**keys: Any) -> dict[str, Any]:
    return {"DEPLOYKIT": {"SITE": keys}}


PROXY_MIDDLEWARE = "django_deploykit.middleware.TrustedProxyMiddleware"
HTTPS = {
    **{"SECURE_SSL_REDIRECT": True, "SECURE_HSTS_SECONDS": 3600, "SESSION_COOKIE_SECURE": True},
    "CSRF_TRUSTED_ORIGINS": ["https://example.com"],
}
TRUSTED = {"TRUSTED": ["10.0.0.1"], "HEADERS": ["X-Forwarded-Proto"]}


def behind(**section: Any) -> dict[str, Any]:
    """A PROXY section with its middleware in place."""
    return {"DEPLOYKIT": {"PROXY": {**TRUSTED, **section}}, "MIDDLEWARE": [PROXY_MIDDLEWARE]}


def env_file(directory: Path, mode: int) -> str:
    path = directory / "env"
    path.touch()
    path.chmod(mode)
    return str(path)


def broken_urlconf() -> Any:
    class Urls:
        @property
        def urlpatterns(self) -> list[Any]:
            raise RuntimeError("as an import would")

    return Urls()


TLS = {"CERTIFICATE": "/etc/ssl/site.pem", "KEY": "/etc/ssl/site.key"}
STORAGES = {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}}
FILE_CACHE = "django.core.cache.backends.filebased.FileBasedCache"
MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"

AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
REMOTE_USER = "django.contrib.auth.middleware.RemoteUserMiddleware"
OURS = "django_deploykit.middleware.ProxyIdentityMiddleware"
TRUSTED_PROXY = "django_deploykit.middleware.TrustedProxyMiddleware"
SIGNED_IN = {
    "MIDDLEWARE": [AUTHENTICATION, OURS],
    "AUTHENTICATION_BACKENDS": ["django_deploykit.backends.ProxyIdentityBackend"],
}


def identity(*middleware: str, **keys: Any) -> dict[str, Any]:
    order = {"MIDDLEWARE": middleware} if middleware else {}
    return {**SIGNED_IN, **order, "DEPLOYKIT": {"IDENTITY": {"USER": "env:REMOTE_USER", **keys}}}


def _logging(path: str) -> dict[str, Any]:
    """What Django 6.1 obeys at once, without a file being opened."""
    handler = {"class": "logging.FileHandler", "filename": path, "delay": True}
    return {"version": 1, "disable_existing_loggers": False, "handlers": {"file": handler}}


# What is set (given a directory of the test's own), and exactly what is then found.
TABLE: dict[str, tuple[Make, set[str]]] = {
    "nothing": (lambda tmp: {}, set()),
    "no SECRET_KEY": (lambda tmp: {"SECRET_KEY": "", **site(ENVIRON={"LABEL": ""})}, set()),
    "unknown section": (lambda tmp: {"DEPLOYKIT": {"PROXIES": {}}}, {"E001"}),
    "unknown key": (lambda tmp: site(HOST=["example.com"]), {"E001"}),
    "unknown TLS key": (lambda tmp: site(TLS={**TLS, "CHAIN": "/c.pem"}), {"E001"}),
    "DEPLOYKIT a list": (lambda tmp: {"DEPLOYKIT": []}, {"E002"}),
    "SITE a string": (lambda tmp: {"DEPLOYKIT": {"SITE": "shop"}}, {"E002"}),
    "HOSTS a string": (lambda tmp: site(HOSTS="example.com"), {"E002"}),
    "WEBSOCKETS a string": (lambda tmp: site(WEBSOCKETS="/ws/"), {"E002"}),
    "websockets not found": (
        lambda tmp: {"ASGI_APPLICATION": "tests.introspect.other_asgi.application"},
        {"W073"},
    ),
    "ROUTES a string": (lambda tmp: site(ROUTES="/api/"), {"E002"}),
    "PROTECTED a list": (lambda tmp: site(PROTECTED=["/srv/private"]), {"E002"}),
    "ENVIRON a list": (lambda tmp: site(ENVIRON=["A=1"]), {"E002"}),
    "TLS a string": (lambda tmp: site(TLS="/etc/ssl/site.pem"), {"E002"}),
    "ROOT_FILES a list": (lambda tmp: site(ROOT_FILES=["robots.txt"]), {"E002"}),
    "IDENTITY": (lambda tmp: identity(), set()),
    "IDENTITY a string": (lambda tmp: {"DEPLOYKIT": {"IDENTITY": "authelia"}}, {"E002"}),
    "IDENTITY with an unknown key": (lambda tmp: identity(HEADER="X"), {"E001"}),
    "IDENTITY of a client's key": (lambda tmp: identity(USER="env:HTTP_REMOTE_USER"), {"E041"}),
    "IDENTITY middleware alone": (lambda tmp: SIGNED_IN, {"E041"}),
    "IDENTITY without its middleware": (lambda tmp: identity(AUTHENTICATION), {"E042"}),
    "IDENTITY before the session": (lambda tmp: identity(OURS, AUTHENTICATION), {"E042"}),
    "IDENTITY without its backend": (
        lambda tmp: {**identity(), "AUTHENTICATION_BACKENDS": ["nowhere.Backend"]},
        {"E042"},
    ),
    "IDENTITY by subclasses of the backend": (
        lambda tmp: {
            **identity(),
            "AUTHENTICATION_BACKENDS": ["tests.identity.backends.Subclass"],
        },
        set(),
    ),
    "IDENTITY by a header that nobody removes": (
        lambda tmp: identity(AUTHENTICATION, OURS, USER="header:Remote-User"),
        {"E042"},
    ),
    "IDENTITY by a header": (
        lambda tmp: identity(TRUSTED_PROXY, AUTHENTICATION, OURS, USER="header:Remote-User"),
        set(),
    ),
    "IDENTITY beside Django's": (
        lambda tmp: identity(AUTHENTICATION, REMOTE_USER, OURS),
        {"E043"},
    ),
    "IDENTITY by a key under ASGI": (
        lambda tmp: {
            **identity(),
            "WSGI_APPLICATION": None,
            "ASGI_APPLICATION": "tests.wsgi.application",
        },
        {"W082"},
    ),
    "Django's remote user under ASGI": (
        lambda tmp: {
            "MIDDLEWARE": [AUTHENTICATION, REMOTE_USER],
            "ASGI_APPLICATION": "tests.wsgi.application",
        },
        {"W081"},
    ),
    "Django's remote user under WSGI": (
        lambda tmp: {"MIDDLEWARE": [AUTHENTICATION, REMOTE_USER]},
        set(),
    ),
    "MEDIA unknown": (lambda tmp: site(MEDIA="private"), {"E002"}),
    "NAME with a slash": (lambda tmp: site(NAME="a/b"), {"E002"}),
    "AUTHORIZATION a string": (lambda tmp: site(AUTHORIZATION="no"), {"E002"}),
    "no application": (lambda tmp: {"WSGI_APPLICATION": None}, {"E003"}),
    "application not there": (
        lambda tmp: {"WSGI_APPLICATION": "nowhere.wsgi.application"},
        {"E003"},
    ),
    "callable not there": (lambda tmp: {"WSGI_APPLICATION": "tests.wsgi.app"}, {"E003"}),
    "application a number": (lambda tmp: {"WSGI_APPLICATION": 5}, {"E003"}),
    "ASGI not there": (lambda tmp: {"ASGI_APPLICATION": "nowhere.asgi.application"}, {"E003"}),
    "no hosts": (lambda tmp: {"ALLOWED_HOSTS": []}, {"E004"}),
    "HOSTS empty": (lambda tmp: site(HOSTS=[]), {"E004"}),
    "host with a port": (lambda tmp: {"ALLOWED_HOSTS": ["example.com:8000"]}, {"E005"}),
    "host with a space": (lambda tmp: site(HOSTS=["exa mple.com"]), {"E005"}),
    "hosts that Django allows": (
        lambda tmp: {
            "ALLOWED_HOSTS": [".example.com", "[::1]"],
            **site(HOSTS=["EXAMPLE.com", "a.example.com", ".b.example.com", "[::1]"]),
        },
        set(),
    ),
    "host that Django refuses": (lambda tmp: site(HOSTS=["blog.example.com"]), {"W074"}),
    "any host but for Django": (lambda tmp: site(HOSTS=["*"]), {"W055", "W074"}),
    "host that a trusted proxy replaces": (
        lambda tmp: {
            "MIDDLEWARE": [PROXY_MIDDLEWARE],
            "DEPLOYKIT": {
                "PROXY": {"TRUSTED": ["10.0.0.1"], "HEADERS": ["X-Forwarded-Host"]},
                "SITE": {"HOSTS": ["blog.internal"]},
            },
        },
        set(),
    ),
    "prefix without a slash": (lambda tmp: {"FORCE_SCRIPT_NAME": "app"}, {"E006"}),
    "prefix with a quote": (lambda tmp: site(PREFIX='/a"b'), {"E006"}),
    "prefix a list": (lambda tmp: site(PREFIX=["/app"]), {"E006"}),
    "two prefixes": (
        lambda tmp: {
            "FORCE_SCRIPT_NAME": "/a",
            "STATIC_URL": "static/",
            "SESSION_COOKIE_PATH": "/b",
            "CSRF_COOKIE_PATH": "/b",
            **site(PREFIX="/b"),
        },
        {"E007"},
    ),
    "own static files uncollected": (
        lambda tmp: {"STATIC_ROOT": None, "STATICFILES_DIRS": [own_files(tmp)]},
        {"E008"},
    ),
    "manifest without STATIC_ROOT": (
        lambda tmp: {
            "STATIC_ROOT": None,
            "STORAGES": {**STORAGES, "staticfiles": {"BACKEND": MANIFEST}},
        },
        {"E008"},
    ),
    "media holds static": (
        lambda tmp: {"MEDIA_ROOT": str(tmp), "MEDIA_URL": "/media/"},
        {"E009"},
    ),
    "two things at one URL": (
        lambda tmp: {"MEDIA_ROOT": str(tmp / "media"), "MEDIA_URL": "/static/m/"},
        {"E010"},
    ),
    "MEDIA_URL the whole site": (
        lambda tmp: {"MEDIA_ROOT": str(tmp / "media"), "MEDIA_URL": "/"},
        {"E010", "E011", "W058"},
    ),
    "PROTECTED URL relative": (
        lambda tmp: site(PROTECTED={"private/": str(tmp / "private")}),
        {"E011"},
    ),
    **{
        f"PROTECTED URL {url}": (
            lambda tmp, url=url: site(PROTECTED={url: str(tmp / "private")}),
            {"E011"},
        )
        for url in ("//a/", "/a//b/", "/a/./b/", "/a/../b/")
    },
    "root file the whole site": (
        lambda tmp: site(ROOT_FILES={"/": env_file(tmp, 0o644)}),
        {"E011"},
    ),
    "ENV_FILE not there": (lambda tmp: site(ENV_FILE=str(tmp / "env")), {"E012"}),
    "ENV_FILE relative": (lambda tmp: site(ENV_FILE=".env"), {"E012"}),
    "DOCUMENTS not there": (
        lambda tmp: site(ROUTES=["/app/"], DOCUMENTS=str(tmp / "www")),
        {"E012"},
    ),
    "DOCUMENTS beside the whole site": (
        lambda tmp: site(DOCUMENTS=own_files(tmp)),
        {"E010"},
    ),
    "root file not there": (
        lambda tmp: site(ROOT_FILES={"robots.txt": str(tmp / "robots.txt")}),
        {"E012"},
    ),
    "WHITENOISE_ROOT not there": (lambda tmp: {"WHITENOISE_ROOT": str(tmp / "root")}, {"E012"}),
    "PROTECTED relative": (lambda tmp: site(PROTECTED={"/private/": "private"}), {"E012"}),
    "ENVIRON name of CGI": (lambda tmp: site(ENVIRON={"REMOTE_USER": "admin"}), {"E013"}),
    "ENVIRON value a number": (lambda tmp: site(ENVIRON={"DEPTH": 3}), {"E013"}),
    "TLS without key": (lambda tmp: site(TLS={"CERTIFICATE": "/etc/ssl/site.pem"}), {"E014"}),
    "TLS relative": (lambda tmp: site(TLS={**TLS, "KEY": "site.key"}), {"E014"}),
    "route without a slash": (lambda tmp: site(ROUTES=["/api"]), {"E017"}),
    "route a number": (lambda tmp: site(ROUTES=[5]), {"E017"}),
    "choice not allowed": (lambda tmp: {"DEPLOYKIT": {"DEPLOYMENT": {"processes": 0}}}, {"E018"}),
    "choice unknown": (lambda tmp: {"DEPLOYKIT": {"DEPLOYMENT": {"procesess": 2}}}, {"E018"}),
    "storage not there": (
        lambda tmp: {"STORAGES": {**STORAGES, "staticfiles": {"BACKEND": "no.Storage"}}},
        {"E019"},
    ),
    "no static storage": (lambda tmp: {"STORAGES": STORAGES}, {"E019"}),
    "secret by name": (lambda tmp: site(ENVIRON={"MAPS_API_KEY": "1234"}), {"E020"}),
    "secret by value": (lambda tmp: site(ENVIRON={"LABEL": "tests"}), {"E020"}),
    "PROXY that is not clear": (
        lambda tmp: behind(TRUSTED=["0.0.0.0/0"], HEADERS=["X-Real-Ip"]),
        {"E021"},
    ),
    "pool without a name": (lambda tmp: site(POOLS={"/reports/": {"processes": 2}}), {"E022"}),
    "nothing collected": (lambda tmp: {"STATIC_ROOT": str(tmp / "none")}, {"W051"}),
    "manifest not collected": (
        lambda tmp: {"STORAGES": {**STORAGES, "staticfiles": {"BACKEND": MANIFEST}}},
        {"W052"},
    ),
    "static files of packages": (lambda tmp: {"STATIC_ROOT": None}, {"W053"}),
    "DEBUG": (lambda tmp: {"DEBUG": True}, {"W054"}),
    "any host": (lambda tmp: {"ALLOWED_HOSTS": ["*"]}, {"W055"}),
    "exempt paths a string": (lambda tmp: {"SECURE_REDIRECT_EXEMPT": "^health/$"}, {"E002"}),
    "exempt paths None": (lambda tmp: {"SECURE_REDIRECT_EXEMPT": None}, {"E002"}),
    "exempt path that is no pattern": (lambda tmp: {"SECURE_REDIRECT_EXEMPT": ["("]}, {"E002"}),
    "largest body a string": (lambda tmp: {"DATA_UPLOAD_MAX_MEMORY_SIZE": "2500000"}, {"E002"}),
    "largest body None": (lambda tmp: {"DATA_UPLOAD_MAX_MEMORY_SIZE": None}, set()),
    "STORAGES a list": (lambda tmp: {"STORAGES": []}, {"E002", "E019"}),
    "options of a storage a string": (
        lambda tmp: {
            "STORAGES": {**STORAGES, "staticfiles": {"BACKEND": MANIFEST, "OPTIONS": "x"}}
        },
        {"E019"},
    ),
    "SSL redirect without TLS": (lambda tmp: {"SECURE_SSL_REDIRECT": True}, {"W056"}),
    "secure cookies without TLS": (
        lambda tmp: {"SESSION_COOKIE_SECURE": True, "CSRF_COOKIE_SECURE": True},
        {"W056"},
    ),
    "proxy header": (
        lambda tmp: {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")},
        {"W057"},
    ),
    "forwarded host": (lambda tmp: {"USE_X_FORWARDED_HOST": True}, {"W057"}),
    "forwarded port": (lambda tmp: {"USE_X_FORWARDED_PORT": True}, {"W057"}),
    "route below static": (
        lambda tmp: {"ROOT_URLCONF": urlconf(path("static/live/", view))},
        {"W058"},
    ),
    "login outside of the prefix": (
        lambda tmp: {
            "FORCE_SCRIPT_NAME": "/app",
            "LOGIN_URL": "/login/",
            "SESSION_COOKIE_PATH": "/app",
            "CSRF_COOKIE_PATH": "/app",
        },
        {"W059"},
    ),
    "cookies of a prefix": (
        lambda tmp: {"FORCE_SCRIPT_NAME": "/app", "STATIC_URL": "static/"},
        {"W060"},
    ),
    "own origin with HTTPS": (
        lambda tmp: {"CSRF_TRUSTED_ORIGINS": ["https://example.com"]},
        {"W061"},
    ),
    "own origin without HTTPS": (
        lambda tmp: {"CSRF_TRUSTED_ORIGINS": ["http://example.com"], **site(TLS=TLS)},
        {"W061"},
    ),
    "TLS that ends at a trusted proxy": (lambda tmp: {**HTTPS, **behind()}, set()),
    "TLS of which a trusted proxy says nothing": (
        lambda tmp: {**HTTPS, **behind(HEADERS=["X-Forwarded-For"])},
        {"W056", "W061", "W062"},
    ),
    "HSTS without TLS": (lambda tmp: {"SECURE_HSTS_SECONDS": 3600}, {"W062"}),
    "ENV_FILE for everybody": (lambda tmp: site(ENV_FILE=env_file(tmp, 0o644)), {"W063"}),
    "ENV_FILE for some": (lambda tmp: site(ENV_FILE=env_file(tmp, 0o640)), set()),
    "area without such a policy": (
        lambda tmp: site(AUTH_AREAS={"/files/": "nobody"}),
        {"E064"},
    ),
    "media elsewhere": (
        lambda tmp: {
            "MEDIA_ROOT": str(tmp / "media"),
            "MEDIA_URL": "/media/",
            "STORAGES": {
                "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
                "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
            },
        },
        {"W064"},
    ),
    "wsgi.py for other settings": (
        lambda tmp: {"WSGI_APPLICATION": "tests.introspect.other_wsgi.application"},
        {"W065"},
    ),
    "relative MEDIA_ROOT": (lambda tmp: {"MEDIA_ROOT": "media", "MEDIA_URL": "/media/"}, {"W066"}),
    "relative cache": (
        lambda tmp: {"CACHES": {"default": {"BACKEND": FILE_CACHE, "LOCATION": "cache"}}},
        {"W066"},
    ),
    "relative log": (
        lambda tmp: {"LOGGING": _logging("logs/django.log")},
        {"W066"},
    ),
    "log of the console": (
        lambda tmp: {"LOGGING": _logging("/dev/stdout")},
        set(),
    ),
    "relative FILE_UPLOAD_TEMP_DIR": (lambda tmp: {"FILE_UPLOAD_TEMP_DIR": "tmp"}, {"W066"}),
    "PROXY without its middleware": (lambda tmp: {"DEPLOYKIT": {"PROXY": TRUSTED}}, {"W068"}),
    "middleware not first": (
        lambda tmp: {"MIDDLEWARE": ["django.middleware.common.CommonMiddleware", PROXY_MIDDLEWARE]},
        {"W069"},
    ),
    "PROXY and Django's own switches": (
        lambda tmp: {
            "USE_X_FORWARDED_HOST": True,
            "USE_X_FORWARDED_PORT": True,
            "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
            **behind(),
        },
        {"W070"},
    ),
    "a prefix of requests, and a forced one": (
        lambda tmp: {
            "FORCE_SCRIPT_NAME": "/app",
            "STATIC_URL": "static/",
            "SESSION_COOKIE_PATH": "/app",
            "CSRF_COOKIE_PATH": "/app",
            **behind(HEADERS=["X-Forwarded-Prefix"], PREFIX={"ALLOWED": ["/app"]}),
        },
        {"W070"},
    ),
    "any prefix": (
        lambda tmp: {"STATIC_URL": "static/", **behind(HEADERS=["X-Forwarded-Prefix"])},
        {"W072"},
    ),
    "a path below any prefix": (
        lambda tmp: behind(HEADERS=["X-Script-Name"], PREFIX={"ALLOWED": ["/app"]}),
        {"W059"},
    ),
    "pages below any prefix": (
        lambda tmp: {
            "STATIC_URL": "static/",
            "LOGIN_URL": "/app/login/",
            **behind(HEADERS=["X-Script-Name"], PREFIX={"ALLOWED": ["/app", "/other"]}),
        },
        {"W059"},
    ),
    "pages below the only prefix": (
        lambda tmp: {
            "STATIC_URL": "static/",
            "LOGIN_URL": "/app/login/",
            "LOGIN_REDIRECT_URL": "admin:index",
            **behind(HEADERS=["X-Script-Name"], PREFIX={"ALLOWED": ["/app"]}),
        },
        set(),
    ),
    "pages outside of the only prefix": (
        lambda tmp: {
            "STATIC_URL": "static/",
            "LOGIN_REDIRECT_URL": "/welcome/",
            **behind(HEADERS=["X-Script-Name"], PREFIX={"ALLOWED": ["/app"]}),
        },
        {"W059"},
    ),
    "SENDFILE a list": (lambda tmp: {"DEPLOYKIT": {"SENDFILE": []}}, {"E002"}),
    "SENDFILE by a name that is none": (
        lambda tmp: {"DEPLOYKIT": {"SENDFILE": {"BACKEND": "x-sendfile"}}},
        {"E081"},
    ),
    "SENDFILE with a key that is none": (
        lambda tmp: {"DEPLOYKIT": {"SENDFILE": {"ROOT": "/srv"}}},
        {"E001"},
    ),
    "INLINE a string": (lambda tmp: {"DEPLOYKIT": {"SENDFILE": {"INLINE": "a/b"}}}, {"E002"}),
    **{
        f"INLINE with {kind!r}": (
            lambda tmp, kind=kind: {"DEPLOYKIT": {"SENDFILE": {"INLINE": [kind]}}},
            {"E002"},
        )
        for kind in ("pdf", "application/PDF", "text/csv; charset=utf-8", "", 5)
    },
    "STORES a string": (
        lambda tmp: {"DEPLOYKIT": {"SENDFILE": {"STORES": "https://a.example"}}},
        {"E002"},
    ),
    "STORES": (
        lambda tmp: {"DEPLOYKIT": {"SENDFILE": {"STORES": ["https://a.example:9000"]}}},
        set(),
    ),
    "STORES with a path": (
        lambda tmp: {"DEPLOYKIT": {"SENDFILE": {"STORES": ["https://a.example/bucket"]}}},
        {"E085"},
    ),
    "INLINE that runs": (
        lambda tmp: {"DEPLOYKIT": {"SENDFILE": {"INLINE": ["application/pdf", "image/svg+xml"]}}},
        {"E082"},
    ),
    "PROTECTED in PROTECTED": (
        lambda tmp: site(PROTECTED={"/a/": str(tmp / "a"), "/b/": str(tmp / "a" / "b")}),
        {"E083"},
    ),
    "PROTECTED the whole disk": (lambda tmp: site(PROTECTED={"/a/": "/"}), {"E009", "E084"}),
    "GZip above SendfileMiddleware": (
        lambda tmp: {
            "MIDDLEWARE": [
                "django.middleware.gzip.GZipMiddleware",
                "django_deploykit.middleware.SendfileMiddleware",
            ]
        },
        {"W101"},
    ),
    "broken URLconf": (lambda tmp: {"ROOT_URLCONF": broken_urlconf()}, {"W067"}),
}

# Kinds that only DEPLOYKIT['SITES'] leads to: see test_sites.py.
OF_SITES = {"E015", "E016"}
# The environment leads to this one: see test_a_server_that_believes below.
OF_ENVIRONMENT = {"W071"}
# Not of introspection: see tests/auth/test_checks.py.
OF_AUTH = {"E061", "E062", "E063", "W091", "W092", "W093", "W094", "W095"}


def own_files(directory: Path) -> str:
    own = directory / "assets"
    (own / "shop").mkdir(parents=True)
    (own / "shop" / "logo.svg").touch()
    return str(own)


@pytest.mark.parametrize(("make", "expected"), TABLE.values(), ids=TABLE.keys())
def test_settings_lead_to_findings(
    make: Make, expected: set[str], read: Read, tmp_path: Path
) -> None:
    """These settings have exactly these faults, and reading them never raises."""
    assert ids(read(**make(tmp_path))) == expected


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("FORWARDED_ALLOW_IPS", "*", {"W071"}),
        ("FORWARDED_ALLOW_IPS", "10.0.0.1", {"W071"}),
        ("FORWARDED_ALLOW_IPS", "", set()),
        ("GUNICORN_CMD_ARGS", "--workers 3 --forwarded-allow-ips=*", {"W071"}),
        ("GUNICORN_CMD_ARGS", "--workers 3", set()),
    ],
)
def test_a_server_that_believes(
    name: str, value: str, found: set[str], read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application server that was told to believe headers does so before the middleware."""
    monkeypatch.setenv(name, value)
    assert ids(read(**behind())) == found


def test_every_kind_is_reached() -> None:
    """No kind of finding is without settings that lead to it."""
    reached = set().union(*(expected for _, expected in TABLE.values()))
    reached |= OF_SITES | OF_ENVIRONMENT | OF_AUTH
    assert reached == {kind.id.removeprefix("deploykit.") for kind in kinds().values()}


def test_ids_are_unique() -> None:
    """No id stands for two kinds of fault."""
    found = [kind.id for kind in kinds().values()]
    assert sorted(found) == sorted(set(found))


@pytest.mark.parametrize("name", kinds())
def test_id_tells_the_level(name: str) -> None:
    """An id begins with E for an error and with W for a warning, as Django's own do."""
    kind = kinds()[name]
    letter = "E0" if kind.level is Level.ERROR else "W(0[5-9]|1)"
    assert re.fullmatch(rf"deploykit\.{letter}\d+", kind.id)


@pytest.mark.parametrize("name", kinds())
def test_hint_says_what_to_do(name: str) -> None:
    """Every hint is a whole sentence."""
    assert kinds()[name].hint.endswith(".")
