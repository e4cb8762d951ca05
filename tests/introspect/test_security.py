"""TLS, headers, credentials and limits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.urls import path

from django_deploykit.config.facts import SecurityHeaders, Tls
from tests.introspect.conftest import Read
from tests.introspect.looking import facts, ids, messages, urlconf

TLS = {"CERTIFICATE": "/etc/ssl/site.pem", "KEY": Path("/etc/ssl/site.key")}
SECURITY = "django.middleware.security.SecurityMiddleware"
REST = "rest_framework.authentication."


def test_tls(site: Read) -> None:
    """A certificate and a key are enough; ACME answers are looked for where certbot puts them."""
    expected = Tls(
        certificate=Path("/etc/ssl/site.pem"),
        key=Path("/etc/ssl/site.key"),
        acme_webroot=Path("/var/www/html"),
    )
    assert facts(site(TLS=TLS)).tls == expected
    webroot = facts(site(TLS={**TLS, "ACME_WEBROOT": "/srv/acme"})).tls
    assert webroot is not None
    assert webroot.acme_webroot == Path("/srv/acme")


def test_unknown_tls_key_is_guessed_and_its_value_kept(site: Read) -> None:
    """A misspelt key is named with the right one; the values, maybe secret, are not printed."""
    found = site(TLS={**TLS, "CERTFICATE": "hunter2"})
    assert "Did you mean 'CERTIFICATE'?" in messages(found)
    assert "hunter2" not in messages(found)


def test_headers_are_those_of_the_middleware(read: Read) -> None:
    """What SecurityMiddleware would send, in its own words."""
    found = read(
        SECURE_HSTS_SECONDS=60,
        SECURE_HSTS_INCLUDE_SUBDOMAINS=True,
        SECURE_HSTS_PRELOAD=True,
        SECURE_REFERRER_POLICY=["same-origin", "strict-origin"],
        DEPLOYKIT={"SITE": {"TLS": TLS}},
    )
    assert facts(found).headers == SecurityHeaders(
        hsts="max-age=60; includeSubDomains; preload",
        nosniff=True,
        referrer_policy="same-origin,strict-origin",
        opener_policy="same-origin",
    )


def test_no_headers_without_the_middleware(read: Read) -> None:
    """A project that took SecurityMiddleware out gets none of its headers from the server."""
    assert facts(read(MIDDLEWARE=[], SECURE_HSTS_SECONDS=60)).headers == SecurityHeaders()


def test_no_hsts_without_tls(read: Read) -> None:
    """HSTS over plain HTTP means nothing."""
    assert facts(read(SECURE_HSTS_SECONDS=60, MIDDLEWARE=[SECURITY])).headers.hsts is None


def test_no_warning_about_tls_with_tls(read: Read) -> None:
    """With a certificate, all that asks for HTTPS is as it should be."""
    wanted = dict.fromkeys(
        ("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"), True
    )
    assert ids(read(**wanted, SECURE_HSTS_SECONDS=60, DEPLOYKIT={"SITE": {"TLS": TLS}})) == set()


def test_exempt_paths(read: Read) -> None:
    """SECURE_REDIRECT_EXEMPT takes patterns as text and compiled."""
    found = read(SECURE_REDIRECT_EXEMPT=[r"^health/$", re.compile(r"^api/")])
    assert facts(found).redirect_exempt == (r"^health/$", r"^api/")


@pytest.mark.parametrize(
    ("origin", "tls", "wrong"),
    [
        ("https://example.com", False, True),
        ("https://example.com:8443", False, True),
        ("https://EXAMPLE.com", False, True),
        ("https://*.example.org", False, True),
        ("https://[2001:db8::1]:8000", False, True),
        ("http://example.com", False, False),
        ("http://example.com", True, True),
        ("http://[2001:db8::1]:8000", True, True),
        ("https://example.com", True, False),
        ("https://forms.elsewhere.example", False, False),
        ("https://[2001:db8::2]", False, False),
        ("https://[broken", False, False),
        ("example.com", False, False),
    ],
)
def test_trusted_origins(origin: str, tls: bool, wrong: bool, read: Read) -> None:
    """An origin of this very site must have the scheme that the server gives it."""
    found = read(
        CSRF_TRUSTED_ORIGINS=[origin],
        ALLOWED_HOSTS=["example.com", ".example.org", "[2001:db8::1]"],
        DEPLOYKIT={"SITE": {"TLS": TLS}} if tls else {},
    )
    assert ids(found) == ({"W061"} if wrong else set())


def test_upload_limit(read: Read) -> None:
    """The size above which Django refuses a request, or None for none."""
    assert facts(read(DATA_UPLOAD_MAX_MEMORY_SIZE=5)).limits.upload_memory == 5
    assert facts(read(DATA_UPLOAD_MAX_MEMORY_SIZE=None)).limits.upload_memory is None


def test_environ_is_sorted(site: Read) -> None:
    """The order in settings does not change what is written."""
    assert facts(site(ENVIRON={"ZONE": "b", "CAMPUS": "a"})).environ == (
        ("CAMPUS", "a"),
        ("ZONE", "b"),
    )


@pytest.mark.parametrize("environ", [{"SHOP_PASSWORD": "hunter2"}, {"A B": "hunter2"}, "hunter2"])
def test_environ_values_are_never_printed(environ: Any, site: Read) -> None:
    """A value that may be secret does not appear in the message about it."""
    found = site(ENVIRON=environ)
    assert found.errors
    assert "hunter2" not in messages(found)


@pytest.mark.parametrize(
    ("classes", "needed"),
    [
        (None, True),
        ([], False),
        ([REST + "SessionAuthentication"], False),
        ([REST + "RemoteUserAuthentication"], False),
        ([REST + "SessionAuthentication", REST + "TokenAuthentication"], True),
        (["tests.introspect.rest.QuietSession"], False),
        (["tests.introspect.rest.NotSessionAuthentication"], True),
        (["nowhere.Authentication"], True),
    ],
)
def test_authorization_of_rest_framework(
    classes: list[str] | None, needed: bool, read: Read, settings: Any
) -> None:
    """Authorization is needed if some authentication class reads it, by default Basic."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "rest_framework"]
    configured = {} if classes is None else {"DEFAULT_AUTHENTICATION_CLASSES": classes}
    assert facts(read(REST_FRAMEWORK=configured)).needs_authorization is needed


def test_authorization_of_one_view(read: Read, settings: Any) -> None:
    """A single view may read what the default does not."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "rest_framework"]
    from rest_framework.authentication import TokenAuthentication
    from rest_framework.views import APIView

    settings.REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": []}
    view = type("Own", (APIView,), {"authentication_classes": [TokenAuthentication]})
    found = read(ROOT_URLCONF=urlconf(path("api/", view.as_view())))
    assert facts(found).needs_authorization is True


def test_authorization_without_rest_framework(read: Read) -> None:
    """Nobody reads Authorization in a project of Django's own parts."""
    assert facts(read()).needs_authorization is False


@pytest.mark.parametrize("said", [True, False])
def test_authorization_as_said(said: bool, site: Read, settings: Any) -> None:
    """SITE['AUTHORIZATION'] decides, whatever is installed."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "rest_framework"]
    assert facts(site(AUTHORIZATION=said)).needs_authorization is said
