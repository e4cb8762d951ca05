"""Decisions as HTTP: which status, which headers, in whose dialect."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.encoding import iri_to_uri
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from django_deploykit.auth.authenticator import Authenticator
from django_deploykit.auth.credentials import from_header, from_wire
from django_deploykit.auth.decision import Decision, Reason, announce
from django_deploykit.auth.waiting import takes_time

SCHEMES = ("session", "basic")

_STATUS = {
    Reason.GRANTED: HTTPStatus.OK,
    Reason.MISSING: HTTPStatus.UNAUTHORIZED,
    Reason.UNKNOWN: HTTPStatus.UNAUTHORIZED,
    Reason.WRONG: HTTPStatus.UNAUTHORIZED,
    Reason.THROTTLED: HTTPStatus.TOO_MANY_REQUESTS,
    Reason.FORBIDDEN: HTTPStatus.FORBIDDEN,  # To log in again would lead back here.
}


def decide(
    judge: Authenticator,
    request: HttpRequest,
    authorization: str,
    schemes: Collection[str],
    policy: str,
) -> Decision:
    """Who asks, and may they? A Basic header decides alone: a bad one is not mended by a cookie."""
    credentials = from_header(authorization) if "basic" in schemes else None
    if credentials:
        return judge.by_password(credentials, request, policy)
    if "session" in schemes:
        return judge.by_session(request, policy)
    judge.rule(policy)
    return announce(Decision(Reason.MISSING), request, policy)


def status(decision: Decision) -> HTTPStatus:
    """The status for a server that hands it on to the client."""
    return _STATUS[decision.reason]


def nginx_status(decision: Decision) -> HTTPStatus:
    """The same in the three words of auth_request, which takes any other for an error."""
    found = status(decision)
    return HTTPStatus.FORBIDDEN if found is HTTPStatus.TOO_MANY_REQUESTS else found


def challenge(realm: str) -> tuple[str, str]:
    """The header that makes a client ask for a password (RFC 7617)."""
    escaped = realm.replace("\\", "\\\\").replace('"', '\\"')
    return "WWW-Authenticate", f'Basic realm="{escaped}", charset="UTF-8"'


def wants_page(request: HttpRequest, authorization: str) -> bool:
    """Whether a person looks at the answer, who can log in and come back to it."""
    is_read = request.method in ("GET", "HEAD")
    return is_read and not authorization and "text/html" in request.META.get("HTTP_ACCEPT", "")


def login_url(target: str) -> str:
    """LOGIN_URL in ASCII, with ``target`` to come back to unless that leads to another host.

    ``target`` is text that a gateway read as Latin-1.
    """
    takes_time()  # It may be the first to load the project's URLs.
    url, back = iri_to_uri(resolve_url(settings.LOGIN_URL)), from_wire(target)
    if not back.startswith("/") or not url_has_allowed_host_and_scheme(back, None):
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode({'next': back})}"
